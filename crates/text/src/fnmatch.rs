//! Patterns on host and role names, as Ruby's `File.fnmatch` with `FNM_EXTGLOB` reads them.
//!
//! In: a pattern and a name. Out: whether it matches. `*` any run, `?` one character, `[a-c]`, `[^x]` and `[!x]` one of a set,
//! `{a,b}` alternatives (nested too), `\` takes the next character literally. A leading dot must be matched by a dot.

/// How many alternatives a pattern may unfold to; more match nothing.
const MOST: usize = 1024;

/// Whether `name` matches `pattern` as a whole.
pub fn fnmatch(pattern: &str, name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    alternatives(pattern).iter().any(|pattern| {
        let dot_unasked = name.first() == Some(&'.') && !pattern.starts_with(['.', '\\', '[']);
        let pattern: Vec<char> = pattern.chars().collect();
        !dot_unasked && matches(&pattern, &name)
    })
}

/// The pattern with its outermost braces unfolded, again and again.
fn alternatives(pattern: &str) -> Vec<String> {
    let mut open = vec![pattern.to_owned()];
    let mut done = Vec::new();
    while let Some(next) = open.pop() {
        match first_braces(&next) {
            Some((head, choices, tail)) => {
                open.extend(
                    choices
                        .iter()
                        .rev()
                        .map(|choice| format!("{head}{choice}{tail}")),
                );
            }
            None => done.push(next),
        }
        if open.len() + done.len() > MOST {
            return Vec::new();
        }
    }
    done
}

/// What stands before, in and after the first pair of braces.
fn first_braces(pattern: &str) -> Option<(&str, Vec<&str>, &str)> {
    let (mut depth, mut start, mut cut, mut escaped) = (0_usize, 0, 0, false);
    let mut choices = Vec::new();
    for (at, c) in pattern.char_indices() {
        if escaped {
            escaped = false;
            continue;
        }
        match c {
            '\\' => escaped = true,
            '{' => {
                if depth == 0 {
                    start = at;
                    cut = at + 1;
                }
                depth += 1;
            }
            ',' if depth == 1 => {
                choices.push(pattern.get(cut..at)?);
                cut = at + 1;
            }
            '}' if depth == 1 => {
                choices.push(pattern.get(cut..at)?);
                return Some((pattern.get(..start)?, choices, pattern.get(at + 1..)?));
            }
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// Greedy with one point of return, so that its time is bounded by the product of the lengths.
fn matches(pattern: &[char], name: &[char]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, n));
            p += 1;
        } else if let Some(width) = one(pattern.get(p..).unwrap_or_default(), name.get(n).copied())
        {
            p += width;
            n += 1;
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            p = at + 1;
            n = from + 1;
        } else {
            return false;
        }
    }
    pattern
        .get(p..)
        .unwrap_or_default()
        .iter()
        .all(|c| *c == '*')
}

/// How much of the pattern matches this one character, if it does.
fn one(pattern: &[char], c: Option<char>) -> Option<usize> {
    let c = c?;
    match pattern {
        ['?', ..] => Some(1),
        ['\\', literal, ..] => (*literal == c).then_some(2),
        ['[', rest @ ..] => set(rest, c).map(|width| width + 1),
        [literal, ..] => (*literal == c).then_some(1),
        [] => None,
    }
}

/// The width of a set after its `[`, if the character is in it; a set that is never closed matches nothing.
fn set(rest: &[char], c: char) -> Option<usize> {
    let negated = matches!(rest.first(), Some('^' | '!'));
    let mut at = usize::from(negated);
    let mut found = false;
    loop {
        match rest.get(at..)? {
            [']', ..] => return (found != negated).then_some(at + 1),
            [low, '-', high, ..] if *high != ']' => {
                found |= (*low..=*high).contains(&c);
                at += 3;
            }
            [single, ..] => {
                found |= *single == c;
                at += 1;
            }
            [] => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_ruby() {
        for (pattern, name, expected) in [
            ("1.1.1.1", "1.1.1.1", true),
            ("1.1.1.*", "1.1.1.23", true),
            ("*", "web", true),
            ("*", ".hidden", false),
            (".*", ".hidden", true),
            ("w?b", "web", true),
            ("w?b", "wb", false),
            ("web[12]", "web2", true),
            ("web[12]", "web3", false),
            ("web[^12]", "web3", true),
            ("web[!1-2]", "web1", false),
            ("web[1", "web1", false),
            ("{web,workers}", "workers", true),
            ("{w{eb,orkers},x}", "web", true),
            ("{web", "{web", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("*a*b*c*", "xxaxxbxxcxx", true),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(fnmatch(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn hostile_patterns_end() {
        assert!(!fnmatch(&"*a".repeat(200), &"a".repeat(199)));
        assert!(!fnmatch(&"{a,b}".repeat(40), "ab"));
    }
}
