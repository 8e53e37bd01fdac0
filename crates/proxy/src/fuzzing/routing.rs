//! From a host and a path to a service and what is sent to its target. In: services and a request, as text.

use crate::request::redirect;
use crate::request::request_path::upstream_path;
use crate::services::router::{host_without_port, strip_prefix};
use crate::services::test_services::{service, table_of};

/// Services and a request: lines of `host prefix`, each a service; the last is `host path`.
pub fn routing(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines: Vec<(&str, &str)> = text
        .lines()
        .take(17)
        .map(|line| line.split_once(' ').unwrap_or((line, "")))
        .collect();
    let Some((host, path)) = lines.pop() else {
        return;
    };
    let services: Vec<_> = lines
        .iter()
        .enumerate()
        .map(|(number, (hosts, prefixes))| {
            let list = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
            let (hosts, prefixes) = (list(hosts), list(prefixes));
            let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
            let prefixes: Vec<&str> = prefixes.iter().map(String::as_str).collect();
            let mut service = service(&number.to_string(), &hosts, &prefixes);
            service.options.tls_enabled = number % 2 == 0;
            service
        })
        .collect();
    let table = table_of(&services);
    let bare = host_without_port(host);
    let hit = table.find(bare, path).map(|hit| (hit.service, hit.prefix));
    let upper = bare.to_ascii_uppercase();
    let again = table
        .find(&upper, path)
        .map(|hit| (hit.service, hit.prefix));
    assert_eq!(hit, again, "letter case of {bare:?}");
    let _ = (table.default_tls_host(), table.find_root(bare));
    let Some((place, prefix)) = hit else { return };
    let found = table.services().get(place);
    let options = found.map(|service| &service.options);
    assert!(options.is_some_and(|options| options.path_prefixes.iter().any(|own| own == prefix)));
    let rest = strip_prefix(path, prefix);
    assert!(prefix == "/" || rest.starts_with('/'), "{path:?} {rest:?}");
    let sent = upstream_path(&rest, None);
    assert!(
        sent.iter().all(|byte| (0x21..0x7f).contains(byte)),
        "{sent:?}"
    );
    if let Some(location) =
        options.and_then(|options| redirect::location(options, bare, false, path))
    {
        let page = redirect::page(&location);
        assert!(!page.contains("<script"), "{page}");
    }
}
