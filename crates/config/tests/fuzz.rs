//! The fuzzers' promises, held by plain tests: over the kept corpora, over damage that is the same in every run, and over texts
//! made to cost more than they should. `fuzz/run` looks for more.

#[expect(unreachable_pub, reason = "it is a library to the fuzzers")]
#[path = "../../../fuzz/src/lib.rs"]
mod harness;
#[path = "../../../fuzz/replay.rs"]
mod kept;

use std::time::{Duration, Instant};

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 4] = [
    ("yaml", harness::yaml),
    ("erb", harness::erb),
    ("dotenv", harness::dotenv),
    ("load", harness::load),
];

/// No text that a fuzzer came upon takes longer, in a build without optimizations on a busy machine.
const LONGEST: Duration = Duration::from_secs(20);

fn run((name, target): Target, data: &[u8]) {
    let start = Instant::now();
    target(data);
    assert!(
        start.elapsed() < LONGEST,
        "{name}, {:?}: {:?}",
        start.elapsed(),
        String::from_utf8_lossy(data)
    );
}

#[test]
fn corpora_are_survived() {
    for target in TARGETS {
        for data in kept::corpus(target.0, String::into_bytes) {
            run(target, &data);
        }
    }
}

/// So many each.
const DAMAGED: usize = 4_000;

#[test]
fn damaged_corpora_are_survived() {
    for target in TARGETS {
        for data in kept::damaged(&kept::corpus(target.0, String::into_bytes), DAMAGED) {
            run(target, &data);
        }
    }
}

mod costly {
    //! Texts that cost more than their size suggests, and texts that are too large: refused, in words, in time.

    use std::fmt::Write;

    use super::*;
    use dhow_config::{Inputs, load};
    use dhow_text::dotenv::{self, Existing};
    use dhow_text::source::{Source, SourceId};
    use dhow_text::{erb, yaml};

    const LARGE: usize = 100 << 20;

    /// The message of what must not be read, and that it took no longer than it may.
    fn refused<T>(read: impl FnOnce() -> Result<T, String>) -> String {
        let start = Instant::now();
        let Err(message) = read() else {
            panic!("it was read");
        };
        assert!(start.elapsed() < LONGEST, "{:?}", start.elapsed());
        message
    }

    fn read_yaml(text: &str) -> Result<yaml::Node, String> {
        yaml::parse(SourceId(0), text).map_err(|problem| problem.message)
    }

    fn render(text: &str) -> Result<String, String> {
        let mut world = harness::Echo::default();
        let rendered = erb::render(SourceId(0), text, &mut world);
        rendered
            .map(|rendered| rendered.text)
            .map_err(|problem| problem.message)
    }

    fn read_dotenv(text: &str) -> Result<usize, String> {
        let mut world = harness::Echo::default();
        let parsed = dotenv::parse(SourceId(0), text, Existing::Overridden, &mut world);
        let length =
            |parsed: dotenv::Parsed| parsed.entries.iter().map(|e| e.value.reveal().len()).sum();
        parsed.map(length).map_err(|problem| problem.message)
    }

    fn load_file(text: &str) -> Result<(), String> {
        let inputs = Inputs {
            base: Source {
                name: "config/deploy.yml".to_owned(),
                text: text.into(),
            },
            overlay: None,
            destination: None,
            outside: &harness::Machine::default(),
        };
        load(&inputs)
            .map(drop)
            .map_err(|failure| failure.diagnostics[0].message.clone())
    }

    /// Nine aliases of nine aliases of …: a few hundred bytes, billions of values.
    #[test]
    fn alias_bombs() {
        for (open, close) in [("[", "]"), ("{a: ", "}")] {
            let mut text = format!("x-a0: &a0 {open}lol{close}\n");
            for level in 1..12 {
                let item = |n: usize| match open {
                    "[" => format!("*a{}", level - 1),
                    _ if n == 0 => format!("*a{}", level - 1),
                    _ => format!("k{n}: *a{}", level - 1),
                };
                let items: Vec<String> = (0..9).map(item).collect();
                let items = items.join(", ");
                writeln!(text, "x-a{level}: &a{level} {open}{items}{close}").unwrap();
            }
            for message in [refused(|| read_yaml(&text)), refused(|| load_file(&text))] {
                assert!(message.contains("more than 200000 values"), "{message}");
            }
        }
        let merged = "x-a0: &a0 {a: 1, b: 2, c: 3}\n".to_owned()
            + &(1..4_000)
                .map(|n| format!("x-a{n}: {{<<: [*a0, *a0, *a0]}}\n"))
                .collect::<String>();
        assert!(read_yaml(&merged).is_ok(), "what is merely long is read");
    }

    #[test]
    fn deep_nesting() {
        for text in [
            "[".repeat(200_000),
            "{a: ".repeat(50_000),
            "- ".repeat(100_000),
            "? ".repeat(100_000),
            (0..2_000)
                .map(|n| format!("{}a:\n", " ".repeat(n)))
                .collect(),
            format!(
                "service: a\nenv: {}{}",
                "[".repeat(5_000),
                "]".repeat(5_000)
            ),
        ] {
            let message = refused(|| load_file(&text));
            assert!(
                message.contains("nested") || message.contains("recursion"),
                "{message}"
            );
        }
        for (open, close) in [
            ("(", ")"),
            ("[", "]"),
            ("!", ""),
            ("-", ""),
            ("{ a: ", "}"),
            ("if true then ", " end"),
        ] {
            let text = format!("<%= {}1{} %>", open.repeat(100_000), close.repeat(100_000));
            let message = refused(|| render(&text));
            assert!(
                message.contains("deep") || message.contains("not supported"),
                "{message}"
            );
        }
        let text = format!(
            "A={}kamal secrets extract a{}",
            "$(kamal secrets extract ".repeat(50),
            ")".repeat(50)
        );
        let message = refused(|| read_dotenv(&text));
        assert!(message.contains("nested too deep"), "{message}");
    }

    /// Each of these is far beyond any deploy file; none is copied, let alone read.
    #[test]
    fn large_files() {
        let yaml = "a: b\n".repeat(LARGE / 5);
        let message = refused(|| read_yaml(&yaml));
        assert_eq!(message, "YAML of more than 4194304 bytes");
        assert_eq!(refused(|| load_file(&yaml)), message);
        drop(yaml);
        let template = "<%= 1 %>\n".repeat(LARGE / 9);
        let message = refused(|| render(&template));
        assert_eq!(message, "a template of more than 2097152 bytes");
        drop(template);
        let secrets = "A=b\n".repeat(LARGE / 4);
        let message = refused(|| read_dotenv(&secrets));
        assert_eq!(
            message,
            "a file of secrets or variables of more than 4194304 bytes"
        );
    }

    #[test]
    fn texts_that_grow() {
        let doubled = "A=12345678\n".to_owned() + &"A=$A$A\n".repeat(60);
        let copied = format!("A={}\n", "x".repeat(1 << 20)) + &"B=$A\nC=$A$A$A\n".repeat(10_000);
        let in_commands = "A=12345678\n".to_owned() + &"A=$(x $A $A)\n".repeat(60);
        for text in [doubled, copied, in_commands] {
            let message = refused(|| read_dotenv(&text));
            assert!(message.contains("get too long"), "{message}");
        }
        for text in [
            "<% a = \"x\"; 60.times { a = a + a } %><%= a %>",
            "<%= \"x\" * 10_000_000_000 %>",
            "<%= (1..10_000_000_000).to_a.join %>",
            "<% a = [1]; 60.times { a = a + a } %>",
            "<% 100_000_000.times { } %>",
            "<% loop { } %>",
        ] {
            let message = refused(|| render(text));
            assert!(
                message.contains("too much")
                    || message.contains("not supported")
                    || message.contains("too"),
                "{text}: {message}"
            );
        }
    }
}
