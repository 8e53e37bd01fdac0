//! Templates: what they may say, and what becomes of it. All of Ruby's answers are in `vectors/erb`; here is what people write.

use std::collections::BTreeMap;

use dhow_text::diagnostic::Diagnostic;
use dhow_text::dotenv::{CommandFailure, CommandOutput, Expander};
use dhow_text::erb::{FileFailure, World, render};
use dhow_text::source::SourceId;

use crate::deploy::{LEAST, World as Place, load_in, messages};

/// A machine without Ruby, with two programs and some files.
#[derive(Default)]
struct Machine {
    env: BTreeMap<String, String>,
    files: BTreeMap<&'static str, &'static str>,
}

impl Expander for Machine {
    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }

    fn command(&mut self, line: &str) -> Result<CommandOutput, CommandFailure> {
        let (stdout, success) = match line {
            "git rev-parse HEAD" => ("abc123\n", true),
            "two lines" => ("a\n\n", true),
            "false" => ("half\n", false),
            "docker info --format '{{.Architecture}}'" => ("aarch64\n", true),
            _ => {
                return Err(CommandFailure::NotFound {
                    program: line.split(' ').next().unwrap_or_default().to_owned(),
                });
            }
        };
        Ok(CommandOutput {
            stdout: stdout.to_owned(),
            success,
        })
    }

    fn secrets(&mut self, argv: &[String]) -> Result<String, String> {
        Err(format!("no secrets here: {argv:?}"))
    }
}

impl World for Machine {
    fn set_env(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.env.insert(name.to_owned(), value.to_owned()),
            None => self.env.remove(name),
        };
    }

    fn read(&mut self, path: &str) -> Result<String, FileFailure> {
        let name = path.strip_prefix("/app/").unwrap_or(path);
        let text = self.files.get(name).copied();
        text.map(str::to_owned).ok_or(FileFailure::NotFound)
    }

    fn exists(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    fn cwd(&self) -> String {
        "/app".to_owned()
    }

    fn puts(&mut self, text: &str) {
        panic!("no output was expected: {text}")
    }

    fn ruby(&mut self, _script: &str, _template: &str) -> Option<Result<String, String>> {
        None
    }
}

fn machine(env: &[(&str, &str)]) -> Machine {
    Machine {
        env: env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        files: BTreeMap::from([
            (".env", "NEW=from file\nSET=from file\n"),
            (".env.more", "SET=from more\n"),
        ]),
    }
}

fn rendered(template: &str) -> Result<String, Diagnostic> {
    let mut machine = machine(&[("SET", "x"), ("EMPTY", ""), ("LIST", "a,b")]);
    render(SourceId(0), template, &mut machine).map(|rendered| rendered.text)
}

#[track_caller]
fn all(cases: &[(&str, &str)]) {
    for (template, text) in cases {
        match rendered(template) {
            Ok(found) => assert_eq!(found, *text, "{template:?}"),
            Err(error) => panic!("{template:?}: {}", error.message),
        }
    }
}

#[track_caller]
fn raised(template: &str) -> (&'static str, String) {
    match rendered(template) {
        Ok(text) => panic!("{template:?} gives {text:?}"),
        Err(error) => (error.class, error.message),
    }
}

#[test]
fn item_2_01_line_breaks_around_tags() {
    all(&[
        ("a <%= 1 %>\nb\n", "a 1\nb\n"),
        ("<%= 1 -%>\nb", "1b"),
        ("<%= 1 -%>\r\nb", "1b"),
        ("<%= 1 -%>\n\nb", "1\nb"),
        ("<%= 1 -%> \nb", "1 \nb"),
        ("<% 1 -%>\nb", "b"),
        ("\t  <%- 1 %>b", "b"),
        ("a  <%- 1 %>b", "a  b"),
    ]);
}

#[test]
fn item_2_02_blocks_in_lists() {
    all(&[
        (
            "- a\n<% if true -%>\n- b\n<% end -%>\n- c\n",
            "- a\n- b\n- c\n",
        ),
        (
            "- a\n<% if true %>\n- b\n<% end %>\n- c\n",
            "- a\n\n- b\n\n- c\n",
        ),
        ("- a\n<% if false -%>\n- b\n<% end -%>\n- c\n", "- a\n- c\n"),
    ]);
}

#[test]
fn item_2_03_comments_literals_and_what_is_no_tag() {
    all(&[
        ("a<%# ENV.fetch('NO') %>b", "ab"),
        ("a<%# x -%>\nb", "ab"),
        ("<%% x %>", "<% x %>"),
        ("<%= '%%>' %>", "%>"),
        ("a <%= ENV['SET']\nb\n", "a  ENV['SET']\nb\n"),
        ("% 1 + 1\n%% x\n", "% 1 + 1\n%% x\n"),
    ]);
}

/// The line of the deploy file that `init` writes, which stands in a comment.
#[test]
fn item_2_04_the_tag_in_the_comment_of_a_new_file() {
    let line = "#     RUBY_VERSION: <%= ENV[\"RBENV_VERSION\"] || ENV[\"rvm_ruby_string\"] || \"#{RUBY_ENGINE}-#{RUBY_ENGINE_VERSION}\" %>\n";
    let text = rendered(line).unwrap();
    assert!(text.starts_with("#     RUBY_VERSION: ruby-"), "{text}");
    assert_eq!(
        raised("# <%= ENV.fetch('NO') %>"),
        ("KeyError", "key not found: \"NO\"".to_owned())
    );
}

#[test]
fn item_2_05_tags_over_several_lines() {
    all(&[
        ("<%=\n  [1,\n   2].join(\n  '-')\n%>", "1-2"),
        ("<%\n  a = 1\n  b = a + 1\n%><%= b %>", "2"),
    ]);
}

#[test]
fn item_2_06_expressions() {
    all(&[
        (r#"<%= "a" %><%= 'b' %>"#, "ab"),
        (r##"<%= "#{ENV['SET']}-#{1 + 1}" %>"##, "x-2"),
        (r##"<%= '#{x}\n' %>"##, r"#{x}\n"),
        (r#"<%= "a\tb" %>"#, "a\tb"),
        (r#"<%= ENV["NO"] || ENV["SET"] || "z" %>"#, "x"),
        (r#"<%= ENV["NO"] || "z" %>"#, "z"),
        (r#"<%= ENV["EMPTY"] || "z" %>"#, ""),
        ("<%= 1 == 1 ? 'y' : 'n' %>", "y"),
        ("<%= 1 == 2 ? 'y' : 'n' %>", "n"),
        ("<%= true && 'b' %><%= nil && 'b' %>", "b"),
        ("<%= !nil %> <%= !1 %>", "true false"),
        ("<%= 'a' != 'b' and not false %>", "true"),
    ]);
}

#[test]
fn item_2_07_the_environment() {
    all(&[
        (r#"[<%= ENV["NO"] %>]"#, "[]"),
        (r#"<%= ENV["SET"] %><%= ENV['SET'] %>"#, "xx"),
        (r#"<%= ENV.fetch("SET") %>"#, "x"),
        (r#"<%= ENV.fetch("NO", "d") %>"#, "d"),
        (r#"<%= ENV.fetch("NO") { "b" } %>"#, "b"),
        (r#"<%= ENV.fetch("SET") { "b" } %>"#, "x"),
        (
            r#"<%= ENV.key?("SET") %> <%= ENV.key?("NO") %>"#,
            "true false",
        ),
    ]);
    assert_eq!(
        raised(r#"<%= ENV.fetch("NO") %>"#),
        ("KeyError", "key not found: \"NO\"".to_owned())
    );
}

#[test]
fn item_2_08_commands() {
    all(&[
        ("[<%= %x(git rev-parse HEAD) %>]", "[abc123\n]"),
        ("[<%= `git rev-parse HEAD` %>]", "[abc123\n]"),
        ("[<%= `git rev-parse HEAD`.strip %>]", "[abc123]"),
        ("[<%= `two lines`.chomp %>]", "[a\n]"),
        ("[<%= `false` %>]", "[half\n]"),
    ]);
    assert_eq!(
        raised("<%= `nope --now` %>"),
        (
            "Errno::ENOENT",
            "No such file or directory - nope".to_owned()
        )
    );
}

#[test]
fn item_2_09_a_list_is_a_list() {
    all(&[
        (r#"<%= ENV.fetch("LIST").split(",") %>"#, r#"["a", "b"]"#),
        (r#"<%= %w[a b] %>"#, r#"["a", "b"]"#),
        (r#"<%= [1, nil, "q\"x"] %>"#, r#"[1, nil, "q\"x"]"#),
    ]);
    let world = Place::default();
    world
        .templates
        .borrow_mut()
        .env
        .insert("HOSTS".to_owned(), "1.1.1.2,1.1.1.3".to_owned());
    let file = format!("{LEAST}servers: <%= ENV[\"HOSTS\"].split(\",\") %>\n");
    let loaded = load_in(&world, &file, None).unwrap();
    assert_eq!(loaded.config.all_hosts(), ["1.1.1.2", "1.1.1.3"]);
}

#[test]
fn item_2_10_how_values_are_written() {
    all(&[
        ("[<%= nil %>]", "[]"),
        ("<%= true %> <%= false %>", "true false"),
        ("<%= 40_000 %> <%= -7 %>", "40000 -7"),
        (
            "<%= 1.50 %> <%= 2.0 %> <%= 10000000000000000.0 %>",
            "1.5 2.0 1.0e+16",
        ),
        ("<%= :sym %> <%= :\"a b\" %>", "sym a b"),
    ]);
}

#[test]
fn item_2_11_dotenv() {
    let mut world = machine(&[("SET", "before")]);
    let load = |world: &mut Machine, files: &str| {
        let template = format!(
            "<% require \"dotenv\"; Dotenv.load{files} %><%= ENV[\"NEW\"] %>|<%= ENV[\"SET\"] %>"
        );
        render(SourceId(0), &template, world).unwrap().text
    };
    assert_eq!(load(&mut world, "(\".missing\")"), "|before");
    assert_eq!(load(&mut world, "(\".env\")"), "from file|before");
    assert_eq!(
        load(&mut world, "(\".env.more\", overwrite: true)"),
        "from file|from more"
    );
    assert_eq!(world.env("NEW").as_deref(), Some("from file"), "it stays");
    let mut world = machine(&[]);
    assert_eq!(load(&mut world, ""), "from file|from file");
    let mut world = machine(&[]);
    assert_eq!(
        load(&mut world, "(\".env.more\", \".env\")"),
        "from file|from more",
        "the first file wins"
    );
}

#[test]
fn item_2_12_loops_locals_and_conditions() {
    all(&[
        (
            "<% %w[a b].each do |h| -%>\n- <%= h %>\n<% end -%>\n",
            "- a\n- b\n",
        ),
        ("<% %w[a b].each { |h| %><%= h %>;<% } %>", "a;b;"),
        (
            "<% [1, 2].each_with_index do |n, i| %><%= i %>:<%= n %> <% end %>",
            "0:1 1:2 ",
        ),
        ("<%= 'a, b'.split(',').map(&:strip).join('+') %>", "a+b"),
        ("<%= [1, 2].map { |n| \"w#{n}\" }.join(',') %>", "w1,w2"),
        ("<% name = 'x'; other = name + 'y' %><%= other %>", "xy"),
        ("<% a = nil; a ||= 'd'; a ||= 'e' %><%= a %>", "d"),
        (
            "<% if ENV['NO'] %>a<% elsif ENV['SET'] == 'x' %>b<% else %>c<% end %>",
            "b",
        ),
        ("<% unless ENV['NO'] %>u<% else %>v<% end %>", "u"),
        ("<%= 'm' if ENV['SET'] %><%= 'n' unless ENV['SET'] %>", "m"),
    ]);
}

#[test]
fn item_2_13_constants_and_the_architecture() {
    all(&[
        ("<%= RUBY_ENGINE %>", "ruby"),
        ("<%= Kamal::Utils.docker_arch %>", "arm64"),
        ("<%= Kamal::VERSION %>", "2.12.0"),
    ]);
    let version = rendered("<%= RUBY_ENGINE_VERSION %>").unwrap();
    assert!(version.split('.').count() == 3, "{version}");
}

#[test]
fn item_2_15_what_is_not_supported_is_named() {
    for (template, named) in [
        ("<%= ObjectSpace.count_objects %>", "ObjectSpace"),
        ("a\n  <%= 'x'.unpack1('H*') %>", "unpack1"),
        ("<%= defined?(Rails) %>", "defined?"),
        ("<%= system('ls') %>", "system"),
    ] {
        let (class, message) = raised(template);
        assert_eq!(class, "ScriptError", "{template}");
        assert!(
            message.contains(named) && message.contains("is not supported without Ruby"),
            "{template}: {message}"
        );
    }
}

#[test]
fn item_2_15_in_a_deploy_file_it_stands_at_its_line() {
    let file = format!("{LEAST}labels:\n  a: <%= 'x'.unpack1('H*') %>\n");
    let failure = load_in(&Place::default(), &file, None).unwrap_err();
    assert_eq!(
        messages(&failure, dhow_text::diagnostic::Severity::Error).len(),
        1
    );
    let shown = dhow_text::render::render(&failure.diagnostics, &failure.sources, false);
    assert!(shown.contains("config/deploy.yml:7:"), "{shown}");
    assert!(
        shown.contains("  a: <%= 'x'.unpack1('H*') %>") && shown.contains('^'),
        "{shown}"
    );
    assert!(shown.contains("install Ruby"), "{shown}");
}
