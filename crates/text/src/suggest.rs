//! "Did you mean": the known name that was probably meant.

/// The candidate nearest to a name, if one is near: about one slip in three letters, and never just the same number of other ones.
pub fn suggest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let most = (name.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (distance(&fold(name), &fold(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= most && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Case and the separators people mix up do not count.
fn fold(name: &str) -> Vec<char> {
    name.to_lowercase()
        .replace('-', "_")
        .chars()
        .take(64)
        .collect()
}

/// How many insertions, deletions, replacements and swaps of neighbours lie between two names.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at =
                |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX - 1);
            let mut best = (at(&last, j + 1) + 1)
                .min(at(&row, j) + 1)
                .min(at(&last, j) + usize::from(x != y));
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        let keys = [
            "service",
            "servers",
            "registry",
            "proxy",
            "healthcheck",
            "env",
            "ssh",
        ];
        for (name, meant) in [
            ("sevice", Some("service")),
            ("server", Some("servers")),
            ("regsitry", Some("registry")),
            ("health_check", Some("healthcheck")),
            ("Proxy", Some("proxy")),
            ("evn", Some("env")),
            ("traefik", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(suggest(name, keys), meant, "{name}");
        }
    }
}
