//! Wildcards for host and role names: Ruby's `File.fnmatch` with `FNM_EXTGLOB`.
//!
//! `*` and `?` match any characters (`/` too), but not a dot at the start of the name; `[a-z]`, `[^a]`, `[!a]`; `{a,b}`, nested;
//! `\` takes the meaning away.

/// How many alternatives braces may expand to; what is past that is left out.
const MAX_ALTERNATIVES: usize = 1000;

/// Whether the pattern matches the whole name.
pub fn fnmatch(pattern: &str, name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let mut alternatives = Vec::new();
    expand(pattern.chars().collect(), &mut alternatives);
    alternatives
        .iter()
        .any(|alternative| matches(alternative, &name))
}

/// The patterns without braces that a pattern stands for.
fn expand(pattern: Vec<char>, out: &mut Vec<Vec<char>>) {
    let mut waiting = vec![pattern];
    while let Some(pattern) = waiting.pop() {
        if out.len() + waiting.len() >= MAX_ALTERNATIVES {
            return;
        }
        match first_braces(&pattern) {
            Braces::None => out.push(pattern),
            // Ruby takes braces that are not closed for no pattern at all.
            Braces::Unclosed => {}
            Braces::Pair {
                open,
                commas,
                close,
            } => {
                let bounds: Vec<usize> =
                    std::iter::once(open).chain(commas).chain([close]).collect();
                let head = pattern.get(..open).unwrap_or_default();
                let tail = pattern.get(close + 1..).unwrap_or_default();
                for pair in bounds.windows(2).rev() {
                    if let [start, end] = pair {
                        let choice = pattern.get(start + 1..*end).unwrap_or_default();
                        waiting.push([head, choice, tail].concat());
                    }
                }
            }
        }
    }
}

enum Braces {
    None,
    Unclosed,
    /// Balanced braces, and the commas directly in them.
    Pair {
        open: usize,
        commas: Vec<usize>,
        close: usize,
    },
}

fn first_braces(pattern: &[char]) -> Braces {
    let mut first = None;
    let mut commas = Vec::new();
    let mut depth = 0_usize;
    let mut escaped = false;
    for (at, c) in pattern.iter().enumerate() {
        if escaped {
            escaped = false;
            continue;
        }
        match (c, first) {
            ('\\', _) => escaped = true,
            ('{', _) => {
                first = first.or(Some(at));
                depth += 1;
            }
            (',', _) if depth == 1 => commas.push(at),
            ('}', Some(open)) => {
                depth -= 1;
                if depth == 0 {
                    let close = at;
                    return Braces::Pair {
                        open,
                        commas,
                        close,
                    };
                }
            }
            _ => {}
        }
    }
    if first.is_some() {
        Braces::Unclosed
    } else {
        Braces::None
    }
}

/// One wildcard's worth of a pattern.
enum Part {
    Star,
    /// A test for one character and how long it is in the pattern.
    One(Test, usize),
}

enum Test {
    Any,
    Exactly(char),
    Within {
        ranges: Vec<(char, char)>,
        negated: bool,
    },
    Never,
}

impl Test {
    fn allows(&self, c: char) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(wanted) => *wanted == c,
            Self::Within { ranges, negated } => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *negated
            }
            Self::Never => false,
        }
    }
}

/// Matching with one place to come back to, the last star, which is enough.
fn matches(pattern: &[char], name: &[char]) -> bool {
    if name.first() == Some(&'.') {
        // Only a dot matches a leading dot.
        let literal = matches!(part(pattern, 0), Some(Part::One(Test::Exactly('.'), _)));
        if !literal {
            return false;
        }
    }
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = name.get(at) {
        match part(pattern, from) {
            Some(Part::Star) => {
                star = Some((from + 1, at));
                from += 1;
                continue;
            }
            Some(Part::One(test, length)) if test.allows(*c) => {
                from += length;
                at += 1;
                continue;
            }
            _ => {}
        }
        let Some((after_star, taken)) = star else {
            return false;
        };
        star = Some((after_star, taken + 1));
        (from, at) = (after_star, taken + 1);
    }
    // A backslash with nothing after it is nothing.
    let rest = pattern.get(from..).unwrap_or_default();
    rest == ['\\'] || rest.iter().all(|c| *c == '*')
}

fn part(pattern: &[char], at: usize) -> Option<Part> {
    Some(match pattern.get(at)? {
        '*' => Part::Star,
        '?' => Part::One(Test::Any, 1),
        '[' => bracket(pattern, at + 1),
        '\\' => match pattern.get(at + 1) {
            Some(c) => Part::One(Test::Exactly(*c), 2),
            None => return None,
        },
        c => Part::One(Test::Exactly(*c), 1),
    })
}

/// `[…]`, from after the opening bracket. One that is not closed matches nothing.
fn bracket(pattern: &[char], start: usize) -> Part {
    let mut at = start;
    let negated = matches!(pattern.get(at), Some('!' | '^'));
    at += usize::from(negated);
    let mut ranges = Vec::new();
    let literal = |at: &mut usize| {
        *at += usize::from(pattern.get(*at) == Some(&'\\'));
        let c = pattern.get(*at).copied();
        *at += 1;
        c
    };
    while let Some(c) = pattern.get(at) {
        if *c == ']' {
            return Part::One(Test::Within { ranges, negated }, at + 1 - (start - 1));
        }
        let Some(from) = literal(&mut at) else { break };
        let to = if pattern.get(at) == Some(&'-') && pattern.get(at + 1).is_some_and(|c| *c != ']')
        {
            at += 1;
            match literal(&mut at) {
                Some(to) => to,
                None => break,
            }
        } else {
            from
        };
        // The ends count even if the range is upside down.
        ranges.extend([(from, from), (from, to), (to, to)]);
    }
    Part::One(Test::Never, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_matches_what_ruby_matches() {
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../vectors/fnmatch/cases.json"
        );
        let text = std::fs::read_to_string(file).expect("vectors/fnmatch/cases.json is there");
        let vectors: serde_json::Value = serde_json::from_str(&text).unwrap();
        let names: Vec<&str> = vectors["names"]
            .as_array()
            .unwrap()
            .iter()
            .map(|n| n.as_str().unwrap())
            .collect();
        let patterns = vectors["patterns"].as_array().unwrap();
        assert!(patterns.len() > 40);
        for row in patterns {
            let pattern = row[0].as_str().unwrap();
            let ours: Vec<&str> = names
                .iter()
                .copied()
                .filter(|name| fnmatch(pattern, name))
                .collect();
            assert_eq!(serde_json::json!(ours), row[1], "{pattern}");
        }
    }

    #[test]
    fn hostile_patterns_end() {
        let name = "a".repeat(2000);
        assert!(!fnmatch(&format!("{}b", "a*".repeat(500)), &name));
        assert!(!fnmatch(&"{a,b}".repeat(40), &name));
    }
}
