//! Registries.

use crate::deploy::*;
use dhow_config::Credential;
use dhow_text::redact::Secret;

#[test]
fn item_8_01_credentials() {
    for (registry, message) in [
        ("{}", "username: is required"),
        ("{password: p}", "username: is required"),
        ("{username: u}", "password: is required"),
        ("{username: '', password: p}", "username: is required"),
        ("{username: u, password: ' '}", "password: is required"),
        ("{username: u, password: []}", "password: is required"),
        ("{username: u, password: ~}", "password: is required"),
    ] {
        let more = format!("registry: {registry}");
        refused(&[(&more, &format!("registry/{message}"))]);
    }
    for value in ["1", "[a, b]", "[1]", "{a: b}", "true"] {
        refused(&[(
            &format!("registry: {{username: u, password: {value}}}"),
            "registry/password: should be a string or an array with one string (for secret lookup)",
        )]);
    }
}

#[test]
fn item_8_02_keys_in_every_context() {
    refused(&[
        ("registry: {foo: 1}", "registry: unknown key: foo"),
        (
            "registry: {server: [a], username: u, password: p}",
            "registry/server: should be a string",
        ),
        (
            "accessories: {db: {image: x, host: a, registry: {server: ghcr.io}}}",
            "accessories/db/registry/username: is required",
        ),
        (
            "accessories: {db: {image: x, host: a, registry: {foo: 1}}}",
            "accessories/db/registry: unknown key: foo",
        ),
    ]);
}

#[test]
fn item_8_03_local_registries() {
    for (server, port) in [
        ("localhost:5000", Some(5000)),
        ("localhost:5000/x", Some(5000)),
        ("localhost:", Some(0)),
        ("localhost:x", Some(0)),
    ] {
        let config = config(&with(&format!("registry: {{server: '{server}'}}")));
        assert!(config.registry.is_local(), "{server}");
        assert_eq!(config.registry.local_port(), port, "{server}");
    }
    for server in [
        "localhost",
        "127.0.0.1:5000",
        "my-localhost:5000",
        "ghcr.io",
    ] {
        refused(&[(
            &format!("registry: {{server: '{server}'}}"),
            "registry/username: is required",
        )]);
    }
}

#[test]
fn item_8_04_a_local_registry_needs_nothing_else() {
    let none = "service: app\nservers: [a]\nbuilder: {arch: amd64}\n";
    let of = |more: &str| config(&format!("{none}{more}"));
    assert_eq!(
        of("registry: {server: 'localhost:5000'}").repository(),
        "localhost:5000/app"
    );
    assert_eq!(
        of("registry: {server: 'localhost:5000'}\nimage: x/y").repository(),
        "localhost:5000/x/y"
    );
    let config = of("registry: {server: 'localhost:5000', username: 1, password: [a, b]}");
    assert_eq!(
        (config.registry.username, config.registry.password),
        (None, None)
    );
}

/// Where Dhow differs: Kamal misses the user name.
#[test]
fn a_file_without_a_registry_is_delivered_directly() {
    let config = config("service: app\nservers: [a]\nbuilder: {arch: amd64}\n");
    assert!(config.registry.omitted && config.registry.is_local());
    assert_eq!(config.repository(), "localhost:5555/app");
}

#[test]
fn item_8_05_literals_and_names_of_secrets() {
    let config = config(&with("registry: {username: u, password: [PASS]}"));
    let literal = Credential::Literal(Secret::new("u"));
    assert_eq!(config.registry.username, Some(literal));
    assert_eq!(
        config.registry.password,
        Some(Credential::Secret("PASS".to_owned()))
    );
    assert!(!format!("{:?}", config.registry).contains("\"u\""));
}

#[test]
fn item_8_06_a_local_registry_is_reached_from_afar_by_ssh_only() {
    let file = |builder: &str| {
        with(&format!(
            "registry: {{server: 'localhost:5000'}}\nbuilder: {builder}"
        ))
    };
    let message = "Local registry with remote builder requires an SSH URL (e.g., ssh://user@host)";
    for (builder, fails) in [
        ("{arch: arm64, remote: 'tcp://h'}", true),
        ("{arch: [amd64, arm64], remote: 'tcp://h'}", true),
        ("{arch: amd64, remote: 'tcp://h', local: false}", true),
        ("{arch: arm64, remote: 'ssh://h'}", false),
        ("{arch: amd64, remote: 'tcp://h'}", false),
    ] {
        let expected: &[&str] = if fails { &[message] } else { &[] };
        assert_eq!(errors(&file(builder)), expected, "{builder}");
    }
}

#[test]
fn docker_is_asked_only_when_it_decides() {
    for (registry, builder, asked) in [
        (
            "{username: u, password: p}",
            "{arch: arm64, remote: 'tcp://h'}",
            false,
        ),
        ("{server: 'localhost:1'}", "{arch: arm64}", false),
        (
            "{server: 'localhost:1'}",
            "{arch: arm64, remote: 'ssh://h'}",
            false,
        ),
        (
            "{server: 'localhost:1'}",
            "{arch: arm64, remote: 'tcp://h', local: false}",
            false,
        ),
        (
            "{server: 'localhost:1'}",
            "{arch: amd64, remote: 'tcp://h'}",
            true,
        ),
    ] {
        let world = World::default();
        let text = with(&format!("registry: {registry}\nbuilder: {builder}"));
        let _ = load_in(&world, &text, None);
        assert_eq!(world.asked_docker.get(), asked, "{registry} {builder}");
    }
}
