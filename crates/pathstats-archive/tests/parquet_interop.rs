//! Writes the files that other programs read: see `tests/interop/archives.py`, which runs this.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;

use pathstats_archive::page::MAX_PAGE_EVENTS;
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
    for page in events.chunks(MAX_PAGE_EVENTS) {
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
