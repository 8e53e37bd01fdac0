//! What runs on the deployer's own machine: hooks, builds, git.
//!
//! In: [`LocalStep`]s. Out: events, and what a program printed. Programs get the process environment plus what their step says.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use dhow_plan::{LocalStep, Tolerate};
use dhow_text::redact::Secret;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};

use crate::event::{EventKind, Failure, Stream};
use crate::failure::{from_step, tail};
use crate::shell::step_id;
use crate::sink::Sink;

/// The deployer's machine, as far as running programs goes.
#[derive(Clone, Debug)]
pub struct Local {
    /// The working directory.
    pub cwd: PathBuf,
    /// Where hooks are, relative to it or absolute.
    pub hooks: PathBuf,
    /// Whether hooks run at all (`-H`).
    pub skip_hooks: bool,
    /// Variables that differ from the process environment, set or removed: the deploy file's templates may change them for everything
    /// after it.
    pub env: Vec<(String, Option<String>)>,
    /// All secrets, for hooks that get them; names and values.
    pub secrets: Vec<(String, Secret)>,
}

/// A program to run here.
#[derive(Debug, Default)]
pub struct Program<'a> {
    /// What it does, for people.
    pub title: &'a str,
    /// Program and arguments.
    pub argv: &'a [String],
    /// What is shown in their place, where something in them is not to be seen.
    pub shown: Option<&'a str>,
    /// Variables on top of the process environment; never shown.
    pub env: Vec<(String, Secret)>,
    /// Its standard input.
    pub stdin: Option<Secret>,
    /// Where it runs, relative to the working directory.
    pub directory: Option<&'a str>,
    /// Bookkeeping, shown with `-v` only.
    pub debug: bool,
    /// Its output is shown without `-v` too.
    pub loud: bool,
}

/// What a program printed, and how it ended.
#[derive(Debug)]
pub struct Ended {
    /// Exit status; 128 + signal if one ended it.
    pub exit: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard output and error as they came.
    pub both: String,
}

impl Local {
    /// Whether a hook is there and will run.
    pub fn has_hook(&self, name: &str) -> bool {
        !self.skip_hooks && self.hook(name).exists()
    }

    /// Runs the steps in order; the first failure that counts ends it.
    pub(crate) async fn run(&self, steps: &[LocalStep], sink: &Sink) -> Result<(), Failure> {
        for step in steps {
            self.step(step, sink).await?;
        }
        Ok(())
    }

    /// Runs one program and waits for it.
    pub async fn program(&self, program: &Program<'_>, sink: &Sink) -> Result<Ended, Failure> {
        let command = program
            .shown
            .map_or_else(|| as_typed(program.argv), str::to_owned);
        let id = step_id();
        let started = Instant::now();
        sink.emit(EventKind::StepStarted {
            id: id.clone(),
            host: None,
            role: None,
            title: program.title.to_owned(),
            command: command.clone(),
            debug: program.debug,
            loud: program.loud,
        });
        let ended = self.spawn(program, &id, sink).await;
        sink.emit(EventKind::StepFinished {
            id,
            exit: ended.as_ref().ok().map(|e| e.exit),
            seconds: started.elapsed().as_secs_f64(),
            tolerated: false,
        });
        ended.map_err(|error| {
            let name = program.argv.first().cloned().unwrap_or_default();
            let mut failure = Failure::new("Errno::ENOENT", format!("{error} - {name}"));
            failure.command = Some(command);
            failure
        })
    }

    async fn step(&self, step: &LocalStep, sink: &Sink) -> Result<(), Failure> {
        match step {
            LocalStep::Wait { seconds } => {
                tokio::time::sleep(Duration::from_secs(*seconds)).await;
                Ok(())
            }
            LocalStep::Hook {
                name,
                env,
                secrets,
                debug,
                loud,
            } => {
                let told = if *secrets {
                    self.secrets.as_slice()
                } else {
                    &[]
                };
                self.run_hook(name, env, told, (*debug, *loud), sink).await
            }
            LocalStep::Run {
                title,
                argv,
                shown,
                env,
                stdin,
                directory,
                tolerate,
                loud,
            } => {
                let program = Program {
                    title,
                    argv,
                    shown: shown.as_deref(),
                    env: env.clone(),
                    stdin: stdin.clone(),
                    directory: directory.as_deref(),
                    debug: false,
                    loud: *loud,
                };
                let ended = self.program(&program, sink).await?;
                let tolerated = match tolerate {
                    Tolerate::Nothing => false,
                    Tolerate::Anything => true,
                    Tolerate::Containing(text) => ended.both.contains(text),
                };
                if ended.exit == 0 || tolerated {
                    Ok(())
                } else {
                    let command = shown.clone().unwrap_or_else(|| as_typed(argv));
                    Err(from_step(&command, ended.exit, &ended.both))
                }
            }
        }
    }

    async fn run_hook(
        &self,
        name: &str,
        env: &[(String, String)],
        secrets: &[(String, Secret)],
        (debug, loud): (bool, bool),
        sink: &Sink,
    ) -> Result<(), Failure> {
        if !self.has_hook(name) {
            return Ok(());
        }
        let argv = [self.hook(name).display().to_string()];
        let mut all = secrets.to_vec();
        all.extend(
            env.iter()
                .map(|(k, v)| (k.clone(), Secret::new(v.as_str()))),
        );
        let title = format!("running the {name} hook");
        let program = Program {
            title: &title,
            argv: &argv,
            env: all,
            debug,
            loud,
            ..Program::default()
        };
        let failed = |text: &str| {
            let mut failure =
                Failure::new("Kamal::Cli::HookError", format!("Hook `{name}` failed:"));
            failure.command = Some(argv.join(" "));
            failure.output = tail(text);
            failure
        };
        match self.program(&program, sink).await {
            Ok(ended) if ended.exit == 0 => Ok(()),
            Ok(ended) => {
                let mut failure = failed(&ended.both);
                failure.exit = Some(ended.exit);
                Err(failure)
            }
            Err(error) => Err(failed(&error.message)
                .hinted("a hook is an executable file: `chmod +x` it, and give it a `#!` line")),
        }
    }

    fn hook(&self, name: &str) -> PathBuf {
        self.cwd.join(&self.hooks).join(name)
    }

    async fn spawn(&self, program: &Program<'_>, id: &str, sink: &Sink) -> std::io::Result<Ended> {
        let [name, arguments @ ..] = program.argv else {
            return Err(std::io::ErrorKind::InvalidInput.into());
        };
        let mut command = tokio::process::Command::new(name);
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let mut child = command
            .args(arguments)
            .envs(program.env.iter().map(|(k, v)| (k, v.reveal())))
            .current_dir(self.cwd.join(program.directory.unwrap_or(".")))
            .stdin(if program.stdin.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        if let (Some(mut pipe), Some(text)) = (child.stdin.take(), &program.stdin) {
            // A program that does not read its input closes it; its exit status tells.
            let _ = pipe.write_all(text.reveal().as_bytes()).await;
        }
        let both = std::sync::Mutex::new(String::new());
        let stdout = std::sync::Mutex::new(String::new());
        let out = read(child.stdout.take(), |line| {
            push(&stdout, line);
            push(&both, line);
            output(id, Stream::Stdout, line, sink);
        });
        let err = read(child.stderr.take(), |line| {
            push(&both, line);
            output(id, Stream::Stderr, line, sink);
        });
        let (status, (), ()) = tokio::join!(child.wait(), out, err);
        Ok(Ended {
            exit: exit_code(status?),
            stdout: stdout.into_inner().unwrap_or_default(),
            both: both.into_inner().unwrap_or_default(),
        })
    }
}

/// A program as people would type it: a line for the shell is shown without the shell.
fn as_typed(argv: &[String]) -> String {
    match argv {
        [sh, dash_c, line] if sh == "sh" && dash_c == "-c" => line.clone(),
        words => words.join(" "),
    }
}

fn exit_code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

async fn read(pipe: Option<impl AsyncRead + Unpin>, mut line: impl FnMut(&str)) {
    let Some(pipe) = pipe else { return };
    let mut reader = BufReader::new(pipe);
    let mut bytes = Vec::new();
    while matches!(reader.read_until(b'\n', &mut bytes).await, Ok(n) if n > 0) {
        line(&String::from_utf8_lossy(&bytes));
        bytes.clear();
    }
}

fn push(text: &std::sync::Mutex<String>, line: &str) {
    if let Ok(mut text) = text.lock() {
        text.push_str(line);
    }
}

fn output(id: &str, stream: Stream, line: &str, sink: &Sink) {
    sink.emit(EventKind::Output {
        id: id.to_owned(),
        stream,
        text: line.trim_end_matches(['\n', '\r']).to_owned(),
    });
}
