//! [`LoginConfig`]: which team's logins are accepted, for which application, and who may change things.

use super::identity::Role;
use super::jwt::LoginName;
use crate::config::{ConfigError, Variables};
use crate::event::cut;

/// Most audiences, and most administrators, that may be configured.
const MOST_AUDIENCES: usize = 10;
const MOST_ADMINS: usize = 200;

/// Longest e-mail address or common name, in bytes (RFC 5321 sections 4.5.3.1.1 and 4.5.3.1.2: 64 and
/// 255 with an `@` between).
const MAX_NAME_BYTES: usize = 320;

const TEAM: &str = "ACCESS_TEAM_DOMAIN";
const AUDIENCES: &str = "ACCESS_AUD";
const ADMINS: &str = "ACCESS_ADMINS";

/// Logins that are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginConfig {
    team: String,
    audiences: Vec<String>,
    admins: Vec<Admin>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Admin {
    /// One e-mail address, in lower case.
    Email(String),
    /// All addresses of a domain, in lower case, with its `@`.
    Domain(String),
    /// The common name of a service token.
    Service(String),
}

impl LoginConfig {
    /// Reads `ACCESS_TEAM_DOMAIN`, `ACCESS_AUD` and `ACCESS_ADMINS`. An empty value is none. `None`
    /// when no login is configured.
    ///
    /// # Errors
    ///
    /// The first variable that is wrong, or that is missing beside another.
    pub fn from_variables(variables: &impl Variables) -> Result<Option<Self>, ConfigError> {
        let value = |name| {
            let text = variables.get(name).unwrap_or_default().trim().to_owned();
            (!text.is_empty()).then_some(text)
        };
        let (team, audiences, admins) = match (value(TEAM), value(AUDIENCES), value(ADMINS)) {
            (None, None, None) => return Ok(None),
            (Some(team), Some(audiences), admins) => (team, audiences, admins.unwrap_or_default()),
            (None, ..) => {
                return Err(ConfigError::Missing {
                    name: TEAM,
                    expected: "https://NAME.cloudflareaccess.com, since ACCESS_AUD or ACCESS_ADMINS is set",
                });
            }
            (Some(_), None, _) => {
                return Err(ConfigError::Missing {
                    name: AUDIENCES,
                    expected: "the application's audience tag, since ACCESS_TEAM_DOMAIN is set",
                });
            }
        };
        if !is_team(&team) {
            let expected = "https://NAME.cloudflareaccess.com without anything after it \
                            (for local tests http://127.0.0.1:PORT or http://localhost:PORT)";
            return Err(invalid(TEAM, &team, expected));
        }
        let is_tag = |tag: &String| {
            tag.len() <= 128 && tag.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        let audiences = list(&audiences);
        if audiences.is_empty() || audiences.len() > MOST_AUDIENCES || !audiences.iter().all(is_tag) {
            let expected = "one to ten audience tags (letters, digits, - and _), with commas between";
            return Err(invalid(AUDIENCES, &audiences.join(","), expected));
        }
        let names = list(&admins);
        let admins: Option<Vec<Admin>> = names.iter().map(|name| Admin::parse(name)).collect();
        let admins = admins.filter(|admins| admins.len() <= MOST_ADMINS).ok_or_else(|| {
            let expected = "at most 200 of: an e-mail address, @ and a domain, or the common name of a \
                            service token, with commas between";
            invalid(ADMINS, &names.join(","), expected)
        })?;
        Ok(Some(Self { team, audiences, admins }))
    }

    /// The team: the tokens' issuer, and where its keys are.
    #[must_use]
    pub fn team(&self) -> &str {
        &self.team
    }

    /// Whether tokens for this audience are for us.
    #[must_use]
    pub fn is_audience(&self, tag: &str) -> bool {
        self.audiences.iter().any(|audience| audience == tag)
    }

    /// What this one may do. An e-mail address is only held against addresses and domains, a service
    /// token only against common names: a service token may be called anything.
    #[must_use]
    pub fn role_of(&self, name: &LoginName) -> Role {
        let is_admin = self.admins.iter().any(|admin| match (admin, name) {
            (Admin::Email(admin), LoginName::Email(email)) => admin == email,
            // The domain begins at the last `@`: a local part may hold one in quotes.
            (Admin::Domain(domain), LoginName::Email(email)) => {
                email.rfind('@').and_then(|at| email.get(at..)) == Some(domain)
            }
            (Admin::Service(admin), LoginName::Service(service)) => admin == service,
            _ => false,
        });
        if is_admin {
            Role::Admin
        } else {
            Role::Read
        }
    }
}

impl Admin {
    fn parse(name: &str) -> Option<Self> {
        if !is_plain(name) || name == "*" {
            return None;
        }
        let lower = name.to_ascii_lowercase();
        match name.split_once('@') {
            None => Some(Self::Service(name.to_owned())),
            Some((_, domain)) if domain.is_empty() || domain.contains('@') => None,
            Some(("", _)) => Some(Self::Domain(lower)),
            Some(_) => Some(Self::Email(lower)),
        }
    }
}

/// Whether a text can be a name that is stored and shown: visible, short.
pub(super) fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME_BYTES
        && !name.chars().any(|c| c.is_control() || c.is_whitespace())
}

fn is_team(team: &str) -> bool {
    if let Some(host) = team.strip_prefix("https://") {
        return host.strip_suffix(".cloudflareaccess.com").is_some_and(|name| {
            (1..=63).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        });
    }
    ["http://127.0.0.1:", "http://localhost:"].iter().any(|local| {
        team.strip_prefix(local)
            .is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok())
    })
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn invalid(name: &'static str, found: &str, expected: &str) -> ConfigError {
    ConfigError::Invalid { name, found: cut(found, 200).to_owned(), expected: expected.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(team: &str, audiences: &str, admins: &str) -> Result<Option<LoginConfig>, String> {
        let variables = |name: &str| {
            Some(match name {
                "ACCESS_TEAM_DOMAIN" => team.to_owned(),
                "ACCESS_AUD" => audiences.to_owned(),
                "ACCESS_ADMINS" => admins.to_owned(),
                _ => return None,
            })
        };
        LoginConfig::from_variables(&variables).map_err(|error| error.to_string())
    }

    const A_TEAM: &str = "https://our-team.cloudflareaccess.com";

    #[test]
    fn no_variable_is_no_login_and_half_of_them_is_an_error() {
        assert_eq!(read("", " ", ""), Ok(None));
        assert_eq!(LoginConfig::from_variables(&|_: &str| None), Ok(None));
        let missing = |team, audiences, admins| read(team, audiences, admins).unwrap_err();
        assert!(missing("", "tag", "").starts_with("variable ACCESS_TEAM_DOMAIN is not set"));
        assert!(missing("", "", "a@b.c").starts_with("variable ACCESS_TEAM_DOMAIN is not set"));
        assert!(missing(A_TEAM, "", "").starts_with("variable ACCESS_AUD is not set"));
    }

    #[test]
    fn a_team_is_one_of_cloudflare_access_or_a_local_test() {
        for team in [A_TEAM, "http://127.0.0.1:8799", "http://localhost:1"] {
            assert_eq!(read(team, "tag", "").unwrap().unwrap().team(), team);
        }
        for team in [
            "https://our-team.cloudflareaccess.com/",
            "http://our-team.cloudflareaccess.com",
            "https://.cloudflareaccess.com",
            "https://evil.example/.cloudflareaccess.com",
            "https://evil@our-team.cloudflareaccess.com",
            "https://a.b.cloudflareaccess.com",
            "https://Our-Team.cloudflareaccess.com",
            "https://our-team.cloudflareaccess.com.evil.example",
            "our-team.cloudflareaccess.com",
            "http://127.0.0.1",
            "http://127.0.0.1:99999",
            "http://127.0.0.1:80/x",
            "http://localhost:+80",
            "http://localhost.evil.example:80",
            "http://10.0.0.1:80",
        ] {
            let error = read(team, "tag", "").unwrap_err();
            assert!(error.starts_with(&format!("variable ACCESS_TEAM_DOMAIN is {team:?}")), "{error}");
        }
    }

    #[test]
    fn audiences_are_tags() {
        let config = read(A_TEAM, " one , two_2-b ,", "").unwrap().unwrap();
        assert!(config.is_audience("one") && config.is_audience("two_2-b"));
        assert!(!config.is_audience("") && !config.is_audience("one , two_2-b"));
        for audiences in [",", "a b", "a\"b", "1,2,3,4,5,6,7,8,9,10,11"] {
            assert!(read(A_TEAM, audiences, "").unwrap_err().starts_with("variable ACCESS_AUD is"));
        }
    }

    #[test]
    fn administrators_are_named_and_all_others_read() {
        let admins = "Alice@Example.com, @ops.example.com, bot.access";
        let config = read(A_TEAM, "tag", admins).unwrap().unwrap();
        let email = |text: &str| config.role_of(&LoginName::Email(text.to_owned()));
        let service = |text: &str| config.role_of(&LoginName::Service(text.to_owned()));
        assert_eq!(email("alice@example.com"), Role::Admin);
        assert_eq!(email("bob@ops.example.com"), Role::Admin);
        assert_eq!(service("bot.access"), Role::Admin);
        for name in [
            "bob@example.com",
            "bob@dev.ops.example.com",
            "bob@ops.example.com.evil.example",
            "\"x@ops.example.com\"@evil.example",
            "bot.access",
            "xalice@example.com",
        ] {
            assert_eq!(email(name), Role::Read, "{name}");
        }
        for name in ["alice@example.com", "x@ops.example.com", "bot.access2", "Bot.access"] {
            assert_eq!(service(name), Role::Read, "{name}");
        }
        assert_eq!(
            read(A_TEAM, "tag", "").unwrap().unwrap().role_of(&LoginName::Email("a@b".into())),
            Role::Read
        );
        for wrong in ["@", "a@", "a@b@c", "a b", "*"] {
            assert!(
                read(A_TEAM, "tag", wrong).unwrap_err().starts_with("variable ACCESS_ADMINS is"),
                "{wrong}"
            );
        }
    }
}
