//! What is on a host after deploys, word for word as Kamal 2.12 leaves it: containers, labels, environment, files with their modes,
//! audit lines, image tags and the lock.

use dhow_fleet_tests::{Fleet, Host, ScratchApp};
use serde_json::{Value, json};

const EMAIL: &str = "deployer@example.com";

/// A web role on h2, a worker beside it.
fn deployed(fleet: &Fleet) -> ScratchApp {
    let host = fleet.host("h2");
    let worker = format!(
        "  worker:\n    hosts:\n      - {}\n    cmd: lab-app worker\nregistry:",
        host.address
    );
    let config = ScratchApp::config(fleet, &[host]).replace("registry:", &worker)
        + "readiness_delay: 0\nenv:\n  clear:\n    GREETING: hello \"you\"\n  secret:\n    - API_KEY\n    - ALIASED:API_KEY\n";
    let app = ScratchApp::new(fleet, &config);
    app.write(
        ".kamal/secrets",
        "FLEET_REGISTRY_PASSWORD=$FLEET_REGISTRY_PASSWORD\nAPI_KEY='a key, with spaces'\n",
    );
    app.git(&["config", "user.email", EMAIL]);
    app.git(&["config", "user.name", "Dee Ployer"]);
    fleet.push_versions(&["one", "two"], "healthy");
    let dhow = app.dhow();
    dhow.run(&["setup", "-P", "--version", "one"]).expect();
    dhow.run(&["deploy", "-P", "--version", "two"]).expect();
    app
}

fn inspect(host: &Host, name: &str) -> Value {
    let output = host.run(&format!("docker inspect {name}"));
    let found: Value = serde_json::from_str(output.expect()).expect("JSON");
    found[0].clone()
}

/// Whether a text is `before`, then so many lowercase hexadecimal digits.
fn is_random(text: &str, before: &str, digits: usize) -> bool {
    text.strip_prefix(before).is_some_and(|rest| {
        rest.len() == digits
            && rest
                .bytes()
                .all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
    })
}

#[test]
fn containers_have_kamals_names_labels_and_options() {
    let fleet = Fleet::take_clean();
    let host = fleet.host("h2");
    let _app = deployed(&fleet);
    let image = fleet.image("two");
    for role in ["web", "worker"] {
        let name = format!("lab-{role}-two");
        let found = inspect(host, &name);
        assert_eq!(found["Name"], format!("/{name}"));
        assert_eq!(found["Config"]["Image"], image);
        assert_eq!(
            found["Config"]["Labels"],
            json!({"service": "lab", "role": role, "destination": ""})
        );
        let env: Vec<&str> = found["Config"]["Env"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .filter(|pair| !pair.starts_with("PATH=") && !pair.starts_with("APP_VERSION="))
            .collect();
        let mut expected = [
            "KAMAL_VERSION=two".to_owned(),
            format!("KAMAL_CONTAINER_NAME={name}"),
            format!("KAMAL_HOST={}", host.address),
            "GREETING=hello \"you\"".to_owned(),
            "API_KEY=a key, with spaces".to_owned(),
            "ALIASED=a key, with spaces".to_owned(),
        ];
        let mut env: Vec<String> = env.into_iter().map(str::to_owned).collect();
        env.sort();
        expected.sort();
        assert_eq!(env, expected);
        let hostname = found["Config"]["Hostname"].as_str().unwrap();
        assert!(
            is_random(hostname, &format!("{}-", host.address), 12),
            "{hostname}"
        );
        let options = &found["HostConfig"];
        assert_eq!(
            options["RestartPolicy"],
            json!({"Name": "unless-stopped", "MaximumRetryCount": 0})
        );
        assert_eq!(options["NetworkMode"], "kamal");
        assert_eq!(
            options["LogConfig"],
            json!({"Type": "json-file", "Config": {"max-size": "10m"}})
        );
        assert_eq!(found["Mounts"], json!([]));
        assert_eq!(options["PortBindings"], json!({}));
        let command = match role {
            "web" => json!(["lab-app"]),
            _ => json!(["lab-app", "worker"]),
        };
        assert_eq!(found["Config"]["Cmd"], command);
    }

    let proxy = inspect(host, "kamal-proxy");
    assert_eq!(
        proxy["HostConfig"]["RestartPolicy"]["Name"],
        "unless-stopped"
    );
    assert_eq!(proxy["HostConfig"]["NetworkMode"], "kamal");
    assert_eq!(
        proxy["HostConfig"]["LogConfig"],
        json!({"Type": "json-file", "Config": {"max-size": "10m"}})
    );
    assert_eq!(
        proxy["HostConfig"]["PortBindings"],
        json!({
            "80/tcp": [{"HostIp": "", "HostPort": "80"}],
            "443/tcp": [{"HostIp": "", "HostPort": "443"}]
        })
    );
    assert_eq!(
        proxy["Config"]["Labels"]["org.opencontainers.image.title"],
        "kamal-proxy"
    );
    let mut mounts: Vec<(String, String)> = proxy["Mounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mount| {
            let source = match mount["Type"].as_str() {
                Some("volume") => &mount["Name"],
                _ => &mount["Source"],
            };
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (text(source), text(&mount["Destination"]))
        })
        .collect();
    mounts.sort();
    let pair = |source: &str, target: &str| (source.to_owned(), target.to_owned());
    assert_eq!(
        mounts,
        [
            pair(
                "/root/.kamal/proxy/apps-config",
                "/home/kamal-proxy/.apps-config"
            ),
            pair(
                "kamal-proxy-config",
                "/home/kamal-proxy/.config/kamal-proxy"
            ),
        ]
    );
    let image_name = proxy["Config"]["Image"].as_str().unwrap();
    assert!(
        image_name.starts_with("dhow/kamal-proxy:v0.9.2"),
        "{image_name}"
    );

    // The newest image is the latest, and those of containers that are kept are there.
    let images = host.run("docker images --format '{{.ID}} {{.Repository}}:{{.Tag}}' | sort");
    let id = |tag: &str| {
        let name = fleet.image(tag);
        let mut lines = images.stdout.lines();
        let line = lines.find(|line| line.ends_with(&format!(" {name}")));
        line.and_then(|line| line.split(' ').next())
            .map(str::to_owned)
    };
    assert!(
        id("two").is_some() && id("two") == id("latest"),
        "{images:?}"
    );
    assert!(id("one").is_some(), "{images:?}");
}

/// parity: commands 75
#[test]
fn files_and_audit_lines_are_kamals() {
    let fleet = Fleet::take_clean();
    let host = fleet.host("h2");
    let app = deployed(&fleet);
    let tree = host.run("cd /root && find .kamal -printf '%M %p\\n' | sort -k 2");
    let expected = "\
drwxr-xr-x .kamal
drwxr-xr-x .kamal/apps
drwxr-xr-x .kamal/apps/lab
drwxr-xr-x .kamal/apps/lab/env
drwxr-xr-x .kamal/apps/lab/env/roles
-rw------- .kamal/apps/lab/env/roles/web.env
-rw------- .kamal/apps/lab/env/roles/worker.env
-rw-r--r-- .kamal/lab-audit.log
drwxr-xr-x .kamal/proxy
drwxr-xr-x .kamal/proxy/apps-config";
    assert_eq!(tree.expect(), expected);
    let file = host.run("cat /root/.kamal/apps/lab/env/roles/web.env");
    assert_eq!(
        file.stdout,
        "API_KEY=a key, with spaces\nALIASED=a key, with spaces\n"
    );

    app.dhow().run(&["rollback", "one"]).expect();
    let log = host.run("cat /root/.kamal/lab-audit.log");
    let mut lines = Vec::new();
    for line in log.expect().lines() {
        // [2026-01-02T03:04:05Z] [who] …
        let (time, rest) = line.split_at(22);
        let shape: String = time
            .chars()
            .map(|c| if c.is_ascii_digit() { '0' } else { c })
            .collect();
        assert_eq!(shape, "[0000-00-00T00:00:00Z]", "{line}");
        let rest = rest
            .strip_prefix(&format!(" [{EMAIL}] "))
            .unwrap_or_else(|| panic!("{line}"));
        lines.push(rest.to_owned());
    }
    let deploy = |version: &str| {
        [
            format!("Pulled image with version {version}"),
            format!("[web] Booted app version {version}"),
            format!("[worker] Booted app version {version}"),
            format!("Tagging {} as the latest image", fleet.image(version)),
            "Pruned containers".to_owned(),
            "Pruned images".to_owned(),
        ]
    };
    let deploys = [deploy("one"), deploy("two")].concat();
    assert_eq!(lines[..deploys.len()], deploys);
    let rollback = &lines[deploys.len()..];
    assert_eq!(rollback.len(), 5, "{rollback:?}");
    for (number, role) in ["web", "worker"].iter().enumerate() {
        let renaming = &rollback[2 * number];
        let before = format!("[{role}] Renaming container one to one_replaced_");
        assert!(is_random(renaming, &before, 16), "{renaming}");
        assert_eq!(
            rollback[2 * number + 1],
            format!("[{role}] Booted app version one")
        );
    }
    assert_eq!(
        rollback[4],
        format!("Tagging {} as the latest image", fleet.image("one"))
    );
}

/// parity: commands 82, 89
#[test]
fn a_lock_is_where_kamal_looks_for_it_and_one_of_kamals_is_respected() {
    let fleet = Fleet::take_clean();
    let host = fleet.host("h2");
    let app = deployed(&fleet);
    let dhow = app.dhow();
    dhow.run(&["lock", "acquire", "-m", "by hand", "--version", "two"])
        .expect();
    assert_eq!(host.locks(), "/root/.kamal/lock-lab");
    let files = host.run("ls -A /root/.kamal/lock-lab");
    assert_eq!(files.expect(), "details");
    let details = host.run("base64 -d /root/.kamal/lock-lab/details");
    let lines: Vec<&str> = details.stdout.lines().collect();
    assert!(
        lines.len() == 3
            && lines[0].starts_with("Locked by: Dee Ployer at 20")
            && lines[0].ends_with('Z'),
        "{details:?}"
    );
    assert_eq!(lines[1..], ["Version: two", "Message: by hand"]);
    assert!(!details.stdout.ends_with('\n'));
    dhow.run(&["lock", "release"]).expect();
    assert_eq!(host.locks(), "");

    // As Kamal writes it, wrapped at 60 columns.
    host.run(
        "mkdir /root/.kamal/lock-lab && printf 'Locked by: Somebody Else at 2026-01-02T03:04:05Z\\nVersion: 9\\nMessage: Automatic deploy lock' \
         | base64 -w 60 > /root/.kamal/lock-lab/details",
    )
    .expect();
    let outcome = dhow.run(&["deploy", "-P", "--version", "one"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(
        outcome
            .stdout
            .contains("Locked by: Somebody Else at 2026-01-02T03:04:05Z"),
        "{outcome:?}"
    );
    assert_eq!(
        host.locks(),
        "/root/.kamal/lock-lab",
        "another's lock was removed"
    );
    let status = dhow.run(&["lock", "status"]);
    assert!(status.expect().contains("Version: 9"), "{status:?}");
    dhow.run(&["lock", "release"]).expect();
    dhow.run(&["deploy", "-P", "--version", "one"]).expect();
}
