//! The wildcard patterns of `ssh_config(5)` and `known_hosts`: `*`, `?`, comma lists, `!` for not.

/// Whether `text` is matched by `pattern`, where `*` stands for any run of characters and `?` for one. Linear in `text` for each `*`.
pub(crate) fn matches_pattern(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let pattern: Vec<char> = pattern.chars().collect();
    let (mut t, mut p) = (0, 0);
    let mut retry = None;
    loop {
        match (text.get(t), pattern.get(p)) {
            (_, Some('*')) => {
                retry = Some((t, p));
                p += 1;
            }
            (Some(a), Some(b)) if *b == '?' || a == b => {
                t += 1;
                p += 1;
            }
            (None, None) => return true,
            _ => {
                // Let the last star take one character more.
                let Some((star_t, star_p)) = retry.filter(|(star_t, _)| *star_t < text.len())
                else {
                    return false;
                };
                retry = Some((star_t + 1, star_p));
                t = star_t + 1;
                p = star_p + 1;
            }
        }
    }
}

/// Whether a list of patterns accepts `text`: one must match and no negated one may. Patterns are compared in lower case.
pub(crate) fn matches_list<'a>(text: &str, patterns: impl IntoIterator<Item = &'a str>) -> bool {
    let text = text.to_lowercase();
    let mut found = false;
    for pattern in patterns {
        let (negated, pattern) = match pattern.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, pattern),
        };
        if matches_pattern(&text, &pattern.to_lowercase()) {
            if negated {
                return false;
            }
            found = true;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        for (text, pattern, expected) in [
            ("", "", true),
            ("", "*", true),
            ("a", "", false),
            ("web1", "web?", true),
            ("web", "web?", false),
            ("web12", "web*", true),
            ("a.b.example.com", "*.example.com", true),
            ("example.com", "*.example.com", false),
            ("aaab", "*a*b", true),
            ("aaac", "*a*b", false),
            ("ab", "a**b", true),
        ] {
            assert_eq!(matches_pattern(text, pattern), expected, "{text} {pattern}");
        }
    }

    #[test]
    fn many_stars_do_not_explode() {
        assert!(!matches_pattern(
            &"a".repeat(2000),
            &"*a".repeat(300).replace("*a*a", "*a*b")
        ));
    }

    #[test]
    fn lists_with_negation() {
        assert!(matches_list("web1", ["web*", "!web2"]));
        assert!(!matches_list("web2", ["web*", "!web2"]));
        assert!(!matches_list("web2", ["!web1"]));
        assert!(matches_list("WEB1", ["web1"]));
    }
}
