//! Settings and configuration files folded into one plan for a host: pure, but for the files it reads.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::host_key::HostKeys;
use crate::auth::Credentials;
use crate::config::{self, ConfigError, HostConfig, IdentityAgent, Query, Tokens};
use crate::error::SshError;
use crate::settings::{HostKeyPolicy, Settings};

/// How many jump hosts may stand in a row; configuration files can name each other in circles.
const MAX_HOPS: usize = 8;

/// Everything known about how to reach one host.
pub(crate) struct Route {
    /// The host as the user named it.
    pub(crate) host: String,
    /// Name or address to dial.
    pub(crate) address: String,
    pub(crate) port: u16,
    pub(crate) via: Via,
    pub(crate) credentials: Credentials,
    pub(crate) host_keys: Arc<HostKeys>,
    pub(crate) forward_agent: bool,
    pub(crate) connect_timeout: Duration,
    pub(crate) keepalive_interval: Option<Duration>,
    pub(crate) keepalive_max: usize,
    /// `Some(true)`: IPv6 only, `Some(false)`: IPv4 only.
    pub(crate) only_ipv6: Option<bool>,
}

/// What carries the connection.
pub(crate) enum Via {
    Direct,
    /// A shell command line.
    Command(String),
    /// The jump hosts, first one first.
    Jump(Vec<Hop>),
}

/// One host as written in a jump specification.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Hop {
    pub(crate) user: Option<String>,
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

impl Route {
    /// The route to a host of the deploy, which may be written `user@host:port` as SSHKit allows. Blocks (files, `Match exec`).
    pub(crate) fn to_host(host: &str, settings: &Settings) -> Result<Self, SshError> {
        let written = hop(host, None).unwrap_or_else(|_| Hop {
            user: None,
            host: host.to_owned(),
            port: None,
        });
        let user = written.user.as_deref().unwrap_or(&settings.user);
        let port = written.port.unwrap_or(settings.port);
        let found = resolve(&written.host, Some(user), Some(port), settings)?;
        let explicit = match (&settings.jump, &settings.proxy_command) {
            // `ssh.proxy` names root when it names nobody.
            (Some(jump), _) => Some(Proxy::Jump(hops(host, jump, Some("root"))?)),
            (None, Some(command)) => Some(Proxy::Command(command.clone())),
            (None, None) => None,
        };
        Self::build(host, &written.host, &found, explicit, settings)
    }

    /// The route to the last of `hops`, through those before it. Blocks.
    pub(crate) fn to_hop(
        host: &str,
        hop: &Hop,
        before: &[Hop],
        settings: &Settings,
    ) -> Result<Self, SshError> {
        let found = resolve(&hop.host, hop.user.as_deref(), hop.port, settings).map_err(
            |error| match error {
                SshError::ConfigFile {
                    file, line, reason, ..
                } => SshError::ConfigFile {
                    host: host.to_owned(),
                    file,
                    line,
                    reason,
                },
                other => other,
            },
        )?;
        let explicit = (!before.is_empty()).then(|| Proxy::Jump(before.to_vec()));
        Self::build(&hop.host, &hop.host, &found, explicit, settings)
    }

    /// `host` is for messages, `name` for everything else.
    fn build(
        host: &str,
        name: &str,
        found: &HostConfig,
        explicit: Option<Proxy>,
        settings: &Settings,
    ) -> Result<Self, SshError> {
        let place = &settings.place;
        let address = found.host_name.clone().unwrap_or_else(|| name.to_owned());
        let port = found.port.unwrap_or(22);
        let user = found
            .user
            .clone()
            .unwrap_or_else(|| place.local_user.clone());
        let tokens = Tokens {
            host: &address,
            original: name,
            port,
            user: &user,
            jump: found.proxy_jump.as_deref().unwrap_or_default(),
            alias: found.host_key_alias.as_deref().unwrap_or(name),
            place,
        };

        let proxy = match explicit {
            Some(proxy) => Some(proxy),
            None => configured_proxy(host, found)?,
        };
        let via = match proxy {
            None => Via::Direct,
            Some(Proxy::Command(command)) => Via::Command(tokens.expand(&command).map_err(
                |reason| SshError::ProxyCommand {
                    host: host.to_owned(),
                    reason: format!("`{command}`: {reason}"),
                },
            )?),
            Some(Proxy::Jump(hops)) => {
                limit_hops(host, &hops, settings)?;
                Via::Jump(hops)
            }
        };

        let record = found.host_key_alias.clone();
        let host_keys = HostKeys {
            host: host.to_owned(),
            // An alias stands for the host whatever the port, as in OpenSSH.
            port: if record.is_some() { 22 } else { port },
            name: record.unwrap_or_else(|| address.clone()),
            policy: settings.host_keys.unwrap_or_else(|| policy(found)),
            user_files: found.user_known_hosts.clone().unwrap_or_else(|| {
                vec![
                    place.home.join(".ssh/known_hosts"),
                    place.home.join(".ssh/known_hosts2"),
                ]
            }),
            global_files: found.global_known_hosts.clone().unwrap_or_else(|| {
                vec![
                    PathBuf::from("/etc/ssh/ssh_known_hosts"),
                    PathBuf::from("/etc/ssh/ssh_known_hosts2"),
                ]
            }),
            hash_names: found.hash_known_hosts.unwrap_or(false),
            notify: settings.notify.clone(),
        };

        Ok(Self {
            credentials: credentials(host, &user, found, settings),
            forward_agent: settings
                .forward_agent
                .or(found.forward_agent)
                .unwrap_or(true),
            connect_timeout: found.connect_timeout.unwrap_or(settings.connect_timeout),
            keepalive_interval: Some(
                found
                    .server_alive_interval
                    .unwrap_or(settings.keepalive_interval),
            )
            .filter(|interval| !interval.is_zero()),
            keepalive_max: found
                .server_alive_count_max
                .unwrap_or(settings.keepalive_max),
            only_ipv6: found.only_ipv6,
            host: host.to_owned(),
            host_keys: Arc::new(host_keys),
            address,
            port,
            via,
        })
    }

    /// The longest silence before the connection is given up.
    #[cfg(target_os = "linux")]
    pub(crate) fn patience(&self) -> Option<Duration> {
        let times = u32::try_from(self.keepalive_max)
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        self.keepalive_interval
            .map(|interval| interval.saturating_mul(times))
    }
}

enum Proxy {
    Command(String),
    Jump(Vec<Hop>),
}

fn resolve(
    host: &str,
    user: Option<&str>,
    port: Option<u16>,
    settings: &Settings,
) -> Result<HostConfig, SshError> {
    let query = Query { host, user, port };
    config::resolve(&settings.config_files, query, &settings.place).map_err(|error| {
        let ConfigError { file, line, reason } = error;
        SshError::ConfigFile {
            host: host.to_owned(),
            file,
            line,
            reason,
        }
    })
}

fn configured_proxy(host: &str, found: &HostConfig) -> Result<Option<Proxy>, SshError> {
    let some = |text: &Option<String>| {
        text.clone()
            .filter(|text| !text.eq_ignore_ascii_case("none"))
    };
    if let Some(jump) = some(&found.proxy_jump) {
        return Ok(Some(Proxy::Jump(hops(host, &jump, None)?)));
    }
    Ok(some(&found.proxy_command).map(Proxy::Command))
}

/// Follows the jump hosts that the configuration gives the first of `hops`, and so on: hosts that jump through each other would wait for
/// each other without end.
fn limit_hops(host: &str, hops: &[Hop], settings: &Settings) -> Result<(), SshError> {
    let mut total = hops.len();
    let mut first = hops.first().cloned();
    while let Some(hop) = first {
        if total > MAX_HOPS {
            return Err(SshError::JumpSpec {
                host: host.to_owned(),
                spec: hop.host,
                reason: format!("more than {MAX_HOPS} jump hosts in a row"),
            });
        }
        let found = resolve(&hop.host, hop.user.as_deref(), hop.port, settings)?;
        first = match configured_proxy(&hop.host, &found)? {
            Some(Proxy::Jump(more)) => {
                total += more.len();
                more.first().cloned()
            }
            Some(Proxy::Command(_)) | None => None,
        };
    }
    Ok(())
}

fn policy(found: &HostConfig) -> HostKeyPolicy {
    match found.strict_host_key_checking.as_deref() {
        Some("yes" | "true") => HostKeyPolicy::Strict,
        Some("no" | "off" | "false") => HostKeyPolicy::Off,
        _ => HostKeyPolicy::AcceptNew,
    }
}

fn credentials(host: &str, user: &str, found: &HostConfig, settings: &Settings) -> Credentials {
    let place = &settings.place;
    let mut files: Vec<PathBuf> = settings
        .keys
        .iter()
        .map(|path| match path.strip_prefix("~") {
            Ok(rest) => place.home.join(rest),
            Err(_) => place.cwd.join(path),
        })
        .collect();
    files.extend(found.identity_files.iter().cloned());
    let named = !files.is_empty() || !settings.key_data.is_empty() || found.no_identity_files;
    if !named {
        files.extend(
            crate::auth::DEFAULT_NAMES
                .iter()
                .map(|name| place.home.join(".ssh").join(name)),
        );
    }
    let agent = match &found.identity_agent {
        Some(IdentityAgent::None) => None,
        Some(IdentityAgent::Socket(socket)) => Some(socket.clone()),
        Some(IdentityAgent::Environment) | None => place.agent_socket.clone(),
    };
    let questions = !found.batch_mode.unwrap_or(false);
    Credentials {
        host: host.to_owned(),
        user: user.to_owned(),
        files,
        certificates: found.certificate_files.clone(),
        use_data: true,
        only_these: settings.keys_only || found.identities_only.unwrap_or(false),
        agent,
        publickey: found.pubkey_authentication.unwrap_or(true),
        password: questions && found.password_authentication.unwrap_or(true),
        challenge: questions && found.kbd_interactive_authentication.unwrap_or(true),
    }
}

/// Reads `[user@]host[:port]`, several joined by commas, each also as `ssh://…`; hosts with colons stand in brackets.
pub(crate) fn hops(
    host: &str,
    text: &str,
    default_user: Option<&str>,
) -> Result<Vec<Hop>, SshError> {
    text.split(',')
        .map(|spec| {
            hop(spec.trim(), default_user).map_err(|reason| SshError::JumpSpec {
                host: host.to_owned(),
                spec: spec.to_owned(),
                reason,
            })
        })
        .collect()
}

fn hop(spec: &str, default_user: Option<&str>) -> Result<Hop, String> {
    let spec = spec.strip_prefix("ssh://").unwrap_or(spec);
    let spec = spec.strip_suffix('/').unwrap_or(spec);
    let (user, rest) = match spec.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (default_user, spec),
    };
    let (name, port) = match rest.strip_prefix('[').map(|inner| inner.split_once(']')) {
        Some(Some((name, ""))) => (name, None),
        Some(Some((name, tail))) => (name, Some(tail.strip_prefix(':').ok_or("text after `]`")?)),
        Some(None) => return Err("`[` without `]`".to_owned()),
        None => match rest.split_once(':') {
            // More than one colon and no brackets is an IPv6 address as it stands.
            Some((_, tail)) if tail.contains(':') => (rest, None),
            Some((name, port)) => (name, Some(port)),
            None => (rest, None),
        },
    };
    if name.is_empty() {
        return Err("no host".to_owned());
    }
    if user == Some("") {
        return Err("no user before `@`".to_owned());
    }
    let port = match port {
        None => None,
        Some(text) => Some(
            text.parse()
                .ok()
                .filter(|port| *port != 0)
                .ok_or_else(|| format!("bad port `{text}`"))?,
        ),
    };
    Ok(Hop {
        user: user.map(str::to_owned),
        host: name.to_owned(),
        port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(spec: &str) -> Option<(Option<String>, String, Option<u16>)> {
        hop(spec, Some("root"))
            .ok()
            .map(|hop| (hop.user, hop.host, hop.port))
    }

    fn settings() -> Settings {
        let mut settings = Settings::new(config::place());
        settings.user = "deploy".into();
        settings
    }

    #[test]
    fn a_host_may_bring_its_user_and_port() {
        for (host, address, port, user) in [
            ("web", "web", 22, "deploy"),
            ("10.0.0.1:2222", "10.0.0.1", 2222, "deploy"),
            ("me@web", "web", 22, "me"),
            ("me@[fe80::1]:7", "fe80::1", 7, "me"),
            ("fe80::1", "fe80::1", 22, "deploy"),
        ] {
            let route = Route::to_host(host, &settings()).unwrap();
            assert_eq!(
                (route.address.as_str(), route.port),
                (address, port),
                "{host}"
            );
            assert_eq!(
                (route.credentials.user.as_str(), route.host.as_str()),
                (user, host)
            );
        }
    }

    #[test]
    fn keys_named_anywhere_put_the_default_names_out() {
        let files = |settings: &Settings| {
            let route = Route::to_host("web", settings).unwrap();
            let files = route.credentials.files.iter();
            files
                .map(|file| file.display().to_string())
                .collect::<Vec<_>>()
        };
        let mut settings = settings();
        assert_eq!(
            files(&settings),
            [
                "/home/me/.ssh/id_ed25519",
                "/home/me/.ssh/id_ecdsa",
                "/home/me/.ssh/id_rsa"
            ]
        );
        settings.keys = vec!["~/a".into(), "b".into(), "/c".into()];
        assert_eq!(files(&settings), ["/home/me/a", "/srv/app/b", "/c"]);
        settings.keys.clear();
        settings.key_data = vec![crate::secret::Secret::new("text")];
        assert!(files(&settings).is_empty());
    }

    /// parity: commands 241
    #[test]
    fn jump_hosts_win_over_commands_and_default_to_root() {
        let mut settings = settings();
        settings.proxy_command = Some("nc %h %p".into());
        let route = Route::to_host("web", &settings).unwrap();
        assert!(matches!(&route.via, Via::Command(command) if command == "nc web 22"));
        settings.jump = Some("gate".into());
        let route = Route::to_host("web", &settings).unwrap();
        let Via::Jump(hops) = &route.via else {
            panic!("no jump host")
        };
        assert_eq!(hops[0].user.as_deref(), Some("root"));
    }

    #[test]
    fn jump_specifications() {
        let root = || Some("root".to_owned());
        assert_eq!(one("gate"), Some((root(), "gate".into(), None)));
        assert_eq!(
            one("me@gate:2222"),
            Some((Some("me".into()), "gate".into(), Some(2222)))
        );
        assert_eq!(
            one("me@[::1]:22"),
            Some((Some("me".into()), "::1".into(), Some(22)))
        );
        assert_eq!(one("[::1]"), Some((root(), "::1".into(), None)));
        assert_eq!(one("fe80::1"), Some((root(), "fe80::1".into(), None)));
        assert_eq!(
            one("ssh://me@gate:1/"),
            Some((Some("me".into()), "gate".into(), Some(1)))
        );
        for bad in [
            "",
            "@",
            "me@",
            "@gate",
            "gate:",
            "gate:0",
            "gate:99999",
            "[::1",
            "[::1]x",
        ] {
            assert_eq!(one(bad), None, "{bad}");
        }
        assert_eq!(hops("h", "a, b@c:3", None).unwrap().len(), 2);
    }
}
