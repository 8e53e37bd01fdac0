//! The deploy file and its overlay, read from disk.

use std::io::Write;

use dhow_config::{Failure, Inputs, Loaded, Raw, not_found, overlay_path};
use dhow_text::source::{Source, Sources};

use crate::args::Global;
use crate::edge::{Changes, Edge};
use crate::world::Machine;

/// Reads, merges and checks the deploy file that the command line names. Tells also what its templates did to the environment.
pub(crate) fn load(edge: &Edge, global: &Global) -> Result<(Loaded, Changes), Box<Failure>> {
    with_inputs(
        edge,
        &global.config_file,
        global.destination.as_deref(),
        global.verbose,
        dhow_config::load,
    )
}

/// Reads and merges it without checking: for aliases.
pub(crate) fn raw(
    edge: &Edge,
    config_file: &str,
    destination: Option<&str>,
) -> Result<Raw, Box<Failure>> {
    let read = with_inputs(edge, config_file, destination, false, Raw::read);
    read.map(|(raw, _)| raw)
}

fn with_inputs<T>(
    edge: &Edge,
    config_file: &str,
    destination: Option<&str>,
    verbose: bool,
    then: impl FnOnce(&Inputs<'_>) -> Result<T, Box<Failure>>,
) -> Result<(T, Changes), Box<Failure>> {
    let base = read(edge, config_file)?;
    let overlay = match destination {
        Some(destination) => Some(read(edge, &overlay_path(config_file, destination))?),
        None => None,
    };
    let machine = Machine::new(edge, destination);
    let result = then(&Inputs {
        base,
        overlay,
        destination: destination.map(str::to_owned),
        outside: &machine,
    });
    if verbose {
        for notice in machine.notices() {
            // Nobody reading it is no reason to stop.
            let _ = writeln!(std::io::stderr(), "NOTE: {notice}");
        }
    }
    Ok((result?, machine.changes()))
}

fn read(edge: &Edge, name: &str) -> Result<Source, Box<Failure>> {
    let path = edge.path(name);
    let missing = || {
        Box::new(Failure {
            diagnostics: vec![not_found(&path.display().to_string())],
            sources: Sources::default(),
            credentials: Vec::new(),
        })
    };
    let bytes = std::fs::read(&path).map_err(|_| missing())?;
    Ok(Source {
        name: name.to_owned(),
        text: String::from_utf8_lossy(&bytes).into(),
    })
}
