//! Registries: log in, log out, and the one on the deployer's own machine.
//!
//! In: a registry section and its credentials, looked up. Out: commands for hosts and for the deployer's machine.

use dhow_config::Registry;
use dhow_text::redact::Secret;
use dhow_text::shell::{Cmd, quote_value};

/// The container of the registry on the deployer's machine.
pub const LOCAL_CONTAINER: &str = "kamal-docker-registry";

/// Logs docker in. The password goes to the command's standard input, the user name is not shown. Nothing for a registry on the
/// deployer's machine, which asks nobody who they are.
pub fn login(registry: &Registry, username: &Secret, password: &Secret) -> Option<Cmd> {
    if registry.is_local() {
        return None;
    }
    Some(
        Cmd::docker("login")
            .args(registry.server.as_deref())
            .arg("-u")
            .hidden(Secret::new(quote_value(username.reveal())))
            .arg("--password-stdin")
            .stdin(password.clone()),
    )
}

/// Logs docker out.
pub fn logout(registry: &Registry) -> Cmd {
    Cmd::docker("logout").args(registry.server.as_deref())
}

/// Starts the registry on the deployer's machine, on a port of the loopback address.
pub fn start_local(port: u16) -> Cmd {
    Cmd::docker("start")
        .arg(LOCAL_CONTAINER)
        .or(Cmd::docker("run --detach -p")
            .arg(format!("127.0.0.1:{port}:5000"))
            .args(["--name", LOCAL_CONTAINER, "registry:3"]))
}

/// Stops and removes the registry on the deployer's machine.
pub fn remove_local() -> Cmd {
    Cmd::docker("stop")
        .arg(LOCAL_CONTAINER)
        .and(Cmd::docker("rm").arg(LOCAL_CONTAINER))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::app;

    /// As Kamal's, but for the password: it never stands on an argument list.
    #[test]
    fn item_211_login_and_logout() {
        let mut registry = app().registry;
        let user = Secret::new("user");
        let password = Secret::new("p$w");
        let cmd = login(&registry, &user, &password).expect("a remote registry");
        assert_eq!(cmd.real(), r#"docker login -u "user" --password-stdin"#);
        assert_eq!(
            cmd.redacted(),
            "docker login -u [REDACTED] --password-stdin"
        );
        assert_eq!(cmd.input(), Some(&password));
        assert_eq!(logout(&registry).real(), "docker logout");

        registry.server = Some("ghcr.io".to_owned());
        let cmd = login(&registry, &Secret::new("a$b"), &password).expect("a remote registry");
        assert_eq!(
            cmd.real(),
            r#"docker login ghcr.io -u "a\$b" --password-stdin"#
        );
        assert_eq!(logout(&registry).real(), "docker logout ghcr.io");
    }

    #[test]
    fn item_125_no_login_at_a_local_registry() {
        let none = Secret::new("");
        assert_eq!(login(&Registry::omitted(), &none, &none), None);
    }

    #[test]
    fn item_212_local_registry() {
        assert_eq!(
            start_local(5555).real(),
            "docker start kamal-docker-registry || docker run --detach -p 127.0.0.1:5555:5000 --name kamal-docker-registry registry:3"
        );
        assert_eq!(
            remove_local().real(),
            "docker stop kamal-docker-registry && docker rm kamal-docker-registry"
        );
    }
}
