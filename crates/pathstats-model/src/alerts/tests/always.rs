//! Whatever comes: any values, gaps, silences and repeated minutes.

use proptest::prelude::*;

use super::super::engine::{Level, News, Phase};
use super::*;

#[derive(Debug, Clone)]
struct Minute {
    passed: i64,
    value: Option<f64>,
    silenced: bool,
}

fn minutes() -> impl Strategy<Value = Vec<Minute>> {
    let value = prop_oneof![
        1 => Just(None),
        3 => (0.0..90.0).prop_map(Some),
        1 => (90.0..100.0).prop_map(Some),
        3 => (100.0..200.0).prop_map(Some),
        2 => (200.0..1_000.0).prop_map(Some),
    ];
    // The same minute again, the next one, a gap.
    let passed = prop_oneof![1 => Just(0), 1 => Just(-2), 12 => Just(1), 1 => 2_i64..400];
    let minute = (passed, value, prop::bool::weighted(0.2));
    let minute = minute.prop_map(|(passed, value, silenced)| Minute { passed, value, silenced });
    prop::collection::vec(minute, 0..300)
}

proptest! {
    #[test]
    fn notifications_alternate_and_none_is_told_twice(
        minutes in minutes(), hold in 0_u32..4, after in 0_u32..4,
    ) {
        let rule = rule(hold, after);
        let (mut state, mut now, mut open) = (RuleState::default(), 0, None);
        let mut ids = Vec::new();
        for minute in minutes {
            now = (now + minute.passed).max(0);
            let before = state;
            let (next, due) = step(&rule, REMIND_MINUTES, &state, &sample(now, minute.value), minute.silenced);
            state = next;
            prop_assert!(state.changed_ms >= before.changed_ms);
            prop_assert_eq!(state != before, state.changed_ms > before.changed_ms);
            // Not known is no end.
            if minute.value.is_none() {
                prop_assert_eq!(state.phase, before.phase);
            }
            let Some(due) = due else { continue };
            prop_assert!(!minute.silenced, "nothing is told within a silence");
            prop_assert!(!ids.contains(&(due.episode_ms, due.number)), "an id is there once");
            ids.push((due.episode_ms, due.number));
            match (due.news, open) {
                (News::Firing, None) => {
                    prop_assert_eq!(due.number, 1);
                    open = Some((due.level, due.episode_ms, now));
                }
                (News::Firing, Some((level, episode, _))) => {
                    prop_assert_eq!((level, due.level), (Level::Warning, Level::Critical), "firing again");
                    prop_assert_eq!(episode, due.episode_ms);
                    open = Some((due.level, episode, now));
                }
                (News::Reminder, Some((level, episode, told))) => {
                    prop_assert!(now - told >= i64::from(REMIND_MINUTES));
                    prop_assert_eq!(episode, due.episode_ms);
                    open = Some((level, episode, now));
                }
                (News::Resolved, Some((_, episode, _))) => {
                    prop_assert_eq!(episode, due.episode_ms);
                    let fires = matches!(state.phase, Phase::Firing { .. });
                    prop_assert!(!fires);
                    open = None;
                }
                other => prop_assert!(false, "{other:?} makes no sense"),
            }
        }
        // Whatever was before, a long calm without a silence closes what is open, once.
        let mut ends = 0;
        for minute in 1..20 {
            let (next, due) = step(&rule, REMIND_MINUTES, &state, &sample(now + minute, Some(0.0)), false);
            state = next;
            if let Some(due) = due {
                prop_assert_eq!(due.news, News::Resolved);
                ends += 1;
            }
        }
        prop_assert_eq!(ends, usize::from(open.is_some()));
        prop_assert_eq!((state.phase, state.told), (Phase::Ok, None));
    }

    #[test]
    fn two_runs_over_the_same_minutes_end_alike(minutes in minutes(), at_ in 0_usize..300) {
        // A run that dies and comes again is a minute that is judged twice.
        let rule = rule(1, 1);
        let run = |again: Option<usize>| {
            let (mut state, mut now) = (RuleState::default(), 0);
            let mut told = Vec::new();
            for (n, minute) in minutes.iter().enumerate() {
                now += minute.passed.max(1);
                for _ in 0..=usize::from(again == Some(n)) {
                    let (next, due) = step(&rule, REMIND_MINUTES, &state, &sample(now, minute.value), minute.silenced);
                    state = next;
                    told.extend(due.map(|due| (due.news, due.episode_ms, due.number)));
                }
            }
            (state, told)
        };
        prop_assert_eq!(run(None), run(Some(at_)));
    }
}
