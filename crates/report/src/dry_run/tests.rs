//! What `--dry-run` prints, for plans made by hand.

use dhow_commands::Upload;
use dhow_plan::Gate;
use dhow_text::redact::Secret;
use dhow_text::shell::Cmd;

use super::*;

const TOKEN: &str = "s3cr3t-token";

fn plan() -> Plan {
    let login = Cmd::docker("login")
        .args(["-u", "[REDACTED]", "--password-stdin"])
        .stdin(Secret::new(TOKEN));
    let pull = |host: &str| {
        let steps = vec![
            Step::run("logging in", login.clone()),
            Step::run("removing the old image", Cmd::docker("image rm app")).tolerated(),
            Step::run("pulling", Cmd::docker("pull app")),
        ];
        Track::new(host, None, steps)
    };
    let boot = |host: &str, role: &str| {
        let mut track = Track::new(
            host,
            Some(role),
            vec![
                Step::capture("looking", "old", Cmd::docker("ps -q")),
                Step::upload(Upload::secret(
                    ".kamal/a.env",
                    0o600,
                    Secret::new(format!("T={TOKEN}\n")),
                )),
                Step::upload(Upload::public("404.html", 0o644, "lost")),
                Step::run("booting", Cmd::docker("run").arg(format!("-e T={TOKEN}")))
                    .tolerating("already"),
            ],
        );
        track.on_failure = vec![Step::run("stopping", Cmd::docker("stop new")).tolerated()];
        track
    };
    let mut web = boot("10.0.0.1", "web");
    web.opens = Some(Gate("web".to_owned()));
    let mut jobs = boot("10.0.0.2", "jobs");
    jobs.waits_for = Some(Gate("web".to_owned()));
    Plan {
        stages: vec![
            Stage::local(
                "hook",
                vec![
                    LocalStep::Hook {
                        name: "pre-deploy".to_owned(),
                        env: Vec::new(),
                        secrets: true,
                        debug: false,
                        loud: false,
                    },
                    LocalStep::Run {
                        loud: false,
                        title: "building".to_owned(),
                        argv: ["docker", "build", "."].map(str::to_owned).to_vec(),
                        shown: None,
                        env: vec![("NPM".to_owned(), Secret::new(TOKEN))],
                        stdin: None,
                        directory: Some("/src".to_owned()),
                        tolerate: Tolerate::Nothing,
                    },
                    LocalStep::Wait { seconds: 3 },
                ],
            ),
            Stage::hosts("pull", vec![pull("10.0.0.1"), pull("10.0.0.2")])
                .saying("Pull app image..."),
            Stage::hosts("boot", vec![web, jobs]),
        ],
    }
}

fn redactor() -> Redactor {
    Redactor::new([Secret::new(TOKEN)])
}

#[test]
fn a_plan_for_people() {
    insta::assert_snapshot!(show_plan(&plan(), &redactor()), @r#"
    hook
      on this machine
        hook pre-deploy, if there is one
        NPM=[REDACTED] docker build .  # in /src
        wait 3 seconds

    pull  # Pull app image...
      on 10.0.0.1, 10.0.0.2
        docker login -u [REDACTED] --password-stdin <<< [REDACTED]
        docker image rm app  # may fail
        docker pull app

    boot
      on 10.0.0.1 (web)
        old=$(docker ps -q)
        upload .kamal/a.env  0600  [REDACTED]
        upload 404.html  0644  4 bytes
        docker run -e T=[REDACTED]  # may fail saying `already`
        # lets those go on that wait for web, or stops them
        # only after a failure:
        docker stop new  # may fail
      on 10.0.0.2 (jobs)
        # waits for the first healthy web container
        old=$(docker ps -q)
        upload .kamal/a.env  0600  [REDACTED]
        upload 404.html  0644  4 bytes
        docker run -e T=[REDACTED]  # may fail saying `already`
        # only after a failure:
        docker stop new  # may fail
    "#);
    assert_eq!(
        show_plan(&Plan::default(), &redactor()),
        "Nothing would run.\n"
    );
}

#[test]
fn a_plan_for_programs() {
    let text = plan_json(&plan(), &redactor());
    assert!(!text.contains(TOKEN), "{text}");
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["v"], 1);
    let boot = &value["plan"][2]["tracks"][0];
    assert_eq!(boot["opens"], "web");
    assert_eq!(
        boot["steps"],
        serde_json::json!([
            {"title": "looking", "run": "docker ps -q", "stdin": false, "capture": "old", "tolerate": "nothing", "debug": false, "block": null},
            {"title": "writing .kamal/a.env", "upload": ".kamal/a.env", "mode": "0600", "bytes": null, "tolerate": "nothing", "debug": false, "block": null},
            {"title": "writing 404.html", "upload": "404.html", "mode": "0644", "bytes": 4, "tolerate": "nothing", "debug": false, "block": null},
            {"title": "booting", "run": "docker run -e T=[REDACTED]", "stdin": false, "tolerate": {"containing": "already"}, "debug": false, "block": null},
        ])
    );
    assert_eq!(
        value["plan"][0]["local"][1]["env"],
        serde_json::json!(["NPM"])
    );
    assert_eq!(value["plan"][1]["tracks"][0]["steps"][0]["stdin"], true);
}
