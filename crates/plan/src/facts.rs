//! What a probe saw on a host: containers of the service, the proxy, and whether Docker answers.
//!
//! In: a config. Out: one [`Step`] that only looks (two docker calls at once), and [`HostFacts`] made of what it printed.

use dhow_config::{Config, Role};
use dhow_text::shell::{Cmd, single_quote};
use serde::Deserialize;

use crate::step::Step;

/// What is known of a host before anything on it is changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// Containers of the service, the newest first; every role and destination.
    pub containers: Vec<Container>,
    /// The proxy's container, if there is one.
    pub proxy: Option<ProxyContainer>,
    /// Those of the images that were asked for that are there: the version's, the latest, dhow's proxy.
    pub images: Vec<Image>,
    /// `uname -m`
    pub machine: String,
    /// The daemon's first registry mirror, if it was asked for and there is one.
    pub mirror: Option<String>,
}

/// An image on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its full id, `sha256:…`.
    pub id: String,
    /// Its names.
    pub tags: Vec<String>,
    /// [`CONTENT_LABEL`], on dhow's own proxy.
    pub content: Option<String>,
}

/// A container of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its full id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `running`, `restarting`, `exited`, `created`, `paused`, `dead`
    pub state: String,
    /// Its label `role`.
    pub role: String,
    /// Its label `destination`, empty without one.
    pub destination: String,
    /// The image's name as it was started, or its id if that name has moved on.
    pub image: String,
}

/// The proxy's container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyContainer {
    /// The image that it is of: the one it was started from, or the one it has become since.
    pub image: String,
    /// Whether it runs.
    pub running: bool,
    /// dhow's content label, on dhow's own proxy.
    pub content: Option<String>,
    /// The container's full id; empty where nothing told it.
    pub id: String,
}

/// What a proxy's container has become since it was made (`paths::PROXY_IN_PLACE`).
struct Became {
    id: String,
    image: String,
    content: String,
}

impl Became {
    /// Nothing if it is something else: whoever cut it off, the container's own words hold then.
    fn read(fields: &str) -> Option<Self> {
        let mut fields = fields.split(' ').map(str::to_owned);
        Some(Self {
            id: fields.next()?,
            image: fields.next()?,
            content: fields.next()?,
        })
    }

    /// Another container than the one that it was written of is what it was made to be.
    fn tell(self, proxy: &mut ProxyContainer) {
        if !self.id.is_empty() && proxy.id == self.id {
            proxy.image = self.image;
            proxy.content = Some(self.content);
        }
    }
}

impl ProxyContainer {
    /// Whether it is dhow's own, wherever its image was pulled from.
    pub fn is_own(&self) -> bool {
        self.content.is_some() || dhow_commands::proxy::is_own_image(&self.image)
    }
}

/// A probe that printed something else than it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the probe's answer can't be read: `{0}`")]
pub struct FactsError(String);

/// The label that tells which build of dhow's proxy an image holds.
pub const CONTENT_LABEL: &str = "dev.dhow.content";

/// The looking: at the service's containers, the proxy, the latest image, and `images` by name. Both docker calls run at the same time; their output is kept apart by files.
///
/// Fails if Docker does not answer; a missing proxy or image is no failure.
pub fn probe(config: &Config, images: &[&str], ask_mirror: bool) -> Step {
    let containers = format!(
        "docker ps -a --no-trunc --filter label=service={} --format '{{{{.ID}}}}|{{{{.Names}}}}|{{{{.State}}}}|{{{{.Label \"role\"}}}}|{{{{.Label \"destination\"}}}}|{{{{.Image}}}}'",
        config.service
    );
    let latest = config.latest_image();
    let names: Vec<String> = std::iter::once(latest.as_str())
        .chain(images.iter().copied())
        .map(single_quote)
        .collect();
    let inspect = format!(
        "docker inspect --format '{{{{json .}}}}' kamal-proxy {}",
        names.join(" ")
    );
    let mirror = if ask_mirror {
        " docker info --format '{{with .RegistryConfig.Mirrors}}{{index . 0}}{{end}}' >\"$t/m\" 2>/dev/null & "
    } else {
        " : >\"$t/m\"; "
    };
    let became = became();
    let text = format!(
        "{became}; t=$(mktemp -d) || exit 1; trap 'rm -rf \"$t\"' EXIT; {inspect} >\"$t/i\" 2>/dev/null & {mirror}{containers} >\"$t/c\" || exit 1; wait; echo \"M $(uname -m)\"; sed 's/^/R /' \"$t/m\"; sed 's/^/C /' \"$t/c\"; sed 's/^/I /' \"$t/i\""
    );
    Step::run("looking", Cmd::new(text)).debug()
}

/// As [`probe`], in a single docker call where a proxy is there already: a deploy then needs to know containers only.
///
/// Without assets and without a registry of our own, that is: both ask for images.
pub fn probe_containers(config: &Config, images: &[&str]) -> Step {
    let list = format!(
        "docker ps -a --no-trunc --format '{{{{if eq (.Label \"service\") \"{}\"}}}}C {{{{.ID}}}}|{{{{.Names}}}}|{{{{.State}}}}|{{{{.Label \"role\"}}}}|{{{{.Label \"destination\"}}}}|{{{{.Image}}}}{{{{else if eq .Names \"kamal-proxy\"}}}}P {{{{.Image}}}}|{{{{.State}}}}|{{{{.Label \"{CONTENT_LABEL}\"}}}}|{{{{.ID}}}}{{{{end}}}}'",
        config.service
    );
    let names: Vec<String> = images.iter().copied().map(single_quote).collect();
    // A proxy whose image is known by its id only was started from a name that has moved on: what name, only `inspect` tells, unless it
    // has become something else since.
    let became = became();
    let text = format!(
        "{became}; o=$({list}) || exit 1; echo \"M $(uname -m)\"; printf '%s\\n' \"$o\"\n\
         case \"\n$o\" in *\"|${{u%% *}}\"*) exit 0;; *\"\nP sha256:\"*) ;; *\"\nP \"*) exit 0;; esac\n\
         docker inspect --format 'I {{{{json .}}}}' kamal-proxy {} 2>/dev/null || true",
        names.join(" ")
    );
    Step::run("looking", Cmd::new(text)).debug()
}

/// Prints what a proxy's container has become since it was made, if it has, and keeps it in `$u`, never empty. It forks nothing.
fn became() -> String {
    format!(
        "u=; {{ read -r u <{}; }} 2>/dev/null && echo \"U $u\"; u=${{u:-!}}",
        dhow_commands::paths::PROXY_IN_PLACE
    )
}

impl HostFacts {
    /// Reads what [`probe`] or [`probe_containers`] printed.
    pub fn read(output: &str) -> Result<Self, FactsError> {
        let mut facts = Self::default();
        let mut became = None;
        for line in output.lines() {
            let unreadable = || FactsError(line.chars().take(200).collect());
            match line.split_once(' ') {
                Some(("M", machine)) => facts.machine = machine.to_owned(),
                Some(("R", mirror)) if !mirror.is_empty() => {
                    facts.mirror = Some(mirror.to_owned());
                }
                Some(("C", fields)) => facts
                    .containers
                    .push(container(fields).ok_or_else(unreadable)?),
                Some(("P", fields)) => facts.proxy = Some(proxy(fields).ok_or_else(unreadable)?),
                Some(("U", fields)) => became = Became::read(fields),
                Some(("I", json)) if !json.is_empty() => {
                    let seen: Inspected = serde_json::from_str(json).map_err(|_| unreadable())?;
                    facts.add(seen);
                }
                _ => {}
            }
        }
        if let (Some(proxy), Some(became)) = (&mut facts.proxy, became) {
            became.tell(proxy);
        }
        Ok(facts)
    }

    /// The container of a role that serves now: the newest running one made from the latest image, else the newest running one.
    pub fn current(&self, config: &Config, role: &Role) -> Option<&Container> {
        let destination = config.destination.as_deref().unwrap_or("");
        let running = || {
            let of_role = |c: &&Container| c.role == role.name && c.destination == destination;
            self.containers.iter().filter(of_role).filter(|c| c.is_up())
        };
        let latest = self.image(&config.latest_image());
        running()
            .find(|c| latest.is_some_and(|image| image.is(&c.image)))
            .or_else(|| running().next())
    }

    /// Containers of a role of this destination, in any state, the newest first.
    pub fn of<'f>(
        &'f self,
        config: &'f Config,
        role: &'f Role,
    ) -> impl Iterator<Item = &'f Container> {
        let destination = config.destination.as_deref().unwrap_or("");
        self.containers
            .iter()
            .filter(move |c| c.role == role.name && c.destination == destination)
    }

    /// A container by its name.
    pub fn named(&self, name: &str) -> Option<&Container> {
        self.containers.iter().find(|c| c.name == name)
    }

    /// An image by its name.
    pub fn image(&self, name: &str) -> Option<&Image> {
        self.images
            .iter()
            .find(|image| image.tags.iter().any(|tag| tag == name))
    }

    fn add(&mut self, seen: Inspected) {
        let Inspected {
            id,
            name,
            state,
            config,
            repo_tags,
        } = seen;
        if name.as_deref() == Some("/kamal-proxy") {
            self.proxy = Some(ProxyContainer {
                image: config.image.unwrap_or_default(),
                running: state.is_some_and(|s| s.running),
                content: config.labels.unwrap_or_default().remove(CONTENT_LABEL),
                id,
            });
        } else {
            self.images.push(Image {
                id,
                tags: repo_tags.unwrap_or_default(),
                content: config.labels.unwrap_or_default().remove(CONTENT_LABEL),
            });
        }
    }
}

impl Container {
    /// Whether it counts as running for Kamal.
    pub fn is_up(&self) -> bool {
        self.state == "running" || self.state == "restarting"
    }

    /// Its version: what follows `service-role[-destination]-`.
    pub fn version<'c>(&'c self, prefix: &str) -> &'c str {
        self.name
            .strip_prefix(prefix)
            .and_then(|rest| rest.strip_prefix('-'))
            .unwrap_or(&self.name)
    }
}

/// The fields of `docker inspect` that matter, of a container or an image.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: String,
    name: Option<String>,
    state: Option<State>,
    #[serde(default)]
    config: InspectedConfig,
    repo_tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    running: bool,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct InspectedConfig {
    image: Option<String>,
    labels: Option<std::collections::HashMap<String, String>>,
}

fn container(fields: &str) -> Option<Container> {
    let mut fields = fields.split('|').map(str::to_owned);
    Some(Container {
        id: fields.next()?,
        name: fields.next()?,
        state: fields.next()?,
        role: fields.next()?,
        destination: fields.next()?,
        image: fields.next()?,
    })
}

fn proxy(fields: &str) -> Option<ProxyContainer> {
    let mut fields = fields.split('|');
    Some(ProxyContainer {
        image: fields.next()?.to_owned(),
        running: ["running", "restarting", "paused"].contains(&fields.next()?),
        content: fields.next().filter(|c| !c.is_empty()).map(str::to_owned),
        id: fields.next().unwrap_or_default().to_owned(),
    })
}

impl Image {
    /// Whether a container that says it was made of `image` (a name, or an id whose name moved on) was made of this.
    fn is(&self, image: &str) -> bool {
        let id = self.id.strip_prefix("sha256:").unwrap_or(&self.id);
        let bare = image.strip_prefix("sha256:").unwrap_or(image);
        self.tags.iter().any(|tag| tag == image) || (bare.len() >= 12 && id.starts_with(bare))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_read() {
        let facts = HostFacts::read(concat!(
            "M x86_64\n",
            "C abc123|app-web-2|running|web||repo/app:2\n",
            "C abc122|app-web-1|exited|web||repo/app:1\n",
            r#"I {"Id":"fff","Name":"/kamal-proxy","State":{"Running":true},"Config":{"Image":"basecamp/kamal-proxy:v0.9.2","Labels":null}}"#,
            "\n",
            r#"I {"Id":"sha256:0123456789abcdef","RepoTags":["repo/app:2","repo/app:latest"],"Config":{"Labels":{}}}"#,
            "\n",
        ))
        .unwrap();
        assert_eq!(facts.machine, "x86_64");
        assert_eq!(facts.containers.len(), 2);
        assert_eq!(facts.named("app-web-1").unwrap().state, "exited");
        let proxy = facts.proxy.as_ref().unwrap();
        assert!(proxy.running);
        assert_eq!(proxy.image, "basecamp/kamal-proxy:v0.9.2");
        assert!(facts.image("repo/app:latest").is_some());
        assert!(facts.image("repo/app:1").is_none());
    }

    #[test]
    fn a_proxy_is_read_from_the_list_of_containers_and_better_from_a_closer_look() {
        let listed = "M x86_64\n\nP dhow/kamal-proxy:v0.9.2.1|exited|abc\n";
        let facts = HostFacts::read(listed).unwrap();
        let proxy = facts.proxy.unwrap();
        assert_eq!(
            (
                proxy.image.as_str(),
                proxy.running,
                proxy.content.as_deref()
            ),
            ("dhow/kamal-proxy:v0.9.2.1", false, Some("abc"))
        );
        let looked = concat!(
            "P sha256:0123|running|\n",
            r#"I {"Id":"f","Name":"/kamal-proxy","State":{"Running":true},"Config":{"Image":"x/y:v0.9.2"}}"#,
        );
        let facts = HostFacts::read(looked).unwrap();
        assert_eq!(facts.proxy.unwrap().image, "x/y:v0.9.2");
    }

    #[test]
    fn a_proxy_is_what_its_container_has_become_and_another_container_is_not() {
        let read = |record: &str, line: &str| {
            let proxy = HostFacts::read(&format!("{record}\n{line}")).unwrap().proxy;
            let proxy = proxy.unwrap();
            (proxy.image, proxy.content.unwrap_or_default())
        };
        let listed = "P sha256:01|running|old|aaa";
        let looked = r#"I {"Id":"aaa","Name":"/kamal-proxy","State":{"Running":true},"Config":{"Image":"d/k:v1","Labels":{"dev.dhow.content":"old"}}}"#;
        let new = ("d/k:v2".to_owned(), "new".to_owned());
        for line in [listed, looked] {
            assert_eq!(read("U aaa d/k:v2 new", line), new);
        }
        let old = ("d/k:v1".to_owned(), "old".to_owned());
        for record in ["U bbb d/k:v2 new", "U aaa d/k:v2", "U ", "U  d/k:v2 new"] {
            assert_eq!(read(record, looked), old, "{record}");
        }
    }

    #[test]
    fn an_image_whose_tag_moved_on_is_known_by_its_id() {
        let image = Image {
            id: "sha256:0123456789abcdef".into(),
            tags: vec!["repo/app:2".into()],
            content: None,
        };
        assert!(image.is("0123456789ab"));
        assert!(image.is("repo/app:2"));
        assert!(!image.is("repo/app:1"));
        assert!(!image.is("0123"));
    }
}
