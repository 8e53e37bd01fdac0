//! ERB, as deploy files use it, without Ruby.
//!
//! In: a template and a [`World`]. Out: [`Rendered`], the text and the way back from it to the template. The language is the part
//! of Ruby that deploy files hold: environment, strings, lists, conditions, loops, commands, files. A template with anything else
//! is rendered by real Ruby where there is one, and refused where there is none, with the construct named: nothing is guessed and
//! nothing becomes silently empty.

mod assignment;
mod ast;
mod call;
mod change;
mod definition;
mod expression;
mod fallback;
mod format;
mod inspect;
mod interpreter;
mod lexer;
mod literal;
mod matching;
mod methods;
mod operators;
mod parser;
mod pattern;
mod scopes;
mod tags;
mod token;
mod trial;
mod value;
mod world;

pub use inspect::{inspect, inspect_symbol};
pub use world::{FileFailure, Moment, World};

use crate::diagnostic::Diagnostic;
use crate::rendered::{Rendered, line_column};
use crate::source::{SourceId, Span};
use fallback::Answer;
use interpreter::{Interpreter, Stop};
use token::{Place, Unsupported};
use trial::Trial;

/// The longest template that is read.
const MAX_BYTES: usize = 2 << 20;

/// The text that a template gives.
pub fn render(
    source: SourceId,
    template: &str,
    world: &mut dyn World,
) -> Result<Rendered, Diagnostic> {
    if !template.contains("<%") {
        return Ok(Rendered::verbatim(template));
    }
    if template.len() > MAX_BYTES {
        return Err(Diagnostic::error(
            "ArgumentError",
            format!("a template of more than {MAX_BYTES} bytes"),
        ));
    }
    let mut trial = Trial::new(world);
    let stop = match native(template, &mut trial) {
        Ok(rendered) => {
            trial.keep();
            return Ok(rendered);
        }
        Err(stop @ Stop::Unsupported(_)) => {
            trial.undo();
            stop
        }
        Err(stop) => {
            trial.keep();
            stop
        }
    };
    match stop {
        Stop::Unsupported(problem) => {
            let answer = fallback::render(template, world);
            if matches!(answer, Some(Answer::Rendered(_) | Answer::Raised { .. })) {
                let place = tags::in_template(template, problem.place);
                let (line, column) = line_column(template, place.start);
                world.notice(&format!(
                    "Ruby renders this template: {} at line {line}, column {column} is more than dhow knows",
                    problem.what
                ));
            }
            from_ruby(source, template, answer, &problem)
        }
        Stop::Raised(raised) => {
            let at = span(source, tags::in_template(template, raised.place));
            Err(Diagnostic::error(raised.class, raised.message).at(at, ""))
        }
        Stop::Limit(what, place) => {
            let message = format!("this template makes too much {what}");
            let at = span(source, tags::in_template(template, place));
            Err(Diagnostic::error("ScriptError", message).at(at, ""))
        }
        Stop::Next(_) | Stop::Break(_) | Stop::Return(_) => Err(Diagnostic::error(
            "SyntaxError",
            "`next`, `break` or `return` outside of a block",
        )),
    }
}

fn native(template: &str, world: &mut dyn World) -> Result<Rendered, Stop> {
    let pieces = tags::pieces(template);
    let tokens = lexer::tokens(&pieces).map_err(Stop::Unsupported)?;
    let body = parser::parse(&tokens).map_err(Stop::Unsupported)?;
    Ok(Interpreter::new(world, template, &pieces)
        .render(&body)?
        .finish())
}

/// Ruby's answer, or what to do without one.
fn from_ruby(
    source: SourceId,
    template: &str,
    answer: Option<Answer>,
    problem: &Unsupported,
) -> Result<Rendered, Diagnostic> {
    let place = span(source, tags::in_template(template, problem.place));
    let reason = match answer {
        Some(Answer::Rendered(rendered)) => return Ok(rendered),
        Some(Answer::Raised {
            class,
            message,
            line,
        }) => {
            let (class, message) = match known_class(&class) {
                Some(class) => (class, message),
                None => ("StandardError", format!("{class}: {message}")),
            };
            let at = line.map_or(place, |line| line_span(source, template, line));
            return Err(Diagnostic::error(class, message).at(at, ""));
        }
        Some(Answer::Failed(reason)) => format!(", and Ruby could not be run: {reason}"),
        None => String::new(),
    };
    let message = format!(
        "ERB: {} is not supported without Ruby{reason}",
        problem.what
    );
    Err(Diagnostic::error("ScriptError", message).at(place, "").hinted(
        "install Ruby: it is then used for this file; or work the value out before and pass it in: `<%= ENV[\"NAME\"] %>`",
    ))
}

fn span(source: SourceId, place: Place) -> Span {
    let byte = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span::new(source, byte(place.start), byte(place.end))
}

fn line_span(source: SourceId, template: &str, line: usize) -> Span {
    let mut start = 0;
    for (number, text) in template.split_inclusive('\n').enumerate() {
        let end = start + text.len();
        if number + 1 == line {
            let shown = start + text.trim_end().len();
            return span(source, Place { start, end: shown });
        }
        start = end;
    }
    span(source, Place { start, end: start })
}

fn known_class(name: &str) -> Option<&'static str> {
    const KNOWN: &[&str] = &[
        "ArgumentError",
        "Errno::EACCES",
        "Errno::EISDIR",
        "Errno::ENOENT",
        "IOError",
        "IndexError",
        "JSON::ParserError",
        "KeyError",
        "LoadError",
        "NameError",
        "NoMethodError",
        "NotImplementedError",
        "RangeError",
        "RegexpError",
        "RuntimeError",
        "ScriptError",
        "StandardError",
        "SyntaxError",
        "SystemExit",
        "TypeError",
        "ZeroDivisionError",
    ];
    KNOWN.iter().find(|known| **known == name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dotenv::{CommandFailure, CommandOutput, Expander};

    /// A world without anything but, perhaps, Ruby.
    #[derive(Default)]
    struct Nothing {
        ruby: Option<Result<String, String>>,
        asked: usize,
        set: Vec<(String, Option<String>)>,
        notices: Vec<String>,
        printed: String,
    }

    impl Expander for Nothing {
        fn env(&self, _name: &str) -> Option<String> {
            None
        }

        fn command(&mut self, _line: &str) -> Result<CommandOutput, CommandFailure> {
            Err(CommandFailure::Other("no commands".to_owned()))
        }

        fn secrets(&mut self, _argv: &[String]) -> Result<String, String> {
            Err("no secrets".to_owned())
        }
    }

    impl World for Nothing {
        fn set_env(&mut self, name: &str, value: Option<&str>) {
            self.set.push((name.to_owned(), value.map(str::to_owned)));
        }

        fn read(&mut self, _path: &str) -> Result<String, FileFailure> {
            Err(FileFailure::NotFound)
        }

        fn exists(&self, _path: &str) -> bool {
            false
        }

        fn cwd(&self) -> String {
            "/".to_owned()
        }

        fn puts(&mut self, text: &str) {
            self.printed.push_str(text);
        }

        fn notice(&mut self, text: &str) {
            self.notices.push(text.to_owned());
        }

        fn ruby(&mut self, _script: &str, _template: &str) -> Option<Result<String, String>> {
            self.asked += 1;
            self.ruby.clone()
        }
    }

    fn error(template: &str) -> Diagnostic {
        render(SourceId(0), template, &mut Nothing::default()).unwrap_err()
    }

    #[test]
    fn what_is_not_supported_is_named_at_its_place() {
        for (template, what, shown) in [
            ("a: <%= x.foo(1) %>", "`x`", "x"),
            ("<%= 'a'.foo %>", "the method `foo`", "foo"),
            ("<% class A; end %>", "`class`", "class"),
            (
                "<%= 'a' =~ /b(?=c)/ %>",
                "`(?=` in a regular expression",
                "/b(?=c)/",
            ),
            (
                "<%= 'aa'[/(a)\\1/] %>",
                "`\\1` in a regular expression",
                "/(a)\\1/",
            ),
            ("<%= 'a'[/a*+/] %>", "`*+` in a regular expression", "/a*+/"),
            (
                "<%= 'a'[/(a*)*/] %>",
                "repeating what may be empty",
                "/(a*)*/",
            ),
            (
                "<%= 'a'[/\\p{L}/] %>",
                "`\\p` in a regular expression",
                "/\\p{L}/",
            ),
            (
                "<%= 'é'[/\\b/] %>",
                "a text that is not ASCII",
                "'é'[/\\b/]",
            ),
            (
                "<% /(?<x>a)/ =~ 'a' %>",
                "named groups become variables",
                "=~",
            ),
            (
                "<% a = []; b = a; a << 1 %>",
                "something else holds too",
                "a << 1",
            ),
            (
                "<% a = [[]]; b = a[0]; a[0] << 1 %>",
                "something else holds too",
                "a[0] << 1",
            ),
            (
                "<% h = {a: 'x'}; h.each { |k, v| v << 'y' } %>",
                "something else holds too",
                "v << 'y'",
            ),
            (
                "<% def x; %>text<% end %>",
                "text of the template in a function",
                "text",
            ),
            ("<% def strip; end %>", "this `def`", "def"),
            ("<% return 1 %>", "`return`", "return"),
            ("<%= $stdout %>", "a global variable", "$stdout"),
            ("<%= '%e' % 1 %>", "`%e` in `format`", "'%e' % 1"),
            (
                "<% begin; 1; rescue KeyError; end %>",
                "`rescue` with a class",
                "rescue",
            ),
            ("<%= SecureRandom.hex %>", "`SecureRandom`", "SecureRandom"),
            ("<%= @x %>", "an instance variable", "@x"),
            ("<%= <<~A\n B\n%>", "this here-document", "<<~A"),
            (
                "<%= <<~A + <<~B\n a\nA\n b\nB\n%>",
                "this here-document",
                "<<~B",
            ),
            (
                "<% require 'net/http' %>",
                "`require \"net/http\"`",
                "require 'net/http'",
            ),
        ] {
            let error = error(template);
            assert!(
                error.message.contains(what),
                "{template}: {}",
                error.message
            );
            assert!(error.hint.as_ref().unwrap().contains("install Ruby"));
            let span = error.labels[0].span;
            let text = &template[span.start as usize..span.end as usize];
            assert_eq!(text, shown, "{template}");
        }
    }

    /// A lambda that stands in the very scope it holds is let go of with the rest: the fuzzers watch for leaks.
    #[test]
    fn lambdas_may_hold_themselves() {
        let template = "<% f = ->(n) { n == 0 ? 'done' : f.call(n - 1) } %><%= f.call(3) %>";
        let rendered = render(SourceId(0), template, &mut Nothing::default()).unwrap();
        assert_eq!(rendered.text, "done");
    }

    #[test]
    fn ruby_is_asked_for_what_is_not_supported_and_only_then() {
        let reply = r#"{"text":"a: 7\n","env":{"N":"1","GONE":null},"printed":""}"#;
        let mut world = Nothing {
            ruby: Some(Ok(reply.to_owned())),
            ..Nothing::default()
        };
        let rendered = render(SourceId(0), "a: <%= SecureRandom.hex %>\n", &mut world).unwrap();
        assert_eq!(rendered.text, "a: 7\n");
        assert_eq!(
            world.set,
            [
                ("N".to_owned(), Some("1".to_owned())),
                ("GONE".to_owned(), None)
            ]
        );
        render(SourceId(0), "a: <%= 1 %>\n", &mut world).unwrap();
        assert_eq!(world.asked, 1);
        assert_eq!(
            world.notices,
            [
                "Ruby renders this template: `SecureRandom` at line 1, column 8 is more than dhow knows"
            ]
        );
    }

    /// What was done before the place that only Ruby knows is done by Ruby again.
    #[test]
    fn what_dhow_began_is_taken_back_before_ruby_begins() {
        let mut world = Nothing {
            ruby: Some(Ok(r#"{"text":"x","env":{},"printed":"once\n"}"#.to_owned())),
            ..Nothing::default()
        };
        let template =
            "<% puts 'once'; ENV['A'] = '1'; ENV['A'] = '2' %><%= nil.to_a.foo rescue 1 %>";
        assert!(render(SourceId(0), template, &mut world).is_ok());
        assert_eq!(world.printed, "once\n");
        assert_eq!(
            world.set,
            [],
            "refused while it is read: nothing was done yet"
        );
        let template = "<% puts 'once'; ENV['A'] = '1'; ENV['A'] = '2' %><%= 1.upcase %>";
        assert!(render(SourceId(0), template, &mut world).is_ok());
        assert_eq!(world.printed, "once\nonce\n");
        let set: Vec<_> = world
            .set
            .iter()
            .map(|(_, value)| value.as_deref())
            .collect();
        assert_eq!(set, [Some("1"), Some("2"), None, None]);
    }

    #[test]
    fn an_exception_in_ruby_is_shown_at_its_line() {
        let mut world = Nothing {
            ruby: Some(Ok(
                r#"{"error":"NameError","message":"no x","line":2}"#.to_owned()
            )),
            ..Nothing::default()
        };
        let template = "a: 1\nb: <%= x %>\n";
        let error = render(SourceId(0), template, &mut world).unwrap_err();
        assert_eq!((error.class, error.message.as_str()), ("NameError", "no x"));
        let span = error.labels[0].span;
        assert_eq!(
            &template[span.start as usize..span.end as usize],
            "b: <%= x %>"
        );
        world.ruby = Some(Err("it was killed".to_owned()));
        assert!(
            render(SourceId(0), template, &mut world)
                .unwrap_err()
                .message
                .contains("it was killed")
        );
    }

    #[test]
    fn nothing_runs_for_ever_or_grows_without_end() {
        for template in [
            "<% (1..1000000000).each do |i| %>x<% end %>".to_owned(),
            "<% x = 'a' * 4000000; 100.times { x = x + x } %>".to_owned(),
            "<% 100000.times do %>0123456789012345678901234567890123456789012345678901234567890123456789<% end %>".to_owned(),
            "<% 1000000.times { 1000000.times { 1 } } %>".to_owned(),
            format!("<%= {}1{} %>", "(".repeat(10_000), ")".repeat(10_000)),
            format!("<%= 1{} %>", "+1".repeat(100_000)),
            format!("<%= 'a'{} %>", ".strip".repeat(100_000)),
            format!("<%= {}1 %>", "!".repeat(100_000)),
            format!("<%= \"{}\" %>", "#{\"".repeat(1000)),
            "<% while true do end %>".to_owned(),
            "<% loop { } %>".to_owned(),
            "<% def f(n) = f(n + 1) %><%= f(0) %>".to_owned(),
            "<% f = ->(n) { f.call(n + 1) } %><%= f.call(0) %>".to_owned(),
            "<% a = []; while true; a << a.size; end %>".to_owned(),
            "<% s = 'a'; while true; s << s + 'b'; end %>".to_owned(),
            "<% s = 'a'; loop { s = s.gsub(/a/, 'aa') } %>".to_owned(),
            "<%= '%999d' * 1000 % 1 %>".to_owned(),
            format!("<%= 'a' =~ /{}a{}/ %>", "(".repeat(1000), ")".repeat(1000)),
            "<%= 'a' =~ /((a{1000}){1000}){1000}/ %>".to_owned(),
            format!("<% def f(n) = {}n < 90 ? f(n + 1) : n{} %><%= f(0) %>", "(".repeat(20), ")".repeat(20)),
        ] {
            let head: String = template.chars().take(40).collect();
            assert!(render(SourceId(0), &template, &mut Nothing::default()).is_err(), "{head}");
        }
    }
}
