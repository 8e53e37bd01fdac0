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
        | PlanError::Undelivered { .. }
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
        PlanError::Undelivered { .. } => failure.hint = Some(NO_DELIVERY.to_owned()),
        PlanError::ProxyTooOld { host, .. } => {
            return Failed {
                hosts: vec![(Some(host), failure)],
            };
        }
        _ => {}
    }
    here(failure)
}

/// What to do as long as images can't be sent to hosts from here.
const NO_DELIVERY: &str = "name a registry that hosts can reach under `registry.server`, or put the image onto the hosts yourself (`docker save … | ssh HOST docker load`) and deploy with `--skip-push`";

/// Images can't be sent to hosts from the registry on this machine.
pub(crate) fn no_delivery() -> Failed {
    let text = "hosts can't reach the registry on this machine yet: this version of dhow has no forwarding to it";
    here(Failure::new("NotImplementedError", text).hinted(NO_DELIVERY))
}

/// A filter that matches nothing.
pub(crate) fn select(error: &SelectError) -> Failed {
    here(Failure::new("ArgumentError", error.to_string()))
}
