//! Archives of raw events: how their files are made and read, and how a day gets from the database
//! into them, whole. Pure: what does I/O is behind traits.

pub mod answers;
pub mod config;
pub mod hash;
pub mod jsonl;
pub mod name;
pub mod page;
pub mod parquet;
pub mod reading;
pub mod record;
pub mod run;
pub mod store;
pub mod tally;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use pathstats_model::event::response_time_us;
    use pathstats_model::{EventId, TrafficEvent};

    /// The `n`th of a series of events that differ in every field, a second apart.
    pub fn event(n: i64) -> TrafficEvent {
        let id = EventId::from_parts(1_760_486_400_000 + n * 1_000, u32::try_from(n % 97).unwrap()).unwrap();
        TrafficEvent {
            id,
            path: format!(
                "/api/{}/{}",
                n % 7,
                ["plain", "with \"quotes\"", "🦀"][usize::try_from(n % 3).unwrap()]
            ),
            method: ["GET", "POST", "DELETE"][usize::try_from(n % 3).unwrap()].to_owned(),
            status: [200, 204, 301, 404, 500][usize::try_from(n % 5).unwrap()],
            response_time_us: (n % 11 != 0)
                .then(|| response_time_us(f64::from(u32::try_from(n).unwrap()) * 1.25).unwrap()),
            client_ip_hash: (n % 13 != 0)
                .then(|| u64::try_from(n).unwrap().wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            user_agent: (n % 4 != 0).then(|| format!("agent/{}", n % 4)),
            country: (n % 5 != 0).then_some(*b"CN"),
            sample_ratio: if n % 17 == 0 { 0.25 } else { 1.0 },
        }
    }
}
