//! Connecting to the server in this process: what needs counting, misbehaviour, or many hosts.

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dhow_ssh::{Ask, Connector, ExecOptions, HostKeyPolicy, Notice, Question, Secret, SshError};
use dhow_testkit::sshd::{Answer, Config, Sshd};
use support::{default_key, listen, settings, soon};

const HOST: &str = "127.0.0.1";

fn shell(dir: &Path) -> Config {
    Config::new(Answer::Shell {
        dir: dir.to_owned(),
        env: vec![
            ("PATH".into(), "/usr/bin:/bin".into()),
            ("GREETING".into(), "hello".into()),
        ],
    })
}

fn silent() -> Config {
    Config::new(Answer::scripted(|mut call| async move {
        call.input_to_end().await;
        0
    }))
}

fn count(counter: &AtomicUsize) -> usize {
    counter.load(Ordering::SeqCst)
}

#[tokio::test]
async fn a_server_that_is_too_busy_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    default_key(dir.path());
    let sshd = Sshd::start(silent()).await.unwrap();
    sshd.refuse_next(3);
    let mut settings = settings(dir.path(), sshd.port());
    let heard = listen(&mut settings);
    soon(Connector::new(settings).session(HOST)).await.unwrap();
    assert_eq!(count(&sshd.counters().connections), 4);
    let retries = heard
        .lock()
        .unwrap()
        .iter()
        .filter(|n| matches!(n, Notice::ConnectRetry { .. }))
        .count();
    assert_eq!(retries, 3);
}

#[tokio::test]
async fn nobody_listening_is_refused_and_a_bad_name_unresolved() {
    let dir = tempfile::tempdir().unwrap();
    default_key(dir.path());
    let port = dhow_testkit::openssh::free_port().unwrap();
    let mut settings = settings(dir.path(), port);
    settings.dns_retries = 1;
    let heard = listen(&mut settings);
    let connector = Connector::new(settings);
    let error = soon(connector.session(HOST)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("connection to `127.0.0.1:{port}` refused")
    );
    assert_eq!(
        (error.kamal_class(), error.host()),
        ("Errno::ECONNREFUSED", HOST)
    );
    heard.lock().unwrap().clear();
    let error = soon(connector.session("no.such.host.invalid"))
        .await
        .unwrap_err();
    assert!(matches!(error, SshError::NameResolution { .. }), "{error}");
    assert_eq!(error.kamal_class(), "SocketError");
    assert!(matches!(
        heard.lock().unwrap().as_slice(),
        [Notice::DnsRetry {
            attempt: 1,
            of: 1,
            ..
        }]
    ));
}

#[tokio::test]
async fn a_server_that_says_nothing_times_out() {
    let dir = tempfile::tempdir().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = settings(dir.path(), listener.local_addr().unwrap().port());
    settings.connect_timeout = Duration::from_millis(300);
    let error = soon(Connector::new(settings).session(HOST))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "the ssh handshake timed out after 0.3 s");
    assert_eq!(error.kamal_class(), "Net::SSH::ConnectionTimeout");
}

#[tokio::test]
async fn new_host_keys_are_written_down_and_changed_ones_refused() {
    let dir = tempfile::tempdir().unwrap();
    default_key(dir.path());
    let sshd = Sshd::start(silent()).await.unwrap();
    let mut settings = settings(dir.path(), sshd.port());
    let heard = listen(&mut settings);
    let connector = Connector::new(settings.clone());
    soon(connector.dial(HOST)).await.unwrap();
    soon(connector.dial(HOST)).await.unwrap();
    let file = dir.path().join(".ssh/known_hosts");
    let key = sshd.host_key();
    let mut words = key.split(' ');
    let (kind, blob) = (words.next().unwrap(), words.next().unwrap());
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        format!("[127.0.0.1]:{} {kind} {blob}\n", sshd.port())
    );
    assert!(matches!(
        heard.lock().unwrap().as_slice(),
        [Notice::HostKeyAdded { .. }]
    ));

    sshd.change_host_key().unwrap();
    let error = soon(connector.dial(HOST)).await.unwrap_err();
    let SshError::HostKeyChanged { key, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!((&key.file, key.line), (&file, 1));
    assert!(
        key.found.starts_with("SHA256:")
            && key.known.starts_with("SHA256:")
            && key.found != key.known
    );
    assert_eq!(error.kamal_class(), "Net::SSH::HostKeyMismatch");

    settings.host_keys = Some(HostKeyPolicy::Off);
    soon(Connector::new(settings.clone()).dial(HOST))
        .await
        .unwrap();
    std::fs::write(&file, "").unwrap();
    settings.host_keys = Some(HostKeyPolicy::Strict);
    let error = soon(Connector::new(settings).dial(HOST)).await.unwrap_err();
    assert!(matches!(error, SshError::HostKeyUnknown { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "");
}

#[tokio::test]
async fn a_refused_login_tells_everything_that_was_tried() {
    let dir = tempfile::tempdir().unwrap();
    default_key(dir.path());
    support::key(dir.path(), "id_rsa", &["-t", "rsa", "-b", "2048"], "locked");
    let mut config = silent();
    config.authorized_keys = Some(Vec::new());
    let sshd = Sshd::start(config).await.unwrap();
    let mut settings = settings(dir.path(), sshd.port());
    settings.user = "deploy".into();
    settings.place.agent_socket = Some(dir.path().join("no-agent"));
    let error = soon(Connector::new(settings).session(HOST))
        .await
        .unwrap_err();
    let SshError::Auth { user, tried, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(user, "deploy");
    assert_eq!(tried.len(), 3, "{tried:?}");
    assert!(
        tried[0].starts_with("agent ") && tried[0].contains("skipped"),
        "{tried:?}"
    );
    assert!(
        tried[1].contains("id_ed25519 ssh-ed25519 SHA256:") && tried[1].ends_with("refused"),
        "{tried:?}"
    );
    assert!(
        tried[2].contains("id_rsa ssh-rsa SHA256:") && tried[2].ends_with("refused"),
        "{tried:?}"
    );
}

#[tokio::test]
async fn an_encrypted_key_that_is_wanted_but_locked_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let public = support::key(dir.path(), "id_ed25519", &["-t", "ed25519"], "secret");
    let mut config = silent();
    config.authorized_keys = Some(vec![public]);
    let sshd = Sshd::start(config).await.unwrap();
    let error = soon(Connector::new(settings(dir.path(), sshd.port())).session(HOST))
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("nobody is there to ask for its passphrase"),
        "{error}"
    );
    assert!(error.hint().is_some_and(|hint| hint.contains("ssh-add")));
}

#[tokio::test]
async fn a_passphrase_is_asked_for_once_for_all_hosts() {
    let dir = tempfile::tempdir().unwrap();
    let public = support::key(dir.path(), "id_ed25519", &["-t", "ed25519"], "secret");
    let mut config = silent();
    config.authorized_keys = Some(vec![public]);
    let addresses: Vec<SocketAddr> = (1..=5)
        .map(|n| SocketAddr::from(([127, 9, 0, n], 0)))
        .collect();
    // All on one port, which the first one finds.
    let first = Sshd::listen(&addresses[..1], config.clone()).await.unwrap();
    let others: Vec<SocketAddr> = addresses[1..]
        .iter()
        .map(|a| SocketAddr::new(a.ip(), first.port()))
        .collect();
    let _others = Sshd::listen(&others, config).await.unwrap();
    let mut settings = settings(dir.path(), first.port());
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    settings.ask = Some(Ask::new(|question| match question {
        Question::Passphrase { attempt, .. } => {
            ASKED.fetch_add(1, Ordering::SeqCst);
            Some(Secret::new(if *attempt == 1 { "wrong" } else { "secret" }))
        }
        _ => None,
    }));
    let connector = Connector::new(settings);
    let all: Vec<_> = addresses
        .iter()
        .map(|address| {
            let (connector, host) = (connector.clone(), address.ip().to_string());
            tokio::spawn(async move { connector.session(&host).await })
        })
        .collect();
    for task in all {
        soon(task).await.unwrap().unwrap();
    }
    assert_eq!(
        ASKED.load(Ordering::SeqCst),
        2,
        "one wrong answer, one right"
    );
}

#[tokio::test]
async fn passwords_and_challenges_are_answered_by_whoever_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = silent();
    config.authorized_keys = Some(Vec::new());
    config.password = Some("open".into());
    let sshd = Sshd::start(config).await.unwrap();
    for batch in [false, true] {
        let mut settings = settings(dir.path(), sshd.port());
        let file = dir.path().join("config");
        let text = if batch {
            "KbdInteractiveAuthentication no\n"
        } else {
            ""
        };
        std::fs::write(&file, text).unwrap();
        settings.config_files = vec![file];
        settings.ask = Some(Ask::new(|question| {
            let right = match question {
                Question::Password { account, attempt } => {
                    assert_eq!(account, "root@127.0.0.1");
                    *attempt == 2
                }
                Question::Challenge { prompt, echo, .. } => prompt == "Password: " && !echo,
                Question::Passphrase { .. } => false,
            };
            Some(Secret::new(if right { "open" } else { "no" }))
        }));
        soon(Connector::new(settings).session(HOST)).await.unwrap();
    }
}

#[tokio::test]
async fn jump_hosts_are_shared_and_several_stand_in_a_row() {
    let dir = tempfile::tempdir().unwrap();
    default_key(dir.path());
    let gate = Sshd::start(silent()).await.unwrap();
    let inner = Sshd::start(silent()).await.unwrap();
    let target = Sshd::start(shell(dir.path())).await.unwrap();
    let mut settings = settings(dir.path(), target.port());
    // One start at a time must not lock the jump host out.
    settings.max_concurrent_starts = 1;
    settings.jump = Some(format!(
        "me@127.0.0.1:{},127.0.0.1:{}",
        gate.port(),
        inner.port()
    ));
    let connector = Connector::new(settings);
    let hosts = ["127.0.0.1", "127.0.0.2", "localhost"];
    let all: Vec<_> = hosts
        .into_iter()
        .map(|host| {
            let connector = connector.clone();
            tokio::spawn(async move {
                let session = connector.session(host).await?;
                session
                    .exec("echo there", &ExecOptions::default())
                    .await?
                    .output(Bytes::new())
                    .await
            })
        })
        .collect();
    let mut reached = 0;
    for task in all {
        match soon(task).await.unwrap() {
            Ok(output) => {
                assert_eq!(output.stdout, b"there\n");
                reached += 1;
            }
            // The target listens on 127.0.0.1 only.
            Err(error) => assert_eq!(
                (error.host(), error.kamal_class()),
                ("127.0.0.2", "Net::SSH::Proxy::ConnectError")
            ),
        }
    }
    assert_eq!(reached, 2);
    assert_eq!(count(&gate.counters().connections), 1);
    assert_eq!(count(&inner.counters().connections), 1);
    assert_eq!(count(&target.counters().connections), 2);
}

#[tokio::test]
async fn a_dead_jump_host_is_tried_once_for_all_who_wait_for_it() {
    let dir = tempfile::tempdir().unwrap();
    default_key(dir.path());
    let gate = Sshd::start(silent()).await.unwrap();
    gate.refuse_next(1000);
    let mut settings = settings(dir.path(), 22);
    settings.jump = Some(format!("127.0.0.1:{}", gate.port()));
    let connector = Connector::new(settings);
    let all: Vec<_> = (1..=20)
        .map(|n| {
            let connector = connector.clone();
            tokio::spawn(async move { connector.session(&format!("10.0.0.{n}")).await })
        })
        .collect();
    for (n, task) in all.into_iter().enumerate() {
        let error = soon(task).await.unwrap().unwrap_err();
        assert!(
            matches!(&error, SshError::Jump { host, .. } if *host == format!("10.0.0.{}", n + 1)),
            "{error}"
        );
    }
    assert_eq!(count(&gate.counters().connections), 7);
}

/// parity: commands 239
#[tokio::test]
async fn starts_are_limited() {
    let dir = tempfile::tempdir().unwrap();
    default_key(dir.path());
    let mut config = silent();
    config.round_trip = Duration::from_millis(20);
    let first = Sshd::listen(&[SocketAddr::from(([127, 8, 0, 1], 0))], config.clone())
        .await
        .unwrap();
    let others: Vec<SocketAddr> = (2..=40)
        .map(|n| SocketAddr::from(([127, 8, 0, n], first.port())))
        .collect();
    let rest = Sshd::listen(&others, config).await.unwrap();
    let mut settings = settings(dir.path(), first.port());
    settings.max_concurrent_starts = 5;
    let connector = Connector::new(settings);
    let all: Vec<_> = rest
        .addresses()
        .iter()
        .map(|address| {
            let (connector, host) = (connector.clone(), address.ip().to_string());
            tokio::spawn(async move { connector.session(&host).await.map(|_| ()) })
        })
        .collect();
    for task in all {
        soon(task).await.unwrap().unwrap();
    }
    assert_eq!(count(&rest.counters().logins), 39);
    let most = count(&rest.counters().most_starting);
    assert!((2..=5).contains(&most), "{most}");
}
