use pathstats_model::retention::day;
use serde_json::json;

use super::*;
use crate::record::Source;

const NOW: i64 = 1_760_700_000_000; // 2025-10-17

fn date() -> EventDate {
    "2025-10-15".parse().unwrap()
}

fn record() -> DayRecord {
    let name = ArchiveName { date: date(), supplement: 0, format: Format::Jsonl };
    let hour: HourBucket = "2025-10-15T14".parse().unwrap();
    let mut record = DayRecord::new(date());
    record.files.push(FileRecord {
        stage: Stage::Verified,
        records: 3,
        bytes: 70,
        pages: 1,
        first_id: Some(crate::tests::event(1).id),
        sha256: Some("ab".to_owned()),
        hours: BTreeMap::from([(hour, 3)]),
        archived_at: Some(1_760_536_800_000),
        ..FileRecord::new(name, Source::Database)
    });
    record.updated_at = 1_760_536_800_000;
    record
}

#[test]
fn a_day_without_an_archive_has_just_what_a_list_has() {
    let report = DayReport::new(day(date(), NOW, 3), true, None);
    assert_eq!(
        serde_json::to_value(ArchiveStatus::Day(Box::new(report))).unwrap(),
        json!({"date": "2025-10-15", "closed": true, "due": false, "inDatabase": true, "status": "database",
            "records": 0, "bytes": 0, "files": 0, "cleaned": false, "reconciled": null, "error": null})
    );
    assert_eq!(serde_json::to_value(ArchiveStatus::Days { days: vec![] }).unwrap(), json!({"days": []}));
}

#[test]
fn a_day_with_an_archive_is_pinned() {
    let report = serde_json::to_value(DayReport::new(day(date(), NOW, 3), false, Some(&record()))).unwrap();
    assert_eq!(
        report,
        json!({"date": "2025-10-15", "closed": true, "due": false, "inDatabase": false, "status": "cleaning",
            "records": 3, "bytes": 70, "files": 1, "cleaned": false, "reconciled": true, "error": null,
            "deleted": 0,
            "objects": [{"path": "events-archive/2025/10/2025-10-15.jsonl.gz", "format": "jsonl.gz",
                "stage": "verified", "records": 3, "bytes": 70, "pages": 1,
                "firstId": crate::tests::event(1).id.to_string(), "lastId": null, "sha256": "ab",
                "hours": {"2025-10-15T14": 3}, "archivedAt": "2025-10-15T14:00:00.000Z"}],
            "reconciliation": {"equal": true, "hoursCompared": 0, "hoursWithoutStatistics": [],
                "differences": [], "differing": 0},
            "usage": {"rowsRead": 0, "rowsWritten": 0, "peakMemoryBytes": null},
            "updatedAt": "2025-10-15T14:00:00.000Z"})
    );
    let details = serde_json::to_value(DayDetails::new(&record())).unwrap();
    for (name, value) in details.as_object().unwrap() {
        assert_eq!(report.get(name), Some(value), "{name}");
    }
    assert_eq!(details.as_object().unwrap().len(), 10);
}

#[test]
fn an_order_that_goes_on_says_so() {
    let started = serde_json::to_value(DayUnderWay::started(date())).unwrap();
    assert_eq!(started, json!({"date": "2025-10-15", "status": "started"}));
    let unfinished = serde_json::to_value(DayUnderWay::unfinished(&record())).unwrap();
    assert_eq!(unfinished, serde_json::to_value(DayDetails::new(&record())).unwrap());
}

#[test]
fn an_order_names_a_day_and_nothing_unknown() {
    let order: DayOrder = serde_json::from_str(r#"{"date":"2025-10-15"}"#).unwrap();
    assert_eq!(order, DayOrder { date: date(), wait: false, clean: true, repair: false });
    assert!(serde_json::from_str::<DayOrder>(r#"{"date":"2025-10-15","force":true}"#).is_err());
    assert!(serde_json::from_str::<DayOrder>(r#"{"wait":true}"#).is_err());
}
