//! The command line against what Kamal 2.12 does with the same words. Numbers are those of docs/parity/commands.md.

use std::collections::BTreeMap;

use super::*;

/// A deploy file's aliases; reading them fails without a deploy file.
struct Aliases(Option<BTreeMap<&'static str, &'static str>>);

const NO_FILE: &str = "Configuration file not found in /app/config/deploy.yml";

impl Aliases {
    fn parse(&self, line: &str) -> Result<Parsed, ArgsError<String>> {
        let args = shell_words::shell_words(line).unwrap();
        parse(&args, 100, |query| match &self.0 {
            Some(aliases) => Ok(aliases
                .get(query.name.as_str())
                .map(|text| (*text).to_owned())),
            None => Err(NO_FILE.to_owned()),
        })
    }
}

fn try_parse(line: &str) -> Result<Parsed, ArgsError<String>> {
    Aliases(Some(BTreeMap::new())).parse(line)
}

fn run(line: &str) -> Invocation {
    match try_parse(line) {
        Ok(Parsed::Run(invocation)) => *invocation,
        other => panic!("{line}: {other:?}"),
    }
}

fn shown(line: &str) -> String {
    match try_parse(line) {
        Ok(Parsed::Show(text)) => text,
        other => panic!("{line}: {other:?}"),
    }
}

fn refused(line: &str) -> String {
    match try_parse(line) {
        Err(ArgsError::Usage(text)) => text,
        other => panic!("{line}: {other:?}"),
    }
}

/// The words that `app exec` (or another `exec`) runs.
fn words(line: &str) -> Vec<String> {
    match run(line).command {
        Command::App(App::Exec(exec)) => exec.command,
        Command::Accessory(Accessory::Exec(exec)) => exec.command,
        Command::Server(Server::Exec(exec)) => exec.command,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn item_1_the_list_of_commands() {
    let list = shown("kamal");
    assert!(list.starts_with("Commands:\n"), "{list}");
    assert!(list.contains("\n  kamal rollback [VERSION]  # "), "{list}");
    assert!(list.contains("\nOptions:\n"), "{list}");
    for line in [
        "kamal help",
        "kamal -h",
        "kamal --help",
        "kamal '-?'",
        "kamal -D",
    ] {
        assert_eq!(shown(line), list, "{line}");
    }
    assert!(shown("/usr/local/bin/dhow").contains("\n  dhow deploy "));
}

#[test]
fn item_2_h_means_hosts() {
    let invocation = run("kamal deploy -h 10.0.0.1,web*");
    assert_eq!(invocation.global.hosts, ["10.0.0.1", "web*"]);
    assert_eq!(run("kamal app -h a boot -r web").global.hosts, ["a"]);
    assert_eq!(
        refused("kamal deploy -h"),
        "No value provided for option '--hosts'\n-h means hosts here; --help shows help"
    );
}

#[test]
fn items_3_and_5_options_come_after_the_command() {
    let usage = shown("kamal help deploy");
    assert!(
        usage.starts_with("Usage:\n  kamal deploy\n\nOptions:\n"),
        "{usage}"
    );
    assert_eq!(shown("kamal -v deploy"), usage);
    assert_eq!(shown("kamal --version"), shown("kamal"));
    assert_eq!(
        refused("kamal -d x nonsense"),
        "Could not find command \"nonsense\"."
    );
}

#[test]
fn item_4_version_needs_no_file() {
    let Ok(Parsed::Run(invocation)) = Aliases(None).parse("kamal version") else {
        panic!("version does not parse");
    };
    assert_eq!(invocation.command, Command::Version);
}

#[test]
fn items_6_to_8_beginnings_dashes_and_underscores() {
    assert_eq!(run("kamal dep").path, ["deploy"]);
    assert_eq!(run("kamal det").path, ["details"]);
    assert_eq!(run("kamal app v").path, ["app", "version"]);
    assert_eq!(
        refused("kamal de"),
        "Ambiguous command de matches [deploy, details]"
    );
    assert_eq!(
        run("kamal app stale-containers").path,
        ["app", "stale_containers"]
    );
    assert_eq!(
        run("kamal app stale_containers --stop").path,
        ["app", "stale_containers"]
    );
    let Command::Deploy(options) = run("kamal deploy --skip_push --skip_hooks").command else {
        panic!("no deploy");
    };
    assert!(options.skip_push);
    // A name of ours never spoils a beginning that Kamal understands, nor adds to its lists.
    assert_eq!(
        refused("kamal s"),
        "Ambiguous command s matches [secrets, server, setup]"
    );
    assert_eq!(run("dhow sc").path, ["schema"]);
}

#[test]
fn items_9_and_10_unknown_commands() {
    assert_eq!(
        refused("kamal nonsense"),
        "Could not find command \"nonsense\"."
    );
    assert_eq!(
        refused("kamal app nonsense"),
        "Could not find command \"nonsense\"."
    );
    assert_eq!(
        Aliases(None).parse("kamal nonsense"),
        Err(ArgsError::Alias(NO_FILE.to_owned()))
    );
}

#[test]
fn items_11_to_13_arity() {
    assert_eq!(
        refused("kamal deploy extra"),
        "ERROR: \"kamal deploy\" was called with arguments [\"extra\"]\nUsage: \"kamal deploy\""
    );
    assert_eq!(
        refused("kamal accessory boot"),
        "ERROR: \"kamal accessory boot\" was called with no arguments\nUsage: \"kamal accessory boot [NAME]\""
    );
    assert_eq!(
        refused("dhow deploy --nope x"),
        "ERROR: \"dhow deploy\" was called with arguments [\"--nope\", \"x\"]\nUsage: \"dhow deploy\""
    );
    assert_eq!(
        refused("kamal rollback --nope"),
        "ERROR: \"kamal rollback\" was called with arguments [\"--nope\"]\nUsage: \"kamal rollback [VERSION]\"",
        "an option never becomes a version"
    );
    // Kamal wants a version here.
    let Command::Rollback(rollback) = run("dhow rollback").command else {
        panic!("no rollback");
    };
    assert_eq!(rollback.version, None);
}

#[test]
fn items_14_to_16_values() {
    assert_eq!(
        refused("kamal lock acquire"),
        "No value provided for required options '--message'"
    );
    assert_eq!(
        refused("kamal secrets fetch A"),
        "No value provided for required options '--adapter'"
    );
    assert_eq!(
        refused("kamal prune containers --retain abc"),
        "Expected numeric value for '--retain'; got \"abc\""
    );
    assert_eq!(
        refused("kamal proxy boot_config set --http-port 99999"),
        "Expected numeric value for '--http-port'; got \"99999\""
    );
    assert_eq!(
        refused("kamal prune containers --retain"),
        "No value provided for option '--retain'"
    );
    let Command::Prune(Prune::Containers(prune)) =
        run("kamal prune containers --retain -1").command
    else {
        panic!("no prune");
    };
    assert_eq!(prune.retain, Some(-1));
    let timeout = |value: &str| {
        let line = format!("kamal deploy --lock-wait-timeout {value}");
        run(&line).global.lock_wait_timeout
    };
    assert_eq!((timeout("2.5"), timeout("-3")), (2.5, 0.0));
    assert_eq!(timeout(&"9".repeat(400)), 1e9, "a duration can hold it");
}

#[test]
fn item_17_spellings_of_options() {
    let logs = |line: &str| match run(line).command {
        Command::App(App::Logs(logs)) => logs,
        other => panic!("{other:?}"),
    };
    for line in [
        "kamal app logs -n100",
        "kamal app logs -n 100",
        "kamal app logs -n=100",
        "kamal app logs --lines=100",
    ] {
        assert_eq!(logs(line).lines, Some(100), "{line}");
    }
    let global = run("kamal details -vq").global;
    assert!(global.verbose && global.quiet);
    for line in [
        "--primary",
        "--primary true",
        "--primary t",
        "--primary=TRUE",
        "-p T",
        "--no-primary --primary",
    ] {
        assert!(
            run(&format!("kamal details {line}")).global.primary,
            "{line}"
        );
    }
    for line in [
        "",
        "--no-primary",
        "--skip-primary",
        "--primary false",
        "--primary=f",
        "--primary --no-primary",
    ] {
        assert!(
            !run(&format!("kamal details {line}")).global.primary,
            "{line}"
        );
    }
    // --no-cache is an option of its own, which can be denied too.
    let cache = |line: &str| match run(line).command {
        Command::Deploy(options) => options.no_cache,
        other => panic!("{other:?}"),
    };
    assert!(cache("kamal deploy --no-cache") && !cache("kamal deploy --no-no-cache"));
    assert_eq!(
        run("kamal details -d a --no-destination")
            .global
            .destination,
        None
    );
    assert_eq!(
        run("kamal details -c").global.config_file,
        "config/deploy.yml"
    );
    assert_eq!(
        run("kamal details --config-file= -d ''").global.config_file,
        ""
    );
    assert_eq!(
        refused("kamal details --verbose=maybe"),
        "ERROR: \"kamal details\" was called with arguments [\"--verbose=maybe\"]\nUsage: \"kamal details\""
    );
}

#[test]
fn item_18_follow_stands_alone() {
    for line in [
        "kamal app logs --follow",
        "kamal app logs -f",
        "kamal app logs -fn5",
        "kamal proxy logs -f -g x",
    ] {
        let follow = match try_parse(line) {
            Ok(Parsed::Run(invocation)) => match invocation.command {
                Command::App(App::Logs(logs)) => logs.follow,
                Command::Proxy(Proxy::Logs(logs)) => logs.follow,
                other => panic!("{other:?}"),
            },
            // Letters and digits in one cluster are no option for Thor either.
            Err(ArgsError::Usage(text)) => text.contains("[\"-fn5\"]"),
            other => panic!("{other:?}"),
        };
        assert!(follow, "{line}");
    }
    let Command::Accessory(Accessory::Logs(logs)) = run("kamal accessory logs -f db").command
    else {
        panic!("no logs");
    };
    assert_eq!((logs.name.as_str(), logs.follow), ("db", true));
}

#[test]
fn item_19_options_with_many_values() {
    let line = "kamal proxy boot_config set --publish-host-ip 1.2.3.4 --docker-options a=b c=d --publish-host-ip ::1 --no-publish";
    let Command::Proxy(Proxy::BootConfig(boot)) = run(line).command else {
        panic!("no boot_config");
    };
    assert_eq!(boot.publish_host_ip, ["1.2.3.4", "::1"]);
    assert_eq!(boot.docker_options, ["a=b", "c=d"]);
    assert_eq!((boot.action, boot.publish), (BootConfigAction::Set, false));
    let Command::App(App::Exec(exec)) = run("kamal app exec -e A:b C:d:e A:z -- ls -p").command
    else {
        panic!("no exec");
    };
    let pairs: Vec<(&str, &str)> = exec
        .env
        .iter()
        .map(|p| (p.name.as_str(), p.value.as_str()))
        .collect();
    assert_eq!(pairs, [("C", "d:e"), ("A", "z")]);
    assert_eq!(exec.command, ["ls", "-p"]);
    assert_eq!(
        refused("kamal app exec -e A=b ls"),
        "No value provided for option '--env'",
        "docker's way to write it must not become the command"
    );
}

#[test]
fn items_20_and_21_help_in_groups() {
    let list = shown("kamal app");
    assert!(
        list.contains("  kamal app exec [CMD...]") && !list.contains("remove_containers"),
        "{list}"
    );
    assert_eq!(shown("kamal app help"), list);
    assert_eq!(shown("kamal app --help"), list);
    assert_eq!(shown("kamal help app"), list);
    assert_eq!(
        run("kamal app remove_containers").path,
        ["app", "remove_containers"]
    );
    let usage = shown("kamal app logs --help");
    assert!(
        usage.starts_with("Usage:\n  kamal app logs\n\nOptions:\n"),
        "{usage}"
    );
    assert!(usage.contains("  -n, --lines N "), "{usage}");
    assert_eq!(shown("kamal app help logs"), usage);
    assert_eq!(shown("kamal help app logs"), usage);
    assert!(shown("kamal app remove_containers --help").contains("kamal app remove_containers"));
    // Kamal takes this for a wrong argument.
    assert_eq!(shown("kamal deploy --help"), shown("kamal help deploy"));
    assert!(
        shown("kamal deploy --help --skip-push")
            .lines()
            .all(|line| line.chars().count() <= 100)
    );
}

/// parity: config 11.02-11.04
#[test]
fn items_23_to_25_and_28_and_29_aliases_expand() {
    let aliases = Aliases(Some(BTreeMap::from([
        ("console", "app exec --reuse -i -r web 'bin/rails console'"),
        ("rails", "app exec --reuse bin/rails"),
        ("inner", "app exec --reuse"),
        ("outer", "inner uptime"),
        ("stg", "deploy -d staging -c config/other.yml"),
        ("det", "version"),
        ("loop", "loop -v"),
        ("schema", "app exec 'rails db:schema:dump'"),
        ("open", "app exec 'x"),
    ])));
    let run = |line: &str| match aliases.parse(line) {
        Ok(Parsed::Run(invocation)) => *invocation,
        other => panic!("{line}: {other:?}"),
    };
    let exec = |line: &str| match run(line).command {
        Command::App(App::Exec(exec)) => exec,
        other => panic!("{other:?}"),
    };
    assert_eq!(exec("kamal console").command, ["bin/rails console"]);
    assert_eq!(run("kamal console -r workers").global.roles, ["workers"]);
    assert_eq!(
        exec("kamal rails db:migrate:status").command,
        ["bin/rails", "db:migrate:status"]
    );
    assert_eq!(exec("kamal outer -v").command, ["uptime"]);
    let staging = run("kamal stg");
    assert_eq!(staging.global.destination.as_deref(), Some("staging"));
    assert_eq!(staging.global.config_file, "config/other.yml");
    // 28, 29: a command or a beginning of one comes first, and groups know no aliases.
    assert_eq!(run("kamal det").path, ["details"]);
    assert!(
        matches!(aliases.parse("kamal app console"), Err(ArgsError::Usage(text)) if text == "Could not find command \"console\".")
    );
    assert!(
        matches!(aliases.parse("kamal loop"), Err(ArgsError::Usage(text)) if text == "Could not find command \"loop\".")
    );
    // A deploy file's own names win over what Kamal does not have.
    assert_eq!(exec("kamal schema").command, ["rails db:schema:dump"]);
    assert_eq!(
        aliases.parse("kamal open"),
        Err(ArgsError::Usage(
            "alias `open`: unmatched quote: `'x`".to_owned()
        ))
    );
    // And without a deploy file, those still work.
    assert!(matches!(
        Aliases(None).parse("dhow schema"),
        Ok(Parsed::Run(_))
    ));
}

#[test]
fn items_26_and_27_aliases_are_looked_up_where_the_command_line_says() {
    let mut asked = Vec::new();
    let args =
        shell_words::shell_words("kamal console -e A:b -c config/x.yml --destination=prod ls")
            .unwrap();
    let parsed = parse(&args, 100, |query| {
        asked.push(query.clone());
        Ok::<_, String>(Some("app exec".to_owned()))
    });
    assert!(matches!(parsed, Ok(Parsed::Run(_))), "{parsed:?}");
    assert_eq!(
        asked,
        [AliasQuery {
            name: "console".to_owned(),
            config_file: Some("config/x.yml".to_owned()),
            destination: Some("prod".to_owned()),
        }]
    );
}

#[test]
fn commands_run_elsewhere_keep_their_options() {
    assert_eq!(words("kamal app exec ls -la"), ["ls", "-la"]);
    assert_eq!(
        words("kamal app exec head -n100 --lines=3 x"),
        ["head", "-n100", "--lines=3", "x"]
    );
    assert_eq!(words("kamal server exec df -h"), ["df", "-h"]);
    assert_eq!(
        words("kamal server exec ruby --version"),
        ["ruby", "--version"]
    );
    assert_eq!(
        words("kamal app exec bin/rails runner -e production"),
        ["bin/rails", "runner", "-e", "production"]
    );
    assert_eq!(
        words("kamal app exec bin/x --help --json --dry-run"),
        ["bin/x", "--help", "--json", "--dry-run"]
    );
    assert_eq!(
        words("kamal app exec ls -- -p --reuse"),
        ["ls", "-p", "--reuse"]
    );
    assert_eq!(words("kamal server exec -- ls -p"), ["ls", "-p"]);
    assert_eq!(words("kamal server exec -- -- ls -p"), ["ls", "-p"]);
    assert_eq!(
        words("kamal accessory exec db psql -U app -c 'select 1' --reuse -- --x"),
        ["psql", "-U", "app", "--x"]
    );
    assert_eq!(words("kamal server exec"), [""; 0]);

    let invocation =
        run("kamal app exec 'bin/rails c' --reuse -i --version abc -h web1 -vq -p -e A:b");
    let Command::App(App::Exec(exec)) = invocation.command else {
        panic!("no exec");
    };
    assert_eq!(exec.command, ["bin/rails c"]);
    assert!(exec.reuse && exec.interactive && exec.env.len() == 1);
    let global = invocation.global;
    assert_eq!(
        (global.version.as_deref(), global.hosts),
        (Some("abc"), vec!["web1".to_owned()])
    );
    assert!(global.primary && global.verbose && global.quiet);

    assert!(run("dhow app exec --dry-run --json ls").global.dry_run);
    assert!(shown("kamal app exec --help").contains("kamal app exec [CMD...]"));
    assert_eq!(
        refused("kamal app exec --nope ls"),
        "ERROR: \"kamal app exec\" was called with arguments [\"--nope\", \"ls\"]\nUsage: \"kamal app exec [CMD...]\""
    );
}

#[test]
fn a_word_is_not_ruby() {
    assert_eq!(
        thor::inspect("a\"b\\#{x} #y\n\u{1b}é"),
        "\"a\\\"b\\\\\\#{x} #y\\n\\eé\""
    );
}
