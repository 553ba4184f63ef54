//! `pathstats generate`: seeded, realistic traffic, in any format that `replay` reads.

mod args;
mod catalogue;
mod clients;
mod random;
mod shape;
mod traffic;
mod words;
mod writer;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::write::GzEncoder;
use flate2::Compression;
use pathstats_model::client_ip::IpHasher;

use crate::failure::Failure;
use crate::progress::Progress;
use crate::{clock, moment, secrets};

pub use args::GenerateArgs;
use traffic::Traffic;
use writer::LineWriter;

/// What addresses are hashed under when no secret is given: known to all, so for tests only.
const DEMO_SECRET: &str = "pathstats demo secret, for generated traffic only";

/// Where lines go.
enum Output {
    Plain(Box<dyn Write>),
    Gzip(Box<GzEncoder<Box<dyn Write>>>),
}

impl Output {
    fn open(path: &Path) -> io::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::Plain(Box::new(io::stdout().lock())));
        }
        let file: Box<dyn Write> = Box::new(File::create(path)?);
        let gzip = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
        // Level 3: twice as fast as the default for a tenth more bytes.
        Ok(if gzip {
            Self::Gzip(Box::new(GzEncoder::new(file, Compression::new(3))))
        } else {
            Self::Plain(file)
        })
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut out) => out.flush(),
            Self::Gzip(encoder) => encoder.finish()?.flush(),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Gzip(encoder) => encoder.flush(),
        }
    }
}

/// Runs the command.
pub fn run(args: &GenerateArgs) -> Result<(), Failure> {
    let started = clock::instant();
    let plan = args.plan(clock::now_ms())?;
    let (seed, events) = (plan.seed, plan.events);
    let hasher = match secrets::ip_hasher(args.ip_secret_file.as_deref())? {
        Some(hasher) => hasher,
        None => IpHasher::new(DEMO_SECRET).map_err(|error| Failure::new(error.to_string()))?,
    };
    let cannot = |error: io::Error| Failure::cannot(format_args!("write {}", args.out.display()), error);
    let output = Output::open(&args.out).map_err(cannot)?;
    let mut writer = LineWriter::new(BufWriter::with_capacity(1 << 18, output), args.format, hasher, seed);
    let to_file = args.out != Path::new("-");
    let mut progress = Progress::events(events, args.quiet || !to_file);
    let mut written: u64 = 0;
    let result = Traffic::new(plan).each(|hit| {
        written += 1;
        if written.is_multiple_of(4_096) {
            progress.set(written, "");
        }
        writer.write(hit)
    });
    let result = result
        .and_then(|()| writer.into_inner().into_inner().map_err(io::IntoInnerError::into_error)?.finish());
    progress.finish();
    match result {
        // Who reads has enough, as `head` does: no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe && !to_file => return Ok(()),
        other => other.map_err(cannot)?,
    }
    if !args.quiet && to_file {
        let took = moment::in_words(started.elapsed());
        eprintln!("wrote {} events to {} in {took}", moment::grouped(written), args.out.display());
    }
    Ok(())
}
