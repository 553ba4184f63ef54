//! The platform's source of randomness.

use core::cell::RefCell;

use wasm_bindgen::JsCast;
use worker::{Error, Result};

/// The runtime's Web Crypto.
///
/// # Errors
///
/// When the platform has none.
pub(crate) fn crypto() -> Result<web_sys::Crypto> {
    js_sys::global().unchecked_into::<web_sys::WorkerGlobalScope>().crypto().map_err(Error::from)
}

/// How many are asked for at once: each request needs some for its id, and asking costs more than they do.
const AT_ONCE: usize = 32;

thread_local! {
    /// Those that nobody had yet.
    static LEFT: RefCell<Vec<u128>> = const { RefCell::new(Vec::new()) };
}

/// 128 random bits, such as nobody can guess.
///
/// # Errors
///
/// When the platform gives none.
pub fn random_bits() -> Result<u128> {
    if let Some(bits) = LEFT.with_borrow_mut(Vec::pop) {
        return Ok(bits);
    }
    let mut bytes = [0; AT_ONCE * 16];
    crypto()?.get_random_values_with_u8_array(&mut bytes)?;
    let (all, _) = bytes.as_chunks::<16>();
    LEFT.with_borrow_mut(|left| {
        left.extend(all.iter().map(|bits| u128::from_le_bytes(*bits)));
        left.pop().ok_or_else(|| Error::RustError("no random bits".to_owned()))
    })
}
