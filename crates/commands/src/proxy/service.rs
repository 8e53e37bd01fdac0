//! What the proxy is told of a service: where it is, when it pauses, that it is gone.

use dhow_config::{Accessory, Config, Proxy, Role, Ssl};
use dhow_proxy_api::{DeployArgs, FlagValue, GoDuration, StopArgs};
use dhow_text::shell::{Cmd, quote_value};

use super::CONTAINER;
use super::own::{Dialect, extend};
use crate::paths;

/// Where the proxy finds a service: a word for the shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target(String);

impl Target {
    /// A container and the port that it listens on. `container` is shell text that may stand in double quotes: an id, or an
    /// expansion such as `$id`.
    pub fn new(container: &str, port: i64) -> Self {
        Self(format!("\"{container}:{port}\""))
    }
}

/// All services that the proxy knows. That it answers says that it runs.
pub fn list() -> Cmd {
    command("list")
}

/// The target of a role; nothing if it is not behind the proxy.
pub fn role_target(role: &Role, container: &str) -> Option<Target> {
    let proxy = role.proxy.as_ref()?;
    Some(Target::new(container, proxy.app_port))
}

/// The target of an accessory; nothing if it is not behind the proxy.
pub fn accessory_target(accessory: &Accessory, container: &str) -> Option<Target> {
    let proxy = accessory.proxy.as_ref()?;
    Some(Target::new(container, proxy.app_port))
}

/// Puts a role's new container into service: returns when it is healthy and the old one is drained. Nothing if the role is not
/// behind the proxy. A proxy that knows dhow's flags is also told what the deploy file says to dhow's own.
pub fn deploy_app_to(
    dialect: Dialect,
    config: &Config,
    role: &Role,
    version: &str,
    container: &str,
) -> Option<Cmd> {
    let proxy = role.proxy.as_ref()?;
    let target = role_target(role, container)?;
    let mut args = deploy_args(config, proxy, Some(&role.name), version);
    extend(&mut args, proxy, &config.extension.proxy, dialect);
    Some(deploy(&config.container_prefix(role), &target, &args))
}

/// Puts an accessory's container into service. Nothing if it is not behind the proxy.
pub fn deploy_accessory(
    config: &Config,
    accessory: &Accessory,
    version: &str,
    container: &str,
) -> Option<Cmd> {
    let proxy = accessory.proxy.as_ref()?;
    let target = accessory_target(accessory, container)?;
    let args = deploy_args(config, proxy, None, version);
    Some(deploy(&accessory.service_name, &target, &args))
}

/// `kamal-proxy deploy` of a service: the target is `target`, whatever `args` says of it.
pub fn deploy(service: &str, target: &Target, args: &DeployArgs) -> Cmd {
    let mut flags = args.render();
    flags.retain(|flag| flag.flag != "--target");
    command("deploy")
        .arg(service)
        .arg(format!("--target={}", target.0))
        .args(words(flags))
}

/// Takes a service out.
pub fn remove(service: &str) -> Cmd {
    command("remove").arg(service)
}

/// Pauses a service: after so many seconds for requests that are under way, everyone gets the maintenance page.
pub fn stop(service: &str, drain_timeout: i64, message: Option<&str>) -> Cmd {
    let args = StopArgs {
        service: service.to_owned(),
        drain_timeout: Some(GoDuration::from_secs(drain_timeout)),
        message: message.filter(|text| !text.is_empty()).map(str::to_owned),
    };
    command("stop").arg(service).args(words(args.render()))
}

/// Ends the pause.
pub fn resume(service: &str) -> Cmd {
    command("resume").arg(service)
}

/// What the proxy is told of a service, without its target. `role` is the role's name, none for an accessory.
pub fn deploy_args(
    config: &Config,
    proxy: &Proxy,
    role: Option<&str>,
    version: &str,
) -> DeployArgs {
    let seconds = GoDuration::from_secs;
    let certificate_file = |name: &str| match proxy.ssl {
        Ssl::Custom { .. } => {
            let directory = paths::tls_directory_inside(config, role);
            Some(format!("{directory}/{name}"))
        }
        Ssl::Off | Ssl::Automatic => None,
    };
    let error_pages = config.error_pages_path.as_ref();
    DeployArgs {
        hosts: proxy.hosts.clone(),
        tls: (proxy.ssl != Ssl::Off).then_some(true),
        tls_certificate_path: certificate_file("cert.pem"),
        tls_private_key_path: certificate_file("key.pem"),
        deploy_timeout: Some(seconds(config.deploy_timeout)),
        drain_timeout: Some(seconds(config.drain_timeout)),
        health_check_interval: proxy.healthcheck.interval.map(seconds),
        health_check_timeout: proxy.healthcheck.timeout.map(seconds),
        health_check_path: proxy.healthcheck.path.clone(),
        target_timeout: proxy.response_timeout.map(seconds),
        buffer_requests: Some(proxy.buffering.requests),
        buffer_responses: Some(proxy.buffering.responses),
        buffer_memory: proxy.buffering.memory,
        max_request_body: proxy.buffering.max_request_body,
        max_response_body: proxy.buffering.max_response_body,
        path_prefixes: proxy.path_prefixes.clone(),
        strip_path_prefix: proxy.strip_path_prefix,
        forward_headers: proxy.forward_headers,
        tls_redirect: proxy.ssl_redirect,
        log_request_headers: proxy.logging.request_headers.clone(),
        log_response_headers: proxy.logging.response_headers.clone(),
        error_pages: error_pages.map(|_| paths::error_pages_inside(config, version)),
        ..DeployArgs::default()
    }
}

fn command(name: &str) -> Cmd {
    Cmd::docker("exec").args([CONTAINER, "kamal-proxy", name])
}

fn words(flags: Vec<FlagValue>) -> impl Iterator<Item = String> {
    flags
        .into_iter()
        .map(|FlagValue { flag, value }| match value {
            Some(value) => format!("{flag}={}", quote_value(&value)),
            None => flag.to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use dhow_config::{Buffering, Healthcheck, ProxyLogging};

    use super::*;
    use crate::sample::{app, bare_role, role, role_mut, staged};

    fn strings(items: &[&str]) -> Vec<String> {
        items.iter().map(|&item| item.to_owned()).collect()
    }

    /// Golden transcript, line 22.
    #[test]
    fn item_146_deploy_with_defaults() {
        let config = app();
        assert_eq!(
            deploy_app_to(Dialect::Kamal, &config, role(&config, "web"), "123", "$id")
                .expect("web is behind the proxy")
                .real(),
            r#"docker exec kamal-proxy kamal-proxy deploy app-web --target="$id:80" --host="app.example.com" --deploy-timeout="30s" --drain-timeout="30s" --buffer-requests --buffer-responses --log-request-header="Cache-Control" --log-request-header="Last-Modified" --log-request-header="User-Agent""#
        );
        assert_eq!(
            deploy_app_to(
                Dialect::Kamal,
                &config,
                role(&config, "workers"),
                "123",
                "$id"
            ),
            None
        );
    }

    /// The fully loaded line, with destination `stg`.
    #[test]
    fn item_146_deploy_with_everything() {
        let mut config = staged();
        let proxy = Proxy {
            hosts: strings(&["a.com", "b.com"]),
            app_port: 3000,
            ssl: Ssl::Custom {
                certificate_pem: "CERT".to_owned(),
                private_key_pem: "KEY".to_owned(),
            },
            ssl_redirect: Some(false),
            forward_headers: Some(true),
            response_timeout: Some(9),
            path_prefixes: strings(&["/x", "/y"]),
            strip_path_prefix: Some(false),
            healthcheck: Healthcheck {
                interval: Some(2),
                timeout: Some(4),
                path: Some("/hc".to_owned()),
            },
            buffering: Buffering {
                requests: false,
                responses: true,
                max_request_body: Some(5),
                max_response_body: Some(0),
                memory: Some(2_000_000),
            },
            logging: ProxyLogging {
                request_headers: strings(&["A", "B"]),
                response_headers: strings(&["C"]),
            },
            run: None,
        };
        config.roles.push(Role {
            proxy: Some(proxy),
            ..bare_role("web2", "127.0.0.2")
        });
        let line = |config: &Config| {
            deploy_app_to(Dialect::Kamal, config, role(config, "web2"), "123", "abc")
                .expect("web2 is behind the proxy")
                .real()
        };
        let loaded = r#"docker exec kamal-proxy kamal-proxy deploy app-web2-stg --target="abc:3000" --host="a.com" --host="b.com" --tls --tls-certificate-path="/home/kamal-proxy/.apps-config/app-stg/tls/web2/cert.pem" --tls-private-key-path="/home/kamal-proxy/.apps-config/app-stg/tls/web2/key.pem" --deploy-timeout="30s" --drain-timeout="30s" --health-check-interval="2s" --health-check-timeout="4s" --health-check-path="/hc" --target-timeout="9s" --buffer-requests="false" --buffer-responses --buffer-memory="2000000" --max-request-body="5" --max-response-body="0" --path-prefix="/x" --path-prefix="/y" --strip-path-prefix="false" --forward-headers --tls-redirect="false" --log-request-header="A" --log-request-header="B" --log-response-header="C""#;
        assert_eq!(line(&config), loaded);

        config.error_pages_path = Some("public".to_owned());
        assert_eq!(
            line(&config),
            format!(
                r#"{loaded} --error-pages="/home/kamal-proxy/.apps-config/app-stg/error_pages/123""#
            )
        );
    }

    #[test]
    fn item_147_tls_alone_has_no_paths() {
        let mut config = app();
        let web = role_mut(&mut config, "web");
        let proxy = web.proxy.as_mut().expect("web is behind the proxy");
        proxy.ssl = Ssl::Automatic;
        proxy.logging.request_headers.clear();
        assert_eq!(
            deploy_app_to(Dialect::Kamal, &config, role(&config, "web"), "123", "abc")
                .expect("web is behind the proxy")
                .real(),
            r#"docker exec kamal-proxy kamal-proxy deploy app-web --target="abc:80" --host="app.example.com" --tls --deploy-timeout="30s" --drain-timeout="30s" --buffer-requests --buffer-responses"#
        );
    }

    #[test]
    fn item_202_accessory_behind_the_proxy() {
        let mut config = staged();
        let db = &mut config.accessories[0];
        assert_eq!(accessory_target(db, "abc"), None);
        db.proxy = Some(Proxy {
            hosts: strings(&["db.example.com"]),
            ssl: Ssl::Custom {
                certificate_pem: "CERT".to_owned(),
                private_key_pem: "KEY".to_owned(),
            },
            logging: ProxyLogging {
                request_headers: Vec::new(),
                response_headers: Vec::new(),
            },
            ..Proxy::default()
        });
        let db = &config.accessories[0];
        assert_eq!(
            deploy_accessory(&config, db, "123", "abc")
                .expect("db is behind the proxy")
                .real(),
            r#"docker exec kamal-proxy kamal-proxy deploy app-db --target="abc:80" --host="db.example.com" --tls --tls-certificate-path="/home/kamal-proxy/.apps-config/app-stg/tls/cert.pem" --tls-private-key-path="/home/kamal-proxy/.apps-config/app-stg/tls/key.pem" --deploy-timeout="30s" --drain-timeout="30s" --buffer-requests --buffer-responses"#
        );
        assert_eq!(
            remove(&db.service_name).real(),
            "docker exec kamal-proxy kamal-proxy remove app-db"
        );
    }

    #[test]
    fn item_173_live_and_maintenance() {
        assert_eq!(
            stop("app-web", 30, None).real(),
            r#"docker exec kamal-proxy kamal-proxy stop app-web --drain-timeout="30s""#
        );
        assert_eq!(
            stop("app-web-stg", 10, Some("back at `noon` for $5")).real(),
            r#"docker exec kamal-proxy kamal-proxy stop app-web-stg --drain-timeout="10s" --message="back at \`noon\` for \$5""#
        );
        assert_eq!(
            resume("app-web").real(),
            "docker exec kamal-proxy kamal-proxy resume app-web"
        );
        assert_eq!(
            remove("app-web").real(),
            "docker exec kamal-proxy kamal-proxy remove app-web"
        );
    }
}
