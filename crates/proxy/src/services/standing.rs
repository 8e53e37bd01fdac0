//! Whether a target counts as healthy, from one health check to the next. Pure: in come outcomes, out come changes.

use dhow_proxy_api::DhowOptions;

/// A target's standing. It comes in with its first good check, so that a deploy waits for no second one. Leaving takes `fall` bad
/// checks in a row, coming back `rise` good ones; kamal-proxy's rule is one each.
#[derive(Debug)]
pub(crate) struct Standing {
    word: Word,
    fall: u32,
    rise: u32,
    /// Checks in a row that speak against the present state.
    against: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Adding,
    Healthy,
    Unhealthy,
}

impl Standing {
    /// Before the first check; `healthy` if it is taken for granted.
    pub(crate) fn new(options: &DhowOptions, healthy: bool) -> Self {
        Self {
            word: if healthy { Word::Healthy } else { Word::Adding },
            fall: options.fall.max(1),
            rise: options.rise.max(1),
            against: 0,
        }
    }

    /// Takes a check into account; `true` when that changed the standing.
    pub(crate) fn judge(&mut self, good: bool) -> bool {
        let (wanted, other) = match self.word {
            Word::Adding if good => (1, Word::Healthy),
            Word::Adding => return false,
            Word::Healthy if good => (0, Word::Unhealthy),
            Word::Healthy => (self.fall, Word::Unhealthy),
            Word::Unhealthy if good => (self.rise, Word::Healthy),
            Word::Unhealthy => (0, Word::Healthy),
        };
        if wanted == 0 {
            self.against = 0;
            return false;
        }
        self.against += 1;
        if self.against < wanted {
            return false;
        }
        self.against = 0;
        self.word = other;
        true
    }

    /// It gets requests.
    pub(crate) fn is_healthy(&self) -> bool {
        self.word == Word::Healthy
    }

    /// It never was healthy.
    pub(crate) fn is_adding(&self) -> bool {
        self.word == Word::Adding
    }

    /// As the log says it.
    pub(crate) fn word(&self) -> &'static str {
        match self.word {
            Word::Adding => "adding",
            Word::Healthy => "healthy",
            Word::Unhealthy => "unhealthy",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The word after each check; `+` is a good one.
    fn words(fall: u32, rise: u32, healthy: bool, checks: &str) -> String {
        let options = DhowOptions {
            fall,
            rise,
            ..DhowOptions::default()
        };
        let mut standing = Standing::new(&options, healthy);
        let mut words = String::new();
        for check in checks.chars() {
            let before = standing.word();
            let changed = standing.judge(check == '+');
            assert_eq!(changed, before != standing.word());
            words.push_str(standing.word().get(..1).unwrap());
        }
        words
    }

    /// parity: proxy 70, 76
    #[test]
    fn one_check_changes_everything_unless_told_otherwise() {
        assert_eq!(words(0, 0, false, "--+-++-"), "aahuhhu");
        assert_eq!(words(0, 0, true, "+-+"), "huh");
    }

    #[test]
    fn fall_and_rise_count_checks_in_a_row() {
        assert_eq!(words(3, 2, false, "-+--+---++"), "ahhhhhhuuh");
        assert_eq!(words(3, 2, true, "---+-++-"), "hhuuuuhh");
        assert_eq!(words(1, 3, true, "-++-+++"), "uuuuuuh");
    }
}
