//! From YAML events to a tree: Psych's types, merge keys, aliases, the place of everything.
//!
//! In: a text, perhaps rendered from a template. Out: the first document as a [`Node`], or one [`Diagnostic`]. Limits keep a
//! hostile text from costing more than its size suggests: [`MAX_BYTES`], [`MAX_DEPTH`], [`MAX_NODES`].

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput, Tag};

use super::pairs::Pairs;
use super::places::{Places, Range};
use super::repair::{Repair, Repaired};
use super::scalar;
use super::{Node, Value};
use crate::diagnostic::Diagnostic;
use crate::rendered::{OffsetMap, Rendered};
use crate::source::SourceId;

/// The longest text that is read.
pub(super) const MAX_BYTES: usize = 4 << 20;
/// How deep lists and maps may be nested, aliases followed.
const MAX_DEPTH: usize = 100;
/// How many values a text may hold, aliases followed: a deploy file has hundreds, an alias bomb billions.
const MAX_NODES: usize = 200_000;

pub(super) const SYNTAX_ERROR: &str = "Psych::SyntaxError";

/// The first document of a text; a text without one is null.
pub fn parse(source: SourceId, text: &str) -> Result<Node, Diagnostic> {
    compose(source, text, None)
}

/// The same for a text that came out of a template: every place is one in the template.
pub fn parse_rendered(source: SourceId, rendered: &Rendered) -> Result<Node, Diagnostic> {
    compose(source, &rendered.text, Some(&rendered.map))
}

fn compose(source: SourceId, text: &str, map: Option<&OffsetMap>) -> Result<Node, Diagnostic> {
    let mut repaired = Repaired::new(text);
    loop {
        match Composer::new(source, &repaired, map).run() {
            Ok(node) => return Ok(node),
            Err(Failure::Final(diagnostic)) => return Err(*diagnostic),
            Err(Failure::Repairable(repair, diagnostic)) => {
                if !repaired.repair(repair) {
                    return Err(*diagnostic);
                }
            }
        }
    }
}

/// Why a text was not composed.
pub(super) enum Failure {
    /// The parser is stricter than Psych here.
    Repairable(Repair, Box<Diagnostic>),
    /// It can't be.
    Final(Box<Diagnostic>),
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Final(Box::new(diagnostic))
    }
}

struct Composer<'t> {
    parser: Parser<'t, StrInput<'t>>,
    places: Places<'t>,
    anchors: HashMap<usize, Anchored>,
    /// Values so far, those behind aliases counted at every use.
    nodes: usize,
    /// Plain values so far that start with a colon: not allowed where they turn out to stand in brackets.
    colons: Vec<Range>,
}

/// A value with an anchor, and what it costs to use it again.
struct Anchored {
    node: Node,
    nodes: usize,
    depth: usize,
}

/// A composed value and how many levels it has below itself.
pub(super) struct Composed {
    pub(super) node: Node,
    depth: usize,
    /// Decides how `<<` treats it.
    pub(super) form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Alias,
    Map,
    Seq,
    Scalar,
}

impl<'t> Composer<'t> {
    fn new(source: SourceId, repaired: &'t Repaired<'t>, map: Option<&'t OffsetMap>) -> Self {
        Self {
            parser: Parser::new_from_str(repaired.text()),
            places: Places::new(source, repaired, map),
            anchors: HashMap::new(),
            nodes: 0,
            colons: Vec::new(),
        }
    }

    fn run(mut self) -> Result<Node, Failure> {
        if self.places.text.len() > MAX_BYTES {
            let message = format!("YAML of more than {MAX_BYTES} bytes");
            return Err(Diagnostic::error(SYNTAX_ERROR, message).into());
        }
        if let Some(problem) = self.places.bad_character() {
            return Err(problem.into());
        }
        loop {
            let (event, range) = self.next()?;
            match event {
                Event::StreamEnd => {
                    let nothing = self.places.span(0, 0);
                    return Ok(Node::new(Value::Null, nothing));
                }
                Event::Nothing | Event::StreamStart | Event::DocumentStart(_) => {}
                event => {
                    let root = self.compose(event, range, 0)?.node;
                    // Psych reads on to the end of this document, and complains about what is wrong there.
                    self.next()?;
                    return Ok(root);
                }
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Range), Failure> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(self.places.failure(&error)),
            None => Ok((Event::StreamEnd, Range::default())),
        }
    }

    fn compose(
        &mut self,
        event: Event<'t>,
        range: Range,
        depth: usize,
    ) -> Result<Composed, Failure> {
        self.count(1, depth, range)?;
        let before = self.nodes;
        let (composed, anchor) = match event {
            Event::Alias(anchor) => return self.alias(anchor, range, depth),
            Event::Scalar(text, style, anchor, tag) => {
                if style == ScalarStyle::Plain && text.starts_with(':') {
                    self.colons.push(range);
                }
                let value = self.scalar(&text, style, tag.as_deref(), range)?;
                let node = Node::new(value, self.places.of_range(range));
                let form = Form::Scalar;
                (
                    Composed {
                        node,
                        depth: 0,
                        form,
                    },
                    anchor,
                )
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_object(tag.as_deref(), range)?;
                (self.sequence(range, depth)?, anchor)
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_object(tag.as_deref(), range)?;
                (self.mapping(range, depth)?, anchor)
            }
            _ => {
                return Err(self
                    .places
                    .error(range, "did not find expected node content")
                    .into());
            }
        };
        if anchor != 0 {
            let anchored = Anchored {
                node: composed.node.clone(),
                nodes: self.nodes - before + 1,
                depth: composed.depth,
            };
            self.anchors.insert(anchor, anchored);
        }
        Ok(composed)
    }

    /// Where a collection ends, by a bracket or a brace if its end has a place: values in it since `colons` were counted are in it.
    fn close(&mut self, end: Range, colons: usize) -> Result<(), Failure> {
        if end.is_empty() {
            return Ok(());
        }
        let Some(range) = self.colons.get(colons) else {
            return Ok(());
        };
        let problem = "did not find expected node content while parsing a flow node";
        let found = self.places.error(*range, problem);
        Err(found.hinted("to Ruby, a colon in brackets stands between a key and its value: put quotes around all of it").into())
    }

    fn alias(&mut self, anchor: usize, range: Range, depth: usize) -> Result<Composed, Failure> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            return Err(self
                .places
                .error(range, "an anchor that contains itself")
                .into());
        };
        let (nodes, below) = (anchored.nodes, anchored.depth);
        self.count(nodes, depth + below, range)?;
        let span = self.places.of_range(range);
        let node = self.anchors.get(&anchor).map(|a| a.node.value.clone());
        Ok(Composed {
            node: Node::new(node.unwrap_or(Value::Null), span),
            depth: below,
            form: Form::Alias,
        })
    }

    fn count(&mut self, nodes: usize, depth: usize, range: Range) -> Result<(), Failure> {
        self.nodes = self.nodes.saturating_add(nodes);
        if depth > MAX_DEPTH {
            let text = format!("nested more than {MAX_DEPTH} levels deep");
            return Err(self.places.error(range, &text).into());
        }
        if self.nodes > MAX_NODES {
            let text =
                format!("more than {MAX_NODES} values, those behind aliases counted each time");
            return Err(self.places.error(range, &text).into());
        }
        Ok(())
    }

    fn sequence(&mut self, start: Range, depth: usize) -> Result<Composed, Failure> {
        let mut items = Vec::new();
        let colons = self.colons.len();
        let mut below = 0;
        let mut end = start;
        loop {
            let (event, range) = self.next()?;
            if event == Event::SequenceEnd {
                self.close(range, colons)?;
                let last = items.last().map(|item: &Node| item.span);
                let span = self.places.of_collection(start, range, last);
                let node = Node::new(Value::Seq(items), span);
                return Ok(Composed {
                    node,
                    depth: below + 1,
                    form: Form::Seq,
                });
            }
            if event == Event::StreamEnd {
                return Err(self
                    .places
                    .error(end, "did not find the end of a list")
                    .into());
            }
            end = range;
            let item = self.compose(event, range, depth + 1)?;
            below = below.max(item.depth);
            items.push(item.node);
        }
    }

    fn mapping(&mut self, start: Range, depth: usize) -> Result<Composed, Failure> {
        let mut pairs = Pairs::default();
        let colons = self.colons.len();
        let mut below = 0;
        let mut last = None;
        loop {
            let (event, range) = self.next()?;
            if event == Event::MappingEnd {
                self.close(range, colons)?;
                let span = self.places.of_collection(start, range, last);
                let node = Node::new(Value::Map(pairs.map.defined_at(span)), span);
                return Ok(Composed {
                    node,
                    depth: below + 1,
                    form: Form::Map,
                });
            }
            if event == Event::StreamEnd {
                return Err(self
                    .places
                    .error(range, "did not find the end of a map")
                    .into());
            }
            let forced_string =
                matches!(&event, Event::Scalar(_, _, _, Some(tag)) if is_core(tag, "str"));
            let key = self.compose(event, range, depth + 1)?;
            let (event, range) = self.next()?;
            let nothing =
                matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, _) if text.is_empty());
            let mut value = self.compose(event, range, depth + 1)?;
            if nothing {
                // An empty value has no place of its own; its key is what can be pointed at.
                value.node.span = key.node.span;
            }
            last = Some(value.node.span);
            below = below.max(key.depth).max(value.depth);
            if key.node.as_str() == Some("<<") && !forced_string {
                pairs.merge(key.node, value);
            } else {
                pairs.set(key.node, value.node);
            }
        }
    }

    fn scalar(
        &self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        range: Range,
    ) -> Result<Value, Failure> {
        let Some(tag) = tag else {
            return if style == ScalarStyle::Plain {
                self.resolve(text, range)
            } else {
                Ok(Value::Str(text.to_owned()))
            };
        };
        let local = (tag.handle == "!").then_some(tag.suffix.as_str());
        let ruby_string = local.is_some_and(|l| {
            l == "str"
                || l.starts_with("str:")
                || l == "ruby/string"
                || l.starts_with("ruby/string:")
        });
        if is_core(tag, "str") || ruby_string {
            Ok(Value::Str(text.to_owned()))
        } else if is_core(tag, "float") || local == Some("float") {
            match self.resolve(text, range)? {
                Value::Int(number) => Ok(number
                    .to_string()
                    .parse()
                    .map_or(Value::Int(number), Value::Float)),
                Value::BigInt(digits) => Ok(digits.parse().map_or(Value::Null, Value::Float)),
                Value::Float(number) => Ok(Value::Float(number)),
                other => match text.trim().parse() {
                    Ok(number) if matches!(other, Value::Str(_)) => Ok(Value::Float(number)),
                    _ => Err(self
                        .places
                        .error(range, &format!("invalid value for Float(): {text:?}"))
                        .into()),
                },
            }
        } else if local.is_some_and(|l| l.starts_with("ruby/sym")) {
            Ok(Value::Symbol(text.to_owned()))
        } else {
            self.refuse_object(Some(tag), range)?;
            self.resolve(text, range)
        }
    }

    fn resolve(&self, text: &str, range: Range) -> Result<Value, Failure> {
        scalar::resolve(text).map_err(|error| {
            let span = self.places.of_range(range);
            Diagnostic::error("ArgumentError", error.0)
                .at(span, "")
                .into()
        })
    }

    /// Ruby objects, binary data, sets: nothing a deploy file can use.
    fn refuse_object(&self, tag: Option<&Tag>, range: Range) -> Result<(), Failure> {
        let Some(tag) = tag else {
            return Ok(());
        };
        let foreign = tag.handle == "!"
            && ["ruby/", "binary", "set", "omap"]
                .iter()
                .any(|p| tag.suffix.starts_with(p))
            && tag.suffix != "ruby/object:Hash";
        let odd = ["binary", "set", "omap"]
            .iter()
            .any(|name| is_core(tag, name));
        if foreign || odd {
            let name = if odd {
                format!("!!{}", tag.suffix)
            } else {
                format!("!{}", tag.suffix)
            };
            return Err(self
                .places
                .error(range, &format!("the tag `{name}` is not supported"))
                .into());
        }
        Ok(())
    }
}

fn is_core(tag: &Tag, name: &str) -> bool {
    (tag.is_yaml_core_schema() && tag.suffix == name)
        || (tag.handle.is_empty() && tag.suffix.strip_prefix("tag:yaml.org,2002:") == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Span;

    const ID: SourceId = SourceId(0);

    fn ok(text: &str) -> Node {
        parse(ID, text).unwrap()
    }

    fn problem(text: &str) -> String {
        parse(ID, text).unwrap_err().message
    }

    fn slice(text: &str, span: Span) -> &str {
        &text[span.start as usize..span.end as usize]
    }

    #[test]
    fn every_key_and_value_has_its_bytes() {
        let text = "é: ü # c\nenv:\n  clear:\n    - 'a b' \n    - |\n      one\n      two\n\nlist: [ä, {k: v}]\nempty:\nlast: 1\n";
        let root = ok(text);
        let map = root.as_map().unwrap();
        let (key, value) = map.iter().next().unwrap();
        assert_eq!((slice(text, key.span), slice(text, value.span)), ("é", "ü"));
        let clear = root
            .get("env")
            .unwrap()
            .get("clear")
            .unwrap()
            .as_seq()
            .unwrap();
        assert_eq!(slice(text, clear[0].span), "'a b'");
        assert!(
            slice(text, clear[1].span).ends_with("two"),
            "{:?}",
            slice(text, clear[1].span)
        );
        let list = root.get("list").unwrap();
        assert_eq!(slice(text, list.span), "[ä, {k: v}]");
        assert_eq!(slice(text, list.as_seq().unwrap()[1].span), "{k: v}");
        assert_eq!(slice(text, root.get("empty").unwrap().span), "empty");
        assert_eq!(
            slice(text, root.get("env").unwrap().get("clear").unwrap().span)
                .lines()
                .count(),
            4
        );
    }

    #[test]
    fn merge_keys_count_by_position() {
        let root = ok(
            "d: &d {a: 1, b: 2}\ne: &e {b: 3, c: 4}\none:\n  a: 9\n  <<: *d\n  b: 8\ntwo:\n  <<: [*d, *e]\nthree:\n  <<: 5\nfour:\n  <<: [*d, 1]\n",
        );
        let plain = |text| ok(text);
        assert_eq!(root.get("one").unwrap(), &plain("{a: 1, b: 8}"));
        assert_eq!(root.get("two").unwrap(), &plain("{b: 2, c: 4, a: 1}"));
        assert_eq!(root.get("three").unwrap(), &plain("{'<<': 5}"));
        assert!(root.get("four").unwrap().get("<<").is_some());
    }

    #[test]
    fn places_are_right_where_the_text_was_repaired() {
        let text = "x:\n  a: [\né,\nf]\n  b:\tc\n  d: e\n";
        let root = ok(text);
        let x = root.get("x").unwrap();
        let items = x.get("a").unwrap().as_seq().unwrap();
        assert_eq!(
            (slice(text, items[0].span), slice(text, items[1].span)),
            ("é", "f")
        );
        assert_eq!(slice(text, x.get("b").unwrap().span), "c");
        assert_eq!(slice(text, x.get("d").unwrap().span), "e");
        let error = parse(ID, "x:\n  a: [\nf, g: }]\n").unwrap_err();
        assert!(
            error.message.ends_with("at line 3 column 8"),
            "{}",
            error.message
        );
    }

    #[test]
    fn an_alias_stands_where_it_is_used() {
        let text = "a: &x {k: v}\nb: *x\n";
        let root = ok(text);
        assert_eq!(slice(text, root.get("b").unwrap().span), "*x");
        assert_eq!(root.get("a"), root.get("b"));
    }

    #[test]
    fn a_repeated_key_keeps_its_place_and_takes_the_last_value() {
        let root = ok("a: 1\nb: 2\na: 3\n");
        assert_eq!(root, ok("{a: 3, b: 2}"));
        assert_eq!(
            root.as_map().unwrap().iter().next().unwrap().0.as_str(),
            Some("a")
        );
    }

    #[test]
    fn only_the_first_document_counts() {
        assert_eq!(ok("a: 1\n---\nb: [\n"), ok("a: 1"));
        assert!(ok("# nothing\n").is_null());
        assert!(ok("").is_null());
    }

    #[test]
    fn hostile_texts_are_refused_quickly() {
        let levels: Vec<String> = (1..30)
            .map(|level| {
                format!(
                    "a{level}: &a{level} [{}]",
                    vec![format!("*a{}", level - 1); 10].join(", ")
                )
            })
            .collect();
        let bomb = format!(
            "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{}\n",
            levels.join("\n")
        );
        assert!(
            problem(&bomb).contains("values, those behind aliases"),
            "{}",
            problem(&bomb)
        );
        assert!(problem(&"[".repeat(100_000)).contains("recursion limit"));
        assert!(problem(&"- ".repeat(100_000)).contains("levels deep"));
        assert!(problem(&" ".repeat(MAX_BYTES + 1)).contains("more than"));
        assert!(problem("a: &a [*a]").contains("contains itself"));
    }

    #[test]
    fn unknown_anchors_are_named() {
        assert_eq!(
            problem("a: *nope\n"),
            "An alias referenced an unknown anchor: nope"
        );
    }

    #[test]
    fn tabs_and_broken_structure_are_syntax_errors_with_a_place() {
        for text in [
            "a:\n\tb: 1\n",
            "a: [1\nb: 2\n",
            "a: 'x\n",
            "a: b: c\n",
            "a: 1\n b: 2\n",
        ] {
            let error = parse(ID, text).unwrap_err();
            assert_eq!(error.class, SYNTAX_ERROR, "{text:?}");
            assert!(error.message.contains(" at line "), "{}", error.message);
        }
    }

    #[test]
    fn rendered_text_points_into_its_template() {
        let template = "# <%= 1 %>\nname: <%= x %>\nbad: [\n";
        let mut builder = crate::rendered::RenderedBuilder::new(template);
        builder.copy(0, 2);
        builder.computed("one\n# two\n# three", 2, 10);
        builder.copy(10, 17);
        builder.computed("value", 17, 25);
        builder.copy(25, 26);
        let rendered = builder.finish();
        let root = parse_rendered(ID, &rendered).unwrap();
        assert_eq!(slice(template, root.get("name").unwrap().span), "<%= x %>");
    }
}
