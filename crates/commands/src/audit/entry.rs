//! What audit entries say.

use std::fmt;

/// A message of the audit log; displayed, it is Kamal's text. Where [`Entry::tells_role`], the role is given as a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'e> {
    /// An image was pulled.
    PulledImage {
        /// Its version.
        version: &'e str,
    },
    /// A container was started.
    BootedApp {
        /// Its version.
        version: &'e str,
    },
    /// A container made way for one of the same version.
    RenamedContainer {
        /// Its version.
        from: &'e str,
        /// What its version is called from now on.
        to: &'e str,
    },
    /// An image became the latest one.
    TaggedLatest {
        /// The image.
        image: &'e str,
    },
    /// Old containers were removed.
    PrunedContainers,
    /// Old images were removed.
    PrunedImages,
    /// The proxy was replaced.
    RebootedProxy,
    /// The proxy was started.
    StartedProxy,
    /// The proxy was stopped.
    StoppedProxy,
    /// The proxy's container was removed.
    RemovedProxyContainer,
    /// The proxy's image was removed.
    RemovedProxyImage,
    /// An existing container was started.
    StartedApp {
        /// Its version.
        version: &'e str,
    },
    /// The running container was stopped.
    StoppedApp,
    /// All containers of a role were removed.
    RemovedAppContainers,
    /// One container was removed.
    RemovedAppContainer {
        /// Its version.
        version: &'e str,
    },
    /// All images were removed.
    RemovedAppImages,
    /// The app's directory was removed.
    RemovedAppDirectory {
        /// Its path.
        path: &'e str,
    },
    /// A command was run in a container of the app.
    ExecutedInApp {
        /// The command.
        command: &'e str,
        /// The container's version.
        version: &'e str,
        /// Whether the container was there already.
        reused: bool,
    },
    /// A command was run on a host, or in an accessory (`db accessory`).
    Executed {
        /// The command.
        command: &'e str,
        /// The host, or the accessory's name and the word `accessory`.
        on: &'e str,
    },
    /// An accessory was started for the first time.
    BootedAccessory(&'e str),
    /// An accessory was started.
    StartedAccessory(&'e str),
    /// An accessory was stopped.
    StoppedAccessory(&'e str),
    /// An accessory's image is pulled.
    PullAccessoryImage(&'e str),
    /// An accessory's container is removed.
    RemoveAccessoryContainer(&'e str),
    /// An accessory's image was removed.
    RemovedAccessoryImage(&'e str),
}

impl Entry<'_> {
    /// Whether the entry carries the role as a tag.
    pub fn tells_role(&self) -> bool {
        matches!(
            self,
            Self::BootedApp { .. }
                | Self::RenamedContainer { .. }
                | Self::StoppedApp
                | Self::RemovedAppContainers
                | Self::RemovedAppContainer { .. }
                | Self::ExecutedInApp { reused: true, .. }
        )
    }
}

impl fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PulledImage { version } => write!(f, "Pulled image with version {version}"),
            Self::BootedApp { version } => write!(f, "Booted app version {version}"),
            Self::RenamedContainer { from, to } => write!(f, "Renaming container {from} to {to}"),
            Self::TaggedLatest { image } => write!(f, "Tagging {image} as the latest image"),
            Self::PrunedContainers => f.write_str("Pruned containers"),
            Self::PrunedImages => f.write_str("Pruned images"),
            Self::RebootedProxy => f.write_str("Rebooted proxy"),
            Self::StartedProxy => f.write_str("Started proxy"),
            Self::StoppedProxy => f.write_str("Stopped proxy"),
            Self::RemovedProxyContainer => f.write_str("Removed proxy container"),
            Self::RemovedProxyImage => f.write_str("Removed proxy image"),
            Self::StartedApp { version } => write!(f, "Started app version {version}"),
            Self::StoppedApp => f.write_str("Stopped app"),
            Self::RemovedAppContainers => f.write_str("Removed all app containers"),
            Self::RemovedAppContainer { version } => {
                write!(f, "Removed app container with version {version}")
            }
            Self::RemovedAppImages => f.write_str("Removed all app images"),
            Self::RemovedAppDirectory { path } => write!(f, "Removed {path}"),
            Self::ExecutedInApp {
                command, version, ..
            } => write!(f, "Executed cmd '{command}' on app version {version}"),
            Self::Executed { command, on } => write!(f, "Executed cmd '{command}' on {on}"),
            Self::BootedAccessory(name) => write!(f, "Booted {name} accessory"),
            Self::StartedAccessory(name) => write!(f, "Started {name} accessory"),
            Self::StoppedAccessory(name) => write!(f, "Stopped {name} accessory"),
            Self::PullAccessoryImage(name) => write!(f, "Pull {name} accessory image"),
            Self::RemoveAccessoryContainer(name) => write!(f, "Remove {name} accessory container"),
            Self::RemovedAccessoryImage(name) => write!(f, "Removed {name} accessory image"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_80_messages_and_which_of_them_tell_the_role() {
        let version = "123";
        let exec = |reused| Entry::ExecutedInApp {
            command: "ls",
            version,
            reused,
        };
        for (entry, message, role) in [
            (
                Entry::PulledImage { version },
                "Pulled image with version 123",
                false,
            ),
            (Entry::BootedApp { version }, "Booted app version 123", true),
            (
                Entry::RenamedContainer {
                    from: "1",
                    to: "1_replaced_ab",
                },
                "Renaming container 1 to 1_replaced_ab",
                true,
            ),
            (
                Entry::TaggedLatest {
                    image: "dhh/app:123",
                },
                "Tagging dhh/app:123 as the latest image",
                false,
            ),
            (Entry::PrunedContainers, "Pruned containers", false),
            (Entry::PrunedImages, "Pruned images", false),
            (Entry::RebootedProxy, "Rebooted proxy", false),
            (Entry::StartedProxy, "Started proxy", false),
            (Entry::StoppedProxy, "Stopped proxy", false),
            (
                Entry::RemovedProxyContainer,
                "Removed proxy container",
                false,
            ),
            (Entry::RemovedProxyImage, "Removed proxy image", false),
            (
                Entry::StartedApp { version },
                "Started app version 123",
                false,
            ),
            (Entry::StoppedApp, "Stopped app", true),
            (
                Entry::RemovedAppContainers,
                "Removed all app containers",
                true,
            ),
            (
                Entry::RemovedAppContainer { version },
                "Removed app container with version 123",
                true,
            ),
            (Entry::RemovedAppImages, "Removed all app images", false),
            (
                Entry::RemovedAppDirectory {
                    path: ".kamal/apps/app",
                },
                "Removed .kamal/apps/app",
                false,
            ),
            (exec(false), "Executed cmd 'ls' on app version 123", false),
            (exec(true), "Executed cmd 'ls' on app version 123", true),
            (
                Entry::Executed {
                    command: "ls",
                    on: "1.1.1.1",
                },
                "Executed cmd 'ls' on 1.1.1.1",
                false,
            ),
            (
                Entry::Executed {
                    command: "ls",
                    on: "db accessory",
                },
                "Executed cmd 'ls' on db accessory",
                false,
            ),
            (Entry::BootedAccessory("db"), "Booted db accessory", false),
            (Entry::StartedAccessory("db"), "Started db accessory", false),
            (Entry::StoppedAccessory("db"), "Stopped db accessory", false),
            (
                Entry::PullAccessoryImage("db"),
                "Pull db accessory image",
                false,
            ),
            (
                Entry::RemoveAccessoryContainer("db"),
                "Remove db accessory container",
                false,
            ),
            (
                Entry::RemovedAccessoryImage("db"),
                "Removed db accessory image",
                false,
            ),
        ] {
            assert_eq!(entry.to_string(), message);
            assert_eq!(entry.tells_role(), role, "{message}");
        }
    }
}
