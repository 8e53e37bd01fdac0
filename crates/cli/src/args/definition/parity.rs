//! All commands and options against Kamal 2.12's own list.

use clap::CommandFactory;

use super::{Cli, OWN, switches};

/// Item 22: every command and option of Kamal 2.12, as `command: options`, hidden ones in parentheses.
#[test]
fn item_22_all_of_kamals_commands_and_options() {
    let mut root = Cli::command();
    root.build();
    let mut lines = vec![format!("*: {}", options(&root))];
    for top in root
        .get_subcommands()
        .filter(|c| c.get_next_help_heading() != Some(OWN))
    {
        for command in std::iter::once(top)
            .filter(|c| !c.has_subcommands())
            .chain(top.get_subcommands())
        {
            let name = if std::ptr::eq(command, top) {
                top.get_name().to_owned()
            } else {
                format!("{} {}", top.get_name(), command.get_name())
            };
            let name = if command.is_hide_set() {
                format!("({name})")
            } else {
                name
            };
            lines.push(
                format!("{name}: {}", options(command))
                    .trim_end()
                    .to_owned(),
            );
        }
    }
    lines.sort();
    insta::assert_snapshot!(lines.join("\n"), @r"
    (accessory directories):
    (accessory pull_image):
    (accessory remove_container):
    (accessory remove_image):
    (accessory remove_service_directory):
    (accessory upload):
    (app remove_app_directories):
    (app remove_container):
    (app remove_containers):
    (app remove_images):
    (proxy remove_container):
    (proxy remove_image):
    (proxy remove_proxy_directory):
    (proxy upgrade): --rolling -y/--confirmed
    *: -v/--verbose -q/--quiet --version -p/--primary -h/--hosts -r/--roles -c/--config-file=config/deploy.yml -d/--destination -H/--skip-hooks --lock-wait --lock-wait-timeout=900 --lock-wait-interval=15
    accessory boot:
    accessory details:
    accessory exec: -i/--interactive --reuse --raw
    accessory logs: -s/--since -n/--lines -g/--grep --grep-options -f/--follow -T/--skip-timestamps
    accessory reboot:
    accessory remove: -y/--confirmed
    accessory restart:
    accessory start:
    accessory stop:
    accessory upgrade: --rolling -y/--confirmed
    app boot:
    app containers:
    app details:
    app exec: -i/--interactive --reuse -e/--env --detach --raw
    app images:
    app live:
    app logs: -s/--since -n/--lines -g/--grep --grep-options -f/--follow -T/--skip-timestamps --container-id
    app maintenance: --drain-timeout --message
    app remove:
    app stale_containers: -s/--stop
    app start:
    app stop:
    app version:
    audit:
    build create:
    build deliver:
    build details:
    build dev: --output=docker --no-cache
    build pull:
    build push: --output=registry --no-cache
    build remove:
    config:
    deploy: -P/--skip-push --no-cache
    details:
    docs:
    init: --bundle
    lock acquire: -m/--message!
    lock release:
    lock status:
    proxy boot:
    proxy boot_config: --publish=true --publish-host-ip --http-port=80 --https-port=443 --log-max-size=10m --registry --repository --image-version --metrics-port --debug --docker-options
    proxy details:
    proxy logs: -s/--since -n/--lines -g/--grep -f/--follow -T/--skip-timestamps
    proxy reboot: --rolling -y/--confirmed
    proxy remove: --force
    proxy restart:
    proxy start:
    proxy stop:
    prune all:
    prune containers: --retain
    prune images:
    redeploy: -P/--skip-push --no-cache
    registry login: -L/--skip-local -R/--skip-remote
    registry logout: -L/--skip-local -R/--skip-remote
    registry remove: -L/--skip-local -R/--skip-remote
    registry setup: -L/--skip-local -R/--skip-remote
    remove: -y/--confirmed
    rollback:
    secrets extract: (--inline)
    secrets fetch: -a/--adapter! --account --from (--inline)
    secrets print:
    server bootstrap:
    server exec: -i/--interactive --raw
    setup: -P/--skip-push --no-cache
    upgrade: -y/--confirmed --rolling
    version:
    ");
}

fn options(command: &clap::Command) -> String {
    let mut out: Vec<String> = Vec::new();
    for arg in switches(command).filter(|arg| arg.get_help_heading() != Some(OWN)) {
        let mut text = arg
            .get_short()
            .map_or_else(String::new, |c| format!("-{c}/"));
        text.push_str("--");
        text.push_str(arg.get_long().unwrap());
        if let Some(default) = arg
            .get_default_values()
            .first()
            .filter(|_| arg.get_action().takes_values())
        {
            text.push('=');
            text.push_str(&default.to_string_lossy());
        }
        if arg.is_required_set() {
            text.push('!');
        }
        if arg.is_hide_set() {
            text = format!("({text})");
        }
        out.push(text);
    }
    out.join(" ")
}
