//! `deploy` and `redeploy`: the whole story under the lock.

use dhow_plan::verbs::deploy::{DeployOptions, deploy, lacking_proxy, machines};
use dhow_plan::verbs::proxy::ProxyArchive;
use dhow_plan::{Facts, PlanError, Stage};

use super::support::{
    Found, World, commands, empty, facts, names, proxied, shown, two_roles, with_proxy, world,
};

fn options<'d>() -> DeployOptions<'d> {
    DeployOptions {
        redeploy: false,
        pull: true,
        accessories: &[],
        pages: &[],
        archive: None,
    }
}

fn stages(world: &World, seen: &Facts, options: DeployOptions<'_>) -> Vec<Stage> {
    deploy(&world.context("2"), seen, options).unwrap().stages
}

#[test]
fn item_69_a_plain_deploy_is_three_stages() {
    let world = world(
        "servers: [h1]\nproxy: { host: example.com }\nenv: { clear: { A: b }, secret: [TOKEN] }\n",
    );
    let seen = facts([("h1", proxied().and("web", "app-web-1", "running"))]);
    let stages = stages(&world, &seen, options());
    assert_eq!(names(&stages), ["pull", "boot", "finish"]);
    insta::assert_snapshot!(shown(&stages[..2]), @r#"
    == pull
    h1:
      dhow_auth=mktemp -d
      DOCKER_CONFIG="$dhow_auth" docker login -u "me" --password-stdin <<
      audit: Pulled image with version 2
      DOCKER_CONFIG="$dhow_auth" docker pull me/app:2
      rm -rf "$dhow_auth"  (may fail)
      docker inspect -f '{{ .Config.Labels.service }}' me/app:2 | grep -x app || (echo "Image me/app:2 is missing the 'service' label" && exit 1)
      ! forgetting the registry login
    == boot: "Ensure kamal-proxy is running...\nStart container with version 2 (or reboot if already running)..."
    h1 web, opens web:
      audit: [web] Booted app version 2
      mkdir -p .kamal/apps/app/env/roles
      upload .kamal/apps/app/env/roles/web.env 0600
      dhow_id=docker run --detach --restart unless-stopped --name app-web-2 --network kamal --hostname h1-910a2dec8902 --env KAMAL_CONTAINER_NAME="app-web-2" --env KAMAL_VERSION="2" --env KAMAL_HOST="h1" --env A="b" --env-file .kamal/apps/app/env/roles/web.env --log-opt max-size="10m" --label service="app" --label role="web" --label destination me/app:2
      docker exec kamal-proxy kamal-proxy deploy app-web --target="$(printf %.12s "$dhow_id"):80" --host="example.com" --deploy-timeout="30s" --drain-timeout="30s" --buffer-requests --buffer-responses --log-request-header="Cache-Control" --log-request-header="Last-Modified" --log-request-header="User-Agent"
      docker stop app-web-1  (may fail)
      ! container log
      ! container state
      ! container health
      ! stopping the new container
    "#);
    let last = commands(&stages[2..], "h1");
    assert_eq!(
        last[..3],
        [
            "audit: Tagging me/app:2 as the latest image",
            "docker tag me/app:2 me/app:latest",
            "audit: Pruned containers",
        ]
    );
    assert!(last.contains(&"audit: Pruned images".to_owned()));
}

#[test]
fn items_111_and_105_the_order_with_hooks_roles_and_an_accessory() {
    let world = world(
        "servers:\n  web: [h1, h2]\n  jobs: { hosts: [h2], cmd: work }\nproxy: { host: example.com }\naccessories: { db: { image: 'mysql:8', host: h3 } }\nboot: { limit: 1 }\n",
    )
    .with_hooks(&["pre-connect", "pre-deploy", "pre-app-boot", "post-app-boot", "post-deploy"]);
    let seen = facts([("h1", proxied()), ("h2", proxied()), ("h3", empty())]);
    let outline: Vec<String> = shown(&stages(&world, &seen, options()))
        .lines()
        .filter(|line| !line.starts_with("  ") || line.starts_with("  hook"))
        .map(str::to_owned)
        .collect();
    insta::assert_snapshot!(outline.join("\n"), @r#"
    == pull
    h2:
    h1:
    == hook pre-deploy
      hook pre-deploy for h2,h1,h3, told secrets
    == proxy: "Ensure kamal-proxy is running..."
    h3:
    == hook pre-app-boot: "Start container with version 2 (or reboot if already running)..."
      hook pre-app-boot for h2
    == boot
    h2 web, opens web:
    h2 jobs, waits for web:
    == hook post-app-boot
      hook post-app-boot for h2
    == hook pre-app-boot
      hook pre-app-boot for h1
    == boot
    h1 web:
    == hook post-app-boot
      hook post-app-boot for h1
    == finish: "Prune old containers and images..."
    h2:
    h1:
    h3:
    "#);
}

#[test]
fn item_114_redeploy_looks_at_no_proxy_and_prunes_nothing() {
    let world = two_roles();
    let seen = facts([("h1", empty()), ("h2", empty())]);
    let redeploy = DeployOptions {
        redeploy: true,
        ..options()
    };
    let shown = shown(&stages(&world, &seen, redeploy));
    for never in [
        "--name kamal-proxy",
        "container start kamal-proxy",
        "prune",
        "docker rmi",
    ] {
        assert!(!shown.contains(never), "{never} in {shown}");
    }
    assert!(shown.contains("docker tag me/app:2 me/app:latest"));
}

#[test]
fn item_112_the_phases_are_said() {
    let world = two_roles().with_hooks(&["pre-deploy"]);
    let seen = facts([("h1", empty()), ("h2", empty())]);
    let says: Vec<String> = stages(&world, &seen, options())
        .iter()
        .filter_map(|stage| stage.say.clone())
        .collect();
    assert_eq!(
        says,
        [
            "Ensure kamal-proxy is running...",
            "Start container with version 2 (or reboot if already running)...",
            "Prune old containers and images...",
        ]
    );
}

#[test]
fn items_126_and_127_mirrors_are_seeded_one_host_each() {
    let world = world("servers: [h1, h2, h3, h4]\n");
    let mirrored = |mirror: Option<&str>| {
        let mut seen = proxied();
        seen.mirror = mirror.map(str::to_owned);
        seen
    };
    let pulls = |seen: &Facts| -> Vec<String> {
        stages(&world, seen, options())
            .iter()
            .filter(|stage| shown(std::slice::from_ref(stage)).contains("docker pull"))
            .map(|stage| {
                let text = shown(std::slice::from_ref(stage));
                let hosts: Vec<&str> = text
                    .lines()
                    .filter(|line| line.starts_with('h'))
                    .map(|line| line.trim_end_matches(':'))
                    .collect();
                format!(
                    "{} {:?}",
                    hosts.join(" "),
                    stage.say.as_deref().unwrap_or("")
                )
            })
            .collect()
    };
    let two = facts([
        ("h1", mirrored(None)),
        ("h2", mirrored(Some("http://m1/"))),
        ("h3", mirrored(Some("http://m2/"))),
        ("h4", mirrored(Some("http://m1/"))),
    ]);
    assert_eq!(
        pulls(&two),
        [
            r#"h2 h3 "Pulling image on h2, h3 to seed the mirrors...""#,
            r#"h1 h4 "Pulling image on remaining hosts...""#,
        ]
    );
    let one = facts([
        ("h1", mirrored(Some("http://m1/"))),
        ("h2", mirrored(Some("http://m1/"))),
        ("h3", mirrored(Some("http://m1/"))),
        ("h4", mirrored(Some("http://m1/"))),
    ]);
    assert!(
        pulls(&one)[0].contains("Pulling image on h1 to seed the mirror..."),
        "{:?}",
        pulls(&one)
    );
    let none = facts([("h1", proxied()), ("h2", proxied())]);
    assert_eq!(pulls(&none).len(), 1);
}

#[test]
fn items_125_and_130_a_registry_here_is_not_asked_by_hosts() {
    let text = "service: app\nservers: [h1, h2]\nbuilder: { arch: amd64 }\nregistry: { server: 'localhost:5000' }\n";
    let world = World::of(text, None);
    let has = || proxied().image(&["localhost:5000/app:2"], None);
    let error = deploy(
        &world.context("2"),
        &facts([("h1", has()), ("h2", proxied())]),
        options(),
    )
    .unwrap_err();
    assert_eq!(
        error,
        PlanError::Undelivered {
            image: "localhost:5000/app:2".to_owned(),
            hosts: vec!["h2".to_owned()],
        }
    );
    let there = facts([("h1", has()), ("h2", has())]);
    let shown = shown(&stages(&world, &there, options()));
    assert!(
        !shown.contains("docker pull") && !shown.contains("docker login"),
        "{shown}"
    );
    assert!(shown.contains("docker run"), "{shown}");
}

#[test]
fn dhows_proxy_is_loaded_where_there_is_none_and_only_there() {
    let world = world("servers: [h1, h2, h3, h4]\nproxy: { host: example.com }\n");
    let own = dhow_plan::verbs::proxy::dhow_image();
    let seen = facts([
        ("h1", empty()),
        ("h2", proxied()),
        ("h3", empty().image(&[&own], Some("abc"))),
        ("h4", with_proxy(&own, false)),
    ]);
    let context = world.context("2");
    assert_eq!(lacking_proxy(&context, &seen), ["h1"]);
    assert_eq!(machines(&seen, &["h1", "h2"]), ["x86_64"]);
    let archive = ProxyArchive {
        content: b"archive".as_slice().into(),
        label: "abc".to_owned(),
    };
    let stages = stages(
        &world,
        &seen,
        DeployOptions {
            archive: Some(&archive),
            ..options()
        },
    );
    let about_proxy = |host| -> Vec<String> {
        commands(&stages, host)
            .into_iter()
            .filter(|c| {
                c.starts_with("docker load")
                    || (c.contains("kamal-proxy") && !c.contains(" deploy "))
            })
            .map(|c| c.chars().take(34).collect())
            .collect()
    };
    assert_eq!(
        about_proxy("h1"),
        [
            "docker load --quiet <7 bytes",
            "echo $(cat .kamal/proxy/options 2>"
        ]
    );
    assert_eq!(about_proxy("h2"), Vec::<String>::new());
    assert_eq!(about_proxy("h3"), ["echo $(cat .kamal/proxy/options 2>"]);
    assert_eq!(about_proxy("h4"), ["docker container start kamal-proxy"]);
}

#[test]
fn accessories_of_setup_come_after_the_proxy_and_before_the_app() {
    let world = world("servers: [h1]\naccessories: { db: { image: 'mysql:8', host: h1 } }\n");
    let db = world.config.accessory("db").unwrap();
    let accessories = dhow_plan::verbs::accessory::boot(&world.context("2"), db, &[], &[]).unwrap();
    let seen = facts([("h1", empty())]);
    let stages = stages(
        &world,
        &seen,
        DeployOptions {
            accessories: &accessories,
            ..options()
        },
    );
    assert_eq!(names(&stages), ["prepare", "accessory", "boot", "finish"]);
}

#[test]
fn the_network_is_made_unless_something_that_runs_proves_that_it_is_there() {
    let world = world("servers: { web: { hosts: [h1, h2, h3], proxy: false } }\n");
    let stages = stages(
        &world,
        &facts([
            ("h1", empty().and("web", "app-web-1", "running")),
            ("h2", empty().and("web", "app-web-1", "exited")),
            ("h3", with_proxy("basecamp/kamal-proxy:v0.9.2", false)),
        ]),
        options(),
    );
    let makes = |host| commands(&stages, host).contains(&"docker network create kamal".to_owned());
    assert!(!makes("h1"));
    assert!(makes("h2"), "a network may go while nothing runs");
    assert!(makes("h3"));
}
