//! Containers: names, labels, assets, the lines that create and stop them.

use dhow_commands::app::{exec_container_name, labels, run, stop, stop_current, stop_timeout};
use dhow_commands::{accessory, assets, container_hostname};
use dhow_config::Config;
use dhow_text::shell::ShellValue;

use super::support::{config, role, staged};

const HEX: &str = "0123456789ab";

fn line(config: &Config, name: &str) -> String {
    run(config, role(config, name), "1.1.1.1", "v9", HEX).real()
}

#[test]
fn config_item_14_03_names_of_containers() {
    let text = "servers: { web: [1.1.1.1] }\nasset_path: /assets\n";
    for (config, prefix) in [(config(text), "app-web"), (staged(text), "app-web-st")] {
        let web = role(&config, "web");
        assert_eq!(config.container_prefix(web), prefix);
        assert_eq!(config.container_name(web, "v9"), format!("{prefix}-v9"));
        assert_eq!(
            exec_container_name(&config, web, "v9", "a1b2c3"),
            format!("{prefix}-exec-v9-a1b2c3")
        );
        let extract = assets::extract(&config, web, "v9").unwrap().real();
        assert!(
            extract.contains(&format!(" --name {prefix}-assets ")),
            "{extract}"
        );
    }
    let dotted = format!("{}.example.com", "h".repeat(50));
    let long = "h".repeat(60);
    for (host, name) in [
        ("1.1.1.1", "1.1.1.1-0123456789ab".to_owned()),
        (&dotted, format!("{}-{HEX}", "h".repeat(50))),
        (&long, format!("{}-{HEX}", "h".repeat(51))),
        ("host..", format!("host.-{HEX}")),
    ] {
        assert_eq!(container_hostname(host, HEX), name);
        assert!(name.len() <= 64);
    }
}

#[test]
fn config_item_14_05_labels() {
    let flags = |config: &Config| {
        let words: Vec<String> = labels(config, role(config, "web"))
            .into_iter()
            .map(|(key, value)| match value {
                ShellValue::Null => key,
                ShellValue::Text(text) => format!("{key}={text}"),
                other => panic!("{key}: {other:?}"),
            })
            .collect();
        words.join(" ")
    };
    let text = "servers: { web: { hosts: [1.1.1.1], labels: { b: 3, c: 4 } } }\nlabels: { a: 1, role: mine, b: 2 }\n";
    assert_eq!(
        flags(&config(text)),
        "service=app role=mine destination a=1 b=3 c=4"
    );
    assert_eq!(
        flags(&staged(text)),
        "service=app role=mine destination=st a=1 b=3 c=4"
    );
    let line = line(&config("servers: [1.1.1.1]\n"), "web");
    assert!(
        line.contains(
            r#" --label service="app" --label role="web" --label destination dhh/app:v9"#
        ),
        "{line}"
    );
}

#[test]
fn config_item_14_07_asset_paths() {
    let text = "servers:
  web: [1.1.1.1]
  api: { hosts: [1.1.1.1], proxy: true, asset_path: '/own' }
  jobs: { hosts: [1.1.1.1], cmd: work, asset_path: /public }
asset_path: '/public/assets:ro,z:x'
";
    for (config, folder) in [(config(text), "app"), (staged(text), "app-st")] {
        let volume = |name: &str| {
            let line = line(&config, name);
            let at = line.split_once(" --volume ").map(|(_, rest)| rest);
            at.and_then(|rest| rest.split(' ').next())
                .map(str::to_owned)
        };
        let volumes = format!("$PWD/.kamal/apps/{folder}/assets/volumes");
        assert_eq!(
            volume("web"),
            Some(format!("{volumes}/web-v9:/public/assets:ro,z:x"))
        );
        assert_eq!(volume("api"), Some(format!("{volumes}/api-v9:/own")));
        assert_eq!(volume("jobs"), None, "no proxy, no assets");
        let extract = |name| assets::extract(&config, role(&config, name), "v9");
        let web = extract("web").unwrap().real();
        let to = format!(":/public/assets/. .kamal/apps/{folder}/assets/extracted/web-v9 ");
        assert!(web.contains(&to), "{web}");
        assert_eq!(extract("jobs"), None);
    }
}

#[test]
fn config_item_14_08_order_of_run_arguments() {
    let config = staged(
        "servers:
  web:
    hosts: [1.1.1.1]
    cmd: bin/web --all
    options: { cpus: 2, restart: 'no', add-host: [a, b] }
    labels: { l: 1 }
    env: { clear: { R: role }, secret: [S] }
env: { clear: { A: root } }
logging: { driver: local, options: { max-size: 5m } }
volumes: [/a:/b, named:/c]
asset_path: /assets
accessories:
  db:
    image: mysql:8
    registry: { server: ghcr.io, username: u, password: [P] }
    host: 1.1.1.2
    port: 3306
    cmd: --verbose
    network: own
    env: { clear: { X: 1 }, secret: [S] }
    volumes: [/v:/v]
    files: [a.cnf:/etc/a.cnf]
    directories: [data:/data]
    labels: { l: 1 }
    options: { restart: always, cpus: 4 }
",
    );
    assert_eq!(
        line(&config, "web"),
        r#"docker run --detach --restart no --name app-web-st-v9 --network kamal --hostname 1.1.1.1-0123456789ab --env KAMAL_CONTAINER_NAME="app-web-st-v9" --env KAMAL_VERSION="v9" --env KAMAL_HOST="1.1.1.1" --env KAMAL_DESTINATION="st" --env A="root" --env R="role" --env-file .kamal/apps/app-st/env/roles/web.env --log-driver "local" --log-opt max-size="5m" --volume /a:/b --volume named:/c --volume $PWD/.kamal/apps/app-st/assets/volumes/web-v9:/assets --label service="app" --label role="web" --label destination="st" --label l="1" --cpus "2" --add-host "a" --add-host "b" dhh/app:v9 bin/web --all"#
    );
    let db = config.accessory("db").unwrap();
    assert_eq!(
        accessory::run(&config, db, "1.1.1.2").real(),
        r#"docker run --name app-db --detach --restart always --network own --log-driver "local" --log-opt max-size="5m" --publish 3306:3306 --env KAMAL_HOST="1.1.1.2" --env X="1" --env-file .kamal/apps/app-st/env/accessories/db.env --volume /v:/v --volume $PWD/app-db/etc/a.cnf:/etc/a.cnf --volume $PWD/app-db/data:/data --label service="app-db" --label l="1" --cpus "4" ghcr.io/mysql:8 --verbose"#
    );
}

/// `web` is behind the proxy, `jobs` is not.
#[test]
fn config_item_14_09_stop_timeouts() {
    let roles = |own: &str| {
        format!(
            "servers: {{ web: {{ hosts: [1.1.1.1]{own} }}, jobs: {{ hosts: [1.1.1.1]{own} }} }}\n"
        )
    };
    let own = roles(", stop_timeout: 5");
    for (text, web, jobs) in [
        (roles(""), None, Some(30)),
        (roles("") + "drain_timeout: 12\n", None, Some(12)),
        (roles("") + "stop_timeout: 20\n", Some(20), Some(20)),
        (
            roles("") + "stop_timeout: 20\ndrain_timeout: 12\n",
            Some(20),
            Some(20),
        ),
        (own.clone(), Some(5), Some(5)),
        (own + "stop_timeout: 20\n", Some(5), Some(5)),
    ] {
        let config = config(&text);
        for (name, seconds) in [("web", web), ("jobs", jobs)] {
            let role = role(&config, name);
            assert_eq!(stop_timeout(&config, role), seconds, "{name} of\n{text}");
            let end = match seconds {
                Some(seconds) => format!("| xargs docker stop -t {seconds}"),
                None => "| xargs docker stop".to_owned(),
            };
            for line in [
                stop(&config, role, "v9").real(),
                stop_current(&config, role).real(),
            ] {
                assert!(line.ends_with(&end), "{line}");
            }
        }
    }
}
