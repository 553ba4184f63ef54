//! Which format a file has, told by its first lines.

use super::{access_log, Format};

/// Lines looked at. More than one, since a log may begin in the middle of a line.
const LINES: usize = 50;

/// The format of most of the first lines; the richer one when two share the lead. `None` when no
/// line looks like any of them.
pub fn detect(head: &str) -> Option<Format> {
    const FORMATS: [Format; 5] =
        [Format::Common, Format::Combined, Format::Nginx, Format::Jsonl, Format::Logpush];
    let lines: Vec<Format> =
        head.lines().map(str::trim).filter(|line| !line.is_empty()).take(LINES).filter_map(of_line).collect();
    let votes = |format: &Format| lines.iter().filter(|found| *found == format).count();
    FORMATS.into_iter().filter(|format| votes(format) > 0).max_by_key(votes)
}

fn of_line(line: &str) -> Option<Format> {
    if !line.starts_with('{') {
        return access_log::richest(line);
    }
    if line.contains("\"EdgeStartTimestamp\"") {
        Some(Format::Logpush)
    } else if line.contains("\"timestamp\"") && line.contains("\"path\"") {
        Some(Format::Jsonl)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMON: &str = r#"203.0.113.9 - - [15/Oct/2025:14:03:21 +0000] "GET /a HTTP/1.1" 200 512"#;

    #[test]
    fn each_format_is_known_by_its_lines() {
        let combined = format!("{COMMON} \"-\" \"curl/8\"");
        let nginx = format!("{combined} 0.012");
        for (head, format) in [
            (COMMON, Format::Common),
            (&combined, Format::Combined),
            (&nginx, Format::Nginx),
            (r#"{"EdgeStartTimestamp":1760537001,"RayID":"1"}"#, Format::Logpush),
            (r#"{"id":"1730956800000-a1b2c3d4","timestamp":1730956800000,"path":"/"}"#, Format::Jsonl),
        ] {
            assert_eq!(detect(head), Some(format), "{head}");
            assert_eq!(detect(&format!("\n tail of a line\n{head}\n{head}")), Some(format));
        }
    }

    #[test]
    fn a_few_lines_without_a_time_do_not_change_the_format() {
        let combined = format!("{COMMON} \"-\" \"curl/8\"");
        assert_eq!(detect(&format!("{combined} -\n{combined} 0.001\n{combined} 0.002")), Some(Format::Nginx));
    }

    #[test]
    fn anything_else_is_unknown() {
        assert_eq!(detect(""), None);
        assert_eq!(detect("#Fields: date time\nhello\n{\"a\":1}"), None);
    }
}
