//! What the destination's answer means.

use serde::Deserialize;

/// The body of 202 and 207, and what is known of other bodies.
#[derive(Debug, Default, Deserialize)]
struct Body {
    accepted: Option<u64>,
    rejected: Option<u64>,
    #[serde(default)]
    errors: Vec<ItemError>,
    title: Option<String>,
    detail: Option<String>,
}

/// An event that the destination refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ItemError {
    /// Its position in the body, from 0.
    pub index: usize,
    /// Why.
    pub reason: String,
}

/// What to do after an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The body was taken. What was not accepted will not be on another try either.
    Taken {
        /// Events accepted, those counted before included.
        accepted: u64,
        /// Events refused, as listed.
        rejected: Vec<ItemError>,
        /// Events neither accepted nor listed.
        unlisted: u64,
    },
    /// The destination could not take it now.
    Again(String),
    /// Trying again would not help.
    Final(String),
}

/// Reads the answer to a body of `sent` events.
pub fn verdict(status: u16, text: &str, sent: u64) -> Verdict {
    let body: Option<Body> = serde_json::from_str(text).ok();
    let says = body.as_ref().and_then(|body| body.detail.as_deref().or(body.title.as_deref()));
    let says = says.map_or_else(String::new, |says| format!(": {says}"));
    match (status, body) {
        (200..=299, Some(Body { accepted: Some(accepted), rejected, errors, .. })) => {
            let listed = errors.len() as u64;
            let rejected = rejected.unwrap_or(listed).max(listed);
            let lost = sent.saturating_sub(accepted + rejected);
            Verdict::Taken { accepted, rejected: errors, unlisted: rejected - listed + lost }
        }
        (200..=299, _) => Verdict::Final(format!(
            "the destination answers {status}, but not as /collect does: is --to the address of a producer's /collect?"
        )),
        // A body in which nothing is valid is refused as a whole; its list says what is wrong.
        (400, Some(body)) if body.errors.len() as u64 == sent && sent > 0 => {
            Verdict::Taken { accepted: 0, rejected: body.errors, unlisted: 0 }
        }
        (401 | 403, _) => Verdict::Final(format!(
            "the destination refuses the token ({status}{says}): set INGEST_TOKEN or --token-file to its INGEST_TOKEN"
        )),
        (413, _) => Verdict::Final(format!("the destination finds the body too large (413{says}): try a smaller --batch-events")),
        (408 | 429 | 500..=599, _) => Verdict::Again(format!("{status}{says}")),
        (300..=399, _) => Verdict::Final(format!("the destination redirects ({status}): give --to the address itself")),
        (404 | 405, _) => Verdict::Final(format!("there is no /collect at the destination ({status}{says})")),
        _ => Verdict::Final(format!("the destination refuses the body ({status}{says})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_and_refused_events_are_told_apart() {
        assert_eq!(
            verdict(202, r#"{"accepted":3,"rejected":0,"errors":[]}"#, 3),
            Verdict::Taken { accepted: 3, rejected: vec![], unlisted: 0 }
        );
        let refused = ItemError { index: 1, reason: "bad".into() };
        assert_eq!(
            verdict(207, r#"{"accepted":2,"rejected":1,"errors":[{"index":1,"reason":"bad"}]}"#, 3),
            Verdict::Taken { accepted: 2, rejected: vec![refused.clone()], unlisted: 0 }
        );
        assert_eq!(
            verdict(207, r#"{"accepted":5,"rejected":3,"errors":[{"index":1,"reason":"bad"}]}"#, 10),
            Verdict::Taken { accepted: 5, rejected: vec![refused.clone()], unlisted: 4 },
            "what is not accounted for is not passed over"
        );
        assert_eq!(
            verdict(400, r#"{"status":400,"title":"x","errors":[{"index":1,"reason":"bad"}]}"#, 1),
            Verdict::Taken { accepted: 0, rejected: vec![refused], unlisted: 0 }
        );
    }

    #[test]
    fn what_may_pass_is_tried_again() {
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(matches!(verdict(status, "", 1), Verdict::Again(_)), "{status}");
        }
        let text = r#"{"type":"about:blank","title":"Unavailable","status":503,"detail":"queue and outbox are down"}"#;
        assert_eq!(verdict(503, text, 1), Verdict::Again("503: queue and outbox are down".into()));
    }

    #[test]
    fn what_will_not_pass_says_what_to_do() {
        for (status, says) in [
            (400, "refuses the body"),
            (401, "INGEST_TOKEN"),
            (413, "--batch-events"),
            (301, "redirects"),
            (404, "no /collect"),
            (200, "not as /collect does"),
        ] {
            let Verdict::Final(message) = verdict(status, "<html>", 1) else { panic!("{status}") };
            assert!(message.contains(says), "{message}");
        }
    }
}
