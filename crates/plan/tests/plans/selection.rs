//! Which hosts and roles a command is about.

use dhow_plan::{Filter, SelectError, Targets, select};

use super::support::{World, world};

fn fleet() -> World {
    world(
        "servers:\n  web: [b1, b2, c1]\n  api: { hosts: [a1, b2], proxy: { host: api.example.com } }\n  jobs: { hosts: [a1, d1], cmd: work }\naccessories:\n  db: { image: 'mysql:8', host: e1 }\n  cache: { image: 'redis:7', roles: [jobs], proxy: { host: cache.example.com, app_port: 6379 } }\n",
    )
}

fn filter(hosts: Option<&str>, roles: Option<&str>, primary: bool) -> Filter {
    Filter {
        hosts: hosts.map(str::to_owned),
        roles: roles.map(str::to_owned),
        primary,
    }
}

fn chosen(world: &World, filter: &Filter) -> String {
    match select(&world.config, filter) {
        Ok(targets) => summary(&targets),
        Err(error) => error.to_string(),
    }
}

fn summary(targets: &Targets<'_>) -> String {
    let roles: Vec<&str> = targets.roles.iter().map(|r| r.name.as_str()).collect();
    format!(
        "{} | {} | primary {} {}",
        targets.hosts.join(" "),
        roles.join(" "),
        targets.primary_host,
        targets.primary_role.map_or("-", |role| role.name.as_str())
    )
}

#[test]
fn item_52_roles_by_name_the_primary_one_first_and_its_hosts_first() {
    assert_eq!(
        chosen(&fleet(), &Filter::default()),
        "b2 b1 c1 a1 d1 e1 | web api jobs | primary b1 web"
    );
}

/// Without filters, in the file's terms: roles by name, then accessories, each host once.
#[test]
fn config_item_14_11_order_of_hosts_and_roles() {
    let fleet = fleet();
    let config = &fleet.config;
    assert_eq!(config.all_hosts(), ["a1", "b2", "d1", "b1", "c1", "e1"]);
    assert_eq!(config.app_hosts(), ["a1", "b2", "d1", "b1", "c1"]);
    assert_eq!(config.proxy_hosts(), ["a1", "b2", "b1", "c1", "d1"]);
    assert_eq!(config.primary_host(), Some("b1"));
    // To run on: the primary role first, and its hosts.
    for (hosts, roles, order) in [
        (
            None,
            None,
            "b2 b1 c1 a1 d1 e1 | web api jobs | primary b1 web",
        ),
        (
            Some("d1,b2"),
            None,
            "d1 b2 | jobs api web | primary d1 jobs",
        ),
        (
            None,
            Some("jobs,api"),
            "a1 d1 b2 | jobs api | primary a1 jobs",
        ),
    ] {
        assert_eq!(chosen(&fleet, &filter(hosts, roles, false)), order);
    }
}

#[test]
fn item_47_hosts_by_patterns_in_the_order_of_the_filters() {
    let fleet = fleet();
    let hosts = |list| chosen(&fleet, &filter(Some(list), None, false));
    assert_eq!(hosts("b*"), "b2 b1 | web api | primary b2 web");
    assert_eq!(hosts("?2,c1"), "b2 c1 | web api | primary b2 web");
    assert_eq!(hosts("c1,b[12]"), "c1 b2 b1 | web api | primary c1 web");
    assert_eq!(hosts("d1,a1,d1"), "d1 a1 | jobs api | primary d1 jobs");
    assert_eq!(hosts("b{1,2}"), "No --hosts match for b{1,2}");
}

#[test]
fn item_48_what_matches_nothing_is_said() {
    let fleet = fleet();
    let error = |hosts, roles| select(&fleet.config, &filter(hosts, roles, false)).unwrap_err();
    assert_eq!(error(Some("x,y"), None), SelectError::Hosts("x,y".into()));
    assert_eq!(
        error(None, Some("nobody")).to_string(),
        "No --roles match for nobody"
    );
}

#[test]
fn item_49_roles_by_patterns() {
    let fleet = fleet();
    let roles = |list| chosen(&fleet, &filter(None, Some(list), false));
    assert_eq!(roles("w*"), "b2 b1 c1 | web | primary b1 web");
    assert_eq!(roles("{web}"), "b2 b1 c1 | web | primary b1 web");
    assert_eq!(roles("{web,api}"), "No --roles match for {web,api}");
}

#[test]
fn item_50_primary_is_one_host() {
    let fleet = fleet();
    let primary = |hosts, roles| chosen(&fleet, &filter(hosts, roles, true));
    assert_eq!(primary(None, None), "b1 | web | primary b1 web");
    assert_eq!(primary(Some("d1"), None), "b1 | web | primary b1 web");
    assert_eq!(
        primary(None, Some("jobs,web")),
        "a1 | jobs | primary a1 jobs"
    );
}

#[test]
fn items_51_and_53_a_role_alone_is_primary_and_accessories_elsewhere_are_left_out() {
    let fleet = fleet();
    let roles = |list| chosen(&fleet, &filter(None, Some(list), false));
    assert_eq!(roles("jobs"), "a1 d1 | jobs | primary a1 jobs");
    assert_eq!(roles("jobs,api"), "a1 d1 b2 | jobs api | primary a1 jobs");
    // The configured primary role stays primary wherever it takes part.
    assert_eq!(
        roles("jobs,web"),
        "b2 b1 c1 a1 d1 | web jobs | primary b1 web"
    );
}

#[test]
fn items_54_and_55_where_proxies_and_accessories_are() {
    let fleet = fleet();
    let all = fleet.context("1").targets;
    // `api` and `cache` are behind the proxy by their own settings, `web` by default, `db` is not.
    assert_eq!(all.proxy_hosts(), ["b2", "b1", "c1", "a1", "d1"]);
    assert_eq!(all.app_hosts(), ["b2", "b1", "c1", "a1", "d1"]);
    assert_eq!(all.accessory_hosts(), ["a1", "d1", "e1"]);
    let cache = fleet.config.accessory("cache").unwrap();
    assert_eq!(all.hosts_of(cache), ["a1", "d1"]);

    let some = fleet.with_hosts("d1,e1", "1").targets;
    assert_eq!(some.hosts_of(cache), ["d1"]);
    assert_eq!(some.proxy_hosts(), ["d1"]);
    assert_eq!(some.accessory_hosts(), ["d1", "e1"]);
    let by_role = fleet.with_roles("web", "1").targets;
    assert!(by_role.hosts_of(cache).is_empty());
}

#[test]
fn item_56_the_lock_lies_on_the_primary_host_of_what_was_chosen() {
    let fleet = fleet();
    assert_eq!(fleet.with_hosts("d1,b1", "1").targets.primary_host, "d1");
    assert_eq!(fleet.with_roles("jobs", "1").targets.primary_host, "a1");
}

#[test]
fn a_host_takes_part_whole_only_with_all_its_roles() {
    let fleet = fleet();
    let jobs = fleet.with_roles("jobs", "1").targets;
    assert!(!jobs.whole("a1"));
    assert!(jobs.whole("d1"));
    assert_eq!(jobs.roles_on("a1").len(), 1);
    let narrowed = fleet.context("1").targets.narrowed(&["d1", "e1"]);
    assert_eq!(narrowed.hosts, ["d1", "e1"]);
    assert_eq!(narrowed.roles.len(), 1);
}
