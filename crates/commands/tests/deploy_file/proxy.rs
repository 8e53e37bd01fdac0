//! What the proxy is started with and told of a service.

use dhow_commands::proxy::{
    Dialect, ProxyImage, boot, deploy_accessory, deploy_app_to, is_too_old, remove, resume, run,
    stop,
};

use super::support::{config, role, staged};

const DEPLOY: &str = "docker exec kamal-proxy kamal-proxy deploy";

#[test]
fn config_item_7_11_a_plain_deploy() {
    let plain = config("servers: [1.1.1.1]\n");
    assert_eq!(
        deploy_app_to(Dialect::Kamal, &plain, role(&plain, "web"), "1", "id")
            .unwrap()
            .real(),
        format!(
            r#"{DEPLOY} app-web --target="id:80" --deploy-timeout="30s" --drain-timeout="30s" --buffer-requests --buffer-responses --log-request-header="Cache-Control" --log-request-header="Last-Modified" --log-request-header="User-Agent""#
        )
    );
}

/// `host` is split at commas and what stands around them stays; `false` and `0` are passed on, what is not said is not.
#[test]
fn config_item_7_12_every_argument_in_order() {
    let all = config(
        "servers: [1.1.1.1]
deploy_timeout: 60
drain_timeout: 20
error_pages_path: public
proxy:
  path_prefix: /ignored
  host: a.com, b.com
  app_port: 3000
  ssl: { certificate_pem: CERT, private_key_pem: KEY }
  ssl_redirect: false
  forward_headers: true
  response_timeout: 0
  path_prefixes: [/x, /y]
  strip_path_prefix: false
  healthcheck: { interval: 0, timeout: 4, path: /hc }
  buffering: { requests: false, responses: true, max_request_body: 0, max_response_body: 5, memory: 0 }
  logging: { request_headers: [A, B], response_headers: [C, D] }
",
    );
    let line = |config: &dhow_config::Config| {
        deploy_app_to(Dialect::Kamal, config, role(config, "web"), "v9", "id")
            .unwrap()
            .real()
    };
    assert_eq!(
        line(&all),
        format!(
            r#"{DEPLOY} app-web --target="id:3000" --host="a.com" --host=" b.com" --tls --tls-certificate-path="/home/kamal-proxy/.apps-config/app/tls/web/cert.pem" --tls-private-key-path="/home/kamal-proxy/.apps-config/app/tls/web/key.pem" --deploy-timeout="60s" --drain-timeout="20s" --health-check-interval="0s" --health-check-timeout="4s" --health-check-path="/hc" --target-timeout="0s" --buffer-requests="false" --buffer-responses --buffer-memory="0" --max-request-body="0" --max-response-body="5" --path-prefix="/x" --path-prefix="/y" --strip-path-prefix="false" --forward-headers --tls-redirect="false" --log-request-header="A" --log-request-header="B" --log-response-header="C" --log-response-header="D" --error-pages="/home/kamal-proxy/.apps-config/app/error_pages/v9""#
        )
    );
    let other = config(
        "servers: [1.1.1.1]
proxy: { hosts: [a.com, b.com], ssl: true, ssl_redirect: true, forward_headers: false, strip_path_prefix: true, path_prefix: '/x,/y', buffering: { responses: false } }
",
    );
    assert_eq!(
        line(&other),
        format!(
            r#"{DEPLOY} app-web --target="id:80" --host="a.com" --host="b.com" --tls --deploy-timeout="30s" --drain-timeout="30s" --buffer-requests --buffer-responses="false" --path-prefix="/x" --path-prefix="/y" --strip-path-prefix --forward-headers="false" --tls-redirect --log-request-header="Cache-Control" --log-request-header="Last-Modified" --log-request-header="User-Agent""#
        )
    );
}

#[test]
fn config_item_7_13_own_certificates_of_a_role_and_of_an_accessory() {
    let text = "servers: { web: { hosts: [1.1.1.1], proxy: { host: a.com, ssl: { certificate_pem: C, private_key_pem: K } } } }
accessories: { search: { image: s, host: 1.1.1.2, proxy: { host: s.com, ssl: { certificate_pem: C, private_key_pem: K } } } }
";
    for (config, folder) in [(config(text), "app"), (staged(text), "app-st")] {
        let inside = format!("/home/kamal-proxy/.apps-config/{folder}/tls");
        let line = deploy_app_to(Dialect::Kamal, &config, role(&config, "web"), "1", "id")
            .unwrap()
            .real();
        let flags = format!(
            r#" --tls --tls-certificate-path="{inside}/web/cert.pem" --tls-private-key-path="{inside}/web/key.pem" "#
        );
        assert!(line.contains(&flags), "{line}");
        let search = config.accessory("search").unwrap();
        let line = deploy_accessory(&config, search, "1", "id").unwrap().real();
        let flags = format!(
            r#" app-search --target="id:80" --host="s.com" --tls --tls-certificate-path="{inside}/cert.pem" --tls-private-key-path="{inside}/key.pem" "#
        );
        assert!(line.contains(&flags), "{line}");
    }
}

#[test]
fn config_item_7_15_error_pages_with_destination_and_version() {
    let text = "servers: [1.1.1.1]\nerror_pages_path: public\n";
    for (config, folder) in [(config(text), "app"), (staged(text), "app-st")] {
        let line = deploy_app_to(Dialect::Kamal, &config, role(&config, "web"), "v9", "id")
            .unwrap()
            .real();
        let flag =
            format!(r#" --error-pages="/home/kamal-proxy/.apps-config/{folder}/error_pages/v9""#);
        assert!(line.ends_with(&flag), "{line}");
    }
}

#[test]
fn config_item_7_16_the_run_line_of_the_deploy_file() {
    const FIXED: &str = "docker run --name kamal-proxy --network kamal --detach --restart unless-stopped --volume kamal-proxy-config:/home/kamal-proxy/.config/kamal-proxy --volume $PWD/.kamal/proxy/apps-config:/home/kamal-proxy/.apps-config";
    let line = |settings: &str| {
        let config = config(&format!(
            "servers: [1.1.1.1]\nproxy: {{ run: {{ {settings} }} }}\n"
        ));
        let line = run(config.proxy_run("1.1.1.1"), ProxyImage::KAMAL).real();
        let rest = line.strip_prefix(FIXED).map(str::to_owned);
        rest.unwrap_or(line)
    };
    for (settings, rest) in [
        (
            "debug: false",
            " --publish 80:80 --publish 443:443 --log-opt max-size=10m basecamp/kamal-proxy:v0.9.2 kamal-proxy run",
        ),
        (
            "http_port: 8080, https_port: 8443, bind_ips: [127.0.0.1, '::1', '[::2]'], metrics_port: 9090, debug: true, log_max_size: 5m, registry: 'reg:5000', repository: my/proxy, version: v1",
            r#" --publish 127.0.0.1:8080:80 --publish 127.0.0.1:8443:443 --publish [::1]:8080:80 --publish [::1]:8443:443 --publish [::2]:8080:80 --publish [::2]:8443:443 --log-opt max-size=5m --expose=9090 reg:5000/my/proxy:v1 kamal-proxy run --debug --metrics-port "9090""#,
        ),
        (
            "publish: false, log_max_size: ''",
            " basecamp/kamal-proxy:v0.9.2 kamal-proxy run",
        ),
        (
            "publish: false, options: { memory: 512m, label: [a=b, 'c=d $e'], init: true, tls: false }",
            r#" --log-opt max-size=10m --memory "512m" --label "a=b" --label "c=d \$e" --init --tls "false" basecamp/kamal-proxy:v0.9.2 kamal-proxy run"#,
        ),
    ] {
        assert_eq!(line(settings), rest, "{settings}");
    }
}

/// Which image is the default is dhow's own (see `differences`); the line is Kamal's when Kamal's is asked for.
#[test]
fn config_item_7_17_four_defaults_that_files_on_the_host_replace() {
    let fixed = "xargs docker run --name kamal-proxy --network kamal --detach --restart unless-stopped --volume kamal-proxy-config:/home/kamal-proxy/.config/kamal-proxy --volume $PWD/.kamal/proxy/apps-config:/home/kamal-proxy/.apps-config";
    let file = |name: &str, default: &str| {
        format!(r#"$(cat .kamal/proxy/{name} 2> /dev/null || echo "{default}")"#)
    };
    let echo = format!(
        "echo {} {}:{} {}",
        file(
            "options",
            "--publish 80:80 --publish 443:443 --log-opt max-size=10m"
        ),
        file("image", "basecamp/kamal-proxy"),
        file("image_version", "v0.9.2"),
        file("run_command", ""),
    );
    let none = config("servers: [1.1.1.1]\nproxy: { run: {} }\n");
    assert_eq!(
        boot(none.proxy_run("1.1.1.1"), ProxyImage::KAMAL).real(),
        format!("docker container start kamal-proxy || {echo} | {fixed}")
    );
}

/// The message stands where the plan is made: `item_184_a_proxy_that_is_too_old_stops_the_plan_and_names_its_host`.
#[test]
fn config_item_7_18_the_lowest_version_of_the_proxy() {
    for old in ["v0.9.1", "0.9.1", "v0.8.99", "v0.9", "v0.9.1.9"] {
        assert!(is_too_old(old), "{old}");
    }
    for new in ["v0.9.2", "0.9.2", "v0.9.10", "v0.10.0", "v1.0.0", "latest"] {
        assert!(!is_too_old(new), "{new}");
    }
}

#[test]
fn config_item_7_19_stop_resume_and_remove() {
    const PROXY: &str = "docker exec kamal-proxy kamal-proxy";
    assert_eq!(
        stop("app-web-st", 10, None).real(),
        format!(r#"{PROXY} stop app-web-st --drain-timeout="10s""#)
    );
    assert_eq!(
        stop("app-web", 30, Some("Back \"soon\"")).real(),
        format!(r#"{PROXY} stop app-web --drain-timeout="30s" --message="Back \"soon\"""#)
    );
    assert_eq!(resume("app-web").real(), format!("{PROXY} resume app-web"));
    assert_eq!(remove("app-db").real(), format!("{PROXY} remove app-db"));
}
