//! Ruby's values, as far as templates have them.

use std::rc::Rc;

use super::inspect::{inspect, inspect_symbol};
use super::matching::Match;
use super::pattern::Pattern;
use super::scopes::Closure;
use super::world::Moment;
use crate::source::Span;
use crate::yaml::{self, Map, Node, ruby_float};

/// A value. Cheap to clone; never changed in place.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Rc<str>),
    Symbol(Rc<str>),
    Array(Rc<[Self]>),
    Hash(Rc<[(Self, Self)]>),
    Range {
        from: i64,
        to: i64,
        exclusive: bool,
    },
    /// `ENV`, `File`, `Kamal::Utils`, …
    Const(Rc<str>),
    Time(Time),
    /// `ERB.new(…)`
    Template(Rc<str>),
    /// `map`, `each` or `each_with_index` without a block: what `with_index` is called on.
    Enumerator {
        items: Rc<[Self]>,
        method: Method,
    },
    /// `/…/`
    Pattern(Rc<Pattern>),
    /// `$~`, `match`
    Match(Rc<Match>),
    Lambda(Rc<Closure>),
    Binding,
}

/// What an enumerator was made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Map,
    Each,
}

/// A time that knows its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time {
    pub(super) moment: Moment,
    pub(super) utc: bool,
}

impl Value {
    pub(super) fn str(text: impl AsRef<str>) -> Self {
        Self::Str(Rc::from(text.as_ref()))
    }

    pub(super) fn array(items: Vec<Self>) -> Self {
        Self::Array(Rc::from(items))
    }

    pub(super) fn hash(pairs: Vec<(Self, Self)>) -> Self {
        let mut unique: Vec<(Self, Self)> = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            match unique.iter_mut().find(|(known, _)| *known == key) {
                Some(pair) => pair.1 = value,
                None => unique.push((key, value)),
            }
        }
        Self::Hash(Rc::from(unique))
    }

    /// A string, or nil.
    pub(super) fn optional(text: Option<String>) -> Self {
        text.map_or(Self::Nil, Self::str)
    }

    pub(super) fn is_truthy(&self) -> bool {
        !matches!(self, Self::Nil | Self::Bool(false))
    }

    /// ActiveSupport's `blank?`, which Kamal has loaded.
    pub(super) fn is_blank(&self) -> bool {
        match self {
            Self::Nil | Self::Bool(false) => true,
            Self::Str(text) => text.trim().is_empty(),
            Self::Symbol(text) => text.is_empty(),
            Self::Array(items) => items.is_empty(),
            Self::Hash(pairs) => pairs.is_empty(),
            _ => false,
        }
    }

    /// `==`: numbers are equal across kinds.
    pub(super) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Float(b)) | (Self::Float(b), Self::Int(a)) => float(*a) == *b,
            (Self::Array(a), Self::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.equals(b))
            }
            (a, b) => a == b,
        }
    }

    /// Its class, as error messages name it.
    pub(super) fn class(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Str(_) => "a string",
            Self::Symbol(_) => "a symbol",
            Self::Array(_) => "a list",
            Self::Hash(_) => "a hash",
            Self::Range { .. } => "a range",
            Self::Const(_) => "a class",
            Self::Time(_) => "a time",
            Self::Template(_) => "a template",
            Self::Enumerator { .. } => "an enumerator",
            Self::Pattern(_) => "a regular expression",
            Self::Match(_) => "a match",
            Self::Lambda(_) => "a lambda",
            Self::Binding => "a binding",
        }
    }

    /// The text that a tag inserts.
    pub(super) fn to_s(&self) -> String {
        match self {
            Self::Nil => String::new(),
            Self::Bool(flag) => flag.to_string(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => ruby_float(*number),
            Self::Str(text) | Self::Symbol(text) | Self::Const(text) => text.to_string(),
            Self::Time(time) => time.format("%Y-%m-%d %H:%M:%S %Q"),
            Self::Pattern(pattern) => pattern.to_s(),
            Self::Match(found) => found.group(0).unwrap_or("").to_owned(),
            other => other.inspect(),
        }
    }

    /// The text that Ruby's `inspect` gives.
    pub(super) fn inspect(&self) -> String {
        match self {
            Self::Nil => "nil".to_owned(),
            Self::Str(text) => inspect(text),
            Self::Symbol(name) => inspect_symbol(name),
            Self::Array(items) => {
                let items: Vec<String> = items.iter().map(Self::inspect).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Hash(pairs) => {
                let pairs: Vec<String> = pairs
                    .iter()
                    .map(|(k, v)| format!("{}=>{}", k.inspect(), v.inspect()))
                    .collect();
                format!("{{{}}}", pairs.join(", "))
            }
            Self::Range {
                from,
                to,
                exclusive,
            } => format!("{from}{}{to}", if *exclusive { "..." } else { ".." }),
            Self::Template(_) => "#<ERB>".to_owned(),
            Self::Enumerator { .. } => "#<Enumerator: ...>".to_owned(),
            Self::Pattern(pattern) => pattern.inspect(),
            Self::Match(found) => found.inspect(),
            Self::Lambda(_) => "#<Proc>".to_owned(),
            Self::Binding => "#<Binding>".to_owned(),
            other => other.to_s(),
        }
    }

    /// The text that `JSON.generate` gives; none for what JSON has no word for.
    pub(super) fn to_json(&self) -> Option<String> {
        Some(match self {
            Self::Nil => "null".to_owned(),
            Self::Bool(_) | Self::Int(_) => self.to_s(),
            Self::Float(number) if number.is_finite() => self.to_s(),
            Self::Str(text) | Self::Symbol(text) => serde_json::to_string(&**text).ok()?,
            Self::Array(items) => {
                let items: Option<Vec<String>> = items.iter().map(Self::to_json).collect();
                format!("[{}]", items?.join(","))
            }
            Self::Hash(pairs) => {
                let pairs: Option<Vec<String>> = pairs
                    .iter()
                    .map(|(k, v)| {
                        Some(format!(
                            "{}:{}",
                            serde_json::to_string(&k.to_s()).ok()?,
                            v.to_json()?
                        ))
                    })
                    .collect();
                format!("{{{}}}", pairs?.join(","))
            }
            Self::Time(_) | Self::Range { .. } => serde_json::to_string(&self.to_s()).ok()?,
            _ => return None,
        })
    }

    pub(super) fn from_json(json: &serde_json::Value, symbols: bool) -> Option<Self> {
        Some(match json {
            serde_json::Value::Null => Self::Nil,
            serde_json::Value::Bool(flag) => Self::Bool(*flag),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(number) => Self::Int(number),
                None if number.is_f64() => Self::Float(number.as_f64()?),
                None => return None,
            },
            serde_json::Value::String(text) => Self::str(text),
            serde_json::Value::Array(items) => {
                let items: Option<Vec<Self>> = items
                    .iter()
                    .map(|item| Self::from_json(item, symbols))
                    .collect();
                Self::array(items?)
            }
            serde_json::Value::Object(map) => {
                let key = |name: &str| {
                    if symbols {
                        Self::Symbol(Rc::from(name))
                    } else {
                        Self::str(name)
                    }
                };
                let pairs: Option<Vec<_>> = map
                    .iter()
                    .map(|(k, v)| Some((key(k), Self::from_json(v, symbols)?)))
                    .collect();
                Self::hash(pairs?)
            }
        })
    }

    /// None for what templates have no value for: times, integers past 64 bits.
    pub(super) fn from_yaml(node: &Node) -> Option<Self> {
        Some(match &node.value {
            yaml::Value::Null => Self::Nil,
            yaml::Value::Bool(flag) => Self::Bool(*flag),
            yaml::Value::Int(number) => Self::Int(*number),
            yaml::Value::Float(number) => Self::Float(*number),
            yaml::Value::Str(text) => Self::str(text),
            yaml::Value::Symbol(name) => Self::Symbol(Rc::from(name.as_str())),
            yaml::Value::BigInt(_) | yaml::Value::Date(_) | yaml::Value::Time(_) => return None,
            yaml::Value::Seq(items) => {
                let items: Option<Vec<Self>> = items.iter().map(Self::from_yaml).collect();
                Self::array(items?)
            }
            yaml::Value::Map(map) => {
                let pairs: Option<Vec<_>> = map
                    .iter()
                    .map(|(k, v)| Some((Self::from_yaml(k)?, Self::from_yaml(v)?)))
                    .collect();
                Self::hash(pairs?)
            }
        })
    }

    pub(super) fn to_yaml(&self) -> Option<Node> {
        let value = match self {
            Self::Nil => yaml::Value::Null,
            Self::Bool(flag) => yaml::Value::Bool(*flag),
            Self::Int(number) => yaml::Value::Int(*number),
            Self::Float(number) => yaml::Value::Float(*number),
            Self::Str(text) => yaml::Value::Str(text.to_string()),
            Self::Symbol(name) => yaml::Value::Symbol(name.to_string()),
            Self::Array(items) => {
                let items: Option<Vec<Node>> = items.iter().map(Self::to_yaml).collect();
                yaml::Value::Seq(items?)
            }
            Self::Hash(pairs) => {
                let pairs: Option<Map> = pairs
                    .iter()
                    .map(|(k, v)| Some((k.to_yaml()?, v.to_yaml()?)))
                    .collect();
                yaml::Value::Map(pairs?)
            }
            _ => return None,
        };
        Some(Node::new(value, Span::nowhere()))
    }

    /// Roughly how much memory it takes: what making it costs.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Str(text) => text.len() / 64,
            Self::Array(items) => items.len() / 4,
            Self::Hash(pairs) => pairs.len() * (1 + pairs.len() / 64),
            _ => 0,
        }
    }
}

impl Time {
    /// `strftime`, for the directives of dates and times; `%Q` stands for the zone as `Time#to_s` writes it. An unknown
    /// directive gives the empty text: callers check with [`Time::knows`].
    pub(super) fn format(self, pattern: &str) -> String {
        let offset = if self.utc {
            0
        } else {
            i64::from(self.moment.offset)
        };
        let local = self.moment.seconds + offset;
        let (days, seconds) = (local.div_euclid(86_400), local.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let year_day = days - days_to(year, 1, 1) + 1;
        let sign = if offset < 0 { '-' } else { '+' };
        let zone = format!(
            "{sign}{:02}{:02}",
            offset.abs() / 3600,
            offset.abs() / 60 % 60
        );
        let mut out = String::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let text = match chars.next() {
                Some('Y') => year.to_string(),
                Some('y') => format!("{:02}", year.rem_euclid(100)),
                Some('m') => format!("{month:02}"),
                Some('d') => format!("{day:02}"),
                Some('H') => format!("{hour:02}"),
                Some('M') => format!("{minute:02}"),
                Some('S') => format!("{second:02}"),
                Some('j') => format!("{year_day:03}"),
                Some('s') => self.moment.seconds.to_string(),
                Some('F') => format!("{year}-{month:02}-{day:02}"),
                Some('T') => format!("{hour:02}:{minute:02}:{second:02}"),
                Some('z') => zone.clone(),
                Some('Q') if self.utc => "UTC".to_owned(),
                Some('Q') => zone.clone(),
                Some('%') => "%".to_owned(),
                _ => String::new(),
            };
            out.push_str(&text);
        }
        out
    }

    /// Whether every directive of a pattern is one that [`Time::format`] has.
    pub(super) fn knows(pattern: &str) -> bool {
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            if c == '%' && !chars.next().is_some_and(|d| "YymdHMSjsFTz%".contains(d)) {
                return false;
            }
        }
        true
    }
}

/// A whole number as a float, as near as floats come.
#[expect(
    clippy::cast_precision_loss,
    reason = "Ruby's `Integer#to_f` rounds too"
)]
pub(super) fn float(number: i64) -> f64 {
    number as f64
}

/// Year, month and day of a day counted from 1970-01-01, by the Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The inverse of [`civil`].
fn days_to(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_ruby_writes_them() {
        let moment = Moment {
            seconds: 1_709_210_096,
            offset: 3600,
        };
        let local = Time { moment, utc: false };
        assert_eq!(Value::Time(local).to_s(), "2024-02-29 13:34:56 +0100");
        assert_eq!(
            Value::Time(Time { moment, utc: true }).to_s(),
            "2024-02-29 12:34:56 UTC"
        );
        assert_eq!(local.format("%Y%m%d%H%M%S %j %y"), "20240229133456 060 24");
        assert!(!Time::knows("%A"));
    }
}
