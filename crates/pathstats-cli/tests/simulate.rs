//! What the docs show of `pathstats simulate` is what it says.

// What goes wrong here fails the test, by a panic.
#![allow(clippy::expect_used)]

use std::path::Path;
use std::process::Command;

fn said(arguments: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_pathstats"))
        .args(arguments.split_whitespace())
        .output()
        .expect("the program runs");
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("its output is UTF-8")
}

/// A page with each block that begins with `$ pathstats simulate` filled with what that prints, and how many.
fn filled(page: &str) -> (String, usize) {
    let (mut out, mut inside, mut blocks) = (String::new(), false, 0);
    for line in page.lines() {
        if let Some(arguments) = line.strip_prefix("$ pathstats ").filter(|text| text.starts_with("simulate"))
        {
            out.push_str(line);
            out.push('\n');
            out.push_str(&said(arguments));
            (inside, blocks) = (true, blocks + 1);
            continue;
        }
        inside = inside && line != "```";
        if !inside {
            out.push_str(line);
            out.push('\n');
        }
    }
    (out, blocks)
}

/// `UPDATE_DOCS=1 cargo test -p pathstats-cli --test simulate` writes the pages anew.
#[test]
fn the_docs_show_what_a_simulation_says() {
    for name in ["docs/cost.md", "docs/scaling-runbook.md"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
        let page = std::fs::read_to_string(&path).expect("the page is there");
        let (now, blocks) = filled(&page);
        assert!(blocks > 0, "{name} shows no simulation");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &now).expect("the page can be written");
        } else {
            assert!(now == page, "{name} shows other figures than the program: run with UPDATE_DOCS=1");
        }
    }
}

#[test]
fn a_load_that_cannot_be_is_refused_with_what_can() {
    for (arguments, says) in [
        (["simulate", "--events-per-message=101"], "1 to 100"),
        (["simulate", "--hours-late=99"], "1 to 72"),
        (["simulate", "--window-seconds=5"], "--events-per-day"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_pathstats")).args(arguments).output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && told.contains(says), "{arguments:?}: {told}");
    }
}
