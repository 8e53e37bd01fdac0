//! The ways in which the app behaves or misbehaves at a deploy.

use std::str::FromStr;

/// What the app does after its start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Behavior {
    /// Serves, and `/up` answers 200.
    #[default]
    Healthy,
    /// Serves, but `/up` answers 500.
    Unhealthy,
    /// Serves, but `/up` answers 301, as an app does that insists on HTTPS.
    Redirecting,
    /// Ends at once with exit code 3 and a message on stderr, as an app does whose configuration is wrong.
    Exits,
    /// Runs but never opens its port.
    Deaf,
    /// No web server: ticks on stdout until SIGTERM, as a job runner does.
    Worker,
}

/// A name that is no [`Behavior`].
#[derive(Debug, thiserror::Error)]
#[error("unknown mode `{0}`: healthy, unhealthy, redirecting, exits, deaf or worker")]
pub struct UnknownBehavior(String);

impl FromStr for Behavior {
    type Err = UnknownBehavior;

    /// White space around the name is ignored, and an empty name is the default: the name may come from a file.
    fn from_str(name: &str) -> Result<Self, UnknownBehavior> {
        match name.trim() {
            "" | "healthy" => Ok(Self::Healthy),
            "unhealthy" => Ok(Self::Unhealthy),
            "redirecting" => Ok(Self::Redirecting),
            "exits" => Ok(Self::Exits),
            "deaf" => Ok(Self::Deaf),
            "worker" => Ok(Self::Worker),
            other => Err(UnknownBehavior(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_a_file_holds_them() {
        assert_eq!(
            "unhealthy\n".parse::<Behavior>().unwrap(),
            Behavior::Unhealthy
        );
        assert_eq!("".parse::<Behavior>().unwrap(), Behavior::Healthy);
        assert!("healthly".parse::<Behavior>().is_err());
    }
}
