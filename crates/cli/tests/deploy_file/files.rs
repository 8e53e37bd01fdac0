//! Where deploy files are looked for, and what is said when there is none.

use super::place::{LEAST, Place, error_line};

#[test]
fn config_item_1_01_the_default_file_and_other_ones() {
    let place = Place::new(LEAST);
    place.write(
        "app/ops/other.yml",
        &LEAST.replace("service: app", "service: other"),
    );
    place.write(
        "home/mine.yml",
        &LEAST.replace("service: app", "service: mine"),
    );
    let absolute = place.path("app/ops/other.yml").display().to_string();
    for (arguments, service) in [
        (&["config"][..], "app"),
        (&["config", "-c", "ops/other.yml"], "other"),
        (&["config", "--config-file", "./ops/other.yml"], "other"),
        (&["config", "-c", &absolute], "other"),
        (&["config", "-c", "~/mine.yml"], "mine"),
    ] {
        let text = place.succeeds(arguments);
        let line = format!("\n:service_with_version: {service}-v7\n");
        assert!(text.contains(&line), "{arguments:?}\n{text}");
    }
    // What is not found is told by its absolute path.
    for (file, path) in [
        ("ops/none.yml", place.path("app/ops/none.yml")),
        ("~/none.yml", place.path("home/none.yml")),
    ] {
        let message = format!("Configuration file not found in {}", path.display());
        let ended = place.fails(&["config", "-c", file]);
        assert_eq!(ended.stdout, error_line("RuntimeError", &message));
    }
}

#[test]
fn config_item_1_02_no_deploy_file() {
    let place = Place::empty();
    let path = place.path("app/config/deploy.yml");
    let message = format!("Configuration file not found in {}", path.display());
    for command in [
        &["config"][..],
        &["deploy"],
        &["app", "details"],
        &["secrets", "print"],
    ] {
        let ended = place.fails(command);
        assert_eq!(ended.stdout, error_line("RuntimeError", &message));
    }
}

#[test]
fn config_item_1_03_no_overlay() {
    let place = Place::new(LEAST);
    let path = place.path("app/config/deploy.st.yml");
    let message = format!("Configuration file not found in {}", path.display());
    let ended = place.fails(&["config", "-d", "st"]);
    assert_eq!(ended.stdout, error_line("RuntimeError", &message));
}

/// Programs that files start see it too; a value from outside counts for nothing.
#[test]
fn config_item_1_05_the_destination_in_the_environment_of_programs() {
    let place = Place::new(&format!(
        "{LEAST}labels: {{ there: \"<%= `sh -c 'echo [$KAMAL_DESTINATION]'`.strip %>\" }}\n"
    ))
    .env("KAMAL_DESTINATION", Some("preset"));
    place.write("app/config/deploy.st.yml", "env: { A: 1 }\n");
    let text = "D=[$KAMAL_DESTINATION]\nP=$(printenv KAMAL_DESTINATION)\n";
    place.write("app/.kamal/secrets", text);
    place.write("app/.kamal/secrets.st", text);
    assert_eq!(place.succeeds(&["secrets", "print"]), "D=[]\nP=\n");
    assert_eq!(
        place.succeeds(&["secrets", "print", "-d", "st"]),
        "D=[st]\nP=st\n"
    );
}

/// `Dotenv.load` in the deploy file is how people get variables into their secrets file.
#[test]
fn variables_that_a_deploy_file_sets_hold_for_the_secrets_file() {
    let place = Place::new(&format!(
        "<% require \"dotenv\"; Dotenv.load(\".env\") %>\n{LEAST}"
    ));
    place.write("app/.env", "FROM_DOTENV=there\n");
    place.write(
        "app/.kamal/secrets",
        "A=$FROM_DOTENV\nB=$(printenv FROM_DOTENV)\n",
    );
    assert_eq!(place.succeeds(&["secrets", "print"]), "A=there\nB=there\n");
}

#[test]
fn config_item_1_15_what_needs_no_deploy_file() {
    let place = Place::empty();
    assert_eq!(place.succeeds(&["version"]), "2.12.0\n");
    assert!(
        place
            .succeeds(&["docs"])
            .starts_with("# Kamal Configuration\n")
    );
    assert!(place.succeeds(&["schema"]).starts_with('{'));
    assert_eq!(
        place.succeeds(&["secrets", "fetch", "-a", "test", "--account", "a", "xy"]),
        "{\"xy\":\"yx\"}\n"
    );
    assert_eq!(
        place.succeeds(&["secrets", "extract", "A", "{\"A\":\"1\"}"]),
        "1\n"
    );
    place.succeeds(&["init"]);
    // And a file that is wrong is no hindrance.
    place.write("app/config/deploy.yml", "nonsense: [\n");
    assert_eq!(place.succeeds(&["version"]), "2.12.0\n");
    place.succeeds(&["secrets", "extract", "A", "{\"A\":\"1\"}"]);
}

/// parity: commands 36
#[test]
fn config_item_1_16_filters_that_match_nothing() {
    let place = Place::new(LEAST);
    for (arguments, message) in [
        (
            &["app", "details", "-r", "nobody"][..],
            "No --roles match for nobody",
        ),
        (
            &["details", "-h", "10.*,nowhere"],
            "No --hosts match for 10.*,nowhere",
        ),
        (
            &["app", "boot", "--roles", "a,b"],
            "No --roles match for a,b",
        ),
        // Without a word on how long all took: nothing has begun.
        (&["deploy", "-h", "nowhere"], "No --hosts match for nowhere"),
        (&["setup", "-r", "nobody"], "No --roles match for nobody"),
    ] {
        let ended = place.fails(arguments);
        assert_eq!(
            ended.stdout,
            error_line("ArgumentError", message),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn config_item_1_17_unknown_commands() {
    let place = Place::new(LEAST);
    let ended = place.fails(&["x"]);
    assert_eq!(ended.stderr, "Could not find command \"x\".\n");
    assert_eq!(ended.stdout, "");
    let nowhere = Place::empty();
    let path = nowhere.path("app/config/deploy.yml");
    let message = format!("Configuration file not found in {}", path.display());
    let ended = nowhere.fails(&["x"]);
    assert_eq!(ended.stdout, error_line("RuntimeError", &message));
}

/// Everything that is wrong, each at its place, in the file that it stands in; Kamal's first error is the last line.
#[test]
fn all_problems_are_told_at_once() {
    let place = Place::new(&format!(
        "{LEAST}labels: {{ a: [1] }}\nretain_containers: five\nproxy:\n  app_prot: 3000\n"
    ));
    place.write("app/config/deploy.st.yml", "env:\n  clear: [A]\n");
    let ended = place.fails(&["config", "-d", "st"]);
    assert_eq!(
        ended.stdout,
        error_line("Kamal::ConfigurationError", "labels/a: should be a string")
    );
    for part in [
        "labels/a: should be a string",
        "config/deploy.yml:6:14",
        "retain_containers: should be an integer",
        "config/deploy.yml:7:20",
        "retain_containers: five\n",
        "proxy: unknown key: app_prot",
        "config/deploy.yml:9:3",
        "did you mean `app_port`",
        "env/clear: should be a hash",
        "config/deploy.st.yml:2:10",
        "  clear: [A]\n",
        "^^^",
    ] {
        assert!(ended.stderr.contains(part), "{part} in\n{}", ended.stderr);
    }
}
