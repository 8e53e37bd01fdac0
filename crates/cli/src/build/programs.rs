//! Programs of this machine, as builds run them: for their effect, or for what they answer.

use dhow_plan::{LocalStep, Stage};
use dhow_run::{Ended, Failed, Failure, Program};

use crate::failed;
use crate::job::Job;

/// Lines of output that a failure carries.
const TAIL: usize = 40;

/// Runs a step as a stage of its own.
pub(super) async fn step(job: &Job<'_>, stage: &str, step: LocalStep) -> Result<(), Failed> {
    job.execute(vec![Stage::local(stage, vec![step])])
        .await
        .map(|_| ())
}

/// Runs a program and gives how it ended, whatever it was.
pub(super) async fn ask(job: &Job<'_>, title: &str, argv: &[String]) -> Result<Ended, Failed> {
    ask_in(job, title, argv, Vec::new()).await
}

/// The same with more in its environment.
pub(super) async fn ask_in(
    job: &Job<'_>,
    title: &str,
    argv: &[String],
    env: Vec<(String, dhow_text::redact::Secret)>,
) -> Result<Ended, Failed> {
    let program = Program {
        title,
        argv,
        env,
        debug: true,
        ..Program::default()
    };
    job.local
        .program(&program, &job.sink)
        .await
        .map_err(failed::here)
}

/// What a program printed on its standard output; it must succeed.
pub(super) async fn answer(job: &Job<'_>, title: &str, argv: &[String]) -> Result<String, Failed> {
    let ended = ask(job, title, argv).await?;
    if ended.exit == 0 {
        Ok(ended.stdout)
    } else {
        Err(failed(argv, &ended))
    }
}

/// The failure of a program that answered with an exit code that is no answer.
pub(super) fn failed(argv: &[String], ended: &Ended) -> Failed {
    let command = match argv {
        [sh, dash_c, line] if sh == "sh" && dash_c == "-c" => line.clone(),
        words => words.join(" "),
    };
    let name = command.split_whitespace().next().unwrap_or_default();
    let mut failure = Failure::new(
        "SSHKit::Command::Failed",
        format!("{name} exit status: {}", ended.exit),
    );
    let lines: Vec<&str> = ended
        .both
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    failure.output = lines[lines.len().saturating_sub(TAIL)..].join("\n");
    failure.exit = Some(ended.exit);
    failure.command = Some(command);
    failed::here(failure)
}
