//! Where things are on a host, relative to the login directory, and where the proxy container sees them.
//!
//! In: names from the deploy file. Out: paths, bare (no trailing slash unless said so).

use dhow_config::{Accessory, Config, Role};

use crate::VersionRef;

/// The run directory: everything but accessories' own files is below it.
pub const RUN_DIRECTORY: &str = ".kamal";
/// Apps that were deployed to the host, one directory each.
pub const APPS: &str = ".kamal/apps";
/// The proxy's directory.
pub const PROXY: &str = ".kamal/proxy";
/// Per-app files that the proxy container sees.
pub const PROXY_APPS_CONFIG: &str = ".kamal/proxy/apps-config";
/// What a proxy's container has become since it was made: container id, image, content label.
pub const PROXY_IN_PLACE: &str = ".kamal/proxy/in_place";
/// [`PROXY_APPS_CONFIG`] inside the proxy container.
pub const PROXY_APPS_CONFIG_INSIDE: &str = "/home/kamal-proxy/.apps-config";

/// The audit log.
pub fn audit_log(config: &Config) -> String {
    format!(
        "{RUN_DIRECTORY}/{}-audit.log",
        config.service_and_destination()
    )
}

/// The directory that is the deploy lock.
pub fn lock(config: &Config) -> String {
    format!("{RUN_DIRECTORY}/lock-{}", config.service_and_destination())
}

/// Everything of the app but its lock and its audit log.
pub fn app(config: &Config) -> String {
    format!("{APPS}/{}", config.service_and_destination())
}

/// The directory of roles' env files.
pub fn role_env_directory(config: &Config) -> String {
    format!("{}/env/roles", app(config))
}

/// A role's env file.
pub fn role_env_file(config: &Config, role: &Role) -> String {
    format!("{}/{}.env", role_env_directory(config), role.name)
}

/// The directory of accessories' env files.
pub fn accessory_env_directory(config: &Config) -> String {
    format!("{}/env/accessories", app(config))
}

/// An accessory's env file.
pub fn accessory_env_file(config: &Config, accessory: &Accessory) -> String {
    format!("{}/{}.env", accessory_env_directory(config), accessory.name)
}

/// The directory of assets as they came out of images.
pub fn extracted_assets_directory(config: &Config) -> String {
    format!("{}/assets/extracted", app(config))
}

/// A version's assets as they came out of its image.
pub fn extracted_assets<'v>(
    config: &Config,
    role: &Role,
    version: impl Into<VersionRef<'v>>,
) -> String {
    let directory = extracted_assets_directory(config);
    format!("{directory}/{}-{}", role.name, version.into())
}

/// The directory of asset volumes.
pub fn asset_volumes_directory(config: &Config) -> String {
    format!("{}/assets/volumes", app(config))
}

/// The assets that a version's containers serve: its own and its neighbours'.
pub fn asset_volume<'v>(
    config: &Config,
    role: &Role,
    version: impl Into<VersionRef<'v>>,
) -> String {
    let directory = asset_volumes_directory(config);
    format!("{directory}/{}-{}", role.name, version.into())
}

/// The app's files that the proxy container sees.
pub fn proxy_app(config: &Config) -> String {
    format!("{PROXY_APPS_CONFIG}/{}", config.service_and_destination())
}

/// The directory of error pages, one directory a version.
pub fn error_pages_directory(config: &Config) -> String {
    format!("{}/error_pages", proxy_app(config))
}

/// A version's error pages.
pub fn error_pages(config: &Config, version: &str) -> String {
    format!("{}/{version}", error_pages_directory(config))
}

/// A version's error pages inside the proxy container.
pub fn error_pages_inside(config: &Config, version: &str) -> String {
    format!("{}/error_pages/{version}", proxy_app_inside(config))
}

/// The directory of a role's own certificate.
pub fn tls_directory(config: &Config, role: &Role) -> String {
    format!("{}/tls/{}", proxy_app(config), role.name)
}

/// A role's own certificate.
pub fn tls_certificate(config: &Config, role: &Role) -> String {
    format!("{}/cert.pem", tls_directory(config, role))
}

/// The key of a role's own certificate.
pub fn tls_key(config: &Config, role: &Role) -> String {
    format!("{}/key.pem", tls_directory(config, role))
}

/// The directory of a certificate inside the proxy container: a role's, or (without a role) an accessory's.
pub fn tls_directory_inside(config: &Config, role: Option<&str>) -> String {
    let tls = format!("{}/tls", proxy_app_inside(config));
    match role {
        Some(role) => format!("{tls}/{role}"),
        None => tls,
    }
}

fn proxy_app_inside(config: &Config) -> String {
    format!(
        "{PROXY_APPS_CONFIG_INSIDE}/{}",
        config.service_and_destination()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{accessory, app as sample, role, staged};

    /// Configuration checklist 14.06 and 14.14.
    #[test]
    fn config_item_14_06_every_path_with_and_without_destination() {
        let paths = |config: &Config| {
            let web = role(config, "web");
            let db = accessory(config, "db");
            [
                audit_log(config),
                lock(config),
                role_env_file(config, web),
                accessory_env_file(config, db),
                extracted_assets(config, web, "1"),
                asset_volume(config, web, "1"),
                error_pages(config, "1"),
                error_pages_inside(config, "1"),
                tls_certificate(config, web),
                tls_key(config, web),
                tls_directory_inside(config, Some("web")),
                tls_directory_inside(config, None),
            ]
        };
        assert_eq!(
            paths(&sample()),
            [
                ".kamal/app-audit.log",
                ".kamal/lock-app",
                ".kamal/apps/app/env/roles/web.env",
                ".kamal/apps/app/env/accessories/db.env",
                ".kamal/apps/app/assets/extracted/web-1",
                ".kamal/apps/app/assets/volumes/web-1",
                ".kamal/proxy/apps-config/app/error_pages/1",
                "/home/kamal-proxy/.apps-config/app/error_pages/1",
                ".kamal/proxy/apps-config/app/tls/web/cert.pem",
                ".kamal/proxy/apps-config/app/tls/web/key.pem",
                "/home/kamal-proxy/.apps-config/app/tls/web",
                "/home/kamal-proxy/.apps-config/app/tls",
            ]
        );
        assert_eq!(
            paths(&staged()),
            [
                ".kamal/app-stg-audit.log",
                ".kamal/lock-app-stg",
                ".kamal/apps/app-stg/env/roles/web.env",
                ".kamal/apps/app-stg/env/accessories/db.env",
                ".kamal/apps/app-stg/assets/extracted/web-1",
                ".kamal/apps/app-stg/assets/volumes/web-1",
                ".kamal/proxy/apps-config/app-stg/error_pages/1",
                "/home/kamal-proxy/.apps-config/app-stg/error_pages/1",
                ".kamal/proxy/apps-config/app-stg/tls/web/cert.pem",
                ".kamal/proxy/apps-config/app-stg/tls/web/key.pem",
                "/home/kamal-proxy/.apps-config/app-stg/tls/web",
                "/home/kamal-proxy/.apps-config/app-stg/tls",
            ]
        );
    }
}
