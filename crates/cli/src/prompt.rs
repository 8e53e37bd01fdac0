//! Yes or no, asked on the terminal.

use std::io::{BufRead, Write};

use crate::job::Job;

/// Whether to go on: `-y`, or the answer `y`. Everything but `y` and `N` (or nothing, which means `N`) is asked again; the end of the
/// input means `N`.
pub(crate) async fn confirmed(job: &Job<'_>, already: bool, question: &str) -> bool {
    if already || job.global.dry_run {
        return true;
    }
    job.screen.take().await;
    let yes = ask(job, question);
    job.screen.give_back();
    yes
}

fn ask(job: &Job<'_>, question: &str) -> bool {
    let mut out = std::io::stderr();
    let mut line = String::new();
    loop {
        let _ = write!(out, "{question} [y, N] (N) ");
        let _ = out.flush();
        line.clear();
        let read = std::io::stdin().lock().read_line(&mut line).unwrap_or(0);
        match line.trim() {
            "y" => return true,
            "N" | "n" | "" => {
                if read == 0 {
                    let _ = writeln!(out);
                }
                job.sink.say(dhow_run::Level::Error, "Aborted");
                return false;
            }
            _ => {
                let _ = writeln!(
                    out,
                    "Your response must be one of: [y, N]. Please try again."
                );
            }
        }
    }
}
