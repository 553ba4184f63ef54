use super::*;
use crate::api::given::Given;
use crate::api::operations::{parameters, OperationId};
use crate::stats::Counters;

const NOW: i64 = 1_760_538_600_000; // 2025-10-15T14:30Z

fn period(query: &[(&'static str, &'static str)]) -> Period {
    let pairs = query.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    Period::read(&Given::read(pairs, parameters(OperationId::PathStats)).unwrap(), NOW).unwrap()
}

/// The events of an hour: as many as the hour's number since the epoch says, from clients of its own.
fn stats(hour: HourBucket) -> PathHourStats {
    let number = u32::try_from(hour.start_ms() / 3_600_000).unwrap();
    let mut stats = PathHourStats::default();
    for at in 0..number % 7 {
        let (us, client) = (1_000 * (at + number % 50), u64::from(number) * 100 + u64::from(at));
        stats.latency.add(us);
        stats.clients.add(client);
        let error = usize::from(at % 3 == 2);
        stats.counters.merge(&Counters {
            requests: 1,
            errors: error as u64,
            weight_milli: 1_000,
            error_weight_milli: 1_000 * error as u64,
            sum_response_time_us: us.into(),
            count_response_time: 1,
            status_classes: [[0, 1, 0, 0, 0], [0, 0, 0, 0, 1]][error],
        });
    }
    stats
}

fn row(hour: HourBucket) -> Option<HourRow> {
    let stats = stats(hour);
    (stats.counters.requests > 0).then(|| HourRow {
        hour,
        columns: Columns::of(&stats),
        updated_at: hour.end_ms(),
    })
}

fn merged(hours: impl Iterator<Item = HourBucket>) -> PathHourStats {
    let mut merged = PathHourStats::default();
    hours.for_each(|hour| merged.merge(&stats(hour)).unwrap());
    merged
}

fn day(date: EventDate, is_current: bool, is_purged: bool) -> DayStats {
    let hours = (0..24).map(|hour| date.first_hour().plus(hour));
    let mask = hours.clone().filter(|hour| row(*hour).is_some()).map(|hour| 1 << hour.hour_of_day()).sum();
    DayStats { date, hours: mask, is_current, is_purged, stats: merged(hours), updated_at: date.end_ms() }
}

fn read(period: &Period, days: Vec<DayStats>, kept: impl Fn(HourBucket) -> bool) -> Rows {
    let needed = needed_hours(period, Filters::default(), &days);
    let sketches = needed.into_iter().filter(|hour| kept(*hour));
    let sketches =
        sketches.map(|hour| HourStats { hour, stats: stats(hour), updated_at: hour.end_ms() }).collect();
    let hours = match period.granularity {
        Granularity::Hour => period.hours.each().filter(|hour| kept(*hour)).filter_map(row).collect(),
        Granularity::Day => Vec::new(),
    };
    Rows { hours, days, sketches, waiting: Vec::new() }
}

fn series_of(period: &Period, rows: &Rows) -> Series {
    Series::new(period, Filters::default(), core::slice::from_ref(rows), NOW).unwrap().0
}

#[test]
fn a_total_is_the_same_from_days_and_from_hours() {
    for (query, exact) in [
        (&[("from", "2025-10-10T05")][..], true),
        (&[("from", "2025-10-10T05"), ("granularity", "day")], false),
        (&[("from", "2025-10-10"), ("granularity", "day"), ("timezone", "Asia/Kolkata")], false),
    ] {
        let period = period(query);
        let truth = Figures::of(&merged(period.hours.each()));
        let days: Vec<EventDate> = period.hours.whole_days().collect();
        for is_current in [true, false] {
            let days = days.iter().map(|date| day(*date, is_current, false)).collect();
            let rows = read(&period, days, |_| true);
            let series = series_of(&period, &rows);
            assert_eq!(series.total, truth, "{query:?} {is_current}");
            let sum: u64 = series.series.iter().map(|point| point.figures.requests).sum();
            assert_eq!(sum, truth.requests);
            assert_eq!(series.series.len(), period.buckets().count());
            if exact {
                for (point, hour) in series.series.iter().zip(period.hours.each()) {
                    let without = |figures: &Figures| Figures { status_classes: None, ..figures.clone() };
                    assert_eq!(without(&point.figures), without(&Figures::of(&stats(hour))));
                    assert_eq!(point.start, iso_time(hour.start_ms()));
                }
            }
        }
    }
}

#[test]
fn what_two_databases_have_is_merged_wherever_each_has_it() {
    for query in [&[("from", "2025-10-10T05")][..], &[("from", "2025-10-10"), ("granularity", "day")]] {
        let period = period(query);
        let mut truth = merged(period.hours.each());
        truth.merge(&merged(period.hours.each())).unwrap();
        let days =
            |is_current| period.hours.whole_days().map(move |date| day(date, is_current, false)).collect();
        // One has its daily rows up to date, and the other has not.
        let mut rows = [read(&period, days(true), |_| true), read(&period, days(false), |_| true)];
        if period.granularity == Granularity::Hour {
            rows[0].hours = period
                .hours
                .each()
                .filter_map(|hour| {
                    let of = || HourStats { hour, stats: stats(hour), updated_at: hour.end_ms() };
                    row(hour).and_then(|_| HourRow::merged([of(), of()].iter()).unwrap())
                })
                .collect();
            rows[1].hours.clear();
        }
        let made = Series::new(&period, Filters::default(), &rows, NOW).unwrap().0;
        assert_eq!(made.total, Figures::of(&truth), "{query:?}");
        let sum: u64 = made.series.iter().map(|point| point.figures.requests).sum();
        assert_eq!(sum, truth.counters.requests);
        rows[1].waiting = vec![period.hours.from];
        let made = Series::new(&period, Filters::default(), &rows, NOW).unwrap().0;
        assert_eq!(made.series[0].state, State::Counting, "one of them is behind");
    }
    assert_eq!(HourRow::merged([].iter()).unwrap(), None);
}

#[test]
fn a_day_that_is_up_to_date_spares_its_hours() {
    let period = period(&[("from", "2025-10-10T05"), ("to", "2025-10-13T02")]);
    let current = |date: &str| day(date.parse().unwrap(), true, false);
    let stale = |date: &str| day(date.parse().unwrap(), false, false);
    let needed = needed_hours(&period, Filters::default(), &[current("2025-10-11"), stale("2025-10-12")]);
    assert_eq!(needed.len(), 19 + 24 + 2);
    assert!(needed.iter().all(|hour| hour.date().to_string() != "2025-10-11"));
    // A day that lies only partly within says more than was asked for.
    assert_eq!(
        needed_hours(&period, Filters::default(), &[current("2025-10-10"), current("2025-10-13")]).len(),
        69
    );
}

#[test]
fn hours_that_are_gone_are_told_and_the_total_still_has_them() {
    let period = period(&[("from", "2025-10-13"), ("to", "2025-10-15T12")]);
    let gone: EventDate = "2025-10-13".parse().unwrap();
    let rows = read(&period, vec![day(gone, false, true)], |hour| hour.date() != gone);
    let series = series_of(&period, &rows);
    assert_eq!(series.total, Figures::of(&merged(period.hours.each())));
    for (point, hour) in series.series.iter().zip(period.hours.each()) {
        let expected = match row(hour) {
            None => State::Empty,
            Some(_) if hour.date() == gone => State::Removed,
            Some(_) => State::Counted,
        };
        assert_eq!(point.state, expected, "{hour}");
    }
    assert!(series.series.iter().any(|point| point.state == State::Removed));
}

#[test]
fn days_of_another_zone_whose_hours_are_gone_are_never_told_as_empty() {
    let gone: Vec<EventDate> = ["2025-10-11", "2025-10-12"].map(|date| date.parse().unwrap()).to_vec();
    let of = |query: &[(&'static str, &'static str)]| {
        let period = period(query);
        let days = period.hours.days().map(|date| day(date, !gone.contains(&date), gone.contains(&date)));
        let rows = read(&period, days.collect(), |hour| !gone.contains(&hour.date()));
        series_of(&period, &rows).series.iter().map(|point| (point.state, point.figures.requests)).collect()
    };
    let utc: Vec<_> = of(&[("from", "2025-10-10"), ("to", "2025-10-14"), ("granularity", "day")]);
    assert!(utc.iter().all(|(state, requests)| *state == State::Counted && *requests > 0), "{utc:?}");
    let zone: Vec<_> = of(&[
        ("from", "2025-10-10"),
        ("to", "2025-10-14"),
        ("granularity", "day"),
        ("timezone", "Asia/Shanghai"),
    ]);
    // A day there begins at 16:00 of the day before: the second and the fourth are cut in two.
    let states: Vec<State> = zone.iter().map(|(state, _)| *state).collect();
    assert_eq!(states, [State::Counted, State::Removed, State::Removed, State::Removed]);
    assert!(zone[1].1 > 0 && zone[2].1 == 0 && zone[3].1 > 0, "{zone:?}");
    // The part of a day that a series of hours begins with.
    let hours: Vec<_> = of(&[("from", "2025-10-12T20"), ("to", "2025-10-13T02")]);
    for ((state, _), hour) in hours.iter().zip(0..) {
        let hour = HourBucket::from_ms(1_760_299_200_000).plus(hour);
        let expected = match row(hour) {
            None => State::Empty,
            Some(_) if hour.hour_of_day() > 12 => State::Removed,
            Some(_) => State::Counted,
        };
        assert_eq!(*state, expected, "{hour}");
    }
}

#[test]
fn the_hour_that_has_not_ended_is_counting_and_a_path_never_seen_is_empty() {
    let period = period(&[]);
    let series = series_of(&period, &Rows::default());
    assert_eq!(series.total, Figures::none());
    let states: Vec<State> = series.series.iter().map(|point| point.state).collect();
    assert_eq!(states[..23], [State::Empty; 23]);
    assert_eq!(states[23], State::Counting);
    assert_eq!(Rows::default().last_updated(), None);
}

#[test]
fn a_point_reads_as_documented() {
    let period = period(&[("from", "2025-10-15T13"), ("to", "2025-10-15T14")]);
    let series = series_of(&period, &read(&period, Vec::new(), |_| true));
    let json = serde_json::to_value(&series).unwrap();
    assert_eq!(json["from"], "2025-10-15T13:00:00.000Z");
    let point = &json["series"][0];
    assert_eq!((&point["start"], &point["end"]), (&json["from"], &json["to"]));
    assert_eq!(point["state"], "counted");
    assert!(point["requests"].as_u64().unwrap() > 0 && point["p95"]["low"].is_number(), "{point}");
    assert!(point["statusClasses"].is_null() && json["total"]["statusClasses"]["2xx"].is_number());
}

#[test]
fn an_hour_whose_total_is_still_to_be_made_is_counting_and_so_is_its_day() {
    let states = |period: &Period, waiting: &[&str]| {
        let waiting = waiting.iter().map(|hour| hour.parse().unwrap()).collect();
        let rows = Rows { waiting, ..Rows::default() };
        series_of(period, &rows).series.iter().map(|point| point.state).collect::<Vec<_>>()
    };
    let hours = period(&[("from", "2025-10-13T04"), ("to", "2025-10-13T07")]);
    assert_eq!(states(&hours, &[]), [State::Empty; 3]);
    assert_eq!(
        states(&hours, &["2025-10-13T03", "2025-10-13T05"]),
        [State::Empty, State::Counting, State::Empty]
    );
    assert_eq!(states(&hours, &["2025-10-13T07"]), [State::Empty; 3]);
    let days = period(&[("from", "2025-10-12"), ("to", "2025-10-14"), ("granularity", "day")]);
    assert_eq!(states(&days, &["2025-10-13T00"]), [State::Empty, State::Counting]);
    assert_eq!(states(&days, &["2025-10-12T23"]), [State::Counting, State::Empty]);
}
