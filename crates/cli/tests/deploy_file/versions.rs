//! Which version a command is about.

use super::place::{LEAST, Place, error_line};

fn version(place: &Place, arguments: &[&str]) -> String {
    let text = place.succeeds(&[&["config"], arguments].concat());
    let (_, rest) = text.split_once("\n:version: ").expect("a version");
    rest.split('\n').next().unwrap_or_default().to_owned()
}

#[test]
fn config_item_14_01_where_the_version_comes_from() {
    let place = Place::new(LEAST).env("VERSION", None);
    let cwd = place.path("app");
    let message = format!(
        "Can't use commit hash as version, no git repository found in {}",
        cwd.display()
    );
    let ended = place.fails(&["config"]);
    assert_eq!(ended.stdout, error_line("RuntimeError", &message));

    let head = place.git();
    assert_eq!(version(&place, &[]), head);
    assert_eq!(version(&place, &["--version", "v1"]), "v1");
    let place = place.env("VERSION", Some("from-env"));
    assert_eq!(version(&place, &[]), "from-env");
    assert_eq!(version(&place, &["--version", "v1"]), "v1");
    assert_eq!(version(&place, &["--version", ""]), "from-env");
    let place = place.env("VERSION", Some(""));
    assert_eq!(version(&place, &[]), "''", "an empty one counts");
}

#[test]
fn config_item_14_01_uncommitted_work_is_marked_only_where_it_is_built() {
    let place = Place::new(LEAST).env("VERSION", None);
    let head = place.git();
    place.write("app/new.txt", "x");
    assert_eq!(version(&place, &[]), head);
    let with_context = LEAST.replace("arch: amd64", "arch: amd64, context: .");
    place.write("app/config/deploy.yml", &with_context);
    let text = place.succeeds(&["config"]);
    let suffix = "_uncommitted_";
    let marked = version(&place, &[]);
    let random = marked
        .strip_prefix(&format!("{head}{suffix}"))
        .expect("the mark");
    assert!(
        random.len() == 16 && random.chars().all(|c| c.is_ascii_hexdigit()),
        "{marked}"
    );
    // Asked once: the same in every line of one run.
    let (_, rest) = text.split_once(suffix).expect("the mark");
    let random = &rest[..16];
    assert_eq!(text.matches(random).count(), text.matches(suffix).count());
    assert!(text.matches(random).count() >= 3, "{text}");
}
