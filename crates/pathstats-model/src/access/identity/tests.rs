use core::cell::Cell;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use base64::prelude::{Engine as _, BASE64_URL_SAFE_NO_PAD};
use serde_json::{json, Value};
use sha2::{Digest, Sha256};

use super::*;
use crate::access::jwt::{Verdict, LEEWAY_SECONDS, MAX_JWT_BYTES};

const READ: &str = "a-token-that-reads";
const ADMIN: &str = "a-token-that-changes";
const TEAM: &str = "https://our-team.cloudflareaccess.com";
const AUDIENCE: &str = "4714c1358e65fe4b";
const KEY: &str = "key-1";
const NOW: i64 = 1_760_536_800_123;
const SECONDS: i64 = NOW / 1000;

/// A team with one key, whose signature is a digest of ours. Counts how often it is asked.
#[derive(Default)]
struct Team {
    asked: Cell<u32>,
    is_down: bool,
}

fn signature(key: &str, signed: &str) -> Vec<u8> {
    Sha256::digest(format!("{key} {signed}")).to_vec()
}

impl Verifier for Team {
    async fn verify(
        &self,
        key_id: &str,
        signed: &[u8],
        presented: &[u8],
    ) -> Result<Verdict, KeysUnavailable> {
        self.asked.set(self.asked.get() + 1);
        if self.is_down {
            return Err(KeysUnavailable("status 500".to_owned()));
        }
        if key_id != KEY {
            return Ok(Verdict::UnknownKey);
        }
        let right = signature(KEY, core::str::from_utf8(signed).unwrap());
        Ok(if presented == right { Verdict::Valid } else { Verdict::Invalid })
    }
}

fn config() -> AccessConfig {
    config_with(&[
        ("ACCESS_TEAM_DOMAIN", TEAM),
        ("ACCESS_AUD", AUDIENCE),
        ("ACCESS_ADMINS", "alice@example.com"),
    ])
    .unwrap()
}

fn config_with(variables: &[(&str, &str)]) -> Result<AccessConfig, ConfigError> {
    let all = [&[("READ_TOKEN", READ), ("ADMIN_TOKEN", ADMIN)], variables].concat();
    AccessConfig::from_variables(&|name: &str| {
        all.iter().rfind(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    })
}

/// The futures here never wait.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here waits"),
    }
}

fn who(
    config: &AccessConfig,
    team: &Team,
    authorization: Option<&str>,
    jwt: Option<&str>,
) -> Result<Identity, Refusal> {
    now(identify(config, Presented { authorization, access_jwt: jwt }, team, NOW))
}

fn header() -> Value {
    json!({"alg": "RS256", "kid": KEY, "typ": "JWT"})
}

fn claims() -> Value {
    json!({"iss": TEAM, "aud": [AUDIENCE], "email": "Alice@example.com", "exp": SECONDS + 600, "iat": SECONDS,
           "nbf": SECONDS, "type": "app", "sub": "7335d417-61da-459d-899c-0a01c76a2f94", "country": "NZ"})
}

#[allow(clippy::needless_pass_by_value, reason = "calls read better without a reference to each literal")]
fn with(mut value: Value, changes: Value) -> Value {
    for (name, change) in changes.as_object().unwrap() {
        value[name] = change.clone();
    }
    value
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// A token of this header and these claims, rightly signed.
fn signed(header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = signature(KEY, &signed);
    format!("{signed}.{}", encode(signature))
}

fn login(changes: Value) -> String {
    signed(&header().to_string(), &with(claims(), changes).to_string())
}

fn refused(jwt: &str) -> (JwtError, u32) {
    let team = Team::default();
    match who(&config(), &team, None, Some(jwt)) {
        Err(Refusal::Login(error)) => (error, team.asked.get()),
        other => panic!("expected a login that is refused, got {other:?}"),
    }
}

#[test]
fn a_token_names_its_role() {
    let token = |text: &str| who(&config(), &Team::default(), Some(text), None);
    let read = token(&format!("Bearer {READ}")).unwrap();
    assert_eq!(
        (read.role, read.via, read.name.as_str(), read.expires_at_ms),
        (Role::Read, Via::Token, "token:read", None)
    );
    let admin = token(&format!("bearer {ADMIN}")).unwrap();
    assert_eq!((admin.role, admin.name.as_str()), (Role::Admin, "token:admin"));
    for wrong in ["Bearer a-token-that-read", "Bearer a-token-that-readss", "Bearer ", "Bearer undefined"] {
        assert_eq!(token(wrong), Err(Refusal::Token(AccessError::Wrong)), "{wrong}");
    }
    for none in [READ, "Basic x", "", "Bearer"] {
        assert_eq!(token(none), Err(Refusal::Token(AccessError::Missing)), "{none}");
    }
    assert_eq!(who(&config(), &Team::default(), None, None), Err(Refusal::Token(AccessError::Missing)));
}

#[test]
fn equal_tokens_are_a_configuration_error_that_names_both_and_no_value() {
    let error = config_with(&[("ADMIN_TOKEN", READ)]).unwrap_err().to_string();
    assert!(
        error.contains("READ_TOKEN") && error.contains("ADMIN_TOKEN") && !error.contains(READ),
        "{error}"
    );
}

#[test]
fn a_login_names_a_person_and_the_role_of_that_person() {
    let team = Team::default();
    let alice = who(&config(), &team, None, Some(&login(json!({})))).unwrap();
    assert_eq!(
        alice,
        Identity {
            role: Role::Admin,
            via: Via::Access,
            name: "alice@example.com".to_owned(),
            expires_at_ms: Some((SECONDS + 600) * 1000)
        }
    );
    let bob = who(&config(), &team, None, Some(&login(json!({"email": "bob@example.com"})))).unwrap();
    assert_eq!((bob.role, bob.name.as_str()), (Role::Read, "bob@example.com"));
    let service =
        json!({"email": null, "common_name": "e367826f93b8d711.access", "sub": "", "aud": AUDIENCE});
    let service = who(&config(), &team, None, Some(&login(service))).unwrap();
    assert_eq!((service.role, service.name.as_str()), (Role::Read, "e367826f93b8d711.access"));
}

#[test]
fn a_service_token_that_is_called_as_an_administrator_is_none() {
    let jwt = login(json!({"email": "", "common_name": "alice@example.com"}));
    assert_eq!(who(&config(), &Team::default(), None, Some(&jwt)).unwrap().role, Role::Read);
}

#[test]
fn without_a_configured_login_the_header_is_ignored() {
    let (config, team) = (config_with(&[]).unwrap(), Team::default());
    assert_eq!(who(&config, &team, None, Some(&login(json!({})))), Err(Refusal::Token(AccessError::Missing)));
    assert!(who(&config, &team, Some(&format!("Bearer {READ}")), Some("garbage")).is_ok());
    assert_eq!(team.asked.get(), 0);
}

#[test]
fn a_token_decides_alone_whatever_login_comes_with_it() {
    let (config, team, alice) = (config(), Team::default(), login(json!({})));
    let read = who(&config, &team, Some(&format!("Bearer {READ}")), Some(&alice)).unwrap();
    assert_eq!((read.role, read.via), (Role::Read, Via::Token));
    assert!(who(&config, &team, Some(&format!("Bearer {READ}")), Some("forged")).is_ok());
    for wrong in ["Bearer a-wrong-token-of-length", "Basic YTpi", ""] {
        assert!(matches!(who(&config, &team, Some(wrong), Some(&alice)), Err(Refusal::Token(_))), "{wrong}");
    }
    assert_eq!(team.asked.get(), 0);
}

#[test]
fn only_rs256_is_looked_at() {
    for algorithm in
        ["none", "None", "NONE", "HS256", "HS512", "RS384", "RS512", "PS256", "ES256", "rs256", "", " RS256"]
    {
        let header = with(header(), json!({"alg": algorithm})).to_string();
        // Its other parts are never reached, wrong as they may be.
        for jwt in [
            signed(&header, &claims().to_string()),
            format!("{}.x.y", encode(&header)),
            format!("{}..", encode(&header)),
        ] {
            assert_eq!(refused(&jwt), (JwtError::Algorithm(algorithm.to_owned()), 0));
        }
    }
    let (error, _) = refused(&signed(&with(header(), json!({"alg": "x".repeat(9_000)})).to_string(), "{}"));
    assert!(error.to_string().len() < 120, "{error}");
}

#[test]
fn a_header_that_is_none_is_refused_before_any_key_is_asked_for() {
    for (header, error) in [
        (r#"{"kid":"key-1"}"#.to_owned(), JwtError::Header),
        (r#"{"alg":"none","alg":"RS256","kid":"key-1"}"#.to_owned(), JwtError::Header),
        (r#"{"alg":"RS256","alg":"none","kid":"key-1"}"#.to_owned(), JwtError::Header),
        (r#"{"alg":["RS256"],"kid":"key-1"}"#.to_owned(), JwtError::Header),
        ("RS256".to_owned(), JwtError::Header),
        (with(header(), json!({"crit": ["exp"]})).to_string(), JwtError::Header),
        (with(header(), json!({"typ": "JWE"})).to_string(), JwtError::Header),
        (r#"{"alg":"RS256"}"#.to_owned(), JwtError::NoKey),
        (with(header(), json!({"kid": ""})).to_string(), JwtError::NoKey),
        (with(header(), json!({"kid": "k".repeat(257)})).to_string(), JwtError::NoKey),
    ] {
        assert_eq!(refused(&signed(&header, &claims().to_string())), (error, 0), "{header}");
    }
}

#[test]
fn what_is_no_token_is_refused() {
    let whole = login(json!({}));
    let (header, rest) = whole.split_once('.').unwrap();
    let (claims, signature) = rest.split_once('.').unwrap();
    for jwt in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "a.b.c".to_owned(),
        format!("{header}.{claims}"),
        format!("{header}.{claims}."),
        format!("{header}..{signature}"),
        format!(".{claims}.{signature}"),
        format!("{whole}.{signature}"),
        format!("{whole}="),
        format!(" {whole}"),
        format!("{header}.{claims}.{signature}!"),
        whole.replace('.', "\n"),
    ] {
        let (error, asked) = refused(&jwt);
        assert!(matches!(error, JwtError::Shape | JwtError::Header), "{jwt}: {error}");
        assert_eq!(asked, 0);
    }
    let long = login(json!({"pad": "x".repeat(MAX_JWT_BYTES)}));
    assert_eq!(refused(&long), (JwtError::TooLong, 0));
}

#[test]
fn a_signature_is_of_one_key_and_one_content() {
    let whole = login(json!({}));
    let (content, _) = whole.rsplit_once('.').unwrap();
    let other = format!("{content}.{}", encode(signature("key-2", content)));
    assert_eq!(refused(&other), (JwtError::Signature, 1));
    let unknown = with(header(), json!({"kid": "key-2"})).to_string();
    assert_eq!(refused(&signed(&unknown, &claims().to_string())), (JwtError::UnknownKey, 1));
    // Another's claims with the signature of one's own.
    let (_, mine) = whole.rsplit_once('.').unwrap();
    let forged = format!(
        "{}.{}.{mine}",
        encode(header().to_string()),
        encode(with(claims(), json!({"email": "eve@example.com"})).to_string())
    );
    assert_eq!(refused(&forged), (JwtError::Signature, 1));
}

#[test]
fn the_claims_must_be_for_us_and_for_now() {
    for (changes, error) in [
        (json!({"iss": "https://evil.cloudflareaccess.com"}), JwtError::Issuer),
        (json!({"iss": format!("{TEAM}/")}), JwtError::Issuer),
        (json!({"iss": [TEAM]}), JwtError::Claims),
        (json!({"iss": null}), JwtError::Claims),
        (json!({"aud": ["other"]}), JwtError::Audience),
        (json!({"aud": []}), JwtError::Audience),
        (json!({"aud": ""}), JwtError::Audience),
        (json!({"aud": null}), JwtError::Claims),
        (json!({"type": "org"}), JwtError::Kind),
        (json!({"type": null}), JwtError::Claims),
        (json!({"exp": null}), JwtError::Claims),
        (json!({"exp": "never"}), JwtError::Claims),
        (json!({"exp": 1e300}), JwtError::Claims),
        (json!({"exp": SECONDS - LEEWAY_SECONDS}), JwtError::Expired),
        (json!({"exp": i64::MIN}), JwtError::Expired),
        (json!({"nbf": SECONDS + LEEWAY_SECONDS + 1}), JwtError::NotYetValid),
        (json!({"iat": SECONDS + LEEWAY_SECONDS + 1}), JwtError::NotYetValid),
        (json!({"email": null}), JwtError::NoName),
        (json!({"email": "", "common_name": ""}), JwtError::NoName),
        (json!({"email": "a b@example.com"}), JwtError::NoName),
        (json!({"email": "a\n@example.com"}), JwtError::NoName),
        (json!({"email": "a".repeat(321)}), JwtError::NoName),
        (json!({"email": 7}), JwtError::Claims),
    ] {
        assert_eq!(refused(&login(changes.clone())), (error, 1), "{changes}");
    }
    let twice = claims().to_string().replacen('{', r#"{"email":"eve@example.com","#, 1);
    assert_eq!(refused(&signed(&header().to_string(), &twice)).0, JwtError::Claims, "two e-mail addresses");
}

#[test]
fn clocks_may_differ_by_a_minute() {
    for changes in [
        json!({"exp": SECONDS - LEEWAY_SECONDS + 1}),
        json!({"nbf": SECONDS + LEEWAY_SECONDS, "iat": SECONDS + LEEWAY_SECONDS}),
        json!({"nbf": null, "iat": null}),
        json!({"exp": i64::MAX}),
        json!({"aud": ["other", AUDIENCE]}),
    ] {
        assert!(who(&config(), &Team::default(), None, Some(&login(changes.clone()))).is_ok(), "{changes}");
    }
}

#[test]
fn keys_that_cannot_be_had_are_a_503_and_never_a_pass() {
    let team = Team { is_down: true, ..Team::default() };
    let refusal = who(&config(), &team, None, Some(&login(json!({})))).unwrap_err();
    let problem = refusal.problem();
    assert_eq!((problem.status, problem.retry_after, refusal.is_failed_try()), (503, Some(10), false));
    assert!(
        problem.detail.contains("keys of Cloudflare Access cannot be had (status 500)"),
        "{}",
        problem.detail
    );
    assert!(who(&config(), &team, Some(&format!("Bearer {READ}")), None).is_ok(), "tokens work meanwhile");
    let forged = Refusal::Login(JwtError::Signature);
    assert_eq!((forged.problem().status, forged.is_failed_try()), (401, true));
}

#[test]
fn only_administrators_change_things() {
    let page = Page { asked: "https://stats.example.com", ..Page::default() };
    let identity =
        |role, via| Identity { role, via, name: "bob@example.com".to_owned(), expires_at_ms: None };
    for via in [Via::Token, Via::Access] {
        let problem = identity(Role::Read, via).may_change(page).unwrap_err();
        assert_eq!((problem.status, problem.kind.as_str()), (403, "about:blank#insufficient_scope"));
        assert_eq!(identity(Role::Admin, via).may_change(page), Ok(()));
    }
}

#[test]
fn a_page_of_another_site_changes_nothing_by_a_login() {
    let asked = "https://stats.example.com";
    let admin =
        |via| Identity { role: Role::Admin, via, name: "alice@example.com".to_owned(), expires_at_ms: None };
    for (origin, fetch_site, is_ours) in [
        (Some(asked), Some("same-origin"), true),
        (Some(asked), None, true),
        (None, Some("same-origin"), true),
        (None, Some("none"), true),
        (None, None, true),
        (Some("https://evil.example"), Some("cross-site"), false),
        (Some("https://evil.example"), None, false),
        (Some("https://evil.example"), Some("same-origin"), false),
        (Some("http://stats.example.com"), None, false),
        (Some("https://stats.example.com:8443"), None, false),
        (Some("https://stats.example.com.evil.example"), None, false),
        (Some("null"), None, false),
        (None, Some("cross-site"), false),
        (None, Some("same-site"), false),
    ] {
        let page = Page { asked, origin, fetch_site };
        let by_login = admin(Via::Access).may_change(page);
        assert_eq!(by_login.is_ok(), is_ours, "{page:?}");
        assert!(by_login.err().is_none_or(|problem| problem.kind == "about:blank#cross_site"));
        assert_eq!(admin(Via::Token).may_change(page), Ok(()), "{page:?}");
    }
}
