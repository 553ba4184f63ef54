//! A gzip file member by member, so that an error says in which.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// Decompresses members one after another (RFC 1952 section 2.2).
pub struct Members<R> {
    decoder: Option<GzDecoder<R>>,
    number: u64,
}

impl<R: BufRead> Members<R> {
    /// The members of `source`, of which there is at least one.
    pub fn new(source: R) -> Self {
        Self { decoder: Some(GzDecoder::new(source)), number: 1 }
    }

    fn blame(&self, error: &io::Error) -> io::Error {
        let what = match error.kind() {
            io::ErrorKind::UnexpectedEof => "the file ends within it".to_owned(),
            _ => error.to_string(),
        };
        io::Error::new(error.kind(), format!("gzip member {}: {what}", self.number))
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while let Some(decoder) = &mut self.decoder {
            match decoder.read(buffer) {
                Ok(0) => {}
                Ok(read) => return Ok(read),
                Err(error) => return Err(self.blame(&error)),
            }
            let rest = self.decoder.take().map(GzDecoder::into_inner);
            self.number += 1;
            if let Some(mut rest) = rest {
                if !rest.fill_buf()?.is_empty() {
                    self.decoder = Some(GzDecoder::new(rest));
                }
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> io::Result<String> {
        let mut text = String::new();
        Members::new(bytes).read_to_string(&mut text).map(|_| text)
    }

    #[test]
    fn members_follow_each_other_and_errors_name_theirs() {
        let file = [gzip("a\n"), gzip(""), gzip("b\n")].concat();
        assert_eq!(read(&file).unwrap(), "a\nb\n");
        let cut = read(&file[..file.len() - 3]).unwrap_err().to_string();
        assert_eq!(cut, "gzip member 3: the file ends within it");
        let garbage = [gzip("a\n"), b"garbage behind it".to_vec()].concat();
        assert!(read(&garbage).unwrap_err().to_string().starts_with("gzip member 2: "));
        let mut changed = file;
        let at = changed.len() - 8;
        changed[at] ^= 1;
        assert!(read(&changed).unwrap_err().to_string().starts_with("gzip member 3: "));
    }
}
