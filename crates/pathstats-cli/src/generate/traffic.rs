//! Requests, one after another in order of time.

use super::catalogue::{Catalogue, Kind, Site};
use super::clients::Clients;
use super::random::Random;
use super::shape::{Shape, Slot};
use super::words::{CRAWLERS, SCANNERS};

/// What traffic to make.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The same seed makes the same traffic.
    pub seed: u64,
    /// How many requests.
    pub events: u64,
    /// How many different paths.
    pub paths: usize,
    /// End of the span, milliseconds since the epoch.
    pub end_ms: i64,
    /// Length of the span, in milliseconds.
    pub span_ms: i64,
    /// How many clients, bots not counted.
    pub clients: u32,
    /// The share of people's requests that fails.
    pub error_rate: f64,
    /// The share of requests that bots send.
    pub bots: f64,
    /// How many bursts.
    pub bursts: u32,
    /// Whether paths with `:`, `%2F`, spaces, emoji and 512 characters are among them.
    pub odd_paths: bool,
}

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit<'a> {
    /// Milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// The path as it counts.
    pub path: &'a str,
    /// The HTTP method.
    pub method: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// Response time, in microseconds.
    pub response_time_us: u32,
    /// Size of the response's body.
    pub bytes: u64,
    /// The client: a number that is its own, for caches.
    pub client: usize,
    /// The client's address.
    pub address: &'a str,
    /// The user agent; empty when there is none.
    pub agent: &'static str,
    /// Where the client is.
    pub country: [u8; 2],
    /// The request's own id. Unique, in practice: 64 random bits.
    pub ray: u64,
}

/// Bots share few addresses.
const BOTS: u32 = 40;
/// The share of bots that look for holes.
const SCANNING: f64 = 0.4;
/// The share of a burst's requests that goes to its one path.
const BURST_FOCUS: f64 = 0.7;

/// Makes the requests of a plan.
pub struct Traffic {
    plan: Plan,
    catalogue: Catalogue,
    people: Clients,
    bots: Clients,
    shape: Shape,
}

impl Traffic {
    /// Prepares a plan.
    pub fn new(plan: Plan) -> Self {
        Self {
            catalogue: Catalogue::new(plan.seed, plan.paths, plan.bots > 0.0, plan.odd_paths),
            people: Clients::new(plan.seed, 4, BOTS, plan.clients),
            bots: Clients::new(plan.seed, 5, 0, BOTS),
            shape: Shape::new(plan.seed, plan.end_ms, plan.span_ms, plan.bursts),
            plan,
        }
    }

    /// Hands each request to `take`, in order of time, until all are made or it fails.
    pub fn each<E>(&self, mut take: impl FnMut(&Hit<'_>) -> Result<(), E>) -> Result<(), E> {
        let mut random = Random::new(self.plan.seed, 6);
        let mut offsets = Vec::new();
        for slot in self.shape.slots(self.plan.events) {
            offsets.clear();
            offsets.extend((0..slot.events).map(|_| random.below(slot.length_ms.unsigned_abs())));
            offsets.sort_unstable();
            for offset in &offsets {
                let timestamp_ms = slot.start_ms + i64::try_from(*offset).unwrap_or_default();
                take(&self.hit(&mut random, timestamp_ms, &slot))?;
            }
        }
        Ok(())
    }

    fn hit(&self, random: &mut Random, timestamp_ms: i64, slot: &Slot) -> Hit<'_> {
        if random.chance(self.plan.bots) {
            return self.bot(random, timestamp_ms);
        }
        let (client, who) = self.people.choose(random);
        let focus = slot.burst.filter(|(share, _)| random.chance(*share * BURST_FOCUS));
        let index = match focus {
            // Bursts go to one of the better known paths.
            Some((_, target)) => {
                usize::try_from(target % 20).unwrap_or_default() % self.catalogue.sites.len()
            }
            None => self.catalogue.popularity.choose(random),
        };
        let hit = self.visit(random, timestamp_ms, index, self.plan.error_rate);
        Hit { client, address: &who.address, agent: who.agent, country: who.country, ..hit }
    }

    fn bot(&self, random: &mut Random, timestamp_ms: i64) -> Hit<'_> {
        let (index, who) = self.bots.choose(random);
        let scans = random.chance(SCANNING) && !self.catalogue.scanned.is_empty();
        let mut hit = if scans {
            let status = if random.chance(0.93) { 404 } else { 403 };
            Hit {
                path: random.pick(&self.catalogue.scanned),
                status,
                ..self.visit(random, timestamp_ms, 0, 0.0)
            }
        } else {
            // A crawler goes through all paths alike, by GET.
            let index = usize::try_from(random.below(self.catalogue.sites.len() as u64)).unwrap_or_default();
            self.visit(random, timestamp_ms, index, self.plan.error_rate)
        };
        hit.method = "GET";
        hit.agent = random.pick(if scans { &SCANNERS } else { &CRAWLERS });
        // People come first in the numbering of clients.
        hit.client = usize::try_from(self.plan.clients.max(1)).unwrap_or_default() + index;
        Hit { address: &who.address, country: who.country, ..hit }
    }

    /// A request for a path of the site, whoever sends it.
    fn visit(&self, random: &mut Random, timestamp_ms: i64, index: usize, error_rate: f64) -> Hit<'_> {
        let Some(site) = self.catalogue.sites.get(index) else {
            return Hit {
                timestamp_ms,
                path: "/",
                method: "GET",
                status: 404,
                response_time_us: 0,
                bytes: 0,
                client: 0,
                address: "",
                agent: "",
                country: *b"XX",
                ray: 0,
            };
        };
        let method = method(random, site);
        let fails = random.chance((error_rate * site.frailty).min(0.95));
        let status = if fails { failure(random, site) } else { success(random, site.kind, method) };
        let slowness = match status {
            504 => 20.0,
            500..=503 => 2.5,
            304 | 400..=499 => 0.4,
            _ => 1.0,
        };
        let us = random.log_normal(site.median_us, site.sigma) * slowness;
        // An hour at most, as events allow: within u32.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let response_time_us = us.clamp(50.0, 3_600_000_000.0) as u32;
        let empty = matches!(status, 204 | 304) || method == "HEAD";
        let bytes = if empty { 0 } else { 120 + random.below(60_000) };
        Hit {
            timestamp_ms,
            path: &site.path,
            method,
            status,
            response_time_us,
            bytes,
            client: 0,
            address: "",
            agent: "",
            country: *b"XX",
            ray: random.bits(),
        }
    }
}

fn method(random: &mut Random, site: &Site) -> &'static str {
    let draw = random.below(100);
    match (site.kind, draw) {
        (Kind::Page | Kind::Asset, 0..=1) => "HEAD",
        (Kind::Api, 0..=3) => "DELETE",
        (Kind::Api, 4..=8) => "PUT",
        (Kind::Api, 9..=12) => "PATCH",
        (Kind::Api, 13..=26) => "POST",
        (Kind::Api, 27..=29) => "OPTIONS",
        _ => "GET",
    }
}

fn success(random: &mut Random, kind: Kind, method: &str) -> u16 {
    let draw = random.below(100);
    match (kind, method, draw) {
        (Kind::Api, "POST", 0..=69) => 201,
        (Kind::Api, "DELETE" | "OPTIONS", _) => 204,
        (Kind::Asset, _, 0..=34) | (Kind::Page, _, 0..=4) => 304,
        (Kind::Page, _, 5..=6) => 301,
        (Kind::Page, _, 7..=9) => 302,
        _ => 200,
    }
}

fn failure(random: &mut Random, site: &Site) -> u16 {
    // A path that fails often fails on the server's side.
    if site.frailty > 5.0 {
        return random.pick(&[500, 500, 500, 502, 503, 503, 504]);
    }
    match site.kind {
        Kind::Api => random.pick(&[400, 401, 401, 403, 404, 404, 404, 409, 422, 429, 500, 503]),
        Kind::Page => random.pick(&[404, 404, 404, 403, 500, 503]),
        Kind::Asset => 404,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn plan() -> Plan {
        Plan {
            seed: 7,
            events: 50_000,
            paths: 300,
            end_ms: 1_760_572_800_000,
            span_ms: 6 * 3_600_000,
            clients: 2_000,
            error_rate: 0.03,
            bots: 0.08,
            bursts: 3,
            odd_paths: true,
        }
    }

    fn count(traffic: &Traffic, matches: impl Fn(&Hit<'_>) -> bool) -> u64 {
        let mut found = 0;
        let done: Result<(), ()> = traffic.each(|hit| {
            found += u64::from(matches(hit));
            Ok(())
        });
        assert_eq!(done, Ok(()));
        found
    }

    #[test]
    fn requests_come_in_order_and_within_the_span() {
        let traffic = Traffic::new(plan());
        let mut last = plan().end_ms - plan().span_ms;
        assert_eq!(count(&traffic, |_| true), 50_000);
        let done: Result<(), ()> = traffic.each(|hit| {
            assert!((last..plan().end_ms).contains(&hit.timestamp_ms));
            last = hit.timestamp_ms;
            Ok(())
        });
        assert_eq!(done, Ok(()));
    }

    #[test]
    fn people_fail_as_often_as_asked() {
        let traffic = Traffic::new(Plan { bots: 0.0, ..plan() });
        let errors = count(&traffic, |hit| hit.status >= 400);
        // 3 % of 50,000, less what the cap at 95 % takes, give or take the chance of bursts.
        assert!((1_100..2_000).contains(&errors), "{errors}");
    }

    #[test]
    fn bots_look_for_what_is_not_there() {
        let traffic = Traffic::new(plan());
        let scans = count(&traffic, |hit| hit.path == "/.env" || hit.path == "/wp-login.php");
        assert!(scans > 50, "{scans}");
        assert_eq!(count(&traffic, |hit| hit.path == "/.env" && hit.status < 400), 0);
    }
}
