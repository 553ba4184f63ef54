//! Who sends the requests.

use super::random::{Random, Weighted};
use super::words::{AGENTS, COUNTRIES};

/// A client.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its address, of a range that is kept for tests: no one's own.
    pub address: String,
    /// What it calls itself.
    pub agent: &'static str,
    /// Where it is.
    pub country: [u8; 2],
}

/// Clients with different addresses, some of which come often.
#[derive(Debug, Clone)]
pub struct Clients {
    all: Vec<Client>,
    popularity: Weighted,
}

impl Clients {
    /// `count` clients, at least one. Their numbers begin at `first`, so that two groups with
    /// numbers apart have no address in common.
    pub fn new(seed: u64, stream: u64, first: u32, count: u32) -> Self {
        let mut random = Random::new(seed, stream);
        let countries = Weighted::zipf(COUNTRIES.len(), 0.8);
        let agents = Weighted::zipf(AGENTS.len(), 0.6);
        let all: Vec<Client> = (first..first + count.max(1))
            .map(|number| Client {
                address: address(number),
                agent: AGENTS.get(agents.choose(&mut random)).copied().unwrap_or_default(),
                country: COUNTRIES.get(countries.choose(&mut random)).copied().unwrap_or(*b"XX"),
            })
            .collect();
        let popularity = Weighted::zipf(all.len(), 0.7);
        Self { all, popularity }
    }

    /// One of them, and its index.
    pub fn choose(&self, random: &mut Random) -> (usize, &Client) {
        static NOBODY: Client = Client { address: String::new(), agent: "", country: *b"XX" };
        let index = self.popularity.choose(random);
        (index, self.all.get(index).unwrap_or(&NOBODY))
    }
}

/// The address of a number below 2^24. One in eight is IPv6 (`2001:db8::/32`, RFC 3849); the others
/// are of 198.18.0.0/15 (RFC 2544) while it lasts, then of 10.0.0.0/8.
fn address(number: u32) -> String {
    if number % 8 == 7 {
        // Odd multipliers permute 32 bits: different numbers stay different.
        let mixed = number.wrapping_mul(0x9e37_79b1);
        return format!("2001:db8:{:x}:{:x}::1", mixed >> 16, mixed & 0xffff);
    }
    if number < 1 << 17 {
        let mixed = number.wrapping_mul(0x1_9e37 | 1) & 0x1_ffff;
        format!("198.{}.{}.{}", 18 + (mixed >> 16), (mixed >> 8) & 0xff, mixed & 0xff)
    } else {
        let mixed = number & 0xff_ffff;
        format!("10.{}.{}.{}", mixed >> 16, (mixed >> 8) & 0xff, mixed & 0xff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::net::IpAddr;

    #[test]
    fn addresses_are_distinct_and_valid() {
        let all: HashSet<IpAddr> = (0..300_000).map(|number| address(number).parse().unwrap()).collect();
        assert_eq!(all.len(), 300_000);
    }
}
