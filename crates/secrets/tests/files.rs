//! Secrets files as people write them, with a shell beside them and password managers that answer as the real ones do.
//!
//! All of what Ruby's dotenv makes of lines is in `vectors/dotenv`.

use std::collections::HashMap;
use std::process::Command;

use dhow_secrets::{Invocation, NotFound, Output, Outside, Runner, Secrets, SecretsError, inline};
use dhow_text::dotenv::{CommandFailure, CommandOutput, Expander};
use dhow_text::redact::Secret;
use dhow_text::shell::direct_argv;

/// Files in memory, an environment, and this machine's `sh`.
#[derive(Default)]
struct Place {
    files: HashMap<String, String>,
    env: HashMap<String, String>,
}

impl Expander for Place {
    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }

    fn command(&mut self, line: &str) -> Result<CommandOutput, CommandFailure> {
        let mut command = match direct_argv(line).as_deref() {
            Some([program, arguments @ ..]) => {
                let mut command = Command::new(program);
                command.args(arguments);
                command
            }
            _ => {
                let mut command = Command::new("sh");
                command.args(["-c", line]);
                command
            }
        };
        let output = command.output().map_err(|_| CommandFailure::NotFound {
            program: line.split(' ').next().unwrap_or_default().to_owned(),
        })?;
        Ok(CommandOutput {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            success: output.status.success(),
        })
    }

    fn secrets(&mut self, argv: &[String]) -> Result<String, String> {
        let value = inline(argv, &mut LastPass);
        value
            .map(|value| value.reveal().to_owned())
            .map_err(|error| error.to_string())
    }
}

impl Outside for Place {
    fn read_file(&mut self, path: &str) -> Result<Option<String>, String> {
        Ok(self.files.get(path).cloned())
    }
}

/// What every value has to come through.
const HARD: &str = "a \"b\" 'c' (d) \\e $f `g` #h\ni|j;k\\n";

/// `lpass`, logged in, whose items hold [`HARD`]; any other call fails the test.
struct LastPass;

impl Runner for LastPass {
    fn run(&mut self, invocation: &Invocation) -> Result<Output, NotFound> {
        let words: Vec<&str> = invocation.argv.iter().map(String::as_str).collect();
        let stdout = match words.as_slice() {
            ["lpass", "--version"] => "LastPass CLI v1.3\n".to_owned(),
            ["lpass", "status", "--color", "never"] => "Logged in as me@x.\n".to_owned(),
            ["lpass", "show", names @ .., "--json"] => {
                let items: Vec<serde_json::Value> = names
                    .iter()
                    .map(|name| serde_json::json!({ "fullname": name, "password": HARD }))
                    .collect();
                serde_json::Value::from(items).to_string()
            }
            other => panic!("not expected: {other:?}"),
        };
        Ok(Output {
            stdout: Secret::new(stdout),
            success: true,
        })
    }

    fn env(&self, _name: &str) -> Option<String> {
        None
    }
}

fn secrets(path: &str, destination: Option<&str>, files: &[(&str, &str)]) -> Secrets<Place> {
    let place = Place {
        files: files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect(),
        env: HashMap::from([
            ("OUTER".to_owned(), "outer".to_owned()),
            ("A".to_owned(), "env".to_owned()),
        ]),
    };
    Secrets::new(path, destination, place)
}

/// All of one file, as `NAME=value` lines.
#[track_caller]
fn read(text: &str) -> String {
    match secrets("s", None, &[("s", text)]).print() {
        Ok(lines) => lines.reveal().to_owned(),
        Err(error) => panic!("{text:?}: {error}"),
    }
}

#[track_caller]
fn all(cases: &[(&str, &str)]) {
    for (text, lines) in cases {
        assert_eq!(read(text), *lines, "{text:?}");
    }
}

fn error(text: &str) -> SecretsError {
    match secrets("s", None, &[("s", text)]).get("A") {
        Ok(_) => panic!("{text:?} is fine"),
        Err(error) => error,
    }
}

#[test]
fn item_16_01_which_files_are_read() {
    let files = [
        (".kamal/secrets-common", "C=common\n"),
        (".kamal/secrets", "P=plain\n"),
        (".kamal/secrets.st", "S=st\n"),
        ("ops/keys-common", "C=own common\n"),
        ("ops/keys.st", "S=own\n"),
    ];
    let printed = |path, destination| {
        let secrets = secrets(path, destination, &files);
        secrets.print().unwrap().reveal().to_owned()
    };
    assert_eq!(printed(".kamal/secrets", None), "C=common\nP=plain\n");
    assert_eq!(
        printed(".kamal/secrets", Some("st")),
        "C=common\nS=st\n",
        "the plain file is not read"
    );
    assert_eq!(printed(".kamal/secrets", Some("prod")), "C=common\n");
    assert_eq!(printed("ops/keys", Some("st")), "C=own common\nS=own\n");
}

#[test]
fn item_16_02_what_is_not_found() {
    let message = |destination, files: &[(&str, &str)]| {
        let error = secrets(".kamal/secrets", destination, files).get("X");
        let error = error.unwrap_err();
        assert_eq!(error.class(), "Kamal::ConfigurationError");
        error.to_string()
    };
    assert_eq!(
        message(
            None,
            &[(".kamal/secrets", "Y=1\n"), (".kamal/secrets-common", "")]
        ),
        "Secret 'X' not found in .kamal/secrets-common, .kamal/secrets"
    );
    assert_eq!(
        message(None, &[(".kamal/secrets", "Y=1\n")]),
        "Secret 'X' not found in .kamal/secrets"
    );
    assert_eq!(
        message(None, &[]),
        "Secret 'X' not found, no secret files (.kamal/secrets-common, .kamal/secrets) provided"
    );
    assert_eq!(
        message(Some("st"), &[(".kamal/secrets", "X=1\n")]),
        "Secret 'X' not found, no secret files (.kamal/secrets-common, .kamal/secrets.st) provided"
    );
    let empty = secrets("s", None, &[("s", "X=\n")]);
    assert_eq!(empty.get("X").unwrap().reveal(), "", "empty is a value");
}

#[test]
fn items_16_03_and_17_04_the_specific_file_wins_and_sees_nothing_of_the_other() {
    let secrets = secrets(
        "s",
        None,
        &[
            ("s-common", "A=common\nB=common\n"),
            ("s", "C=$B-$OUTER\nB=own\nD=$B\n"),
        ],
    );
    assert_eq!(
        secrets.print().unwrap().reveal(),
        "A=common\nB=own\nC=-outer\nD=own\n"
    );
}

#[test]
fn item_16_05_lines() {
    all(&[
        ("  K = v  \n", "K=v\n"),
        ("export K=v\n", "K=v\n"),
        ("K: v\n", "K=v\n"),
        ("K:v\n", ""),
        ("K\n", "K=\n"),
        ("K=\n", "K=\n"),
        ("1K.x_Y=v\n", "1K.x_Y=v\n"),
        ("foo bar\n-x=1\nFOO BAR=1\n# K=1\n\nK=v", "K=v\n"),
        ("\u{feff}K=v\n", "K=v\n"),
        ("K=v\r\nL=w\rM=x\r\n", "K=v\nL=w\nM=x\n"),
        ("K=1\nL=2\nK=3\n", "K=3\nL=2\n"),
    ]);
}

#[test]
fn item_16_06_comments() {
    all(&[
        ("K=a#b\n", "K=a\n"),
        ("K=a # b\n", "K=a\n"),
        ("K='a#b' # c\n", "K=a#b\n"),
        ("K=\"a#b\" # c\n", "K=a#b\n"),
        ("K=$(echo a#b)\n", "K=$(echo a\n"),
        ("K=\"$(echo a#b)\"\n", "K=a#b\n"),
    ]);
}

#[test]
fn item_16_07_quotes() {
    all(&[
        ("K='a b'\n", "K=a b\n"),
        ("K=\"a b\"\n", "K=a b\n"),
        ("K='a\nb'\nL=1\n", "K=a\nb\nL=1\n"),
        ("K=\"a\nb\"\nL=1\n", "K=a\nb\nL=1\n"),
        ("K=\"a\\\"b\"\n", "K=a\"b\n"),
        ("K='a\\nb$OUTER$(echo x)'\n", "K=a\\nb$OUTER$(echo x)\n"),
        ("K=\"a\"b\n", "K=\"a\"b\n"),
        ("K=a\"b\"\n", "K=a\"b\"\n"),
    ]);
}

#[test]
fn item_16_08_backslashes() {
    all(&[
        ("K=\"a\\nb\\rc\"\n", "K=a\\nb\\rc\n"),
        (
            "DOTENV_LINEBREAK_MODE=legacy\nK=\"a\\nb\"\n",
            "DOTENV_LINEBREAK_MODE=legacy\nK=a\nb\n",
        ),
        ("K=\"a\\tb\\\\c\"\n", "K=atb\\c\n"),
        ("K=a\\nb\\\\c\n", "K=anb\\c\n"),
    ]);
}

#[test]
fn items_16_09_and_16_10_variables() {
    all(&[
        ("K=1\nL=$K${K}x\n", "K=1\nL=11x\n"),
        ("L=[$NOPE]\n", "L=[]\n"),
        ("A=$A\n", "A=env\n"),
        ("A=file\nL=$A\n", "A=file\nL=file\n"),
        ("K=$A\nA=file\n", "K=env\nA=file\n"),
        ("L=\\$OUTER\n", "L=$OUTER\n"),
        ("L=\"\\$OUTER $OUTER\"\n", "L=$OUTER outer\n"),
        ("k=1\nL=$K$k\n", "k=1\nL=1\n"),
        ("L=${OUTER]$OUTER}\n", "L=outer]outer\n"),
        ("L=$$OUTER $ $-\n", "L=$outer $ $-\n"),
        ("L=${NOPE:-x}\n", "L=:-x}\n"),
    ]);
}

#[test]
fn item_16_11_commands() {
    all(&[
        ("K=$(echo a)\n", "K=a\n"),
        ("K=$(echo $(echo a) b)\n", "K=a b\n"),
        ("K=$(echo a)-$(echo b)\n", "K=a-b\n"),
        ("K=\"$(echo 'a  b') c\"\n", "K=a  b c\n"),
        ("K='$(echo a)'\n", "K=$(echo a)\n"),
        ("K=\\$(echo a)\n", "K=$(echo a)\n"),
        ("K=`echo a`\n", "K=`echo a`\n"),
        ("K=[$(printf 'a\\\\n\\\\n')]\n", "K=[a\n]\n"),
        ("K=[$(echo a; false)]\n", "K=[a]\n"),
        ("K=[$(false)]\n", "K=[]\n"),
        ("N=x\nK=$(echo $N-$OUTER)\n", "N=x\nK=x-outer\n"),
    ]);
    let failed = secrets("s", None, &[("s", "K=$(false)\n")]);
    assert_eq!(failed.warnings().unwrap().0.len(), 1, "that is said");
}

#[test]
fn item_16_12_the_output_of_a_command_is_the_value() {
    all(&[
        ("K=$(printf '%s' 'pa\\$word')\n", "K=pa$word\n"),
        (
            "K=$(printf '%s' '\\${OUTER}') $OUTER\n",
            "K=${OUTER} outer\n",
        ),
        ("K=$(printf '%s' '\\$')(date)\n", "K=$(date)\n"),
    ]);
}

#[test]
fn item_16_13_a_missing_program_is_an_error_of_its_line() {
    let error = error("A=1\nK=$(no-such-program --at all)\n");
    let SecretsError::Malformed {
        diagnostic,
        sources,
    } = &error
    else {
        panic!("{error}");
    };
    assert!(error.to_string().contains("no-such-program"), "{error}");
    let shown = dhow_text::render::render(std::slice::from_ref(&**diagnostic), sources, false);
    assert!(shown.contains("s:2:1"), "{shown}");
}

/// Fetched once, used twice, by the usual ways to write it; the value arrives as the password manager has it.
#[test]
fn item_16_14_kamal_secrets_runs_in_process() {
    for program in ["kamal", "dhow"] {
        for used in ["$SECRETS", "${SECRETS}"] {
            let text = format!(
                "SECRETS=$({program} secrets fetch --adapter lastpass --account me@x --from F A 'B (c)')\n\
                 A=$({program} secrets extract A {used})\n\
                 B=$( {program}  secrets extract 'F/B (c)' {used})\n"
            );
            let secrets = secrets("s", None, &[("s", text.as_str())]);
            for name in ["A", "B"] {
                let value = secrets.get(name);
                let value = value.unwrap_or_else(|error| panic!("{text}{error}"));
                assert_eq!(value.reveal(), HARD, "{program} {used} {name}");
            }
        }
    }
}

#[test]
fn item_16_14_what_goes_wrong_in_process_is_said_without_values() {
    let missing = error("A=$(kamal secrets extract NOPE \\{\\\"K\\\":\\\"hunter2\\\"\\})\n");
    assert!(!missing.to_string().contains("hunter2"), "{missing}");
    let account = error("A=$(kamal secrets fetch --adapter lastpass A)\n");
    assert!(
        account
            .to_string()
            .contains("No value provided for required options '--account'"),
        "{account}"
    );
}

/// Only `kamal` (or `dhow`) as the first word is dhow itself.
#[test]
fn item_16_15_others_run_through_the_shell() {
    let folder = std::env::temp_dir().join(format!("dhow-secrets-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let program = folder.join("kamal");
    std::fs::write(&program, "#!/bin/sh\necho \"ran $*\"\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, mode).unwrap();
    let path = program.display();
    all(&[
        (
            &format!("K=$({path} secrets fetch A)\n"),
            "K=ran secrets fetch A\n",
        ),
        (
            &format!("K=$(env {path} secrets fetch A)\n"),
            "K=ran secrets fetch A\n",
        ),
        (
            "K=$(echo kamal secrets fetch A | tr a-z A-Z)\n",
            "K=KAMAL SECRETS FETCH A\n",
        ),
        ("K=$(true; echo kamal secrets)\n", "K=kamal secrets\n"),
    ]);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn item_16_16_export_without_a_value() {
    let error = error("B=1\nexport A\n");
    assert_eq!(error.class(), "Dotenv::FormatError");
    assert_eq!(
        error.to_string(),
        "Line \"export A\\n\" has an unset variable"
    );
    assert_eq!(read("A=1\nexport A\n"), "A=1\n", "it is set before");
}
