//! Whether a body goes out compressed.

/// Bodies of this size and below go as they are, in bytes: they fit into one packet anyway.
pub const MIN_GZIP_BYTES: usize = 1_024;

/// Whether the header `Accept-Encoding` takes gzip (RFC 9110 section 12.5.3). A client that says
/// nothing gets nothing compressed.
#[must_use]
pub fn accepts_gzip(accept_encoding: Option<&str>) -> bool {
    let mut any = false;
    for part in accept_encoding.unwrap_or_default().split(',') {
        let mut words = part.split(';').map(str::trim);
        let coding = words.next().unwrap_or_default();
        let is_refused = words
            .filter_map(|word| word.strip_prefix("q=").or_else(|| word.strip_prefix("Q=")))
            .any(|weight| weight.trim().parse::<f32>().map_or(true, |weight| weight <= 0.0));
        // What names gzip goes before what names all.
        if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
            return !is_refused;
        }
        any |= coding == "*" && !is_refused;
    }
    any
}

/// Whether a media type is text that compresses. Archives are compressed already.
#[must_use]
pub fn is_text(content_type: &str) -> bool {
    let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media.starts_with("text/")
        || media.ends_with("+json")
        || matches!(
            media.as_str(),
            "application/json" | "application/x-ndjson" | "application/jsonl" | "application/javascript"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_goes_to_who_accepts_it() {
        for header in
            ["gzip", "br, gzip", "deflate, GZIP;q=0.5", "*", "br;q=1, *;q=0.1", "x-gzip", "gzip;q=1.000"]
        {
            assert!(accepts_gzip(Some(header)), "{header}");
        }
        for header in
            ["", "br", "identity", "gzip;q=0", "*, gzip;q=0", "gzip; q=0.0", "*;q=0", "gzip;q=x", "notgzip"]
        {
            assert!(!accepts_gzip(Some(header)), "{header}");
        }
        assert!(!accepts_gzip(None));
    }

    #[test]
    fn only_text_is_compressed() {
        for media in [
            "application/json; charset=utf-8",
            "application/problem+json",
            "application/x-ndjson",
            "text/csv;charset=utf-8",
            "Text/HTML",
        ] {
            assert!(is_text(media), "{media}");
        }
        for media in [
            "",
            "application/gzip",
            "application/vnd.apache.parquet",
            "image/png",
            "application/octet-stream",
        ] {
            assert!(!is_text(media), "{media}");
        }
    }
}
