//! The app's image on a host: pull it, check it, remove it.
//!
//! In: a version. Out: commands for the app's hosts.

use dhow_config::Config;
use dhow_text::shell::Cmd;

/// What a failed [`first_mirror`] says when docker has no mirror.
pub const NO_MIRROR: &str = "error calling index: reflect: slice index out of range";

/// Removes a version's image, so that a pull brings the one that the registry has now.
pub fn remove(config: &Config, version: &str) -> Cmd {
    Cmd::docker("image rm --force").arg(config.absolute_image(version))
}

/// Pulls a version's image.
pub fn pull(config: &Config, version: &str) -> Cmd {
    Cmd::docker("pull").arg(config.absolute_image(version))
}

/// Fails, saying so, if a version's image was not built for this service: pruning goes by that label.
pub fn check_label(config: &Config, version: &str) -> Cmd {
    let image = config.absolute_image(version);
    Cmd::docker("inspect -f '{{ .Config.Labels.service }}'")
        .arg(image.as_str())
        .pipe(Cmd::new("grep").arg("-x").arg(config.service.as_str()))
        .or(Cmd::new(format!(
            "(echo \"Image {image} is missing the 'service' label\" && exit 1)"
        )))
}

/// Prints the first registry mirror that docker uses; fails with [`NO_MIRROR`] if it has none.
pub fn first_mirror() -> Cmd {
    Cmd::docker("info --format '{{index .RegistryConfig.Mirrors 0}}'")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{app, staged};

    /// Golden transcript, lines 3 to 5.
    #[test]
    fn item_128_and_129_pull_set() {
        for config in [app(), staged()] {
            assert_eq!(
                remove(&config, "123").real(),
                "docker image rm --force dhh/app:123"
            );
            assert_eq!(pull(&config, "123").real(), "docker pull dhh/app:123");
            assert_eq!(
                check_label(&config, "123").real(),
                "docker inspect -f '{{ .Config.Labels.service }}' dhh/app:123 | grep -x app || (echo \"Image dhh/app:123 is missing the 'service' label\" && exit 1)"
            );
        }
    }

    #[test]
    fn item_130_local_registry_is_part_of_the_name() {
        let mut config = app();
        config.registry = dhow_config::Registry::omitted();
        config.image = "app".to_owned();
        assert_eq!(
            pull(&config, "123").real(),
            "docker pull localhost:5555/app:123"
        );
    }

    #[test]
    fn item_126_mirror() {
        assert_eq!(
            first_mirror().real(),
            "docker info --format '{{index .RegistryConfig.Mirrors 0}}'"
        );
    }
}
