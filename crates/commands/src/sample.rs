//! Deploy files for this crate's tests: the one of the golden transcript, and the same with a destination.

use dhow_config::{
    Accessory, Boot, Builder, Config, Credential, Env, HooksOutput, Host, Logging, Mount, Output,
    Pairs, Proxy, Registry, Role, SecretRef, Ssh, Sshkit, UploadedFile,
};
use dhow_text::redact::Secret;
use dhow_text::shell::ShellValue;

pub(crate) fn text(value: &str) -> ShellValue {
    ShellValue::Text(value.to_owned())
}

pub(crate) fn pairs(pairs: &[(&str, &str)]) -> Pairs {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), text(value)))
        .collect()
}

/// Service `app`, image `dhh/app`, role `web` behind the proxy and role `workers` not, accessory `db`.
pub(crate) fn app() -> Config {
    let env = Env {
        clear: pairs(&[("A", "b")]),
        secrets: vec![SecretRef::new("TOKEN")],
    };
    Config {
        extension: dhow_config::Extension::default(),
        service: "app".to_owned(),
        image: "dhh/app".to_owned(),
        destination: None,
        labels: Vec::new(),
        volumes: Vec::new(),
        registry: Registry {
            server: None,
            username: Some(Credential::Literal(Secret::new("user"))),
            password: Some(Credential::Secret("PASSWORD".to_owned())),
            omitted: false,
        },
        roles: vec![
            Role {
                proxy: Some(proxy()),
                primary: true,
                ..bare_role("web", "127.0.0.1")
            },
            bare_role("workers", "127.0.0.1"),
        ],
        primary_role: "web".to_owned(),
        env,
        env_tags: Vec::new(),
        accessories: vec![db()],
        aliases: Vec::new(),
        boot: Boot::default(),
        builder: builder(),
        logging: Logging::default(),
        output: Output::default(),
        proxy: proxy(),
        ssh: Ssh::default(),
        sshkit: Sshkit::default(),
        asset_path: None,
        hooks_path: ".kamal/hooks".to_owned(),
        hooks_output: HooksOutput::default(),
        secrets_path: ".kamal/secrets".to_owned(),
        error_pages_path: None,
        require_destination: false,
        allow_empty_roles: false,
        retain_containers: 5,
        minimum_version: None,
        readiness_delay: 7,
        deploy_timeout: 30,
        drain_timeout: 30,
        stop_timeout: None,
    }
}

/// [`app`] with destination `stg`.
pub(crate) fn staged() -> Config {
    Config {
        destination: Some("stg".to_owned()),
        ..app()
    }
}

/// A role by its name.
pub(crate) fn role<'c>(config: &'c Config, name: &str) -> &'c Role {
    config.role(name).expect("the sample has this role")
}

/// A role by its name, to change it.
pub(crate) fn role_mut<'c>(config: &'c mut Config, name: &str) -> &'c mut Role {
    let found = config.roles.iter_mut().find(|role| role.name == name);
    found.expect("the sample has this role")
}

/// An accessory by its name.
pub(crate) fn accessory<'c>(config: &'c Config, name: &str) -> &'c Accessory {
    config
        .accessory(name)
        .expect("the sample has this accessory")
}

/// A role without anything, not behind the proxy.
pub(crate) fn bare_role(name: &str, host: &str) -> Role {
    Role {
        name: name.to_owned(),
        hosts: vec![Host {
            name: host.to_owned(),
            tags: Vec::new(),
        }],
        primary: false,
        cmd: None,
        stop_timeout: None,
        options: Vec::new(),
        restart: "unless-stopped".to_owned(),
        logging: Logging::default(),
        proxy: None,
        labels: Vec::new(),
        env: Env::default(),
        assets: None,
    }
}

fn proxy() -> Proxy {
    Proxy {
        hosts: vec!["app.example.com".to_owned()],
        ..Proxy::default()
    }
}

/// The accessory of the golden transcript.
fn db() -> Accessory {
    Accessory {
        name: "db".to_owned(),
        service_name: "app-db".to_owned(),
        image: "mysql:8".to_owned(),
        registry: None,
        hosts: vec!["127.0.0.3".to_owned()],
        cmd: None,
        publish: Some("3306:3306".to_owned()),
        labels: Vec::new(),
        options: Vec::new(),
        restart: "unless-stopped".to_owned(),
        env: Env {
            clear: pairs(&[("X", "%")]),
            secrets: Vec::new(),
        },
        files: vec![UploadedFile {
            local: "d.yml".to_owned(),
            remote: "/etc/d.yml".to_owned(),
            options: None,
            mode: "755".to_owned(),
            owner: None,
        }],
        directories: vec![Mount {
            host_path: "data".to_owned(),
            remote: "/var/lib/mysql".to_owned(),
            options: None,
            mode: None,
            owner: None,
        }],
        volumes: Vec::new(),
        network: "kamal".to_owned(),
        proxy: None,
    }
}

fn builder() -> Builder {
    Builder {
        arches: vec!["amd64".to_owned()],
        local: true,
        dockerfile: "Dockerfile".to_owned(),
        driver: "docker-container".to_owned(),
        ..Builder::default()
    }
}
