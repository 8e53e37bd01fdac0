//! What is generated from the code, so that it can't tell another story.
//!
//! A generator is a test of the crate that knows the facts: it fails when the file in the repository differs, and writes the file
//! when `DHOW_BLESS` is set. So the crates need no public door for it, and plain `cargo test` finds a stale file too.

use std::path::Path;
use std::process::Command;

use crate::Findings;

/// A file made from code.
struct Generator {
    file: &'static str,
    /// What cargo needs to find the test.
    target: &'static [&'static str],
    test: &'static str,
}

const GENERATORS: [Generator; 2] = [
    Generator {
        file: "docs/cli-reference.md",
        target: &["-p", "dhow", "--bin", "dhow"],
        test: "args::reference::tests::the_file_in_docs_is_current",
    },
    Generator {
        file: "docs/schema/deploy.schema.json",
        target: &["-p", "dhow-config", "--test", "checklist"],
        test: "json_schema::the_file_in_docs_is_current",
    },
];

/// Writes all files anew.
pub(crate) fn write(root: &Path) -> Findings {
    run(root, true)
}

/// Finds files that differ from what the code would write.
pub(crate) fn compare(root: &Path) -> Findings {
    run(root, false)
}

fn run(root: &Path, bless: bool) -> Findings {
    let mut findings = Vec::new();
    for generator in &GENERATORS {
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .current_dir(root)
            .args(["test", "--quiet"])
            .args(generator.target)
            .args(["--", "--exact", generator.test])
            .env_remove("DHOW_BLESS");
        if bless {
            cargo.env("DHOW_BLESS", "1");
        }
        match cargo.output() {
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stdout);
                // A renamed test would pass by not running.
                if !output.status.success() {
                    findings.push(format!(
                        "gen: {} is stale, or its generator failed: run `cargo xtask gen`\n{said}{}",
                        generator.file,
                        String::from_utf8_lossy(&output.stderr),
                    ));
                } else if !said.contains("1 passed") {
                    findings.push(format!(
                        "gen: {}: there is no test `{}`",
                        generator.file, generator.test
                    ));
                } else {
                    println!(
                        "gen: {} {}",
                        generator.file,
                        if bless { "written" } else { "is current" }
                    );
                }
            }
            Err(error) => findings.push(format!("gen: can't run cargo: {error}")),
        }
    }
    findings
}
