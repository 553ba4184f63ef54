//! Packing by the runtime's own streams: its zlib costs nothing of the script's size.

use js_sys::Uint8Array;
use pathstats_model::http::gzip::PackedRest;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStream, ReadableWritablePair, Response as RawResponse};
use worker::{Error, ResponseBody, Result};

// The Compression Standard's two classes, which web-sys keeps behind a compiler flag.
#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = CompressionStream)]
    type Packer;
    #[wasm_bindgen(constructor, js_class = "CompressionStream", catch)]
    fn new(format: &str) -> core::result::Result<Packer, JsValue>;

    #[wasm_bindgen(js_name = DecompressionStream)]
    type Unpacker;
    #[wasm_bindgen(constructor, js_class = "DecompressionStream", catch)]
    fn new(format: &str) -> core::result::Result<Unpacker, JsValue>;
}

/// The rest of a body, packed once for all its beginnings.
///
/// # Errors
///
/// When the runtime cannot.
pub async fn pack(rest: &[u8]) -> Result<PackedRest> {
    let deflate = Packer::new("deflate-raw")?;
    // A pair is any object that has these two ends.
    let packed = stream_of(rest)?.pipe_through(deflate.unchecked_ref::<ReadableWritablePair>());
    let whole = RawResponse::new_with_opt_readable_stream(Some(&packed))?.array_buffer()?;
    let deflated = Uint8Array::new(&JsFuture::from(whole).await?).to_vec();
    Ok(PackedRest::new(rest, deflated))
}

/// What packed bytes hold, as they come.
///
/// # Errors
///
/// When the runtime cannot.
pub fn unpack(packed: ResponseBody) -> Result<ResponseBody> {
    let packed = match packed {
        ResponseBody::Empty => return Ok(ResponseBody::Empty),
        ResponseBody::Body(bytes) => stream_of(&bytes)?,
        ResponseBody::Stream(stream) => stream,
    };
    let inflate = Unpacker::new("gzip")?;
    Ok(ResponseBody::Stream(packed.pipe_through(inflate.unchecked_ref::<ReadableWritablePair>())))
}

fn stream_of(bytes: &[u8]) -> Result<ReadableStream> {
    let response = RawResponse::new_with_opt_js_u8_array(Some(&Uint8Array::from(bytes)))?;
    response.body().ok_or_else(|| Error::RustError("bytes without a stream".to_owned()))
}
