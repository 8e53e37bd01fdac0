//! Real Ruby for what is not supported here.
//!
//! In: a template. Out: the program that renders it and, from that program's answer, the text, what it changed in the environment
//! and what it printed. Kamal's own constants exist in it; the rest of Kamal does not.

use serde_json::Value as Json;

use super::world::World;
use crate::rendered::{Rendered, RenderedBuilder};

/// Reads a template from standard input and writes one JSON object. Whatever the template itself writes to standard output is kept
/// out of the answer.
const SCRIPT: &str = r##"
require "json"
require "erb"
require "stringio"
require "yaml"
%w[dotenv active_support active_support/core_ext/object/blank].each { |name| begin; require name; rescue LoadError; end }
module Kamal
  VERSION = "2.12.0" unless const_defined?(:VERSION)
  module Utils
    def self.docker_arch
      arch = `docker info --format '{{.Architecture}}'`.strip
      { /aarch64/ => "arm64", /x86_64/ => "amd64" }.each { |pattern, name| return name if arch.match?(pattern) }
      arch
    end
  end
end
unless nil.respond_to?(:blank?)
  class Object
    def blank? = respond_to?(:strip) ? strip.empty? : (respond_to?(:empty?) ? empty? : !self)
    def present? = !blank?
    def presence = blank? ? nil : self
  end
end
answer = $stdout.dup
$stdout.reopen($stderr)
$stdout = StringIO.new
before = ENV.to_h
template = $stdin.read.force_encoding("UTF-8")
reply =
  begin
    { "text" => ERB.new(template, trim_mode: "-").result(TOPLEVEL_BINDING.dup) }
  rescue Exception => error
    line = [error.message, *error.backtrace].join("\n")[/\(erb\):(\d+)/, 1]
    { "error" => error.class.name, "message" => error.message, "line" => line&.to_i }
  end
after = ENV.to_h
reply["env"] = (before.keys | after.keys).select { |name| before[name] != after[name] }.to_h { |name| [name, after[name]] }
reply["printed"] = $stdout.string
answer.write(JSON.generate(reply))
"##;

/// What Ruby had to say.
#[derive(Debug)]
pub(super) enum Answer {
    Rendered(Rendered),
    /// The template raised an exception.
    Raised {
        class: String,
        message: String,
        line: Option<usize>,
    },
    /// Ruby could not be run, or did not answer.
    Failed(String),
}

/// Renders by Ruby; none if there is none.
pub(super) fn render(template: &str, world: &mut dyn World) -> Option<Answer> {
    let output = match world.ruby(SCRIPT, template)? {
        Ok(output) => output,
        Err(reason) => return Some(Answer::Failed(reason)),
    };
    let Ok(Json::Object(reply)) = serde_json::from_str(&output) else {
        return Some(Answer::Failed("its answer could not be read".to_owned()));
    };
    if let Some(Json::Object(changes)) = reply.get("env") {
        for (name, value) in changes {
            world.set_env(name, value.as_str());
        }
    }
    if let Some(printed) = reply.get("printed").and_then(Json::as_str)
        && !printed.is_empty()
    {
        world.puts(printed);
    }
    let text = |key: &str| reply.get(key).and_then(Json::as_str).map(str::to_owned);
    Some(match (text("text"), text("error")) {
        (Some(text), _) => Answer::Rendered(aligned(template, &text)),
        (None, Some(class)) => Answer::Raised {
            class,
            message: text("message").unwrap_or_default(),
            line: reply
                .get("line")
                .and_then(Json::as_u64)
                .and_then(|line| usize::try_from(line).ok()),
        },
        (None, None) => Answer::Failed("its answer is incomplete".to_owned()),
    })
}

/// Ruby does not say which output came from where: the lines at both ends that are the same are taken as copied, what is between
/// them as made by what is between them.
fn aligned(template: &str, text: &str) -> Rendered {
    let same = |a: &mut dyn Iterator<Item = &str>, b: &mut dyn Iterator<Item = &str>| -> usize {
        a.zip(b)
            .take_while(|(a, b)| a == b)
            .map(|(a, _)| a.len())
            .sum()
    };
    let head = same(
        &mut template.split_inclusive('\n'),
        &mut text.split_inclusive('\n'),
    );
    let tail_of = |whole: &str| whole.get(head..).unwrap_or("").to_owned();
    let (rest_template, rest_text) = (tail_of(template), tail_of(text));
    let tail = same(
        &mut rest_template.split_inclusive('\n').rev(),
        &mut rest_text.split_inclusive('\n').rev(),
    );
    let mut builder = RenderedBuilder::new(template);
    builder.copy(0, head);
    let made = rest_text.get(..rest_text.len() - tail).unwrap_or("");
    builder.computed(made, head, template.len() - tail);
    builder.copy(template.len() - tail, template.len());
    builder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_the_same_are_taken_as_copied() {
        let template = "a: 1\nb: <%= x %>\nc: 3\n";
        let rendered = aligned(template, "a: 1\nb: 2\nb2: 2\nc: 3\n");
        assert_eq!(rendered.text, "a: 1\nb: 2\nb2: 2\nc: 3\n");
        let c = rendered.text.find("c:").unwrap();
        assert_eq!(
            rendered.map.locate(c, c + 1).0,
            template.find("c:").unwrap()
        );
        let b2 = rendered.text.find("b2").unwrap();
        assert_eq!(rendered.map.locate(b2, b2 + 2).0, 5);
        assert_eq!(aligned("x", "x").text, "x");
        assert_eq!(aligned("a\na\n", "a\n").text, "a\n");
    }
}
