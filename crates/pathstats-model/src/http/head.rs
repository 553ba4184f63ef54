//! [`Head`]: the status and the headers of an answer.

use std::borrow::Cow;

use super::encoding::{is_text, MIN_GZIP_BYTES};

type Text = Cow<'static, str>;

/// Headers of an answer, in the order in which they were set.
///
/// A list: there are some ten, and each is handed over as text. Names are the same in any case (RFC 9110 section 5.1).
/// Each has one value; one that is a list has commas within (section 5.3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Text, Text)>);

impl Headers {
    /// The value of a header.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Whether the header is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Sets a header, in place of the one of that name.
    pub fn set(&mut self, name: impl Into<Text>, value: impl Into<Text>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&name)) {
            Some((_, known)) => *known = value,
            None => self.0.push((name, value)),
        }
    }

    /// Sets a header, unless there is one of that name.
    pub fn set_unless_there(&mut self, name: &'static str, value: &'static str) {
        if !self.has(name) {
            self.0.push((name.into(), value.into()));
        }
    }

    /// Adds to a header, after a comma should there be one of that name.
    pub fn append(&mut self, name: impl Into<Text>, value: impl Into<Text>) {
        let (name, value) = (name.into(), value.into());
        match self.get(&name).map(|known| format!("{known}, {value}")) {
            Some(both) => self.set(name, both),
            None => self.0.push((name, value)),
        }
    }

    /// Takes a header away.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// Names and values, each name once.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// Says that the answer depends on this header of its request (RFC 9110 section 12.5.5).
    pub fn vary_by(&mut self, name: &'static str) {
        let known = self.get("Vary").unwrap_or_default();
        if known.is_empty() {
            self.set("Vary", name);
        } else if !known
            .split(',')
            .any(|word| matches!(word.trim(), "*") || word.trim().eq_ignore_ascii_case(name))
        {
            self.append("Vary", name);
        }
    }
}

impl FromIterator<(String, String)> for Headers {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(all: I) -> Self {
        let mut headers = Self::default();
        for (name, value) in all {
            headers.append(name, value);
        }
        headers
    }
}

/// How long a body is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// There is none.
    Empty,
    /// So long.
    Bytes(usize),
    /// It is a stream: so long as `Content-Length` says, else nobody knows.
    Stream,
}

/// The status and the headers of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Headers,
}

impl Head {
    /// A head without headers.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self { status, headers: Headers::default() }
    }

    /// Makes it that of an answer without a body: the client has it already.
    pub fn become_not_modified(&mut self) {
        self.status = 304;
        for name in ["Content-Type", "Content-Length", "Content-Encoding"] {
            self.headers.remove(name);
        }
    }

    /// Marks text as compressed: the runtime compresses a body whose header says so. A part of a file stays as it is:
    /// its bytes were counted.
    pub fn compress(&mut self, length: Length) {
        let headers = &mut self.headers;
        let length = match length {
            Length::Empty => return,
            Length::Bytes(bytes) => Some(bytes),
            Length::Stream => headers.get("Content-Length").and_then(|text| text.parse().ok()),
        };
        let is_as_it_is = self.status == 206
            || ["Content-Encoding", "Content-Range", "Accept-Ranges"].iter().any(|name| headers.has(name));
        if is_as_it_is || !is_text(headers.get("Content-Type").unwrap_or_default()) {
            return;
        }
        // A small answer might be larger another time.
        headers.vary_by("Accept-Encoding");
        // A stream of unknown length is a long one.
        if length.is_some_and(|length| length <= MIN_GZIP_BYTES) {
            return;
        }
        headers.set("Content-Encoding", "gzip");
        headers.remove("Content-Length");
        // A strong tag is one of just these bytes.
        if let Some(weak) =
            headers.get("ETag").filter(|tag| tag.starts_with('"')).map(|tag| format!("W/{tag}"))
        {
            headers.set("ETag", weak);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(status: u16) -> Head {
        let mut head = Head::new(status);
        head.headers.set("Content-Type", "application/json");
        head
    }

    #[test]
    fn a_name_has_one_value_whatever_its_case() {
        let mut headers = Headers::default();
        headers.set("ETag", "a");
        headers.set("etag", "b".to_owned());
        headers.set_unless_there("ETAG", "c");
        headers.set_unless_there("Allow", "GET");
        headers.append("allow", "HEAD");
        headers.append("Age", "1");
        assert_eq!(headers.iter().collect::<Vec<_>>(), [("ETag", "b"), ("Allow", "GET, HEAD"), ("Age", "1")]);
        headers.remove("ALLOW");
        assert_eq!(
            (headers.get("eTag"), headers.has("allow"), headers.has("Allow")),
            (Some("b"), false, false)
        );
        let read: Headers = [("vary", "a"), ("Vary", "b")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into_iter()
            .collect();
        assert_eq!(read.iter().collect::<Vec<_>>(), [("vary", "a, b")]);
    }

    #[test]
    fn what_an_answer_depends_on_is_said_once() {
        let vary = |known: Option<&'static str>| {
            let mut headers = Headers::default();
            if let Some(known) = known {
                headers.set("Vary", known);
            }
            headers.vary_by("Origin");
            headers.get("Vary").map(str::to_owned).unwrap()
        };
        assert_eq!(vary(None), "Origin");
        assert_eq!(vary(Some("")), "Origin");
        assert_eq!(vary(Some("Accept-Encoding")), "Accept-Encoding, Origin");
        for known in ["*", "Accept-Encoding, origin", "Origin"] {
            assert_eq!(vary(Some(known)), known);
        }
    }

    #[test]
    fn long_text_is_compressed() {
        let compressed = |mut head: Head, length| {
            head.compress(length);
            (head.headers.get("Content-Encoding").is_some(), head.headers.get("Vary").map(str::to_owned))
        };
        let varies = Some("Accept-Encoding".to_owned());
        assert_eq!(compressed(json(200), Length::Bytes(1_025)), (true, varies.clone()));
        assert_eq!(compressed(json(200), Length::Bytes(1_024)), (false, varies.clone()));
        assert_eq!(compressed(json(200), Length::Stream), (true, varies.clone()), "of unknown length");
        assert_eq!(compressed(json(200), Length::Empty), (false, None));
        assert_eq!(compressed(json(206), Length::Bytes(9_000)), (false, None), "a part");
        let with = |name: &'static str, value: &'static str| {
            let mut head = json(200);
            head.headers.set(name, value);
            head
        };
        assert_eq!(compressed(with("Content-Length", "10"), Length::Stream), (false, varies));
        assert_eq!(compressed(with("Content-Type", "application/gzip"), Length::Bytes(9_000)), (false, None));
        for (name, value) in [("Content-Range", "bytes 0-1/9"), ("Accept-Ranges", "bytes")] {
            assert_eq!(compressed(with(name, value), Length::Bytes(9_000)), (false, None), "{name}");
        }
        let mut packed = with("Content-Encoding", "br");
        packed.compress(Length::Bytes(9_000));
        assert_eq!(packed, with("Content-Encoding", "br"));
    }

    #[test]
    fn what_is_compressed_has_another_length_and_a_weak_tag() {
        let mut head = json(200);
        head.headers.set("Content-Length", "9000");
        head.headers.set("ETag", "\"strong\"");
        head.compress(Length::Stream);
        assert_eq!(
            (head.headers.get("Content-Length"), head.headers.get("ETag")),
            (None, Some("W/\"strong\""))
        );
        let mut weak = json(200);
        weak.headers.set("ETag", "W/\"weak\"");
        weak.compress(Length::Bytes(9_000));
        assert_eq!(weak.headers.get("ETag"), Some("W/\"weak\""));
    }

    #[test]
    fn what_the_client_has_is_not_described_again() {
        let mut head = json(200);
        head.headers.set("Content-Encoding", "gzip");
        head.headers.set("Content-Length", "9");
        head.headers.set("ETag", "\"a\"");
        head.become_not_modified();
        assert_eq!((head.status, head.headers.iter().collect::<Vec<_>>()), (304, vec![("ETag", "\"a\"")]));
    }
}
