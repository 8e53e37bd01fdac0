//! Libraries in the middle get values and give values: they never read the environment, the clock, files, sockets or a terminal.
//!
//! In: the sources of those crates, without their tests. Out: every mention of the outside world. Text is searched, not types: the
//! point is to notice, and whoever renames an import to get around it knows what they do.

use std::collections::BTreeSet;
use std::path::Path;

use crate::Findings;
use crate::tree::{Source, sources};

/// Crates that are pure.
const PURE: [&str; 7] = [
    "text",
    "config",
    "proxy-api",
    "commands",
    "plan",
    "image",
    "report",
];

/// How the outside world is written.
const OUTSIDE: [&str; 18] = [
    "std::env::",
    "env::var",
    "env::args",
    "std::fs",
    "fs::read",
    "fs::write",
    "std::net::Tcp",
    "std::net::Udp",
    "std::os::unix::net",
    "std::process::",
    "std::thread",
    "io::stdin",
    "io::stdout",
    "io::stderr",
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "tokio::",
];

/// Runs the check on the sources below `root`.
pub(crate) fn check(root: &Path) -> Findings {
    match sources(root) {
        Ok(sources) => {
            let findings = violations(&sources);
            println!("purity: {} crates, {} findings", PURE.len(), findings.len());
            findings
        }
        Err(error) => vec![error],
    }
}

fn violations(sources: &[Source]) -> Findings {
    let pure: Vec<&Source> = sources
        .iter()
        .filter(|source| {
            PURE.iter()
                .any(|name| source.path.starts_with(&format!("crates/{name}/src/")))
        })
        .collect();
    let test_modules: BTreeSet<String> = pure
        .iter()
        .flat_map(|source| test_modules(source))
        .collect();
    let mut findings = Vec::new();
    for source in pure {
        let stem = source.path.trim_end_matches(".rs").trim_end_matches("/mod");
        if test_modules
            .iter()
            .any(|module| stem == module || stem.starts_with(&format!("{module}/")))
        {
            continue;
        }
        for (at, line) in shipped(&source.text) {
            let code = line.split("//").next().unwrap_or_default();
            if let Some(word) = OUTSIDE.iter().find(|word| code.contains(*word)) {
                findings.push(format!(
                    "purity: {}:{at}: `{word}` is for the edge (cli, ssh, run, proxy): take the value as an argument",
                    source.path
                ));
            }
        }
    }
    findings
}

/// Numbered lines before the tests, which stand last.
fn shipped(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines: Vec<&str> = text.lines().collect();
    let end = (0..lines.len())
        .find(|at| {
            lines[*at] == "#[cfg(test)]"
                && lines
                    .get(at + 1)
                    .is_some_and(|next| next.starts_with("mod ") && next.ends_with('{'))
        })
        .unwrap_or(lines.len());
    (1..).zip(lines).take(end)
}

/// Paths (without `.rs`) of the modules that a source declares for its tests.
fn test_modules(source: &Source) -> Vec<String> {
    let stem = source.path.trim_end_matches(".rs");
    let folder = match stem.rsplit_once('/') {
        Some((folder, "lib" | "mod" | "main")) => folder,
        _ => stem,
    };
    let lines: Vec<&str> = source.text.lines().collect();
    lines
        .windows(2)
        .filter(|pair| pair[0] == "#[cfg(test)]")
        .filter_map(|pair| {
            let name = pair[1].split_once("mod ")?.1.strip_suffix(';')?;
            Some(format!("{folder}/{name}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Findings {
        let sources: Vec<Source> = files
            .iter()
            .map(|(path, text)| Source {
                path: (*path).to_owned(),
                text: (*text).to_owned(),
            })
            .collect();
        violations(&sources)
    }

    #[test]
    fn the_outside_world_is_noticed() {
        let text = "//! Like std::fs, but\nfn f() {\n    let t = Instant::now(); // now\n}\n";
        let said = found(&[("crates/plan/src/a.rs", text)]);
        assert_eq!(said.len(), 1);
        assert!(said[0].contains("crates/plan/src/a.rs:3: `Instant::now`"));
        assert_eq!(found(&[("crates/ssh/src/a.rs", text)]), Findings::new());
    }

    #[test]
    fn tests_may_read_what_they_need() {
        let reading = "use std::fs;\n";
        assert_eq!(
            found(&[
                ("crates/plan/src/lib.rs", "#[cfg(test)]\nmod golden;\n"),
                ("crates/plan/src/golden.rs", reading),
                ("crates/plan/src/a.rs", "#[cfg(test)]\nmod tests;\n"),
                ("crates/plan/src/a/tests.rs", reading),
                (
                    "crates/plan/src/b.rs",
                    "#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n"
                ),
                ("crates/plan/tests/c.rs", reading),
            ]),
            Findings::new()
        );
        assert_eq!(found(&[("crates/plan/src/golden.rs", reading)]).len(), 1);
    }
}
