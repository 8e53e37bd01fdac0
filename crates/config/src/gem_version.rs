//! Versions as RubyGems orders them.
//!
//! In: the text of `minimum_version`. Out: an order in which letters make a pre-release (`2.13.0.rc1` < `2.13.0`).

use std::cmp::Ordering;

/// A version: its segments, trailing zeros dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GemVersion(Vec<Segment>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Number(u64),
    Text(String),
}

impl GemVersion {
    /// Reads a version; none if it is malformed. A blank one is version 0.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return Some(Self(Vec::new()));
        }
        let (main, pre) = match text.split_once('-') {
            Some((main, pre)) => (main, Some(pre)),
            None => (text, None),
        };
        let piece = |piece: &str, also: &str| {
            !piece.is_empty()
                && piece
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || also.contains(c))
        };
        let number = |piece: &str| piece.chars().all(|c| c.is_ascii_digit());
        let well_formed = main.split('.').all(|p| piece(p, ""))
            && main.split('.').next().is_some_and(number)
            && pre.is_none_or(|pre| pre.split('.').all(|p| piece(p, "-")));
        well_formed.then(|| Self(segments(&text.replace('-', ".pre."))))
    }
}

impl PartialOrd for GemVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for GemVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        let zero = Segment::Number(0);
        let length = self.0.len().max(other.0.len());
        (0..length)
            .map(|at| {
                let ours = self.0.get(at).unwrap_or(&zero);
                let theirs = other.0.get(at).unwrap_or(&zero);
                match (ours, theirs) {
                    (Segment::Number(a), Segment::Number(b)) => a.cmp(b),
                    (Segment::Text(a), Segment::Text(b)) => a.cmp(b),
                    (Segment::Text(_), Segment::Number(_)) => Ordering::Less,
                    (Segment::Number(_), Segment::Text(_)) => Ordering::Greater,
                }
            })
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

/// Runs of digits and runs of letters; zeros at the end, and those before the first letters, don't count.
fn segments(text: &str) -> Vec<Segment> {
    let mut runs: Vec<(bool, String)> = Vec::new();
    for part in text.split('.') {
        let mut fresh = true;
        for c in part.chars() {
            let digit = c.is_ascii_digit();
            match runs.last_mut() {
                Some((kind, run)) if !fresh && *kind == digit => run.push(c),
                _ => runs.push((digit, c.to_string())),
            }
            fresh = false;
        }
    }
    let mut all: Vec<Segment> = runs
        .into_iter()
        .map(|(digit, run)| match digit {
            true => Segment::Number(run.parse().unwrap_or(u64::MAX)),
            false => Segment::Text(run),
        })
        .collect();
    let text_from = all.iter().position(|s| matches!(s, Segment::Text(_)));
    let mut tail = all.split_off(text_from.unwrap_or(all.len()));
    for part in [&mut all, &mut tail] {
        while part.last() == Some(&Segment::Number(0)) {
            part.pop();
        }
    }
    all.append(&mut tail);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordered_as_rubygems_orders() {
        let order = |a, b| {
            GemVersion::parse(a)
                .unwrap()
                .cmp(&GemVersion::parse(b).unwrap())
        };
        for (low, high) in [
            ("2.9.0", "2.12.0"),
            ("2.12.0.rc1", "2.12.0"),
            ("2.12.0.alpha", "2.12.0.beta"),
            ("2.12.0-rc1", "2.12.0"),
            ("2.12", "2.12.1"),
            ("", "0.1"),
            ("2.1", "2.12.0"),
            ("1.a", "1.0.1"),
        ] {
            assert_eq!(order(low, high), Ordering::Less, "{low} < {high}");
            assert_eq!(order(high, low), Ordering::Greater, "{high} > {low}");
        }
        assert_eq!(order("2.12", "2.12.0"), Ordering::Equal);
        assert_eq!(order(" 2.12.0 ", "2.12"), Ordering::Equal);
    }

    #[test]
    fn malformed_ones_are_none() {
        for text in ["foo", "1..2", "1.", "v1", "1.2 3", "1.2-", "1.2_3"] {
            assert_eq!(GemVersion::parse(text), None, "{text}");
        }
    }
}
