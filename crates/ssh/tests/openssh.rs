//! Sessions against a real OpenSSH server: what the stand-in can't prove.

mod support;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use dhow_ssh::{
    Ask, Connector, Event, ExecOptions, Exit, HostKeyPolicy, Question, Secret, Session, Settings,
    SshError, WindowSize,
};
use dhow_testkit::openssh::{Agent, OpenSshd, keygen};
use support::{default_key, key, settings, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

const HOST: &str = "127.0.0.1";

struct Place {
    dir: tempfile::TempDir,
    sshd: OpenSshd,
}

impl Place {
    fn new(extra: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sshd = OpenSshd::start(dir.path(), extra).unwrap();
        Self { dir, sshd }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn let_in(&self, public: &str) {
        std::fs::write(self.path().join("authorized_keys"), public).unwrap();
    }

    fn settings(&self) -> Settings {
        settings(self.path(), self.sshd.port())
    }

    /// With a default key that is let in.
    fn ready(extra: &str) -> Self {
        let place = Self::new(extra);
        let public = default_key(place.path());
        place.let_in(&public);
        place
    }

    fn config(&self, text: &str) -> Vec<PathBuf> {
        let file = self.path().join("config");
        std::fs::write(&file, text).unwrap();
        vec![file]
    }

    fn known_hosts(&self) -> PathBuf {
        self.path().join(".ssh/known_hosts")
    }
}

async fn works(settings: Settings) {
    let connector = Connector::new(settings);
    let session = soon(connector.session(HOST)).await.unwrap();
    says_hi(&session).await;
    soon(connector.close()).await;
}

async fn says_hi(session: &Session) {
    let exec = session
        .exec("echo hi", &ExecOptions::default())
        .await
        .unwrap();
    let output = soon(exec.output(Bytes::new())).await.unwrap();
    assert_eq!(
        (output.stdout.as_slice(), output.exit),
        (&b"hi\n"[..], Exit::Status(0))
    );
}

#[tokio::test]
async fn keys_of_every_kind() {
    let place = Place::new("");
    for (name, kind) in [
        ("ed", &["-t", "ed25519"][..]),
        ("rsa", &["-t", "rsa", "-b", "2048"]),
        ("pem", &["-t", "rsa", "-b", "2048", "-m", "PEM"]),
        ("pkcs8", &["-t", "rsa", "-b", "2048", "-m", "PKCS8"]),
        ("ec256", &["-t", "ecdsa", "-b", "256"]),
        ("ec384", &["-t", "ecdsa", "-b", "384"]),
        ("ec521", &["-t", "ecdsa", "-b", "521"]),
    ] {
        place.let_in(&key(place.path(), name, kind, ""));
        let mut settings = place.settings();
        settings.keys = vec![format!("~/.ssh/{name}").into()];
        works(settings).await;
    }
}

#[tokio::test]
async fn encrypted_keys_of_every_format_and_key_text() {
    let place = Place::new("");
    for (name, kind) in [
        ("ed", &["-t", "ed25519"][..]),
        ("rsa", &["-t", "rsa", "-b", "2048"]),
        ("pem", &["-t", "rsa", "-b", "2048", "-m", "PEM"]),
        ("pkcs8", &["-t", "ecdsa", "-m", "PKCS8"]),
    ] {
        place.let_in(&key(place.path(), name, kind, "open sesame"));
        let file = place.path().join(".ssh").join(name);
        // The public half must not be needed beside it.
        std::fs::remove_file(file.with_extension("pub")).unwrap();
        let mut settings = place.settings();
        settings.ask = Some(Ask::new(move |question| match question {
            Question::Passphrase { key, attempt: 1 } if key.ends_with(name) => {
                Some(Secret::new("open sesame"))
            }
            Question::Passphrase { key, attempt: 1 } if key == "key_data[0]" => {
                Some(Secret::new("open sesame"))
            }
            other => panic!("asked {other:?}"),
        }));
        let text = std::fs::read_to_string(&file).unwrap();
        let mut by_text = settings.clone();
        settings.keys = vec![file];
        works(settings).await;
        by_text.key_data = vec![Secret::new(text)];
        works(by_text).await;
    }
}

#[tokio::test]
async fn the_agent_and_its_limits() {
    let place = Place::new("MaxAuthTries 3");
    let agent = Agent::start(place.path()).unwrap();
    let mut public = String::new();
    for n in 0..6 {
        public = key(place.path(), &format!("k{n}"), &["-t", "ed25519"], "");
        agent.add(&place.path().join(format!(".ssh/k{n}"))).unwrap();
    }
    place.let_in(&public);
    let mut settings = place.settings();
    settings.place.agent_socket = Some(agent.socket().to_owned());

    // The right key comes last: the server hangs up before.
    let error = soon(Connector::new(settings.clone()).session(HOST))
        .await
        .unwrap_err();
    let SshError::Auth { tried, .. } = &error else {
        panic!("{error}")
    };
    assert!(
        tried.len() <= 4 && tried.last().unwrap().contains("hung up"),
        "{tried:?}"
    );

    // Naming it puts it first, even by its public half alone.
    let file = place.path().join(".ssh/k5");
    std::fs::remove_file(&file).unwrap();
    let mut named = settings.clone();
    named.keys = vec![file];
    works(named.clone()).await;
    named.keys_only = true;
    works(named.clone()).await;
    named.keys = vec![place.path().join(".ssh/k5.pub")];
    works(named).await;

    // RSA by the agent needs the right hash.
    place.let_in(&key(place.path(), "big", &["-t", "rsa", "-b", "2048"], ""));
    agent.add(&place.path().join(".ssh/big")).unwrap();
    settings.keys = vec![place.path().join(".ssh/big.pub")];
    works(settings.clone()).await;

    // IdentityAgent none: nobody holds the key.
    settings.config_files = place.config("IdentityAgent none\n");
    let error = soon(Connector::new(settings).session(HOST))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("only its public half is here"),
        "{error}"
    );
}

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
async fn user_certificates_beside_the_key_and_named() {
    let place = Place::new("");
    let authority = place.path().join("ca");
    keygen(&[
        "-q",
        "-t",
        "ed25519",
        "-N",
        "",
        "-f",
        &authority.to_string_lossy(),
    ])
    .unwrap();
    let sshd = OpenSshd::start(
        place.path(),
        &format!("TrustedUserCAKeys {}.pub", authority.display()),
    )
    .unwrap();
    for (name, kind) in [
        ("ed", &["-t", "ed25519"][..]),
        ("rsa", &["-t", "rsa", "-b", "2048"]),
    ] {
        key(place.path(), name, kind, "");
        let file = place.path().join(".ssh").join(name);
        let public = format!("{}.pub", file.display());
        keygen(&[
            "-q",
            "-s",
            &authority.to_string_lossy(),
            "-I",
            "me",
            "-n",
            "root",
            "-V",
            "-1m:+1h",
            &public,
        ])
        .unwrap();
        let mut settings = place.settings();
        settings.port = sshd.port();
        settings.keys = vec![file.clone()];
        works(settings.clone()).await;

        let (beside, apart) = (
            format!("{}-cert.pub", file.display()),
            place.path().join(format!("{name}.cert")),
        );
        std::fs::rename(beside, &apart).unwrap();
        let error = soon(Connector::new(settings.clone()).session(HOST))
            .await
            .unwrap_err();
        assert!(matches!(error, SshError::Auth { .. }), "{error}");
        settings.config_files = place.config(&format!("CertificateFile {}\n", apart.display()));
        works(settings).await;
    }
}

#[tokio::test]
async fn host_certificates_are_known_by_their_authority() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_string_lossy().into_owned();
    keygen(&["-q", "-t", "ed25519", "-N", "", "-f", &format!("{path}/ca")]).unwrap();
    keygen(&[
        "-q",
        "-t",
        "ed25519",
        "-N",
        "",
        "-f",
        &format!("{path}/host_ed25519"),
    ])
    .unwrap();
    keygen(&[
        "-q",
        "-s",
        &format!("{path}/ca"),
        "-I",
        "host",
        "-h",
        "-n",
        HOST,
        "-V",
        "-1m:+1h",
        &format!("{path}/host_ed25519.pub"),
    ])
    .unwrap();
    let sshd = OpenSshd::start(
        dir.path(),
        &format!("HostCertificate {path}/host_ed25519-cert.pub"),
    )
    .unwrap();
    let public = default_key(dir.path());
    std::fs::write(dir.path().join("authorized_keys"), public).unwrap();
    let mut settings = settings(dir.path(), sshd.port());
    settings.host_keys = Some(HostKeyPolicy::Strict);
    let authority = std::fs::read_to_string(format!("{path}/ca.pub")).unwrap();
    let known = dir.path().join(".ssh/known_hosts");

    std::fs::write(&known, format!("@cert-authority 127.0.0.* {authority}")).unwrap();
    works(settings.clone()).await;
    // Another authority's word counts for nothing, and neither does one for other hosts.
    let error = {
        std::fs::write(&known, format!("@cert-authority 10.* {authority}")).unwrap();
        soon(Connector::new(settings.clone()).session(HOST))
            .await
            .unwrap_err()
    };
    assert!(matches!(error, SshError::HostKeyUnknown { .. }), "{error}");
    std::fs::write(
        &known,
        format!("@cert-authority * {authority}@revoked * {authority}"),
    )
    .unwrap();
    let error = soon(Connector::new(settings).session(HOST))
        .await
        .unwrap_err();
    assert!(
        matches!(error, SshError::HostKeyRevoked { line: 2, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_known_key_type_is_asked_for_first() {
    let place = Place::ready("");
    let rsa = std::fs::read_to_string(place.path().join("host_rsa.pub")).unwrap();
    std::fs::write(
        place.known_hosts(),
        format!("[127.0.0.1]:{} {rsa}", place.sshd.port()),
    )
    .unwrap();
    let mut settings = place.settings();
    settings.host_keys = Some(HostKeyPolicy::Strict);
    works(settings).await;
}

#[tokio::test]
async fn known_hosts_written_by_us_serve_openssh_and_the_other_way_round() {
    let place = Place::ready("");
    let mut settings = place.settings();
    settings.config_files = place.config("HashKnownHosts yes\n");
    works(settings.clone()).await;
    let text = std::fs::read_to_string(place.known_hosts()).unwrap();
    assert!(
        text.starts_with("|1|") && text.lines().count() == 1,
        "{text}"
    );
    let strict = || {
        std::process::Command::new("ssh")
            .args([
                "-F",
                "/dev/null",
                "-o",
                "BatchMode=yes",
                "-o",
                "StrictHostKeyChecking=yes",
                "-o",
            ])
            .arg(format!(
                "UserKnownHostsFile={}",
                place.known_hosts().display()
            ))
            .arg("-i")
            .arg(place.path().join(".ssh/id_ed25519"))
            .args([
                "-p",
                &place.sshd.port().to_string(),
                "root@127.0.0.1",
                "true",
            ])
            .output()
            .expect("ssh is missing: install the package openssh-client")
    };
    let output = strict();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    // Theirs, hashed by ssh-keygen.
    let ed = std::fs::read_to_string(place.path().join("host_ed25519.pub")).unwrap();
    std::fs::write(
        place.known_hosts(),
        format!("[127.0.0.1]:{} {ed}", place.sshd.port()),
    )
    .unwrap();
    keygen(&["-q", "-H", "-f", &place.known_hosts().to_string_lossy()]).unwrap();
    assert!(
        std::fs::read_to_string(place.known_hosts())
            .unwrap()
            .starts_with("|1|")
    );
    settings.host_keys = Some(HostKeyPolicy::Strict);
    works(settings.clone()).await;

    // And a hashed record of another key is a changed key.
    let other = key(place.path(), "other", &["-t", "ed25519"], "");
    std::fs::write(
        place.known_hosts(),
        format!("[127.0.0.1]:{} {other}", place.sshd.port()),
    )
    .unwrap();
    keygen(&["-q", "-H", "-f", &place.known_hosts().to_string_lossy()]).unwrap();
    let error = soon(Connector::new(settings).session(HOST))
        .await
        .unwrap_err();
    let SshError::HostKeyChanged { key, .. } = &error else {
        panic!("{error}")
    };
    let shown = std::process::Command::new("ssh-keygen")
        .args(["-l", "-f"])
        .arg(place.path().join("host_ed25519.pub"))
        .output()
        .unwrap();
    assert!(
        String::from_utf8_lossy(&shown.stdout).contains(&key.found),
        "{error}"
    );
}

#[tokio::test]
async fn an_unknown_host_is_refused_when_the_file_says_so() {
    let place = Place::ready("");
    let mut settings = place.settings();
    settings.config_files = place.config("StrictHostKeyChecking yes\n");
    let error = soon(Connector::new(settings).session(HOST))
        .await
        .unwrap_err();
    assert!(matches!(error, SshError::HostKeyUnknown { .. }), "{error}");
    assert!(!place.known_hosts().exists());
}

#[tokio::test]
async fn a_jump_host_and_a_configured_name() {
    let gate = Place::ready("");
    let target = OpenSshd::start(gate.path(), "").unwrap();
    let mut settings = settings(gate.path(), target.port());
    settings.jump = Some(format!("root@127.0.0.1:{}", gate.sshd.port()));
    works(settings.clone()).await;
    assert!(
        gate.sshd.log().is_empty() || !gate.sshd.log().contains("error"),
        "{}",
        gate.sshd.log()
    );

    settings.jump = None;
    settings.config_files = gate.config(&format!(
        "Host target\nHostName 127.0.0.1\nProxyJump gate\nHost gate\nHostName 127.0.0.1\nUser root\nPort {}\n",
        gate.sshd.port()
    ));
    let connector = Connector::new(settings.clone());
    let session = soon(connector.session("target")).await.unwrap();
    says_hi(&session).await;

    // Hosts that jump through each other end in an error, not in a loop.
    settings.config_files = gate.config("Host a\nProxyJump b\nHost b\nProxyJump a\n");
    let error = soon(Connector::new(settings).session("a"))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("jump"), "{error}");
}

#[tokio::test]
async fn a_command_as_the_way_there() {
    let place = Place::ready("");
    let mut settings = place.settings();
    settings.proxy_command = Some("nc %h %p".to_owned());
    works(settings.clone()).await;
    let port = place.sshd.port();
    settings.proxy_command = Some(format!(
        "ssh -F /dev/null -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -i {}/.ssh/id_ed25519 -p {port} -W %h:%p root@127.0.0.1",
        place.path().display()
    ));
    works(settings.clone()).await;

    settings.proxy_command = Some("echo no way to %n >&2; exit 1".to_owned());
    let error = soon(Connector::new(settings.clone()).session(HOST))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "proxy command failed: no way to 127.0.0.1"
    );
    assert_eq!(error.kamal_class(), "Net::SSH::Proxy::ConnectError");
    settings.proxy_command = Some("cat %z".to_owned());
    let error = soon(Connector::new(settings).session(HOST))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "proxy command failed: `cat %z`: unknown token `%z`"
    );
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
async fn a_server_that_drops_starts_at_random() {
    let place = Place::ready("MaxStartups 2:70:4");
    let mut settings = place.settings();
    settings.host_keys = Some(HostKeyPolicy::Off);
    let connector = Connector::new(settings);
    let all: Vec<_> = (0..12)
        .map(|_| {
            let connector = connector.clone();
            tokio::spawn(async move { connector.dial(HOST).await.map(drop) })
        })
        .collect();
    for task in all {
        soon(task).await.unwrap().unwrap();
    }
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

#[tokio::test]
async fn what_a_command_costs_in_round_trips() {
    let place = Place::ready("");
    let target = std::net::SocketAddr::from(([127, 0, 0, 1], place.sshd.port()));
    let round_trip = Duration::from_millis(400);
    let proxy = dhow_testkit::delay::DelayProxy::start(target, round_trip)
        .await
        .unwrap();
    let mut settings = place.settings();
    settings.port = proxy.port();
    let start = Instant::now();
    let session = soon(Connector::new(settings).session(HOST)).await.unwrap();
    let connect = start.elapsed().as_secs_f64() / round_trip.as_secs_f64();
    // The way through the proxy is not counted by it, so TCP's own round trip is missing here.
    assert!(connect < 6.9, "connecting took {connect} round trips");

    let trips = async |command: &str, input: &'static [u8]| {
        tokio::time::sleep(round_trip * 2).await;
        let start = Instant::now();
        let exec = session
            .exec(command, &ExecOptions::default())
            .await
            .unwrap();
        let exit = soon(exec.output(Bytes::from_static(input)))
            .await
            .unwrap()
            .exit;
        assert_eq!(exit, Exit::Status(0));
        start.elapsed().as_secs_f64() / round_trip.as_secs_f64()
    };
    let plain = trips("exit 0", b"").await;
    assert!((1.0..1.9).contains(&plain), "{plain}");
    let fed = trips("sh", b"exit 0").await;
    assert!((2.0..2.9).contains(&fed), "{fed}");
    session
        .prepare("sh", &ExecOptions::default())
        .await
        .unwrap();
    let prepared = trips("sh", b"exit 0").await;
    assert!((1.0..1.9).contains(&prepared), "{prepared}");
}
