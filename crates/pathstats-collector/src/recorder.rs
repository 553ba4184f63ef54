//! One request becomes one event.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use pathstats_edge::bindings::{counted_as, EnvVariables, RECORD_LIMIT};
use pathstats_edge::clock::now_ms;
use pathstats_edge::usage;
use pathstats_model::client_ip::IpHasher;
use pathstats_model::config::{ConfigError, RecorderConfig};
use pathstats_model::event::{cut, response_time_us};
use pathstats_model::limits::MAX_USER_AGENT_CHARS;
use pathstats_model::{EventDate, EventId, TrafficEvent};
use wasm_bindgen::JsValue;
use worker::{Context, Delay, Env};

use crate::drops::{count_drops, DropReason};
use crate::outbox::{deliver_event, Delivered};

/// Records requests of this Worker.
#[derive(Debug, Clone)]
pub struct Recorder {
    env: Env,
    config: Rc<RecorderConfig>,
}

/// Why there is no recorder.
#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
pub struct RecorderError(#[from] pub ConfigError);

impl From<RecorderError> for worker::Error {
    fn from(error: RecorderError) -> Self {
        Self::RustError(error.to_string())
    }
}

/// A request that began.
#[derive(Debug, Clone)]
pub struct Started {
    request: web_sys::Request,
    at_ms: i64,
}

thread_local! {
    /// The configuration, parsed once an instance: variables change only with a deploy.
    static CONFIG: RefCell<Option<Result<Rc<RecorderConfig>, ConfigError>>> = const { RefCell::new(None) };
}

impl Recorder {
    /// A recorder by the Worker's variables.
    ///
    /// # Errors
    ///
    /// The first variable that is wrong.
    pub fn from_env(env: &Env) -> Result<Self, RecorderError> {
        let config = CONFIG.with_borrow_mut(|config| {
            config
                .get_or_insert_with(|| RecorderConfig::from_variables(&EnvVariables(env)).map(Rc::new))
                .clone()
        })?;
        Ok(Self { env: env.clone(), config })
    }

    /// The configuration that this recorder goes by.
    #[must_use]
    pub fn config(&self) -> &RecorderConfig {
        &self.config
    }

    /// Notes when a request began. Reads nothing yet.
    #[must_use]
    pub fn start(&self, request: &web_sys::Request) -> Started {
        // Another handle to the same request: `web_sys` names the copying method `clone`.
        Started { request: Clone::clone(request), at_ms: now_ms() }
    }

    /// Records a request that was answered with `status`, behind the answer. The response time is
    /// what passed since [`start`](Self::start).
    pub fn record(&self, context: &Context, started: Started, status: u16) {
        let (recorder, ended_ms) = (self.clone(), now_ms());
        context.wait_until(async move {
            // The answer leaves first: without a turn of the event loop in between, what follows up to its
            // first wait would run before it.
            Delay::from(Duration::ZERO).await;
            recorder.record_now(&started, status, ended_ms).await;
            usage::settle(&recorder.env, counted_as::THE_PRODUCER).await;
        });
    }

    async fn record_now(&self, started: &Started, status: u16, ended_ms: i64) {
        let address = header(&started.request, "CF-Connecting-IP").unwrap_or_default();
        let event = match self.event(started, &address, status, ended_ms) {
            Ok(event) => event,
            Err(wrong) => {
                // Cannot happen for a request that the platform delivered; told, never thrown.
                tracing::error!(error = %wrong, "a request makes no event");
                return count_drops(&self.env, DropReason::Lost, 1).await;
            }
        };
        // 1. Sampling: the id decides.
        let Some(sample_ratio) = self.config.sampling.decide(&event.path, event.id) else {
            return count_drops(&self.env, DropReason::Sampled, 1).await;
        };
        let event = TrafficEvent { sample_ratio, ..event };
        // 2. The rate limit: one client must not fill the queue.
        if !self.within_limit(&address).await {
            return count_drops(&self.env, DropReason::RateLimited, 1).await;
        }
        // 3. The queue, else the outbox. Dying before: the request is not counted, as it may
        //    happen to any work in waitUntil; the client has its answer.
        let Ok(message) = serde_json::to_string(&event) else { return };
        if deliver_event(&self.env, &event, message).await == Delivered::Refused {
            count_drops(&self.env, DropReason::Lost, 1).await;
        }
    }

    fn event(
        &self,
        started: &Started,
        address: &str,
        status: u16,
        ended_ms: i64,
    ) -> Result<TrafficEvent, String> {
        let url = started.request.url();
        let path = self.config.path_of(target(&url));
        let request_id = header(&started.request, "CF-Ray").unwrap_or_else(random_id);
        let id = EventId::derive(started.at_ms, address, &path, &request_id).map_err(|e| e.to_string())?;
        #[allow(clippy::cast_precision_loss)]
        let elapsed_ms = (ended_ms - started.at_ms).clamp(0, 3_600_000) as f64;
        let date = EventDate::from_ms(started.at_ms);
        let hash = |hasher: &IpHasher| hasher.hash(address, date);
        Ok(TrafficEvent {
            id,
            path,
            method: started.request.method(),
            status,
            response_time_us: Some(response_time_us(elapsed_ms).map_err(|e| e.to_string())?),
            client_ip_hash: self.config.ip_hasher.as_ref().and_then(hash),
            user_agent: header(&started.request, "User-Agent")
                .filter(|_| self.config.user_agent)
                .map(|agent| cut(&agent, MAX_USER_AGENT_CHARS).to_owned()),
            country: self.config.country.then(|| country(&started.request)).flatten(),
            sample_ratio: 1.0,
        })
    }

    /// Whether the client may have another event recorded. Without a limit, or when it cannot be
    /// asked, it may.
    async fn within_limit(&self, address: &str) -> bool {
        let Ok(limiter) = self.env.rate_limiter(RECORD_LIMIT) else { return true };
        limiter.limit(address.to_owned()).await.map_or(true, |outcome| outcome.success)
    }
}

/// From a URL to its path and query.
fn target(url: &str) -> &str {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    after_scheme.find('/').and_then(|at| after_scheme.get(at..)).unwrap_or("/")
}

fn header(request: &web_sys::Request, name: &str) -> Option<String> {
    request.headers().get(name).ok().flatten()
}

/// The country that the platform found, `request.cf.country`.
fn country(request: &web_sys::Request) -> Option<[u8; 2]> {
    let cf = js_sys::Reflect::get(request, &JsValue::from_str("cf")).ok().filter(JsValue::is_object)?;
    let code = js_sys::Reflect::get(&cf, &JsValue::from_str("country")).ok()?.as_string()?;
    <[u8; 2]>::try_from(code.as_bytes())
        .ok()
        .filter(|c| c.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()))
}

/// Where the platform gives no ray id, as locally: 53 random bits.
fn random_id() -> String {
    format!("{:x}", js_sys::Math::random().to_bits())
}
