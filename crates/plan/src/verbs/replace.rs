//! Containers with a fixed name (the proxy, accessories): made so that a failure leaves nothing in the way, and replaced so that it
//! leaves the old one running.
//!
//! In: a name and the command that creates and starts its container. Out: one command. It is one and not several steps, because a
//! step that was begun is also finished on a host whose deployer is gone, and the next one is not begun.

use dhow_text::shell::Cmd;

/// `run`; if it fails, a container that was created but could not be started goes again, so that the next attempt is not held up
/// by it.
pub(crate) fn fresh(name: &str, run: &Cmd) -> Cmd {
    let run = run.real();
    Cmd::new(format!(
        "{run} || {{ dhow_r=$?; docker ps --all --quiet --filter 'name=^{name}$' --filter status=created | xargs -r docker container rm >/dev/null; exit $dhow_r; }}"
    ))
}

/// Stops the container `name`, puts it aside and runs another one in its place. If that can't be started the old one comes back, and
/// the command fails. Without an old one it is like [`fresh`].
pub(crate) fn replace(name: &str, run: &Cmd) -> Cmd {
    let run = run.real();
    let aside = format!("{name}_replaced");
    Cmd::new(format!(
        "dhow_old=; if docker container stop {name} >/dev/null 2>&1; then docker container rm --force {aside} >/dev/null 2>&1; docker rename {name} {aside} && dhow_old={aside}; fi; \
         if {run}; then [ -z \"$dhow_old\" ] || docker container rm \"$dhow_old\" >/dev/null; \
         else dhow_r=$?; if [ -n \"$dhow_old\" ]; then docker container rm --force {name} >/dev/null 2>&1; docker rename {aside} {name} && docker container start {name} >/dev/null && echo 'the old container runs again' >&2; fi; exit $dhow_r; fi"
    ))
}

/// As [`replace`], and prints for how long nobody served: from the old one's stop to the new one's first answer to `ready`, a command.
/// Nothing is printed where there was no old one, where the host keeps no time like Linux's, or if `ready` does not succeed in time.
pub(crate) fn replace_measured(name: &str, run: &Cmd, ready: &Cmd) -> Cmd {
    let replace = replace(name, run);
    let (replace, ready) = (replace.real(), ready.real());
    // Hundredths of a second since the host's start.
    Cmd::new(format!(
        "dhow_up() {{ read -r dhow_t _ </proc/uptime && echo \"${{dhow_t%.*}}${{dhow_t#*.}}\"; }}; dhow_from=$(dhow_up 2>/dev/null); \
         {{ {replace}; }} >/dev/null; \
         if [ -n \"$dhow_old\" ] && [ -n \"$dhow_from\" ]; then dhow_n=0; while [ $dhow_n -lt 50 ]; do \
         if {ready} >/dev/null 2>&1; then dhow_gap=$(($(dhow_up) - dhow_from)); echo \"the proxy was away for $((dhow_gap / 100)).$((dhow_gap / 10 % 10)) s\"; break; fi; \
         sleep 0.1; dhow_n=$((dhow_n + 1)); done; fi"
    ))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// A docker that knows containers as files that hold `running`, `exited` or `created`.
    const DOCKER: &str = r#"
docker() {
    case "$*" in
        "container stop "*) [ -e "$3" ] && echo exited >"$3" && echo "$3" ;;
        "container rm --force "*) rm -f "$4"; echo "$4" ;;
        "container rm "*) [ "$(cat "$3")" != running ] && rm "$3" && echo "$3" ;;
        "container start "*) echo running >"$3" ;;
        "rename "*) [ ! -e "$3" ] && mv "$2" "$3" ;;
        "run new") [ -e c ] && return 125
            echo created >c
            [ ! -e port-taken ] || { echo 'port is taken' >&2; return 125; }
            echo running >c; echo new >>c ;;
        "ps --all"*) grep -lx created c ;;
    esac
}
xargs() { read -r name || return 0; docker container rm "$name"; }
"#;

    struct Ended {
        code: i32,
        stdout: String,
        stderr: String,
        /// Containers and what they hold, by name.
        containers: String,
    }

    fn run(cmd: &Cmd, before: &[(&str, &str)]) -> Ended {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in before {
            std::fs::write(directory.path().join(name), content).unwrap();
        }
        let output = Command::new("sh")
            .current_dir(&directory)
            .args(["-c", &format!("{DOCKER}\n( {} )", cmd.real())])
            .output()
            .unwrap();
        let listed = Command::new("sh")
            .current_dir(&directory)
            .args([
                "-c",
                "for f in c*; do [ ! -e $f ] || echo $f $(cat $f); done",
            ])
            .output()
            .unwrap();
        Ended {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            containers: String::from_utf8(listed.stdout).unwrap(),
        }
    }

    fn command() -> Cmd {
        Cmd::docker("run new")
    }

    #[test]
    fn the_new_one_takes_the_place_and_the_old_one_goes() {
        let ended = run(&replace("c", &command()), &[("c", "running\n")]);
        assert_eq!(
            (ended.code, ended.containers.as_str()),
            (0, "c running new\n")
        );
        let from_nothing = run(&replace("c", &command()), &[]);
        assert_eq!(from_nothing.code, 0);
        assert_eq!(from_nothing.containers, "c running new\n");
    }

    #[test]
    fn the_old_one_comes_back_when_the_new_one_does_not_start() {
        let taken = [("c", "running\n"), ("port-taken", "")];
        let ended = run(&replace("c", &command()), &taken);
        assert_eq!(
            (ended.code, ended.containers.as_str()),
            (125, "c running\n")
        );
        assert!(ended.stderr.contains("port is taken"), "{}", ended.stderr);
        assert!(ended.stderr.contains("runs again"), "{}", ended.stderr);
    }

    #[test]
    fn the_gap_is_measured_until_the_new_one_is_ready() {
        // Ready when asked for the third time.
        let ready = Cmd::new("{ echo x >>asked && [ $(wc -l <asked) -ge 3 ]; }");
        let measured = replace_measured("c", &command(), &ready);
        let ended = run(&measured, &[("c", "running\n")]);
        assert_eq!(
            (ended.code, ended.containers.as_str()),
            (0, "c running new\n")
        );
        let said = ended.stdout.strip_prefix("the proxy was away for ");
        let seconds = said.and_then(|rest| rest.strip_suffix(" s\n"));
        let seconds: f64 = seconds.expect(&ended.stdout).parse().unwrap();
        assert!(seconds >= 0.2, "{seconds}");
        let from_nothing = run(&measured, &[]);
        assert_eq!((from_nothing.code, from_nothing.stdout.as_str()), (0, ""));
        let taken = [("c", "running\n"), ("port-taken", "")];
        let failed = run(&measured, &taken);
        assert_eq!(
            (failed.code, failed.containers.as_str()),
            (125, "c running\n")
        );
        assert!(failed.stderr.contains("runs again"), "{}", failed.stderr);
        assert_eq!(failed.stdout, "");
    }

    #[test]
    fn one_that_was_put_aside_by_a_crash_is_kept_until_there_is_a_newer_one() {
        let aside = [("c_replaced", "exited\n"), ("port-taken", "")];
        let ended = run(&replace("c", &command()), &aside);
        assert_eq!(ended.code, 125);
        assert!(ended.containers.contains("c_replaced exited\n"));
        let both = [("c_replaced", "exited\n"), ("c", "running\n")];
        let ended = run(&replace("c", &command()), &both);
        assert_eq!(
            (ended.code, ended.containers.as_str()),
            (0, "c running new\n")
        );
    }

    #[test]
    fn a_container_that_could_not_start_is_not_in_the_way_of_the_next_attempt() {
        let ended = run(&fresh("c", &command()), &[("port-taken", "")]);
        assert_eq!((ended.code, ended.containers.as_str()), (125, ""));
        let ended = run(&fresh("c", &command()), &[("c", "running\n")]);
        assert_eq!(
            (ended.code, ended.containers.as_str()),
            (125, "c running\n")
        );
    }
}
