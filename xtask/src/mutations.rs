//! `cargo xtask mutations`: proof that tests would notice. Each entry of `xtask/mutations.json` spoils one place of the code, and one
//! named test must fail then.
//!
//! In: the list and the repository's files. Out: `docs/mutations.md`, and a finding for each mutation that survives. It works on a copy
//! of the files and has a build folder of its own: cargo would take what is built there for what is built here, and the other way round.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Findings;

/// A spoilt program may run for ever; it has failed its test then.
const LONGEST: Duration = Duration::from_secs(900);

/// One entry of the list.
struct Mutation {
    /// A heading of the proxy's checklist.
    group: String,
    /// Relative to the root.
    file: String,
    /// What is there, exactly once.
    find: String,
    /// What is put there.
    replace: String,
    /// The crate of the test.
    package: String,
    /// The program of that crate's `tests` folder that the test is in; empty for a unit test.
    program: String,
    /// Its name, with modules.
    test: String,
}

/// What became of a test.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Passed,
    Failed,
    /// It did not run: the code does not compile, or there is no such test.
    Absent,
}

/// Runs all mutations, or those alone whose group, file or test `filter` is part of, and writes the table. Of the others the page's
/// rows stay.
pub(crate) fn run(root: &Path, filter: &str) -> Findings {
    match attempt(root, filter) {
        Ok(findings) => findings,
        Err(error) => vec![format!("mutations: {error}")],
    }
}

fn attempt(root: &Path, filter: &str) -> Result<Findings, Box<dyn std::error::Error>> {
    let list = read(&root.join("xtask/mutations.json"))?;
    let page = root.join("docs/mutations.md");
    let known = fs::read_to_string(&page).unwrap_or_default();
    let copy = root.join("target/mutations/tree");
    copy_tracked(root, &copy)?;
    let mut findings = Findings::new();
    let mut table = String::new();
    for mutation in &list {
        let name = format!("{}: {}", mutation.group, mutation.test);
        if !mutation.is_meant(filter) {
            let row = row(mutation, "killed");
            if !known.lines().any(|line| line == row) {
                findings.push(format!("mutations: {name}: not run yet"));
                continue;
            }
            writeln!(table, "{row}")?;
            continue;
        }
        let path = copy.join(&mutation.file);
        let before = fs::read_to_string(&path)?;
        if before.matches(&mutation.find).count() != 1 {
            findings.push(format!(
                "mutations: {name}: the text to replace is not there once"
            ));
            continue;
        }
        fs::write(&path, before.replacen(&mutation.find, &mutation.replace, 1))?;
        let outcome = test(root, &copy, mutation);
        fs::write(&path, before)?;
        let word = match outcome? {
            Verdict::Failed => "killed",
            Verdict::Passed => "survived",
            Verdict::Absent => "did not run",
        };
        println!("{word:12} {name}");
        if word != "killed" {
            findings.push(format!("mutations: {name}: {word}"));
        }
        writeln!(table, "{}", row(mutation, word))?;
    }
    // The same tests must pass as the code is, or they would prove nothing.
    let mut passed = BTreeSet::new();
    for mutation in list.iter().filter(|mutation| mutation.is_meant(filter)) {
        if !passed.insert((&mutation.package, &mutation.test)) {
            continue;
        }
        if test(root, &copy, mutation)? != Verdict::Passed {
            findings.push(format!(
                "mutations: {} fails without a mutation",
                mutation.test
            ));
        }
    }
    let killed = table.matches("| killed |").count();
    let text = format!(
        "# Mutations\n\nWhat `cargo xtask mutations` found when it last ran: each line is a change that breaks the proxy (they are in\n\
         [xtask/mutations.json](../xtask/mutations.json), by their text's number here), and the test that must fail with it.\n\
         Groups are those of [the proxy's checklist](parity/proxy.md). Killed: {killed} of {}.\n\n\
         | group | file | change | test | outcome |\n|---|---|---|---|---|\n{table}",
        list.len()
    );
    fs::write(page, text)?;
    Ok(findings)
}

impl Mutation {
    fn is_meant(&self, filter: &str) -> bool {
        let texts = [&self.group, &self.file, &self.program, &self.test];
        texts.iter().any(|text| text.contains(filter))
    }

    /// A number that changes with what is replaced, and by what (FNV-1a).
    fn number(&self) -> u32 {
        let bytes = self.find.bytes().chain([0]).chain(self.replace.bytes());
        bytes.fold(0x811c_9dc5, |number, byte| {
            (number ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        })
    }
}

fn row(mutation: &Mutation, word: &str) -> String {
    let Mutation {
        group,
        file,
        package,
        program,
        test,
        ..
    } = mutation;
    let space = if program.is_empty() { "" } else { " " };
    let number = mutation.number();
    format!(
        "| {group} | `{file}` | `{number:08x}` | `{package}{space}{program}` `{test}` | {word} |"
    )
}

fn read(path: &Path) -> Result<Vec<Mutation>, Box<dyn std::error::Error>> {
    let list: Value = serde_json::from_str(&fs::read_to_string(path)?)?;
    let entries = list.as_array().ok_or("the list is no list")?;
    entries
        .iter()
        .map(|entry| {
            let text = |key: &str| match entry[key].as_str() {
                Some(text) => Ok(text.to_owned()),
                None => Err(format!("an entry without `{key}`")),
            };
            Ok(Mutation {
                group: text("group")?,
                file: text("file")?,
                find: text("find")?,
                replace: text("replace")?,
                package: text("package")?,
                program: entry["program"].as_str().unwrap_or_default().to_owned(),
                test: text("test")?,
            })
        })
        .collect()
}

/// Copies what git knows, in the state it is in.
fn copy_tracked(root: &Path, copy: &Path) -> Result<(), Box<dyn std::error::Error>> {
    if copy.exists() {
        fs::remove_dir_all(copy)?;
    }
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root)
        .output()?;
    for file in String::from_utf8(listed.stdout)?.split_terminator('\0') {
        let (from, to) = (root.join(file), copy.join(file));
        if from.is_file() {
            fs::create_dir_all(to.parent().unwrap_or(copy))?;
            fs::copy(from, to)?;
        }
    }
    Ok(())
}

fn test(root: &Path, copy: &Path, mutation: &Mutation) -> io::Result<Verdict> {
    let output = root.join("target/mutations/output");
    let cargo = |verb: &str| -> io::Result<Command> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .args([verb, "--locked", "--package", &mutation.package])
            .arg("--target-dir")
            .arg(root.join("target/mutations/build"))
            .current_dir(copy)
            .stdout(File::create(&output)?)
            .stderr(Stdio::null());
        Ok(command)
    };
    let mut tests = cargo("test")?;
    if mutation.program.is_empty() {
        tests.arg("--lib");
    } else {
        // What such tests start is an example, which a named test program alone does not have built.
        if !cargo("build")?.arg("--examples").status()?.success() {
            return Ok(Verdict::Absent);
        }
        tests.args(["--test", &mutation.program]);
    }
    let mut child = tests.args(["--", "--exact", &mutation.test]).spawn()?;
    let begun = Instant::now();
    while child.try_wait()?.is_none() {
        if begun.elapsed() > LONGEST {
            child.kill()?;
            child.wait()?;
            return Ok(Verdict::Failed);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let text = fs::read_to_string(&output)?;
    let line = |word: &str| text.contains(&format!("test {} ... {word}", mutation.test));
    Ok(if line("ok") {
        Verdict::Passed
    } else if line("FAILED") {
        Verdict::Failed
    } else {
        Verdict::Absent
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_still_fits_the_code() {
        let root = crate::tree::root();
        let list = read(&root.join("xtask/mutations.json")).unwrap();
        for Mutation {
            file,
            find,
            replace,
            test,
            ..
        } in &list
        {
            let text = fs::read_to_string(root.join(file)).unwrap();
            assert_eq!(text.matches(find.as_str()).count(), 1, "{file}: {find}");
            assert_ne!(find, replace);
            let name = test.rsplit("::").next().unwrap();
            assert!(!name.is_empty());
        }
        let numbers: BTreeSet<_> = list.iter().map(Mutation::number).collect();
        assert_eq!(numbers.len(), list.len(), "one is there twice");
        let groups: BTreeSet<_> = list.iter().map(|entry| &entry.group).collect();
        assert!(groups.len() >= 12, "{groups:?}");
    }
}
