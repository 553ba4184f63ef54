//! The data centre's cache: copies of answers, each under an address that is a name of ours and never fetched.

use js_sys::Uint8Array;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::WorkerGlobalScope;
use worker::worker_sys::ext::CacheStorageExt;
use worker::{Error, ResponseBody, Result};

use crate::http::Response;

/// A copy that was found.
#[derive(Debug)]
pub struct Kept(web_sys::Response);

impl Kept {
    /// The value of a header. One that the platform does not give is none.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        self.0.headers().get(name).ok().flatten()
    }

    /// The bytes of the body.
    ///
    /// # Errors
    ///
    /// When the cache does not give them.
    pub async fn bytes(self) -> Result<Vec<u8>> {
        Ok(Uint8Array::new(&JsFuture::from(self.0.array_buffer()?).await?).to_vec())
    }

    /// The body.
    #[must_use]
    pub fn into_body(self) -> ResponseBody {
        self.0.body().map_or(ResponseBody::Empty, ResponseBody::Stream)
    }
}

/// The copy under this key.
///
/// # Errors
///
/// When the cache does not answer.
pub async fn find(key: &str) -> Result<Option<Kept>> {
    let found = JsFuture::from(cache()?.match_with_str(key)).await?;
    Ok((!found.is_undefined()).then(|| Kept(found.unchecked_into())))
}

/// Keeps a copy under this key, in place of the one before, as long as its `Cache-Control` says.
///
/// # Errors
///
/// When the cache refuses it.
pub async fn keep(key: &str, copy: Response) -> Result<()> {
    JsFuture::from(cache()?.put_with_str(key, &copy.into_web()?)).await?;
    Ok(())
}

fn cache() -> Result<web_sys::Cache> {
    let global: WorkerGlobalScope = js_sys::global().unchecked_into();
    global.caches().map(|all| all.default()).map_err(Error::from)
}
