//! A role's own certificate, where the proxy container sees it.
//!
//! In: certificate and key, PEM. Out: a command and two uploads for the role's hosts.

use dhow_config::{Config, Role};
use dhow_text::redact::Secret;
use dhow_text::shell::Cmd;

use crate::{Upload, paths};

/// Makes the directory of the role's certificate.
pub fn make_directory(config: &Config, role: &Role) -> Cmd {
    Cmd::new("mkdir")
        .arg("-p")
        .arg(paths::tls_directory(config, role))
}

/// Certificate and key. Everyone on the host may read them, as Kamal has it: the proxy runs under another user id there.
pub fn uploads(config: &Config, role: &Role, certificate: Secret, key: Secret) -> [Upload; 2] {
    [
        Upload::secret(paths::tls_certificate(config, role), 0o644, certificate),
        Upload::secret(paths::tls_key(config, role), 0o644, key),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{app, role, staged};

    #[test]
    fn item_165_directory_and_two_uploads() {
        for (config, sd) in [(app(), "app"), (staged(), "app-stg")] {
            let web = role(&config, "web");
            let directory = format!(".kamal/proxy/apps-config/{sd}/tls/web");
            assert_eq!(
                make_directory(&config, web).real(),
                format!("mkdir -p {directory}")
            );
            let [certificate, key] = uploads(&config, web, Secret::new("C"), Secret::new("K"));
            assert_eq!(certificate.path, format!("{directory}/cert.pem"));
            assert_eq!(key.path, format!("{directory}/key.pem"));
            assert_eq!((certificate.mode, key.mode), (0o644, 0o644));
            assert_eq!((certificate.bytes(), key.bytes()), (&b"C"[..], &b"K"[..]));
            assert!(certificate.is_secret() && key.is_secret());
        }
    }
}
