//! Events as comma-separated values (RFC 4180), columns named as in the database.

use std::fmt::Write as _;

use pathstats_model::TrafficEvent;

/// The first line.
pub const HEAD: &str =
    "id,timestamp,path,method,status,response_time,client_ip_hash,user_agent,country,sample_ratio,is_error";

/// An event as a line.
pub fn line(event: &TrafficEvent) -> String {
    let time = event.response_time_ms().map_or_else(String::new, |ms| ms.to_string());
    let hash = event.client_ip_hash_text().unwrap_or_default();
    let mut line = format!("{},{},", event.id, event.id.timestamp_ms());
    quoted(&mut line, &event.path);
    // Writing to a String does not fail. Of what stands unquoted, none holds a comma or a quote.
    let _ = write!(line, ",{},{},{time},{hash},", event.method, event.status);
    quoted(&mut line, event.user_agent.as_deref().unwrap_or_default());
    let country = event.country_text().unwrap_or_default();
    let _ = write!(line, ",{country},{},{}", event.sample_ratio, event.is_error());
    line
}

fn quoted(line: &mut String, text: &str) {
    if text.contains([',', '"', '\r', '\n']) {
        line.push('"');
        line.push_str(&text.replace('"', "\"\""));
        line.push('"');
    } else {
        line.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_quotes_has_them() {
        let json = r#"{"id":"1730956800000-a1b2c3d4","timestamp":1730956800000,"path":"/a,b","method":"GET","status":404,"responseTime":12.5,"userAgent":"x \"y\""}"#;
        let event = TrafficEvent::from_json(json).unwrap();
        assert_eq!(
            line(&event),
            "1730956800000-a1b2c3d4,1730956800000,\"/a,b\",GET,404,12.5,,\"x \"\"y\"\"\",,1,true"
        );
        assert_eq!(line(&event).replace("/a,b", "").split(',').count(), HEAD.split(',').count());
    }
}
