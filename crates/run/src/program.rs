//! Joins the steps of a track into one POSIX `sh` program.
//!
//! In: steps. Out: shell text that is written to the standard input of a host's `sh`. The whole program is one function
//! definition followed by its call, so a program that arrives only in part is a syntax error and runs nothing. Each step runs
//! through `eval` of a quoted text in a subshell of its own: a step whose command is not valid shell spoils itself alone, and
//! reads from nothing but its own input. Before and after each step the program prints a mark (see [`crate::frames`]) on both
//! streams; a mark that can't be written ends the program, so that nothing further starts once the connection is gone.

use std::fmt::Write;

use dhow_commands::Upload;
use dhow_plan::{Action, SCRATCH, Step, Tolerate};
use dhow_text::shell::single_quote;

/// The text that makes a plain `sh` ready for programs: the function that prints the mark, and what the shell leaves behind however
/// it ends, which is nothing. (The signals are caught and not ignored, so that commands still die of them.)
///
/// `mark` is random, 16 hex digits, one per run, so that no output can pretend to be a frame.
pub(crate) fn preamble(mark: &str) -> String {
    format!(
        "dhow_m() {{ printf '\\n{mark} %s\\n' \"$*\" || exit 97; printf '\\n{mark} %s\\n' \"$*\" >&2 || exit 97; }}\n\
         trap 'rm -rf ${{{SCRATCH}:+\"${SCRATCH}\"}}' EXIT\n\
         trap 'exit 97' HUP INT PIPE TERM\n"
    )
}

/// The program of a track. `steps` and then, if one of them failed, `on_failure`; steps are numbered through both lists.
pub(crate) fn program(mark: &str, steps: &[Step], on_failure: &[Step]) -> String {
    let mut text = String::from("dhow_p() {\n");
    // The shell is the same for all tracks of a host: what one of them has captured is not the next one's.
    for step in steps {
        if let Action::Capture { name, .. } = &step.action {
            let _ = writeln!(text, "{name}=");
        }
    }
    for (index, step) in steps.iter().enumerate() {
        push_step(&mut text, mark, index, step);
        if step.tolerate != Tolerate::Anything {
            text.push_str("[ $dhow_r = 0 ] || return 1\n");
        }
    }
    text.push_str("}\n");
    if on_failure.is_empty() {
        text.push_str("dhow_p; dhow_m b $?\n");
    } else {
        text.push_str("dhow_f() {\n");
        for (index, step) in on_failure.iter().enumerate() {
            push_step(&mut text, mark, steps.len() + index, step);
        }
        text.push_str("}\n");
        text.push_str(
            "dhow_p; dhow_s=$?; if [ $dhow_s != 0 ]; then dhow_f; fi; dhow_m b $dhow_s\n",
        );
    }
    text
}

fn push_step(text: &mut String, mark: &str, index: usize, step: &Step) {
    let _ = writeln!(text, "dhow_m s {index}");
    match &step.action {
        Action::Run(cmd) => {
            let body = format!("( eval {} )", single_quote(&cmd.real()));
            let (input, document) = input(mark, cmd.input().map(|secret| secret.reveal()));
            match &step.tolerate {
                Tolerate::Containing(needle) => {
                    let _ = write!(
                        text,
                        "dhow_o=$( {body} {input} 2>&1\n{document}); dhow_r=$?; printf '%s\\n' \"$dhow_o\"\n"
                    );
                    let needle = single_quote(needle);
                    let _ = writeln!(text, "case $dhow_o in *{needle}*) dhow_r=0;; esac");
                }
                Tolerate::Nothing | Tolerate::Anything => {
                    let _ = write!(text, "{body} {input}\n{document}dhow_r=$?\n");
                }
            }
        }
        Action::Capture { name, cmd } => {
            let body = format!("( eval {} )", single_quote(&cmd.real()));
            let _ = writeln!(
                text,
                "{name}=$( {body} </dev/null ); dhow_r=$?; printf '%s\\n' \"${name}\""
            );
        }
        Action::Upload(upload) => push_upload(text, mark, upload),
        // Never part of a program: the executor gives it an exchange of its own.
        Action::Feed { .. } => text.push_str("dhow_r=1\n"),
    }
    let _ = writeln!(text, "dhow_m e {index} $dhow_r");
}

/// Writes a file whole or not at all: next to its place under a mask that shuts others out, then moved there.
fn push_upload(text: &mut String, mark: &str, upload: &Upload) {
    use base64::Engine;
    let path = single_quote(&upload.path);
    let part = single_quote(&format!("{}.dhow-part", upload.path));
    let bytes = upload.bytes();
    let plain = std::str::from_utf8(bytes)
        .ok()
        .filter(|t| t.ends_with('\n') && !t.contains('\0') && !t.contains(&terminator(mark)));
    let (filter, document) = match plain {
        Some(t) => ("cat", t.to_owned()),
        None => {
            let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
            ("base64 -d", format!("{encoded}\n"))
        }
    };
    let terminator = terminator(mark);
    let _ = write!(
        text,
        "( umask 077 && {filter} >{part} && chmod {:04o} {part} && mv -f {part} {path} ) <<'{terminator}'\n{document}{terminator}\ndhow_r=$?\n",
        upload.mode
    );
}

/// The redirection of a step's standard input and the here-document that belongs to it.
fn input(mark: &str, content: Option<&str>) -> (String, String) {
    match content {
        None => ("</dev/null".to_owned(), String::new()),
        Some(content) => {
            let end = terminator(mark);
            let gap = if content.ends_with('\n') { "" } else { "\n" };
            (format!("<<'{end}'"), format!("{content}{gap}{end}\n"))
        }
    }
}

fn terminator(mark: &str) -> String {
    format!("DHOW_{mark}")
}

#[cfg(test)]
mod tests {
    use dhow_text::redact::Secret;
    use dhow_text::shell::Cmd;

    use super::*;
    use crate::frames::{Demux, Signal};

    /// Runs a program in the real shells of this machine and folds its output.
    fn run(shell: &str, steps: &[Step], on_failure: &[Step]) -> Vec<Signal> {
        use std::io::Write;
        let directory = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new(shell)
            .current_dir(&directory)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mark = "00112233445566ff";
        let text = preamble(mark) + &program(mark, steps, on_failure);
        child
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let mut demux = Demux::new(mark);
        let mut signals = demux.stdout(&output.stdout);
        signals.extend(demux.stderr(&output.stderr));
        signals
    }

    fn exits(signals: &[Signal]) -> Vec<(usize, i32)> {
        signals
            .iter()
            .filter_map(|s| match s {
                Signal::Ended { step, exit } => Some((*step, *exit)),
                _ => None,
            })
            .collect()
    }

    fn stdout(signals: &[Signal], wanted: usize) -> String {
        signals
            .iter()
            .filter_map(|s| match s {
                Signal::Stdout { step, text } if *step == wanted => {
                    Some(String::from_utf8_lossy(text).into_owned())
                }
                _ => None,
            })
            .collect()
    }

    const SHELLS: [&str; 2] = ["dash", "bash"];

    #[test]
    fn steps_run_in_order_and_pass_captures_on() {
        for shell in SHELLS {
            let steps = [
                Step::run("one", Cmd::new("printf one")),
                Step::capture("two", "id", Cmd::new("echo abc; echo noise >&2")),
                Step::run(
                    "three",
                    Cmd::new("echo \"got $id\"; read -r x || echo no input"),
                ),
                Step::run("four", Cmd::new("cat").stdin(Secret::new("s3cret"))),
            ];
            let signals = run(shell, &steps, &[]);
            assert_eq!(exits(&signals), [(0, 0), (1, 0), (2, 0), (3, 0)], "{shell}");
            assert_eq!(stdout(&signals, 0), "one");
            assert_eq!(stdout(&signals, 2), "got abc\nno input\n");
            assert_eq!(stdout(&signals, 3), "s3cret\n");
            assert!(signals.contains(&Signal::Batch { status: 0 }));
        }
    }

    #[test]
    fn a_failing_step_ends_the_track_and_runs_the_clean_up() {
        for shell in SHELLS {
            let steps = [
                Step::run("tolerated", Cmd::new("exit 3")).tolerated(),
                Step::run("matching", Cmd::new("echo it already exists >&2; exit 1"))
                    .tolerating("already exists"),
                Step::run("fails", Cmd::new("exit 7")),
                Step::run("never", Cmd::new("echo never")),
            ];
            let clean_up = [
                Step::run("clean up", Cmd::new("echo cleaning; exit 1")),
                Step::run("more", Cmd::new("true")),
            ];
            let signals = run(shell, &steps, &clean_up);
            assert_eq!(
                exits(&signals),
                [(0, 3), (1, 0), (2, 7), (4, 1), (5, 0)],
                "{shell}"
            );
            assert!(signals.contains(&Signal::Batch { status: 1 }));
        }
    }

    #[test]
    fn a_command_that_is_no_shell_spoils_itself_alone() {
        for shell in SHELLS {
            let steps = [
                Step::run("broken", Cmd::new("echo \"unclosed")).tolerated(),
                Step::run("fine", Cmd::new("echo fine # a comment")),
            ];
            let signals = run(shell, &steps, &[]);
            assert_eq!(stdout(&signals, 1), "fine\n", "{shell}");
            assert_ne!(exits(&signals)[0].1, 0);
        }
    }

    #[test]
    fn uploads_arrive_byte_for_byte_with_their_mode() {
        for shell in SHELLS {
            for content in [
                &b"A=b\nC='$d' `e`\n"[..],
                b"no line feed",
                b"\x00\xff\n",
                b"\n",
            ] {
                let steps = [
                    Step::upload(Upload::public("a file.env", 0o600, content)),
                    Step::run(
                        "show",
                        Cmd::new("stat -c %a 'a file.env'; base64 -w0 'a file.env'"),
                    ),
                ];
                let signals = run(shell, &steps, &[]);
                use base64::Engine;
                let encoded = base64::engine::general_purpose::STANDARD.encode(content);
                assert_eq!(stdout(&signals, 1), format!("600\n{encoded}"), "{shell}");
            }
        }
    }

    #[test]
    fn a_track_does_not_see_what_another_one_captured() {
        for shell in SHELLS {
            let mark = "00112233445566ff";
            let first = [Step::capture("one", "id", Cmd::new("echo abc"))];
            let second = [
                Step::run("fails", Cmd::new("false")),
                Step::capture("never", "id", Cmd::new("echo def")),
            ];
            let clean_up = [Step::run("clean up", Cmd::new("echo \"id is [$id]\""))];
            let text =
                preamble(mark) + &program(mark, &first, &[]) + &program(mark, &second, &clean_up);
            let output = std::process::Command::new(shell)
                .args(["-c", &text])
                .output()
                .unwrap();
            let printed = String::from_utf8_lossy(&output.stdout);
            assert!(printed.contains("id is []"), "{shell}: {printed}");
        }
    }

    #[test]
    fn a_shell_that_loses_its_deployer_removes_the_registry_login() {
        use std::io::{BufRead, BufReader, Write};
        for shell in SHELLS {
            let directory = tempfile::tempdir().unwrap();
            let scratch = directory.path().join("login");
            let mark = "00112233445566ff";
            let make = format!("mkdir {0}; echo {0}", scratch.display());
            let steps = [
                Step::capture("login", SCRATCH, Cmd::new(make)),
                Step::run("pulling", Cmd::new("sleep 0.3")),
                Step::run(
                    "never",
                    Cmd::new(format!("touch {}.never", scratch.display())),
                ),
            ];
            let mut child = std::process::Command::new(shell)
                .stdin(std::process::Stdio::piped())
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap();
            let mut stdin = child.stdin.take().unwrap();
            let text = preamble(mark) + &program(mark, &steps, &[]);
            stdin.write_all(text.as_bytes()).unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let pulling = format!("{mark} s 1");
            assert!(lines.any(|line| line.unwrap() == pulling), "{shell}");
            assert!(scratch.exists(), "{shell}");
            drop((lines, stdin));
            assert_eq!(child.wait().unwrap().code(), Some(97), "{shell}");
            assert!(!scratch.exists(), "{shell}");
            assert!(!directory.path().join("login.never").exists(), "{shell}");
        }
    }

    #[test]
    fn half_a_program_runs_nothing() {
        for shell in SHELLS {
            let mark = "00112233445566ff";
            let steps = [Step::run("touch", Cmd::new("echo ran"))];
            let whole = preamble(mark) + &program(mark, &steps, &[]);
            let call = whole.rfind("dhow_p;").unwrap();
            for cut in preamble(mark).len()..call {
                let output = std::process::Command::new("timeout")
                    .args(["5", shell, "-c"])
                    .arg(&whole[..cut])
                    .output()
                    .unwrap();
                assert!(output.stdout.is_empty(), "{shell} cut at {cut}");
                if cut % 7 != 0 {
                    continue;
                }
            }
        }
    }
}
