//! Every command once for real: as a user who is not root and whose login shell is fish, with filters, destinations and groups,
//! under a lock, and with `--dry-run`, which must change nothing.

use std::process::Command;
use std::time::{Duration, Instant};

use dhow_fleet_tests::{Dhow, Fleet, Host, Outcome, ScratchApp};

/// The answer of a proxy whose container has just been started: that it runs does not mean that it listens yet.
fn soon(host: &Host) -> String {
    let started = Instant::now();
    loop {
        let status = status(host);
        if status == "200" || started.elapsed() > Duration::from_secs(10) {
            return status;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn status(host: &Host) -> String {
    let mut curl = Command::new("curl");
    curl.args(["-s", "-o", "/dev/null", "-m", "5", "-w", "%{http_code}"]);
    Outcome::of(curl.arg(host.url()), "").stdout
}

#[track_caller]
fn says(outcome: &Outcome, text: &str) {
    outcome.expect();
    assert!(outcome.stdout.contains(text), "no `{text}` in {outcome:?}");
}

/// Runs a command on a terminal of 33 lines and 77 columns.
fn on_a_terminal(dhow: &Dhow, arguments: &[&str]) -> Outcome {
    let inner = dhow.command(arguments);
    let words: Vec<String> = std::iter::once(inner.get_program())
        .chain(inner.get_args())
        .map(|word| format!("'{}'", word.to_string_lossy().replace('\'', r"'\''")))
        .collect();
    let mut script = Command::new("script");
    script
        .args([
            "-qec",
            &format!("stty rows 33 cols 77; {}", words.join(" ")),
        ])
        .arg("/dev/null")
        .current_dir(inner.get_current_dir().expect("its folder"));
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    Outcome::of(&mut script, "")
}

/// parity: commands 219
#[test]
fn init_writes_what_a_first_deploy_needs_and_keeps_what_is_there() {
    let fleet = Fleet::take();
    let app = ScratchApp::new(&fleet, "");
    for path in ["config/deploy.yml", ".kamal/secrets"] {
        std::fs::remove_file(app.dir().join(path)).unwrap();
    }
    let dhow = app.dhow();
    says(
        &dhow.run(&["init"]),
        "Created configuration file in config/deploy.yml",
    );
    for path in [
        "config/deploy.yml",
        ".kamal/secrets",
        ".kamal/hooks/pre-deploy.sample",
    ] {
        assert!(app.dir().join(path).exists(), "`{path}`");
    }
    app.write("config/deploy.yml", "service: mine\n");
    says(&dhow.run(&["init"]), "already exists");
    let kept = std::fs::read_to_string(app.dir().join("config/deploy.yml")).unwrap();
    assert_eq!(kept, "service: mine\n");
}

/// parity: commands 45, 89, 95, 96
#[test]
fn every_command_works_for_a_user_who_is_not_root_and_has_fish() {
    let fleet = Fleet::take_clean();
    let host = fleet.host("h1");
    let home = format!("/home/{}", fleet.deploy_user);
    let config = ScratchApp::config(&fleet, &[host])
        + &format!("  user: {}\nstop_timeout: 2\n", fleet.deploy_user);
    let app = ScratchApp::new(&fleet, &config);
    let dhow = app.dhow();
    let run = |arguments: &[&str]| dhow.run(arguments);
    let first = app.commit("first");
    run(&["setup"]).expect();
    assert_eq!(status(host), "200");
    let web = |version: &str| format!("lab-web-{version}");
    let serving = |version: &str| ["kamal-proxy".to_owned(), web(version)];
    assert_eq!(host.containers(), serving(&first));

    // Looks.
    let kept = format!("repository: {}/lab/app", fleet.registry);
    says(&run(&["config"]), &kept);
    assert!(!run(&["config"]).stdout.contains(fleet.registry_password()));
    assert!(run(&["version"]).expect().contains('.'));
    says(&run(&["details"]), &web(&first));
    says(&run(&["audit"]), &format!("Booted app version {first}"));
    says(&run(&["app", "version"]), &first);
    says(&run(&["app", "details"]), &web(&first));
    says(&run(&["app", "containers"]), &web(&first));
    says(
        &run(&["app", "images"]),
        &format!("{}/lab/app", fleet.registry),
    );
    says(&run(&["app", "logs"]), "listening on port 80");
    says(&run(&["proxy", "details"]), "kamal-proxy");
    says(&run(&["proxy", "logs"]), "Deployed");

    // One-off commands.
    says(
        &run(&["app", "exec", "lab-app say in a new one"]),
        "in a new one",
    );
    says(
        &run(&["app", "exec", "--reuse", "lab-app say in the old one"]),
        "in the old one",
    );
    assert_eq!(run(&["app", "exec", "lab-app exit 5"]).code, 1);
    says(&run(&["server", "exec", "uname -n; id -un"]), "h1\ndeploy");
    assert_eq!(run(&["server", "exec", "exit 5"]).code, 1);
    let on_host = on_a_terminal(&dhow, &["server", "exec", "-i", "stty size; exit 7"]);
    assert_eq!(on_host.code, 7, "{on_host:?}");
    assert!(on_host.stdout.contains("33 77"), "{on_host:?}");
    for arguments in [
        &["app", "exec", "-i", "--reuse", "lab-app exit 9"][..],
        &["app", "exec", "-i", "lab-app exit 9"],
    ] {
        let outcome = on_a_terminal(&dhow, arguments);
        assert_eq!(outcome.code, 9, "{arguments:?}: {outcome:?}");
    }
    run(&["server", "bootstrap"]).expect();

    // The app stopped and started, and booted again.
    run(&["app", "stop"]).expect();
    assert_eq!(host.containers(), ["kamal-proxy"]);
    assert_ne!(status(host), "200");
    run(&["app", "start", "--version", &first]).expect();
    assert_eq!(status(host), "200");
    run(&["app", "boot", "--version", &first]).expect();
    assert_eq!(host.containers(), serving(&first));

    // Versions.
    let second = app.change("healthy");
    run(&["build", "deliver"]).expect();
    run(&["build", "pull"]).expect();
    run(&["redeploy", "-P"]).expect();
    assert_eq!(host.containers(), serving(&second));
    run(&["rollback"]).expect();
    assert_eq!(host.containers(), serving(&first));
    run(&["rollback", &second]).expect();
    assert_eq!(host.containers(), serving(&second));
    let state = host.state();
    let missing = run(&["rollback", "nowhere"]);
    assert_eq!(missing.code, 1, "{missing:?}");
    assert!(missing.errors().contains("nowhere"), "{missing:?}");
    assert_eq!(
        host.state(),
        state,
        "a rollback to nowhere changed the host"
    );

    // The proxy.
    run(&["proxy", "stop"]).expect();
    assert_eq!(host.containers(), [web(&second)]);
    run(&["proxy", "start"]).expect();
    assert_eq!(soon(host), "200");
    run(&["proxy", "restart"]).expect();
    assert_eq!(soon(host), "200");
    let before = host.run("docker inspect -f '{{.Id}}' kamal-proxy");
    says(
        &run(&["proxy", "reboot", "-y"]),
        "\nrestarted without a gap\n",
    );
    let after = host.run("docker inspect -f '{{.Id}}' kamal-proxy");
    assert_eq!(before.expect(), after.expect());
    assert_eq!(status(host), "200");
    says(
        &run(&["proxy", "details"]),
        "The program in it is now that of dhow/kamal-proxy:",
    );
    run(&["proxy", "boot"]).expect();

    // The registry.
    let login = format!("grep -q {} {home}/.docker/config.json", fleet.registry);
    assert!(!host.run(&login).ok(), "a deploy left its login");
    run(&["registry", "login"]).expect();
    assert!(host.run(&login).ok());
    run(&["registry", "logout"]).expect();
    assert!(!host.run(&login).ok());

    // The lock.
    says(&run(&["lock", "status"]), "There is no deploy lock");
    says(
        &run(&["lock", "acquire", "-m", "maintenance until noon"]),
        "Acquired the deploy lock",
    );
    says(&run(&["lock", "status"]), "Message: maintenance until noon");
    let state = host.state();
    let held = run(&["deploy", "-P"]);
    assert_eq!(held.code, 1, "{held:?}");
    for text in [
        "Deploy lock already in place!",
        "Message: maintenance until noon",
        "Deploy lock found. Run 'kamal lock help' for more information",
    ] {
        assert!(held.stdout.contains(text), "no `{text}` in {held:?}");
    }
    assert!(held.took < Duration::from_secs(5), "{:?}", held.took);
    assert_eq!(host.state(), state, "a locked deploy changed the host");
    says(&run(&["lock", "release"]), "Released the deploy lock");
    assert_eq!(host.locks(), "");

    // Tidying up, and the end.
    run(&["prune", "all"]).expect();
    run(&["prune", "images"]).expect();
    run(&["prune", "containers", "--retain", "1"]).expect();
    assert_eq!(host.stopped_containers().len(), 1);
    run(&["app", "remove"]).expect();
    assert_eq!(host.containers(), ["kamal-proxy"]);
    assert_eq!(host.stopped_containers(), [""; 0]);
    run(&["deploy", "-P"]).expect();
    assert_eq!(soon(host), "200");
    run(&["remove", "-y"]).expect();
    let left = host.run("docker ps -aq");
    assert_eq!(left.expect(), "");
    let left = host.run(&format!(
        "ls -A {home}/.kamal/apps {home}/.kamal/proxy; ls {home}/.kamal"
    ));
    assert!(!left.stdout.contains("proxy"), "{left:?}");
    assert_eq!(host.locks(), "");
}

#[test]
fn a_dry_run_of_any_command_shows_what_would_run_and_changes_nothing() {
    let fleet = Fleet::take_clean();
    let hosts = [fleet.host("h2"), fleet.host("h3")];
    let config = ScratchApp::config(&fleet, &hosts) + "env:\n  secret:\n    - API_KEY\n";
    let app = ScratchApp::new(&fleet, &config);
    app.write(
        ".kamal/secrets",
        "FLEET_REGISTRY_PASSWORD=$FLEET_REGISTRY_PASSWORD\nAPI_KEY=not-to-be-shown\n",
    );
    let dhow = app.dhow();
    fleet.push_versions(&["one", "two"], "healthy");
    dhow.run(&["setup", "-P", "--version", "one"]).expect();
    dhow.run(&["deploy", "-P", "--version", "two"]).expect();
    app.commit("third");

    // The command, and a line of what it would run.
    let commands: [(&[&str], &str); 27] = [
        (&["setup", "-P"], "docker run"),
        (&["setup"], "docker buildx build"),
        (&["deploy", "-P"], "docker pull"),
        (&["deploy"], "docker buildx build"),
        (&["redeploy", "-P"], "docker run"),
        (&["rollback", "one"], "docker run"),
        (&["rollback"], "lab-web-one"),
        (&["app", "boot"], "docker run"),
        (&["app", "start", "--version", "two"], "docker start"),
        (&["app", "stop"], "docker stop"),
        (&["app", "exec", "lab-app say x"], "lab-app say x"),
        (&["app", "exec", "--reuse", "lab-app say x"], "docker exec"),
        (&["app", "remove"], "docker container prune"),
        (&["proxy", "reboot", "-y"], "docker run"),
        (&["proxy", "start"], "docker container start kamal-proxy"),
        (&["proxy", "stop"], "docker container stop kamal-proxy"),
        (&["proxy", "restart"], "docker container stop kamal-proxy"),
        (&["proxy", "remove", "--force"], "docker container prune"),
        (&["build", "push"], "docker buildx build"),
        (&["build", "deliver"], "docker pull"),
        (&["build", "pull"], "docker pull"),
        (&["registry", "login"], "docker login"),
        (&["registry", "logout"], "docker logout"),
        (&["prune", "all"], "docker"),
        (&["server", "exec", "touch /root/.kamal/touched"], "touch"),
        (&["remove", "-y"], "docker"),
        (&["lock", "acquire", "-m", "no"], "mkdir"),
    ];
    let states = || hosts.map(Host::state);
    let before = states();
    let mut wrong = Vec::new();
    for (arguments, shown) in commands {
        // What follows the words of a command to run belongs to it.
        let words = arguments.len().min(2);
        let (verb, rest) = arguments.split_at(words);
        let outcome = match &arguments[1..] {
            ["exec", ..] => dhow.run(&[verb, &["--dry-run"], rest].concat()),
            _ => dhow.run(&[arguments, &["--dry-run"]].concat()),
        };
        let mut complain = |what: &str| {
            wrong.push(format!("{arguments:?}: {what}\n{outcome:?}"));
        };
        if !outcome.ok() {
            complain("it failed");
        }
        if !outcome.stdout.contains(shown) {
            complain(&format!("it does not show `{shown}`"));
        }
        if arguments[0] != "lock" && arguments != ["build", "push"] {
            for host in hosts {
                if !outcome.stdout.contains(&host.address) {
                    complain(&format!("it does not name {}", host.address));
                }
            }
        }
        for secret in ["not-to-be-shown", fleet.registry_password()] {
            if outcome.stdout.contains(secret) {
                complain("it shows a secret");
            }
        }
        if states() != before {
            complain("it changed a host");
            break;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));

    // And it is what then runs.
    let plan = dhow.run(&["deploy", "-P", "--version", "one", "--dry-run"]);
    let real = dhow.run(&["deploy", "-P", "--version", "one", "-v"]);
    real.expect();
    let line = plan
        .stdout
        .lines()
        .find(|line| line.contains("kamal-proxy deploy lab-web"))
        .expect("the switch")
        .trim();
    assert!(real.stdout.contains(line), "`{line}` did not run: {real:?}");
}

#[test]
fn destinations_filters_and_groups_choose_what_is_deployed_where() {
    let fleet = Fleet::take_clean();
    let all: Vec<&Host> = fleet.hosts.iter().collect();
    let config = ScratchApp::config(&fleet, &all)
        + "readiness_delay: 0\nboot:\n  limit: 1\n  wait: 1\nproxy:\n  host: lab.example.com\n";
    let app = ScratchApp::new(&fleet, &config);
    app.write(
        "config/deploy.staging.yml",
        &format!(
            "servers:\n  web:\n    - {}\nproxy:\n  host: staging.example.com\nenv:\n  clear:\n    STAGE: staging\n",
            fleet.hosts[2].address
        ),
    );
    // With a destination its own file counts, not the plain one.
    app.write(
        ".kamal/secrets.staging",
        "FLEET_REGISTRY_PASSWORD=$FLEET_REGISTRY_PASSWORD\n",
    );
    app.write(
        ".kamal/secrets-common",
        "FLEET_REGISTRY_PASSWORD=$FLEET_REGISTRY_PASSWORD\n",
    );
    let dhow = app.dhow();
    fleet.push_versions(&["one", "two"], "healthy");

    // One host after the other, with a pause.
    let outcome = dhow.run(&["setup", "-P", "--version", "one", "--json"]);
    outcome.expect();
    let started: Vec<(f64, String)> = outcome
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|event| {
            event["event"] == "step_started" && event["title"] == "starting the new container"
        })
        .map(|event| {
            let host = event["host"].as_str().unwrap_or_default().to_owned();
            (event["at"].as_f64().unwrap_or_default(), host)
        })
        .collect();
    let order: Vec<&str> = started.iter().map(|(_, host)| host.as_str()).collect();
    let addresses: Vec<&str> = all.iter().map(|host| host.address.as_str()).collect();
    assert_eq!(order, addresses);
    for pair in started.windows(2) {
        assert!(pair[1].0 - pair[0].0 >= 1.0, "no wait: {started:?}");
    }

    // Only some hosts.
    let second = all[1];
    dhow.run(&["deploy", "-P", "--version", "two", "-h", &second.address])
        .expect();
    let web = |host: &Host, version: &str| {
        let expected = ["kamal-proxy".to_owned(), format!("lab-web-{version}")];
        assert_eq!(host.containers(), expected, "on {}", host.name);
    };
    web(all[0], "one");
    web(second, "two");
    web(all[2], "one");
    let start = Instant::now();
    let outcome = dhow.run(&["deploy", "-P", "--version", "two", "-h", "10.77.9.9"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(start.elapsed() < Duration::from_secs(5));
    let outcome = dhow.run(&["app", "version", "-r", "w*", "-h", "*.12,*.13"]);
    says(&outcome, "10.77.0.12");
    says(&outcome, "10.77.0.13");
    assert!(!outcome.stdout.contains("10.77.0.11"), "{outcome:?}");
    let outcome = dhow.run(&["app", "version", "-r", "nobody"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");

    // Another destination beside it, on a host of both.
    dhow.run(&["deploy", "-P", "--version", "two", "-d", "staging"])
        .expect();
    let expected = ["kamal-proxy", "lab-web-one", "lab-web-staging-two"];
    assert_eq!(all[2].containers(), expected);
    assert_eq!(all[0].containers(), ["kamal-proxy", "lab-web-one"]);
    let label =
        all[2].run("docker inspect -f '{{.Config.Labels.destination}}' lab-web-staging-two");
    assert_eq!(label.expect(), "staging");
    let audit = all[2].run("cat /root/.kamal/lab-staging-audit.log");
    assert!(
        audit
            .expect()
            .contains("[staging] [web] Booted app version two")
    );
    dhow.run(&["app", "remove", "-d", "staging"]).expect();
    assert_eq!(all[2].containers(), ["kamal-proxy", "lab-web-one"]);
}
