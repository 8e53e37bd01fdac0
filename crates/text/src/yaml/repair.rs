//! What Psych reads and the parser does not, made readable without changing what it says.
//!
//! In: a text and what the parser stumbled over. Out: a text that differs in white space only, and the way back to the offsets of
//! the first. Three things are repaired: a tab between a colon and its value, a value in brackets that is indented no more than the
//! key before the brackets, and the end of a document behind a block of nothing but line breaks.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// How many bytes may be read again and again in all, so that many repairs in a large text end.
const MAX_WORK: usize = 4 << 20;

/// One thing to repair, at a byte of the repaired text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repair {
    /// This tab becomes a space.
    Tab(usize),
    /// What stands here has to stand further to the right.
    Indent(usize),
    /// The document ends here; only the first one counts.
    End(usize),
}

/// A text with repairs.
#[derive(Clone, Debug)]
pub(super) struct Repaired<'t> {
    text: Cow<'t, str>,
    /// How many spaces were put in before these bytes of the original.
    inserted: BTreeMap<usize, usize>,
    work: usize,
}

impl<'t> Repaired<'t> {
    /// Nothing repaired yet.
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text: Cow::Borrowed(text),
            inserted: BTreeMap::new(),
            work: 0,
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Repairs one thing; false if there have been too many, or if this one was repaired in vain.
    pub(super) fn repair(&mut self, repair: Repair) -> bool {
        self.work = self.work.saturating_add(self.text.len());
        if self.work > MAX_WORK {
            return false;
        }
        match repair {
            Repair::Tab(at) => {
                if self.text.get(at..=at) != Some("\t") {
                    return false;
                }
                self.text.to_mut().replace_range(at..=at, " ");
            }
            Repair::Indent(at) => {
                let original = self.original(at);
                let room = self.widest_indent() + 1;
                if !self.text.is_char_boundary(at) || self.inserted.insert(original, room).is_some()
                {
                    return false;
                }
                self.text.to_mut().insert_str(at, &" ".repeat(room));
            }
            Repair::End(at) => {
                if !self.text.is_char_boundary(at) || at >= self.text.len() {
                    return false;
                }
                self.text.to_mut().truncate(at);
            }
        }
        true
    }

    /// The offset in the original for one in the repaired text; what was put in counts as what it stands before.
    pub(super) fn original(&self, at: usize) -> usize {
        let mut before = 0;
        for (place, count) in &self.inserted {
            let start = place + before;
            if at <= start {
                break;
            }
            if at < start + count {
                return *place;
            }
            before += count;
        }
        at - before
    }

    /// How far the deepest key can be indented: blanks and dashes at the start of a line.
    fn widest_indent(&self) -> usize {
        let indent = |line: &str| line.len() - line.trim_start_matches([' ', '-', '?', '\t']).len();
        self.text.lines().map(indent).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_lead_back() {
        let mut repaired = Repaired::new("ab\ncd\nef");
        assert!(repaired.repair(Repair::Indent(3)));
        assert_eq!(repaired.text(), "ab\n cd\nef");
        assert!(repaired.repair(Repair::Indent(7)));
        assert_eq!(repaired.text(), "ab\n cd\n  ef");
        let back: Vec<usize> = (0..=repaired.text().len())
            .map(|at| repaired.original(at))
            .collect();
        assert_eq!(back, [0, 1, 2, 3, 3, 4, 5, 6, 6, 6, 7, 8]);
        assert!(
            !repaired.repair(Repair::Indent(4)),
            "the same again would not help"
        );
    }
}
