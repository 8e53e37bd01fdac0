//! What only dhow's own proxy can be told: `x-dhow.proxy` of the deploy file as flags.
//!
//! kamal-proxy refuses a flag that it does not know, and with it the whole command. So flags of dhow's go to a proxy that is known to
//! be dhow's, and to no other; what kamal-proxy 0.9.2 has a flag for, though Kamal has no key for it, goes to any.

use dhow_config::{Proxy, ProxyExtension, ProxyProtocol};
use dhow_proxy_api::{Cidr, DeployArgs, GoDuration, OwnArgs};

/// Which flags a proxy knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// kamal-proxy's, of the oldest version that a deploy can work with.
    Kamal,
    /// dhow's too.
    Dhow,
}

/// Whether an image is dhow's proxy, from wherever it was pulled.
pub fn is_own_image(image: &str) -> bool {
    let name = match image.rsplit_once(':') {
        // What follows the last colon is a tag, unless it is a registry's port.
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    };
    let own = super::ProxyImage::DHOW.repository;
    name.strip_suffix(own)
        .is_some_and(|registry| registry.is_empty() || registry.ends_with('/'))
}

/// Whether something in it is for dhow's proxy alone.
pub fn needs_own(extension: &ProxyExtension) -> bool {
    let mut args = DeployArgs::default();
    extend(&mut args, &Proxy::default(), extension, Dialect::Dhow);
    let mut any = DeployArgs::default();
    extend(&mut any, &Proxy::default(), extension, Dialect::Kamal);
    args != any || !run_flags(extension).is_empty()
}

/// Flags of `run`, none of which needs quotes.
pub(super) fn run_flags(extension: &ProxyExtension) -> Vec<String> {
    let mut flags = Vec::new();
    if extension.http3 {
        flags.push("--http3".to_owned());
    }
    let mode = match extension.proxy_protocol {
        ProxyProtocol::Off => None,
        ProxyProtocol::Optional => Some("optional"),
        ProxyProtocol::Required => Some("required"),
    };
    flags.extend(mode.map(|mode| format!("--proxy-protocol={mode}")));
    let networks = networks(extension).into_iter();
    flags.extend(networks.map(|network| format!("--trusted-proxy={network}")));
    for (flag, seconds) in [
        ("header", extension.header_timeout),
        ("idle", extension.idle_timeout),
    ] {
        flags.extend(seconds.map(|seconds| format!("--{flag}-timeout={seconds}s")));
    }
    let most = extension.max_connections;
    flags.extend(most.map(|most| format!("--max-connections={most}")));
    flags
}

/// Puts what a role's proxy is told beyond Kamal's keys into `deploy`'s arguments.
pub(super) fn extend(
    args: &mut DeployArgs,
    proxy: &Proxy,
    extension: &ProxyExtension,
    dialect: Dialect,
) {
    let seconds = |seconds: Option<i64>| seconds.map(GoDuration::from_secs);
    // The proxy refuses one that is not among the hosts: it is another role's.
    let fits = |host: &&String| proxy.hosts.is_empty() || proxy.hosts.contains(host);
    args.canonical_host = extension.canonical_host.as_ref().filter(fits).cloned();
    args.scope_cookie_paths = extension.scope_cookie_paths;
    args.tls_staging = extension.tls_staging;
    args.health_check_port = extension.health_port;
    args.health_check_host.clone_from(&extension.health_host);
    if dialect == Dialect::Kamal {
        return;
    }
    args.exclude_metrics_paths
        .clone_from(&extension.exclude_metrics_paths);
    args.client_ip_header
        .clone_from(&extension.client_ip_header);
    args.own = OwnArgs {
        trusted_proxies: networks(extension),
        health_check_fall: extension.health_fall,
        health_check_rise: extension.health_rise,
        health_check_watch_interval: seconds(extension.health_watch_interval),
        dial_timeout: seconds(extension.dial_timeout),
        websocket_drain_timeout: seconds(extension.websocket_drain),
        websocket_close_spread: seconds(extension.websocket_close_spread),
    };
}

/// The deploy file holds nothing but valid ones.
fn networks(extension: &ProxyExtension) -> Vec<Cidr> {
    let texts = extension.trusted_proxies.iter();
    texts.filter_map(|text| Cidr::parse(text).ok()).collect()
}

#[cfg(test)]
mod tests {
    use dhow_config::ProxyRun;

    use super::*;
    use crate::proxy::{ProxyImage, deploy_app_to, run, run_extended};
    use crate::sample::{app, role};

    fn full() -> ProxyExtension {
        ProxyExtension {
            trusted_proxies: vec!["10.0.0.0/8".to_owned(), "::1".to_owned()],
            client_ip_header: Some("X-Real-IP".to_owned()),
            proxy_protocol: ProxyProtocol::Optional,
            http3: true,
            max_connections: Some(1000),
            exclude_metrics_paths: vec!["/up".to_owned()],
            scope_cookie_paths: Some(true),
            tls_staging: Some(true),
            header_timeout: Some(30),
            idle_timeout: Some(300),
            dial_timeout: Some(2),
            health_fall: Some(3),
            health_rise: Some(1),
            health_watch_interval: Some(5),
            health_port: Some(3001),
            health_host: Some("up.local".to_owned()),
            websocket_drain: Some(0),
            websocket_close_spread: Some(20),
            ..ProxyExtension::default()
        }
    }

    #[test]
    fn images_of_dhows_proxy() {
        for own in [
            "dhow/kamal-proxy:v0.9.2.1",
            "dhow/kamal-proxy",
            "reg.example:5000/dhow/kamal-proxy:v1",
            "reg.example:5000/dhow/kamal-proxy",
        ] {
            assert!(is_own_image(own), "{own}");
        }
        for other in [
            "basecamp/kamal-proxy:v0.9.2",
            "notdhow/kamal-proxy:v0.9.2",
            "dhow/kamal-proxy-fork:v1",
            "",
        ] {
            assert!(!is_own_image(other), "{other}");
        }
    }

    #[test]
    fn flags_go_to_whom_they_mean_something() {
        let mut config = app();
        config.extension.proxy = full();
        let web = role(&config, "web");
        let line = |dialect| {
            let line = deploy_app_to(dialect, &config, web, "1", "abc").unwrap();
            let line = line.real();
            let at = line.find("--tls-staging").unwrap();
            line[at..].to_owned()
        };
        assert_eq!(
            line(Dialect::Kamal),
            r#"--tls-staging --health-check-port="3001" --health-check-host="up.local" --scope-cookie-paths"#
        );
        assert_eq!(
            line(Dialect::Dhow),
            r#"--tls-staging --health-check-port="3001" --health-check-host="up.local" --exclude-metrics-path="/up" --client-ip-header="X-Real-IP" --scope-cookie-paths --trusted-proxy="10.0.0.0/8" --trusted-proxy="::1/128" --health-check-fall="3" --health-check-rise="1" --health-check-watch-interval="5s" --dial-timeout="2s" --websocket-drain-timeout="0s" --websocket-close-spread="20s""#
        );
    }

    #[test]
    fn without_the_section_nothing_is_different() {
        let config = app();
        let web = role(&config, "web");
        let none = ProxyExtension::default();
        let line = |dialect| deploy_app_to(dialect, &config, web, "1", "abc");
        assert_eq!(line(Dialect::Dhow), line(Dialect::Kamal));
        assert!(!needs_own(&none));
        for image in [ProxyImage::DHOW, ProxyImage::KAMAL] {
            assert_eq!(run_extended(None, image, &none), run(None, image));
        }
    }

    #[test]
    fn what_needs_dhows_proxy() {
        assert!(needs_own(&full()));
        let any = ProxyExtension {
            canonical_host: Some("a.com".to_owned()),
            health_port: Some(1),
            ..ProxyExtension::default()
        };
        assert!(!needs_own(&any));
        let run = ProxyExtension {
            http3: true,
            ..ProxyExtension::default()
        };
        assert!(needs_own(&run));
    }

    #[test]
    fn a_canonical_host_is_for_the_role_that_has_it() {
        let told = |hosts: &[&str]| {
            let proxy = Proxy {
                hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
                ..Proxy::default()
            };
            let extension = ProxyExtension {
                canonical_host: Some("a.com".to_owned()),
                ..ProxyExtension::default()
            };
            let mut args = DeployArgs::default();
            extend(&mut args, &proxy, &extension, Dialect::Kamal);
            args.canonical_host.is_some()
        };
        assert!(told(&[]) && told(&["b.com", "a.com"]) && !told(&["b.com"]));
    }

    #[test]
    fn the_container_is_told_in_the_deploy_files_line() {
        let options = ProxyRun {
            bind_ips: vec!["::1".to_owned()],
            debug: true,
            ..ProxyRun::default()
        };
        let line = run_extended(Some(&options), ProxyImage::DHOW, &full()).real();
        let at = line.find("--publish").unwrap();
        assert_eq!(
            &line[at..],
            "--publish [::1]:80:80 --publish [::1]:443:443 --publish [::1]:443:443/udp --log-opt max-size=10m dhow/kamal-proxy:v0.9.2.1 kamal-proxy run --debug --http3 --proxy-protocol=optional --trusted-proxy=10.0.0.0/8 --trusted-proxy=::1/128 --header-timeout=30s --idle-timeout=300s --max-connections=1000"
        );
        // Another image is told nothing of it.
        let other = ProxyRun {
            version: Some("v0.9.3".to_owned()),
            ..ProxyRun::default()
        };
        assert_eq!(
            run_extended(Some(&other), ProxyImage::DHOW, &full()),
            run(Some(&other), ProxyImage::DHOW)
        );
    }
}
