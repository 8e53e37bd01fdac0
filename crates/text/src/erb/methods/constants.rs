//! What templates reach by name: the environment, files, parsers, a few functions.

use std::rc::Rc;

use super::Message;
use crate::dotenv::{self, Existing, Expander};
use crate::erb::interpreter::{Eval, Interpreter, raise, unsupported};
use crate::erb::pattern::{Pattern, pattern_escaped};
use crate::erb::token::Place;
use crate::erb::value::{Time, Value};
use crate::erb::world::FileFailure;
use crate::source::SourceId;
use crate::{shell, yaml};

/// The Ruby and the Kamal that templates see: dhow stands for Kamal 2.12 on the Ruby of its time.
const RUBY_VERSION: &str = "3.4.7";
const KAMAL_VERSION: &str = "2.12.0";

const CLASSES: &[&str] = &[
    "ENV",
    "File",
    "IO",
    "Dir",
    "JSON",
    "YAML",
    "Psych",
    "Dotenv",
    "Kamal::Utils",
    "ERB",
    "ERB::Util",
    "Time",
    "CGI",
    "URI",
    "Base64",
    "Shellwords",
    "Regexp",
];

/// Libraries that are there without being asked for.
const LIBRARIES: &[&str] = &[
    "dotenv",
    "json",
    "yaml",
    "psych",
    "erb",
    "time",
    "date",
    "cgi",
    "uri",
    "base64",
    "shellwords",
    "set",
    "pathname",
    "kamal",
    "bundler/setup",
    "rubygems",
];

/// Whether there is a constant of this name.
pub(crate) fn is_constant(name: &str) -> bool {
    constant(name, Place::default()).is_ok()
}

/// The value of a constant.
pub(crate) fn constant(name: &str, place: Place) -> Eval {
    Ok(match name.trim_start_matches("::") {
        "RUBY_ENGINE" => Value::str("ruby"),
        "RUBY_VERSION" | "RUBY_ENGINE_VERSION" => Value::str(RUBY_VERSION),
        "Kamal::VERSION" => Value::str(KAMAL_VERSION),
        class if CLASSES.contains(&class) => Value::Const(Rc::from(class)),
        other => return Err(unsupported(format!("`{other}`"), place)),
    })
}

/// `puts`, `require`, `raise` and the like.
pub(crate) fn function(
    run: &mut Interpreter<'_>,
    name: &str,
    args: &[Value],
    named: &[(&str, Value)],
    place: Place,
) -> Eval {
    if let ("format" | "sprintf", [Value::Str(pattern), args @ ..]) = (name, args) {
        let pairs = named
            .iter()
            .map(|(name, value)| (Value::Symbol(Rc::from(*name)), value.clone()));
        let hash = Value::hash(pairs.collect());
        let args = match named {
            [] => args,
            _ => std::slice::from_ref(&hash),
        };
        let message = Message {
            receiver: Value::Str(pattern.clone()),
            name,
            args,
            named: &[],
            block: None,
            place,
        };
        return Ok(Value::str(super::string::formatted(
            &message, pattern, args,
        )?));
    }
    if !named.is_empty() {
        return Err(unsupported(format!("`{name}` with these arguments"), place));
    }
    match (name, args) {
        ("puts", args) => {
            let mut text = String::new();
            for arg in args {
                match arg {
                    Value::Array(items) => items.iter().for_each(|item| put_line(&mut text, item)),
                    other => put_line(&mut text, other),
                }
            }
            if args.is_empty() {
                text.push('\n');
            }
            run.world.puts(&text);
            Ok(Value::Nil)
        }
        ("print", args) => {
            let text: String = args.iter().map(Value::to_s).collect();
            run.world.puts(&text);
            Ok(Value::Nil)
        }
        ("require", [Value::Str(library)]) => {
            if &**library == "dotenv/load" {
                return load(run, &[], Existing::Kept, place);
            }
            if LIBRARIES.contains(&&**library) || library.starts_with("active_support") {
                return Ok(Value::Bool(false));
            }
            Err(unsupported(format!("`require \"{library}\"`"), place))
        }
        ("abort", [Value::Str(message)]) => Err(raise("SystemExit", &**message, place)),
        ("raise" | "fail", [Value::Str(message)]) => Err(raise("RuntimeError", &**message, place)),
        ("raise", []) => Err(raise("RuntimeError", "unhandled exception", place)),
        ("binding", []) => Ok(Value::Binding),
        ("String", [value]) => Ok(Value::str(value.to_s())),
        ("Array", [Value::Nil]) => Ok(Value::array(Vec::new())),
        ("Array", [value @ Value::Array(_)]) => Ok(value.clone()),
        ("Array", [value @ (Value::Str(_) | Value::Int(_) | Value::Symbol(_))]) => {
            Ok(Value::array(vec![value.clone()]))
        }
        ("Integer", [value @ Value::Int(_)]) => Ok(value.clone()),
        ("Integer", [Value::Str(text)]) => {
            let plain = text.trim();
            let digits = plain.strip_prefix(['-', '+']).unwrap_or(plain);
            if digits.len() > 1 && digits.starts_with('0') || digits.contains('_') {
                return Err(unsupported("`Integer()` of such a text", place));
            }
            plain.parse().map(Value::Int).map_err(|_| {
                raise(
                    "ArgumentError",
                    format!(
                        "invalid value for Integer(): {}",
                        Value::Str(text.clone()).inspect()
                    ),
                    place,
                )
            })
        }
        ("Integer", [Value::Nil]) => {
            Err(raise("TypeError", "can't convert nil into Integer", place))
        }
        _ => Err(unsupported(format!("`{name}` with these arguments"), place)),
    }
}

fn put_line(out: &mut String, value: &Value) {
    let text = value.to_s();
    out.push_str(&text);
    if !text.ends_with('\n') {
        out.push('\n');
    }
}

/// Calls on classes.
pub(super) fn call(
    run: &mut Interpreter<'_>,
    message: &Message<'_>,
    class: &str,
) -> Eval<Option<Value>> {
    match class {
        "ENV" => environment(run, message),
        "File" | "IO" => file(run, message),
        "Dir" => Ok(match (message.name, message.args) {
            ("pwd" | "getwd", []) => Some(Value::str(run.world.cwd())),
            ("home", []) => run.world.env("HOME").map(Value::str),
            ("exist?", [_]) => Some(Value::Bool(run.world.exists(message.text(0)?))),
            _ => None,
        }),
        "JSON" => json(message),
        "YAML" | "Psych" => documents(run, message),
        "Dotenv" => dotenv_call(run, message),
        "Kamal::Utils" if message.name == "docker_arch" => {
            let output = run
                .command("docker info --format '{{.Architecture}}'", message.place)?
                .to_s();
            Ok(Some(Value::str(if output.contains("aarch64") {
                "arm64"
            } else if output.contains("x86_64") {
                "amd64"
            } else {
                output.trim()
            })))
        }
        "ERB" => Ok(match (message.name, message.args, message.named) {
            ("new", [Value::Str(text)], [("trim_mode", Value::Str(mode))]) if &**mode == "-" => {
                Some(Value::Template(text.clone()))
            }
            _ => None,
        }),
        "Time" if message.name == "now" && message.args.is_empty() => {
            let moment = run
                .world
                .now()
                .ok_or_else(|| unsupported("`Time.now`", message.place))?;
            Ok(Some(Value::Time(Time {
                moment,
                utc: moment.offset == 0,
            })))
        }
        "Regexp" => Ok(match (message.name, message.args) {
            ("escape" | "quote", [Value::Str(text)]) => Some(Value::str(pattern_escaped(text))),
            ("new", [Value::Str(source)]) => Some(Value::Pattern(Rc::new(Pattern::new(
                source,
                "",
                message.place,
            )?))),
            _ => None,
        }),
        "Shellwords" => Ok(match (message.name, message.args) {
            ("escape" | "shellescape", [Value::Str(text)]) => Some(Value::str(shell::escape(text))),
            _ => None,
        }),
        "CGI" | "URI" | "ERB::Util" | "Base64" => encoded(message, class),
        _ => Ok(None),
    }
}

fn environment(run: &mut Interpreter<'_>, message: &Message<'_>) -> Eval<Option<Value>> {
    Ok(Some(match (message.name, message.args) {
        ("[]", [_]) => Value::optional(run.world.env(message.text(0)?)),
        ("fetch", [_, rest @ ..]) => {
            let name = message.text(0)?;
            match (run.world.env(name), message.block, rest) {
                (Some(value), ..) => Value::str(value),
                (None, Some(block), _) => {
                    run.yield_to(block, &[Value::str(name)], message.place)?
                }
                (None, None, [default]) => default.clone(),
                (None, None, _) => {
                    let problem = format!("key not found: {}", crate::erb::inspect(name));
                    return Err(raise("KeyError", problem, message.place));
                }
            }
        }
        ("key?" | "has_key?" | "include?" | "member?", [_]) => {
            Value::Bool(run.world.env(message.text(0)?).is_some())
        }
        ("values_at", names) => {
            let values: Eval<Vec<_>> = (0..names.len())
                .map(|at| Ok(Value::optional(run.world.env(message.text(at)?))))
                .collect();
            Value::array(values?)
        }
        ("slice", names) => {
            let mut pairs = Vec::new();
            for at in 0..names.len() {
                let name = message.text(at)?;
                pairs.extend(
                    run.world
                        .env(name)
                        .map(|value| (Value::str(name), Value::str(value))),
                );
            }
            Value::hash(pairs)
        }
        ("store", [_, value]) => {
            let text = message.text(1)?;
            run.world.set_env(message.text(0)?, Some(text));
            value.clone()
        }
        ("delete", [_]) => {
            let name = message.text(0)?;
            let before = Value::optional(run.world.env(name));
            run.world.set_env(name, None);
            before
        }
        _ => return Ok(None),
    }))
}

fn file(run: &mut Interpreter<'_>, message: &Message<'_>) -> Eval<Option<Value>> {
    Ok(Some(match (message.name, message.args) {
        ("read", [_]) => Value::str(read(run, message.text(0)?, message.place)?),
        ("readlines", [_]) => {
            let text = read(run, message.text(0)?, message.place)?;
            let chomp = message.named("chomp").is_some_and(Value::is_truthy);
            let lines = text.split_inclusive('\n').map(|line| {
                if chomp {
                    line.trim_end_matches('\n')
                } else {
                    line
                }
            });
            Value::array(lines.map(Value::str).collect())
        }
        ("exist?" | "file?", [_]) => Value::Bool(run.world.exists(message.text(0)?)),
        ("join", parts) => {
            let mut out = String::new();
            for at in 0..parts.len() {
                let part = message.text(at)?;
                if at > 0 {
                    let trimmed = out.trim_end_matches('/').len();
                    out.truncate(trimmed);
                    out.push('/');
                }
                out.push_str(if at > 0 {
                    part.trim_start_matches('/')
                } else {
                    part
                });
            }
            Value::str(out)
        }
        ("expand_path", [_]) => Value::str(expanded(run, message.text(0)?, None)),
        ("expand_path", [_, Value::Str(base)]) => {
            let base = expanded(run, base, None);
            Value::str(expanded(run, message.text(0)?, Some(&base)))
        }
        ("basename", [_]) => Value::str(base_name(message.text(0)?)),
        ("basename", [_, Value::Str(suffix)]) => {
            let name = base_name(message.text(0)?);
            let cut = if &**suffix == ".*" {
                name.rfind('.')
                    .filter(|at| *at > 0)
                    .and_then(|at| name.get(..at))
            } else {
                name.strip_suffix(&**suffix).filter(|rest| !rest.is_empty())
            };
            Value::str(cut.unwrap_or(name))
        }
        ("dirname", [_]) => Value::str(
            match message.text(0)?.trim_end_matches('/').rsplit_once('/') {
                Some(("", _)) => "/",
                Some((directory, _)) => directory,
                None => ".",
            },
        ),
        ("extname", [_]) => {
            let name = base_name(message.text(0)?);
            let dot = name.rfind('.').filter(|at| *at > 0 && at + 1 < name.len());
            Value::str(dot.and_then(|at| name.get(at..)).unwrap_or(""))
        }
        _ => return Ok(None),
    }))
}

fn base_name(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() && !path.is_empty() {
        return "/";
    }
    trimmed.rsplit('/').next().unwrap_or("")
}

fn expanded(run: &Interpreter<'_>, path: &str, base: Option<&str>) -> String {
    let start = if path.starts_with('/') {
        String::new()
    } else if path == "~" || path.starts_with("~/") {
        return tidy(&format!(
            "{}{}",
            run.world.env("HOME").unwrap_or_default(),
            path.trim_start_matches('~')
        ));
    } else {
        base.map_or_else(|| run.world.cwd(), str::to_owned)
    };
    tidy(&format!("{start}/{path}"))
}

fn tidy(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn read(run: &mut Interpreter<'_>, path: &str, place: Place) -> Eval<String> {
    run.world.read(path).map_err(|failure| {
        let class = match failure {
            FileFailure::NotFound => "Errno::ENOENT",
            FileFailure::Other(_) => "SystemCallError",
        };
        raise(class, format!("{failure} @ rb_sysopen - {path}"), place)
    })
}

fn json(message: &Message<'_>) -> Eval<Option<Value>> {
    Ok(match (message.name, message.args) {
        ("parse", [_]) => {
            let symbols = message
                .named("symbolize_names")
                .is_some_and(Value::is_truthy);
            let json = serde_json::from_str(message.text(0)?)
                .map_err(|error| raise("JSON::ParserError", error.to_string(), message.place))?;
            Some(Value::from_json(&json, symbols).ok_or_else(|| message.unsupported())?)
        }
        ("generate" | "dump", [value]) => Some(Value::str(
            value.to_json().ok_or_else(|| message.unsupported())?,
        )),
        _ => None,
    })
}

fn documents(run: &mut Interpreter<'_>, message: &Message<'_>) -> Eval<Option<Value>> {
    let text = match (message.name, message.args) {
        ("load" | "safe_load" | "unsafe_load", [_]) => message.text(0)?.to_owned(),
        ("load_file" | "safe_load_file" | "unsafe_load_file", [_]) => {
            read(run, message.text(0)?, message.place)?
        }
        ("dump", [value]) => {
            let node = value.to_yaml().ok_or_else(|| message.unsupported())?;
            return Ok(Some(Value::str(yaml::emit(&node))));
        }
        _ => return Ok(None),
    };
    let node = yaml::parse(SourceId(u32::MAX), &text)
        .map_err(|error| raise(error.class, error.message, message.place))?;
    let value = Value::from_yaml(&node).ok_or_else(|| message.unsupported())?;
    let symbols = message
        .named("symbolize_names")
        .is_some_and(Value::is_truthy);
    if symbols {
        return Err(message.unsupported());
    }
    Ok(Some(value))
}

fn dotenv_call(run: &mut Interpreter<'_>, message: &Message<'_>) -> Eval<Option<Value>> {
    let overwrite = message.named("overwrite").is_some_and(Value::is_truthy);
    let existing = match message.name {
        "load" | "parse" if !overwrite => Existing::Kept,
        "load" | "parse" | "overload" | "overwrite" => Existing::Overridden,
        _ => return Ok(None),
    };
    if message.name != "parse" {
        return load(run, message.args, existing, message.place).map(Some);
    }
    let mut pairs = Vec::new();
    for file in files(message.args, existing, message.place)? {
        pairs.extend(entries(run, &file, existing, message.place)?);
    }
    let pairs = pairs
        .into_iter()
        .map(|(name, value)| (Value::str(name), Value::str(value)));
    Ok(Some(Value::hash(pairs.collect())))
}

/// `Dotenv.load`: what the files hold goes into the environment.
fn load(run: &mut Interpreter<'_>, args: &[Value], existing: Existing, place: Place) -> Eval {
    let mut loaded = Vec::new();
    for file in files(args, existing, place)? {
        for (name, value) in entries(run, &file, existing, place)? {
            if existing == Existing::Overridden || run.world.env(&name).is_none() {
                run.world.set_env(&name, Some(&value));
            }
            loaded.push((Value::str(name), Value::str(value)));
        }
    }
    Ok(Value::hash(loaded))
}

fn files(args: &[Value], existing: Existing, place: Place) -> Eval<Vec<String>> {
    if args.is_empty() {
        return Ok(vec![".env".to_owned()]);
    }
    let names = args.iter().map(|arg| match arg {
        Value::Str(name) => Ok(name.to_string()),
        _ => Err(unsupported("`Dotenv` with such arguments", place)),
    });
    let mut names: Vec<String> = names.collect::<Eval<_>>()?;
    // The first file named counts most, whichever way.
    if existing == Existing::Overridden {
        names.reverse();
    }
    Ok(names)
}

/// A file's names and values; a file that is not there has none.
fn entries(
    run: &mut Interpreter<'_>,
    file: &str,
    existing: Existing,
    place: Place,
) -> Eval<Vec<(String, String)>> {
    let path = expanded(run, file, None);
    let text = match run.world.read(&path) {
        Ok(text) => text,
        Err(FileFailure::NotFound) => return Ok(Vec::new()),
        Err(failure) => {
            return Err(raise(
                "SystemCallError",
                format!("{failure} @ rb_sysopen - {path}"),
                place,
            ));
        }
    };
    let expander: &mut dyn Expander = &mut *run.world;
    let parsed = dotenv::parse(SourceId(u32::MAX), &text, existing, expander)
        .map_err(|error| raise(error.class, format!("{file}: {}", error.message), place))?;
    Ok(parsed
        .entries
        .into_iter()
        .map(|entry| (entry.name, entry.value.reveal().to_owned()))
        .collect())
}

fn encoded(message: &Message<'_>, class: &str) -> Eval<Option<Value>> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    let percent = |text: &str, keep: &str, space: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b if b.is_ascii_alphanumeric() || keep.contains(char::from(b)) => {
                    char::from(b).to_string()
                }
                b' ' => space.to_owned(),
                b => format!("%{b:02X}"),
            })
            .collect()
    };
    Ok(match (class, message.name, message.args) {
        ("CGI", "escape", [Value::Str(text)]) => Some(Value::str(percent(text, "-_.~", "+"))),
        ("URI", "encode_www_form_component", [Value::Str(text)]) => {
            Some(Value::str(percent(text, "-_.*", "+")))
        }
        ("URI", "encode_uri_component", [Value::Str(text)]) => {
            Some(Value::str(percent(text, "-_.*", "%20")))
        }
        ("ERB::Util", "url_encode", [Value::Str(text)]) => {
            Some(Value::str(percent(text, "-_.~", "%20")))
        }
        ("Base64", "strict_encode64", [Value::Str(text)]) => {
            Some(Value::str(STANDARD.encode(text.as_bytes())))
        }
        ("Base64", "strict_decode64", [Value::Str(text)]) => {
            let bytes = STANDARD
                .decode(text.as_bytes())
                .map_err(|_| raise("ArgumentError", "invalid base64", message.place))?;
            Some(Value::str(
                String::from_utf8(bytes).map_err(|_| message.unsupported())?,
            ))
        }
        _ => None,
    })
}
