//! [`TeamKeys`]: signatures checked by Web Crypto, with keys that the team publishes.
//!
//! Three places hold a copy, looked at in this order: this instance, the cache of the data centre, the team.
//! When to go on to the next is the model's to decide.

use core::cell::RefCell;
use std::time::Duration;

use futures_util::StreamExt;
use pathstats_model::access::jwt::{KeysUnavailable, Verdict, Verifier};
use pathstats_model::access::keys::{
    KeySet, KeyUse, KeysKnown, PublicKey, KEYS_KEPT_MS, KEYS_TIMEOUT_MS, MAX_KEYS_BYTES,
};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use worker::{AbortController, Fetch, Request, RequestInit, RequestRedirect, ResponseBody, Result};

use crate::cache;
use crate::clock::{now_ms, within};
use crate::http::Response;
use crate::random::crypto;

/// Where a team publishes its keys.
const KEYS_PATH: &str = "/cdn-cgi/access/certs";

/// Header of a cached copy: when the team gave it, milliseconds since the epoch.
const FETCHED_AT: &str = "X-Pathstats-Fetched-At";

const ALGORITHM: &str = "RSASSA-PKCS1-v1_5";

thread_local! {
    // Values only. A future of one request must not be awaited by another: the platform ends it with
    // the request that made it. So requests that find nothing here at the same time each ask.
    static KNOWN: RefCell<KeysKnown> = RefCell::new(KeysKnown::default());
}

/// The keys of a team.
#[derive(Debug, Clone, Copy)]
pub struct TeamKeys<'a> {
    team: &'a str,
}

impl<'a> TeamKeys<'a> {
    /// The keys of the team at `https://NAME.cloudflareaccess.com`.
    #[must_use]
    pub const fn new(team: &'a str) -> Self {
        Self { team }
    }

    /// The key of this id; `None` when the team has no such key.
    async fn key(&self, id: &str) -> core::result::Result<Option<PublicKey>, KeysUnavailable> {
        let mut decided = self.decide(id);
        if decided == KeyUse::Ask {
            // 1. The data centre's copy. Reading it again changes nothing.
            if let Some(set) = self.cached().await {
                KNOWN.with_borrow_mut(|known| known.found(set));
            }
            decided = self.decide(id);
        }
        if decided == KeyUse::Ask {
            // 2. The team. Asking again changes nothing; should this request end here, another one asks.
            KNOWN.with_borrow_mut(|known| known.ask(now_ms()));
            let (body, set) = match self.ask().await {
                Ok(found) => found,
                Err(reason) => {
                    tracing::warn!(error = %reason, "the keys of Cloudflare Access cannot be had");
                    KNOWN.with_borrow_mut(|known| known.failed(now_ms()));
                    return Err(KeysUnavailable(reason));
                }
            };
            let fetched_at_ms = set.fetched_at_ms;
            KNOWN.with_borrow_mut(|known| known.found(set));
            decided = self.decide(id);
            // 3. For other instances. Without it each asks for itself.
            if let Err(error) = self.cache(body, fetched_at_ms).await {
                tracing::warn!(%error, "the keys of Cloudflare Access were not cached");
            }
        }
        match decided {
            KeyUse::Use(key) => Ok(Some(key)),
            KeyUse::Unknown => Ok(None),
            KeyUse::Unavailable | KeyUse::Ask => {
                Err(KeysUnavailable("asking for them failed a moment ago".to_owned()))
            }
        }
    }

    /// What this instance knows.
    fn decide(&self, id: &str) -> KeyUse {
        KNOWN.with_borrow(|known| known.decide(self.team, id, now_ms()))
    }

    fn cache_key(&self) -> String {
        format!("https://pathstats.internal/access-keys?team={}", self.team)
    }

    /// The data centre's copy. What does not read is none.
    async fn cached(&self) -> Option<KeySet> {
        let copy = cache::find(&self.cache_key()).await.ok()??;
        let fetched_at_ms = copy.header(FETCHED_AT)?.parse().ok()?;
        KeySet::parse(self.team, &copy.bytes().await.ok()?, fetched_at_ms).ok()
    }

    async fn cache(&self, body: Vec<u8>, fetched_at_ms: i64) -> Result<()> {
        let copy = Response::new(200, ResponseBody::Body(body))
            .with_header("Content-Type", "application/json")
            .with_header("Cache-Control", format!("public, max-age={}", KEYS_KEPT_MS / 1000))
            .with_header(FETCHED_AT, fetched_at_ms.to_string());
        cache::keep(&self.cache_key(), copy).await
    }

    /// Asks the team. `Err` says in a few words why there are no keys.
    async fn ask(&self) -> core::result::Result<(Vec<u8>, KeySet), String> {
        let abort = AbortController::default();
        let signal = abort.signal();
        let answer = async {
            let mut init = RequestInit::new();
            init.with_redirect(RequestRedirect::Manual);
            let request = Request::new_with_init(&format!("{}{KEYS_PATH}", self.team), &init)?;
            let mut response = Fetch::Request(request).send_with_signal(&signal).await?;
            let status = response.status_code();
            Ok::<_, worker::Error>((status, if status == 200 { limited(&mut response).await? } else { None }))
        };
        let limit = Duration::from_millis(u64::from(KEYS_TIMEOUT_MS));
        let Some(answered) = within(limit, answer).await else {
            abort.abort();
            return Err(format!("no answer within {} s", KEYS_TIMEOUT_MS / 1000));
        };
        match answered {
            Ok((200, Some(body))) => {
                let set = KeySet::parse(self.team, &body, now_ms()).map_err(|error| error.to_string())?;
                Ok((body, set))
            }
            Ok((200, None)) => Err(format!("the answer is larger than {MAX_KEYS_BYTES} bytes")),
            Ok((status, _)) => Err(format!("status {status}")),
            Err(error) => {
                tracing::warn!(%error, "the team does not answer");
                Err("no connection".to_owned())
            }
        }
    }
}

impl Verifier for TeamKeys<'_> {
    async fn verify(
        &self,
        key_id: &str,
        signed: &[u8],
        signature: &[u8],
    ) -> core::result::Result<Verdict, KeysUnavailable> {
        let Some(key) = self.key(key_id).await? else { return Ok(Verdict::UnknownKey) };
        match is_signed(&key, signed, signature).await {
            Ok(true) => Ok(Verdict::Valid),
            Ok(false) => Ok(Verdict::Invalid),
            Err(error) => {
                tracing::warn!(%error, "a key of Cloudflare Access cannot be used");
                Err(KeysUnavailable("the key cannot be used".to_owned()))
            }
        }
    }
}

/// The body, or `None` when it is too large; reading stops there.
async fn limited(response: &mut worker::Response) -> Result<Option<Vec<u8>>> {
    let mut stream = response.stream()?;
    let mut body = Vec::new();
    while let Some(chunk) = stream.next().await {
        body.extend_from_slice(&chunk?);
        if body.len() > MAX_KEYS_BYTES {
            return Ok(None);
        }
    }
    Ok(Some(body))
}

/// Whether this is the signature. The algorithm is ours: neither the key nor the token is asked for one.
async fn is_signed(key: &PublicKey, signed: &[u8], signature: &[u8]) -> Result<bool> {
    let object = |members: &[(&str, JsValue)]| {
        let object = js_sys::Object::new();
        for (name, value) in members {
            js_sys::Reflect::set(&object, &JsValue::from_str(name), value)?;
        }
        Ok::<_, JsValue>(object)
    };
    let jwk = object(&[("kty", "RSA".into()), ("n", key.n.as_str().into()), ("e", key.e.as_str().into())])?;
    let hashed = object(&[("name", ALGORITHM.into()), ("hash", "SHA-256".into())])?;
    let usages = js_sys::Array::of1(&"verify".into());
    let subtle = crypto()?.subtle();
    let imported = subtle.import_key_with_object("jwk", &jwk, &hashed, false, &usages)?;
    let imported: web_sys::CryptoKey = JsFuture::from(imported).await?.unchecked_into();
    let verified = subtle.verify_with_str_and_js_u8_array_and_js_u8_array(
        ALGORITHM,
        &imported,
        &js_sys::Uint8Array::from(signature),
        &js_sys::Uint8Array::from(signed),
    )?;
    // Anything but `true` is no.
    Ok(JsFuture::from(verified).await?.as_bool() == Some(true))
}
