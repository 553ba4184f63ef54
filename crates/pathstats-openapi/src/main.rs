//! Writes the OpenAPI document and the reference into the tree.

use std::error::Error;
use std::path::Path;

use pathstats_openapi::{document, document_text, reference, DOCUMENT_FILE, REFERENCE_FILE};

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (file, text) in [(DOCUMENT_FILE, document_text()?), (REFERENCE_FILE, reference(&document()))] {
        std::fs::write(root.join(file), &text).map_err(|error| format!("{file}: {error}"))?;
        println!("{file}: {} bytes", text.len());
    }
    Ok(())
}
