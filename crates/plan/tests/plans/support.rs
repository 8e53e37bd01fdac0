//! Deploy files as people write them, hosts as they may be found, and plans as text.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use dhow_commands::audit::AuditContext;
use dhow_config::{Config, Inputs, Outside};
use dhow_plan::facts::{Container, Image, ProxyContainer};
use dhow_plan::verbs::boot::ErrorPage;
use dhow_plan::{
    Action, Context, Facts, Filter, HostFacts, LocalStep, Random, Stage, Step, Tolerate, Track,
    Work, select,
};
use dhow_text::redact::Secret;
use dhow_text::source::Source;

struct Nowhere;

impl Outside for Nowhere {
    fn file_exists(&self, _: &str) -> bool {
        false
    }

    fn docker_architecture(&self) -> String {
        "amd64".to_owned()
    }
}

/// Everything a plan is made from but facts.
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) hooks: HashSet<String>,
    secrets: HashMap<String, Secret>,
}

/// Service `app`, image `me/app` on Docker Hub; `rest` names the servers.
pub(crate) fn world(rest: &str) -> World {
    World::of(
        &format!(
            "service: app\nimage: me/app\nregistry: {{ username: me, password: [PASSWORD] }}\nbuilder: {{ arch: amd64 }}\n{rest}"
        ),
        None,
    )
}

/// A proxied role `web` and `workers`, both on `h1` and `h2`.
pub(crate) fn two_roles() -> World {
    world(
        "servers:\n  web: [h1, h2]\n  workers: { hosts: [h1, h2], cmd: work }\nproxy: { host: example.com }\n",
    )
}

impl World {
    pub(crate) fn of(text: &str, destination: Option<&str>) -> Self {
        let source = |name: &str, text: &str| Source {
            name: name.into(),
            text: text.into(),
        };
        let inputs = Inputs {
            base: source("config/deploy.yml", text),
            overlay: destination.map(|_| source("config/deploy.stg.yml", "{}\n")),
            destination: destination.map(str::to_owned),
            outside: &Nowhere,
        };
        let loaded = dhow_config::load(&inputs);
        let names = ["PASSWORD", "TOKEN", "CERT", "KEY", "DB_PASSWORD"];
        Self {
            config: loaded.expect("a deploy file").config,
            hooks: HashSet::new(),
            secrets: names
                .map(|name| (name.to_owned(), Secret::new(format!("value of {name}"))))
                .into(),
        }
    }

    pub(crate) fn with_hooks(mut self, names: &[&str]) -> Self {
        self.hooks = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// About `version`, on all hosts.
    pub(crate) fn context(&self, version: &str) -> Context<'_> {
        self.filtered(&Filter::default(), version)
    }

    /// The same with `-r`.
    pub(crate) fn with_roles(&self, roles: &str, version: &str) -> Context<'_> {
        let filter = Filter {
            roles: Some(roles.to_owned()),
            ..Filter::default()
        };
        self.filtered(&filter, version)
    }

    /// The same with `-h`.
    pub(crate) fn with_hosts(&self, hosts: &str, version: &str) -> Context<'_> {
        let filter = Filter {
            hosts: Some(hosts.to_owned()),
            ..Filter::default()
        };
        self.filtered(&filter, version)
    }

    fn filtered(&self, filter: &Filter, version: &str) -> Context<'_> {
        let targets = select(&self.config, filter).expect("targets");
        Context {
            hook_env: vec![("KAMAL_HOSTS".to_owned(), targets.hosts.join(","))],
            targets,
            version: version.to_owned(),
            audit: AuditContext {
                recorded_at: "2026-01-02T03:04:05Z",
                performer: "me",
                destination: self.config.destination.as_deref(),
            },
            secrets: &self.secrets,
            hooks: self.hooks.clone(),
            random: Random::new(1),
        }
    }
}

/// Hosts as they were found.
pub(crate) fn facts<const N: usize>(hosts: [(&str, HostFacts); N]) -> Facts {
    hosts
        .into_iter()
        .map(|(name, facts)| (name.to_owned(), facts))
        .collect()
}

/// A host without anything.
pub(crate) fn empty() -> HostFacts {
    HostFacts {
        machine: "x86_64".to_owned(),
        ..HostFacts::default()
    }
}

/// A host with a proxy that runs.
pub(crate) fn proxied() -> HostFacts {
    with_proxy("basecamp/kamal-proxy:v0.9.2", true)
}

pub(crate) fn with_proxy(image: &str, running: bool) -> HostFacts {
    HostFacts {
        proxy: Some(ProxyContainer {
            image: image.to_owned(),
            running,
            content: None,
            id: "abc".to_owned(),
        }),
        ..empty()
    }
}

pub(crate) trait Found {
    /// With a container of this name, older than those before it, made from `me/app:VERSION`.
    fn and(self, role: &str, name: &str, state: &str) -> Self;
    /// With an image of these names.
    fn image(self, tags: &[&str], content: Option<&str>) -> Self;
}

impl Found for HostFacts {
    fn and(mut self, role: &str, name: &str, state: &str) -> Self {
        let version = name.rsplit('-').next().unwrap_or(name);
        let version = version.split("_replaced_").next().unwrap_or(version);
        self.containers.push(Container {
            id: format!("{:0<64}", format!("id{}", name.replace(['-', '_'], ""))),
            name: name.to_owned(),
            state: state.to_owned(),
            role: role.to_owned(),
            destination: String::new(),
            image: format!("me/app:{version}"),
        });
        self
    }

    fn image(mut self, tags: &[&str], content: Option<&str>) -> Self {
        self.images.push(Image {
            id: "sha256:0123456789abcdef".to_owned(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            content: content.map(str::to_owned),
        });
        self
    }
}

pub(crate) fn page(name: &str) -> ErrorPage {
    ErrorPage {
        name: name.to_owned(),
        mode: 0o644,
        content: b"<html>".to_vec(),
    }
}

/// A plan as text: stages, tracks, steps with their commands, and the titles of what follows a failure.
pub(crate) fn shown(stages: &[Stage]) -> String {
    let mut out = String::new();
    for stage in stages {
        let _ = write!(out, "== {}", stage.name);
        if let Some(say) = &stage.say {
            let _ = write!(out, ": {say:?}");
        }
        out.push('\n');
        match &stage.work {
            Work::Local(steps) => steps.iter().for_each(|step| local(&mut out, step)),
            Work::Hosts {
                tracks,
                parallel_roles,
            } => {
                for track in tracks {
                    head(&mut out, track, *parallel_roles);
                    track.steps.iter().for_each(|s| line(&mut out, "  ", s));
                    let failing = track.on_failure.iter();
                    failing.for_each(|step| {
                        let _ = writeln!(out, "  ! {}", step.title);
                    });
                }
            }
        }
    }
    out
}

/// All commands of a host, in order.
pub(crate) fn commands(stages: &[Stage], host: &str) -> Vec<String> {
    let tracks = stages.iter().flat_map(|stage| match &stage.work {
        Work::Hosts { tracks, .. } => tracks.as_slice(),
        Work::Local(_) => &[],
    });
    tracks
        .filter(|track| track.host == host)
        .flat_map(|track| &track.steps)
        .map(what)
        .collect()
}

/// The one track of a role on a host.
pub(crate) fn track<'s>(stages: &'s [Stage], host: &str, role: &str) -> &'s Track {
    let mut tracks = stages.iter().flat_map(|stage| match &stage.work {
        Work::Hosts { tracks, .. } => tracks.as_slice(),
        Work::Local(_) => &[],
    });
    tracks
        .find(|track| track.host == host && track.role.as_deref() == Some(role))
        .expect("a track")
}

/// The stages' names.
pub(crate) fn names(stages: &[Stage]) -> Vec<&str> {
    stages.iter().map(|stage| stage.name.as_str()).collect()
}

fn head(out: &mut String, track: &Track, parallel: bool) {
    let _ = write!(out, "{}", track.host);
    if let Some(role) = &track.role {
        let _ = write!(out, " {role}");
    }
    if let Some(gate) = &track.waits_for {
        let _ = write!(out, ", waits for {}", gate.0);
    }
    if let Some(gate) = &track.opens {
        let _ = write!(out, ", opens {}", gate.0);
    }
    out.push_str(if parallel {
        ", beside its neighbours:\n"
    } else {
        ":\n"
    });
}

fn line(out: &mut String, indent: &str, step: &Step) {
    let _ = write!(out, "{indent}{}", what(step));
    match &step.tolerate {
        Tolerate::Nothing => {}
        Tolerate::Anything => out.push_str("  (may fail)"),
        Tolerate::Containing(text) => {
            let _ = write!(out, "  (may fail: {text})");
        }
    }
    if let Some(header) = &step.block {
        let _ = write!(out, "  => {header:?}");
    }
    out.push('\n');
}

/// What a step does; audit lines are cut down to what they say.
pub(crate) fn what(step: &Step) -> String {
    match &step.action {
        Action::Run(cmd) if step.title == "writing the audit log" => {
            let text = cmd.real();
            let said = text.split_once("[me] ").map_or("", |(_, rest)| rest);
            let said = said.split("\" >> ").next().unwrap_or(said);
            format!("audit: {said}")
        }
        Action::Run(cmd) => {
            let input = if cmd.input().is_some() { " <<" } else { "" };
            format!("{}{input}", cmd.real())
        }
        Action::Capture { name, cmd } => format!("{name}={}", cmd.real()),
        Action::Upload(upload) => format!("upload {} {:04o}", upload.path, upload.mode),
        Action::Feed { cmd, content } => format!("{} <{} bytes", cmd.real(), content.len()),
    }
}

fn local(out: &mut String, step: &LocalStep) {
    let _ = match step {
        LocalStep::Hook {
            name, env, secrets, ..
        } => {
            let hosts = env.iter().find(|(key, _)| key == "KAMAL_HOSTS");
            let hosts = hosts.map_or("", |(_, hosts)| hosts.as_str());
            let secrets = if *secrets { ", told secrets" } else { "" };
            writeln!(out, "  hook {name} for {hosts}{secrets}")
        }
        LocalStep::Run { argv, shown, .. } => {
            let line = shown.clone().unwrap_or_else(|| argv.join(" "));
            writeln!(out, "  here: {line}")
        }
        LocalStep::Wait { seconds } => writeln!(out, "  wait {seconds} s"),
    };
}
