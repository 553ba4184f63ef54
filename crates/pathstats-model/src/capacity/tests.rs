use super::*;
use proptest::prelude::*;

const GB: u64 = 1_000_000_000;
const NOW: i64 = 1_760_536_800_000;

fn date(text: &str) -> EventDate {
    text.parse().unwrap()
}

/// Samples every six hours that end now, the size by the number of days before now.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sizes are far below 2^53")]
fn samples(count: i64, size: impl Fn(f64) -> f64) -> Vec<Sample> {
    (0..count)
        .map(|n| {
            let at_ms = NOW - n * 6 * HOUR_MS;
            Sample { at_ms, size_bytes: size(as_days(NOW - at_ms)) as u64 }
        })
        .collect()
}

#[test]
fn eighty_per_cent_is_a_warning_and_ninety_is_critical() {
    for (size, expected) in [
        (0, CapacityLevel::Ok),
        (8 * GB - 1, CapacityLevel::Ok),
        (8 * GB, CapacityLevel::Warning),
        (9 * GB - 1, CapacityLevel::Warning),
        (9 * GB, CapacityLevel::Critical),
        (11 * GB, CapacityLevel::Critical),
    ] {
        assert_eq!(level(used_ratio(size, DEFAULT_LIMIT_BYTES)), expected, "{size}");
    }
}

#[test]
fn a_critical_size_archives_the_oldest_day_that_has_ended() {
    let day = |text: &str, closed| Day { date: date(text), closed, due: false };
    let days = [day("2025-10-14", true), day("2025-10-15", true), day("2025-10-16", false)];
    assert_eq!(decide(CapacityLevel::Ok, &days), CapacityDecision::Nothing);
    assert_eq!(decide(CapacityLevel::Warning, &days), CapacityDecision::Warn);
    let oldest = CapacityDecision::ArchiveNow(date("2025-10-14"));
    assert_eq!(decide(CapacityLevel::Critical, &days), oldest);
    for open in [&days[2..], &[]] {
        assert_eq!(decide(CapacityLevel::Critical, open), CapacityDecision::NothingToArchive);
    }
}

#[test]
fn the_limit_is_ten_gigabytes_unless_set() {
    let with = |value: Option<&'static str>| move |_: &str| value.map(str::to_owned);
    assert_eq!(limit_bytes(&with(None)), Ok(10 * GB));
    assert_eq!(limit_bytes(&with(Some("500000000"))), Ok(500_000_000));
    for wrong in ["", "10GB", "999999", "1000000000001", "-1"] {
        let error = limit_bytes(&with(Some(wrong))).unwrap_err().to_string();
        assert!(error.contains("D1_LIMIT_BYTES") && error.contains("1000000 to"), "{error}");
    }
}

#[test]
fn steady_growth_reaches_the_limit_on_its_day() {
    // 9 GB now, 100 MB a day: ten days are left.
    let forecast = forecast(&samples(56, |days| 9e9 - 1e8 * days), 10 * GB, NOW);
    assert_eq!(forecast.outlook, Outlook::Dated);
    assert_eq!(forecast.full_at, Some(EventDate::from_ms(NOW + 10 * DAY_MS)));
    assert!((forecast.growth_bytes_per_day.unwrap() - 1e8).abs() < 1e4);
}

#[test]
fn an_import_that_is_deleted_again_does_not_turn_the_trend() {
    let hump = |days: f64| if (5.0..8.0).contains(&days) { 4e9 } else { 0.0 };
    let disturbed = forecast(&samples(56, |days| 5e9 - 1e8 * days + hump(days)), 10 * GB, NOW);
    let growth = disturbed.growth_bytes_per_day.unwrap();
    assert!((5e7..2e8).contains(&growth), "{growth}");
    assert_eq!(disturbed.outlook, Outlook::Dated);
}

#[test]
fn a_daily_saw_tooth_shows_only_where_it_goes() {
    // Grows by 300 MB within a day, of which 290 MB are deleted at night.
    let saw = |days: f64| 6e9 - 1e7 * days + 2.9e8 * (1.0 - days.fract());
    let growth = forecast(&samples(56, saw), 10 * GB, NOW).growth_bytes_per_day.unwrap();
    assert!((0.0..3e7).contains(&growth), "{growth}");
}

#[test]
fn without_growth_or_within_no_year_there_is_no_date() {
    let outlook = |samples: &[Sample]| {
        let forecast = forecast(samples, 10 * GB, NOW);
        assert_eq!(forecast.full_at.is_some(), forecast.outlook == Outlook::Dated);
        (forecast.outlook, forecast.growth_bytes_per_day.is_some())
    };
    assert_eq!(outlook(&[]), (Outlook::TooFewSamples, false));
    assert_eq!(outlook(&samples(7, |_| 1e9)), (Outlook::TooFewSamples, false));
    assert_eq!(
        outlook(&samples(8, |_| 1e9)),
        (Outlook::TooFewSamples, false),
        "they span less than two days"
    );
    assert_eq!(outlook(&samples(9, |_| 1e9)), (Outlook::NotGrowing, true));
    assert_eq!(outlook(&samples(56, |days| 1e9 + 1e6 * days)), (Outlook::NotGrowing, true));
    assert_eq!(outlook(&samples(56, |days| 1e9 - 1e6 * days)), (Outlook::MoreThanAYear, true));
    assert_eq!(outlook(&samples(56, |_| 10e9)), (Outlook::Dated, true), "it is full now");
}

#[test]
fn samples_older_than_two_weeks_count_for_nothing() {
    let old: Vec<Sample> =
        (60..300).map(|n| Sample { at_ms: NOW - n * 6 * HOUR_MS, size_bytes: 9 * GB }).collect();
    let mut all = samples(40, |days| 5e9 - 1e8 * days);
    let alone = forecast(&all, 10 * GB, NOW);
    all.extend(old);
    assert_eq!(forecast(&all, 10 * GB, NOW), alone);
}

#[test]
fn a_sample_taken_twice_in_an_hour_is_one() {
    assert_eq!(sampled_at(NOW + 1), sampled_at(NOW + HOUR_MS - 1));
    assert_eq!(sampled_at(NOW + HOUR_MS), sampled_at(NOW) + HOUR_MS);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_date_lies_in_the_past_or_beyond_a_year(
        sizes in proptest::collection::vec((0i64..100, 0u64..20_000_000_000), 0..60),
        limit in 1u64..20_000_000_000,
    ) {
        let samples: Vec<Sample> = sizes
            .iter()
            .map(|(hours, size)| Sample { at_ms: NOW - hours * 6 * HOUR_MS, size_bytes: *size })
            .collect();
        let forecast = forecast(&samples, limit, NOW);
        prop_assert_eq!(forecast.full_at.is_some(), forecast.outlook == Outlook::Dated);
        if let Some(date) = forecast.full_at {
            let last = samples.iter().map(|sample| sample.at_ms).max().unwrap();
            prop_assert!(date >= EventDate::from_ms(last) && date <= EventDate::from_ms(last + HORIZON_MS));
        }
        let mut reversed = samples.clone();
        reversed.sort_by_key(|sample| -sample.at_ms);
        prop_assert_eq!(forecast.outlook, super::forecast(&reversed, limit, NOW).outlook);
    }
}
