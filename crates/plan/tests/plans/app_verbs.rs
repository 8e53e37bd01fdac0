//! `app …` but booting.

use dhow_commands::LogOptions;
use dhow_commands::app::{ExecOptions, Terminal};
use dhow_plan::verbs::{app, stale};

use super::support::{Found, commands, facts, names, proxied, shown, two_roles, world};

#[test]
fn item_166_start_then_the_proxy_is_told() {
    let world = two_roles();
    let seen = facts([("h1", proxied().and("web", "app-web-1", "exited"))]);
    let stages = app::start(&world.with_hosts("h1", "1"), &seen);
    insta::assert_snapshot!(shown(&stages), @r#"
    == start
    h1 web:
      audit: Started app version 1
      docker start app-web-1  (may fail)
      dhow_id=docker container ls --all --filter 'name=^app-web-1$' --quiet
      if [ -z "$dhow_id" ]; then echo 'Failed to get endpoint for web on h1, did the container boot?' >&2; exit 1; fi; docker exec kamal-proxy kamal-proxy deploy app-web --target="$dhow_id:80" --host="example.com" --deploy-timeout="30s" --drain-timeout="30s" --buffer-requests --buffer-responses --log-request-header="Cache-Control" --log-request-header="Last-Modified" --log-request-header="User-Agent"
    h1 workers:
      audit: Started app version 1
      docker start app-workers-1  (may fail)
    "#);
}

#[test]
fn item_167_stop_takes_out_of_the_proxy_what_is_there() {
    let world = two_roles();
    let seen = facts([(
        "h1",
        proxied()
            .and("web", "app-web-1", "running")
            .and("workers", "app-workers-1", "running"),
    )]);
    let stages = app::stop(&world.context("2"), &seen);
    insta::assert_snapshot!(shown(&stages), @r#"
    == stop
    h1 web:
      audit: [web] Stopped app
      docker exec kamal-proxy kamal-proxy remove app-web  (may fail)
      docker stop app-web-1
    h1 workers:
      audit: [workers] Stopped app
      docker stop -t 30 app-workers-1
    h2 web:
      audit: [web] Stopped app
    h2 workers:
      audit: [workers] Stopped app
    "#);
}

#[test]
fn item_168_stale_is_what_runs_beside_the_one_that_serves() {
    let world = two_roles();
    let seen = facts([
        (
            "h1",
            proxied()
                .image(&["me/app:2", "me/app:latest"], None)
                .and("web", "app-web-2", "running")
                .and("web", "app-web-1", "running")
                .and("web", "app-web-0", "exited")
                .and("workers", "app-workers-1", "running"),
        ),
        (
            "h2",
            proxied()
                .image(&["me/app:2", "me/app:latest"], None)
                .and("workers", "app-workers-2", "running")
                .and("workers", "app-workers-1_replaced_00ff", "restarting"),
        ),
    ]);
    let context = world.context("2");
    let found = stale::find(&context, &seen);
    let said: Vec<String> = found
        .iter()
        .map(|stale| format!("{}: {}", stale.host, stale.detected()))
        .collect();
    assert_eq!(
        said,
        [
            "h1: Detected stale container for role web with version 1 (use `kamal app stale_containers --stop` to stop)",
            "h2: Detected stale container for role workers with version 1_replaced_00ff (use `kamal app stale_containers --stop` to stop)",
        ]
    );
    assert_eq!(
        found[0].stopping(),
        "Stopping stale container for role web with version 1"
    );
    insta::assert_snapshot!(shown(&stale::stop_all(&context, &found)), @r#"
    == stale
    h1 web:
      docker exec kamal-proxy kamal-proxy list 2>/dev/null | grep -qF "idappweb1000" && echo 'the proxy serves from it: left running' || docker stop app-web-1  (may fail)
    h2 workers:
      docker stop -t 30 app-workers-1_replaced_00ff  (may fail)
    "#);
}

#[test]
fn item_169_and_170_looks_once_per_role_or_once_per_host() {
    let world = two_roles();
    let context = world.with_hosts("h1", "2");
    let mut stages = app::details(&context);
    stages.extend(app::containers(&context));
    stages.extend(app::images(&context));
    stages.extend(app::version(&context));
    insta::assert_snapshot!(shown(&stages), @r#"
    == details
    h1 web, beside its neighbours:
      docker ps --filter label=service=app --filter label=destination= --filter label=role=web  => "App Host"
    h1 workers, beside its neighbours:
      docker ps --filter label=service=app --filter label=destination= --filter label=role=workers  => "App Host"
    == containers
    h1:
      docker container ls --all --filter label=service=app --filter label=destination=  => "App Host"
    == images
    h1:
      docker image ls me/app  => "App Host"
    == version
    h1:
      sh -c 'docker ps --latest --format '\''{{.Names}}'\'' --filter label=service=app --filter label=destination= --filter label=role=web --filter status=running --filter status=restarting --filter ancestor=$(docker image ls --filter reference=me/app:latest --format '\''{{.ID}}'\'') ; docker ps --latest --format '\''{{.Names}}'\'' --filter label=service=app --filter label=destination= --filter label=role=web --filter status=running --filter status=restarting' | head -1 | while read line; do echo ${line#app-web-}; done  => "App Host"
    "#);
}

#[test]
fn item_180_and_181_logs_say_so_when_there_are_none() {
    let world = world("servers: [h1]\n");
    let options = LogOptions {
        timestamps: true,
        since: Some("1h"),
        lines: None,
        grep: Some("GET"),
        grep_options: Some("-i"),
    };
    let stages = app::logs(&world.context("2"), Some("abc"), &options);
    insta::assert_snapshot!(shown(&stages), @r#"
    == logs
    h1 web, beside its neighbours:
      sh -c 'echo abc' | xargs docker logs --timestamps --since 1h 2>&1 | grep 'GET' -i || echo 'Nothing found'  => "App Host"
    "#);
}

#[test]
fn item_171_remove_stops_then_removes_and_leaves_hosts_with_other_roles_their_files() {
    let world = two_roles();
    let seen = facts([("h1", proxied().and("web", "app-web-1", "running"))]);
    let whole = app::remove(&world.with_hosts("h1", "2"), &seen);
    insta::assert_snapshot!(shown(&whole), @r#"
    == stop
    h1 web:
      audit: [web] Stopped app
      docker exec kamal-proxy kamal-proxy remove app-web  (may fail)
      docker stop app-web-1
    h1 workers:
      audit: [workers] Stopped app
    == remove
    h1 web, beside its neighbours:
      audit: [web] Removed all app containers
      docker container prune --force --filter label=service=app --filter label=destination= --filter label=role=web
    h1 workers, beside its neighbours:
      audit: [workers] Removed all app containers
      docker container prune --force --filter label=service=app --filter label=destination= --filter label=role=workers
    == remove
    h1:
      audit: Removed all app images
      docker image prune --all --force --filter label=service=app
    == remove
    h1:
      rm -r .kamal/apps/app  (may fail)
      audit: Removed .kamal/apps/app
      rm -r .kamal/proxy/apps-config/app  (may fail)
    "#);
    let part = shown(&app::remove(&world.with_roles("workers", "2"), &seen));
    assert!(part.contains("docker container prune --force"), "{part}");
    for never in ["docker image prune", "rm -r "] {
        assert!(!part.contains(never), "{never} in {part}");
    }
}

#[test]
fn item_172_remove_container_of_a_version() {
    let world = world("servers: [h1]\n");
    let stages = app::remove_container(&world.context("2"), "1");
    insta::assert_snapshot!(shown(&stages), @r#"
    == remove
    h1 web, beside its neighbours:
      audit: [web] Removed app container with version 1
      docker container ls --all --filter 'name=^app-web-1$' --quiet | xargs docker container rm
    "#);
}

#[test]
fn item_173_maintenance_and_its_end_concern_proxied_roles_only() {
    let world = two_roles();
    let context = world.context("2");
    let mut stages = app::maintenance(&context, None, Some("Back \"soon\" for $5"));
    stages.extend(app::maintenance(
        &world.with_hosts("h1", "2"),
        Some(7),
        None,
    ));
    stages.extend(app::live(&context));
    insta::assert_snapshot!(shown(&stages), @r#"
    == maintenance
    h1 web, beside its neighbours:
      docker exec kamal-proxy kamal-proxy stop app-web --drain-timeout="30s" --message="Back \"soon\" for \$5"
    h2 web, beside its neighbours:
      docker exec kamal-proxy kamal-proxy stop app-web --drain-timeout="30s" --message="Back \"soon\" for \$5"
    == maintenance
    h1 web, beside its neighbours:
      docker exec kamal-proxy kamal-proxy stop app-web --drain-timeout="7s"
    == live
    h1 web, beside its neighbours:
      docker exec kamal-proxy kamal-proxy resume app-web
    h2 web, beside its neighbours:
      docker exec kamal-proxy kamal-proxy resume app-web
    "#);
    let workers = app::live(&world.with_roles("workers", "2"));
    assert_eq!(shown(&workers), "== live\n");
}

#[test]
fn items_175_and_81_exec_in_a_new_container() {
    let world = two_roles();
    let options = ExecOptions {
        terminal: Terminal::None,
        detach: false,
        env: None,
    };
    let context = world.with_hosts("h1", "2");
    let stages = app::exec_new(&context, "latest", &options, "rake about").unwrap();
    insta::assert_snapshot!(shown(&stages), @r#"
    == exec
    h1 web:
      dhow_auth=mktemp -d
      DOCKER_CONFIG="$dhow_auth" docker login -u "me" --password-stdin <<
      docker image inspect me/app:latest >/dev/null 2>&1 || DOCKER_CONFIG="$dhow_auth" docker pull me/app:latest
      rm -rf "$dhow_auth"  (may fail)
      audit: Executed cmd 'rake about' on app version latest
      mkdir -p .kamal/apps/app/env/roles
      upload .kamal/apps/app/env/roles/web.env 0600
      docker run --rm --name app-web-exec-latest-910a2d --network kamal --env-file .kamal/apps/app/env/roles/web.env --log-opt max-size="10m" me/app:latest rake about  => "App Host"
      ! forgetting the registry login
    h1 workers:
      audit: Executed cmd 'rake about' on app version latest
      mkdir -p .kamal/apps/app/env/roles
      upload .kamal/apps/app/env/roles/workers.env 0600
      docker run --rm --name app-workers-exec-latest-beeb8d --network kamal --env-file .kamal/apps/app/env/roles/workers.env --log-opt max-size="10m" me/app:latest rake about  => "App Host"
    "#);
}

#[test]
fn items_176_and_81_exec_in_the_running_container_names_the_role() {
    let world = two_roles();
    let context = world.with_hosts("h1", "2");
    let stages = app::exec_existing(&context, "1", &ExecOptions::default(), "rake about");
    insta::assert_snapshot!(shown(&stages), @r#"
    == exec
    h1 web, beside its neighbours:
      audit: [web] Executed cmd 'rake about' on app version 1
      docker exec app-web-1 rake about  => "App Host"
    h1 workers, beside its neighbours:
      audit: [workers] Executed cmd 'rake about' on app version 1
      docker exec app-workers-1 rake about  => "App Host"
    "#);
}

#[test]
fn item_179_before_an_interactive_command_the_image_is_there() {
    let world = two_roles();
    let stages = app::before_interactive(&world.context("2"), "latest").unwrap();
    assert_eq!(names(&stages), ["prepare"]);
    let done = commands(&stages, "h1");
    assert!(done.iter().any(|c| c.contains("docker login")), "{done:?}");
    assert!(
        done.last()
            .unwrap()
            .starts_with("upload .kamal/apps/app/env/roles/web.env")
    );
}
