//! [`Cells`]: how many events each method had in each class of status.

use serde::{Deserialize, Serialize};

/// The method of an event, as far as statistics tell methods apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
#[repr(u8)]
pub enum Method {
    /// Not told: counted before methods were.
    #[default]
    Unknown = 0,
    /// `GET`.
    Get = 1,
    /// `HEAD`.
    Head = 2,
    /// `POST`.
    Post = 3,
    /// `PUT`.
    Put = 4,
    /// `PATCH`.
    Patch = 5,
    /// `DELETE`.
    Delete = 6,
    /// `OPTIONS`.
    Options = 7,
    /// Any other.
    Other = 8,
}

impl Method {
    /// All of them, by code.
    pub const ALL: [Self; METHODS] = [
        Self::Unknown,
        Self::Get,
        Self::Head,
        Self::Post,
        Self::Put,
        Self::Patch,
        Self::Delete,
        Self::Options,
        Self::Other,
    ];

    /// The method that an event names. Names are case-sensitive (RFC 9110 section 9.1): `get` is
    /// [`Method::Other`].
    #[must_use]
    pub fn of_event(method: &str) -> Self {
        match Self::from_name(method) {
            Some(known) if known != Self::Unknown => known,
            _ => Self::Other,
        }
    }

    /// The method of this name, as [`name`](Self::name) writes it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }

    /// `GET` and so on, `OTHER`, `UNKNOWN`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Other => "OTHER",
        }
    }

    /// What is stored: four bits.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The method of this code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

/// The class of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[repr(u8)]
pub enum StatusClass {
    /// 100 to 199.
    #[serde(rename = "1xx")]
    Informational = 0,
    /// 200 to 299.
    #[serde(rename = "2xx")]
    Successful = 1,
    /// 300 to 399.
    #[serde(rename = "3xx")]
    Redirection = 2,
    /// 400 to 499.
    #[serde(rename = "4xx")]
    ClientError = 3,
    /// 500 to 599.
    #[serde(rename = "5xx")]
    ServerError = 4,
}

impl StatusClass {
    /// All of them, in order.
    pub const ALL: [Self; CLASSES] =
        [Self::Informational, Self::Successful, Self::Redirection, Self::ClientError, Self::ServerError];

    /// The class of a status from 100 to 599.
    #[must_use]
    pub fn of_status(status: u16) -> Option<Self> {
        Self::ALL.get(usize::from(status / 100).wrapping_sub(1)).copied()
    }

    /// The class of this name, as [`name`](Self::name) writes it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// `1xx` to `5xx`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Informational => "1xx",
            Self::Successful => "2xx",
            Self::Redirection => "3xx",
            Self::ClientError => "4xx",
            Self::ServerError => "5xx",
        }
    }

    /// Whether a status of this class is counted as an error.
    #[must_use]
    pub const fn is_error(self) -> bool {
        matches!(self, Self::ClientError | Self::ServerError)
    }
}

/// Methods that are told apart.
const METHODS: usize = 9;

/// Classes of status.
const CLASSES: usize = 5;

/// Most bytes of a count: 64 bits, seven to a byte.
const MAX_COUNT_BYTES: usize = 10;

/// Exact counts by method and class of status. Only events are counted, not what sampled events
/// stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cells([[u64; CLASSES]; METHODS]);

/// Why bytes are not cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CellsError {
    /// They end too early.
    #[error("they are cut short")]
    Truncated,
    /// A cell that there is none of, one that is out of order, or a count that is written otherwise
    /// than it should be.
    #[error("cell {0} is not as it should be")]
    Cell(usize),
}

impl Cells {
    /// Most bytes of the binary form.
    pub const MAX_BYTES: usize = 1 + METHODS * CLASSES * (1 + MAX_COUNT_BYTES);

    /// Events of a method and a class.
    #[must_use]
    pub fn get(&self, method: Method, class: StatusClass) -> u64 {
        self.0.get(usize::from(method.code())).and_then(|row| row.get(class as usize)).copied().unwrap_or(0)
    }

    /// Adds events of a method and a class.
    pub fn add(&mut self, method: Method, class: StatusClass, events: u64) {
        let row = self.0.get_mut(usize::from(method.code()));
        if let Some(count) = row.and_then(|row| row.get_mut(class as usize)) {
            *count += events;
        }
    }

    /// Adds other cells.
    pub fn merge(&mut self, other: &Self) {
        for (method, class, events) in other.iter() {
            self.add(method, class, events);
        }
    }

    /// What is not zero, by method and then by class.
    pub fn iter(&self) -> impl Iterator<Item = (Method, StatusClass, u64)> + '_ {
        Method::ALL
            .into_iter()
            .flat_map(|method| StatusClass::ALL.into_iter().map(move |class| (method, class)))
            .map(|(method, class)| (method, class, self.get(method, class)))
            .filter(|(_, _, events)| *events > 0)
    }

    /// Events of a filter: of one method or all, of one class or all.
    #[must_use]
    pub fn events(&self, method: Option<Method>, class: Option<StatusClass>) -> u64 {
        total(self.filtered(method, class))
    }

    /// Events of a filter that are errors.
    #[must_use]
    pub fn errors(&self, method: Option<Method>, class: Option<StatusClass>) -> u64 {
        total(self.filtered(method, class).filter(|(_, class, _)| class.is_error()))
    }

    /// Events by class, `1xx` first: of one method or of all.
    #[must_use]
    pub fn by_class(&self, method: Option<Method>) -> [u64; CLASSES] {
        StatusClass::ALL.map(|class| self.events(method, Some(class)))
    }

    fn filtered(
        &self,
        method: Option<Method>,
        class: Option<StatusClass>,
    ) -> impl Iterator<Item = (Method, StatusClass, u64)> + '_ {
        self.iter().filter(move |(own, of, _)| {
            method.is_none_or(|method| method == *own) && class.is_none_or(|class| class == *of)
        })
    }

    /// Appends the one binary form of these cells: how many are not zero (1 byte), then each, in the
    /// order of [`iter`](Self::iter): the method's code in the high four bits and the class in the
    /// low ones (1 byte), and the count as LEB128 of the fewest bytes.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let at = out.len();
        out.push(0);
        let mut cells = 0;
        for (method, class, mut events) in self.iter() {
            cells += 1;
            out.push(method.code() << 4 | class as u8);
            while events > 0x7f {
                out.push(events.to_le_bytes()[0] | 0x80);
                events >>= 7;
            }
            out.push(events.to_le_bytes()[0]);
        }
        if let Some(first) = out.get_mut(at) {
            *first = cells;
        }
    }

    /// Takes cells from the front of `bytes`. Refuses every form but the one that is written, so
    /// that equal bytes are equal cells and the other way round.
    pub(crate) fn decode(bytes: &mut &[u8]) -> Result<Self, CellsError> {
        let mut cells = Self::default();
        let mut last = None;
        for at in 0..usize::from(take(bytes)?) {
            let wrong = CellsError::Cell(at);
            let key = take(bytes)?;
            if last.is_some_and(|last| last >= key) {
                return Err(wrong);
            }
            last = Some(key);
            let method = Method::from_code(key >> 4).ok_or(wrong)?;
            let class = StatusClass::ALL.get(usize::from(key & 0xf)).copied().ok_or(wrong)?;
            cells.add(method, class, decode_count(bytes)?.filter(|events| *events > 0).ok_or(wrong)?);
        }
        Ok(cells)
    }
}

/// Counts of events never come near 2^64; bytes that are no counts may.
fn total(cells: impl Iterator<Item = (Method, StatusClass, u64)>) -> u64 {
    cells.fold(0, |sum, (_, _, events)| sum.saturating_add(events))
}

/// A LEB128 number; `None` when it is longer than it need be, or than 64 bits.
fn decode_count(bytes: &mut &[u8]) -> Result<Option<u64>, CellsError> {
    let mut count = 0u64;
    for place in 0..MAX_COUNT_BYTES {
        let byte = take(bytes)?;
        let bits = u64::from(byte & 0x7f) << (7 * place);
        let too_large = bits >> (7 * place) != u64::from(byte & 0x7f);
        count |= bits;
        if byte & 0x80 == 0 {
            let too_long = byte == 0 && place > 0;
            return Ok((!too_large && !too_long).then_some(count));
        }
    }
    Ok(None)
}

fn take(bytes: &mut &[u8]) -> Result<u8, CellsError> {
    let (first, rest) = bytes.split_first().ok_or(CellsError::Truncated)?;
    *bytes = rest;
    Ok(*first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_cells() -> impl Strategy<Value = Cells> {
        let count = prop_oneof![3 => Just(0), 3 => 1u64..300, 1 => 0u64..u64::MAX / 100];
        proptest::array::uniform9(proptest::array::uniform5(count)).prop_map(Cells)
    }

    fn bytes(cells: &Cells) -> Vec<u8> {
        let mut out = Vec::new();
        cells.encode(&mut out);
        out
    }

    #[test]
    fn names_and_codes_read_back() {
        for method in Method::ALL {
            assert_eq!(Method::from_name(method.name()), Some(method));
            assert_eq!(Method::from_code(method.code()), Some(method));
        }
        assert_eq!(Method::from_code(9), None);
        for (status, name) in [(100, "1xx"), (299, "2xx"), (304, "3xx"), (400, "4xx"), (599, "5xx")] {
            let class = StatusClass::of_status(status).unwrap();
            assert_eq!((class.name(), StatusClass::from_name(name)), (name, Some(class)));
            assert_eq!(class.is_error(), status >= 400);
        }
        assert_eq!((StatusClass::of_status(99), StatusClass::of_status(600)), (None, None));
    }

    #[test]
    fn what_an_event_names_is_known_or_other() {
        for (name, method) in [
            ("GET", Method::Get),
            ("OPTIONS", Method::Options),
            ("get", Method::Other),
            ("PROPFIND", Method::Other),
            ("UNKNOWN", Method::Other),
        ] {
            assert_eq!(Method::of_event(name), method, "{name}");
        }
    }

    #[test]
    fn the_binary_form_is_pinned() {
        let mut cells = Cells::default();
        cells.add(Method::Get, StatusClass::Successful, 300);
        cells.add(Method::Other, StatusClass::ServerError, 1);
        cells.add(Method::Unknown, StatusClass::Informational, 0);
        assert_eq!(bytes(&cells), [2, 0x11, 0xac, 0x02, 0x84, 0x01]);
        assert_eq!(bytes(&Cells::default()), [0]);
    }

    #[test]
    fn every_other_form_is_refused() {
        for (wrong, error) in [
            (&[][..], CellsError::Truncated),
            (&[1, 0x11][..], CellsError::Truncated),
            (&[1, 0x11, 0x80][..], CellsError::Truncated),
            (&[1, 0x11, 0][..], CellsError::Cell(0)),
            (&[1, 0x11, 0x81, 0][..], CellsError::Cell(0)),
            (&[1, 0x15, 1][..], CellsError::Cell(0)),
            (&[1, 0x91, 1][..], CellsError::Cell(0)),
            (&[2, 0x11, 1, 0x11, 1][..], CellsError::Cell(1)),
            (&[2, 0x12, 1, 0x11, 1][..], CellsError::Cell(1)),
            (&[1, 0x11, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2][..], CellsError::Cell(0)),
        ] {
            assert_eq!(Cells::decode(&mut &*wrong), Err(error), "{wrong:?}");
        }
    }

    #[test]
    fn filters_take_of_a_method_and_a_class_or_of_all() {
        let mut cells = Cells::default();
        cells.add(Method::Get, StatusClass::Successful, 5);
        cells.add(Method::Get, StatusClass::ServerError, 2);
        cells.add(Method::Post, StatusClass::ServerError, 3);
        let server = Some(StatusClass::ServerError);
        assert_eq!((cells.events(None, None), cells.errors(None, None)), (10, 5));
        assert_eq!((cells.events(Some(Method::Get), None), cells.errors(Some(Method::Get), None)), (7, 2));
        assert_eq!((cells.events(None, server), cells.events(Some(Method::Put), server)), (5, 0));
        assert_eq!(cells.by_class(Some(Method::Get)), [0, 5, 0, 0, 2]);
        assert_eq!(cells.by_class(None), [0, 5, 0, 0, 5]);
    }

    proptest! {
        #[test]
        fn cells_read_back_as_they_were_written_and_no_longer_than_said(cells in any_cells()) {
            let written = bytes(&cells);
            prop_assert!(written.len() <= Cells::MAX_BYTES);
            let mut rest = written.as_slice();
            prop_assert_eq!(Cells::decode(&mut rest), Ok(cells));
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn any_bytes_are_cells_of_that_form_or_refused(any in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut rest = any.as_slice();
            if let Ok(cells) = Cells::decode(&mut rest) {
                prop_assert_eq!(bytes(&cells), &any[..any.len() - rest.len()]);
            }
        }

        #[test]
        fn merging_is_addition(a in any_cells(), b in any_cells(), c in any_cells()) {
            let sum = |cells: [&Cells; 3]| {
                let mut sum = Cells::default();
                for cells in cells {
                    sum.merge(cells);
                }
                sum
            };
            let all = sum([&a, &b, &c]);
            prop_assert_eq!(sum([&c, &sum([&a, &b, &Cells::default()]), &Cells::default()]), all);
            prop_assert_eq!(all.events(None, None), [a, b, c].iter().map(|cells| cells.events(None, None)).sum::<u64>());
        }
    }
}
