//! How a command can fail, in the one form that reporters show.

use dhow_plan::{PlanError, SelectError};
use dhow_run::{Failed, Failure};

/// A failure on the deployer's side: no host is to blame.
pub(crate) fn here(failure: Failure) -> Failed {
    Failed {
        hosts: vec![(None, failure)],
    }
}

/// A failure with a class and a message.
pub(crate) fn error(class: &str, message: impl Into<String>) -> Failed {
    here(Failure::new(class, message))
}

/// A plan that can't be made.
pub(crate) fn plan(error: PlanError) -> Failed {
    let class = match &error {
        PlanError::Secret(_) => "Kamal::ConfigurationError",
        PlanError::Retain => "ArgumentError",
        PlanError::ProxyTooOld { .. }
        | PlanError::NoSuchVersion { .. }
        | PlanError::NoEarlierVersion => "RuntimeError",
    };
    let mut failure = Failure::new(class, error.to_string());
    match error {
        PlanError::NoSuchVersion { missing, .. } => {
            failure
                .evidence
                .push(("missing".to_owned(), missing.join("\n")));
        }
        PlanError::ProxyTooOld { host, .. } => {
            return Failed {
                hosts: vec![(Some(host), failure)],
            };
        }
        _ => {}
    }
    here(failure)
}

/// A filter that matches nothing.
pub(crate) fn select(error: &SelectError) -> Failed {
    here(Failure::new("ArgumentError", error.to_string()))
}
