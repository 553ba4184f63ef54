//! Row groups and whole files: what is written reads back, the same bytes each time, and what was
//! not written is refused.

// Helpers of tests: what goes wrong here fails the test, by a panic.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::io::Cursor;
use std::ops::RangeInclusive;

use parquet::basic::Type;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::statistics::Statistics;
use parquet::record::Field;
use pathstats_archive::page::{Encoded, PageError};
use pathstats_archive::parquet::{decode, encode, footer, header, Reader};
use pathstats_model::event::us_to_ms;
use pathstats_model::{EventId, TrafficEvent};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{select, Index};

const MIDNIGHT: i64 = 1_760_486_400_000;

fn id(n: u32) -> EventId {
    EventId::from_parts(MIDNIGHT + i64::from(n / 3), n.wrapping_mul(0x9e37_79b9)).unwrap()
}

fn minimal(id: EventId) -> TrafficEvent {
    TrafficEvent {
        id,
        path: "/".to_owned(),
        method: "GET".to_owned(),
        status: 200,
        response_time_us: None,
        client_ip_hash: None,
        user_agent: None,
        country: None,
        sample_ratio: 1.0,
    }
}

fn text(characters: RangeInclusive<usize>) -> impl Strategy<Value = String> {
    let character = prop_oneof![4 => proptest::char::range('!', '~'), 1 => any::<char>()];
    vec(character.prop_filter("no control characters", |c| !c.is_control()), characters)
        .prop_map(String::from_iter)
}

fn event() -> impl Strategy<Value = TrafficEvent> {
    let path = prop_oneof![
        6 => select(&["/", "/api/:id", "/a:b%2Fc", "/🦀 crab", "/日本"][..]).prop_map(str::to_owned),
        2 => text(0..=30).prop_map(|text| format!("/{text}")),
        1 => text(511..=511).prop_map(|text| format!("/{text}")),
    ];
    let required = (
        any::<u32>(),
        path,
        select(&["GET", "POST", "UPDATEREDIRECTREF"][..]),
        100u16..600,
        prop_oneof![3 => Just(1.0), 1 => 0.0001f64..=1.0],
    );
    let optional = (
        proptest::option::of(prop_oneof![0u32..100_000, 0u32..=3_600_000_000]),
        proptest::option::of(any::<u64>()),
        proptest::option::of(prop_oneof![text(0..=40), text(512..=512)]),
        proptest::option::of(select(vec![*b"CN", *b"T1", *b"XX"])),
    );
    (required, optional).prop_map(|(required, optional)| {
        let (n, path, method, status, sample_ratio) = required;
        let (response_time_us, client_ip_hash, user_agent, country) = optional;
        TrafficEvent {
            path,
            method: method.to_owned(),
            status,
            response_time_us,
            client_ip_hash,
            user_agent,
            country,
            sample_ratio,
            ..minimal(id(n))
        }
    })
}

/// Events of different ids, in their order.
fn events(count: RangeInclusive<usize>) -> impl Strategy<Value = Vec<TrafficEvent>> {
    vec(event(), count).prop_map(|mut events| {
        events.sort_by_key(|event| event.id);
        events.dedup_by_key(|event| event.id);
        events
    })
}

fn file(pages: &[Encoded]) -> Vec<u8> {
    let mut file = header().to_vec();
    let mut index = Vec::new();
    for page in pages {
        index.push((file.len() as u64, &*page.metadata));
        file.extend_from_slice(&page.bytes);
    }
    file.extend(footer(index).unwrap());
    file
}

fn pages(events: &[TrafficEvent], size: usize) -> Vec<Encoded> {
    events.chunks(size).map(|page| encode(page).unwrap()).collect()
}

fn series(count: u32) -> Vec<TrafficEvent> {
    let event = |n: u32| TrafficEvent {
        path: format!("/p/{}", n % 17),
        status: [200, 404, 503][n as usize % 3],
        response_time_us: (!n.is_multiple_of(5)).then_some(n * 7),
        ..minimal(id(n))
    };
    let mut events: Vec<_> = (0..count).map(event).collect();
    events.sort_by_key(|event| event.id);
    events
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn events_read_back_and_their_order_changes_no_byte(
        events in events(1..=120),
        turn in any::<Index>(),
    ) {
        let page = encode(&events).unwrap();
        prop_assert_eq!(&decode(&page.metadata, &page.bytes).unwrap(), &events);
        let mut turned = events.clone();
        turned.rotate_left(turn.index(events.len()));
        prop_assert_eq!(&encode(&turned).unwrap(), &page);
        // A page is a file of its own, between the header and its metadata.
        let alone = [header(), &page.bytes, &page.metadata].concat();
        prop_assert_eq!(Reader::open(Cursor::new(alone)).unwrap().read(0).unwrap(), Some(events));
    }

    #[test]
    fn a_file_of_any_pages_reads_back_in_order(events in events(1..=200), size in 1usize..100) {
        let mut reader = Reader::open(Cursor::new(file(&pages(&events, size)))).unwrap();
        let mut read = Vec::new();
        for (number, group) in reader.groups().unwrap().iter().enumerate() {
            let page = reader.read(number).unwrap().unwrap();
            prop_assert_eq!(group.records, page.len() as u64);
            prop_assert_eq!(group.ids, Some((page[0].id, page[page.len() - 1].id)));
            read.extend(page);
        }
        prop_assert_eq!(read, events);
    }

    #[test]
    fn changed_bytes_are_refused(
        at in any::<Index>(),
        places in btree_set(any::<Index>().prop_map(|index| index.index(4_000)), 1..4),
    ) {
        let page = encode(&series(300)).unwrap();
        let change = |bytes: &[u8], bit: usize| {
            let mut changed = bytes.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            changed
        };
        let bytes = change(&page.bytes, at.index(page.bytes.len() * 8));
        prop_assert!(matches!(decode(&page.metadata, &bytes), Err(PageError::Corrupt(_))));
        let mut metadata = page.metadata.clone();
        for place in places {
            metadata = change(&metadata, place);
        }
        prop_assert!(matches!(decode(&metadata, &page.bytes), Err(PageError::Corrupt(_))));
        prop_assert!(matches!(footer([(4, &*metadata)]), Err(PageError::Corrupt(_))));
        let whole = file(&pages(&series(300), 100));
        let broken = change(&whole, at.index(whole.len() * 8));
        let read = Reader::open(Cursor::new(broken))
            .and_then(|mut reader| (0..3).try_for_each(|number| reader.read(number).map(|_| ())));
        prop_assert!(read.is_err());
        let cut = &whole[..at.index(whole.len())];
        prop_assert!(Reader::open(Cursor::new(cut)).is_err());
    }

    #[test]
    fn garbage_is_refused(metadata in vec(any::<u8>(), 0..300), bytes in vec(any::<u8>(), 0..300)) {
        prop_assert!(decode(&metadata, &bytes).is_err());
        prop_assert!(Reader::open(Cursor::new(bytes)).is_err());
    }
}

#[test]
fn every_whole_microsecond_reads_back() {
    let times = (0..2_000).chain((0..3_600_000_000).step_by(999_983)).chain([3_600_000_000]);
    let events: Vec<_> = times
        .enumerate()
        .map(|(n, us)| TrafficEvent {
            response_time_us: Some(us),
            ..minimal(id(u32::try_from(n).unwrap() * 3))
        })
        .collect();
    let page = encode(&events).unwrap();
    assert_eq!(decode(&page.metadata, &page.bytes).unwrap(), events);
}

#[test]
fn any_parquet_reader_finds_the_rows_sorted_and_their_bounds() {
    let events = series(1_000);
    let reader = SerializedFileReader::new(bytes::Bytes::from(file(&pages(&events, 300)))).unwrap();
    let metadata = reader.metadata();
    assert_eq!(metadata.file_metadata().created_by(), Some("pathstats"));
    assert_eq!(metadata.file_metadata().num_rows(), 1_000);
    let keys = metadata.file_metadata().key_value_metadata().unwrap();
    assert!(keys.iter().any(|pair| pair.key == "pathstats.format" && pair.value.as_deref() == Some("1")));
    for (number, group) in metadata.row_groups().iter().enumerate() {
        assert_eq!(group.ordinal(), i32::try_from(number).ok());
        let sorted: Vec<_> = group.sorting_columns().unwrap().iter().map(|by| by.column_idx).collect();
        assert_eq!(sorted, [2, 1, 0], "path, timestamp, id");
        let page = &events[number * 300..(number * 300 + 300).min(1_000)];
        assert_bounds(group, page);
        let row_group = reader.get_row_group(number).unwrap();
        let rows = row_group.get_row_iter(None).unwrap();
        let rows: Vec<_> = rows
            .map(|row| {
                let columns: Vec<_> =
                    row.unwrap().into_columns().into_iter().map(|(_, value)| value).collect();
                (columns[2].to_string(), columns[0].to_string(), number_in(&columns[5]))
            })
            .collect();
        assert!(rows.is_sorted_by_key(|(path, id, _)| (path.clone(), id.clone())));
        let sum: f64 = rows.iter().filter_map(|(_, _, time)| *time).sum();
        let expected: f64 = page.iter().filter_map(|event| event.response_time_us).map(us_to_ms).sum();
        assert!((sum - expected).abs() < 1e-6);
    }
}

fn number_in(field: &Field) -> Option<f64> {
    match field {
        Field::Double(number) => Some(*number),
        _ => None,
    }
}

fn assert_bounds(group: &RowGroupMetaData, page: &[TrafficEvent]) {
    for column in group.columns() {
        let statistics = column.statistics().unwrap();
        let has_none = column.column_type() == Type::BYTE_ARRAY && statistics.min_bytes_opt().is_none();
        let name = column.column_path().string();
        assert!(!has_none || ["client_ip_hash", "user_agent", "country"].contains(&&*name), "{name}");
        let bounds = match statistics {
            Statistics::Int64(bounds) => (bounds.min_opt().copied(), bounds.max_opt().copied()),
            Statistics::Int32(bounds) => {
                (bounds.min_opt().map(|v| (*v).into()), bounds.max_opt().map(|v| (*v).into()))
            }
            _ => continue,
        };
        let values = page.iter().map(|event| match &*name {
            "timestamp" => event.id.timestamp_ms(),
            _ => event.status.into(),
        });
        assert_eq!(bounds, (values.clone().min(), values.max()), "{name}");
    }
    let paths = group.columns()[2].statistics().unwrap();
    let path = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
    assert_eq!(path(paths.min_bytes_opt()), *page.iter().map(|event| &event.path).min().unwrap());
    assert_eq!(path(paths.max_bytes_opt()), *page.iter().map(|event| &event.path).max().unwrap());
}

#[test]
fn a_file_without_events_is_a_file() {
    let mut reader = Reader::open(Cursor::new(file(&[]))).unwrap();
    assert_eq!(reader.groups().unwrap(), []);
    assert_eq!(reader.read(0).unwrap(), None);
}

#[test]
fn the_metadata_of_a_whole_file_is_not_that_of_a_page() {
    let pages = pages(&series(20), 10);
    let footer = footer([(4, &*pages[0].metadata), (400, &*pages[1].metadata)]).unwrap();
    assert!(matches!(decode(&footer, &pages[0].bytes), Err(PageError::Corrupt(_))));
}
