//! The fleet itself: it is what the other tests take it for.

use dhow_fleet_tests::Fleet;

#[test]
fn every_host_answers_over_ssh_with_its_known_key_and_has_an_engine_of_its_own() {
    let fleet = Fleet::take();
    let mut engines: Vec<_> = fleet
        .hosts
        .iter()
        .map(|host| {
            assert_eq!(fleet.ssh("root", host, "uname -n").expect(), host.name);
            fleet
                .ssh("root", host, "docker info --format '{{.ID}}'")
                .expect()
                .to_owned()
        })
        .collect();
    engines.sort();
    engines.dedup();
    assert_eq!(engines.len(), fleet.hosts.len());
}

#[test]
fn the_user_deploy_has_fish_and_may_use_docker() {
    let fleet = Fleet::take();
    let host = fleet.host("h1");
    // Empty in a POSIX shell, and a list in fish, which numbers its words.
    let told = fleet.ssh(
        &fleet.deploy_user,
        host,
        "set words a b; echo $SHELL $words[2]",
    );
    assert_eq!(told.expect(), "/usr/bin/fish b");
    fleet.ssh(&fleet.deploy_user, host, "docker ps").expect();
    assert_ne!(fleet.ssh(&fleet.deploy_user, host, "id -u").expect(), "0");
}

#[test]
fn each_session_is_counted_once_and_a_look_from_outside_is_not() {
    let fleet = Fleet::take();
    let host = fleet.host("h2");
    let (sessions, logins) = (host.sessions(), host.logins());
    host.run("true").expect();
    for _ in 0..3 {
        fleet.ssh("root", host, "true").expect();
    }
    assert_eq!((host.sessions() - sessions, host.logins() - logins), (3, 3));
}

#[test]
fn the_registry_lets_only_the_right_password_in_here_and_on_the_hosts() {
    let fleet = Fleet::take();
    let scratch = tempfile::tempdir().unwrap();
    let refused = fleet.log_in(scratch.path(), "wrong");
    assert!(
        !refused.ok() && refused.stderr.contains("401"),
        "{refused:?}"
    );
    fleet
        .log_in(scratch.path(), fleet.registry_password())
        .expect();
    let log_in = |password: &str| {
        let (user, registry) = (&fleet.registry_user, &fleet.registry);
        let command = format!(
            "export DOCKER_CONFIG=$(mktemp -d); docker login -u {user} --password-stdin {registry}; \
             code=$?; rm -r $DOCKER_CONFIG; exit $code"
        );
        fleet.host("h3").run_with(&command, password)
    };
    assert!(!log_in("wrong").ok());
    log_in(fleet.registry_password()).expect();
}

#[test]
fn an_engine_that_was_killed_leaves_ssh_up_and_can_be_started() {
    let fleet = Fleet::take();
    let host = fleet.host("h3");
    host.kill_docker();
    let asked = fleet.ssh("root", host, "docker ps");
    host.start_docker();
    assert!(
        !asked.ok() && asked.stderr.contains("Cannot connect to the Docker daemon"),
        "{asked:?}"
    );
    fleet.ssh("root", host, "docker ps").expect();
}
