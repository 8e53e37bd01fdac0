//! `rollback`: where to, and how.

use dhow_plan::verbs::rollback::{history, previous, read_history, rollback};
use dhow_plan::{HostFacts, PlanError};

use super::support::{Found, commands, facts, names, page, proxied, shown, two_roles, what, world};

fn host() -> HostFacts {
    proxied()
        .image(&["me/app:3", "me/app:latest"], None)
        .and("web", "app-web-3", "running")
        .and("web", "app-web-2", "exited")
        .and("web", "app-web-1", "exited")
        .and("workers", "app-workers-3", "running")
        .and("workers", "app-workers-1", "exited")
}

#[test]
fn items_119_and_120_every_role_on_every_host_must_have_the_version() {
    let world = two_roles();
    let seen = facts([("h1", host()), ("h2", proxied())]);
    let Err(PlanError::NoSuchVersion { version, missing }) =
        rollback(&world.context("2"), &seen, &[])
    else {
        panic!("a version that is not everywhere");
    };
    assert_eq!(version, "2");
    assert_eq!(missing, ["workers on h1", "web on h2", "workers on h2"]);
    let error = rollback(&world.context("9"), &seen, &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "The app version '9' is not available as a container (use 'kamal app containers' for available versions)"
    );
}

#[test]
fn items_121_and_122_the_old_container_steps_aside_for_a_fresh_one() {
    let world = world("servers: [h1]\nproxy: { host: example.com }\n").with_hooks(&[
        "pre-deploy",
        "pre-app-boot",
        "post-app-boot",
        "pre-connect",
        "post-deploy",
    ]);
    let plan = rollback(&world.context("2"), &facts([("h1", host())]), &[]).unwrap();
    assert_eq!(
        names(&plan.stages),
        [
            "hook pre-deploy",
            "hook pre-app-boot",
            "boot",
            "hook post-app-boot",
            "tag"
        ]
    );
    let shown = shown(&plan.stages);
    assert!(
        shown.contains("hook pre-deploy for h1, told secrets\n"),
        "{shown}"
    );
    for never in ["docker pull", "prune", "docker login", "docker load"] {
        assert!(!shown.contains(never), "{never} in {shown}");
    }
    let done = commands(&plan.stages, "h1");
    assert!(
        done.iter()
            .any(|c| c.starts_with("docker rename app-web-2 app-web-2_replaced_"))
    );
    assert!(
        done.iter()
            .any(|c| c.contains("docker run") && c.contains("--name app-web-2 "))
    );
    // Only what runs is stopped: the container that stepped aside did not run.
    assert!(
        done.contains(&"docker stop app-web-3".to_owned()),
        "{done:#?}"
    );
}

#[test]
fn error_pages_and_assets_that_a_later_deploy_removed_are_there_again_before_the_proxy_wants_them()
{
    let world = world(
        "servers: [h1]\nproxy: { host: example.com }\nerror_pages_path: public\nasset_path: /public\n",
    );
    let seen = facts([("h1", host())]);
    let plan = rollback(&world.context("2"), &seen, &[page("503.html")]).unwrap();
    assert_eq!(names(&plan.stages), ["assets", "boot", "tag"]);
    let first = shown(&plan.stages[..1]);
    assert!(
        first.contains("upload .kamal/proxy/apps-config/app/error_pages/2/503.html"),
        "{first}"
    );
    assert!(
        first.contains("docker container create --name app-web-assets me/app:2"),
        "{first}"
    );
}

#[test]
fn without_a_version_it_goes_to_the_last_one_that_served_and_is_still_there() {
    let world = two_roles();
    let context = world.context("");
    let seen = facts([("h1", host()), ("h2", host())]);
    let history =
        |versions: &[&str]| -> Vec<String> { versions.iter().map(|v| (*v).to_owned()).collect() };
    // Version 2 served in between, but its workers are gone.
    let back = previous(&context, &seen, &history(&["1", "2", "3"]));
    assert_eq!(back, Ok("1".to_owned()));
    let web = world.with_roles("web", "");
    assert_eq!(
        previous(&web, &seen, &history(&["1", "2", "3"])),
        Ok("2".to_owned())
    );
    // After a rollback to 2 the one before it is 3, not 1.
    let rolled_back = facts([(
        "h1",
        proxied()
            .image(&["me/app:2", "me/app:latest"], None)
            .and("web", "app-web-2", "running")
            .and("web", "app-web-3", "exited")
            .and("web", "app-web-2_replaced_00ff", "exited")
            .and("web", "app-web-1", "exited"),
    )]);
    let one = super::support::world("servers: [h1]\n");
    let context = one.context("");
    assert_eq!(
        previous(&context, &rolled_back, &history(&["1", "2", "3", "2"])),
        Ok("3".to_owned())
    );
    assert_eq!(
        previous(&context, &rolled_back, &history(&["2"])),
        Err(PlanError::NoEarlierVersion)
    );
}

#[test]
fn history_is_what_became_the_latest_image() {
    let world = world("servers: [h1]\n");
    let context = world.context("");
    assert_eq!(
        what(&history(&context)),
        "grep -F 'Tagging ' .kamal/app-audit.log 2>/dev/null | tail -n 500"
    );
    let log = concat!(
        "[2026-01-02T03:04:05Z] [me] Tagging me/app:1 as the latest image\n",
        "[2026-01-02T03:04:05Z] [me] [web] Booted app version 2\n",
        "[2026-01-02T03:04:05Z] [me] Tagging other/app:7 as the latest image\n",
        "[2026-01-02T03:04:06Z] [me] Tagging me/app:2 as the latest image\n",
        "[2026-01-02T03:04:06Z] [me] Executed cmd 'echo Tagging me/app:9 as the latest image",
    );
    assert_eq!(read_history(&context, log)[..2], ["1", "2"]);
}
