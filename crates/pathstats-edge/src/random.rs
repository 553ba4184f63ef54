//! The platform's source of randomness.

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

/// 128 random bits, such as nobody can guess.
///
/// # Errors
///
/// When the platform gives none.
pub fn random_bits() -> Result<u128> {
    let mut bytes = [0; 16];
    crypto()?.get_random_values_with_u8_array(&mut bytes)?;
    Ok(u128::from_le_bytes(bytes))
}
