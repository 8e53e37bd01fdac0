//! Templates in a deploy file, with Ruby on the machine and without: the whole program, in a folder of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// Everything but the service's name, which the templates give.
const REST: &str = "image: me/app\nregistry: { username: me, password: [PASSWORD] }\nbuilder: { arch: amd64 }\nservers: [127.0.0.1]\n";

/// Takes the template for the script's answer: it names the service `by-ruby`.
const RUBY: &str = r#"#!/bin/sh
[ "$1" = -e ] || exit 9
sed '1s/.*/service: by-ruby\\n/; s/$/\\n/' | tr -d '\n' | sed 's/\\"/"/g; s/.*/{"text":"&","env":{},"printed":""}/'
"#;

struct Place(TempDir);

impl Place {
    /// A machine whose only programs are those given.
    fn new(deploy_file: &str, programs: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        for folder in ["config", "bin", "home"] {
            fs::create_dir(root.path().join(folder)).expect("a folder");
        }
        fs::write(root.path().join("config/deploy.yml"), deploy_file).expect("write");
        for (name, text) in programs {
            let path = root.path().join("bin").join(name);
            fs::write(&path, text).expect("write");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a program");
        }
        Self(root)
    }

    fn config(&self, more: &[&str]) -> Output {
        let bin = self.0.path().join("bin");
        // The fake Ruby is a script of these; where there is no Ruby there is none of them either.
        let path = match bin.join("ruby").exists() {
            true => format!("{}:/usr/bin:/bin", bin.display()),
            false => bin.display().to_string(),
        };
        Command::new(env!("CARGO_BIN_EXE_dhow"))
            .args(["config", "--version", "v1"])
            .args(more)
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.0.path().join("home"))
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .output()
            .expect("run the program")
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// File, line and column, the construct, and both ways out.
#[test]
fn without_ruby_what_is_not_supported_is_named_at_its_place() {
    for (code, place, construct) in [
        ("<%= SecureRandom.hex %>", "1:14", "`SecureRandom`"),
        (
            "<%= 'app' =~ /a(?!b)/ %>",
            "1:23",
            "`(?!` in a regular expression",
        ),
        (
            "<% a = [1]; b = a; a << 2 %>x",
            "1:29",
            "changing a list that something else holds too",
        ),
        ("<% class A; end %>x", "1:13", "`class`"),
        ("x\nlabels: { a: <%= Etc.getlogin %> }", "2:18", "`Etc`"),
    ] {
        let place_of = Place::new(&format!("service: {code}\n{REST}"), &[]);
        let ended = place_of.config(&[]);
        let said = text(&ended.stdout) + &text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{code}\n{said}");
        for part in [
            format!("config/deploy.yml:{place}"),
            format!("ERB: {construct} is not supported without Ruby"),
            "install Ruby: it is then used for this file".to_owned(),
            "work the value out before and pass it in: `<%= ENV[\"NAME\"] %>`".to_owned(),
        ] {
            assert!(said.contains(&part), "{code}: {part} in\n{said}");
        }
    }
}

#[test]
fn with_ruby_it_renders_the_file_and_verbose_output_says_so() {
    let file = format!("service: <%= SecureRandom.hex %>\n{REST}");
    let place = Place::new(&file, &[("ruby", RUBY)]);
    let quiet = place.config(&[]);
    let said = text(&quiet.stderr);
    assert!(quiet.status.success(), "{}{said}", text(&quiet.stdout));
    assert!(
        text(&quiet.stdout).contains(":service_with_version: by-ruby-v1\n"),
        "{}",
        text(&quiet.stdout)
    );
    assert!(!said.contains("Ruby"), "{said}");
    let verbose = place.config(&["-v"]);
    assert_eq!(
        text(&verbose.stderr),
        "NOTE: Ruby renders this template: `SecureRandom` at line 1, column 14 is more than dhow knows\n"
    );
}

/// What dhow knows itself does not wait for Ruby: this one would fail.
#[test]
fn with_ruby_what_is_supported_is_not_left_to_it() {
    let code = "<% hosts = %w[a b]; hosts << 'c' if 'app-1' =~ /\\d/ %><%= format('%s-%02d', hosts.last, 3) %>";
    let place = Place::new(
        &format!("service: {code}\n{REST}"),
        &[("ruby", "#!/bin/sh\nexit 9\n")],
    );
    let ended = place.config(&["-v"]);
    assert!(
        ended.status.success(),
        "{}{}",
        text(&ended.stdout),
        text(&ended.stderr)
    );
    assert!(
        text(&ended.stdout).contains(":service_with_version: c-03-v1\n"),
        "{}",
        text(&ended.stdout)
    );
    assert_eq!(text(&ended.stderr), "");
}

#[test]
fn with_a_ruby_that_fails_both_are_told() {
    let file = format!("service: <%= SecureRandom.hex %>\n{REST}");
    let place = Place::new(&file, &[("ruby", "#!/bin/sh\necho broken >&2\nexit 9\n")]);
    let ended = place.config(&[]);
    let said = text(&ended.stdout) + &text(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    let message =
        "ERB: `SecureRandom` is not supported without Ruby, and Ruby could not be run: broken";
    assert!(said.contains(message), "{said}");
}
