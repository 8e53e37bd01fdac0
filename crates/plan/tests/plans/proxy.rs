//! `proxy …`: booted where it is missing, left alone where it runs, replaced when asked.

use dhow_commands::LogOptions;
use dhow_commands::proxy::BootConfig;
use dhow_plan::facts::ProxyContainer;
use dhow_plan::verbs::boot;
use dhow_plan::verbs::proxy::{self, ProxyArchive};
use dhow_plan::{HostFacts, PlanError};

use super::support::{
    Found, World, commands, empty, facts, names, proxied, shown, with_proxy, world,
};

fn archive() -> ProxyArchive {
    ProxyArchive {
        content: b"archive".as_slice().into(),
        label: "new".to_owned(),
    }
}

/// `web` on h1 and h2 behind the proxy, `jobs` on h3 not, an accessory on h4.
fn fleet() -> World {
    world(
        "servers:\n  web: [h1, h2]\n  jobs: { hosts: [h3], cmd: work }\naccessories: { db: { image: 'mysql:8', host: h4 } }\n",
    )
}

#[test]
fn item_183_the_network_everywhere_and_the_proxy_where_it_is_needed() {
    let world = fleet();
    let seen = facts([
        ("h1", empty()),
        ("h2", proxied()),
        ("h3", empty()),
        ("h4", empty()),
    ]);
    let stages = proxy::boot(&world.context("2"), &seen, Some(&archive())).unwrap();
    insta::assert_snapshot!(shown(&stages), @r#"
    == proxy
    h1:
      docker network create kamal  (may fail: already exists)
      docker load --quiet <7 bytes
      mkdir -p .kamal/proxy/apps-config
      echo $(cat .kamal/proxy/options 2> /dev/null || echo "--publish 80:80 --publish 443:443 --log-opt max-size=10m") $(cat .kamal/proxy/image 2> /dev/null || { test -e .kamal/proxy/image_version && echo "basecamp/kamal-proxy"; } || echo "dhow/kamal-proxy"):$(cat .kamal/proxy/image_version 2> /dev/null || { test -e .kamal/proxy/image && echo "v0.9.2"; } || echo "v0.9.2.1") $(cat .kamal/proxy/run_command 2> /dev/null || echo "") | xargs docker run --name kamal-proxy --network kamal --detach --restart unless-stopped --volume kamal-proxy-config:/home/kamal-proxy/.config/kamal-proxy --volume $PWD/.kamal/proxy/apps-config:/home/kamal-proxy/.apps-config || { dhow_r=$?; docker ps --all --quiet --filter 'name=^kamal-proxy$' --filter status=created | xargs -r docker container rm >/dev/null; exit $dhow_r; }
    h2:
    h3:
      docker network create kamal  (may fail: already exists)
    h4:
      docker network create kamal  (may fail: already exists)
    "#);
}

/// parity: config 7.18
#[test]
fn item_184_a_proxy_that_is_too_old_stops_the_plan_and_names_its_host() {
    let world = fleet();
    let boot = |image: &str| {
        proxy::boot(
            &world.context("2"),
            &facts([("h1", proxied()), ("h2", with_proxy(image, true))]),
            None,
        )
    };
    let error = boot("basecamp/kamal-proxy:v0.8.10").unwrap_err();
    assert_eq!(
        error.to_string(),
        "kamal-proxy version v0.8.10 is too old, run `kamal proxy reboot` in order to update to at least v0.9.2"
    );
    assert!(matches!(error, PlanError::ProxyTooOld { host, .. } if host == "h2"));
    for fine in [
        "basecamp/kamal-proxy:v0.9.2",
        "my/proxy:latest",
        "my/proxy",
        "dhow/kamal-proxy:v0.9.2.1",
    ] {
        assert!(boot(fine).is_ok(), "{fine}");
    }
}

#[test]
fn a_proxy_that_stands_still_is_started_and_not_made_anew() {
    let world = world("servers: [h1]\n");
    let seen = facts([("h1", with_proxy("basecamp/kamal-proxy:v0.9.2", false))]);
    let stages = proxy::boot(&world.context("2"), &seen, None).unwrap();
    assert_eq!(
        commands(&stages, "h1"),
        [
            "docker network create kamal",
            "docker container start kamal-proxy"
        ]
    );
}

#[test]
fn a_proxy_that_runs_is_left_alone_whatever_it_is() {
    let world = world("servers: [h1]\n");
    let outdated = with_proxy("dhow/kamal-proxy:v0.9.2.0", true)
        .image(&["dhow/kamal-proxy:v0.9.2.1"], Some("old"));
    for seen in [proxied(), with_proxy("my/own:7", true), outdated] {
        let stages = proxy::boot(
            &world.context("2"),
            &facts([("h1", seen)]),
            Some(&archive()),
        );
        assert_eq!(commands(&stages.unwrap(), "h1"), Vec::<String>::new());
    }
}

#[test]
fn the_image_is_loaded_where_it_is_missing_or_of_another_build() {
    let own = proxy::dhow_image();
    let world = world("servers: [h1, h2, h3]\n");
    let seen = facts([
        ("h1", empty()),
        ("h2", empty().image(&[&own], Some("old"))),
        ("h3", empty().image(&[&own], Some("new"))),
    ]);
    let stages = proxy::boot(&world.context("2"), &seen, Some(&archive())).unwrap();
    let loads = |host| {
        let all = commands(&stages, host);
        all.iter().filter(|c| c.starts_with("docker load")).count()
    };
    assert_eq!((loads("h1"), loads("h2"), loads("h3")), (1, 1, 0));
}

#[test]
fn another_image_by_the_deploy_file_needs_no_archive_and_perhaps_a_login() {
    let text = |registry: &str| {
        format!(
            "service: app\nimage: me/app\nregistry: {{ server: r.example.com, username: me, password: [PASSWORD] }}\nbuilder: {{ arch: amd64 }}\nservers: [h1]\nproxy: {{ run: {{ registry: {registry}, repository: ops/proxy, version: v1, http_port: 8080 }} }}\n"
        )
    };
    let same = World::of(&text("r.example.com"), None);
    let seen = facts([("h1", empty())]);
    let context = same.context("2");
    assert!(proxy::needs_registry(&same.config));
    assert!(!proxy::needs_archive(&context, &seen, "h1"));
    let stages = proxy::boot(&context, &seen, Some(&archive())).unwrap();
    insta::assert_snapshot!(shown(&stages), @r#"
    == proxy
    h1:
      docker network create kamal  (may fail: already exists)
      dhow_auth=mktemp -d
      DOCKER_CONFIG="$dhow_auth" docker login r.example.com -u "me" --password-stdin <<
      docker image inspect r.example.com/ops/proxy:v1 >/dev/null 2>&1 || DOCKER_CONFIG="$dhow_auth" docker pull r.example.com/ops/proxy:v1
      rm -rf "$dhow_auth"  (may fail)
      mkdir -p .kamal/proxy/apps-config
      docker run --name kamal-proxy --network kamal --detach --restart unless-stopped --volume kamal-proxy-config:/home/kamal-proxy/.config/kamal-proxy --volume $PWD/.kamal/proxy/apps-config:/home/kamal-proxy/.apps-config --publish 8080:80 --publish 443:443 --log-opt max-size=10m r.example.com/ops/proxy:v1 kamal-proxy run || { dhow_r=$?; docker ps --all --quiet --filter 'name=^kamal-proxy$' --filter status=created | xargs -r docker container rm >/dev/null; exit $dhow_r; }
      ! forgetting the registry login
    "#);

    let other = World::of(&text("other.example.com"), None);
    assert!(!proxy::needs_registry(&other.config));
    let stages = proxy::boot(&other.context("2"), &seen, None).unwrap();
    let done = commands(&stages, "h1").join("\n");
    assert!(!done.contains("docker login"), "{done}");
    assert!(done.contains(" other.example.com/ops/proxy:v1 "), "{done}");
}

/// parity: commands 187, 106
#[test]
fn item_187_reboot_prepares_first_and_replaces_in_one_go() {
    let world = fleet().with_hooks(&["pre-proxy-reboot", "post-proxy-reboot"]);
    let seen = facts([("h1", proxied()), ("h2", proxied())]);
    let context = world.context("2");
    let together = proxy::reboot(&context, &seen, Some(&archive()), false).unwrap();
    assert_eq!(
        names(&together),
        ["hook pre-proxy-reboot", "proxy", "hook post-proxy-reboot"]
    );
    assert!(shown(&together).contains("hook pre-proxy-reboot for h1,h2\n"));
    let rolling = proxy::reboot(&context, &seen, Some(&archive()), true).unwrap();
    insta::assert_snapshot!(shown(&rolling[..3]), @r#"
    == hook pre-proxy-reboot
      hook pre-proxy-reboot for h1
    == proxy
    h1:
      audit: Rebooted proxy
      docker load --quiet <7 bytes
      mkdir -p .kamal/proxy/apps-config
      dhow_up() { read -r dhow_t _ </proc/uptime && echo "${dhow_t%.*}${dhow_t#*.}"; }; dhow_from=$(dhow_up 2>/dev/null); { dhow_old=; if docker container stop kamal-proxy >/dev/null 2>&1; then docker container rm --force kamal-proxy_replaced >/dev/null 2>&1; docker rename kamal-proxy kamal-proxy_replaced && dhow_old=kamal-proxy_replaced; fi; if echo $(cat .kamal/proxy/options 2> /dev/null || echo "--publish 80:80 --publish 443:443 --log-opt max-size=10m") $(cat .kamal/proxy/image 2> /dev/null || { test -e .kamal/proxy/image_version && echo "basecamp/kamal-proxy"; } || echo "dhow/kamal-proxy"):$(cat .kamal/proxy/image_version 2> /dev/null || { test -e .kamal/proxy/image && echo "v0.9.2"; } || echo "v0.9.2.1") $(cat .kamal/proxy/run_command 2> /dev/null || echo "") | xargs docker run --name kamal-proxy --network kamal --detach --restart unless-stopped --volume kamal-proxy-config:/home/kamal-proxy/.config/kamal-proxy --volume $PWD/.kamal/proxy/apps-config:/home/kamal-proxy/.apps-config; then [ -z "$dhow_old" ] || docker container rm "$dhow_old" >/dev/null; else dhow_r=$?; if [ -n "$dhow_old" ]; then docker container rm --force kamal-proxy >/dev/null 2>&1; docker rename kamal-proxy_replaced kamal-proxy && docker container start kamal-proxy >/dev/null && echo 'the old container runs again' >&2; fi; exit $dhow_r; fi; } >/dev/null; if [ -n "$dhow_old" ] && [ -n "$dhow_from" ]; then dhow_n=0; while [ $dhow_n -lt 50 ]; do if docker exec kamal-proxy kamal-proxy list >/dev/null 2>&1; then dhow_gap=$(($(dhow_up) - dhow_from)); echo "the proxy was away for $((dhow_gap / 100)).$((dhow_gap / 10 % 10)) s"; break; fi; sleep 0.1; dhow_n=$((dhow_n + 1)); done; fi  => "Proxy Host"
    == hook post-proxy-reboot
      hook post-proxy-reboot for h1
    "#);
    assert!(shown(&rolling[3..]).contains("hook pre-proxy-reboot for h2\n"));
}

#[test]
fn a_running_proxy_of_dhows_own_is_not_replaced_without_a_look() {
    let world = world("servers: [h1]\n");
    let context = world.context("2");
    let own = proxy::dhow_image();
    let last = |seen: HostFacts| {
        let seen = facts([("h1", seen)]);
        let stages = proxy::reboot(&context, &seen, Some(&archive()), false).unwrap();
        commands(&stages, "h1").pop().unwrap()
    };
    let restart = last(with_proxy(&own, true));
    let create = "| xargs docker create --name kamal-proxy_next --network kamal --restart unless-stopped --volume ";
    for part in [
        create,
        " upgrade --install ",
        "xargs docker run --name kamal-proxy --network kamal --detach",
    ] {
        assert!(restart.contains(part), "{part} in {restart}");
    }
    for seen in [
        empty(),
        with_proxy(&own, false),
        with_proxy("basecamp/kamal-proxy:v0.9.2", true),
    ] {
        let replace = last(seen);
        assert!(!replace.contains("upgrade"), "{replace}");
    }
}

#[test]
fn item_188_start_stop_and_restart() {
    let world = world("servers: [h1]\n");
    let context = world.context("2");
    insta::assert_snapshot!(shown(&proxy::restart(&context)), @r#"
    == stop
    h1:
      audit: Stopped proxy
      docker container stop kamal-proxy  (may fail)
    == start
    h1:
      audit: Started proxy
      docker container start kamal-proxy
    "#);
    assert_eq!(names(&proxy::start(&context)), ["start"]);
    assert_eq!(names(&proxy::stop(&context)), ["stop"]);
}

#[test]
fn item_190_remove_stops_and_takes_container_image_and_directory() {
    let world = world("servers: [h1]\n");
    let context = world.context("2");
    insta::assert_snapshot!(shown(&proxy::remove(&context)), @r#"
    == stop
    h1:
      audit: Stopped proxy
      docker container stop kamal-proxy  (may fail)
    == remove
    h1:
      audit: Removed proxy container
      docker container prune --force --filter label=org.opencontainers.image.title=kamal-proxy
    == remove
    h1:
      audit: Removed proxy image
      docker image prune --all --force --filter label=org.opencontainers.image.title=kamal-proxy
    == remove
    h1:
      rm -r .kamal/proxy  (may fail)
    "#);
    let count = proxy::count_apps(&context);
    assert_eq!(
        super::support::what(&count[0].steps[0]),
        "ls .kamal/apps | wc -l"
    );
    assert_eq!(commands(&proxy::remove_container(&context), "h1").len(), 2);
    assert_eq!(commands(&proxy::remove_image(&context), "h1").len(), 2);
    assert_eq!(commands(&proxy::remove_directory(&context), "h1").len(), 1);
}

#[test]
fn item_189_details_and_logs_are_results() {
    let world = world("servers: [h1]\n");
    let context = world.context("2");
    let options = LogOptions {
        timestamps: true,
        since: Some("5m"),
        lines: Some(7),
        grep: Some("GET"),
        grep_options: None,
    };
    let mut stages = proxy::details(&context);
    stages.extend(proxy::logs(&context, &options));
    insta::assert_snapshot!(shown(&stages), @r#"
    == details
    h1:
      docker ps --filter 'name=^kamal-proxy$' && { { read -r id image content <.kamal/proxy/in_place; } 2>/dev/null && [ "$(docker ps --quiet --no-trunc --filter 'name=^kamal-proxy$')" = "$id" ] && echo "The program in it is now that of $image, content $content"; true; }  => "Proxy Host"
    == logs
    h1:
      docker logs kamal-proxy --since 5m --tail 7 --timestamps 2>&1 | grep 'GET'  (may fail)  => "Proxy Host"
    "#);
}

#[test]
fn items_191_and_192_boot_config_writes_what_differs_and_removes_the_rest() {
    let world = world("servers: [h1]\n");
    let context = world.context("2");
    let settings = BootConfig {
        publish: true,
        bind_ips: vec!["127.0.0.1".to_owned(), "::1".to_owned()],
        http_port: 80,
        https_port: 443,
        log_max_size: String::new(),
        registry: None,
        repository: None,
        image_version: Some("v9".to_owned()),
        metrics_port: None,
        debug: false,
        docker_options: Vec::new(),
    };
    let mut stages = proxy::set_boot_config(&context, &settings).unwrap();
    stages.extend(proxy::reset_boot_config(&context));
    insta::assert_snapshot!(shown(&stages), @r#"
    == boot config
    h1:
      mkdir -p .kamal/proxy
      upload .kamal/proxy/options 0640
      rm .kamal/proxy/image  (may fail)
      upload .kamal/proxy/image_version 0640
      rm .kamal/proxy/run_command  (may fail)
    == boot config
    h1:
      rm .kamal/proxy/options  (may fail)
      rm .kamal/proxy/image  (may fail)
      rm .kamal/proxy/image_version  (may fail)
      rm .kamal/proxy/run_command  (may fail)
    "#);
    let asked = commands(&proxy::boot_config(&context), "h1");
    assert!(
        asked[0].starts_with("echo $(cat .kamal/proxy/options 2> /dev/null || "),
        "{asked:?}"
    );
    let told = super::support::world(EXTENDED);
    let asked = commands(&proxy::boot_config(&told.context("2")), "h1");
    let flags = "kamal-proxy run} --proxy-protocol=required --trusted-proxy=10.0.0.0/8\"; echo";
    assert!(asked[0].contains(flags), "{asked:?}");
    let bad = BootConfig {
        bind_ips: vec!["x".to_owned()],
        ..settings
    };
    let error = proxy::set_boot_config(&context, &bad).unwrap_err();
    assert_eq!(error.to_string(), "Invalid publish IP address: x");
}

#[test]
fn which_proxies_are_of_an_older_dhow() {
    let own = proxy::dhow_image();
    assert!(!proxy::is_older_dhow(&own));
    assert!(proxy::is_older_dhow("dhow/kamal-proxy:v0.9.2.0"));
    assert!(!proxy::is_older_dhow("dhow/kamal-proxy:v99.0"));
    assert!(!proxy::is_older_dhow("basecamp/kamal-proxy:v0.9.0"));
    assert!(!proxy::is_older_dhow("dhow/kamal-proxy:latest"));
}

const EXTENDED: &str = "servers: [h1]\nproxy: { host: example.com }\nx-dhow: { proxy: { trusted_proxies: [10.0.0.0/8], proxy_protocol: required, canonical_host: example.com, healthcheck: { fall: 3 } } }\n";

/// The words after `kamal-proxy deploy` that begin with one of these.
fn told(world: &World, seen: HostFacts) -> Vec<String> {
    let stages = boot::boot(&world.context("2"), &facts([("h1", seen)]), &[]).unwrap();
    let deploy = commands(&stages, "h1")
        .into_iter()
        .find(|line| line.contains("kamal-proxy deploy"))
        .unwrap();
    let flags = ["--canonical-host", "--trusted-proxy", "--health-check-fall"];
    let told = deploy
        .split(' ')
        .filter(|word| flags.iter().any(|flag| word.starts_with(flag)));
    told.map(str::to_owned).collect()
}

#[test]
fn only_dhows_own_proxy_is_told_of_what_only_it_knows() {
    let world = world(EXTENDED);
    let everything = [
        r#"--canonical-host="example.com""#,
        r#"--trusted-proxy="10.0.0.0/8""#,
        r#"--health-check-fall="3""#,
    ];
    let own = proxy::dhow_image();
    let labelled = HostFacts {
        proxy: Some(ProxyContainer {
            image: "reg/mine:v0.9.2".to_owned(),
            running: true,
            content: Some("abc".to_owned()),
            id: "abc".to_owned(),
        }),
        ..empty()
    };
    for (seen, own) in [
        (with_proxy(&own, true), true),
        (with_proxy(&format!("reg:5000/{own}"), true), true),
        (labelled, true),
        // None runs: the one that will is dhow's.
        (empty(), true),
        (proxied(), false),
        (with_proxy("dhow/kamal-proxy:v0.9.2.0", true), false),
    ] {
        let expected = if own {
            &everything[..]
        } else {
            &everything[..1]
        };
        assert_eq!(told(&world, seen.clone()), expected, "{seen:?}");
        let unheard = if own { &[][..] } else { &["h1"] };
        let facts = facts([("h1", seen)]);
        assert_eq!(proxy::unheard(&world.context("2"), &facts), unheard);
    }
    let other = World::of(
        &format!(
            "service: app\nimage: me/app\nregistry: {{ username: me, password: [PASSWORD] }}\nbuilder: {{ arch: amd64 }}\n{}",
            EXTENDED.replace(
                "host: example.com",
                "host: example.com, run: { version: v0.9.3 }"
            )
        ),
        None,
    );
    assert_eq!(told(&other, empty()), &everything[..1]);
}

/// What a real shell makes of it, with the files that a host may have.
#[test]
fn files_on_the_host_decide_what_the_container_is_told() {
    let world = world(EXTENDED);
    let seen = facts([("h1", empty())]);
    let stages = proxy::boot(&world.context("2"), &seen, Some(&archive())).unwrap();
    let run = commands(&stages, "h1").pop().unwrap();
    let line = run.split(" | xargs").next().unwrap();
    let flags = "--proxy-protocol=required --trusted-proxy=10.0.0.0/8";
    for (files, told) in [
        (&[][..], format!("kamal-proxy run {flags}")),
        (
            &[("run_command", "kamal-proxy run --debug")],
            format!("kamal-proxy run --debug {flags}"),
        ),
        (&[("image", "mine")], String::new()),
        (
            &[
                ("image_version", "v0.9.3"),
                ("run_command", "kamal-proxy run --debug"),
            ],
            "kamal-proxy run --debug".to_owned(),
        ),
    ] {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(".kamal/proxy");
        std::fs::create_dir_all(&folder).unwrap();
        for (name, content) in files {
            std::fs::write(folder.join(name), content).unwrap();
        }
        let output = std::process::Command::new("sh")
            .args(["-c", line])
            .current_dir(home.path())
            .output()
            .unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        // After the options and the image.
        let words: Vec<&str> = output.split_whitespace().skip(7).collect();
        assert_eq!(words.join(" "), told, "{files:?}: {output}");
    }
}
