//! `cargo xtask`: checks on the repository itself, and what is generated from the code.
//!
//! In: the command's words and the files of the repository. Out: lines on stdout, files in `docs/`, an exit code: 0 when all is
//! well, 1 when a check failed, 2 when the command was called wrongly.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal"
)]

mod generate;
mod layers;
mod links;
mod mutations;
mod parity;
mod purity;
mod sources;
mod tree;

use std::process::ExitCode;

use parity::ListName;

const USAGE: &str = "usage: cargo xtask COMMAND

  check                    layers, sources, purity, links, parity --strict config, gen --check
  layers                   crates depend only on those below them
  sources                  length, heads and names of source files
  purity                   libraries in the middle do not touch the outside world
  links                    links between documents lead somewhere
  gen [--check]            write (or compare) what is generated from the code: docs/cli-reference.md
  mutations [FILTER]       spoil the code place by place; the named tests must fail. Writes docs/mutations.md. With FILTER only
                           those whose group, file or test contains it
  parity [--check]         write (or compare) which test shows which item of docs/parity/*.md
  parity --strict LIST     fail when an item of LIST (config, commands or proxy) has no test
";

/// What a command ends with when it does not end well: every finding is one line, or several.
pub(crate) type Findings = Vec<String>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let root = tree::root();
    let findings = match words.as_slice() {
        ["check"] => {
            let mut findings = layers::check(&root);
            findings.extend(sources::check(&root));
            findings.extend(purity::check(&root));
            findings.extend(links::check(&root));
            findings.extend(parity::strict(&root, ListName::Config));
            findings.extend(generate::compare(&root));
            findings
        }
        ["layers"] => layers::check(&root),
        ["sources"] => sources::check(&root),
        ["links"] => links::check(&root),
        ["purity"] => purity::check(&root),
        ["gen"] => generate::write(&root),
        ["gen", "--check"] => generate::compare(&root),
        ["mutations"] => mutations::run(&root, ""),
        ["mutations", filter] => mutations::run(&root, filter),
        ["parity"] => parity::write(&root),
        ["parity", "--check"] => parity::compare(&root),
        ["parity", "--strict", list] => match ListName::from_word(list) {
            Some(list) => parity::strict(&root, list),
            None => return usage(),
        },
        _ => return usage(),
    };
    for finding in &findings {
        eprintln!("xtask: {finding}");
    }
    if findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn usage() -> ExitCode {
    eprint!("{USAGE}");
    ExitCode::from(2)
}
