//! Crates depend only on those below them. In: what `cargo metadata` says. Out: every dependency that goes the wrong way.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::Findings;

/// From the ground up: a crate may depend on those before it.
const ORDER: [&str; 13] = [
    "dhow-text",
    "dhow-config",
    "dhow-secrets",
    "dhow-proxy-api",
    "dhow-commands",
    "dhow-plan",
    "dhow-ssh",
    "dhow-run",
    "dhow-image",
    "dhow-report",
    "dhow-certs",
    "dhow-proxy",
    "dhow",
];

/// Helps tests of any crate, and knows none of them.
const TESTKIT: &str = "dhow-testkit";

/// The proxy lives on hosts where nobody deploys from: neither it nor its certificates may reach these, by any way.
const APART: [(&str, &[&str]); 2] = [
    (
        "dhow-certs",
        &["dhow-config", "dhow-plan", "dhow-run", "dhow-ssh"],
    ),
    (
        "dhow-proxy",
        &["dhow-config", "dhow-plan", "dhow-run", "dhow-ssh"],
    ),
];

/// A member of the workspace and the members it depends on.
#[derive(Debug, Default, PartialEq, Eq)]
struct Member {
    /// In `crates/`, so bound to the order. Others (lab, tests, tools) may use any crate, and no crate may use them.
    ordered: bool,
    /// Dependencies of the crate itself and of its build script.
    normal: Vec<String>,
    /// Dependencies of its tests.
    dev: Vec<String>,
}

type Members = BTreeMap<String, Member>;

/// Runs the check on the workspace at `root`.
pub(crate) fn check(root: &Path) -> Findings {
    match members(root) {
        Ok(members) => {
            let findings = violations(&members);
            println!(
                "layers: {} members, {} findings",
                members.len(),
                findings.len()
            );
            findings
        }
        Err(error) => vec![error],
    }
}

fn members(root: &Path) -> Result<Members, String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("can't run cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("cargo metadata: {error}"))?;
    let packages = metadata["packages"]
        .as_array()
        .ok_or("cargo metadata names no packages")?;
    let names: BTreeSet<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    Ok(packages
        .iter()
        .filter_map(|package| {
            let mut member = Member {
                ordered: package["manifest_path"]
                    .as_str()?
                    .rsplit('/')
                    .nth(2)
                    .is_some_and(|folder| folder == "crates"),
                ..Member::default()
            };
            for dependency in package["dependencies"].as_array()? {
                let name = dependency["name"].as_str()?;
                if names.contains(name) {
                    let kind = match dependency["kind"].as_str() {
                        Some("dev") => &mut member.dev,
                        _ => &mut member.normal,
                    };
                    kind.push(name.to_owned());
                }
            }
            Some((package["name"].as_str()?.to_owned(), member))
        })
        .collect())
}

fn violations(members: &Members) -> Findings {
    let rank = |name: &str| ORDER.iter().position(|crate_| *crate_ == name);
    let mut findings = Vec::new();
    for (name, member) in members.iter().filter(|(_, member)| member.ordered) {
        if name == TESTKIT {
            for dependency in &member.normal {
                findings.push(format!(
                    "layers: `{name}` depends on `{dependency}`; it may know none of our crates"
                ));
            }
            continue;
        }
        let Some(own) = rank(name) else {
            findings.push(format!(
                "layers: `{name}` has no place in the order (xtask/src/layers.rs)"
            ));
            continue;
        };
        let test_only = member.dev.iter().filter(|name| *name != TESTKIT);
        for dependency in member.normal.iter().chain(test_only) {
            if rank(dependency).is_none_or(|other| other >= own) {
                findings.push(format!(
                    "layers: `{name}` depends on `{dependency}`, which is not below it"
                ));
            }
        }
    }
    for (name, forbidden) in APART {
        let reached = reach(members, name);
        for other in forbidden.iter().filter(|other| reached.contains(**other)) {
            findings.push(format!(
                "layers: `{name}` reaches `{other}`, of which it must know nothing"
            ));
        }
    }
    findings
}

/// All members that `name` depends on, directly or not.
fn reach<'m>(members: &'m Members, name: &str) -> BTreeSet<&'m str> {
    let mut reached = BTreeSet::new();
    let mut todo = vec![name];
    while let Some(name) = todo.pop() {
        for dependency in members.get(name).into_iter().flat_map(|m| &m.normal) {
            if reached.insert(dependency.as_str()) {
                todo.push(dependency);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(crates: &[(&str, &[&str], &[&str])]) -> Members {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        crates
            .iter()
            .map(|(name, normal, dev)| {
                let member = Member {
                    ordered: !name.starts_with("tool"),
                    normal: own(normal),
                    dev: own(dev),
                };
                ((*name).to_owned(), member)
            })
            .collect()
    }

    #[test]
    fn downward_is_fine() {
        let members = workspace(&[
            ("dhow-text", &[], &["dhow-testkit"]),
            ("dhow-run", &["dhow-text", "dhow-ssh"], &["dhow-testkit"]),
            ("dhow-testkit", &[], &[]),
            ("dhow-ssh", &[], &[]),
            ("dhow", &["dhow-run"], &[]),
            ("tool", &["dhow"], &[]),
        ]);
        assert_eq!(violations(&members), Findings::new());
    }

    #[test]
    fn what_goes_up_or_out_is_named() {
        let members = workspace(&[
            ("dhow-text", &["dhow-config"], &[]),
            ("dhow-config", &["tool"], &["dhow-plan"]),
            ("dhow-testkit", &["dhow-text"], &[]),
            ("dhow-run", &["dhow-testkit"], &[]),
            ("dhow-extra", &[], &[]),
            ("tool", &[], &[]),
        ]);
        let said = violations(&members).join("\n");
        for part in [
            "`dhow-text` depends on `dhow-config`",
            "`dhow-config` depends on `tool`",
            "`dhow-config` depends on `dhow-plan`",
            "`dhow-testkit` depends on `dhow-text`",
            "`dhow-run` depends on `dhow-testkit`",
            "`dhow-extra` has no place",
        ] {
            assert!(said.contains(part), "{part} is not in\n{said}");
        }
        assert_eq!(said.lines().count(), 6, "{said}");
    }

    #[test]
    fn the_proxy_reaches_no_deployer_by_detours() {
        let members = workspace(&[
            ("dhow-config", &[], &[]),
            ("dhow-commands", &["dhow-config"], &[]),
            ("dhow-proxy", &["dhow-commands"], &[]),
        ]);
        assert_eq!(
            violations(&members),
            ["layers: `dhow-proxy` reaches `dhow-config`, of which it must know nothing"]
        );
    }

    #[test]
    fn the_workspace_itself_is_read() {
        let members = members(&crate::tree::root()).unwrap();
        assert!(ORDER.iter().all(|name| members[*name].ordered));
        assert!(!members["xtask"].ordered);
        assert!(members["dhow-run"].normal.contains(&"dhow-plan".to_owned()));
    }
}
