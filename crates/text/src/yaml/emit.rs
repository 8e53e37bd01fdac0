//! A tree as YAML text, letter by letter as Ruby's `YAML.dump` writes it.
//!
//! In: a [`Node`], and tags for values that stand for Ruby objects. Out: a document that starts with `---`. Lists are not indented
//! under their key, symbols have their colon, long text is folded past column 80, a collection that is used twice is anchored.

use super::style::{Analysis, Style, is_break, is_printable, preferred};
use super::{Map, Node, Value, ruby_float};
use crate::source::Span;

const BEST_WIDTH: usize = 80;
const BEST_INDENT: usize = 2;

/// The document for a tree.
pub fn emit(node: &Node) -> String {
    emit_tagged(node, &[])
}

/// The same with tags on some values, found by the keys that lead to them: `(&["ssh_options", "proxy"], "!ruby/object:X")`.
/// The tag `!` marks a text as one whatever it looks like (`! '[REDACTED]'`).
pub fn emit_tagged(node: &Node, tags: &[(&[&str], &str)]) -> String {
    let mut repeated = Vec::new();
    find_repeated(node, &mut Vec::new(), &mut repeated);
    let mut emitter = Emitter {
        out: String::new(),
        column: 0,
        whitespace: true,
        indention: true,
        indent: None,
        tags,
        path: Vec::new(),
        anchors: repeated.into_iter().map(|node| (node, false)).collect(),
        open_ended: false,
    };
    emitter.indicator("---", Mark::default());
    emitter.node(node, Context::Root);
    emitter.indent = None;
    emitter.write_indent();
    if emitter.open_ended {
        emitter.out.push_str("...\n");
    }
    emitter.out
}

struct Emitter<'n> {
    out: String,
    column: usize,
    /// The last thing written was white space.
    whitespace: bool,
    /// Nothing but indentation and indicators on this line so far.
    indention: bool,
    indent: Option<usize>,
    tags: &'n [(&'n [&'n str], &'n str)],
    path: Vec<String>,
    /// Collections that occur more than once, in order of their first use, and whether they have been written.
    anchors: Vec<(&'n Node, bool)>,
    /// The last scalar kept its line breaks, so that only `...` can end the document.
    open_ended: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    Root,
    Item,
    Key,
    Value,
}

/// What an indicator does to the state around it.
#[derive(Clone, Copy, Default)]
struct Mark {
    /// No space needed before it.
    tight: bool,
    is_whitespace: bool,
    is_indention: bool,
}

impl<'n> Emitter<'n> {
    fn node(&mut self, node: &'n Node, context: Context) {
        if let Some(at) = self.anchors.iter().position(|(n, _)| same_object(n, node)) {
            let written = self
                .anchors
                .get_mut(at)
                .is_some_and(|(_, written)| std::mem::replace(written, true));
            let sigil = if written { '*' } else { '&' };
            self.indicator(&format!("{sigil}{}", at + 1), Mark::default());
            if written {
                if context == Context::Key {
                    self.put(' ');
                }
                return;
            }
        }
        let tags = self.tags;
        let tag = tags
            .iter()
            .find(|(path, _)| path.iter().eq(self.path.iter()))
            .map(|(_, tag)| *tag);
        if let Some(tag) = tag {
            self.indicator(tag, Mark::default());
        }
        match &node.value {
            Value::Map(map) if map.is_empty() => self.indicator("{}", Mark::default()),
            Value::Seq(items) if items.is_empty() => self.indicator("[]", Mark::default()),
            Value::Map(map) => self.map(map),
            Value::Seq(items) => self.seq(items, context),
            value => self.scalar_value(value, context == Context::Key, tag == Some("!")),
        }
    }

    fn map(&mut self, map: &'n Map) {
        let outer = self.indent;
        self.indent = Some(outer.map_or(0, |indent| indent + BEST_INDENT));
        for (key, value) in map.iter() {
            self.write_indent();
            let simple = self.is_simple_key(key);
            // A key is on no path: tags are for values.
            self.path.push(String::new());
            if simple {
                self.node(key, Context::Key);
                self.indicator(
                    ":",
                    Mark {
                        tight: true,
                        ..Mark::default()
                    },
                );
            } else {
                let opener = Mark {
                    is_indention: true,
                    ..Mark::default()
                };
                self.indicator("?", opener);
                self.node(key, Context::Value);
                self.write_indent();
                self.indicator(":", opener);
            }
            self.path.pop();
            self.path.push(match &key.value {
                Value::Str(name) | Value::Symbol(name) => name.clone(),
                _ => String::new(),
            });
            self.node(
                value,
                if simple {
                    Context::Value
                } else {
                    Context::Item
                },
            );
            self.path.pop();
        }
        self.indent = outer;
    }

    fn seq(&mut self, items: &'n [Node], context: Context) {
        let outer = self.indent;
        let flush = context == Context::Value && !self.indention;
        self.indent = Some(match outer {
            None => 0,
            Some(indent) if flush => indent,
            Some(indent) => indent + BEST_INDENT,
        });
        for (at, item) in items.iter().enumerate() {
            self.write_indent();
            self.indicator(
                "-",
                Mark {
                    is_indention: true,
                    ..Mark::default()
                },
            );
            self.path.push(at.to_string());
            self.node(item, Context::Item);
            self.path.pop();
        }
        self.indent = outer;
    }

    fn scalar_value(&mut self, value: &Value, key: bool, quoted: bool) {
        // Psych marks everything but strings as to be read plain: quoted it has to say so by `!`.
        let (text, style, is_string) = match value {
            Value::Str(text) if quoted => (text.clone(), Style::Single, true),
            Value::Str(text) if text == "<<" => {
                self.indicator("!!str", Mark::default());
                (text.clone(), Style::Single, true)
            }
            Value::Str(text) => (text.clone(), preferred(text), true),
            Value::Symbol(text) if text.is_empty() => {
                self.indicator("!ruby/symbol", Mark::default());
                (String::new(), Style::Plain, true)
            }
            Value::Symbol(text) => (format!(":{text}"), Style::Plain, false),
            Value::Float(number) => (yaml_float(*number), Style::Plain, false),
            Value::Bool(flag) => (flag.to_string(), Style::Plain, false),
            Value::Int(number) => (number.to_string(), Style::Plain, false),
            Value::BigInt(text) | Value::Date(text) | Value::Time(text) => {
                (text.clone(), Style::Plain, false)
            }
            Value::Null | Value::Seq(_) | Value::Map(_) => (String::new(), Style::Plain, false),
        };
        let style = Analysis::of(&text).allowed(style, key);
        if !is_string && style != Style::Plain {
            self.indicator("!", Mark::default());
        }
        self.open_ended = false;
        let outer = self.indent;
        self.indent = Some(outer.map_or(BEST_INDENT, |indent| indent + BEST_INDENT));
        match style {
            Style::Plain => self.plain(&text, !key),
            Style::Single => self.single(&text, !key),
            Style::Double => self.double(&text, !key),
            Style::Literal => self.literal(&text),
        }
        self.indent = outer;
    }

    fn plain(&mut self, text: &str, may_break: bool) {
        if !self.whitespace && !text.is_empty() {
            self.put(' ');
        }
        self.folded_words(text, may_break);
        self.whitespace = false;
        self.indention = false;
    }

    fn single(&mut self, text: &str, may_break: bool) {
        self.indicator("'", Mark::default());
        let last = text.len().saturating_sub(1);
        let mut breaks = false;
        let mut spaces = false;
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let next_is_space = chars.peek().is_some_and(|(_, c)| *c == ' ');
            if c == ' ' {
                let inside = at != 0 && at != last;
                if may_break && !spaces && inside && self.column > BEST_WIDTH && !next_is_space {
                    self.write_indent();
                } else {
                    self.put(' ');
                }
                spaces = true;
            } else if is_break(c) {
                if !breaks && c == '\n' {
                    self.put_break();
                }
                self.put_own_break(c);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                if c == '\'' {
                    self.put('\'');
                }
                self.put(c);
                self.indention = false;
                spaces = false;
                breaks = false;
            }
        }
        if breaks {
            self.write_indent();
        }
        self.indicator(
            "'",
            Mark {
                tight: true,
                ..Mark::default()
            },
        );
    }

    fn double(&mut self, text: &str, may_break: bool) {
        self.indicator("\"", Mark::default());
        let last = text.len().saturating_sub(1);
        let mut spaces = false;
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if !is_printable(c) || is_break(c) || matches!(c, '"' | '\\') {
                for escaped in escape(c).chars() {
                    self.put(escaped);
                }
                spaces = false;
            } else if c == ' ' {
                if may_break && !spaces && at != 0 && at != last && self.column > BEST_WIDTH {
                    self.write_indent();
                    if chars.peek().is_some_and(|(_, c)| *c == ' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(' ');
                }
                spaces = true;
            } else {
                self.put(c);
                spaces = false;
            }
        }
        self.indicator(
            "\"",
            Mark {
                tight: true,
                ..Mark::default()
            },
        );
    }

    fn literal(&mut self, text: &str) {
        self.indicator("|", Mark::default());
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.indicator(
                &BEST_INDENT.to_string(),
                Mark {
                    tight: true,
                    ..Mark::default()
                },
            );
        }
        let mut ends = text.chars().rev();
        let chomping = match (ends.next().is_some_and(is_break), ends.next()) {
            (false, _) => "-",
            (true, before) if before.is_none_or(is_break) => "+",
            (true, _) => "",
        };
        self.indicator(
            chomping,
            Mark {
                tight: true,
                ..Mark::default()
            },
        );
        self.open_ended = chomping == "+";
        self.put_break();
        self.indention = true;
        self.whitespace = true;
        let mut breaks = true;
        for c in text.chars() {
            if is_break(c) {
                self.put_own_break(c);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                self.put(c);
                self.indention = false;
                breaks = false;
            }
        }
    }

    /// Words, with the space that crosses the best width turned into a line break.
    fn folded_words(&mut self, text: &str, may_break: bool) {
        let mut spaces = false;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let wide = self.column > BEST_WIDTH && chars.peek() != Some(&' ');
            if c == ' ' && may_break && !spaces && wide {
                self.write_indent();
            } else {
                self.put(c);
            }
            spaces = c == ' ';
        }
    }

    /// Whether a key fits before its colon; others need `?`.
    fn is_simple_key(&self, key: &Node) -> bool {
        let text = match &key.value {
            Value::Map(map) => return map.is_empty(),
            Value::Seq(items) => return items.is_empty(),
            Value::Str(text) => text.clone(),
            Value::Symbol(text) => format!(":{text}"),
            _ => return true,
        };
        !Analysis::of(&text).multiline && text.len() <= 128
    }

    fn indicator(&mut self, text: &str, mark: Mark) {
        if !mark.tight && !self.whitespace {
            self.put(' ');
        }
        for c in text.chars() {
            self.put(c);
        }
        self.whitespace = mark.is_whitespace;
        self.indention = self.indention && mark.is_indention;
    }

    fn write_indent(&mut self) {
        let indent = self.indent.unwrap_or(0);
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.put_break();
        }
        while self.column < indent {
            self.put(' ');
        }
        self.whitespace = true;
        self.indention = true;
    }

    fn put(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }

    fn put_break(&mut self) {
        self.out.push('\n');
        self.column = 0;
    }

    fn put_own_break(&mut self, c: char) {
        if c == '\n' {
            self.put_break();
        } else {
            self.out.push(c);
            self.column = 0;
        }
    }
}

fn escape(c: char) -> String {
    let short = match c {
        '\0' => '0',
        '\x07' => 'a',
        '\x08' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\x0b' => 'v',
        '\x0c' => 'f',
        '\r' => 'r',
        '\x1b' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{a0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        c => {
            let code = u32::from(c);
            return match code {
                0..=0xff => format!("\\x{code:02X}"),
                0x100..=0xffff => format!("\\u{code:04X}"),
                _ => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{short}")
}

fn yaml_float(number: f64) -> String {
    if number.is_nan() {
        ".nan".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { ".inf" } else { "-.inf" }.to_owned()
    } else {
        ruby_float(number)
    }
}

/// Collections that Ruby would hold once and refer to twice, in order of first use.
fn find_repeated<'n>(node: &'n Node, seen: &mut Vec<&'n Node>, repeated: &mut Vec<&'n Node>) {
    let children: Vec<&Node> = match &node.value {
        Value::Seq(items) => items.iter().collect(),
        Value::Map(map) => map.iter().flat_map(|(key, value)| [key, value]).collect(),
        _ => return,
    };
    if definition(node).is_some() {
        if seen.iter().any(|other| same_object(other, node)) {
            if !repeated.iter().any(|other| same_object(other, node)) {
                repeated.push(node);
            }
            return;
        }
        seen.push(node);
    }
    for child in children {
        find_repeated(child, seen, repeated);
    }
}

/// An alias copies its anchor's value with the place of its definition: equal places mean one Ruby object.
fn same_object(a: &Node, b: &Node) -> bool {
    let place = definition(a);
    place.is_some() && place == definition(b) && a == b
}

/// Where a collection was written down; an empty list can't tell.
fn definition(node: &Node) -> Option<Span> {
    match &node.value {
        Value::Seq(items) => items.first().map(|item| item.span),
        Value::Map(map) => map.definition(),
        _ => None,
    }
    .filter(|place| *place != Span::nowhere())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceId;
    use crate::yaml::parse;

    #[test]
    fn tags_go_where_their_path_leads() {
        let tree = parse(SourceId(0), ":ssh:\n  :proxy: {jump: a@b}\n  :key: '[R]'\n").unwrap();
        let text = emit_tagged(
            &tree,
            &[
                (&["ssh", "proxy"], "!ruby/object:Jump"),
                (&["ssh", "key"], "!"),
            ],
        );
        assert_eq!(
            text,
            "---\n:ssh:\n  :proxy: !ruby/object:Jump\n    jump: a@b\n  :key: ! '[R]'\n"
        );
    }
}
