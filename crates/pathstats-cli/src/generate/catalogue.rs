//! The paths of an invented site, and how each behaves.

use super::random::{Random, Weighted};
use super::words::{
    ASSETS, EXTENSIONS, NOUNS, ODD, PAGES, QUALITIES, RESOURCES, SCANNED, SUBRESOURCES, TOPICS,
};

/// What a path serves. It decides methods and statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// JSON over HTTP.
    Api,
    /// A page for people.
    Page,
    /// A script, style or image.
    Asset,
}

/// A path and how it behaves.
#[derive(Debug, Clone)]
pub struct Site {
    /// As it counts: segments `:id`, `:uuid` and `:hash` stand for what changes.
    pub path: String,
    /// What it serves.
    pub kind: Kind,
    /// Median of the response time, in microseconds.
    pub median_us: f64,
    /// Deviation of the response time's logarithm.
    pub sigma: f64,
    /// How often it fails, relative to the others.
    pub frailty: f64,
}

/// All paths, the most popular first.
#[derive(Debug, Clone)]
pub struct Catalogue {
    /// The site's own paths.
    pub sites: Vec<Site>,
    /// How popular each is: Zipf's law.
    pub popularity: Weighted,
    /// What scanners ask for: nothing of it exists.
    pub scanned: Vec<&'static str>,
}

impl Catalogue {
    /// `count` different paths, those that scanners ask for included when there are bots. Frailty
    /// is scaled so that its mean over requests is 1.
    pub fn new(seed: u64, count: usize, bots: bool, odd: bool) -> Self {
        let mut random = Random::new(seed, 1);
        let scanned: Vec<&str> = SCANNED.into_iter().take(if bots { count / 10 } else { 0 }).collect();
        let own = count - scanned.len();
        let mut paths = own_paths(&mut random, own, odd);
        // The front page leads; chance orders the rest, so that kinds mix.
        for at in (2..paths.len()).rev() {
            let other = 1 + usize::try_from(random.below(at as u64)).unwrap_or_default();
            paths.swap(at, other);
        }
        let mut sites: Vec<Site> =
            paths.into_iter().map(|(path, kind)| site(&mut random, path, kind)).collect();
        let popularity = Weighted::zipf(sites.len(), 1.0);
        let mean: f64 = sites.iter().enumerate().map(|(at, site)| site.frailty * popularity.share(at)).sum();
        for site in &mut sites {
            site.frailty /= mean;
        }
        Self { sites, popularity, scanned }
    }
}

/// Different paths: in equal parts of APIs, pages and assets while these last, and then posts of a
/// blog, of which there is no end.
fn own_paths(random: &mut Random, count: usize, odd: bool) -> Vec<(String, Kind)> {
    let longest = format!("/long/{}", "abcdefghi-".repeat(52).get(..506).unwrap_or_default());
    let odd_paths = ODD.into_iter().map(str::to_owned).chain([longest]);
    let mut paths = vec![("/".to_owned(), Kind::Page)];
    paths.extend(odd_paths.filter(|_| odd).map(|path| (path, Kind::Page)));
    let (mut apis, mut pages, mut assets) = (apis(), pages(), assets());
    let mut posts = 0;
    while paths.len() < count {
        let next = match random.below(10) {
            0..=4 => apis.next().map(|path| (path, Kind::Api)),
            5..=7 => pages.next().map(|path| (path, Kind::Page)),
            _ => assets.next().map(|path| (path, Kind::Asset)),
        };
        paths.push(next.unwrap_or_else(|| {
            posts += 1;
            (post(posts - 1), Kind::Page)
        }));
    }
    paths.truncate(count.max(1));
    paths
}

fn apis() -> impl Iterator<Item = String> {
    let resources = || RESOURCES.into_iter();
    let plain = resources().flat_map(|resource| {
        let key = if resource == "uploads" || resource == "sessions" { ":uuid" } else { ":id" };
        [format!("/api/v1/{resource}"), format!("/api/v1/{resource}/{key}")]
    });
    let nested = SUBRESOURCES
        .into_iter()
        .flat_map(move |sub| resources().map(move |resource| format!("/api/v1/{resource}/:id/{sub}")));
    let second = resources()
        .flat_map(|resource| [format!("/api/v2/{resource}"), format!("/api/v2/{resource}/search")]);
    ["/api/v1/blobs/:hash".to_owned(), "/graphql".to_owned(), "/health".to_owned()]
        .into_iter()
        .chain(plain)
        .chain(second)
        .chain(nested)
}

fn pages() -> impl Iterator<Item = String> {
    let documents = TOPICS
        .into_iter()
        .flat_map(|topic| NOUNS.into_iter().map(move |noun| format!("/docs/{topic}/{noun}")));
    PAGES.into_iter().map(str::to_owned).chain(documents)
}

fn assets() -> impl Iterator<Item = String> {
    EXTENSIONS.into_iter().flat_map(|extension| {
        ASSETS.into_iter().enumerate().map(move |(at, name)| {
            // A build's digest within the name: no rule for ids applies to it.
            let digest = (at + 1).wrapping_mul(0x9e37_79b9 ^ extension.len()) & 0xff_ffff;
            format!("/assets/{name}.{digest:06x}.{extension}")
        })
    })
}

fn post(number: usize) -> String {
    let (quality, noun) =
        (QUALITIES.get(number % QUALITIES.len()), NOUNS.get(number / QUALITIES.len() % NOUNS.len()));
    let round = number / (QUALITIES.len() * NOUNS.len());
    let suffix = if round == 0 { String::new() } else { format!("-{}", round + 1) };
    format!("/blog/{}-{}{suffix}", quality.unwrap_or(&""), noun.unwrap_or(&""))
}

fn site(random: &mut Random, path: String, kind: Kind) -> Site {
    let (low, high) = match kind {
        Kind::Api => (12_000.0, 120_000.0),
        Kind::Page => (40_000.0, 250_000.0),
        Kind::Asset => (1_500.0, 9_000.0),
    };
    // One path in twenty is slow, one in twenty fails often, one in ten now and then.
    let slow = if kind != Kind::Asset && random.chance(0.05) { 12.0 } else { 1.0 };
    let frailty = match random.below(20) {
        0 => 15.0,
        1 | 2 => 3.0,
        _ if kind == Kind::Asset => 0.1,
        _ => 0.6,
    };
    let median_us = random.between(low, high) * slow;
    Site { path, kind, median_us, sigma: random.between(0.35, 0.9), frailty }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pathstats_model::path_policy::PathPolicy;
    use std::collections::HashSet;

    #[test]
    fn paths_are_distinct_and_as_the_policy_leaves_them() {
        let policy = PathPolicy::default();
        for count in [1, 2, 30, 300, 20_000] {
            let catalogue = Catalogue::new(7, count, true, count > 30);
            let all: HashSet<&str> = catalogue
                .sites
                .iter()
                .map(|site| site.path.as_str())
                .chain(catalogue.scanned.iter().copied())
                .collect();
            assert_eq!(all.len(), count);
            assert!(all.iter().all(|path| policy.apply(path) == **path));
            assert_eq!(catalogue.sites[0].path, "/");
        }
    }

    #[test]
    fn odd_paths_are_there_when_asked_for() {
        let odd = Catalogue::new(7, 100, false, true);
        let has = |wanted: &str| odd.sites.iter().any(|site| site.path.contains(wanted));
        assert!(has(":b") && has("%2F") && has(" ") && has("🦀"));
        assert!(odd.sites.iter().any(|site| site.path.chars().count() == 512));
        let plain = Catalogue::new(7, 100, false, false);
        assert!(plain.sites.iter().all(|site| site.path.is_ascii() && !site.path.contains([' ', '%'])));
    }

    #[test]
    fn frailty_is_one_on_average() {
        let catalogue = Catalogue::new(3, 300, true, false);
        let mean: f64 = catalogue
            .sites
            .iter()
            .enumerate()
            .map(|(at, site)| site.frailty * catalogue.popularity.share(at))
            .sum();
        assert!((mean - 1.0).abs() < 1e-9);
    }
}
