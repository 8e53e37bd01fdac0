//! A host that is only simulated: what a shell with Docker would say to the programs of a deploy.
//!
//! In: the texts that a deployer writes into `sh`. Out: what that `sh` would print, at the time it would. The answers are made from the
//! program's own text: its frames are printed in their order, the look is answered with a proxy that runs, the lock is given to whoever asks.
//! No process is started, so that thousands of hosts fit on one machine.

use std::time::Duration;

use dhow_testkit::sshd::Call;

/// Plays `sh` for one session, until its input ends.
pub async fn shell(mut call: Call) -> u32 {
    let mut shell = Shell::default();
    while let Some(bytes) = call.input().await {
        shell.pending.push_str(&String::from_utf8_lossy(&bytes));
        if shell.pending.contains("echo held") && shell.pending.ends_with("}\n") {
            return lease(call).await;
        }
        while let Some(program) = shell.next() {
            shell.play(&call, &program).await;
        }
    }
    0
}

/// The holder of the lock: says so, and gives it back when asked.
async fn lease(mut call: Call) -> u32 {
    call.stdout("held\n").await;
    while let Some(line) = call.input().await {
        if line.starts_with(b"release") {
            call.stdout("released\n").await;
            return 0;
        }
    }
    0
}

/// What a shell knows.
#[derive(Default)]
struct Shell {
    /// Input that is no whole program yet.
    pending: String,
    /// What frames begin with; the preamble tells.
    mark: String,
}

/// The first words of the preamble.
const PREAMBLE: &str = "dhow_m() { printf '\\n";
/// The first words of the line that calls a program, which is its last.
const CALL: &str = "dhow_p; ";

impl Shell {
    /// Takes the next whole program out of the input.
    fn next(&mut self) -> Option<String> {
        let call = self.pending.find(&format!("\n{CALL}"))? + 1;
        let line = self.pending.get(call..)?.find('\n')?;
        Some(self.pending.drain(..=call + line).collect())
    }

    /// Prints what a program would, frame by frame.
    async fn play(&mut self, call: &Call, program: &str) {
        if let Some((_, rest)) = program.split_once(PREAMBLE) {
            rest.split(' ')
                .next()
                .unwrap_or_default()
                .clone_into(&mut self.mark);
        }
        let mut step = String::new();
        let mut cleaning_up = false;
        for line in program.lines() {
            cleaning_up |= line == "dhow_f() {";
            if line.starts_with(CALL) {
                self.say(call, "b 0").await;
            } else if let Some(frame) = line.strip_prefix("dhow_m ").filter(|_| !cleaning_up) {
                if let Some(frame) = frame.strip_suffix("$dhow_r") {
                    let (took, output) = answer(&step);
                    tokio::time::sleep(took).await;
                    if !output.is_empty() {
                        call.stdout(output).await;
                    }
                    self.say(call, &format!("{frame}0")).await;
                } else {
                    self.say(call, frame).await;
                }
                step.clear();
            } else {
                step.push_str(line);
                step.push('\n');
            }
        }
    }

    async fn say(&self, call: &Call, frame: &str) {
        let line = format!("\n{} {frame}\n", self.mark);
        call.stdout(line.clone()).await;
        call.stderr(line).await;
    }
}

/// What the look at a host finds: a version that runs, and the proxy.
const FOUND: &str = concat!(
    "M x86_64\n",
    "C 0000000000000000000000000000000000000000000000000000000000000001|bench-web-v000|running|web||registry.example/bench/app:v000\n",
    "P dhow/kamal-proxy:v0.9.2.1|running|\n",
    r#"I {"Id":"0002","Name":"/kamal-proxy","State":{"Running":true},"Config":{"Image":"dhow/kamal-proxy:v0.9.2.1","Labels":{}}}"#,
    "\n"
);

/// How long a step takes on a host that has nothing else to do (milliseconds, as measured on the fleet), and what it prints.
fn answer(step: &str) -> (Duration, String) {
    let took = |milliseconds| Duration::from_millis(milliseconds);
    let has = |text: &str| step.contains(text);
    if has("uname -m") {
        (took(60), FOUND.to_owned())
    } else if has("docker pull") {
        (took(150), "pulled\n".to_owned())
    } else if has("docker run ") {
        (took(370), format!("{:064x}\n", 3))
    } else if has("kamal-proxy deploy") {
        (took(90), String::new())
    } else if has("docker stop") {
        (took(130), "bench-web-v000\n".to_owned())
    } else if has("docker ") {
        (took(40), "bench\n".to_owned())
    } else {
        (took(1), String::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_apart() {
        let mut shell = Shell {
            pending: "dhow_m() { …\ndhow_p() {\ntrue\n}\ndhow_p; dhow_m b $?\ndhow_p() {\nfal"
                .to_owned(),
            mark: String::new(),
        };
        assert!(
            shell
                .next()
                .is_some_and(|program| program.ends_with("dhow_m b $?\n"))
        );
        assert_eq!(shell.next(), None);
        assert_eq!(shell.pending, "dhow_p() {\nfal");
    }
}
