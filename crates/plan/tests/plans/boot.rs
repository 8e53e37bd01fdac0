//! `app boot`: what each host and role goes through, in which groups, behind which gates.

use dhow_plan::verbs::boot::boot;
use dhow_plan::{Stage, Tolerate, Work};

use super::support::{
    Found, World, commands, empty, facts, names, page, proxied, shown, track, two_roles, world,
};

/// Positions of the commands that hold each text, which must be there.
#[track_caller]
fn order(commands: &[String], texts: &[&str]) {
    let mut last = 0;
    for text in texts {
        let found = commands.iter().skip(last).position(|c| c.contains(text));
        let at = found.unwrap_or_else(|| panic!("no `{text}` after {last} in {commands:#?}"));
        last += at + 1;
    }
}

#[test]
fn items_139_140_142_and_144_a_first_boot_and_one_over_a_running_version() {
    let world = two_roles();
    let seen = facts([
        (
            "h1",
            proxied()
                .and("web", "app-web-1", "running")
                .and("workers", "app-workers-1", "running"),
        ),
        ("h2", proxied()),
    ]);
    let stages = boot(&world.context("2"), &seen, &[]).unwrap();
    insta::assert_snapshot!(shown(&stages), @r#"
    == boot
    h1 web, opens web:
      audit: [web] Booted app version 2
      mkdir -p .kamal/apps/app/env/roles
      upload .kamal/apps/app/env/roles/web.env 0600
      dhow_id=docker run --detach --restart unless-stopped --name app-web-2 --network kamal --hostname h1-910a2dec8902 --env KAMAL_CONTAINER_NAME="app-web-2" --env KAMAL_VERSION="2" --env KAMAL_HOST="h1" --env-file .kamal/apps/app/env/roles/web.env --log-opt max-size="10m" --label service="app" --label role="web" --label destination me/app:2
      docker exec kamal-proxy kamal-proxy deploy app-web --target="$(printf %.12s "$dhow_id"):80" --host="example.com" --deploy-timeout="30s" --drain-timeout="30s" --buffer-requests --buffer-responses --log-request-header="Cache-Control" --log-request-header="Last-Modified" --log-request-header="User-Agent"
      docker stop app-web-1  (may fail)
      ! container log
      ! container state
      ! container health
      ! stopping the new container
    h1 workers, waits for web:
      audit: [workers] Booted app version 2
      mkdir -p .kamal/apps/app/env/roles
      upload .kamal/apps/app/env/roles/workers.env 0600
      dhow_id=docker run --detach --restart unless-stopped --name app-workers-2 --network kamal --hostname h1-beeb8da1658e --env KAMAL_CONTAINER_NAME="app-workers-2" --env KAMAL_VERSION="2" --env KAMAL_HOST="h1" --env-file .kamal/apps/app/env/roles/workers.env --log-opt max-size="10m" --label service="app" --label role="workers" --label destination me/app:2 work
      n=0; end=$(($(date +%s) + 30)); while :; do s=$(docker inspect --format '{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}' app-workers-2 2>/dev/null); if [ "$s" = running ] && [ 7 -gt 0 ]; then echo 'Container is running, waiting for readiness delay of 7 seconds'; sleep 7; s=$(docker inspect --format '{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}' app-workers-2 2>/dev/null); fi; case $s in running|healthy) echo 'Container is healthy!'; break;; esac; n=$((n + 1)); left=$((end - $(date +%s))); if [ $left -le 0 ]; then echo "container not ready after 30 seconds ($s)" >&2; exit 1; fi; if [ $n -lt $left ]; then sleep $n; else sleep $left; fi; done
      docker stop -t 30 app-workers-1  (may fail)
      ! container log
      ! container state
      ! container health
      ! stopping the new container
    h2 web, opens web:
      audit: [web] Booted app version 2
      mkdir -p .kamal/apps/app/env/roles
      upload .kamal/apps/app/env/roles/web.env 0600
      dhow_id=docker run --detach --restart unless-stopped --name app-web-2 --network kamal --hostname h2-f893a2eefb32 --env KAMAL_CONTAINER_NAME="app-web-2" --env KAMAL_VERSION="2" --env KAMAL_HOST="h2" --env-file .kamal/apps/app/env/roles/web.env --log-opt max-size="10m" --label service="app" --label role="web" --label destination me/app:2
      docker exec kamal-proxy kamal-proxy deploy app-web --target="$(printf %.12s "$dhow_id"):80" --host="example.com" --deploy-timeout="30s" --drain-timeout="30s" --buffer-requests --buffer-responses --log-request-header="Cache-Control" --log-request-header="Last-Modified" --log-request-header="User-Agent"
      ! container log
      ! container state
      ! container health
      ! stopping the new container
    h2 workers, waits for web:
      audit: [workers] Booted app version 2
      mkdir -p .kamal/apps/app/env/roles
      upload .kamal/apps/app/env/roles/workers.env 0600
      dhow_id=docker run --detach --restart unless-stopped --name app-workers-2 --network kamal --hostname h2-71c18690ee42 --env KAMAL_CONTAINER_NAME="app-workers-2" --env KAMAL_VERSION="2" --env KAMAL_HOST="h2" --env-file .kamal/apps/app/env/roles/workers.env --log-opt max-size="10m" --label service="app" --label role="workers" --label destination me/app:2 work
      n=0; end=$(($(date +%s) + 30)); while :; do s=$(docker inspect --format '{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}' app-workers-2 2>/dev/null); if [ "$s" = running ] && [ 7 -gt 0 ]; then echo 'Container is running, waiting for readiness delay of 7 seconds'; sleep 7; s=$(docker inspect --format '{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}' app-workers-2 2>/dev/null); fi; case $s in running|healthy) echo 'Container is healthy!'; break;; esac; n=$((n + 1)); left=$((end - $(date +%s))); if [ $left -le 0 ]; then echo "container not ready after 30 seconds ($s)" >&2; exit 1; fi; if [ $n -lt $left ]; then sleep $n; else sleep $left; fi; done
      ! container log
      ! container state
      ! container health
      ! stopping the new container
    == tag
    h1:
      audit: Tagging me/app:2 as the latest image
      docker tag me/app:2 me/app:latest
    h2:
      audit: Tagging me/app:2 as the latest image
      docker tag me/app:2 me/app:latest
    "#);
}

#[test]
fn items_139_and_248_the_same_version_again_steps_aside_first() {
    let world = world("servers: [h1]\nproxy: { host: example.com }\n");
    let seen = facts([("h1", proxied().and("web", "app-web-2", "running"))]);
    let stages = boot(&world.context("2"), &seen, &[]).unwrap();
    let done = commands(&stages, "h1");
    order(
        &done,
        &[
            "audit: [web] Renaming container 2 to 2_replaced_",
            "docker rename app-web-2 app-web-2_replaced_",
            "audit: [web] Booted app version 2",
            "docker run --detach --restart unless-stopped --name app-web-2 ",
            "kamal-proxy deploy app-web ",
            "docker stop app-web-2_replaced_",
            "docker tag me/app:2 me/app:latest",
        ],
    );
    // What is renamed is what is stopped.
    let renamed = done
        .iter()
        .find(|c| c.starts_with("docker rename"))
        .unwrap();
    let aside = renamed.rsplit(' ').next().unwrap();
    assert!(done.contains(&format!("docker stop {aside}")), "{done:#?}");
}

#[test]
fn leftovers_of_a_deploy_that_was_cut_off_are_stopped_after_the_switch_and_not_before() {
    let world = world("servers: [h1]\nproxy: { host: example.com }\n");
    // The new version was started, and perhaps switched to, when the deployer died.
    let seen = facts([(
        "h1",
        proxied()
            .and("web", "app-web-2", "running")
            .and("web", "app-web-1_replaced_00ff", "restarting")
            .and("web", "app-web-1", "running")
            .and("web", "app-web-0", "exited"),
    )]);
    let stages = boot(&world.context("2"), &seen, &[]).unwrap();
    let done = commands(&stages, "h1");
    order(
        &done,
        &[
            "docker rename",
            "docker run",
            "deploy app-web",
            "docker stop app-web-2_replaced_",
        ],
    );
    let stops: Vec<&String> = done
        .iter()
        .filter(|c| c.starts_with("docker stop"))
        .collect();
    assert_eq!(stops.len(), 1);
    assert!(
        stops[0].ends_with(" app-web-1_replaced_00ff app-web-1"),
        "{stops:?}"
    );
}

#[test]
fn item_249_nothing_after_the_switch_can_fail() {
    let world = world(
        "servers: [h1]\nproxy: { host: example.com }\nasset_path: /app/public\nerror_pages_path: public\n",
    );
    let seen = facts([("h1", proxied().and("web", "app-web-1", "running"))]);
    let stages = boot(&world.context("2"), &seen, &[page("404.html")]).unwrap();
    let steps = &track(&stages, "h1", "web").steps;
    let switch = steps
        .iter()
        .position(|s| s.title.contains("switching"))
        .unwrap();
    let after = &steps[switch + 1..];
    assert_eq!(after.len(), 3);
    for step in after {
        assert_eq!(step.tolerate, Tolerate::Anything, "{}", step.title);
    }
    assert!(
        steps[..switch]
            .iter()
            .all(|s| s.tolerate == Tolerate::Nothing),
        "and everything before it counts"
    );
}

#[test]
fn items_161_164_and_165_assets_pages_and_certificates_are_everywhere_before_anything_boots() {
    let world = world(
        "servers:\n  web: [h1, h2]\n  workers: { hosts: [h1], cmd: work }\nasset_path: /app/public\nerror_pages_path: public\nproxy: { host: example.com, ssl: { certificate_pem: CERT, private_key_pem: KEY } }\n",
    );
    let seen = facts([
        ("h1", proxied().and("web", "app-web-1", "running")),
        ("h2", proxied()),
    ]);
    let pages = [page("404.html"), page("503.html")];
    let stages = boot(&world.context("2"), &seen, &pages).unwrap();
    assert_eq!(names(&stages), ["assets", "boot", "tag"]);
    insta::assert_snapshot!(shown(&stages[..1]), @r#"
    == assets
    h1:
      mkdir -p .kamal/proxy/apps-config/app/error_pages/2
      upload .kamal/proxy/apps-config/app/error_pages/2/404.html 0644
      upload .kamal/proxy/apps-config/app/error_pages/2/503.html 0644
      mkdir -p .kamal/apps/app/assets/extracted/web-2 && docker container rm app-web-assets 2> /dev/null || true && docker container create --name app-web-assets me/app:2 && docker container cp -L app-web-assets:/app/public/. .kamal/apps/app/assets/extracted/web-2 && docker container rm app-web-assets
      mkdir -p .kamal/apps/app/assets/volumes/web-2 ; cp -rnT .kamal/apps/app/assets/extracted/web-2 .kamal/apps/app/assets/volumes/web-2 ; cp -rnT .kamal/apps/app/assets/extracted/web-2 .kamal/apps/app/assets/volumes/web-1 || true ; cp -rnT .kamal/apps/app/assets/extracted/web-1 .kamal/apps/app/assets/volumes/web-2 || true  (may fail: not replacing)
      mkdir -p .kamal/proxy/apps-config/app/tls/web
      upload .kamal/proxy/apps-config/app/tls/web/cert.pem 0644
      upload .kamal/proxy/apps-config/app/tls/web/key.pem 0644
    h2:
      mkdir -p .kamal/proxy/apps-config/app/error_pages/2
      upload .kamal/proxy/apps-config/app/error_pages/2/404.html 0644
      upload .kamal/proxy/apps-config/app/error_pages/2/503.html 0644
      mkdir -p .kamal/apps/app/assets/extracted/web-2 && docker container rm app-web-assets 2> /dev/null || true && docker container create --name app-web-assets me/app:2 && docker container cp -L app-web-assets:/app/public/. .kamal/apps/app/assets/extracted/web-2 && docker container rm app-web-assets
      mkdir -p .kamal/apps/app/assets/volumes/web-2 ; cp -rnT .kamal/apps/app/assets/extracted/web-2 .kamal/apps/app/assets/volumes/web-2  (may fail: not replacing)
      mkdir -p .kamal/proxy/apps-config/app/tls/web
      upload .kamal/proxy/apps-config/app/tls/web/cert.pem 0644
      upload .kamal/proxy/apps-config/app/tls/web/key.pem 0644
    "#);
    let booted = commands(&stages, "h1").join("\n");
    assert!(booted.contains("--volume $PWD/.kamal/apps/app/assets/volumes/web-2:/app/public"));
    assert!(booted.contains("--error-pages=\"/home/kamal-proxy/.apps-config/app/error_pages/2\""));
}

#[test]
fn item_163_no_assets_without_proxy() {
    let world = world("servers:\n  web: { hosts: [h1], proxy: false }\nasset_path: /app/public\n");
    let stages = boot(&world.context("2"), &facts([]), &[]).unwrap();
    assert_eq!(names(&stages), ["boot", "tag"]);
}

#[test]
fn items_145_148_and_141_what_the_proxy_is_told_and_how_long_a_stop_may_take() {
    let world = world(
        "servers:\n  web: { hosts: [h1], stop_timeout: 55 }\n  jobs: { hosts: [h1], cmd: work }\nproxy: { hosts: [a.example.com, b.example.com], app_port: 3000 }\ndrain_timeout: 9\n",
    );
    let seen = facts([(
        "h1",
        proxied()
            .and("web", "app-web-1", "running")
            .and("jobs", "app-jobs-1", "running"),
    )]);
    let stages = boot(&world.context("2"), &seen, &[]).unwrap();
    let done = commands(&stages, "h1");
    order(
        &done,
        &[
            "dhow_id=docker run",
            "kamal-proxy deploy app-web --target=\"$(printf %.12s \"$dhow_id\"):3000\" --host=\"a.example.com\" --host=\"b.example.com\" --deploy-timeout=\"30s\" --drain-timeout=\"9s\"",
            "docker stop -t 55 app-web-1",
            "docker stop -t 9 app-jobs-1",
        ],
    );
}

#[test]
fn items_149_to_151_a_role_without_proxy_is_awaited_on_its_host() {
    let world = world(
        "servers:\n  web: { hosts: [h1], proxy: false }\nreadiness_delay: 3\ndeploy_timeout: 12\n",
    );
    let stages = boot(&world.context("2"), &facts([]), &[]).unwrap();
    let done = commands(&stages, "h1");
    let ready = done.iter().find(|c| c.contains("while :")).unwrap();
    for part in [
        "end=$(($(date +%s) + 12))",
        "{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}",
        "[ \"$s\" = running ] && [ 3 -gt 0 ]",
        "waiting for readiness delay of 3 seconds",
        "running|healthy) echo 'Container is healthy!'",
        "container not ready after 12 seconds ($s)",
    ] {
        assert!(ready.contains(part), "{part} in {ready}");
    }
    assert!(!done.iter().any(|c| c.contains("kamal-proxy deploy")));
}

#[test]
fn items_152_to_154_who_opens_the_gate_and_who_waits_at_it() {
    let gates = |stages: &[Stage]| -> Vec<String> {
        shown(stages)
            .lines()
            .filter(|line| line.starts_with('h'))
            .map(str::to_owned)
            .collect()
    };
    let world = two_roles();
    let all = boot(&world.context("2"), &facts([]), &[]).unwrap();
    assert_eq!(
        gates(&all)[..4],
        [
            "h1 web, opens web:",
            "h1 workers, waits for web:",
            "h2 web, opens web:",
            "h2 workers, waits for web:",
        ]
    );
    let workers = boot(&world.with_roles("workers", "2"), &facts([]), &[]).unwrap();
    assert_eq!(
        gates(&workers)[..2],
        ["h1 workers, opens workers:", "h2 workers, opens workers:"]
    );
    let unproxied = super::support::world(
        "servers:\n  web: { hosts: [h1], proxy: false }\n  jobs: { hosts: [h2], cmd: work }\n",
    );
    let stages = boot(&unproxied.context("2"), &facts([]), &[]).unwrap();
    assert_eq!(
        gates(&stages)[..2],
        ["h1 web, opens web:", "h2 jobs, waits for web:"]
    );
}

#[test]
fn items_157_and_158_groups_hooks_around_each_and_waiting() {
    let world = world(
        "servers:\n  web: [h1, h2, h3]\n  jobs: { hosts: [h3], cmd: work }\nboot: { limit: 2, wait: 10, parallel_roles: true }\naccessories: { db: { image: 'mysql:8', host: h9 } }\n",
    )
    .with_hooks(&["pre-app-boot", "post-app-boot"]);
    let stages = boot(&world.context("2"), &facts([]), &[]).unwrap();
    let outline: Vec<String> = shown(&stages)
        .lines()
        .filter(|line| !line.starts_with("  ") || line.contains("hook") || line.contains("wait"))
        .filter(|line| !line.contains("while :"))
        .map(str::to_owned)
        .collect();
    insta::assert_snapshot!(outline.join("\n"), @r#"
    == hook pre-app-boot
      hook pre-app-boot for h3,h1
    == boot
    h3 web, opens web, beside its neighbours:
    h3 jobs, waits for web, beside its neighbours:
    h1 web, opens web, beside its neighbours:
    == hook post-app-boot
      hook post-app-boot for h3,h1
    == wait
      wait 10 s
    == hook pre-app-boot
      hook pre-app-boot for h2
    == boot
    h2 web, beside its neighbours:
    == hook post-app-boot
      hook post-app-boot for h2
    == wait
      wait 10 s
    == tag
    h3:
    h1:
    h2:
    "#);
}

#[test]
fn item_158_percent_is_of_all_hosts_and_at_least_one() {
    let groups = |limit: &str| {
        let world = world(&format!(
            "servers: [h1, h2, h3]\nboot: {{ limit: {limit} }}\naccessories: {{ db: {{ image: 'mysql:8', host: h9 }} }}\n"
        ));
        let stages = boot(&world.context("2"), &facts([]), &[]).unwrap();
        names(&stages)
            .iter()
            .filter(|name| **name == "boot")
            .count()
    };
    // Half of four hosts are two; the accessory's host counts.
    assert_eq!(groups("50%"), 2);
    assert_eq!(groups("1%"), 3);
    assert_eq!(groups("1"), 3);
    assert_eq!(groups("100"), 1);
}

#[test]
fn item_159_the_tag_comes_when_every_group_has_booted() {
    let world = world("servers: [h1, h2]\nboot: { limit: 1 }\n");
    let stages = boot(&world.context("2"), &facts([]), &[]).unwrap();
    assert_eq!(names(&stages), ["boot", "boot", "tag"]);
    let last = shown(&stages[2..]);
    insta::assert_snapshot!(last, @r#"
    == tag
    h1:
      audit: Tagging me/app:2 as the latest image
      docker tag me/app:2 me/app:latest
    h2:
      audit: Tagging me/app:2 as the latest image
      docker tag me/app:2 me/app:latest
    "#);
}

#[test]
fn item_160_the_latest_tag_is_a_version_like_any_other() {
    let world = world("servers: [h1]\n");
    let version = world.config.latest_tag();
    let stages = boot(&world.context(&version), &facts([]), &[]).unwrap();
    let done = commands(&stages, "h1").join("\n");
    assert!(done.contains("--name app-web-latest "), "{done}");
    assert!(done.contains(" me/app:latest"), "{done}");
}

#[test]
fn items_123_133_and_134_the_version_is_everywhere_and_so_is_the_destination() {
    let text = "service: app\nimage: me/app\nregistry: { username: me, password: [PASSWORD] }\nbuilder: { arch: amd64 }\nservers:\n  web: { hosts: [h1], options: { restart: always, memory: 1g } }\nenv: { clear: { A: b }, secret: [TOKEN] }\n";
    let world = World::of(text, Some("stg"));
    let stages = boot(&world.context("v9"), &facts([("h1", empty())]), &[]).unwrap();
    insta::assert_snapshot!(shown(&stages), @r#"
    == boot
    h1 web, opens web:
      audit: [stg] [web] Booted app version v9
      mkdir -p .kamal/apps/app-stg/env/roles
      upload .kamal/apps/app-stg/env/roles/web.env 0600
      dhow_id=docker run --detach --restart always --name app-web-stg-v9 --network kamal --hostname h1-910a2dec8902 --env KAMAL_CONTAINER_NAME="app-web-stg-v9" --env KAMAL_VERSION="v9" --env KAMAL_HOST="h1" --env KAMAL_DESTINATION="stg" --env A="b" --env-file .kamal/apps/app-stg/env/roles/web.env --log-opt max-size="10m" --label service="app" --label role="web" --label destination="stg" --memory "1g" me/app:v9
      docker exec kamal-proxy kamal-proxy deploy app-web-stg --target="$(printf %.12s "$dhow_id"):80" --deploy-timeout="30s" --drain-timeout="30s" --buffer-requests --buffer-responses --log-request-header="Cache-Control" --log-request-header="Last-Modified" --log-request-header="User-Agent"
      ! container log
      ! container state
      ! container health
      ! stopping the new container
    == tag
    h1:
      audit: [stg] Tagging me/app:v9 as the latest image
      docker tag me/app:v9 me/app:latest-stg
    "#);
}

#[test]
fn a_container_of_another_destination_is_left_alone() {
    let world = world("servers: [h1]\n");
    let mut seen = proxied().and("web", "app-web-stg-1", "running");
    seen.containers[0].destination = "stg".to_owned();
    let stages = boot(&world.context("2"), &facts([("h1", seen)]), &[]).unwrap();
    let done = commands(&stages, "h1").join("\n");
    assert!(!done.contains("docker stop"), "{done}");
}

#[test]
fn a_secret_that_was_not_looked_up_is_no_plan() {
    let world = world("servers: [h1]\nenv: { secret: [NOBODY] }\n");
    let error = boot(&world.context("2"), &facts([]), &[]).unwrap_err();
    assert_eq!(error.to_string(), "Secret 'NOBODY' not found");
}

#[test]
fn stages_on_hosts_are_the_only_ones_without_hooks() {
    let stages = boot(&two_roles().context("2"), &facts([]), &[]).unwrap();
    assert!(
        stages
            .iter()
            .all(|stage| matches!(stage.work, Work::Hosts { .. }))
    );
}
