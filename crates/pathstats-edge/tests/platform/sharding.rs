//! Two databases: `D1`, and `D1_1`, which the runner gives beside the Workers' own bindings.

use super::{env, event};
use pathstats_archive::store::{Deleted, Lease};
use pathstats_edge::archive_rows::ArchiveRows;
use pathstats_edge::database::Database;
use pathstats_edge::databases::{binding, bound, every, Databases};
use pathstats_edge::layout_store::LayoutStore;
use pathstats_model::hour::EventDate;
use pathstats_model::sharding::{by_shard, Layout, Layouts, Shard};
use pathstats_model::{EventId, TrafficEvent};
use wasm_bindgen_test::wasm_bindgen_test;

/// Days of their own, so that rows of other tests are not among these.
const DAY: i64 = 86_400_000;
const START: i64 = 1_235_001_600_000 / DAY * DAY;

fn day(number: i64) -> EventDate {
    EventDate::from_ms(START + number * DAY)
}

fn two() -> Databases {
    Databases::by(&env(), Layouts::new(vec![Layout { from: day(0), shards: 2 }]).unwrap())
}

/// Events of a day, each of a path of its own, stored where they belong.
async fn store(number: i64, count: u32) -> Vec<TrafficEvent> {
    let at = |n: u32| day(number).start_ms() + i64::from(n % 1_000) * 1_000;
    let events: Vec<TrafficEvent> = (0..count).map(|n| event(&format!("/spread/{n}"), at(n), n)).collect();
    put(&events).await;
    events
}

async fn put(events: &[TrafficEvent]) {
    let databases = two();
    let placed = events.iter().map(|one| (databases.layouts().shard_of(&one.path, one.hour().date()), one));
    for (shard, part) in by_shard(placed) {
        Database::new(databases.d1(shard).unwrap()).store_events(&part).await.unwrap();
    }
}

fn rows() -> ArchiveRows {
    ArchiveRows::new(two()).unwrap()
}

async fn held(number: i64) -> Vec<EventId> {
    let batch = rows().events(day(number), None, 10_000).await.unwrap();
    assert!(batch.is_last);
    batch.events.iter().map(|one| one.id).collect()
}

#[wasm_bindgen_test]
fn databases_are_counted_by_their_bindings() {
    assert_eq!((bound(&env()), every(&env()).unwrap().len()), (2, 2));
    assert_eq!(Shard::first(3).map(binding).collect::<Vec<_>>(), ["D1", "D1_1", "D1_2"]);
    let layouts = Layouts::new(vec![Layout { from: day(0), shards: 16 }]).unwrap();
    let beyond =
        (0..100).map(|n| format!("/{n}")).find(|path| layouts.shard_of(path, day(0)).index() > 1).unwrap();
    let error = Databases::by(&env(), layouts).of(&beyond, day(0)).unwrap_err().to_string();
    assert!(error.contains("a layout needs the database D1_"), "{error}");
}

#[wasm_bindgen_test]
async fn a_layout_is_published_once_and_in_order() {
    let store = LayoutStore::new(env().d1("D1").unwrap());
    let far = |year: i64| EventDate::from_ms(4_000_000_000_000 + year * 365 * DAY);
    let publish = async |year, shards| {
        store.publish(Layout { from: far(year), shards }, "token:admin", 1).await.unwrap()
    };
    assert!(publish(1, 2).await);
    assert!(!publish(1, 3).await && !publish(0, 3).await);
    assert!(publish(2, 1).await);
    let layouts = store.read().await.unwrap();
    assert_eq!(layouts.all(), [Layout { from: far(1), shards: 2 }, Layout { from: far(2), shards: 1 }]);
    let report = store.report("D1".to_owned()).await.unwrap();
    assert!(report.size_bytes > 10_000 && report.oldest_event <= report.newest_event);
}

#[wasm_bindgen_test]
async fn a_day_of_two_databases_is_read_in_one_order() {
    let events = store(1, 700).await;
    let mut expected: Vec<EventId> = events.iter().map(|one| one.id).collect();
    expected.sort_unstable();
    let each = every(&env()).unwrap().into_iter().map(Database::new).collect::<Vec<_>>();
    assert_eq!(each.len(), 2);
    let rows = rows();
    // In pages that are full but for the last, whatever each database has of them.
    let (mut read, mut after, mut sizes) = (Vec::new(), None, Vec::new());
    loop {
        let batch = rows.events(day(1), after, 150).await.unwrap();
        sizes.push(batch.events.len());
        read.extend(batch.events.iter().map(|one| one.id));
        after = read.last().copied();
        if batch.is_last {
            break;
        }
    }
    assert_eq!(read, expected);
    assert_eq!(sizes, [150, 150, 150, 150, 100]);
    assert!(rows.has_events(day(1)).await.unwrap() && !rows.has_events(day(2)).await.unwrap());
    assert!(rows.days_with_events(400).await.unwrap().contains(&day(1)));
}

#[wasm_bindgen_test]
async fn an_id_that_two_paths_share_is_read_once_and_deleted_everywhere() {
    let layouts = two().layouts().clone();
    let path = |shard: usize| {
        (0..100)
            .map(|n| format!("/twin/{n}"))
            .find(|path| layouts.shard_of(path, day(3)).index() == shard)
            .unwrap()
    };
    let at = day(3).start_ms();
    put(&[event(&path(0), at, 1), event(&path(1), at, 1)]).await;
    let ids = held(3).await;
    assert_eq!(ids.len(), 1);
    assert_eq!(rows().delete_ids(&ids).await.unwrap(), 2);
    assert!(!rows().has_events(day(3)).await.unwrap());
}

async fn lease(number: i64, owner: &str, now_ms: i64) -> bool {
    let lease = rows().lease(day(number), owner, now_ms + 1_000, now_ms).await.unwrap();
    matches!(lease, Lease::Granted(_))
}

#[wasm_bindgen_test]
async fn a_range_is_deleted_whole_or_not_at_all_and_by_its_owner_alone() {
    let mut ids: Vec<EventId> = store(5, 300).await.iter().map(|one| one.id).collect();
    ids.sort_unstable();
    let (first, last) = (*ids.first().unwrap(), *ids.get(99).unwrap());
    assert!(lease(5, "one", 1_000).await);
    let delete = async |owner: &str, records| rows().delete_range(day(5), owner, first, last, records).await;
    // One that came late lies within the range, whichever database it is in.
    let late = event("/spread/late", day(5).start_ms() + 1, 9_999);
    put(std::slice::from_ref(&late)).await;
    assert_eq!(delete("one", 100).await.unwrap(), Deleted::Nothing);
    assert_eq!(held(5).await.len(), 301);
    rows().delete_ids(&[late.id]).await.unwrap();
    // Another run took the day over: the first one deletes nothing any more, in any database.
    assert!(!lease(5, "two", 1_500).await && lease(5, "two", 3_000).await);
    assert!(delete("one", 100).await.is_err());
    assert_eq!(held(5).await, ids);
    assert_eq!(delete("two", 100).await.unwrap(), Deleted::Exactly);
    assert_eq!(held(5).await, ids.get(100..).unwrap());
    rows().release(day(5), "two").await.unwrap();
    assert!(lease(5, "three", 3_001).await);
}
