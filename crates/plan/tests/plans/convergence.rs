//! Deploys that end at any step, by death or by failure: something serves all the time, and the next run finishes the job.
//!
//! A model of a host obeys the steps of real plans: containers that are named, started, renamed and stopped, and a proxy that sends
//! requests to one of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use dhow_plan::facts::{Container, Image};
use dhow_plan::verbs::deploy::{DeployOptions, deploy};
use dhow_plan::verbs::rollback::rollback;
use dhow_plan::{Context, Facts, HostFacts, Random, Stage, Step, Work};

use super::support::{World, proxied, what, world};

#[derive(Clone)]
struct Host {
    containers: Vec<Container>,
    /// Container ids by service.
    serving: HashMap<String, String>,
    latest: String,
    made: usize,
    /// The container that the track has started.
    started: Option<String>,
}

impl Host {
    /// With version 1 stopped, and another one serving in both roles.
    fn serving(version: &str) -> Self {
        let mut host = Self {
            containers: Vec::new(),
            serving: HashMap::new(),
            latest: version.to_owned(),
            made: 0,
            started: None,
        };
        for role in ["web", "jobs"] {
            host.start(&format!("app-{role}-1"), role, "1");
            host.stop(&format!("app-{role}-1"));
            let id = host.start(&format!("app-{role}-{version}"), role, version);
            host.serving.insert(format!("app-{role}"), id);
        }
        host.serving.remove("app-jobs");
        host
    }

    fn facts(&self) -> Facts {
        let latest = Image {
            id: format!("sha256:{:0>64}", self.latest),
            tags: vec![
                "me/app:latest".to_owned(),
                format!("me/app:{}", self.latest),
            ],
            content: None,
        };
        let seen = HostFacts {
            containers: self.containers.clone(),
            images: vec![latest],
            ..proxied()
        };
        [("h1".to_owned(), seen)].into()
    }

    fn start(&mut self, name: &str, role: &str, version: &str) -> String {
        assert!(
            self.containers.iter().all(|c| c.name != name),
            "docker knows {name} already"
        );
        self.made += 1;
        let id = format!("{:0<64}", format!("c{}x", self.made));
        let container = Container {
            id: id.clone(),
            name: name.to_owned(),
            state: "running".to_owned(),
            role: role.to_owned(),
            destination: String::new(),
            image: format!("me/app:{version}"),
        };
        self.containers.insert(0, container);
        id
    }

    fn stop(&mut self, name_or_id: &str) {
        let is = |c: &&mut Container| c.name == name_or_id || c.id == name_or_id;
        let container = self.containers.iter_mut().find(is);
        container.expect("a container to stop").state = "exited".to_owned();
    }

    fn obey(&mut self, step: &Step) {
        let text = what(step);
        let words: Vec<&str> = text.split_whitespace().collect();
        let after = |word: &str| {
            let at = words.iter().position(|w| *w == word);
            words[at.expect("the word is there") + 1].trim_matches('"')
        };
        if step.title == "stopping the new container" {
            let started = self.started.clone();
            if let Some(id) = started.filter(|id| !self.serving.values().any(|s| s == id)) {
                self.stop(&id);
            }
        } else if text.starts_with("dhow_id=docker run") {
            let name = after("--name").to_owned();
            let (prefix, version) = name.rsplit_once('-').expect("a version");
            let role = prefix.strip_prefix("app-").expect("the service");
            self.started = Some(self.start(&name, role, version));
        } else if text.starts_with("docker rename") {
            let container = self.containers.iter_mut().find(|c| c.name == words[2]);
            words[3].clone_into(&mut container.expect("a container to rename").name);
        } else if text.contains("kamal-proxy deploy") {
            let id = self.started.clone().expect("a container for the proxy");
            self.serving.insert(after("deploy").to_owned(), id);
        } else if text.starts_with("docker stop") {
            for name in words[2..].iter().filter(|word| word.starts_with("app-")) {
                self.stop(name);
            }
        } else if text.starts_with("docker tag") {
            words[2]
                .trim_start_matches("me/app:")
                .clone_into(&mut self.latest);
        } else if text.starts_with("docker rm ") {
            let gone = |c: &Container| words.contains(&c.id.as_str()) && !c.is_up();
            self.containers.retain(|c| !gone(c));
        } else {
            let harmless = [
                "audit",
                "upload",
                "mkdir",
                "docker login",
                "docker pull",
                "docker image",
                "mktemp",
                "rm -rf \"$dhow_auth\"",
                "dhow_auth",
                "DOCKER_CONFIG",
                "docker inspect",
                "n=0;",
                "[ -z",
            ];
            assert!(
                harmless.iter().any(|start| text.starts_with(start)),
                "what does this do? {text}"
            );
        }
    }

    /// Something that runs answers for every role.
    fn assert_serving(&self, when: &str) {
        let id = &self.serving["app-web"];
        assert!(
            self.containers.iter().any(|c| c.id == *id && c.is_up()),
            "an outage of web {when}"
        );
        assert!(
            self.containers
                .iter()
                .any(|c| c.role == "jobs" && c.is_up()),
            "an outage of jobs {when}"
        );
    }

    fn assert_done(&self, version: &str, when: &str) {
        for role in ["web", "jobs"] {
            let up: Vec<&str> = self
                .containers
                .iter()
                .filter(|c| c.role == role && c.is_up())
                .map(|c| c.name.as_str())
                .collect();
            assert_eq!(up, [format!("app-{role}-{version}")], "{when}");
        }
        self.assert_serving(when);
        assert_eq!(self.latest, version, "{when}");
    }
}

/// How a run ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Well,
    /// The deployer dies before this step.
    DiesBefore(usize),
    /// This step fails.
    FailsAt(usize),
}

/// Runs stages; gives how many steps began.
fn run(stages: &[Stage], host: &mut Host, end: End) -> usize {
    let mut began = 0;
    for stage in stages {
        let Work::Hosts { tracks, .. } = &stage.work else {
            continue;
        };
        for track in tracks {
            host.started = None;
            for step in &track.steps {
                match end {
                    End::DiesBefore(last) if began == last => return began,
                    End::FailsAt(last) if began == last => {
                        if step.tolerate == dhow_plan::Tolerate::Nothing {
                            track.on_failure.iter().for_each(|step| host.obey(step));
                            return began;
                        }
                    }
                    _ => host.obey(step),
                }
                began += 1;
                host.assert_serving(&format!("after {:?}", what(step)));
            }
        }
    }
    began
}

fn app() -> World {
    world(
        "servers:\n  web: [h1]\n  jobs: { hosts: [h1], cmd: work }\nproxy: { host: example.com }\n",
    )
}

/// Every run has random names of its own.
fn context<'w>(world: &'w World, version: &str) -> Context<'w> {
    static RUNS: AtomicU64 = AtomicU64::new(1);
    let mut context = world.context(version);
    context.random = Random::new(RUNS.fetch_add(1, Ordering::Relaxed));
    context
}

fn deploy_stages(world: &World, host: &Host, version: &str) -> Vec<Stage> {
    let options = DeployOptions {
        redeploy: false,
        pull: true,
        accessories: &[],
        pages: &[],
        archive: None,
    };
    let plan = deploy(&context(world, version), &host.facts(), options);
    plan.expect("a plan").stages
}

fn rollback_stages(world: &World, host: &Host, version: &str) -> Vec<Stage> {
    let plan = rollback(&context(world, version), &host.facts(), &[]);
    plan.expect("a plan").stages
}

/// Two runs that end at every pair of steps in every way, then one that goes well.
fn survives(before: &str, version: &str, stages: impl Fn(&World, &Host, &str) -> Vec<Stage>) {
    let world = app();
    let start = Host::serving(before);
    let steps = run(
        &stages(&world, &start, version),
        &mut start.clone(),
        End::Well,
    );
    assert!(steps > 8, "{steps} steps");
    let ends: Vec<End> = (0..=steps + 2)
        .flat_map(|step| [End::DiesBefore(step), End::FailsAt(step)])
        .collect();
    for first in &ends {
        let mut once = start.clone();
        run(&stages(&world, &once, version), &mut once, *first);
        once.assert_serving(&format!("after {first:?}"));
        for second in &ends {
            let when = format!("after {first:?} and {second:?}");
            let mut twice = once.clone();
            run(&stages(&world, &twice, version), &mut twice, *second);
            twice.assert_serving(&when);
            let last = stages(&world, &twice, version);
            run(&last, &mut twice, End::Well);
            twice.assert_done(version, &when);
        }
    }
}

#[test]
fn a_deploy_that_ends_anywhere_leaves_no_outage_and_the_next_one_finishes() {
    survives("2", "3", deploy_stages);
}

#[test]
fn so_does_a_deploy_of_the_version_that_serves() {
    survives("2", "2", deploy_stages);
}

/// parity: commands 246, 248
#[test]
fn so_does_a_rollback() {
    survives("2", "1", rollback_stages);
}

#[test]
fn another_version_after_a_cut_off_deploy_wins_too() {
    let world = app();
    let start = Host::serving("2");
    for step in 0..40 {
        for end in [End::DiesBefore(step), End::FailsAt(step)] {
            let mut host = start.clone();
            run(&deploy_stages(&world, &host, "3"), &mut host, end);
            let mut back = host.clone();
            run(&rollback_stages(&world, &back, "2"), &mut back, End::Well);
            back.assert_done("2", &format!("back after {end:?}"));
            run(&deploy_stages(&world, &host, "4"), &mut host, End::Well);
            host.assert_done("4", &format!("onwards after {end:?}"));
        }
    }
}
