//! App containers: find them, run them, look into them, stop them.
//!
//! In: a role of a deploy file, a version. Out: commands for the role's hosts.

mod containers;
mod exec;
mod find;
mod logs;
mod run;

pub use containers::{
    container_logs, health_log, remove_container, remove_containers, remove_images, rename, start,
    status, stop, stop_current, stop_timeout, tag_latest,
};
pub use exec::{ExecOptions, Terminal, exec_container_name, exec_existing, exec_new};
pub use find::{
    container_id, current_container_id, current_version, info, list_containers, list_images,
    list_versions,
};
pub use logs::{follow_logs, logs};
pub use run::{labels, replaced_name, run};

use dhow_config::{Config, Role};
use dhow_text::redact::Secret;
use dhow_text::shell::Cmd;

use crate::{Upload, env_file, paths};

/// Makes the directory of roles' env files.
pub fn make_env_directory(config: &Config) -> Cmd {
    Cmd::new("mkdir")
        .arg("-p")
        .arg(paths::role_env_directory(config))
}

/// A role's env file: its secrets on one host, readable by the owner alone.
pub fn env_upload(config: &Config, role: &Role, secrets: &[(String, Secret)]) -> Upload {
    Upload::secret(paths::role_env_file(config, role), 0o600, env_file(secrets))
}

/// Removes what the app has on the host outside the proxy's directory: env files and assets.
pub fn remove_app_directory(config: &Config) -> Cmd {
    Cmd::new("rm").arg("-r").arg(paths::app(config))
}

/// Removes what the app has in the proxy's directory: error pages and certificates.
pub fn remove_proxy_app_directory(config: &Config) -> Cmd {
    Cmd::new("rm").arg("-r").arg(paths::proxy_app(config))
}

/// `--filter label=…` for the service, the destination and, if given, the role.
fn filters(config: &Config, role: Option<&Role>) -> Vec<String> {
    let destination = config.destination.as_deref().unwrap_or("");
    let mut words = label_filter("service", &config.service);
    words.extend(label_filter("destination", destination));
    if let Some(role) = role {
        words.extend(label_filter("role", &role.name));
    }
    words
}

fn label_filter(label: &str, value: &str) -> Vec<String> {
    vec!["--filter".to_owned(), format!("label={label}={value}")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{app, role, staged};

    #[test]
    fn item_68_envdir_envfile_appdir_rm_pxapp_rm() {
        for (config, sd) in [(app(), "app"), (staged(), "app-stg")] {
            assert_eq!(
                make_env_directory(&config).real(),
                format!("mkdir -p .kamal/apps/{sd}/env/roles")
            );
            assert_eq!(
                remove_app_directory(&config).real(),
                format!("rm -r .kamal/apps/{sd}")
            );
            assert_eq!(
                remove_proxy_app_directory(&config).real(),
                format!("rm -r .kamal/proxy/apps-config/{sd}")
            );
        }
        let config = staged();
        let secrets = [("TOKEN".to_owned(), Secret::new("hunter22"))];
        let upload = env_upload(&config, role(&config, "web"), &secrets);
        assert_eq!(upload.path, ".kamal/apps/app-stg/env/roles/web.env");
        assert_eq!(upload.mode, 0o600);
        assert_eq!(upload.bytes(), b"TOKEN=hunter22\n");
        assert!(upload.is_secret());
    }
}
