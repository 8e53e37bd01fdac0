//! A proxy of dhow's own that becomes a newer one inside its running container, so that its ports never close.
//!
//! In: how the wanted container would be created, and how the running one is replaced. Out: one command, which decides on the host:
//! the wanted container is created but not started, and if it differs from the running one by its image alone, the program goes from
//! one into the other and the server becomes it. Everything else is a replacement, and so is whatever does not work out.

use dhow_commands::{paths, proxy};
use dhow_text::shell::Cmd;

use crate::facts::CONTENT_LABEL;

/// What is the same in both containers, a line for each part, beginning with its name. `is` tells them apart instead. What a daemon
/// adds to a container that was started (its id among names and aliases) is left out, and so is whose terminal it was.
/// Binds and limits come in any order. What a daemon need not tell is asked for by `index`, which knows what is missing.
const PARTS: &str = r#"is {{.Id}} {{.Config.Image}} {{with .Config.Labels}}{{or (index . "LABEL") "-"}}{{end}}
image {{with .Config.Labels}}{{if index . "LABEL"}}own{{else}}{{$.Id}}{{end}}{{else}}{{.Id}}{{end}}{{with .Config}} {{json (index . "User")}} {{json (index . "Entrypoint")}} {{json (index . "WorkingDir")}} {{json (index . "Volumes")}} {{json (index . "Healthcheck")}}{{end}}
command {{json .Config.Cmd}}
environment {{json .Config.Env}}
labels {{range $k, $v := .Config.Labels}}{{if ne $k "LABEL"}}{{json $k}}={{json $v}} {{end}}{{end}}
{{range $k, $v := .HostConfig}}{{if or (eq $k "Binds") (eq $k "Ulimits")}}{{range $v}}{{$k}} {{json .}}
{{end}}{{else if and (ne $k "ConsoleSize") (ne $k "ContainerIDFile")}}{{$k}} {{json $v}}
{{end}}{{end}}options{{with .Config}} {{json (index . "ExposedPorts")}} {{json (index . "StopSignal")}} {{json (index . "StopTimeout")}} {{json (index . "Tty")}} {{json (index . "OpenStdin")}} {{json (index . "Domainname")}}{{end}}{{if ne .Config.Hostname (slice .Id 0 12)}} {{.Config.Hostname}}{{end}}
network {{with .NetworkSettings.Networks}}{{with index . $.HostConfig.NetworkMode}}{{with index . "IPAMConfig"}}{{json .}}{{end}} {{json (index . "Links")}} {{range index . "Aliases"}}{{if ne . (slice $.Id 0 12)}}{{.}} {{end}}{{end}}{{end}}{{end}}"#;

/// Nothing of it stays, however it ends. A crash may have left something.
const PREPARE: &str = r#"docker container rm --force --volumes NEXT >/dev/null 2>&1
dhow_t=$(mktemp -d) || exit
trap 'docker container rm --force --volumes NEXT >/dev/null 2>&1; rm -rf "$dhow_t"' EXIT"#;

/// The names of the parts that differ, and nothing if `docker inspect` can't tell. Lines that both have are no difference.
const COMPARE: &str = r#"dhow_seen=$(docker inspect --format 'PARTS' NAME NEXT) || return
dhow_differs=$(printf '%s\n' "$dhow_seen" | sed '/^is /d; /^$/d' | LC_ALL=C sort | LC_ALL=C uniq -u | cut -d ' ' -f 1 | uniq)
[ -z "$dhow_differs" ] || { echo "its settings differ:" $dhow_differs; return 1; }"#;

/// What the running container has become is written down beside it: its own labels and image can't be changed any more.
/// Processes that still answer old clients know nothing of the next deploy, so they are waited for, up to a minute.
const BECOME: &str = r#"docker cp NEXT:PROGRAM "$dhow_t/kamal-proxy" && docker cp "$dhow_t/kamal-proxy" NAME:STAGED && docker exec --user 0 NAME STAGED upgrade --install PROGRAM || return
set -- $(printf '%s\n' "$dhow_seen" | sed -n 's/^is //p')
echo "$1 $5 $6" >RECORD.new && mv RECORD.new RECORD
dhow_n=0
while [ $dhow_n -lt 120 ] && dhow_p=$(docker top NAME -eo pid,stat 2>/dev/null) && [ "$(printf '%s\n' "$dhow_p" | grep -vc Z)" -gt 2 ]; do sleep 0.5; dhow_n=$((dhow_n + 1)); done
return 0"#;

/// Why it is done the other way is said before it is.
const FINISH: &str = r#"if dhow_why=$(dhow_in_place 2>&1); then echo 'restarted without a gap'; exit; fi
printf 'replaced: %s\n' "$dhow_why""#;

/// Has the running proxy become the one that `create` makes a container of, and says so; where that is not possible, says why and does
/// `replace`. Fails without a change if the wanted container can't be created.
pub(crate) fn or_replace(create: &Cmd, replace: &Cmd) -> Cmd {
    let words = |text: &str| {
        [
            ("PARTS", PARTS),
            ("LABEL", CONTENT_LABEL),
            ("NEXT", proxy::NEXT_CONTAINER),
            ("NAME", proxy::CONTAINER),
            ("PROGRAM", proxy::PROGRAM),
            ("STAGED", proxy::STAGED_PROGRAM),
            ("RECORD", paths::PROXY_IN_PLACE),
        ]
        .into_iter()
        .fold(text.to_owned(), |text, (word, is)| text.replace(word, is))
    };
    Cmd::new(format!(
        "{}\n{} >/dev/null || exit\ndhow_in_place() {{\n{}\n{}\n}}\n{FINISH}\n{}",
        words(PREPARE),
        create.real(),
        words(COMPARE),
        words(BECOME),
        replace.real()
    ))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::{Command, Output};

    use super::*;

    /// A docker that knows two containers by what they are inspected as, and writes down what it is asked.
    const DOCKER: &str = r#"
docker() {
    echo "$1 $2" >>calls
    case "$1" in
        create) [ ! -e no-create ] || { echo 'no such image' >&2; return 125; }; echo id ;;
        inspect) [ ! -e no-inspect ] || return 1; cat running next ;;
        cp) [ ! -e no-copy ] || { echo 'rootfs is read-only' >&2; return 1; } ;;
        exec) [ ! -e no-upgrade ] || { echo 'Error: upgrade: no' >&2; return 1; } ;;
        old) echo "replaced it"; return 3 ;;
    esac
}
"#;

    const RUNNING: &str = "is aaa dhow/kamal-proxy:v1 old\nimage own\ncommand [\"kamal-proxy\",\"run\"]\nBinds \"a\"\nBinds \"b\"\nMemory 1\n\n";
    const NEXT: &str = "is bbb dhow/kamal-proxy:v2 new\nimage own\ncommand [\"kamal-proxy\",\"run\"]\nBinds \"b\"\nBinds \"a\"\nMemory 1\n";

    struct Ended {
        output: Output,
        calls: String,
        record: Option<String>,
    }

    fn run(next: &str, broken: &[&str]) -> Ended {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(path(".kamal/proxy")).unwrap();
        std::fs::write(path("running"), RUNNING).unwrap();
        std::fs::write(path("next"), next).unwrap();
        for name in broken {
            std::fs::write(path(name), "").unwrap();
        }
        let cmd = or_replace(&Cmd::docker("create it"), &Cmd::docker("old way"));
        let output = Command::new("sh")
            .current_dir(&folder)
            .env("TMPDIR", folder.path())
            .args(["-c", &format!("{DOCKER}\n( {} )", cmd.real())])
            .output()
            .unwrap();
        let read = |path: &Path| std::fs::read_to_string(path).ok();
        let left = std::fs::read_dir(&folder).unwrap();
        let left = left.filter(|entry| entry.as_ref().unwrap().path().is_dir());
        assert_eq!(left.count(), 1, "only `.kamal` stays");
        Ended {
            output,
            calls: read(&path("calls")).unwrap().replace('\n', ", "),
            record: read(&path(paths::PROXY_IN_PLACE)),
        }
    }

    fn said(ended: &Ended) -> String {
        String::from_utf8(ended.output.stdout.clone()).unwrap()
    }

    #[test]
    fn what_differs_by_its_image_alone_is_not_replaced() {
        let ended = run(NEXT, &[]);
        assert_eq!(ended.output.status.code(), Some(0));
        assert_eq!(said(&ended), "restarted without a gap\n");
        let calls: Vec<&str> = ended.calls.split(", ").collect();
        let words = calls.iter().filter_map(|call| call.split(' ').next());
        assert_eq!(
            words.collect::<Vec<_>>().join(" "),
            "container create inspect cp cp exec top container "
        );
        assert_eq!(
            ended.record.as_deref(),
            Some("aaa dhow/kamal-proxy:v2 new\n")
        );
    }

    #[test]
    fn what_differs_otherwise_is_replaced_and_the_parts_are_named() {
        let other = NEXT.replace("\"run\"", "\"run\",\"--debug\"");
        let other = other.replace("Memory 1", "Memory 2");
        let ended = run(&other, &[]);
        assert_eq!(ended.output.status.code(), Some(3));
        assert_eq!(
            said(&ended),
            "replaced: its settings differ: Memory command\nreplaced it\n"
        );
        assert!(!ended.calls.contains("cp "), "{}", ended.calls);
        assert_eq!(ended.record, None);
    }

    #[test]
    fn what_does_not_work_out_is_a_replacement() {
        for (broken, why) in [
            ("no-copy", "rootfs is read-only"),
            ("no-upgrade", "Error: upgrade: no"),
            ("no-inspect", ""),
        ] {
            let ended = run(NEXT, &[broken]);
            assert_eq!(ended.output.status.code(), Some(3), "{broken}");
            assert_eq!(said(&ended), format!("replaced: {why}\nreplaced it\n"));
            assert_eq!(ended.record, None);
            assert!(
                ended.calls.ends_with("old way, container rm, "),
                "{}",
                ended.calls
            );
        }
    }

    #[test]
    fn a_container_that_cannot_be_created_changes_nothing() {
        let ended = run(NEXT, &["no-create"]);
        assert_eq!(ended.output.status.code(), Some(125));
        assert_eq!(said(&ended), "");
        assert_eq!(
            String::from_utf8_lossy(&ended.output.stderr),
            "no such image\n"
        );
        assert_eq!(ended.calls, "container rm, create it, container rm, ");
    }
}
