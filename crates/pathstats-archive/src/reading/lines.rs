//! Events as lines of an export.

use std::io::Write;

use pathstats_model::TrafficEvent;

use super::Result;

/// How an export holds its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One JSON object a line, as an event crosses the queue: such lines can be sent again.
    Jsonl,
    /// Comma-separated values (RFC 4180), with a first line of names.
    Csv,
}

impl Form {
    /// The media type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Jsonl => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    /// The ending of a file's name.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
        }
    }
}

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lines {
    /// JSON or CSV.
    pub form: Form,
    /// Whether the client's hash and user agent are left out.
    pub anonymize: bool,
}

impl Lines {
    /// What stands before the first event.
    #[must_use]
    pub const fn head(self) -> &'static str {
        match (self.form, self.anonymize) {
            (Form::Jsonl, _) => "",
            (Form::Csv, false) => {
                "id,timestamp,path,method,status,responseTime,clientIpHash,userAgent,country,sampleRatio\r\n"
            }
            (Form::Csv, true) => "id,timestamp,path,method,status,responseTime,country,sampleRatio\r\n",
        }
    }

    /// Appends an event's line.
    ///
    /// # Errors
    ///
    /// [`Line`](super::ReadError::Line); writing to memory does not fail.
    pub fn write(self, mut event: TrafficEvent, to: &mut Vec<u8>) -> Result<()> {
        if self.anonymize {
            event.client_ip_hash = None;
            event.user_agent = None;
        }
        match self.form {
            Form::Jsonl => {
                serde_json::to_writer(&mut *to, &event)?;
                to.push(b'\n');
            }
            Form::Csv => self.values(&event, to).map_err(serde_json::Error::io)?,
        }
        Ok(())
    }

    fn values(self, event: &TrafficEvent, to: &mut Vec<u8>) -> std::io::Result<()> {
        write!(to, "{},{},", event.id, event.id.timestamp_ms())?;
        text(&event.path, to);
        to.push(b',');
        text(&event.method, to);
        write!(to, ",{},", event.status)?;
        if let Some(ms) = event.response_time_ms() {
            write!(to, "{ms}")?;
        }
        to.push(b',');
        if !self.anonymize {
            to.extend_from_slice(event.client_ip_hash_text().unwrap_or_default().as_bytes());
            to.push(b',');
            text(event.user_agent.as_deref().unwrap_or_default(), to);
            to.push(b',');
        }
        write!(to, "{},{}\r\n", event.country_text().unwrap_or_default(), event.sample_ratio)
    }
}

/// Appends a text that a client chose.
///
/// A spreadsheet takes a value that begins with one of `=+-@`, a tab or a line's end for a formula,
/// and a user agent can be anything. An apostrophe in front makes it a text, as OWASP advises under
/// "CSV Injection". A CSV is for people and their spreadsheets, so it is always so; what is to be read
/// by programs is JSONL, which changes nothing. A text that begins with an apostrophe gets one too, so
/// taking one off gives back what was recorded.
fn text(value: &str, to: &mut Vec<u8>) {
    let quotes = value.contains([',', '"', '\r', '\n']);
    if quotes {
        to.push(b'"');
    }
    if value.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\'']) {
        to.push(b'\'');
    }
    for byte in value.bytes() {
        if byte == b'"' {
            to.push(b'"');
        }
        to.push(byte);
    }
    if quotes {
        to.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::event;

    fn line(form: Form, anonymize: bool, event: TrafficEvent) -> String {
        let mut to = Vec::new();
        Lines { form, anonymize }.write(event, &mut to).unwrap();
        String::from_utf8(to).unwrap()
    }

    /// Fields of one line, as RFC 4180 says.
    fn fields(line: &str) -> Vec<String> {
        let mut fields = vec![String::new()];
        let mut quoted = false;
        let mut chars = line.strip_suffix("\r\n").unwrap().chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '"' if quoted && chars.peek() == Some(&'"') => {
                    fields.last_mut().unwrap().push(chars.next().unwrap());
                }
                '"' => quoted = !quoted,
                ',' if !quoted => fields.push(String::new()),
                c => fields.last_mut().unwrap().push(c),
            }
        }
        fields
    }

    #[test]
    fn json_lines_are_the_events_as_they_came() {
        for n in 0..40 {
            let text = line(Form::Jsonl, false, event(n));
            assert_eq!(TrafficEvent::from_json(text.trim_end()).unwrap(), event(n));
        }
    }

    #[test]
    fn anonymous_lines_tell_nothing_of_the_client() {
        let anonymous = TrafficEvent { client_ip_hash: None, user_agent: None, ..event(1) };
        let text = line(Form::Jsonl, true, event(1));
        assert_eq!(TrafficEvent::from_json(text.trim_end()).unwrap(), anonymous);
        let csv = line(Form::Csv, true, event(1));
        assert_eq!(fields(&csv).len(), Lines { form: Form::Csv, anonymize: true }.head().split(',').count());
        assert!(!csv.contains("agent") && !csv.contains(&event(1).client_ip_hash_text().unwrap()));
    }

    #[test]
    fn a_line_of_csv_has_a_value_for_each_name() {
        let lines = Lines { form: Form::Csv, anonymize: false };
        let names = fields(lines.head());
        for agent in ["a,b", "say \"x\"", "two\r\nlines", "", "plain", "=1+1", "+1", "-1", "@x", "\tx", "'x"]
        {
            let mut event = event(1);
            event.user_agent = Some(agent.to_owned());
            let values = fields(&line(Form::Csv, false, event.clone()));
            assert_eq!(values.len(), names.len());
            let value = |name: &str| values[names.iter().position(|n| n == name).unwrap()].clone();
            assert_eq!(value("id"), event.id.to_string());
            assert_eq!(value("path"), event.path);
            assert_eq!(value("responseTime"), "1.25");
            assert_eq!(value("sampleRatio"), "1");
            let told = value("userAgent");
            assert!(!told.starts_with(['=', '+', '-', '@', '\t']), "{told:?} is no formula");
            assert_eq!(told.strip_prefix('\'').unwrap_or(&told), agent);
        }
    }
}
