//! Sessions against the server in this process: what needs counting, misbehaviour, or many hosts.

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use dhow_ssh::{
    Ask, Connector, Event, ExecOptions, Exit, HostKeyPolicy, Notice, Question, Secret, SshError,
};
use dhow_testkit::sshd::{Answer, Config, Sshd};
use support::{default_key, listen, settings, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
async fn runs_commands_and_streams_both_outputs() {
    let dir = tempfile::tempdir().unwrap();
    default_key(dir.path());
    let sshd = Sshd::start(shell(dir.path())).await.unwrap();
    let connector = Connector::new(settings(dir.path(), sshd.port()));
    let session = soon(connector.session(HOST)).await.unwrap();

    let exec = session
        .exec(
            "echo $GREETING; pwd; echo oops >&2; exit 3",
            &ExecOptions::default(),
        )
        .await
        .unwrap();
    let output = soon(exec.output(Bytes::new())).await.unwrap();
    let real = dir.path().canonicalize().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        format!("hello\n{}\n", real.display())
    );
    assert_eq!(output.stderr, b"oops\n");
    assert_eq!(output.exit, Exit::Status(3));

    let mut exec = session
        .exec("cat; echo end >&2; kill -9 $$", &ExecOptions::default())
        .await
        .unwrap();
    let mut stdin = exec.stdin().unwrap();
    stdin.write(Bytes::from_static(b"fed\n")).await.unwrap();
    stdin.close().await.unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some(event) = soon(exec.next()).await {
        match event {
            Event::Stdout(bytes) => out.extend_from_slice(&bytes),
            Event::Stderr(bytes) => err.extend_from_slice(&bytes),
        }
    }
    assert_eq!(
        (out.as_slice(), err.as_slice()),
        (&b"fed\n"[..], &b"end\n"[..])
    );
    let exit = exec.finish().await.unwrap();
    assert_eq!((exit.code(), exit.is_success()), (137, false));

    assert_eq!(count(&sshd.counters().execs), 2);
    assert_eq!(count(&sshd.counters().connections), 1);
}

#[tokio::test]
async fn one_session_is_shared_and_opened_again_after_it_was_lost() {
    let dir = tempfile::tempdir().unwrap();
    default_key(dir.path());
    let sshd = Sshd::start(silent()).await.unwrap();
    let connector = Connector::new(settings(dir.path(), sshd.port()));
    let (a, b) =
        soon(async { tokio::join!(connector.session(HOST), connector.session(HOST)) }).await;
    let (a, _b) = (a.unwrap(), b.unwrap());
    assert_eq!(count(&sshd.counters().connections), 1);

    sshd.cut();
    let reason = soon(a.closed()).await;
    assert!(!reason.is_empty());
    assert!(a.is_closed());
    let error = a.exec("true", &ExecOptions::default()).await.unwrap_err();
    assert!(matches!(error, SshError::ConnectionLost { .. }), "{error}");

    let again = soon(connector.session(HOST)).await.unwrap();
    let exec = again.exec("true", &ExecOptions::default()).await.unwrap();
    assert_eq!(
        soon(exec.output(Bytes::new())).await.unwrap().exit,
        Exit::Status(0)
    );
    assert_eq!(count(&sshd.counters().connections), 2);
}

#[tokio::test]
async fn a_command_costs_one_round_trip() {
    let dir = tempfile::tempdir().unwrap();
    default_key(dir.path());
    let mut config = silent();
    let round_trip = Duration::from_millis(400);
    config.round_trip = round_trip;
    let sshd = Sshd::start(config).await.unwrap();
    let connector = Connector::new(settings(dir.path(), sshd.port()));
    let session = soon(connector.session(HOST)).await.unwrap();
    tokio::time::sleep(round_trip * 2).await;
    for _ in 0..3 {
        let start = Instant::now();
        let exec = session
            .exec("anything", &ExecOptions::default())
            .await
            .unwrap();
        let output = soon(exec.output(Bytes::from_static(b"program")))
            .await
            .unwrap();
        let took = start.elapsed();
        assert_eq!(output.exit, Exit::Status(0));
        assert!(took >= round_trip && took < round_trip * 2, "{took:?}");
        // Time for the next channel in reserve to be opened.
        tokio::time::sleep(round_trip * 2).await;
    }
}

#[tokio::test]
async fn thirty_commands_at_once_pass_through_a_server_with_ten_sessions() {
    let dir = tempfile::tempdir().unwrap();
    default_key(dir.path());
    let sshd = Sshd::start(shell(dir.path())).await.unwrap();
    let connector = Connector::new(settings(dir.path(), sshd.port()));
    let session = soon(connector.session(HOST)).await.unwrap();
    let all = (0..30).map(|n| {
        let session = session.clone();
        tokio::spawn(async move {
            let exec = session
                .exec(&format!("sleep 0.1; echo {n}"), &ExecOptions::default())
                .await?;
            exec.output(Bytes::new()).await
        })
    });
    for (n, task) in all.collect::<Vec<_>>().into_iter().enumerate() {
        let output = soon(task).await.unwrap().unwrap();
        assert_eq!(output.stdout, format!("{n}\n").as_bytes());
    }
    assert_eq!(count(&sshd.counters().refused_channels), 0);
    assert_eq!(count(&sshd.counters().connections), 1);
}

#[tokio::test]
async fn a_server_with_fewer_sessions_gets_its_commands_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    default_key(dir.path());
    let mut config = shell(dir.path());
    config.max_sessions = 1;
    let sshd = Sshd::start(config).await.unwrap();
    let connector = Connector::new(settings(dir.path(), sshd.port()));
    let session = soon(connector.session(HOST)).await.unwrap();
    let all: Vec<_> = (0..4)
        .map(|_| {
            let session = session.clone();
            tokio::spawn(async move {
                let exec = session.exec("sleep 0.1", &ExecOptions::default()).await?;
                exec.output(Bytes::new()).await
            })
        })
        .collect();
    for task in all {
        assert_eq!(soon(task).await.unwrap().unwrap().exit, Exit::Status(0));
    }
}

#[tokio::test]
async fn commands_that_never_end_do_not_starve_the_next() {
    let dir = tempfile::tempdir().unwrap();
    default_key(dir.path());
    let sshd = Sshd::start(shell(dir.path())).await.unwrap();
    let connector = Connector::new(settings(dir.path(), sshd.port()));
    let session = soon(connector.session(HOST)).await.unwrap();
    let mut following = Vec::new();
    for _ in 0..10 {
        following.push(
            soon(session.exec("exec sleep 1000", &ExecOptions::default()))
                .await
                .unwrap(),
        );
    }
    let exec = soon(session.exec("echo ok", &ExecOptions::default()))
        .await
        .unwrap();
    assert_eq!(
        soon(exec.output(Bytes::new())).await.unwrap().stdout,
        b"ok\n"
    );
    assert_eq!(count(&sshd.counters().connections), 2);
    drop(following);
    soon(connector.close()).await;
}

#[tokio::test]
async fn a_dropped_command_closes_its_channel() {
    let dir = tempfile::tempdir().unwrap();
    default_key(dir.path());
    let sshd = Sshd::start(shell(dir.path())).await.unwrap();
    let connector = Connector::new(settings(dir.path(), sshd.port()));
    let session = soon(connector.session(HOST)).await.unwrap();
    for _ in 0..40 {
        let exec = soon(session.exec("exec sleep 1000", &ExecOptions::default()))
            .await
            .unwrap();
        drop(exec);
    }
    let exec = soon(session.exec("echo ok", &ExecOptions::default()))
        .await
        .unwrap();
    assert_eq!(
        soon(exec.output(Bytes::new())).await.unwrap().stdout,
        b"ok\n"
    );
    assert_eq!(
        count(&sshd.counters().connections),
        1,
        "slots must come back"
    );
}

#[tokio::test]
async fn a_prepared_command_is_used_once_and_only_for_the_same_text() {
    let dir = tempfile::tempdir().unwrap();
    default_key(dir.path());
    let sshd = Sshd::start(shell(dir.path())).await.unwrap();
    let connector = Connector::new(settings(dir.path(), sshd.port()));
    let session = soon(connector.session(HOST)).await.unwrap();
    session
        .prepare("sh", &ExecOptions::default())
        .await
        .unwrap();
    let other = session
        .exec("echo other", &ExecOptions::default())
        .await
        .unwrap();
    assert_eq!(
        soon(other.output(Bytes::new())).await.unwrap().stdout,
        b"other\n"
    );
    for n in 1..=2 {
        let exec = session.exec("sh", &ExecOptions::default()).await.unwrap();
        let output = soon(exec.output(Bytes::from(format!("echo {n}"))))
            .await
            .unwrap();
        assert_eq!(output.stdout, format!("{n}\n").as_bytes());
        assert_eq!(count(&sshd.counters().execs), n + 1);
    }
}

#[tokio::test]
async fn a_cut_in_the_middle_of_a_command_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    default_key(dir.path());
    let sshd = Sshd::start(shell(dir.path())).await.unwrap();
    let connector = Connector::new(settings(dir.path(), sshd.port()));
    let session = soon(connector.session(HOST)).await.unwrap();
    let mut exec = session
        .exec("echo first; exec sleep 1000", &ExecOptions::default())
        .await
        .unwrap();
    let mut stdin = exec.stdin().unwrap();
    assert_eq!(
        soon(exec.next()).await,
        Some(Event::Stdout(Bytes::from_static(b"first\n")))
    );
    sshd.cut();
    assert_eq!(soon(exec.next()).await, None);
    // Writing without end must stop too, although nobody grants room any more.
    let written = soon(stdin.write(Bytes::from(vec![0; 64 << 20]))).await;
    assert!(
        matches!(written, Err(SshError::ConnectionLost { .. })),
        "{written:?}"
    );
    let error = exec.finish().await.unwrap_err();
    assert!(matches!(error, SshError::ConnectionLost { .. }), "{error}");
    assert_eq!(error.kamal_class(), "Net::SSH::Disconnect");
}

#[tokio::test]
async fn input_that_nobody_reads_ends_with_the_command() {
    let dir = tempfile::tempdir().unwrap();
    default_key(dir.path());
    let sshd = Sshd::start(shell(dir.path())).await.unwrap();
    let connector = Connector::new(settings(dir.path(), sshd.port()));
    let session = soon(connector.session(HOST)).await.unwrap();
    let exec = session
        .exec("sleep 0.2; exit 4", &ExecOptions::default())
        .await
        .unwrap();
    let output = soon(exec.output(Bytes::from(vec![b'x'; 32 << 20])))
        .await
        .unwrap();
    assert_eq!(output.exit, Exit::Status(4));
}

#[tokio::test]
async fn a_silent_server_is_given_up_after_three_keepalives() {
    let dir = tempfile::tempdir().unwrap();
    default_key(dir.path());
    let mut config = silent();
    config.round_trip = Duration::from_millis(2);
    let sshd = Sshd::start(config).await.unwrap();
    let mut settings = settings(dir.path(), sshd.port());
    settings.keepalive_interval = Duration::from_millis(200);
    let connector = Connector::new(settings);
    let session = soon(connector.session(HOST)).await.unwrap();
    let exec = session.exec("x", &ExecOptions::default()).await.unwrap();
    sshd.freeze(true);
    let start = Instant::now();
    let error = soon(exec.finish()).await.unwrap_err();
    assert!(error.to_string().contains("keep-alive"), "{error}");
    assert_eq!(error.kamal_class(), "Net::SSH::Timeout");
    let took = start.elapsed();
    assert!(
        took > Duration::from_millis(600) && took < Duration::from_secs(5),
        "{took:?}"
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_silent_server_is_given_up_while_data_is_stuck() {
    let dir = tempfile::tempdir().unwrap();
    default_key(dir.path());
    let mut config = silent();
    config.round_trip = Duration::from_millis(2);
    let sshd = Sshd::start(config).await.unwrap();
    let mut settings = settings(dir.path(), sshd.port());
    settings.keepalive_interval = Duration::from_millis(300);
    let connector = Connector::new(settings);
    let session = soon(connector.session(HOST)).await.unwrap();
    let exec = session.exec("x", &ExecOptions::default()).await.unwrap();
    sshd.freeze(true);
    let error = soon(exec.output(Bytes::from(vec![0; 64 << 20])))
        .await
        .unwrap_err();
    assert!(matches!(error, SshError::ConnectionLost { .. }), "{error}");
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

#[tokio::test]
async fn streams_and_forwards_carry_bytes_both_ways() {
    let dir = tempfile::tempdir().unwrap();
    default_key(dir.path());
    let sshd = Sshd::start(silent()).await.unwrap();
    let connector = Connector::new(settings(dir.path(), sshd.port()));
    let session = soon(connector.session(HOST)).await.unwrap();

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        all.reverse();
        stream.write_all(&all).await.unwrap();
    });
    let mut tunnel = soon(session.direct_tcpip("127.0.0.1", port)).await.unwrap();
    tunnel.write_all(b"abc").await.unwrap();
    tunnel.shutdown().await.unwrap();
    let mut back = Vec::new();
    soon(tunnel.read_to_end(&mut back)).await.unwrap();
    assert_eq!(back, b"cba");

    let mut forward = soon(session.remote_forward("localhost", 0)).await.unwrap();
    let there = forward.port();
    let client = tokio::spawn(async move {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", there))
            .await
            .unwrap();
        stream.write_all(b"ping").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut back = Vec::new();
        stream.read_to_end(&mut back).await.unwrap();
        back
    });
    let mut incoming = soon(forward.accept()).await.unwrap();
    let mut said = Vec::new();
    soon(incoming.tunnel.read_to_end(&mut said)).await.unwrap();
    incoming.tunnel.write_all(b"pong").await.unwrap();
    drop(incoming);
    assert_eq!(
        (said.as_slice(), soon(client).await.unwrap().as_slice()),
        (&b"ping"[..], &b"pong"[..])
    );
    drop(forward);
    for _ in 0..100 {
        if tokio::net::TcpStream::connect(("127.0.0.1", there))
            .await
            .is_err()
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the port is still open");
}

#[tokio::test]
async fn a_missing_socket_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    default_key(dir.path());
    let sshd = Sshd::start(silent()).await.unwrap();
    let connector = Connector::new(settings(dir.path(), sshd.port()));
    let session = soon(connector.session(HOST)).await.unwrap();
    let error = soon(session.streamlocal("/nowhere/docker.sock"))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "a stream to `/nowhere/docker.sock` refused: connect failed"
    );
}

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
