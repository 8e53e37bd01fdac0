//! Vectors with known answers, and the same questions put to the real `ssh -G`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::config::tokens::tests::place;

struct Files {
    dir: tempfile::TempDir,
    place: Place,
}

impl Files {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut place = place();
        place.home = dir.path().to_owned();
        place.cwd = dir.path().to_owned();
        fs::create_dir(dir.path().join(".ssh")).unwrap();
        Self { dir, place }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.dir.path().join(".ssh").join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        file
    }

    fn ask(&self, host: &str, file: &Path) -> HostConfig {
        let query = Query {
            host,
            user: None,
            port: None,
        };
        resolve(&[file.to_owned()], query, &self.place).unwrap()
    }

    fn fails(&self, text: &str) -> String {
        let file = self.write("bad", text);
        let query = Query {
            host: "web",
            user: None,
            port: None,
        };
        let error = resolve(&[file], query, &self.place).unwrap_err();
        format!("{}: {}", error.line, error.reason)
    }
}

#[test]
fn the_first_value_wins_and_identity_files_add_up() {
    let files = Files::new();
    let file = files.write(
        "config",
        "User early\nIdentityFile ~/a\nHost web db\n  User late\n  Port 2222\n  IdentityFile ~/b\n  IdentityFile ~/a\nHost !web *\n  Port 1\nHost *\n  Port 3\n",
    );
    let web = files.ask("web", &file);
    assert_eq!((web.user.as_deref(), web.port), (Some("early"), Some(2222)));
    let home = &files.place.home;
    assert_eq!(web.identity_files, [home.join("a"), home.join("b")]);
    assert_eq!(files.ask("other", &file).port, Some(1));
}

#[test]
fn what_is_known_beforehand_beats_the_files() {
    let files = Files::new();
    let file = files.write(
        "config",
        "User u\nPort 9\nHostName real.%h\nMatch user root\nForwardAgent yes\n",
    );
    let query = Query {
        host: "web",
        user: Some("root"),
        port: Some(22),
    };
    let found = resolve(&[file], query, &files.place).unwrap();
    assert_eq!(
        (found.user.as_deref(), found.port),
        (Some("root"), Some(22))
    );
    assert_eq!(found.host_name.as_deref(), Some("real.web"));
    assert_eq!(found.forward_agent, Some(true));
}

#[test]
fn conditions() {
    let files = Files::new();
    let file = files.write(
        "config",
        "HostName 10.0.0.1\n\
         Match originalhost web host 10.* localuser me,you\nPort 1\n\
         Match exec \"test %n = db\"\nPort 2\n\
         Match !exec \"true\"\nPort 3\n\
         Match host none exec \"touch ran\"\nPort 4\n\
         Match all\nUser everyone\n",
    );
    assert_eq!(files.ask("web", &file).port, Some(1));
    let db = files.ask("db", &file);
    assert_eq!((db.port, db.user.as_deref()), (Some(2), Some("everyone")));
    assert_eq!(files.ask("x", &file).port, None);
    assert!(
        !Path::new("ran").exists(),
        "a command after a failed condition must not run"
    );
}

#[test]
fn the_final_pass_sees_the_resolved_name() {
    let files = Files::new();
    let file = files.write(
        "config",
        "Host short\nHostName long.example\nMatch final host long.example\nPort 7\nHost long.example\nUser second\n",
    );
    let found = files.ask("short", &file);
    assert_eq!(
        (found.port, found.user.as_deref()),
        (Some(7), Some("second"))
    );
}

#[test]
fn includes_with_wildcards_inside_blocks() {
    let files = Files::new();
    files.write("conf.d/10-a", "Port 10\nHost db\nPort 11\n");
    files.write("conf.d/20-b", "Port 20\nUser b\n");
    files.write("conf.d/.hidden", "User hidden\n");
    let file = files.write(
        "config",
        "Host web\nInclude conf.d/*\nUser after\nHost *\nUser last\n",
    );
    let web = files.ask("web", &file);
    assert_eq!((web.port, web.user.as_deref()), (Some(10), Some("b")));
    // Inside a block that does not match nothing matches, whatever the included file says.
    let db = files.ask("db", &file);
    assert_eq!((db.port, db.user.as_deref()), (None, Some("last")));
    let endless = files.write("endless", "Include endless\n");
    let query = Query {
        host: "x",
        user: None,
        port: None,
    };
    let error = resolve(&[endless], query, &files.place).unwrap_err();
    assert_eq!(error.reason, "too many nested includes");
}

#[test]
fn proxies_the_first_of_either_kind_wins() {
    let files = Files::new();
    let file = files.write(
        "config",
        "Host a\nProxyJump me@gate:2\nProxyCommand nc %h %p\nHost b\nProxyCommand=nc -x 'p q' %h %p # hash\nProxyJump x\nHost c\nProxyCommand none\nHost *\nProxyJump never\n",
    );
    let a = files.ask("a", &file);
    assert_eq!(
        (a.proxy_jump.as_deref(), a.proxy_command),
        (Some("me@gate:2"), None)
    );
    let b = files.ask("b", &file);
    assert_eq!(
        (b.proxy_jump, b.proxy_command.as_deref()),
        (None, Some("nc -x 'p q' %h %p # hash"))
    );
    let c = files.ask("c", &file);
    assert_eq!(
        (c.proxy_jump, c.proxy_command.as_deref()),
        (None, Some("none"))
    );
}

#[test]
fn times_paths_and_switches() {
    let files = Files::new();
    let file = files.write(
        "config",
        "ConnectTimeout 1m30\nServerAliveInterval 0\nServerAliveCountMax 5\nIdentityAgent ${KEYS}/agent\nUserKnownHostsFile ~/one \"two words\"\n\
         GlobalKnownHostsFile none\nHashKnownHosts yes\nHostKeyAlias alias\nStrictHostKeyChecking Accept-New\nAddressFamily inet\nUnknownThing x\n",
    );
    let found = files.ask("web", &file);
    assert_eq!(found.connect_timeout, Some(Duration::from_secs(90)));
    assert_eq!(found.server_alive_interval, Some(Duration::ZERO));
    assert_eq!(found.server_alive_count_max, Some(5));
    assert_eq!(
        found.identity_agent,
        Some(IdentityAgent::Socket("/keys/agent".into()))
    );
    let home = &files.place.home;
    assert_eq!(
        found.user_known_hosts,
        Some(vec![home.join("one"), home.join("two words")])
    );
    assert_eq!(found.global_known_hosts, Some(vec![]));
    assert_eq!(found.hash_known_hosts, Some(true));
    assert_eq!(found.host_key_alias.as_deref(), Some("alias"));
    assert_eq!(
        found.strict_host_key_checking.as_deref(),
        Some("accept-new")
    );
    assert_eq!(found.only_ipv6, Some(false));
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let files = Files::new();
    assert_eq!(files.fails("\nPort x\n"), "2: bad port `x`");
    assert_eq!(files.fails("Port 70000"), "1: bad port `70000`");
    assert_eq!(files.fails("User \"a"), "1: unbalanced quotes");
    assert_eq!(files.fails("User"), "1: `user` needs a value");
    assert_eq!(files.fails("Match"), "1: `Match` without a condition");
    assert_eq!(files.fails("Match host"), "1: `Match host` needs a value");
    assert_eq!(
        files.fails("Match moon full"),
        "1: unknown condition `moon` in `Match`"
    );
    assert_eq!(files.fails("IdentityFile %z"), "1: unknown token `%z`");
    assert_eq!(
        files.fails("ConnectTimeout 99999999999999999999"),
        "1: bad time `99999999999999999999`"
    );
    assert_eq!(
        files.fails("StrictHostKeyChecking perhaps"),
        "1: bad value `perhaps`"
    );
    // Lines that do not apply are not read closely.
    let file = files.write("idle", "Host nobody\nPort x\n");
    assert_eq!(files.ask("web", &file).port, None);
}

/// Puts a set of configurations to the real program and compares what both make of them.
#[test]
fn agrees_with_openssh() {
    let files = Files::new();
    files.write("extra", "Port 4000\nHost web\nUser included\n");
    let shown = files.dir.path().display();
    let configs = [
        "Host web*\nHostName %h.internal\nPort 2222\nUser alice\n".to_owned(),
        "Host *.example !old.example\nUser e\nHost *\nPort 5\n".to_owned(),
        format!("Include {shown}/.ssh/extra\nHost *\nUser fallback\n"),
        format!("Host web\nInclude {shown}/.ssh/extra\nHost *\nUser fallback\nPort 6\n"),
        "Match originalhost web\nHostName 10.1.1.1\nMatch host 10.1.*\nUser net\nMatch host web\nUser name\n".to_owned(),
        "Match exec \"test '%h' = web\"\nPort 77\nMatch all\nPort 78\n".to_owned(),
        "Host web\nHostName deep.example\nMatch final host deep.example\nUser final\nMatch final\nPort 99\n".to_owned(),
        "port=33\nUSER \"quoted\" # note\nhostname = h%%h\n".to_owned(),
        "User a\nUser b\nPort 1\nPort 2\n".to_owned(),
        "Host \"web\" 'db'\nPort 44\nHost w?b\nUser question\n".to_owned(),
        "ForwardAgent yes\nIdentitiesOnly yes\nHashKnownHosts yes\nStrictHostKeyChecking yes\nServerAliveInterval 1m\nServerAliveCountMax 7\nConnectTimeout 2m5s\nHostKeyAlias other\n".to_owned(),
        "ProxyJump me@gate:2222,second\nProxyCommand no\n".to_owned(),
        "ProxyCommand nc '%h' %p\nProxyJump no\n".to_owned(),
        "ProxyJump none\nProxyCommand no\n".to_owned(),
    ];
    for (number, text) in configs.iter().enumerate() {
        let file = files.write(&format!("c{number}"), text);
        for host in ["web", "web1.example", "old.example", "db"] {
            let ours = files.ask(host, &file);
            let theirs = openssh(host, &file);
            let case = format!("{host} with\n{text}");
            let value = |key: &str| {
                theirs
                    .iter()
                    .find(|(k, _)| k == key)
                    .map(|(_, v)| v.as_str())
            };
            let name = ours.host_name.as_deref().unwrap_or(host);
            assert_eq!(Some(name), value("hostname"), "{case}");
            assert_eq!(
                ours.port.unwrap_or(22).to_string(),
                value("port").unwrap(),
                "{case}"
            );
            if let Some(user) = &ours.user {
                assert_eq!(Some(user.as_str()), value("user"), "{case}");
            }
            let yes = |set: Option<bool>| if set.unwrap_or(false) { "yes" } else { "no" };
            assert_eq!(
                Some(yes(ours.forward_agent)),
                value("forwardagent"),
                "{case}"
            );
            assert_eq!(
                Some(yes(ours.identities_only)),
                value("identitiesonly"),
                "{case}"
            );
            assert_eq!(
                Some(yes(ours.hash_known_hosts)),
                value("hashknownhosts"),
                "{case}"
            );
            assert_eq!(
                ours.host_key_alias.as_deref(),
                value("hostkeyalias"),
                "{case}"
            );
            let seconds = |set: Option<Duration>, default: &str| {
                set.map_or_else(|| default.to_owned(), |d| d.as_secs().to_string())
            };
            assert_eq!(
                Some(seconds(ours.server_alive_interval, "0").as_str()),
                value("serveraliveinterval"),
                "{case}"
            );
            assert_eq!(
                Some(seconds(ours.connect_timeout, "none").as_str()),
                value("connecttimeout"),
                "{case}"
            );
            let given = |set: &Option<String>| set.clone().filter(|text| text != "none");
            assert_eq!(
                given(&ours.proxy_jump).as_deref(),
                value("proxyjump"),
                "{case}"
            );
            assert_eq!(
                given(&ours.proxy_command).as_deref(),
                value("proxycommand"),
                "{case}"
            );
        }
    }
}

fn openssh(host: &str, file: &Path) -> Vec<(String, String)> {
    let output = Command::new("ssh")
        .args(["-G", "-F"])
        .arg(file)
        .arg(host)
        .output()
        .expect("ssh is missing: install the package openssh-client");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}
