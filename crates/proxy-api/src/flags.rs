//! The flag parser: long flags with `--flag value` or `--flag=value`, flags and positionals in any order,
//! `--` ends flags, `-h` is the only short one. Messages are those scripts know from kamal-proxy.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::cidr::Cidr;
use crate::csv::split_record;
use crate::duration::GoDuration;
use crate::literal::{parse_bool, parse_int, quote};

/// What a flag holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    Int,
    Duration,
    Text,
    List,
}

/// One flag of a command; `default` is shown in help only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: &'static str,
    pub(crate) help: &'static str,
}

/// Shorthand for the tables of flags.
pub(crate) const fn flag(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    help: &'static str,
) -> Spec {
    Spec {
        name,
        kind,
        default,
        help,
    }
}

/// Why arguments were not understood; each text is the part after `Error: `.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    /// No such long flag.
    #[error("unknown flag: --{0}")]
    Unknown(String),
    /// No such short flag.
    #[error("unknown shorthand flag: '{letter}' in -{whole}")]
    UnknownShort {
        /// The letter nobody knows.
        letter: char,
        /// The whole group it stands in.
        whole: String,
    },
    /// `--=x` or `---x`.
    #[error("bad flag syntax: {0}")]
    Syntax(String),
    /// The last argument is a flag that wants a value.
    #[error("flag needs an argument: --{0}")]
    NeedsValue(String),
    /// The value does not parse.
    #[error("invalid argument {value} for \"--{name}\" flag: {why}")]
    Value {
        /// The flag's name.
        name: String,
        /// The value in quotes.
        value: String,
        /// The parser's message.
        why: String,
    },
}

#[derive(Clone, Debug)]
enum Value {
    Bool(bool),
    Int(i64),
    Duration(GoDuration),
    Text(String),
    List(Vec<String>),
}

/// Arguments sorted into flags and positionals. Only flags that were given are present.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parsed {
    values: BTreeMap<&'static str, Value>,
    pub(crate) positionals: Vec<String>,
    pub(crate) help: bool,
}

impl Parsed {
    pub(crate) fn given(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    pub(crate) fn bool(&self, name: &str) -> Option<bool> {
        match self.values.get(name) {
            Some(Value::Bool(value)) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        match self.values.get(name) {
            Some(Value::Int(value)) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn duration(&self, name: &str) -> Option<GoDuration> {
        match self.values.get(name) {
            Some(Value::Duration(value)) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.values.get(name) {
            Some(Value::Text(value)) => Some(value.clone()),
            _ => None,
        }
    }

    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        match self.values.get(name) {
            Some(Value::List(values)) => values.clone(),
            _ => Vec::new(),
        }
    }

    /// A list of networks.
    pub(crate) fn networks(&self, name: &str) -> Result<Vec<Cidr>, FlagError> {
        let texts = self.list(name).into_iter();
        texts
            .map(|text| {
                Cidr::parse(&text).map_err(|error| FlagError::Value {
                    name: name.to_owned(),
                    value: quote(&text),
                    why: error.to_string(),
                })
            })
            .collect()
    }

    fn set(&mut self, spec: &Spec, text: &str) -> Result<(), FlagError> {
        let fail = |why: String| FlagError::Value {
            name: spec.name.to_owned(),
            value: quote(text),
            why,
        };
        let value = match spec.kind {
            Kind::Bool => Value::Bool(parse_bool(text).map_err(fail)?),
            Kind::Int => Value::Int(parse_int(text).map_err(fail)?),
            Kind::Duration => {
                Value::Duration(GoDuration::parse(text).map_err(|e| fail(e.to_string()))?)
            }
            Kind::Text => Value::Text(text.to_owned()),
            Kind::List => {
                let mut values = self.list(spec.name);
                values.extend(split_record(text).map_err(fail)?);
                Value::List(values)
            }
        };
        self.values.insert(spec.name, value);
        Ok(())
    }
}

/// Sorts `args` by `specs`. `-h`/`--help` sets [`Parsed::help`] and ends the reading.
pub(crate) fn parse(specs: &[Spec], args: &[OsString]) -> Result<Parsed, FlagError> {
    let mut parsed = Parsed::default();
    let mut args = args.iter().map(|arg| arg.to_string_lossy());
    while let Some(arg) = args.next() {
        if arg == "--" {
            parsed
                .positionals
                .extend(args.by_ref().map(std::borrow::Cow::into_owned));
            break;
        }
        if let Some(body) = arg.strip_prefix("--") {
            if body.starts_with(['-', '=']) {
                return Err(FlagError::Syntax(arg.into_owned()));
            }
            let (name, inline) = match body.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (body, None),
            };
            if name == "help" {
                parsed.help = true;
                break;
            }
            let spec = specs
                .iter()
                .find(|spec| spec.name == name)
                .ok_or_else(|| FlagError::Unknown(name.to_owned()))?;
            match (inline, spec.kind) {
                (Some(value), _) => parsed.set(spec, value)?,
                (None, Kind::Bool) => parsed.set(spec, "true")?,
                (None, _) => {
                    let value = args
                        .next()
                        .ok_or_else(|| FlagError::NeedsValue(name.to_owned()))?;
                    parsed.set(spec, &value)?;
                }
            }
        } else if let Some(letters) = arg.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            match letters.chars().next() {
                Some('h') => {
                    parsed.help = true;
                    break;
                }
                letter => {
                    return Err(FlagError::UnknownShort {
                        letter: letter.unwrap_or('-'),
                        whole: letters.to_owned(),
                    });
                }
            }
        } else {
            parsed.positionals.push(arg.into_owned());
        }
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECS: &[Spec] = &[
        flag("tls", Kind::Bool, "", ""),
        flag("percent", Kind::Int, "", ""),
        flag("deploy-timeout", Kind::Duration, "", ""),
        flag("message", Kind::Text, "", ""),
        flag("target", Kind::List, "", ""),
    ];

    fn read(args: &[&str]) -> Result<Parsed, FlagError> {
        parse(SPECS, &args.iter().map(OsString::from).collect::<Vec<_>>())
    }

    /// parity: proxy 138
    #[test]
    fn both_forms_and_any_order() {
        let parsed = read(&[
            "svc",
            "--message",
            "a b",
            "--tls",
            "--percent=0x10",
            "--",
            "--tls",
        ])
        .unwrap();
        assert_eq!(parsed.positionals, ["svc", "--tls"]);
        assert_eq!(parsed.text("message").as_deref(), Some("a b"));
        assert_eq!(parsed.bool("tls"), Some(true));
        assert_eq!(parsed.int("percent"), Some(16));
        assert!(!parsed.given("target"));
    }

    #[test]
    fn a_bool_takes_its_value_only_after_an_equals_sign() {
        let parsed = read(&["--tls", "false"]).unwrap();
        assert_eq!(
            (parsed.bool("tls"), parsed.positionals.len()),
            (Some(true), 1)
        );
        assert_eq!(read(&["--tls=F"]).unwrap().bool("tls"), Some(false));
    }

    /// parity: proxy 7
    #[test]
    fn lists_append_and_split() {
        let parsed = read(&["--target", "a,b", "--target=c", "--target="]).unwrap();
        assert_eq!(parsed.list("target"), ["a", "b", "c"]);
    }

    #[test]
    fn messages() {
        for (args, message) in [
            (&["--x"][..], "unknown flag: --x"),
            (&["-x"], "unknown shorthand flag: 'x' in -x"),
            (&["--message"], "flag needs an argument: --message"),
            (&["--=a"], "bad flag syntax: --=a"),
            (
                &["--percent=x"],
                r#"invalid argument "x" for "--percent" flag: strconv.ParseInt: parsing "x": invalid syntax"#,
            ),
            (
                &["--deploy-timeout", "5"],
                r#"invalid argument "5" for "--deploy-timeout" flag: time: missing unit in duration "5""#,
            ),
            (
                &["--tls=maybe"],
                r#"invalid argument "maybe" for "--tls" flag: strconv.ParseBool: parsing "maybe": invalid syntax"#,
            ),
        ] {
            assert_eq!(read(args).unwrap_err().to_string(), message);
        }
    }
}
