//! Links between the documents lead somewhere.
//!
//! In: the Markdown files of the root and of `docs/`. Out: every relative link to a file that does not exist. Links to the web are not
//! followed: whether they hold is not ours to test.

use std::path::{Path, PathBuf};

use crate::Findings;

/// Runs the check on the documents below `root`.
pub(crate) fn check(root: &Path) -> Findings {
    let mut documents = Vec::new();
    let mut findings = Vec::new();
    let read = markdown(root, false, &mut documents)
        .and_then(|()| markdown(&root.join("docs"), true, &mut documents));
    if let Err(error) = read {
        findings.push(format!("links: {error}"));
    }
    documents.sort();
    for document in &documents {
        match std::fs::read_to_string(document) {
            Ok(text) => {
                let folder = document.parent().unwrap_or(root);
                findings.extend(
                    targets(&text)
                        .into_iter()
                        .filter(|target| !folder.join(target).exists())
                        .map(|target| {
                            let document = document.strip_prefix(root).unwrap_or(document);
                            format!("links: {}: `{target}` does not exist", document.display())
                        }),
                );
            }
            Err(error) => findings.push(format!("links: {}: {error}", document.display())),
        }
    }
    println!(
        "links: {} documents, {} findings",
        documents.len(),
        findings.len()
    );
    findings
}

fn markdown(folder: &Path, deep: bool, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if deep && path.is_dir() {
            markdown(&path, deep, found)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    Ok(())
}

/// The files that `](…)` in a text points to, without anchors; code is text, too, but has none.
fn targets(text: &str) -> Vec<&str> {
    let code_fence = |line: &&str| line.trim_start().starts_with("```");
    let mut inside = false;
    let prose = text.lines().filter(|line| {
        let fence = code_fence(line);
        inside ^= fence;
        !inside && !fence
    });
    prose
        .flat_map(|line| line.split("](").skip(1))
        .filter_map(|rest| rest.split([')', '#']).next())
        .filter(|target| !target.is_empty() && !target.contains("://"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_links_are_found() {
        let text = "See [a](a.md) and [b](docs/b.md#part), [web](https://x.y/z.md), [here](#part).\n\
                    ```\n[c](c.md)\n```\n[d](d.md)\n";
        assert_eq!(targets(text), ["a.md", "docs/b.md", "d.md"]);
    }

    #[test]
    fn a_link_to_nowhere_is_named() {
        let root = std::env::temp_dir().join(format!("dhow-links-{}", std::process::id()));
        std::fs::create_dir_all(root.join("docs/deep")).unwrap();
        std::fs::write(root.join("README.md"), "[d](docs/d.md)").unwrap();
        std::fs::write(
            root.join("docs/deep/e.md"),
            "[r](../../README.md) [x](x.md)",
        )
        .unwrap();
        let found = check(&root);
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!(
            found,
            [
                "links: README.md: `docs/d.md` does not exist",
                "links: docs/deep/e.md: `x.md` does not exist"
            ]
        );
    }
}
