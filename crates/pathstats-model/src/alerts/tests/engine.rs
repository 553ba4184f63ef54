//! One rule, minute by minute.

use super::super::engine::{Level, News, Phase};
use super::super::sample::Sample;
use super::*;

/// What was told at each of these values: `F`, `C` for critical, `r`, `R`, or `.` for nothing.
fn told(watch: &mut Watch, values: &[f64]) -> String {
    values.iter().map(|value| letter(watch.see(*value))).collect()
}

fn letter(due: Option<Due>) -> char {
    match due.map(|due| (due.news, due.level)) {
        None => '.',
        Some((News::Firing, Level::Warning)) => 'F',
        Some((News::Firing, Level::Critical)) => 'C',
        Some((News::Reminder, _)) => 'r',
        Some((News::Resolved, _)) => 'R',
        Some((News::Test, _)) => 't',
    }
}

#[test]
fn a_value_over_the_limit_fires_once_and_resolves_once() {
    let mut watch = Watch::new(rule(0, 0));
    assert_eq!(told(&mut watch, &[5.0, 99.9, 100.0, 150.0, 120.0, 95.0, 89.9, 5.0]), "..F...R.");
    assert_eq!(watch.state.resolved_ms, Some(at(6)));
}

#[test]
fn a_rule_that_must_hold_fires_when_it_has_held_and_not_for_a_spike() {
    let mut watch = Watch::new(rule(3, 0));
    assert_eq!(told(&mut watch, &[150.0, 150.0, 150.0, 10.0]), "....");
    assert_eq!(told(&mut watch, &[150.0, 150.0, 150.0, 150.0, 150.0, 10.0]), "...F.R");
}

#[test]
fn what_becomes_critical_is_told_once_more_and_what_falls_back_is_not() {
    let mut watch = Watch::new(rule(0, 0));
    assert_eq!(told(&mut watch, &[150.0, 250.0, 150.0, 250.0, 250.0, 10.0]), "FC...R");
    let mut at_once = Watch::new(rule(0, 0));
    assert_eq!(told(&mut at_once, &[250.0, 150.0, 10.0]), "C.R");
    // The critical limit must be held as well.
    let mut held = Watch::new(rule(2, 0));
    assert_eq!(told(&mut held, &[150.0, 250.0, 150.0, 250.0, 250.0, 250.0]), "..F..C");
}

#[test]
fn a_value_that_flutters_around_a_limit_does_not_fire_again() {
    let mut watch = Watch::new(rule(0, 5));
    let flutter: Vec<f64> = (0..200).map(|n| if n % 3 == 0 { 101.0 } else { 5.0 }).collect();
    assert_eq!(told(&mut watch, &flutter).replace('.', ""), "F");
    assert_eq!(told(&mut watch, &[5.0; 6]).replace('.', ""), "R");
    // Between the limits it neither begins nor ends.
    let mut between = Watch::new(rule(0, 0));
    assert_eq!(told(&mut between, &[95.0, 100.0, 95.0, 91.0, 95.0, 89.0, 95.0]), ".F...R.");
}

#[test]
fn what_lasts_is_reminded_of() {
    let mut watch = Watch::new(rule(0, 0));
    let news = told(&mut watch, &[150.0; 600]);
    let minutes: Vec<usize> =
        news.char_indices().filter(|(_, c)| *c == 'r').map(|(minute, _)| minute).collect();
    assert_eq!(minutes, [240, 480]);
    let mut own = Watch::new(Rule { remind_minutes: Some(60), ..rule(0, 0) });
    assert_eq!(own.rule.remind_minutes, Some(60));
    let (_, due) = (own.see(150.0), own.see(150.0));
    assert_eq!(due, None);
}

#[test]
fn a_source_that_does_not_answer_neither_fires_nor_resolves() {
    let mut watch = Watch::new(rule(0, 0));
    assert_eq!(letter(watch.see(None)), '.');
    assert_eq!(letter(watch.see(150.0)), 'F');
    for _ in 0..239 {
        assert_eq!(letter(watch.see(None)), '.');
        assert!(matches!(watch.state.phase, Phase::Firing { .. }));
    }
    assert_eq!(letter(watch.see(None)), 'r', "what is not over is reminded of");
    assert_eq!(letter(watch.see(10.0)), 'R');
}

#[test]
fn a_silence_holds_back_what_is_told_and_not_how_it_stands() {
    let mut watch = Watch::new(rule(0, 0));
    watch.silenced = true;
    assert_eq!(told(&mut watch, &[150.0, 250.0]), "..");
    assert!(matches!(watch.state.phase, Phase::Firing { level: Level::Critical, .. }));
    watch.silenced = false;
    let due = watch.see(250.0).unwrap();
    assert_eq!((due.news, due.level, due.episode_ms, due.number), (News::Firing, Level::Critical, START, 1));
    // The end comes within a silence, and is told after it.
    watch.silenced = true;
    assert_eq!(told(&mut watch, &[10.0, 10.0]), "..");
    assert!(matches!(watch.state.phase, Phase::Ok));
    watch.silenced = false;
    assert_eq!(letter(watch.see(10.0)), 'R');
    // What began and ended within a silence is never told.
    watch.silenced = true;
    assert_eq!(told(&mut watch, &[150.0, 10.0]), "..");
    watch.silenced = false;
    assert_eq!(told(&mut watch, &[10.0, 10.0]), "..");
}

#[test]
fn the_same_minute_again_changes_nothing() {
    let mut watch = Watch::new(rule(0, 0));
    assert_eq!(letter(watch.see(150.0)), 'F');
    let state = watch.state;
    for value in [10.0, 250.0, 150.0] {
        let (after, due) = step(&watch.rule, REMIND_MINUTES, &state, &sample(0, Some(value)), false);
        assert_eq!((after, due), (state, None), "{value}");
        let late = step(&watch.rule, REMIND_MINUTES, &state, &sample(-3, Some(value)), false);
        assert_eq!(late, (state, None), "{value}");
    }
}

#[test]
fn a_minute_in_which_nothing_changes_needs_no_row() {
    let mut watch = Watch::new(rule(0, 5));
    for value in [5.0, 5.0, 150.0] {
        watch.see(value);
    }
    let state = watch.state;
    watch.see(150.0);
    watch.see(None);
    assert_eq!(watch.state, state);
}

#[test]
fn a_heartbeat_is_critical_only_while_messages_wait_or_nobody_knows() {
    let rule = Rule::built_in(Measure::Heartbeat);
    let level = |waiting: Option<f64>| {
        let values = [(Measure::Heartbeat, 900.0)].into_iter();
        let values = values.chain(waiting.map(|waiting| (Measure::QueueBacklog, waiting)));
        let (_, due) = step(&rule, REMIND_MINUTES, &RuleState::default(), &Sample::new(START, values), false);
        due.unwrap().level
    };
    assert_eq!(level(Some(0.0)), Level::Warning);
    assert_eq!(level(Some(1.0)), Level::Critical);
    assert_eq!(level(None), Level::Critical);
}

#[test]
fn a_state_reads_back_and_one_of_before_reads_too() {
    let mut watch = Watch::new(rule(2, 2));
    for value in [150.0, 250.0, 250.0, 250.0, 10.0] {
        let text = serde_json::to_string(&watch.state).unwrap();
        assert_eq!(serde_json::from_str::<RuleState>(&text).unwrap(), watch.state, "{text}");
        watch.see(value);
    }
    assert_eq!(
        serde_json::to_string(&watch.state).unwrap(),
        r#"{"phase":{"is":"firing","sinceMs":1760536800000,"level":"warning","criticalSinceMs":null,"clearSinceMs":1760537040000},"told":{"episodeMs":1760536800000,"level":"critical","atMs":1760536980000,"number":2},"resolvedMs":null,"changedMs":1760537040000}"#
    );
    assert_eq!(serde_json::from_str::<RuleState>("{}").unwrap(), RuleState::default());
}
