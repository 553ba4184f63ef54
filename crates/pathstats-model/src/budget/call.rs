//! The call to an hour's budget, and its answer.

use super::Verdict;
use crate::calls::CallError;
use crate::hour::HourBucket;

/// Path of the call that asks an hour's object.
pub const BUDGET_PATH: &str = "/budget";
/// Path of the call that hands many such calls to an invocation of the consumer of its own.
pub const BUDGET_CHUNK_PATH: &str = "/budget-chunk";

/// Most paths in one call.
pub const MAX_ASKED_PATHS: usize = 2_000;
/// Most bytes of their names: what a call admits becomes one row, of 2 MB at most.
pub const MAX_ASKED_BYTES: usize = 500_000;

const VERSION: u8 = 1;
/// `2025-10-15T14`.
const HOUR_BYTES: usize = 13;
const HAS_NOT_FOUND: u8 = 1;
const HAS_OTHERS: u8 = 2;

/// A path of which events wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskedPath<'a> {
    /// The path.
    pub path: &'a str,
    /// Whether one of them is a 404.
    pub has_not_found: bool,
    /// Whether one of them is not.
    pub has_others: bool,
}

/// Where do events of these paths count in this hour?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetCall<'a> {
    /// The hour.
    pub hour: HourBucket,
    /// The paths, [`MAX_ASKED_PATHS`] at most.
    pub paths: Vec<AskedPath<'a>>,
}

impl<'a> BudgetCall<'a> {
    /// The body: version, hour, then for each path its flags, the length of its name (2 bytes,
    /// little-endian) and the name.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend_from_slice(self.hour.to_string().as_bytes());
        for AskedPath { path, has_not_found, has_others } in &self.paths {
            out.push(u8::from(*has_not_found) * HAS_NOT_FOUND + u8::from(*has_others) * HAS_OTHERS);
            put_name(&mut out, path);
        }
        out
    }

    /// Reads a body.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub fn decode(body: &'a [u8]) -> Result<Self, CallError> {
        let ([version], rest) = body.split_first_chunk().ok_or(CallError::Truncated)?;
        if *version != VERSION {
            return Err(CallError::Version(*version));
        }
        let (hour, mut rest) = rest.split_first_chunk::<HOUR_BYTES>().ok_or(CallError::Truncated)?;
        let hour = core::str::from_utf8(hour).ok().and_then(|hour| hour.parse().ok());
        let hour = hour.ok_or(CallError::Unknown("hour"))?;
        let mut paths = Vec::new();
        while let Some((flags, after)) = rest.split_first() {
            if *flags > HAS_NOT_FOUND + HAS_OTHERS || *flags == 0 {
                return Err(CallError::Unknown("flag"));
            }
            let (path, after) = take_name(after)?;
            let (has_not_found, has_others) = (flags & HAS_NOT_FOUND != 0, flags & HAS_OTHERS != 0);
            paths.push(AskedPath { path, has_not_found, has_others });
            rest = after;
        }
        if paths.len() > MAX_ASKED_PATHS {
            return Err(CallError::Unknown("number of paths"));
        }
        Ok(Self { hour, paths })
    }
}

/// Appends a text behind its length. A path has 512 characters, of 4 bytes at most.
pub(super) fn put_name(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(name.as_bytes());
}

/// Takes a text behind its length.
pub(super) fn take_name(bytes: &[u8]) -> Result<(&str, &[u8]), CallError> {
    let (length, rest) = bytes.split_first_chunk::<2>().ok_or(CallError::Truncated)?;
    let length = usize::from(u16::from_le_bytes(*length));
    let (name, rest) = rest.split_at_checked(length).ok_or(CallError::Truncated)?;
    Ok((core::str::from_utf8(name).map_err(|_| CallError::Unknown("name"))?, rest))
}

/// What an hour's budget says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BudgetReply {
    /// Of each path, in order.
    Limited(Vec<Verdict>),
    /// Every path of this hour has its own row.
    Unlimited,
    /// Nothing of this hour can be counted any more: where its paths had counted is forgotten.
    Closed,
}

impl BudgetReply {
    /// The body: version, kind, then a byte a path.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Limited(verdicts) => {
                let mut out = vec![VERSION, 0];
                out.extend(verdicts.iter().map(|verdict| *verdict as u8));
                out
            }
            Self::Unlimited => vec![VERSION, 1],
            Self::Closed => vec![VERSION, 2],
        }
    }

    /// Reads the answer to a call of so many paths.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub fn decode(body: &[u8], paths: usize) -> Result<Self, CallError> {
        let ([version, kind], rest) = body.split_first_chunk::<2>().ok_or(CallError::Truncated)?;
        match (*version, *kind) {
            (VERSION, 0) if rest.len() == paths => {
                let verdict = |byte: &u8| Verdict::from_byte(*byte).ok_or(CallError::Unknown("verdict"));
                rest.iter().map(verdict).collect::<Result<_, _>>().map(Self::Limited)
            }
            (VERSION, 0) => Err(CallError::Truncated),
            (VERSION, 1) => Ok(Self::Unlimited),
            (VERSION, 2) => Ok(Self::Closed),
            (VERSION, _) => Err(CallError::Unknown("reply")),
            (version, _) => Err(CallError::Version(version)),
        }
    }
}
