//! This machine, as the deploy file may ask about it.

use std::process::{Command, Stdio};

use dhow_config::Outside;

use crate::edge::Edge;

/// The real files and programs behind [`Outside`].
pub(crate) struct Machine<'e> {
    edge: &'e Edge,
}

impl<'e> Machine<'e> {
    /// For one load.
    pub(crate) fn new(edge: &'e Edge, _destination: Option<&str>) -> Self {
        Self { edge }
    }
}

impl Outside for Machine<'_> {
    fn file_exists(&self, path: &str) -> bool {
        self.edge.path(path).exists()
    }

    fn docker_architecture(&self) -> String {
        let output = Command::new("docker")
            .args(["info", "--format", "{{.Architecture}}"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output();
        let printed = output.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned());
        let printed = printed.unwrap_or_default();
        dhow_commands::docker::architecture_name(&printed).to_owned()
    }
}
