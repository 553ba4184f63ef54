use proptest::prelude::*;

use super::*;
use crate::alerts::notification::Place;
use crate::hour::DAY_MS;

fn date(text: &str) -> EventDate {
    text.parse().unwrap()
}

fn layouts(of: &[(&str, u8)]) -> Layouts {
    Layouts::new(of.iter().map(|(from, shards)| Layout { from: date(from), shards: *shards }).collect())
        .unwrap()
}

fn order(shards: u8, from: Option<&str>) -> ReshardOrder {
    ReshardOrder { shards, from: from.map(date), dry_run: false }
}

/// 2026-03-10T12:00:00Z.
const NOON: i64 = 1_773_144_000_000;

#[test]
fn paths_stand_where_they_always_stood() {
    // The check value of the standard; then places that rows of the product may have.
    assert_eq!(crc32fast::hash(b"123456789"), 0xcbf4_3926);
    let two = layouts(&[("2026-03-01", 2)]);
    let day = date("2026-03-02");
    let places =
        |n: u8| ["/", "/api/users", "/api/users/:id", "/checkout", "/päge"].map(|path| place(path, n));
    assert_eq!(places(2), [0, 1, 1, 1, 0]);
    assert_eq!(places(16), [4, 13, 9, 11, 12]);
    assert_eq!([two.shard_of("/", day), two.shard_of("/checkout", day)].map(Shard::index), [0, 1]);
}

#[test]
fn without_a_layout_everything_is_in_the_first() {
    let none = Layouts::default();
    for path in ["/", "/a", "/b"] {
        assert_eq!(none.shard_of(path, date("2026-03-02")), Shard::FIRST);
    }
    assert_eq!(none.shards_of(date("2000-01-01"), date("2030-01-01")), 1);
    assert!(!none.change_within(date("2000-01-01"), date("2030-01-01")));
}

#[test]
fn the_day_of_the_event_tells_the_layout() {
    let layouts = layouts(&[("2026-04-01", 1), ("2026-03-01", 2), ("2026-03-20", 4)]);
    let on = |day| layouts.shards_on(date(day));
    assert_eq!(
        ["2026-02-28", "2026-03-01", "2026-03-19", "2026-03-20", "2026-03-31"].map(on),
        [1, 2, 2, 4, 4]
    );
    assert_eq!(on("2026-04-01"), 1);
    assert_eq!(layouts.shards_of(date("2026-02-01"), date("2026-02-28")), 1);
    assert_eq!(layouts.shards_of(date("2026-02-01"), date("2026-03-01")), 2);
    assert_eq!(layouts.shards_of(date("2026-03-25"), date("2026-05-01")), 4);
    assert_eq!(layouts.shards_of(date("2026-04-01"), date("2026-05-01")), 1);
    assert!(layouts.change_within(date("2026-03-19"), date("2026-03-20")));
    assert!(!layouts.change_within(date("2026-03-20"), date("2026-03-31")));
}

#[test]
fn layouts_that_cannot_be_true_do_not_read() {
    let layout = |from, shards| Layout { from: date(from), shards };
    assert!(matches!(Layouts::new(vec![layout("2026-03-01", 0)]), Err(LayoutError::Shards(_, 0))));
    assert!(matches!(Layouts::new(vec![layout("2026-03-01", 17)]), Err(LayoutError::Shards(_, 17))));
    let twice = vec![layout("2026-03-01", 2), layout("2026-03-02", 1), layout("2026-03-01", 3)];
    assert_eq!(Layouts::new(twice), Err(LayoutError::Twice(date("2026-03-01"))));
    let many = (0..201).map(|at| Layout { from: EventDate::from_ms(at * DAY_MS), shards: 1 }).collect();
    assert_eq!(Layouts::new(many), Err(LayoutError::TooMany(201)));
}

#[test]
fn paths_are_spread_evenly() {
    for shards in [2, 3, 5, 16_u8] {
        let mut held = vec![0_u32; usize::from(shards)];
        for number in 0..20_000 {
            held[usize::from(place(&format!("/shop/item-{number}/reviews"), shards))] += 1;
        }
        let fair = 20_000 / u32::from(shards);
        assert!(held.iter().all(|n| n.abs_diff(fair) < fair / 10), "{shards} shards: {held:?}");
    }
}

#[test]
fn a_layout_begins_an_hour_ahead_at_the_earliest() {
    let none = Layouts::default();
    let day = |ms| none.earliest(ms).to_string();
    assert_eq!(day(NOON), "2026-03-11");
    let midnight = date("2026-03-11").start_ms();
    assert_eq!(day(midnight - LEAD_MS), "2026-03-11");
    assert_eq!(day(midnight - LEAD_MS + 1), "2026-03-12");
    assert_eq!(day(midnight), "2026-03-12");
    // And behind the last one.
    assert_eq!(layouts(&[("2026-03-20", 2)]).earliest(NOON).to_string(), "2026-03-21");
}

#[test]
fn an_order_is_checked_against_what_there_is() {
    let none = Layouts::default();
    let publication = order(2, None).check(&none, 2, NOON).unwrap();
    assert_eq!(publication.layout, Layout { from: date("2026-03-11"), shards: 2 });
    assert_eq!(publication.before, 1);
    let refusals: [(ReshardOrder, &Layouts, u8, &str, &str); 5] = [
        (order(3, None), &none, 2, "not_bound", "D1_1 to D1_2"),
        (
            order(2, Some("2026-03-10")),
            &none,
            2,
            "too_early",
            "2026-03-11 at the earliest, not on 2026-03-10",
        ),
        (order(2, Some("2062-03-11")), &none, 2, "too_late", "2062-03-11 is more than 366 days ahead"),
        (order(1, None), &none, 2, "nothing_changes", "1 shards already"),
        (order(1, Some("2026-03-20")), &layouts(&[("2026-03-20", 2)]), 2, "too_early", "2026-03-21"),
    ];
    for (order, layouts, bound, code, words) in refusals {
        let problem = order.check(layouts, bound, NOON).unwrap_err();
        assert_eq!((problem.status, problem.kind.as_str()), (409, format!("about:blank#{code}").as_str()));
        assert!(problem.detail.contains(words), "{}", problem.detail);
    }
    // Back to one.
    let back = order(1, None).check(&layouts(&[("2026-03-01", 2)]), 2, NOON).unwrap();
    assert_eq!((back.layout.shards, back.before), (1, 2));
}

#[test]
fn an_order_reads_or_tells_what_is_wrong() {
    assert_eq!(ReshardOrder::read(br#"{"shards":2}"#).unwrap(), order(2, None));
    let dry = ReshardOrder::read(br#"{"shards":2,"from":"2026-03-11","dryRun":true}"#).unwrap();
    assert_eq!((dry.from, dry.dry_run), (Some(date("2026-03-11")), true));
    for (body, words) in [
        (r#"{"shards":0}"#, "expected 1 to 16"),
        (r#"{"shards":17}"#, "expected 1 to 16"),
        (r#"{"shards":2,"form":"2026-03-11"}"#, "unknown field"),
        (r#"{"shards":2,"from":"tomorrow"}"#, "not a date"),
        ("", "does not read"),
    ] {
        let problem = ReshardOrder::read(body.as_bytes()).unwrap_err();
        assert!(problem.status == 400 && problem.detail.contains(words), "{}", problem.detail);
    }
}

#[test]
fn a_report_tells_which_layout_is_in_force() {
    let layouts = layouts(&[("2026-03-01", 2), ("2026-03-10", 3), ("2026-03-20", 1)]);
    let place = Place {
        environment: "test".to_owned(),
        runbook_base: "https://runbooks.test/".to_owned(),
        dashboard: None,
    };
    let report = ShardingReport::new(&layouts, (3, 2), Vec::new(), &place, NOON);
    assert_eq!(
        serde_json::to_value(&report).unwrap(),
        serde_json::json!({"shards": 3, "bound": 3, "queues": 2, "earliest": "2026-03-21", "layouts": [
            {"from": "2026-03-01", "shards": 2, "state": "past"},
            {"from": "2026-03-10", "shards": 3, "state": "current"},
            {"from": "2026-03-20", "shards": 1, "state": "coming"}], "databases": [],
            "runbook": "https://runbooks.test/docs/scaling-runbook.md"})
    );
}

proptest! {
    /// What makes resharding lose and double nothing: a later layout never changes where an event is that a
    /// Worker may have placed by any copy it is allowed to use.
    #[test]
    fn a_new_layout_moves_no_event_that_a_copy_may_place(
        path in "/[a-z]{1,12}",
        published_before in 0..48 * HOUR_MS,
        shards in proptest::collection::vec(1..=4_u8, 1..6),
        copy_age in 0..=TRUSTED_MS,
        ahead in -3 * DAY_MS..=MAX_FUTURE_MS,
    ) {
        let mut known = Layouts::default();
        let mut now = NOON;
        for shards in shards {
            now += published_before;
            let order = ReshardOrder { shards, from: None, dry_run: false };
            let Ok(publication) = order.check(&known, 4, now) else { continue };
            let mut with = known.all().to_vec();
            with.push(publication.layout);
            let next = Layouts::new(with).unwrap();
            // A copy that was loaded just before, used as late as it may be.
            let event = EventDate::from_ms(now + copy_age + ahead);
            prop_assert_eq!(known.shard_of(&path, event), next.shard_of(&path, event));
            known = next;
        }
    }

    #[test]
    fn the_shards_of_a_path_are_those_of_its_days(
        path in "/[a-z]{1,12}",
        of in proptest::collection::btree_map(0..40_i64, 1..=16_u8, 0..6),
        from in 0..40_i64,
        days in 0..40_i64,
    ) {
        let day = |day: i64| EventDate::from_ms(day * DAY_MS);
        let list = of.iter().map(|(from, shards)| Layout { from: day(*from), shards: *shards });
        let layouts = Layouts::new(list.collect()).unwrap();
        let mut each: Vec<Shard> = (from..=from + days).map(|at| layouts.shard_of(&path, day(at))).collect();
        let most = (from..=from + days).map(|at| layouts.shards_on(day(at))).max().unwrap();
        let few = (from..=from + days).any(|at| layouts.shards_on(day(at)) != layouts.shards_on(day(from)));
        each.sort_unstable();
        each.dedup();
        prop_assert_eq!(layouts.shards_of_path(&path, day(from), day(from + days)), each);
        prop_assert_eq!(layouts.shards_of(day(from), day(from + days)), most);
        prop_assert_eq!(layouts.change_within(day(from), day(from + days)), few);
    }
}
