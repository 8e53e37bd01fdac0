//! The methods that templates may call, by receiver.
//!
//! In: a [`Message`]. Out: what Ruby would give. A name that no receiver here has is refused while the template is read; a name
//! that this receiver lacks is refused when it is called (or is Ruby's own `NoMethodError`, on nil).

mod constants;
mod enumerator;
mod folds;
mod hash;
mod list;
mod number;
mod string;

pub(super) use constants::{constant, function, is_constant};

use super::ast::Block;
use super::interpreter::{Eval, Interpreter, Stop, raise, unsupported};
use super::matching;
use super::token::Place;
use super::value::Value;

/// A method call with everything evaluated.
pub(super) struct Message<'m> {
    pub(super) receiver: Value,
    pub(super) name: &'m str,
    pub(super) args: &'m [Value],
    pub(super) named: &'m [(&'m str, Value)],
    pub(super) block: Option<&'m Block>,
    pub(super) place: Place,
}

impl Message<'_> {
    /// The only argument as text, where Ruby wants a string.
    fn text(&self, at: usize) -> Eval<&str> {
        match self.args.get(at) {
            Some(Value::Str(text)) => Ok(text),
            Some(Value::Nil) => Err(raise(
                "TypeError",
                "no implicit conversion of nil into String",
                self.place,
            )),
            _ => Err(self.unsupported()),
        }
    }

    fn block(&self) -> Eval<&Block> {
        self.block
            .ok_or_else(|| unsupported(format!("`{}` without a block", self.name), self.place))
    }

    fn named(&self, name: &str) -> Option<&Value> {
        self.named
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// This method on this receiver with these arguments.
    pub(super) fn unsupported(&self) -> Stop {
        let what = format!(
            "`{}` of {} with these arguments",
            self.name,
            self.receiver.class()
        );
        unsupported(what, self.place)
    }
}

/// Every name that some receiver answers to.
const NAMES: &[&str] = &[
    // anything
    "nil?",
    "blank?",
    "present?",
    "presence",
    "to_s",
    "to_str",
    "inspect",
    "to_json",
    "to_yaml",
    "freeze",
    "dup",
    "itself",
    "then",
    // strings
    "strip",
    "lstrip",
    "rstrip",
    "chomp",
    "chop",
    "split",
    "to_i",
    "to_f",
    "to_sym",
    "upcase",
    "downcase",
    "capitalize",
    "gsub",
    "sub",
    "tr",
    "delete",
    "start_with?",
    "end_with?",
    "include?",
    "empty?",
    "length",
    "size",
    "lines",
    "chars",
    "reverse",
    "delete_prefix",
    "delete_suffix",
    "ljust",
    "rjust",
    "count",
    "to_str",
    "each_line",
    "match",
    "match?",
    "scan",
    "partition",
    "rpartition",
    "squeeze",
    "swapcase",
    "center",
    "casecmp?",
    "ord",
    "hex",
    // patterns and matches
    "source",
    "captures",
    "named_captures",
    "pre_match",
    "post_match",
    "quote",
    // lambdas
    "call",
    // lists, hashes and ranges
    "join",
    "map",
    "collect",
    "flat_map",
    "each",
    "each_with_index",
    "with_index",
    "select",
    "filter",
    "reject",
    "filter_map",
    "first",
    "last",
    "uniq",
    "sort",
    "sort_by",
    "compact",
    "flatten",
    "to_a",
    "to_h",
    "any?",
    "all?",
    "none?",
    "find",
    "detect",
    "index",
    "take",
    "drop",
    "min",
    "max",
    "sum",
    "zip",
    "dig",
    "values_at",
    "fetch",
    "key?",
    "has_key?",
    "member?",
    "keys",
    "values",
    "each_pair",
    "merge",
    "slice",
    "except",
    "transform_values",
    "transform_keys",
    "symbolize_keys",
    "stringify_keys",
    "compact_blank",
    "excluding",
    "without",
    "rotate",
    "partition",
    "group_by",
    "tally",
    "reverse_each",
    "entries",
    "push",
    "append",
    "unshift",
    "prepend",
    "concat",
    "merge!",
    "update",
    "grep",
    "grep_v",
    "reduce",
    "inject",
    "each_slice",
    "each_cons",
    "min_by",
    "max_by",
    "find_index",
    "intersection",
    "union",
    "one?",
    // numbers
    "times",
    "abs",
    "round",
    "floor",
    "ceil",
    "zero?",
    "positive?",
    "negative?",
    "even?",
    "odd?",
    "succ",
    "pred",
    "next",
    "upto",
    "divmod",
    "clamp",
    "between?",
    // times
    "now",
    "utc",
    "strftime",
    "year",
    "month",
    "day",
    "hour",
    "iso8601",
    // classes
    "store",
    "read",
    "exist?",
    "file?",
    "expand_path",
    "basename",
    "dirname",
    "extname",
    "readlines",
    "pwd",
    "getwd",
    "home",
    "parse",
    "generate",
    "dump",
    "load",
    "load_file",
    "safe_load",
    "safe_load_file",
    "unsafe_load",
    "unsafe_load_file",
    "overload",
    "overwrite",
    "docker_arch",
    "new",
    "result",
    "escape",
    "url_encode",
    "encode_www_form_component",
    "encode_uri_component",
    "strict_encode64",
    "strict_decode64",
    "shellescape",
    "shellsplit",
];

/// Whether a method of this name exists here at all.
pub(super) fn is_known(name: &str) -> bool {
    NAMES.contains(&name)
}

/// The value of a call.
pub(super) fn call(run: &mut Interpreter<'_>, message: &Message<'_>) -> Eval {
    if let Some(value) = of_anything(run, message)? {
        return Ok(value);
    }
    let value = match &message.receiver {
        Value::Nil => return of_nil(message),
        Value::Str(text) => match matching::of_string(run, message, text)? {
            None => string::call(run, message, text)?,
            found => found,
        },
        Value::Pattern(pattern) => matching::of_pattern(run, message, pattern)?,
        Value::Match(found) => matching::of_found(message, found)?,
        Value::Lambda(closure) if matches!(message.name, "call" | "[]" | "===") => {
            let (args, named) = (message.args, message.named);
            Some(run.call_closure(closure, args, named, message.place)?)
        }
        Value::Symbol(text) => string::of_symbol(run, message, text)?,
        Value::Int(_) | Value::Float(_) => number::call(run, message)?,
        Value::Array(items) => list::call(run, message, items)?,
        Value::Range {
            from,
            to,
            exclusive,
        } => list::of_range(run, message, *from, *to, *exclusive)?,
        Value::Enumerator { items, method } => {
            enumerator::of_enumerator(run, message, items, *method)?
        }
        Value::Hash(pairs) => hash::call(run, message, pairs)?,
        Value::Const(name) => constants::call(run, message, name)?,
        Value::Time(time) => number::of_time(message, *time)?,
        Value::Template(text) if message.name == "result" => {
            Some(Value::str(run.render_nested(text, message.place)?))
        }
        _ => None,
    };
    value.ok_or_else(|| {
        unsupported(
            format!("`{}` of {}", message.name, message.receiver.class()),
            message.place,
        )
    })
}

fn of_anything(run: &mut Interpreter<'_>, message: &Message<'_>) -> Eval<Option<Value>> {
    let receiver = &message.receiver;
    Ok(Some(match (message.name, message.args) {
        ("==", [other]) => Value::Bool(receiver.equals(other)),
        ("===", [other])
            if !matches!(
                receiver,
                Value::Const(_) | Value::Range { .. } | Value::Pattern(_) | Value::Lambda(_)
            ) =>
        {
            Value::Bool(receiver.equals(other))
        }
        ("nil?", []) => Value::Bool(*receiver == Value::Nil),
        ("blank?", []) => Value::Bool(receiver.is_blank()),
        ("present?", []) => Value::Bool(!receiver.is_blank()),
        ("presence", []) => {
            if receiver.is_blank() {
                Value::Nil
            } else {
                receiver.clone()
            }
        }
        ("to_s", []) => Value::str(receiver.to_s()),
        ("inspect", []) => Value::str(receiver.inspect()),
        ("freeze" | "dup" | "itself", []) => receiver.clone(),
        ("then", []) => {
            return run
                .yield_to(
                    message.block()?,
                    std::slice::from_ref(receiver),
                    message.place,
                )
                .map(Some);
        }
        ("to_json", []) => Value::str(receiver.to_json().ok_or_else(|| message.unsupported())?),
        ("to_yaml", []) => {
            let node = receiver.to_yaml().ok_or_else(|| message.unsupported())?;
            Value::str(crate::yaml::emit(&node))
        }
        _ => return Ok(None),
    }))
}

fn of_nil(message: &Message<'_>) -> Eval {
    match (message.name, message.args) {
        ("to_a", []) => Ok(Value::array(Vec::new())),
        ("to_h", []) => Ok(Value::hash(Vec::new())),
        ("to_i", []) => Ok(Value::Int(0)),
        ("to_f", []) => Ok(Value::Float(0.0)),
        ("=~", [_]) => Ok(Value::Nil),
        _ => {
            let text = format!("undefined method `{}' for nil", message.name);
            Err(raise("NoMethodError", text, message.place))
        }
    }
}

/// Text put together, within bounds.
fn joined(pieces: impl IntoIterator<Item = String>, between: &str, place: Place) -> Eval {
    let mut out = String::new();
    for (at, piece) in pieces.into_iter().enumerate() {
        if at > 0 {
            out.push_str(between);
        }
        out.push_str(&piece);
        if out.len() > super::interpreter::MAX_LENGTH {
            return Err(Stop::Limit("text", place));
        }
    }
    Ok(Value::str(out))
}
