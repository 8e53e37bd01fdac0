//! Commands, terminals and streams against a real OpenSSH server: what the stand-in can't prove.

mod support;

use std::time::{Duration, Instant};

use bytes::Bytes;
use dhow_ssh::{Connector, Event, ExecOptions, Exit, Session, SshError, WindowSize};
use dhow_testkit::openssh::Agent;
use support::place::{HOST, Place, says_hi};
use support::{key, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

/// parity: commands 237
#[tokio::test]
async fn the_agent_is_there_for_commands() {
    let place = Place::new("");
    let agent = Agent::start(place.path()).unwrap();
    place.let_in(&key(
        place.path(),
        "k",
        &["-t", "ed25519", "-C", "forwarded"],
        "",
    ));
    agent.add(&place.path().join(".ssh/k")).unwrap();
    let mut settings = place.settings();
    settings.place.agent_socket = Some(agent.socket().to_owned());
    for (forward, expected) in [(None, true), (Some(false), false)] {
        settings.forward_agent = forward;
        let session = soon(Connector::new(settings.clone()).session(HOST))
            .await
            .unwrap();
        let exec = session
            .exec("ssh-add -l", &ExecOptions::default())
            .await
            .unwrap();
        let output = soon(exec.output(Bytes::new())).await.unwrap();
        assert_eq!(output.exit.is_success(), expected, "{output:?}");
    }
}

#[tokio::test]
async fn a_terminal_with_size_resize_and_exit_code() {
    let place = Place::ready("");
    let session = soon(Connector::new(place.settings()).session(HOST))
        .await
        .unwrap();
    let size = WindowSize {
        columns: 97,
        rows: 31,
    };
    let mut pty = session
        .pty(
            "stty size; echo $TERM; read line; stty size; echo got $line; exit 7",
            "vt220",
            size,
        )
        .await
        .unwrap();
    let mut stdin = pty.stdin().unwrap();
    let mut seen = String::new();
    while !seen.contains("vt220") {
        let Some(Event::Stdout(bytes)) = soon(pty.next()).await else {
            panic!("{seen}")
        };
        seen.push_str(&String::from_utf8_lossy(&bytes));
    }
    pty.input()
        .resize(WindowSize {
            columns: 50,
            rows: 20,
        })
        .await;
    stdin.write(Bytes::from_static(b"typed\n")).await.unwrap();
    while let Some(Event::Stdout(bytes)) = soon(pty.next()).await {
        seen.push_str(&String::from_utf8_lossy(&bytes));
    }
    assert_eq!(
        seen.replace("typed\r\n20", "20"),
        "31 97\r\nvt220\r\n20 50\r\ngot typed\r\n"
    );
    assert_eq!(soon(pty.finish()).await.unwrap(), Exit::Status(7));
}

#[tokio::test]
async fn a_terminal_pumped_from_local_streams() {
    let place = Place::ready("");
    let session = soon(Connector::new(place.settings()).session(HOST))
        .await
        .unwrap();
    let size = WindowSize {
        columns: 80,
        rows: 24,
    };
    let pty = session
        .pty(
            "stty -echo; read a; stty size; echo end $a; exit 5",
            "xterm",
            size,
        )
        .await
        .unwrap();
    let (mut keyboard, stdin) = tokio::io::duplex(64);
    let (resize, resizes) = mpsc::channel(4);
    let (stdout, mut screen) = tokio::io::duplex(1 << 16);
    let typing = tokio::spawn(async move {
        resize
            .send(WindowSize {
                columns: 40,
                rows: 10,
            })
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        keyboard.write_all(b"word\n").await.unwrap();
        // The keyboard stays open: the end of the command is what ends the pumping.
        keyboard
    });
    let exit = soon(pty.pump(stdin, stdout, resizes)).await.unwrap();
    assert_eq!(exit, Exit::Status(5));
    let mut seen = String::new();
    screen.read_to_string(&mut seen).await.unwrap();
    assert!(seen.contains("10 40\r\nend word\r\n"), "{seen:?}");
    drop(typing.await.unwrap());
}

#[tokio::test]
async fn sockets_on_the_host() {
    let place = Place::ready("");
    let session = soon(Connector::new(place.settings()).session(HOST))
        .await
        .unwrap();
    let path = place.path().join("echo.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    // More than MaxSessions: forwards are not counted.
    let streams: Vec<_> = (0..30)
        .map(|n| {
            let (session, path) = (session.clone(), path.to_string_lossy().into_owned());
            tokio::spawn(async move {
                let mut tunnel = session.streamlocal(&path).await.unwrap();
                tunnel
                    .write_all(format!("hello {n}").as_bytes())
                    .await
                    .unwrap();
                tunnel.shutdown().await.unwrap();
                let mut back = String::new();
                tunnel.read_to_string(&mut back).await.unwrap();
                back
            })
        })
        .collect();
    for (n, stream) in streams.into_iter().enumerate() {
        assert_eq!(soon(stream).await.unwrap(), format!("hello {n}"));
    }
}

#[tokio::test]
async fn ports_on_the_host_lead_here() {
    let place = Place::ready("");
    let session = soon(Connector::new(place.settings()).session(HOST))
        .await
        .unwrap();
    let mut forward = soon(session.remote_forward("127.0.0.1", 0)).await.unwrap();
    let port = forward.port();
    assert_ne!(port, 0);
    let size = 8 << 20;
    let client = tokio::spawn(async move {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        all.len()
    });
    let mut incoming = soon(forward.accept()).await.unwrap();
    assert!(
        incoming.origin.starts_with("127.0.0.1:"),
        "{}",
        incoming.origin
    );
    soon(incoming.tunnel.write_all(&vec![7; size]))
        .await
        .unwrap();
    soon(incoming.tunnel.shutdown()).await.unwrap();
    assert_eq!(soon(client).await.unwrap(), size);
    // Taken ports are an error.
    let error = soon(session.remote_forward("127.0.0.1", place.sshd.port()))
        .await
        .unwrap_err();
    assert!(matches!(error, SshError::ChannelRefused { .. }), "{error}");
}

#[tokio::test]
async fn thirty_commands_at_once_with_ten_sessions() {
    let place = Place::ready("MaxSessions 10");
    let session = soon(Connector::new(place.settings()).session(HOST))
        .await
        .unwrap();
    let all: Vec<_> = (0..30)
        .map(|n| {
            let session = session.clone();
            tokio::spawn(async move {
                let exec = session
                    .exec(&format!("echo {n}"), &ExecOptions::default())
                    .await?;
                exec.output(Bytes::new()).await
            })
        })
        .collect();
    for (n, task) in all.into_iter().enumerate() {
        assert_eq!(
            soon(task).await.unwrap().unwrap().stdout,
            format!("{n}\n").as_bytes()
        );
    }
}

#[tokio::test]
async fn one_session_at_a_time_is_enough() {
    let place = Place::ready("MaxSessions 1");
    let session = soon(Connector::new(place.settings()).session(HOST))
        .await
        .unwrap();
    for _ in 0..3 {
        says_hi(&session).await;
    }
    let both = async { tokio::join!(says_hi(&session), says_hi(&session)) };
    soon(both).await;
}

#[tokio::test]
async fn output_after_the_exit_status_is_not_lost() {
    let place = Place::ready("");
    let session = soon(Connector::new(place.settings()).session(HOST))
        .await
        .unwrap();
    let exec = session
        .exec(
            "(sleep 0.5; echo late) & echo early; exit 3",
            &ExecOptions::default(),
        )
        .await
        .unwrap();
    let output = soon(exec.output(Bytes::new())).await.unwrap();
    assert_eq!(
        (output.stdout.as_slice(), output.exit),
        (&b"early\nlate\n"[..], Exit::Status(3))
    );
}

#[tokio::test]
async fn a_slow_reader_gets_every_byte_with_little_memory() {
    let place = Place::ready("");
    let session = soon(Connector::new(place.settings()).session(HOST))
        .await
        .unwrap();
    echo(&session, 200 << 20).await;
}

#[tokio::test]
async fn bulk_both_ways_through_a_jump_host_and_beside_a_reader_who_sleeps() {
    let place = Place::ready("");
    let mut settings = place.settings();
    settings.jump = Some(format!("127.0.0.1:{}", place.sshd.port()));
    let connector = Connector::new(settings);
    // Its output is never read, which must not hold up the other host behind the same jump host.
    let sleeper = soon(connector.session("localhost")).await.unwrap();
    let unread = sleeper.exec("yes", &ExecOptions::default()).await.unwrap();
    let session = soon(connector.session(HOST)).await.unwrap();
    echo(&session, 100 << 20).await;
    drop(unread);
    soon(connector.close()).await;
}

/// Sends `total` bytes through `cat` and reads them back in fits and starts, all correct and with little memory.
async fn echo(session: &Session, total: usize) {
    let mut exec = session.exec("cat", &ExecOptions::default()).await.unwrap();
    let mut stdin = exec.stdin().unwrap();
    let block: Vec<u8> = (0..1_u32 << 20)
        .map(|n| u8::try_from(n % 251).unwrap())
        .collect();
    let block = Bytes::from(block);
    let sent = block.clone();
    let feeding = tokio::spawn(async move {
        for _ in 0..total / sent.len() {
            stdin.write(sent.clone()).await.unwrap();
        }
        stdin.close().await.unwrap();
    });
    let before = resident();
    let (mut got, mut most) = (0, 0);
    let mut pauses = 0;
    while let Some(event) = soon(exec.next()).await {
        let Event::Stdout(bytes) = event else {
            panic!("{event:?}")
        };
        let start = got % block.len();
        let head = bytes.len().min(block.len() - start);
        assert_eq!(bytes[..head], block[start..start + head], "at {got}");
        assert_eq!(bytes[head..], block[..bytes.len() - head], "at {got}");
        got += bytes.len();
        if got / (10 << 20) > pauses {
            pauses += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
            most = most.max(resident());
        }
    }
    assert_eq!(got, total);
    feeding.await.unwrap();
    assert_eq!(exec.finish().await.unwrap(), Exit::Status(0));
    let grown = most.saturating_sub(before);
    assert!(grown < 64 << 20, "grew by {} MB", grown >> 20);
}

/// Memory of this process in bytes.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[tokio::test]
async fn a_connection_cut_in_the_middle() {
    let place = Place::ready("");
    let session = soon(Connector::new(place.settings()).session(HOST))
        .await
        .unwrap();
    let mut exec = session
        .exec("echo $PPID; sleep 100", &ExecOptions::default())
        .await
        .unwrap();
    let Some(Event::Stdout(bytes)) = soon(exec.next()).await else {
        panic!("no output")
    };
    let server = String::from_utf8_lossy(&bytes).trim().to_owned();
    // The process that serves this very connection.
    assert!(
        std::process::Command::new("kill")
            .args(["-9", &server])
            .status()
            .unwrap()
            .success()
    );
    let start = Instant::now();
    let error = soon(exec.finish()).await.unwrap_err();
    assert!(matches!(error, SshError::ConnectionLost { .. }), "{error}");
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(session.is_closed());
}

#[tokio::test]
async fn environment_that_the_server_accepts() {
    let place = Place::ready("AcceptEnv GREETING");
    let session = soon(Connector::new(place.settings()).session(HOST))
        .await
        .unwrap();
    let options = ExecOptions {
        env: vec![
            ("GREETING".into(), "hello".into()),
            ("OTHER".into(), "dropped".into()),
        ],
    };
    let exec = session
        .exec("echo $GREETING $OTHER; kill -TERM $$", &options)
        .await
        .unwrap();
    let output = soon(exec.output(Bytes::new())).await.unwrap();
    assert_eq!(output.stdout, b"hello\n");
    assert!(
        matches!(&output.exit, Exit::Signal { name, .. } if name == "TERM"),
        "{output:?}"
    );
    assert_eq!(output.exit.code(), 143);
}

#[tokio::test]
async fn a_prepared_shell_is_fed_at_once() {
    let place = Place::ready("");
    let session = soon(Connector::new(place.settings()).session(HOST))
        .await
        .unwrap();
    session
        .prepare("sh", &ExecOptions::default())
        .await
        .unwrap();
    let exec = session.exec("sh", &ExecOptions::default()).await.unwrap();
    let output = soon(exec.output(Bytes::from_static(b"echo fed; exit 9")))
        .await
        .unwrap();
    assert_eq!(
        (output.stdout.as_slice(), output.exit),
        (&b"fed\n"[..], Exit::Status(9))
    );
}
