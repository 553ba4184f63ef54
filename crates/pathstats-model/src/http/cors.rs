//! [`Cors`]: which other origins' pages may ask (Fetch Standard, "CORS protocol").

use crate::config::{ConfigError, Variables};
use crate::event::cut;

/// Methods that a page may use.
pub const METHODS: &str = "GET, HEAD, POST";

/// Headers that a page may send beyond those that every page may.
pub const REQUEST_HEADERS: &str = "Authorization, Content-Type, If-None-Match, If-Range, Range, X-Request-Id";

/// Headers that a page may read beyond those that every page may.
pub const EXPOSED_HEADERS: &str = "Accept-Ranges, Content-Disposition, Content-Encoding, Content-Range, \
     ETag, Retry-After, WWW-Authenticate, X-Request-Id";

/// How long a browser may remember what it was told, in seconds: the most that Chromium keeps.
pub const MAX_AGE_SECONDS: u32 = 7_200;

/// Most origins that may be configured.
const MOST_ORIGINS: usize = 50;

const NAME: &str = "CORS_ORIGINS";

/// Origins whose pages may ask.
///
/// None may send cookies (there is no `Access-Control-Allow-Credentials`), so they need a token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cors {
    origins: Vec<String>,
}

impl Cors {
    /// Reads `CORS_ORIGINS`: exact origins with commas between; empty or not set is none.
    ///
    /// # Errors
    ///
    /// When one is no origin as a browser writes it, or is `*`.
    pub fn from_variables(variables: &impl Variables) -> Result<Self, ConfigError> {
        let text = variables.get(NAME).unwrap_or_default();
        let origins: Vec<String> =
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let invalid = |found: &str, expected: &str| ConfigError::Invalid {
            name: NAME,
            found: cut(found, 200).to_owned(),
            expected: expected.to_owned(),
        };
        if origins.len() > MOST_ORIGINS {
            return Err(invalid(&text, "at most 50 origins"));
        }
        for origin in &origins {
            if origin.contains('*') {
                let expected = "exact origins: tokens are used, so no page is let in that is not named";
                return Err(invalid(origin, expected));
            }
            if !is_origin(origin) {
                let expected = "origins as browsers write them, such as https://stats.example.com or \
                                http://localhost:5173, with commas between";
                return Err(invalid(origin, expected));
            }
        }
        Ok(Self { origins })
    }

    /// Whether there is any.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.origins.is_empty()
    }

    /// Whether pages of this origin may ask.
    #[must_use]
    pub fn allows(&self, origin: &str) -> bool {
        self.origins.iter().any(|known| known == origin)
    }
}

/// Whether it is `scheme://host` or `scheme://host:port` in lower case, with nothing after it and
/// without the port that goes without saying: only so does a browser write it, and it is compared as text.
fn is_origin(text: &str) -> bool {
    let (rest, own_port) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => (rest, "443"),
        (None, Some(rest)) => (rest, "80"),
        (None, None) => return false,
    };
    let (host, port) = match rest.rsplit_once(':') {
        // The colons within brackets are those of an address.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (rest, None),
    };
    let is_name = |host: &str| {
        !host.starts_with('.')
            && host
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'_'))
    };
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<core::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.len() <= 253 && is_name(host),
    };
    is_host
        && port.is_none_or(|port| {
            port != own_port
                && !port.starts_with('0')
                && port.bytes().all(|b| b.is_ascii_digit())
                && port.parse::<u16>().is_ok()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Cors, String> {
        Cors::from_variables(&|_: &str| Some(text.to_owned())).map_err(|error| error.to_string())
    }

    #[test]
    fn only_the_named_origins_may_ask() {
        let cors = read(" https://stats.example.com, http://localhost:5173,http://[::1]:8080 ").unwrap();
        for origin in ["https://stats.example.com", "http://localhost:5173", "http://[::1]:8080"] {
            assert!(cors.allows(origin), "{origin}");
        }
        for origin in [
            "",
            "null",
            "*",
            "http://stats.example.com",
            "https://stats.example.com:8443",
            "https://stats.example.com.evil.example",
            "https://evil.example/https://stats.example.com",
            "https://sub.stats.example.com",
            "HTTPS://stats.example.com",
        ] {
            assert!(!cors.allows(origin), "{origin}");
        }
        assert!(read("").unwrap().is_none() && !read("").unwrap().allows(""));
        assert!(Cors::from_variables(&|_: &str| None).unwrap().is_none());
        assert!(!cors.is_none());
    }

    #[test]
    fn a_wildcard_is_refused_with_its_reason() {
        for text in ["*", "https://*.example.com", "https://a.example, *"] {
            let error = read(text).unwrap_err();
            assert!(error.contains("CORS_ORIGINS") && error.contains("tokens are used"), "{error}");
        }
    }

    #[test]
    fn what_no_browser_would_send_is_refused() {
        for text in [
            "stats.example.com",
            "null",
            "https://",
            "https://stats.example.com/",
            "https://stats.example.com/path",
            "https://stats.example.com:443",
            "http://localhost:80",
            "http://localhost:080",
            "http://localhost:",
            "http://localhost:99999",
            "http://localhost:+1",
            "https://Stats.example.com",
            "https://user@stats.example.com",
            "https://stats.example.com?x",
            "ftp://stats.example.com",
            "http://[::1",
            "http://[nonsense]",
            "https://a b",
        ] {
            let error = read(text).unwrap_err();
            assert!(
                error.starts_with(&format!("variable CORS_ORIGINS is {text:?}: expected origins")),
                "{error}"
            );
        }
        let many = (0..51).map(|n| format!("https://a{n}.example")).collect::<Vec<_>>().join(",");
        assert!(read(&many).unwrap_err().contains("at most 50"));
    }
}
