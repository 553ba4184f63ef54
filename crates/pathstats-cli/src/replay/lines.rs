//! Lines of a file, gzip or plain, in constant memory.

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;

/// Longest line, in bytes. Longer ones are counted as not parsed.
pub const MAX_LINE_BYTES: usize = 64 * 1024;
/// How much of a file's beginning is looked at to tell its format.
const HEAD_BYTES: u64 = 64 * 1024;
/// The first bytes of a gzip file (RFC 1952 section 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Counts the bytes that are read, compressed as they are.
struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// How a line came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineRead {
    /// Whole.
    Whole,
    /// Its beginning only: the line is longer than [`MAX_LINE_BYTES`].
    TooLong,
}

/// Reads lines from a file.
pub struct Lines {
    reader: Box<dyn BufRead>,
    head: Vec<u8>,
}

impl Lines {
    /// Lines of `source`, decompressed when it begins as gzip does. Bytes read are added to `count`.
    pub fn new(source: impl Read + 'static, count: Arc<AtomicU64>) -> io::Result<Self> {
        let mut raw = BufReader::with_capacity(1 << 17, Counted { inner: source, count });
        let gzip = raw.fill_buf()?.starts_with(&GZIP_MAGIC);
        let mut reader: Box<dyn BufRead> = if gzip {
            Box::new(BufReader::with_capacity(1 << 17, MultiGzDecoder::new(raw)))
        } else {
            Box::new(raw)
        };
        let mut head = Vec::new();
        // A file that breaks within its head still gives the lines before: the error comes again later.
        let broken = reader.by_ref().take(HEAD_BYTES).read_to_end(&mut head).err();
        let rest: Box<dyn BufRead> = match broken {
            Some(error) => Box::new(BufReader::new(Broken(Some(error)))),
            None => reader,
        };
        Ok(Self { reader: Box::new(Cursor::new(head.clone()).chain(rest)), head })
    }

    /// The file's beginning, as text.
    pub fn head(&self) -> String {
        String::from_utf8_lossy(&self.head).into_owned()
    }

    /// Reads the next line into `line`, without its line break; `None` at the end.
    pub fn next(&mut self, line: &mut Vec<u8>) -> io::Result<Option<LineRead>> {
        line.clear();
        let mut any = false;
        let mut too_long = false;
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                break;
            }
            any = true;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let part = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
            let room = MAX_LINE_BYTES - line.len();
            too_long |= part.len() > room;
            line.extend_from_slice(part.get(..room).unwrap_or(part));
            let used = part.len() + usize::from(end.is_some());
            self.reader.consume(used);
            if end.is_some() {
                break;
            }
        }
        if !any {
            return Ok(None);
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some(if too_long { LineRead::TooLong } else { LineRead::Whole }))
    }
}

/// Gives an error that was met before.
struct Broken(Option<io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn lines(bytes: Vec<u8>) -> Vec<(String, LineRead)> {
        let mut lines = Lines::new(Cursor::new(bytes), Arc::default()).unwrap();
        let mut line = Vec::new();
        let mut all = Vec::new();
        while let Some(read) = lines.next(&mut line).unwrap() {
            all.push((String::from_utf8(line.clone()).unwrap(), read));
        }
        all
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn plain_and_gzip_give_the_same_lines() {
        let whole = |text: &str| (text.to_owned(), LineRead::Whole);
        assert_eq!(lines(b"a\r\n\nb".to_vec()), [whole("a"), whole(""), whole("b")]);
        let members = [gzip("a\n"), gzip("b\nc")].concat();
        assert_eq!(lines(members), [whole("a"), whole("b"), whole("c")]);
        assert!(lines(Vec::new()).is_empty());
    }

    #[test]
    fn a_line_too_long_is_cut_and_the_next_one_is_whole() {
        let text = format!("{}\nb\n{}", "x".repeat(MAX_LINE_BYTES * 3), "y".repeat(MAX_LINE_BYTES));
        let all = lines(text.into_bytes());
        assert_eq!(
            all.iter().map(|(text, read)| (text.len(), *read)).collect::<Vec<_>>(),
            [(MAX_LINE_BYTES, LineRead::TooLong), (1, LineRead::Whole), (MAX_LINE_BYTES, LineRead::Whole),]
        );
    }

    #[test]
    fn a_gzip_file_cut_short_gives_its_lines_and_then_an_error() {
        let mut bytes = gzip("a\nb\n");
        bytes.truncate(bytes.len() - 4);
        let mut lines = Lines::new(Cursor::new(bytes), Arc::default()).unwrap();
        let mut line = Vec::new();
        assert!(lines.next(&mut line).unwrap().is_some());
        assert!(lines.next(&mut line).unwrap().is_some());
        assert!(lines.next(&mut line).is_err());
    }
}
