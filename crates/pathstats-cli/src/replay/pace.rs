//! `--speed`: when each event is due.

use std::time::Duration;

/// How fast the log is replayed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// As fast as the destination takes it.
    Max,
    /// So many times as fast as it happened.
    Times(f64),
}

impl std::str::FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "max" {
            return Ok(Self::Max);
        }
        text.strip_suffix('x')
            .and_then(|number| number.parse().ok())
            .filter(|times: &f64| times.is_finite() && *times > 0.0)
            .map(Self::Times)
            .ok_or_else(|| {
                format!("{text:?} is not a speed: expected \"max\", or as in \"1x\" (real time) or \"60x\"")
            })
    }
}

/// Tells when events are due, from the first one on.
#[derive(Debug, Clone)]
pub struct Pace {
    speed: Speed,
    first_ms: Option<i64>,
}

impl Pace {
    /// A pace that begins with the next event.
    pub const fn new(speed: Speed) -> Self {
        Self { speed, first_ms: None }
    }

    /// How long after the first event this one is due. One out of order is due at once.
    pub fn due(&mut self, timestamp_ms: i64) -> Option<Duration> {
        let Speed::Times(times) = self.speed else {
            return None;
        };
        let since_first = timestamp_ms - *self.first_ms.get_or_insert(timestamp_ms);
        let ms = u64::try_from(since_first).unwrap_or(0);
        Some(
            Duration::try_from_secs_f64(Duration::from_millis(ms).as_secs_f64() / times)
                .unwrap_or(Duration::MAX),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_due_as_far_apart_as_they_were_divided_by_the_speed() {
        let mut pace = Pace::new("10x".parse().unwrap());
        assert_eq!(pace.due(50_000), Some(Duration::ZERO));
        assert_eq!(pace.due(60_000), Some(Duration::from_secs(1)));
        assert_eq!(pace.due(40_000), Some(Duration::ZERO));
        assert_eq!(Pace::new(Speed::Max).due(1), None);
    }

    #[test]
    fn a_speed_is_max_or_a_factor() {
        assert_eq!("max".parse(), Ok(Speed::Max));
        assert_eq!("0.5x".parse(), Ok(Speed::Times(0.5)));
        for text in ["", "x", "0x", "-1x", "fast", "infx", "2"] {
            assert!(text.parse::<Speed>().is_err(), "{text}");
        }
    }
}
