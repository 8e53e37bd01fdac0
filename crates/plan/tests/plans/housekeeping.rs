//! Looks, pruning, the registry, the hosts themselves, `remove` and `upgrade`.

use dhow_plan::verbs::registry::{self, Sides};
use dhow_plan::verbs::upgrade::{self, UpgradeOptions};
use dhow_plan::verbs::{details, prune, remove, server};
use dhow_plan::{PlanError, Stage};

use super::support::{Found, World, commands, empty, facts, names, proxied, shown, world};

#[test]
fn item_221_details_shows_proxy_app_and_accessories() {
    let world = world("servers: [h1]\naccessories: { db: { image: 'mysql:8', host: h2 } }\n");
    insta::assert_snapshot!(shown(&details::details(&world.context("2"))), @r#"
    == details
    h1:
      docker ps --filter 'name=^kamal-proxy$' && { { read -r id image content <.kamal/proxy/in_place; } 2>/dev/null && [ "$(docker ps --quiet --no-trunc --filter 'name=^kamal-proxy$')" = "$id" ] && echo "The program in it is now that of $image, content $content"; true; }  => "Proxy Host"
    == details
    h1 web, beside its neighbours:
      docker ps --filter label=service=app --filter label=destination= --filter label=role=web  => "App Host"
    == details
    h2:
      docker ps --filter label=service=app-db  => "Accessory db Host"
    "#);
}

#[test]
fn item_79_audit_on_every_host() {
    let world = world("servers: [h1]\naccessories: { db: { image: 'mysql:8', host: h2 } }\n");
    let stages = details::audit(&world.context("2"));
    for host in ["h1", "h2"] {
        assert_eq!(commands(&stages, host), ["tail -n 50 .kamal/app-audit.log"]);
    }
}

#[test]
fn item_213_prune_keeps_as_many_as_it_is_told() {
    let world = world("servers: [h1]\nretain_containers: 3\n");
    let context = world.context("2");
    let all = commands(&prune::all(&context).unwrap(), "h1");
    assert_eq!(
        (all[0].as_str(), all[2].as_str()),
        ("audit: Pruned containers", "audit: Pruned images")
    );
    assert!(all[1].contains("tail -n +4"), "{all:?}");
    let told = commands(&prune::containers(&context, Some(1)).unwrap(), "h1");
    assert!(told[1].contains("tail -n +2"), "{told:?}");
    for bad in [0, -1] {
        let error = prune::containers(&context, Some(bad)).unwrap_err();
        assert_eq!(error, PlanError::Retain);
        assert_eq!(error.to_string(), "retain must be at least 1");
    }
    assert_eq!(commands(&prune::images(&context), "h1").len(), 3);
}

#[test]
fn items_211_and_212_sides_of_a_registry() {
    let remote = world("servers: [h1, h2]\n");
    let context = remote.context("2");
    let sides = |skip_local, skip_remote| Sides {
        skip_local,
        skip_remote,
    };
    insta::assert_snapshot!(shown(&registry::login(&context, sides(false, false)).unwrap()), @r#"
    == registry
      here: docker login -u [REDACTED] --password-stdin
    == registry
    h1:
      docker login -u "me" --password-stdin <<
    h2:
      docker login -u "me" --password-stdin <<
    "#);
    assert_eq!(
        shown(&registry::setup(&context, sides(false, true)).unwrap()),
        "== registry\n  here: docker login -u [REDACTED] --password-stdin\n"
    );
    assert_eq!(
        shown(&registry::remove(&context, sides(true, false))),
        "== registry\nh1:\n  docker logout\nh2:\n  docker logout\n"
    );
    assert!(registry::logout(&context, sides(true, true)).is_empty());

    let text = "service: app\nservers: [h1]\nbuilder: { arch: amd64 }\nregistry: { server: 'localhost:5000' }\n";
    let local = World::of(text, None);
    let context = local.context("2");
    assert_eq!(
        shown(&registry::setup(&context, sides(false, false)).unwrap()),
        "== registry\n  here: docker start kamal-docker-registry || docker run --detach -p 127.0.0.1:5000:5000 --name kamal-docker-registry registry:3\n"
    );
    assert_eq!(
        shown(&registry::remove(&context, sides(false, false))),
        "== registry\n  here: docker stop kamal-docker-registry && docker rm kamal-docker-registry\n"
    );
    assert!(registry::remove(&context, sides(true, false)).is_empty());
    assert!(
        registry::setup(&context, sides(true, false))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn item_215_remove_is_app_proxy_accessories_registry() {
    let world = world("servers: [h1]\naccessories: { db: { image: 'mysql:8', host: h2 } }\n");
    let context = world.context("2");
    let seen = facts([("h1", proxied().and("web", "app-web-1", "running"))]);
    let order = |stages: &[Stage]| -> Vec<String> {
        shown(stages)
            .lines()
            .filter(|line| !line.starts_with("==") && !line.contains("audit:"))
            .map(|line| line.trim().chars().take(44).collect())
            .collect()
    };
    insta::assert_snapshot!(order(&remove::remove(&context, &seen, false)).join("\n"), @r#"
    h1 web:
    docker exec kamal-proxy kamal-proxy remove a
    docker stop app-web-1
    h1 web, beside its neighbours:
    docker container prune --force --filter labe
    h1:
    docker image prune --all --force --filter la
    h1:
    rm -r .kamal/apps/app  (may fail)
    rm -r .kamal/proxy/apps-config/app  (may fai
    h1:
    docker container stop kamal-proxy  (may fail
    h1:
    docker container prune --force --filter labe
    h1:
    docker image prune --all --force --filter la
    h1:
    rm -r .kamal/proxy  (may fail)
    h2:
    docker container stop app-db  (may fail)
    h2:
    docker container prune --force --filter labe
    h2:
    docker image rm --force mysql:8
    h2:
    rm -rf app-db
    h1:
    docker logout
    h2:
    docker logout
    "#);
    let shared = shown(&remove::remove(&context, &seen, true));
    assert!(
        !shared.contains("docker container stop kamal-proxy"),
        "{shared}"
    );
    assert!(shared.contains("docker container stop app-db"), "{shared}");
}

#[test]
fn items_208_and_209_bootstrap_looks_and_installs_only_where_docker_is_missing() {
    let world = world("servers: [h1]\n");
    let stages = server::bootstrap(&world.context("2"));
    let program = &commands(&stages, "h1")[0];
    // What it does, in a shell whose docker, sudo and shell are told what to answer.
    let run = |docker: i32, sudo: i32| {
        let text = format!(
            "docker() {{ echo docker >&3; return {docker}; }}; sudo() {{ echo \"sudo $*\" >&3; return {sudo}; }}; sh() {{ echo install >&3; }}; [() {{ return 1; }}; id() {{ echo users; }}\n{program}"
        );
        let ended = std::process::Command::new("bash")
            .args(["-c", &format!("exec 3>&2 2>/dev/null; {text}")])
            .output()
            .unwrap();
        let asked = String::from_utf8(ended.stderr).unwrap();
        (
            ended.status.code().unwrap(),
            asked
                .split_whitespace()
                .next_back()
                .unwrap_or("")
                .to_owned(),
            asked,
        )
    };
    let (code, _, asked) = run(0, 1);
    assert_eq!((code, asked.contains("install")), (0, false), "{asked}");
    let (code, _, asked) = run(127, 1);
    assert_eq!(
        (code, asked.contains("install")),
        (server::CANNOT_INSTALL, false),
        "{asked}"
    );
    let (code, _, asked) = run(127, 0);
    assert!(code == 0 && asked.contains("install"), "{code} {asked}");
    assert!(asked.contains("sudo -n usermod -aG docker"), "{asked}");
}

#[test]
fn item_210_server_exec_sends_the_command_as_it_is() {
    let world = world("servers: [h1]\n");
    let stages = server::exec(&world.context("2"), "ls -l | wc -l");
    assert_eq!(
        shown(&stages),
        "== exec\nh1:\n  audit: Executed cmd 'ls -l | wc -l' on h1\n  ls -l | wc -l  => \"App Host\"\n"
    );
}

fn options(rolling: bool) -> UpgradeOptions<'static> {
    UpgradeOptions {
        rolling,
        pages: &[],
        archive: None,
        accessories: &[],
    }
}

#[test]
fn item_193_proxy_upgrade_clears_traefik_then_boots_proxy_and_app() {
    let world = world("servers: [h1]\nproxy: { host: example.com }\n")
        .with_hooks(&["pre-proxy-reboot", "post-proxy-reboot"]);
    let version = world.config.latest_tag();
    let seen = facts([("h1", empty().and("web", "app-web-1", "running"))]);
    let stages = upgrade::proxy(&world.context(&version), &seen, options(false)).unwrap();
    assert_eq!(
        names(&stages),
        [
            "upgrade",
            "hook pre-proxy-reboot",
            "clear",
            "proxy",
            "boot",
            "tag",
            "prune",
            "hook post-proxy-reboot",
            "upgrade",
        ]
    );
    insta::assert_snapshot!(shown(&stages[..4]), @r#"
    == upgrade: "Upgrading proxy on h1..."
    == hook pre-proxy-reboot
      hook pre-proxy-reboot for h1
    == clear
    h1:
      audit: Rebooted proxy
      docker container stop traefik ; docker container prune --force --filter label=org.opencontainers.image.title=Traefik && docker image prune --all --force --filter label=org.opencontainers.image.title=Traefik
      docker container stop kamal-proxy  (may fail)
      docker container prune --force --filter label=org.opencontainers.image.title=kamal-proxy
      docker image prune --all --force --filter label=org.opencontainers.image.title=kamal-proxy
    == proxy
    h1:
      mkdir -p .kamal/proxy/apps-config
      echo $(cat .kamal/proxy/options 2> /dev/null || echo "--publish 80:80 --publish 443:443 --log-opt max-size=10m") $(cat .kamal/proxy/image 2> /dev/null || { test -e .kamal/proxy/image_version && echo "basecamp/kamal-proxy"; } || echo "dhow/kamal-proxy"):$(cat .kamal/proxy/image_version 2> /dev/null || { test -e .kamal/proxy/image && echo "v0.9.2"; } || echo "v0.9.2.1") $(cat .kamal/proxy/run_command 2> /dev/null || echo "") | xargs docker run --name kamal-proxy --network kamal --detach --restart unless-stopped --volume kamal-proxy-config:/home/kamal-proxy/.config/kamal-proxy --volume $PWD/.kamal/proxy/apps-config:/home/kamal-proxy/.apps-config || { dhow_r=$?; docker ps --all --quiet --filter 'name=^kamal-proxy$' --filter status=created | xargs -r docker container rm >/dev/null; exit $dhow_r; }
    "#);
}

#[test]
fn a_proxy_that_upgrade_removes_is_not_taken_for_one_that_runs() {
    let own = dhow_plan::verbs::proxy::dhow_image();
    let world = world("servers: [h1]\n");
    let seen = facts([("h1", proxied().image(&[&own], Some("abc")))]);
    let archive = dhow_plan::verbs::proxy::ProxyArchive {
        content: b"archive".as_slice().into(),
        label: "abc".to_owned(),
    };
    let options = UpgradeOptions {
        archive: Some(&archive),
        ..options(false)
    };
    let stages = upgrade::proxy(&world.context("latest"), &seen, options).unwrap();
    let done = commands(&stages, "h1");
    let at = |text: &str| done.iter().position(|c| c.contains(text)).unwrap();
    assert!(at("docker image prune --all") < at("docker load"));
    assert!(at("docker load") < at("docker run --name kamal-proxy"));
}

#[test]
fn item_216_upgrade_of_all_hosts_together_and_one_by_one() {
    let world =
        world("servers:\n  web: [h1, h2]\naccessories: { db: { image: 'mysql:8', host: h3 } }\n");
    let db = world.config.accessory("db").unwrap();
    let accessories = [(db, Vec::new())];
    let seen = facts([("h1", proxied()), ("h2", proxied()), ("h3", empty())]);
    let context = world.context("latest");
    let says = |rolling| -> String {
        let options = UpgradeOptions {
            accessories: &accessories,
            ..options(rolling)
        };
        let stages = upgrade::all(&context, &seen, options).unwrap();
        let says: Vec<String> = stages.into_iter().filter_map(|stage| stage.say).collect();
        says.join("\n")
    };
    insta::assert_snapshot!(says(false), @r#"
    Upgrading all hosts...
    Upgrading proxy on h1,h2,h3...
    Upgraded proxy on h1,h2,h3
    Upgrading all accessories on h3...
    Upgraded all accessories on h3...
    Upgraded all hosts
    "#);
    insta::assert_snapshot!(says(true), @r#"
    Upgrading h1...
    Upgrading proxy on h1...
    Upgraded proxy on h1
    Upgraded h1
    Upgrading h2...
    Upgrading proxy on h2...
    Upgraded proxy on h2
    Upgraded h2
    Upgrading h3...
    Upgrading all accessories on h3...
    Upgraded all accessories on h3...
    Upgraded h3
    "#);
}
