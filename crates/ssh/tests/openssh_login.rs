//! Logging in to a real OpenSSH server: keys, agents, certificates, host keys, jump hosts.

mod support;

use dhow_ssh::{Ask, Connector, HostKeyPolicy, Question, Secret, SshError};
use dhow_testkit::openssh::{Agent, OpenSshd, keygen};
use support::place::{HOST, Place, says_hi, works};
use support::{default_key, key, settings, soon};

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
