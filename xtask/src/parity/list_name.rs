//! The three lists, and whose tests speak of which.

/// A list of parity items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListName {
    /// The deploy file, env and secrets. Items are numbered `section.item`.
    Config,
    /// Commands, their order and their lines on the hosts.
    Commands,
    /// The proxy; `D…` are kamal-proxy's faults that are mended.
    Proxy,
}

impl ListName {
    pub(crate) const ALL: [Self; 3] = [Self::Config, Self::Commands, Self::Proxy];

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|list| list.word() == word)
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Commands => "commands",
            Self::Proxy => "proxy",
        }
    }

    /// The list's file, from the repository's root.
    pub(crate) fn path(self) -> String {
        format!("docs/parity/{}.md", self.word())
    }

    /// How many items there are. A row can't get lost without notice.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::Config => 198,
            Self::Commands => 252,
            Self::Proxy => 140 + 19,
        }
    }

    /// The list that a bare `item_` means in the source at `path`.
    pub(crate) fn of_source(path: &str) -> Option<Self> {
        let crate_ = path.strip_prefix("crates/")?.split('/').next()?;
        match crate_ {
            "config" | "text" | "secrets" => Some(Self::Config),
            "commands" | "cli" | "plan" | "ssh" | "run" | "image" | "report" => {
                Some(Self::Commands)
            }
            "proxy" | "proxy-api" | "certs" => Some(Self::Proxy),
            _ => None,
        }
    }
}
