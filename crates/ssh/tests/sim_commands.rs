//! Commands and streams against the server in this process: what needs counting or misbehaviour.

mod support;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use dhow_ssh::{Connector, Event, ExecOptions, Exit, SshError};
use dhow_testkit::sshd::{Answer, Config, Sshd};
use support::{default_key, settings, soon};
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
