//! `accessory …`: booted once, replaced when asked, removed with their data.

use dhow_commands::{Content, LogOptions};
use dhow_config::Accessory;
use dhow_plan::verbs::accessory::{self as plan, LocalFile};
use dhow_plan::verbs::upgrade;

use super::support::{World, commands, names, shown, world};

/// `db` on h2 and h3 with everything; `cache` on h1 behind the proxy.
fn fleet() -> World {
    world(
        "servers: [h1]\naccessories:\n  db:\n    image: r.example.com/mysql:8\n    hosts: [h2, h3]\n    port: 3306\n    env: { clear: { A: b }, secret: [DB_PASSWORD] }\n    files: [ 'my.cnf:/etc/my.cnf', { local: key, remote: /etc/key, mode: '0600', owner: 'mysql' } ]\n    directories: [ 'data:/var/lib/mysql', { local: /srv/log, remote: /var/log, mode: '0750' } ]\n  cache: { image: 'redis:7', host: h1, proxy: { host: cache.example.com, app_port: 6379 } }\n",
    )
}

fn files() -> Vec<LocalFile> {
    let file = |mode, content: &[u8]| LocalFile {
        mode,
        content: Content::Public(content.to_vec()),
    };
    vec![file(0o644, b"[mysqld]\n"), file(0o600, b"secret")]
}

fn named<'w>(world: &'w World, name: &str) -> &'w Accessory {
    world.config.accessory(name).unwrap()
}

#[test]
fn items_194_and_196_to_198_boot_passes_over_hosts_with_a_container_but_not_over_their_files() {
    let world = fleet();
    let stages = plan::boot(&world.context("2"), named(&world, "db"), &files(), &["h3"]).unwrap();
    insta::assert_snapshot!(shown(&stages), @r#"
    == accessory: "Skipping booting `db` on h3, a container already exists"
    h2:
      docker network create kamal  (may fail: already exists)
      mkdir -p $PWD/app-db/data
      mkdir -p /srv/log
      chmod 0750 /srv/log
      mkdir -p app-db/etc
      upload app-db/etc/my.cnf 0644
      chmod 755 app-db/etc/my.cnf
      mkdir -p app-db/etc
      upload app-db/etc/key 0600
      chmod 0600 app-db/etc/key
      chown mysql app-db/etc/key
      dhow_auth=mktemp -d
      DOCKER_CONFIG="$dhow_auth" docker login -u "me" --password-stdin <<
      docker image inspect r.example.com/mysql:8 >/dev/null 2>&1 || DOCKER_CONFIG="$dhow_auth" docker pull r.example.com/mysql:8
      rm -rf "$dhow_auth"  (may fail)
      audit: Booted db accessory
      mkdir -p .kamal/apps/app/env/accessories
      upload .kamal/apps/app/env/accessories/db.env 0600
      docker run --name app-db --detach --restart unless-stopped --network kamal --log-opt max-size="10m" --publish 3306:3306 --env KAMAL_HOST="h2" --env A="b" --env-file .kamal/apps/app/env/accessories/db.env --volume $PWD/app-db/etc/my.cnf:/etc/my.cnf --volume $PWD/app-db/etc/key:/etc/key --volume $PWD/app-db/data:/var/lib/mysql --volume /srv/log:/var/log --label service="app-db" r.example.com/mysql:8 || { dhow_r=$?; docker ps --all --quiet --filter 'name=^app-db$' --filter status=created | xargs -r docker container rm >/dev/null; exit $dhow_r; }
      ! forgetting the registry login
    h3:
      docker network create kamal  (may fail: already exists)
      mkdir -p $PWD/app-db/data
      mkdir -p /srv/log
      chmod 0750 /srv/log
      mkdir -p app-db/etc
      upload app-db/etc/my.cnf 0644
      chmod 755 app-db/etc/my.cnf
      mkdir -p app-db/etc
      upload app-db/etc/key 0600
      chmod 0600 app-db/etc/key
      chown mysql app-db/etc/key
    "#);
}

#[test]
fn item_194_hosts_are_named_in_order() {
    let world = fleet();
    let stages = plan::boot(
        &world.context("2"),
        named(&world, "db"),
        &files(),
        &["h3", "h2"],
    )
    .unwrap();
    assert_eq!(
        stages[0].say.as_deref(),
        Some("Skipping booting `db` on h2, h3, a container already exists")
    );
    assert!(!shown(&stages).contains("docker run"));
}

/// parity: commands 202
#[test]
fn an_accessory_behind_the_proxy_is_told_to_it_even_by_a_boot_that_finds_it_there() {
    let world = fleet();
    let cache = named(&world, "cache");
    let context = world.context("2");
    let fresh = commands(&plan::boot(&context, cache, &[], &[]).unwrap(), "h1");
    let told = "docker exec kamal-proxy kamal-proxy deploy app-cache --target=\"$dhow_accessory:6379\" --host=\"cache.example.com\"";
    assert!(fresh.last().unwrap().starts_with(told), "{fresh:?}");
    let again = commands(&plan::boot(&context, cache, &[], &["h1"]).unwrap(), "h1");
    // One that was stopped on purpose has no id, and stays out.
    assert!(
        again
            .last()
            .unwrap()
            .starts_with(&format!("[ -z \"$dhow_accessory\" ] || {told}")),
        "{again:?}"
    );
}

#[test]
fn item_199_an_own_registry_is_logged_in_to() {
    let world = world(
        "servers: [h1]\naccessories:\n  db: { image: 'ops/db:1', host: h1, registry: { server: r.example.com, username: ops, password: [DB_PASSWORD] } }\n",
    );
    let stages = plan::boot(&world.context("2"), named(&world, "db"), &[], &[]).unwrap();
    let done = commands(&stages, "h1");
    assert!(
        done.iter()
            .any(|c| c.contains("docker login r.example.com -u \"ops\" --password-stdin <<")),
        "{done:#?}"
    );
    assert!(
        done.iter()
            .any(|c| c.contains("docker run") && c.contains(" r.example.com/ops/db:1")),
        "{done:#?}"
    );
}

#[test]
fn item_201_reboot_prepares_and_pulls_before_it_replaces_in_one_go() {
    let world = fleet();
    let stages = plan::reboot(&world.context("2"), named(&world, "cache"), &[]).unwrap();
    insta::assert_snapshot!(shown(&stages), @r#"
    == pull
    h1:
      docker network create kamal  (may fail: already exists)
      mkdir -p .kamal/apps/app/env/accessories
      upload .kamal/apps/app/env/accessories/cache.env 0600
      dhow_auth=mktemp -d
      DOCKER_CONFIG="$dhow_auth" docker login -u "me" --password-stdin <<
      audit: Pull cache accessory image
      DOCKER_CONFIG="$dhow_auth" docker image pull redis:7
      rm -rf "$dhow_auth"  (may fail)
      ! forgetting the registry login
    == accessory
    h1:
      audit: Stopped cache accessory
      audit: Remove cache accessory container
      audit: Booted cache accessory
      dhow_old=; if docker container stop app-cache >/dev/null 2>&1; then docker container rm --force app-cache_replaced >/dev/null 2>&1; docker rename app-cache app-cache_replaced && dhow_old=app-cache_replaced; fi; if docker run --name app-cache --detach --restart unless-stopped --network kamal --log-opt max-size="10m" --env KAMAL_HOST="h1" --env-file .kamal/apps/app/env/accessories/cache.env --label service="app-cache" redis:7; then [ -z "$dhow_old" ] || docker container rm "$dhow_old" >/dev/null; else dhow_r=$?; if [ -n "$dhow_old" ]; then docker container rm --force app-cache >/dev/null 2>&1; docker rename app-cache_replaced app-cache && docker container start app-cache >/dev/null && echo 'the old container runs again' >&2; fi; exit $dhow_r; fi
      dhow_accessory=docker container ls --filter 'name=^app-cache$' --quiet
      docker exec kamal-proxy kamal-proxy deploy app-cache --target="$dhow_accessory:6379" --host="cache.example.com" --deploy-timeout="30s" --drain-timeout="30s" --buffer-requests --buffer-responses --log-request-header="Cache-Control" --log-request-header="Last-Modified" --log-request-header="User-Agent"
    "#);
}

/// parity: commands 202
#[test]
fn items_203_and_204_start_stop_remove_details() {
    let world = fleet();
    let context = world.context("2");
    let cache = named(&world, "cache");
    let mut stages = plan::start(&context, cache);
    stages.extend(plan::remove(&context, cache));
    stages.extend(plan::details(&context, cache));
    insta::assert_snapshot!(shown(&stages), @r#"
    == start
    h1:
      audit: Started cache accessory
      docker container start app-cache
      dhow_accessory=docker container ls --filter 'name=^app-cache$' --quiet
      docker exec kamal-proxy kamal-proxy deploy app-cache --target="$dhow_accessory:6379" --host="cache.example.com" --deploy-timeout="30s" --drain-timeout="30s" --buffer-requests --buffer-responses --log-request-header="Cache-Control" --log-request-header="Last-Modified" --log-request-header="User-Agent"
    == stop
    h1:
      audit: Stopped cache accessory
      docker container stop app-cache  (may fail)
      docker exec kamal-proxy kamal-proxy remove app-cache  (may fail)
    == remove
    h1:
      audit: Remove cache accessory container
      docker container prune --force --filter label=service=app-cache
    == remove
    h1:
      audit: Removed cache accessory image
      docker image rm --force redis:7
    == remove
    h1:
      rm -rf app-cache
    == details
    h1:
      docker ps --filter label=service=app-cache  => "Accessory cache Host"
    "#);
    let mut parts = plan::stop(&context, cache);
    parts.extend(plan::start(&context, cache));
    assert_eq!(shown(&plan::restart(&context, cache)), shown(&parts));
}

#[test]
fn item_205_logs_fail_where_nothing_matches() {
    let world = fleet();
    let options = LogOptions {
        timestamps: true,
        since: None,
        lines: Some(100),
        grep: Some("needle"),
        grep_options: None,
    };
    let stages = plan::logs(&world.context("2"), named(&world, "cache"), &options);
    let shown = shown(&stages);
    // No step of it may fail, and the pipe ends with grep's own status.
    assert!(
        shown.ends_with(
            "docker logs app-cache  --tail 100 --timestamps 2>&1 | grep 'needle'  => \"\"\n"
        ),
        "{shown}"
    );
}

#[test]
fn item_204_exec_in_a_new_container_and_in_the_running_one() {
    let world = fleet();
    let context = world.context("2");
    let db = named(&world, "db");
    let mut stages = plan::exec(&context, db, "mysql -e 'select 1'", false).unwrap();
    stages.extend(plan::exec(&context, db, "id", true).unwrap());
    let done = commands(&stages, "h2");
    insta::assert_snapshot!(done.join("\n"), @r#"
    dhow_auth=mktemp -d
    DOCKER_CONFIG="$dhow_auth" docker login -u "me" --password-stdin <<
    docker image inspect r.example.com/mysql:8 >/dev/null 2>&1 || DOCKER_CONFIG="$dhow_auth" docker pull r.example.com/mysql:8
    rm -rf "$dhow_auth"
    mkdir -p .kamal/apps/app/env/accessories
    upload .kamal/apps/app/env/accessories/db.env 0600
    audit: Executed cmd 'mysql -e 'select 1'' on db accessory
    docker run --rm --network kamal --env A="b" --env-file .kamal/apps/app/env/accessories/db.env --volume $PWD/app-db/etc/my.cnf:/etc/my.cnf --volume $PWD/app-db/etc/key:/etc/key --volume $PWD/app-db/data:/var/lib/mysql --volume /srv/log:/var/log r.example.com/mysql:8 mysql -e 'select 1'
    audit: Executed cmd 'id' on db accessory
    docker exec app-db id
    "#);
}

#[test]
fn the_hidden_parts_alone() {
    let world = fleet();
    let context = world.context("2");
    let db = named(&world, "db");
    let count = |stages: &[dhow_plan::Stage]| commands(stages, "h3").len();
    assert_eq!(count(&plan::directories(&context, db)), 3);
    assert_eq!(count(&plan::upload(&context, db, &files())), 7);
    assert_eq!(count(&plan::remove_container(&context, db)), 2);
    assert_eq!(count(&plan::remove_image(&context, db)), 2);
    assert_eq!(
        commands(&plan::remove_directory(&context, db), "h2"),
        ["rm -rf app-db"]
    );
    assert_eq!(plan::secret_names(db), ["DB_PASSWORD"]);
}

#[test]
fn item_207_upgrade_tells_each_group() {
    let world = fleet();
    let all: Vec<(&Accessory, Vec<LocalFile>)> = vec![
        (named(&world, "db"), files()),
        (named(&world, "cache"), Vec::new()),
    ];
    let context = world.context("2");
    let says = |rolling| -> Vec<String> {
        let stages = upgrade::accessory(&context, "all", &all, rolling).unwrap();
        stages.into_iter().filter_map(|stage| stage.say).collect()
    };
    assert_eq!(
        says(false),
        [
            "Upgrading all accessories on h1,h2,h3...",
            "Upgraded all accessories on h1,h2,h3...",
        ]
    );
    assert_eq!(
        says(true),
        [
            "Upgrading all accessories on h1...",
            "Upgraded all accessories on h1...",
            "Upgrading all accessories on h2...",
            "Upgraded all accessories on h2...",
            "Upgrading all accessories on h3...",
            "Upgraded all accessories on h3...",
        ]
    );
    let rolling = upgrade::accessory(&context, "db", &all[..1], true).unwrap();
    assert_eq!(
        names(&rolling),
        [
            "upgrade",
            "pull",
            "accessory",
            "upgrade",
            "upgrade",
            "pull",
            "accessory",
            "upgrade",
            "upgrade",
            "pull",
            "accessory",
            "upgrade",
        ]
    );
}
