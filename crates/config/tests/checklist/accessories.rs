//! Accessories.

use crate::deploy::*;
use dhow_config::{Accessory, Mount, UploadedFile};

/// An accessory `db` with these settings besides an image.
fn accessory(settings: &str) -> Accessory {
    accessory_in("", settings)
}

fn accessory_in(more: &str, settings: &str) -> Accessory {
    let text = with(&format!(
        "{more}\naccessories: {{db: {{image: mysql, {settings}}}}}"
    ));
    config(&text).accessories.remove(0)
}

#[track_caller]
fn db_refused(cases: &[(&str, &str)]) {
    for (settings, message) in cases {
        let more = format!("accessories: {{db: {{image: x, {settings}}}}}");
        refused(&[(&more, &format!("accessories/db{message}"))]);
    }
}

#[test]
fn item_10_01_exactly_one_placement() {
    let message = ": specify one of `host`, `hosts`, `role`, `roles`, `tag` or `tags`";
    db_refused(&[
        ("cmd: a", message),
        ("host: a, hosts: [b]", message),
        ("role: web, tag: a", message),
    ]);
    refused(&[("accessories: {db: a}", "accessories/db: should be a hash")]);
    let more = "servers: {web: [a, {b: x}], job: [b, {c: [x, y]}]}";
    for (placement, hosts) in [
        ("host: d", "d"),
        ("hosts: [d, e, d]", "d e d"),
        ("hosts: [{d: x}]", "d"),
        ("role: web", "a b"),
        ("roles: [web, job]", "a b b c"),
        ("tag: x", "b c"),
        ("tags: [y, x]", "c b c"),
        ("tag: z", ""),
    ] {
        assert_eq!(
            accessory_in(more, placement).hosts.join(" "),
            hosts,
            "{placement}"
        );
    }
}

#[test]
fn item_10_01_types() {
    db_refused(&[
        ("host: [a]", "/host: should be a string"),
        ("hosts: a", "/hosts: should be an array"),
        ("hosts: [~]", "/hosts/0: should be a string or a hash"),
        ("role: [a]", "/role: should be a string"),
        ("roles: a", "/roles: should be an array"),
        ("roles: [~]", "/roles/0: should be a string"),
        ("tag: [a]", "/tag: should be a string"),
        ("tags: a", "/tags: should be an array"),
        ("host: a, service: [a]", "/service: should be a string"),
        ("host: a, cmd: [a]", "/cmd: should be a string"),
        ("host: a, port: [1]", "/port: should be a string"),
        ("host: a, labels: [a]", "/labels: should be a hash"),
        ("host: a, options: [a]", "/options: should be a hash"),
        ("host: a, env: [a]", "/env: should be a hash"),
        ("host: a, env: {A: ~}", "/env/A: should be a string"),
        ("host: a, volumes: a", "/volumes: should be an array"),
        ("host: a, network: [a]", "/network: should be a string"),
        ("host: a, registry: a", "/registry: should be a hash"),
        ("host: a, foo: 1", ": unknown key: foo"),
    ]);
}

#[test]
fn item_10_02_unknown_roles() {
    db_refused(&[
        ("role: x", ": unknown role x"),
        ("roles: [web, x]", ": unknown roles x"),
        ("roles: [x, web, y]", ": unknown roles x, y"),
    ]);
}

#[test]
fn item_10_03_tags_are_looked_for_in_plain_lists_only() {
    let more =
        "servers: {web: [{a: experimental}, {b: [mental]}, {c: x}], job: {hosts: [{d: mental}]}}";
    for (placement, hosts) in [
        ("tag: mental", "a b"),
        // A single tag is searched for the text, so that `x` is in `experimental`.
        ("tags: [mental, x]", "a b a c"),
        ("tags: [mental, mental]", "a b a b"),
    ] {
        assert_eq!(
            accessory_in(more, placement).hosts.join(" "),
            hosts,
            "{placement}"
        );
    }
    // Kamal crashes.
    for placement in ["tag: x", "tags: [x]"] {
        refused(&[(
            &format!("servers: [{{a: x}}]\naccessories: {{db: {{image: x, {placement}}}}}"),
            "accessories/db: hosts are found by tag only where `servers` is a map of roles",
        )]);
    }
}

#[test]
fn item_10_04_names_and_images() {
    let db = accessory("host: a");
    assert_eq!(
        (db.service_name.as_str(), db.image.as_str()),
        ("app-db", "mysql")
    );
    let db = accessory(
        "host: a, service: my-db, registry: {server: ghcr.io, username: u, password: [P]}",
    );
    assert_eq!(
        (db.service_name.as_str(), db.image.as_str()),
        ("my-db", "ghcr.io/mysql")
    );
    assert_eq!(
        accessory_in(
            "registry: {server: ghcr.io, username: u, password: p}",
            "host: a"
        )
        .image,
        "mysql"
    );
    let text = with("accessories: {db: {image: mysql, host: a}}");
    let loaded = load_in(&World::default(), &text, Some(("st", "{}"))).unwrap();
    assert_eq!(loaded.config.accessories[0].service_name, "app-db");
}

#[test]
fn item_10_05_ports() {
    for (port, published) in [
        ("3306", "3306:3306"),
        ("\"3306\"", "3306:3306"),
        ("\"3306:3307\"", "3306:3307"),
        ("127.0.0.1:3306:3307", "127.0.0.1:3306:3307"),
        // Unquoted, YAML takes it for a number to the base of sixty.
        ("2222:22", "8000520:8000520"),
    ] {
        let db = accessory(&format!("host: a, port: {port}"));
        assert_eq!(db.publish.as_deref(), Some(published), "{port}");
    }
    assert_eq!(accessory("host: a").publish, None);
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

#[test]
fn item_10_06_files() {
    let file = |local: &str, remote: &str, options: &str, mode: &str, owner: &str| UploadedFile {
        local: local.to_owned(),
        remote: remote.to_owned(),
        options: some(options),
        mode: mode.to_owned(),
        owner: some(owner),
    };
    for (item, expected) in [
        (
            "'a.cnf:/etc/a.cnf'",
            file("a.cnf", "/etc/a.cnf", "", "755", ""),
        ),
        ("'~/a:/b:ro,z:c'", file("~/a", "/b", "ro,z:c", "755", "")),
        (
            "{local: a, remote: /b, mode: '0600', owner: '999:999', options: ro, other: 1}",
            file("a", "/b", "ro", "0600", "999:999"),
        ),
        ("{local: a, remote: /b}", file("a", "/b", "", "755", "")),
        // Unquoted, YAML takes it for an octal number.
        (
            "{local: a, remote: /b, mode: 0600}",
            file("a", "/b", "", "384", ""),
        ),
    ] {
        let db = accessory(&format!("host: a, files: [{item}]"));
        assert_eq!(db.files, [expected], "{item}");
    }
    db_refused(&[
        ("host: a, files: a", "/files: should be an array"),
        (
            "host: a, files: [~]",
            "/files/0: should be a string or a hash",
        ),
        (
            "host: a, files: ['a:/b', [a]]",
            "/files/1: should be a string or a hash",
        ),
        (
            "host: a, files: [{local: a, remote: [b]}]",
            "/files/0/remote: should be a string",
        ),
        (
            "host: a, files: [{local: a, remote: b, mode: ~}]",
            "/files/0/mode: should be a string",
        ),
        (
            "host: a, files: [a]",
            "/files/0: needs a local and a remote path (`LOCAL:REMOTE`)",
        ),
        (
            "host: a, files: [{local: a}]",
            "/files/0: needs a local and a remote path (`LOCAL:REMOTE`)",
        ),
    ]);
}

#[test]
fn item_10_07_directories() {
    let mount = |host: &str, remote: &str, options: &str, mode: &str, owner: &str| Mount {
        host_path: host.to_owned(),
        remote: remote.to_owned(),
        options: some(options),
        mode: some(mode),
        owner: some(owner),
    };
    for (item, expected) in [
        (
            "'data:/var/lib/mysql'",
            mount("data", "/var/lib/mysql", "", "", ""),
        ),
        (
            "'/srv/data:/data:ro'",
            mount("/srv/data", "/data", "ro", "", ""),
        ),
        (
            "{local: data, remote: /d, mode: '0750', owner: a:b, options: z}",
            mount("data", "/d", "z", "0750", "a:b"),
        ),
    ] {
        let db = accessory(&format!("host: a, directories: [{item}]"));
        assert_eq!(db.directories, [expected], "{item}");
    }
    db_refused(&[
        (
            "host: a, directories: a",
            "/directories: should be an array",
        ),
        (
            "host: a, directories: [{local: ~}]",
            "/directories/0/local: should be a string",
        ),
    ]);
}

#[test]
fn item_10_09_volumes() {
    let db = accessory("host: a, volumes: ['data:/data', '/a:/b:ro']");
    assert_eq!(db.volumes, ["data:/data", "/a:/b:ro"]);
}

#[test]
fn item_10_10_labels_options_restart_and_network() {
    db_refused(&[
        (
            "host: a, labels: {service: x}",
            "/labels/service: invalid label. destination, role, and service are reserved labels",
        ),
        (
            "host: a, options: {restart: no}",
            "/options/restart: should be a string. Use \"no\" to disable restarts",
        ),
        (
            "host: a, options: {restart: never}",
            "/options/restart: should be no, always, unless-stopped, on-failure, or on-failure:N",
        ),
    ]);
    let db = accessory(
        "host: a, labels: {cache: true}, options: {restart: \"no\", cpus: 4}, network: own",
    );
    assert_eq!((db.restart.as_str(), db.network.as_str()), ("no", "own"));
    assert_eq!((db.labels.len(), db.options.len()), (1, 1));
    let db = accessory("host: a");
    assert_eq!(
        (db.restart.as_str(), db.network.as_str()),
        ("unless-stopped", "kamal")
    );
}

#[test]
fn item_10_11_own_proxy_and_registry() {
    let db = accessory("host: a, proxy: {host: x, app_port: 1}, registry: {}");
    let proxy = db.proxy.unwrap();
    assert_eq!((proxy.hosts, proxy.app_port), (vec!["x".to_owned()], 1));
    assert_eq!(db.registry, None);
    // Nothing comes from the root's settings.
    let db = accessory_in(
        "proxy: {host: root, response_timeout: 1}",
        "host: a, proxy: {app_port: 1}",
    );
    let proxy = db.proxy.unwrap();
    assert!(proxy.hosts.is_empty() && proxy.response_timeout.is_none());
}

#[test]
fn item_10_12_accessories_alone() {
    let text = LEAST.replace("servers: [1.1.1.1]\n", "");
    let config = config(&format!("{text}accessories: {{db: {{image: x, host: a}}}}"));
    assert!(config.roles.is_empty());
    assert_eq!(config.primary_host(), Some("a"));
    assert_eq!(errors(&text), ["No servers or accessories specified"]);
    assert_eq!(
        errors(&format!("{text}accessories: {{}}")),
        ["No servers or accessories specified"]
    );
}

#[test]
fn an_accessory_without_an_image_is_warned_of() {
    let loaded = loaded(&with("accessories: {db: {host: a}}"));
    assert_eq!(
        loaded.warnings[0].message,
        "accessories/db: has no image and can't be booted"
    );
}
