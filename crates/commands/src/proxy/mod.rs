//! kamal-proxy: its container on a host, and what it is told of the services behind it.
//!
//! In: proxy settings of roles and accessories, and which image is the default. Out: commands for the proxy's hosts.

mod boot_config;
mod container;
mod image;
mod own;
mod run;
mod service;

pub use boot_config::{BootConfig, BootFile, InvalidBindAddress, reset as reset_boot_config};
pub use container::{
    details, follow_logs, is_too_old, logs, make_apps_config_directory, make_directory,
    number_of_apps, remove_container, remove_directory, remove_image, remove_traefik,
    running_version, start, stop_container,
};
pub use image::ProxyImage;
pub use own::{Dialect, is_own_image, needs_own};
pub use run::{
    boot, boot_config, create_extended, publish_address, run, run_command, run_extended, run_image,
};
pub use service::{
    Target, accessory_target, deploy, deploy_accessory, deploy_app_to, deploy_args, list, remove,
    resume, role_target, stop,
};

/// The proxy container's name.
pub const CONTAINER: &str = "kamal-proxy";
/// A container that is made for comparison and never started.
pub const NEXT_CONTAINER: &str = "kamal-proxy_next";
/// Where the program is in the container of dhow's own proxy.
pub const PROGRAM: &str = "/usr/local/bin/kamal-proxy";
/// Where a newer one is put first.
pub const STAGED_PROGRAM: &str = "/usr/local/kamal-proxy";
/// The oldest proxy that a deploy can work with.
pub const MINIMUM_VERSION: &str = "v0.9.2";
