//! [`Response`]: an answer whose head is kept in Rust until it goes.

use core::result::Result as CoreResult;
use std::borrow::Cow;

use js_sys::{Object, Uint8Array};
use pathstats_model::http::head::{Head, Length};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::JsCast;
use web_sys::ResponseInit;
use worker::{Error, IntoResponse, ResponseBody, Result};

type Text = Cow<'static, str>;

/// An answer.
///
/// One of `worker` has its headers in an object of the platform from the start, and the platform copies them when it
/// goes: each is kept twice until garbage is collected, and whoever asks meanwhile waits (`docs/measurements.md`, "What
/// an answer takes"). Of this one, they become a plain object once.
#[derive(Debug)]
pub struct Response {
    head: Head,
    body: ResponseBody,
    is_packed: bool,
}

impl Response {
    /// An answer of this status, without headers.
    #[must_use]
    pub fn new(status: u16, body: ResponseBody) -> Self {
        Self::of(Head::new(status), body)
    }

    /// An answer with this head.
    #[must_use]
    pub const fn of(head: Head, body: ResponseBody) -> Self {
        Self { head, body, is_packed: false }
    }

    /// The same, with a body that is packed already, as its `Content-Encoding` says.
    #[must_use]
    pub fn packed(self) -> Self {
        Self { is_packed: true, ..self }
    }

    /// The same with a header, in place of the one of that name.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<Text>, value: impl Into<Text>) -> Self {
        self.head.headers.set(name, value);
        self
    }

    /// The same with this status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.head.status = status;
        self
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.head.status
    }

    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name)
    }

    /// The body.
    #[must_use]
    pub const fn body(&self) -> &ResponseBody {
        &self.body
    }

    /// How long the body is, as far as it is known here.
    #[must_use]
    pub fn length(&self) -> Length {
        match &self.body {
            ResponseBody::Empty => Length::Empty,
            ResponseBody::Body(bytes) => Length::Bytes(bytes.len()),
            ResponseBody::Stream(_) => Length::Stream,
        }
    }

    pub(super) fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    /// Has another body go, not packed.
    pub(super) fn with_body(self, body: ResponseBody) -> Self {
        Self { body, is_packed: false, ..self }
    }

    /// Head and body.
    #[must_use]
    pub fn into_parts(self) -> (Head, ResponseBody) {
        (self.head, self.body)
    }

    /// As the platform has it.
    ///
    /// # Errors
    ///
    /// When the platform refuses a header or the status.
    pub fn into_web(self) -> Result<web_sys::Response> {
        let headers = Record::new();
        for (name, value) in self.head.headers.iter() {
            headers.set(name, value);
        }
        let init = ResponseInit::new();
        init.set_status(self.head.status);
        init.set_headers(&headers);
        if self.is_packed {
            init.unchecked_ref::<Encoding>().set_encode_body("manual");
        }
        let made = match self.body {
            ResponseBody::Empty => web_sys::Response::new_with_opt_str_and_init(None, &init),
            ResponseBody::Body(bytes) => web_sys::Response::new_with_opt_buffer_source_and_init(
                Some(&Uint8Array::from(bytes.as_slice())),
                &init,
            ),
            ResponseBody::Stream(stream) => {
                web_sys::Response::new_with_opt_readable_stream_and_init(Some(&stream), &init)
            }
        };
        made.map_err(Error::from)
    }
}

/// Of another Worker's answer. Its headers cannot be changed: these are a copy.
impl From<worker::Response> for Response {
    fn from(response: worker::Response) -> Self {
        let mut head = Head::new(response.status_code());
        head.headers = response.headers().into_iter().collect();
        Self::of(head, response.into_parts().1)
    }
}

impl IntoResponse for Response {
    fn into_raw(self) -> CoreResult<web_sys::Response, impl Into<Box<dyn core::error::Error>>> {
        self.into_web()
    }
}

/// For an object, which answers with one of `worker`'s.
impl TryFrom<Response> for worker::Response {
    type Error = Error;

    fn try_from(response: Response) -> Result<Self> {
        let made = Self::from_body(response.body)?.with_status(response.head.status);
        for (name, value) in response.head.headers.iter() {
            made.headers().set(name, value)?;
        }
        Ok(made)
    }
}

#[wasm_bindgen]
extern "C" {
    /// Names and values of headers: what `ResponseInit` takes beside a `Headers`.
    #[wasm_bindgen(js_name = Object, extends = Object)]
    type Record;
    #[wasm_bindgen(constructor, js_class = "Object")]
    fn new() -> Record;
    #[wasm_bindgen(method, structural, indexing_setter)]
    fn set(this: &Record, name: &str, value: &str);

    /// The platform's addition to `ResponseInit`.
    type Encoding;
    #[wasm_bindgen(method, structural, setter, js_name = encodeBody)]
    fn set_encode_body(this: &Encoding, how: &str);
}
