//! Writes the files that other programs read: see `tests/interop/archives.py`, which runs this.

// A step of a program of checks: what goes wrong here fails it, by a panic.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;

use pathstats_archive::page::{MAX_PAGE_EVENTS, PAGE_BYTES};
use pathstats_archive::{jsonl, parquet};
use pathstats_model::TrafficEvent;

#[test]
#[ignore = "run by tests/interop/archives.py, which sets PATHSTATS_INTEROP"]
fn archives_for_other_programs() {
    let folder = std::env::var("PATHSTATS_INTEROP").expect("a folder with events.jsonl");
    let folder = Path::new(&folder);
    let lines = BufReader::new(fs::File::open(folder.join("events.jsonl")).unwrap()).lines();
    let mut events: Vec<_> = lines.map(|line| TrafficEvent::from_json(&line.unwrap()).unwrap()).collect();
    events.sort_by_key(|event| event.id);

    let mut members = Vec::new();
    let mut file = parquet::header().to_vec();
    let mut pages = Vec::new();
    for page in cut(&events) {
        members.extend(jsonl::encode(page).unwrap().bytes);
        let encoded = parquet::encode(page).unwrap();
        pages.push((file.len() as u64, encoded.metadata));
        file.extend(encoded.bytes);
    }
    let footer = parquet::footer(pages.iter().map(|(offset, metadata)| (*offset, &**metadata))).unwrap();
    let of_a_page = pages.first().map_or(0, |(_, metadata)| metadata.len());
    println!("pages {} footer {} of a page {of_a_page}", pages.len(), footer.len());
    file.extend(footer);
    fs::write(folder.join("events.jsonl.gz"), members).unwrap();
    fs::write(folder.join("events.parquet"), file).unwrap();
}

/// Pages as large as those of the archiver.
fn cut(events: &[TrafficEvent]) -> Vec<&[TrafficEvent]> {
    let mut rest = events;
    let mut pages = Vec::new();
    while !rest.is_empty() {
        let mut bytes = 0;
        let size = rest.iter().take(MAX_PAGE_EVENTS).take_while(|event| {
            let before = bytes;
            bytes += serde_json::to_string(event).unwrap().len() + 1;
            before < PAGE_BYTES
        });
        let (page, more) = rest.split_at(size.count());
        pages.push(page);
        rest = more;
    }
    pages
}
