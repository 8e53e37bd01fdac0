//! The part of Go's HTML templates that error pages use: `{{ .Message }}` and
//! `{{ if .Message }}…{{ else }}…{{ end }}`, with `{{-`/`-}}` trimming and comments. Anything else is refused
//! when the page is loaded, not when a visitor needs it.

/// A parsed page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Message {
        in_script: bool,
    },
    If {
        then: Vec<Self>,
        otherwise: Vec<Self>,
    },
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    /// `{{` without `}}`.
    #[error("unclosed action")]
    Unclosed,
    /// An action that error pages do not have.
    #[error("unsupported action `{0}`")]
    Unsupported(String),
    /// `{{ if }}` without `{{ end }}`.
    #[error("missing `end`")]
    MissingEnd,
    /// `{{ else }}` or `{{ end }}` out of place.
    #[error("unexpected `{0}`")]
    Unexpected(String),
}

impl Template {
    /// Parses a page.
    ///
    /// # Errors
    /// The first action that is not understood.
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut open: Vec<(Vec<Part>, Option<Vec<Part>>)> = vec![(Vec::new(), None)];
        let mut rest = text;
        let mut trim_next = false;
        let mut in_script = false;
        loop {
            let (literal, action, after) = match rest.split_once("{{") {
                Some((literal, after)) => {
                    let (action, after) = after.split_once("}}").ok_or(TemplateError::Unclosed)?;
                    (literal, Some(action), after)
                }
                None => (rest, None, ""),
            };
            let mut literal = if trim_next {
                literal.trim_start()
            } else {
                literal
            };
            let (trim_before, action, trim_after) = match action {
                Some(action) => {
                    let before = action.starts_with("- ");
                    let after = action.ends_with(" -");
                    let inner = action.strip_prefix("- ").unwrap_or(action);
                    let inner = inner.strip_suffix(" -").unwrap_or(inner);
                    (before, Some(inner.trim()), after)
                }
                None => (false, None, false),
            };
            if trim_before {
                literal = literal.trim_end();
            }
            trim_next = trim_after;
            in_script = in_script_after(literal, in_script);
            push(&mut open, Part::Text(literal.to_owned()));
            let Some(action) = action else { break };
            rest = after;
            match action.split_whitespace().collect::<Vec<_>>().as_slice() {
                [".Message"] => push(&mut open, Part::Message { in_script }),
                ["if", ".Message"] => open.push((Vec::new(), None)),
                ["else"] => match open.last_mut() {
                    Some((_, otherwise @ None)) => *otherwise = Some(Vec::new()),
                    _ => return Err(TemplateError::Unexpected("else".to_owned())),
                },
                ["end"] => match (open.pop(), open.is_empty()) {
                    (Some((then, otherwise)), false) => {
                        push(
                            &mut open,
                            Part::If {
                                then,
                                otherwise: otherwise.unwrap_or_default(),
                            },
                        );
                    }
                    _ => return Err(TemplateError::Unexpected("end".to_owned())),
                },
                _ if action.starts_with("/*") && action.ends_with("*/") => {}
                _ => return Err(TemplateError::Unsupported(action.to_owned())),
            }
        }
        match (open.pop(), open.is_empty()) {
            (Some((parts, None)), true) => Ok(Self { parts }),
            (Some((_, Some(_))), true) => Err(TemplateError::Unexpected("else".to_owned())),
            _ => Err(TemplateError::MissingEnd),
        }
    }

    /// The page with `message` filled in, escaped for where it stands.
    pub(crate) fn render(&self, message: &str) -> String {
        let mut out = String::new();
        render(&self.parts, message, &mut out);
        out
    }
}

/// Escapes text for HTML content and attributes.
pub(crate) fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '\0' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn push(open: &mut [(Vec<Part>, Option<Vec<Part>>)], part: Part) {
    if matches!(&part, Part::Text(text) if text.is_empty()) {
        return;
    }
    if let Some((then, otherwise)) = open.last_mut() {
        otherwise.as_mut().unwrap_or(then).push(part);
    }
}

fn render(parts: &[Part], message: &str, out: &mut String) {
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Message { in_script: true } => out.push_str(&script_literal(message)),
            Part::Message { in_script: false } => out.push_str(&escape_html(message)),
            Part::If { then, otherwise } => {
                render(
                    if message.is_empty() { otherwise } else { then },
                    message,
                    out,
                );
            }
        }
    }
}

/// Whether the place after `text` lies inside a `<script>` element.
fn in_script_after(text: &str, before: bool) -> bool {
    let lower = text.to_ascii_lowercase();
    match (lower.rfind("<script"), lower.rfind("</script")) {
        (Some(open), Some(close)) => open > close,
        (Some(_), None) => true,
        (None, Some(_)) => false,
        (None, None) => before,
    }
}

/// A JavaScript string literal that cannot end the script element.
fn script_literal(text: &str) -> String {
    serde_json::to_string(text)
        .unwrap_or_default()
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\'', "\\u0027")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str, message: &str) -> String {
        Template::parse(text).unwrap().render(message)
    }

    #[test]
    fn messages_and_conditions() {
        let text = "<p>{{ if .Message }}{{ .Message }}{{ else }}default{{ end }}</p>";
        assert_eq!(page(text, ""), "<p>default</p>");
        assert_eq!(page(text, "a & 'b'"), "<p>a &amp; &#39;b&#39;</p>");
        assert_eq!(page("a {{- if .Message -}} x {{- end -}} b", "m"), "axb");
        assert_eq!(page("a{{/* note */}}b", ""), "ab");
        assert_eq!(page("plain { braces }", ""), "plain { braces }");
    }

    #[test]
    fn scripts_get_literals() {
        assert_eq!(
            page(
                "<script>say({{ .Message }})</script>{{ .Message }}",
                "</script>\""
            ),
            "<script>say(\"\\u003c/script\\u003e\\\"\")</script>&lt;/script&gt;&#34;"
        );
    }

    /// parity: proxy 131
    #[test]
    fn refusals() {
        for text in [
            "{{ .Message",
            "{{ .Name }}",
            "{{ if .Message }}x",
            "{{ end }}",
            "{{ else }}",
            "{{ range . }}{{ end }}",
            "{{ if .Message }}{{ else }}{{ else }}{{ end }}",
        ] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}
