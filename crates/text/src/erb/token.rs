//! The words of Ruby, as far as templates use them.

/// One token and its place in the template.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) place: Place,
    /// White space stands before it.
    pub(super) spaced: bool,
}

/// A byte range of the template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Place {
    /// From the start of this to the end of that.
    pub(super) fn to(self, end: Self) -> Self {
        Self {
            start: self.start,
            end: end.end.max(self.start),
        }
    }
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Int(i64),
    Float(f64),
    Str(Vec<Part>),
    /// Backticks or `%x()`.
    Command(Vec<Part>),
    /// `%w[]`
    Words(Vec<String>),
    /// `%i[]`
    Symbols(Vec<String>),
    Symbol(String),
    /// `/…/` with its flags.
    Pattern(Vec<Part>, String),
    /// `$1`; 0 is `$~`.
    Group(usize),
    /// `name:`
    Label(String),
    /// Names and keywords, with their `?` or `!`.
    Ident(String),
    Const(String),
    Op(&'static str),
    /// A line break or `;`.
    Newline,
    /// Text of the template, by its place among the pieces.
    Text(usize),
    /// The start of `<%= %>`, with the place of the whole tag.
    Output,
    /// Its end.
    OutputEnd,
}

/// A piece of a string.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    Text(String),
    /// `#{…}`
    Code(Vec<Token>),
}

/// Why a template can't be rendered natively.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Unsupported {
    /// The construct, as it reads in a sentence: "`while`", "a regular expression".
    pub(super) what: String,
    pub(super) place: Place,
}

impl Unsupported {
    pub(super) fn new(what: impl Into<String>, place: Place) -> Self {
        Self {
            what: what.into(),
            place,
        }
    }
}
