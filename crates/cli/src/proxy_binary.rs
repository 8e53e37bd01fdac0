//! The binary that becomes the proxy's image on hosts that lack it.
//!
//! In: the machine type of the hosts (`uname -m`). Out: an archive for `docker load`. The binary is `--proxy-binary`, or this very
//! program if it is static and made for that machine, or `dhow-<machine>` beside it.

use std::path::PathBuf;

use dhow_plan::facts::CONTENT_LABEL;
use dhow_plan::verbs::proxy::{ProxyArchive, dhow_image};
use dhow_run::{Failed, Failure};

use crate::args::Global;
use crate::edge::Edge;
use crate::failed;

/// The archive for this machine type.
pub(crate) fn archive(edge: &Edge, global: &Global, machine: &str) -> Result<ProxyArchive, Failed> {
    let mut reasons = Vec::new();
    for path in candidates(edge, global, machine) {
        let tried = std::fs::read(&path)
            .map_err(|error| error.to_string())
            .and_then(|binary| {
                ::dhow_image::proxy_image(&binary, machine, &dhow_image(), CONTENT_LABEL)
                    .map_err(|e| e.to_string())
            });
        match tried {
            Ok(image) => {
                return Ok(ProxyArchive {
                    content: image.archive,
                    label: image.content,
                });
            }
            Err(reason) => reasons.push(format!("{}: {reason}", path.display())),
        }
    }
    let mut failure = Failure::new("RuntimeError", format!("no binary for the proxy's image on {machine} hosts"))
        .hinted("build a static one (`bin/build`), or name one with `--proxy-binary FILE`; or let the hosts use another image: `proxy.run.repository`");
    failure
        .evidence
        .push(("tried".to_owned(), reasons.join("\n")));
    Err(failed::here(failure))
}

fn candidates(edge: &Edge, global: &Global, machine: &str) -> Vec<PathBuf> {
    if let Some(named) = &global.proxy_binary {
        return vec![edge.cwd.join(named)];
    }
    let mut paths = Vec::new();
    if let Ok(own) = std::env::current_exe() {
        let beside = own
            .parent()
            .map(|directory| directory.join(format!("dhow-{machine}")));
        paths.push(own);
        paths.extend(beside);
    }
    paths
}
