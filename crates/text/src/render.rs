//! Diagnostics for people: Kamal's line, then the place in the file with a caret, then what to do.
//!
//! In: diagnostics and the sources they point into. Out: text. The first line is the one Kamal prints (`ERROR (class): message`),
//! so that whoever searches for it finds it. Of a hidden source ([`Sources::add_hidden`]) only the place is shown.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::source::{Source, Sources, Span};

/// Lines wider than this are cut around the caret.
const WIDTH: usize = 120;

/// The text for some diagnostics, each ending with a line break.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources, colour: bool) -> String {
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    }
    .term_width(WIDTH);
    diagnostics
        .iter()
        .map(|diagnostic| one(diagnostic, sources, &renderer) + "\n")
        .collect()
}

fn one(diagnostic: &Diagnostic, sources: &Sources, renderer: &Renderer) -> String {
    let (level, name) = match diagnostic.severity {
        Severity::Error => (Level::ERROR, format!("ERROR ({})", diagnostic.class)),
        Severity::Warning => (Level::WARNING, "warning".to_owned()),
    };
    let title = level
        .with_name(name)
        .primary_title(diagnostic.message.as_str());
    let mut group = Group::with_title(title);
    // One piece of text for each file, in the order in which the labels name them.
    let mut shown: Vec<u32> = Vec::new();
    for label in &diagnostic.labels {
        if shown.contains(&label.span.source.0) {
            continue;
        }
        shown.push(label.span.source.0);
        let Some(source) = sources.get(label.span.source) else {
            continue;
        };
        if sources.is_hidden(label.span.source) {
            group = group.element(origin(source, sources, label.span));
            continue;
        }
        let annotations = diagnostic
            .labels
            .iter()
            .enumerate()
            .filter(|(_, other)| other.span.source == label.span.source)
            .map(|(at, label)| annotation(at == 0, label, &source.text));
        let snippet = Snippet::source(&*source.text)
            .path(source.name.as_str())
            .annotations(annotations);
        group = group.element(snippet);
    }
    if let Some(hint) = &diagnostic.hint {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    renderer.render(&[group])
}

fn origin<'s>(source: &'s Source, sources: &Sources, span: Span) -> Origin<'s> {
    let origin = Origin::path(source.name.as_str());
    match sources.line_column(span) {
        Some((line, column)) => origin.line(line).char_column(column),
        None => origin,
    }
}

fn annotation<'l>(main: bool, label: &'l Label, text: &str) -> annotate_snippets::Annotation<'l> {
    let kind = if main {
        AnnotationKind::Primary
    } else {
        AnnotationKind::Context
    };
    let annotation = kind.span(bounds(label.span, text));
    if label.text.is_empty() {
        annotation
    } else {
        annotation.label(label.text.as_str())
    }
}

/// The span within the text, on character boundaries; of a span over lines only the first.
fn bounds(span: Span, text: &str) -> Range<usize> {
    let snap = |at: u32| {
        let at = (at as usize).min(text.len());
        (0..=at)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0)
    };
    let start = snap(span.start);
    let end = snap(span.end).max(start);
    let first_line = text.get(start..end).and_then(|text| text.find('\n'));
    start..first_line.map_or(end, |length| start + length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceId;

    fn at(text: &str, source: SourceId, part: &str) -> Span {
        let start = text.find(part).unwrap();
        Span::new(
            source,
            u32::try_from(start).unwrap(),
            u32::try_from(start + part.len()).unwrap(),
        )
    }

    #[test]
    fn the_line_the_caret_and_the_hint() {
        let text = "service: app\nservers:\n  web:\n    hosts: [ä]\n    traefik: true\n";
        let base = "env:\n  A: 1\n";
        let mut sources = Sources::default();
        let file = sources.add("config/deploy.yml", text);
        let other = sources.add("config/deploy.st.yml", base);
        let diagnostic = Diagnostic::error(
            "Kamal::ConfigurationError",
            "servers/web: unknown key: traefik",
        )
        .at(at(text, file, "traefik"), "")
        .at(at(base, other, "A"), "and here")
        .hinted("`traefik` went with Kamal 1; see `proxy`");
        insta::assert_snapshot!(render(&[diagnostic], &sources, false), @r"
        ERROR (Kamal::ConfigurationError): servers/web: unknown key: traefik
         --> config/deploy.yml:5:5
          |
        5 |     traefik: true
          |     ^^^^^^^
          |
         ::: config/deploy.st.yml:2:3
          |
        2 |   A: 1
          |   - and here
          |
          = help: `traefik` went with Kamal 1; see `proxy`
        ");
    }

    #[test]
    fn of_a_hidden_source_only_the_place_is_shown() {
        let mut sources = Sources::default();
        let file = sources.add_hidden(".kamal/secrets", "A=1\nPASSWORD=hunter2$(nope)\n");
        let diagnostic = Diagnostic::error(
            "RuntimeError",
            "secret `PASSWORD`: No such file or directory - nope",
        )
        .at(Span::new(file, 4, 12), "");
        let text = render(&[diagnostic], &sources, false);
        assert!(!text.contains("hunter2"), "{text}");
        insta::assert_snapshot!(text, @r"
        ERROR (RuntimeError): secret `PASSWORD`: No such file or directory - nope
        --> .kamal/secrets:2:1
        ");
    }

    #[test]
    fn odd_places_do_no_harm() {
        let mut sources = Sources::default();
        let file = sources.add("f", "é\n\tx\u{1b}[31m");
        for span in [
            Span::nowhere(),
            Span::new(file, 1, 1),
            Span::new(file, 0, 900),
            Span::new(file, 900, 3),
            Span::new(SourceId(7), 0, 1),
        ] {
            let text = render(&[Diagnostic::error("E", "m").at(span, "l")], &sources, true);
            assert!(
                text.contains('m') && !text.contains("\u{1b}[31mx"),
                "{text:?}"
            );
        }
    }
}
