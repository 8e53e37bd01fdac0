//! A whole first deploy, line by line, as Kamal was seen to do it, but for what this crate does otherwise on purpose: no
//! `/usr/bin/env`, and the password on the standard input.

use dhow_config::{Config, Role};
use dhow_text::redact::Secret;
use dhow_text::shell::Cmd;

use crate::audit::{AuditContext, Entry, record};
use crate::builder::{BuildOptions, ImageBuilder, Output};
use crate::proxy::ProxyImage;
use crate::sample::{app as sample, role};
use crate::{app, audit, docker, image, lock, paths, proxy, prune, registry};

const VERSION: &str = "e5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5";
const OLD: &str = "d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4";

/// The lines that were sent to the host, in this order on one connection; the env file was uploaded after the one that makes its
/// directory. The stop of the old container is from the deploy that followed.
const TRANSCRIPT: &str = r#"docker login -u "user" --password-stdin
mkdir -p .kamal && echo "[2026-01-02T03:04:05Z] [me@example.com] Pulled image with version e5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5" >> .kamal/app-audit.log
docker image rm --force dhh/app:e5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5
docker pull dhh/app:e5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5
docker inspect -f '{{ .Config.Labels.service }}' dhh/app:e5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5 | grep -x app || (echo "Image dhh/app:e5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5 is missing the 'service' label" && exit 1)
mkdir -p .kamal
mkdir .kamal/lock-app && echo "TG9ja2VkIGJ5OiBtZSBhdCAyMDI2LTAxLTAyVDAzOjA0OjA1WgpWZXJzaW9u
OiBlNWE1YTVhNWE1YTVhNWE1YTVhNWE1YTVhNWE1YTVhNWE1YTVhNWE1Ck1l
c3NhZ2U6IEF1dG9tYXRpYyBkZXBsb3kgbG9jaw==
" > .kamal/lock-app/details
docker network create kamal
docker login -u "user" --password-stdin
docker inspect kamal-proxy --format '{{.Config.Image}}' | awk -F: '{print $NF}'
mkdir -p .kamal/proxy/apps-config
docker container start kamal-proxy || echo $(cat .kamal/proxy/options 2> /dev/null || echo "--publish 80:80 --publish 443:443 --log-opt max-size=10m") $(cat .kamal/proxy/image 2> /dev/null || echo "basecamp/kamal-proxy"):$(cat .kamal/proxy/image_version 2> /dev/null || echo "v0.9.2") $(cat .kamal/proxy/run_command 2> /dev/null || echo "") | xargs docker run --name kamal-proxy --network kamal --detach --restart unless-stopped --volume kamal-proxy-config:/home/kamal-proxy/.config/kamal-proxy --volume $PWD/.kamal/proxy/apps-config:/home/kamal-proxy/.apps-config
docker ps --filter label=service=app --filter label=destination= --filter label=role=web --format "{{.Names}}" | while read line; do echo ${line#app-web-}; done
sh -c 'docker ps --latest --format '\''{{.Names}}'\'' --filter label=service=app --filter label=destination= --filter label=role=web --filter status=running --filter status=restarting --filter ancestor=$(docker image ls --filter reference=dhh/app:latest --format '\''{{.ID}}'\'') ; docker ps --latest --format '\''{{.Names}}'\'' --filter label=service=app --filter label=destination= --filter label=role=web --filter status=running --filter status=restarting' | head -1 | while read line; do echo ${line#app-web-}; done
docker container ls --all --filter 'name=^app-web-e5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5$' --quiet
sh -c 'docker ps --latest --format '\''{{.Names}}'\'' --filter label=service=app --filter label=destination= --filter label=role=web --filter status=running --filter status=restarting --filter ancestor=$(docker image ls --filter reference=dhh/app:latest --format '\''{{.ID}}'\'') ; docker ps --latest --format '\''{{.Names}}'\'' --filter label=service=app --filter label=destination= --filter label=role=web --filter status=running --filter status=restarting' | head -1 | while read line; do echo ${line#app-web-}; done
mkdir -p .kamal && echo "[2026-01-02T03:04:05Z] [me@example.com] [web] Booted app version e5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5" >> .kamal/app-audit.log
mkdir -p .kamal/apps/app/env/roles
docker run --detach --restart unless-stopped --name app-web-e5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5 --network kamal --hostname 127.0.0.1-0123456789ab --env KAMAL_CONTAINER_NAME="app-web-e5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5" --env KAMAL_VERSION="e5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5" --env KAMAL_HOST="127.0.0.1" --env A="b" --env-file .kamal/apps/app/env/roles/web.env --log-opt max-size="10m" --label service="app" --label role="web" --label destination dhh/app:e5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5
docker container ls --all --filter 'name=^app-web-e5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5$' --quiet
docker exec kamal-proxy kamal-proxy deploy app-web --target="0123456789ab:80" --host="app.example.com" --deploy-timeout="30s" --drain-timeout="30s" --buffer-requests --buffer-responses --log-request-header="Cache-Control" --log-request-header="Last-Modified" --log-request-header="User-Agent"
docker container ls --all --filter 'name=^app-web-d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4$' --quiet | xargs docker stop
mkdir -p .kamal && echo "[2026-01-02T03:04:05Z] [me@example.com] Tagging dhh/app:e5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5 as the latest image" >> .kamal/app-audit.log
docker tag dhh/app:e5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5 dhh/app:latest
mkdir -p .kamal && echo "[2026-01-02T03:04:05Z] [me@example.com] Pruned containers" >> .kamal/app-audit.log
docker ps -q -a --filter label=service=app --filter status=created --filter status=exited --filter status=dead | tail -n +6 | while read container_id; do docker rm $container_id; done
mkdir -p .kamal && echo "[2026-01-02T03:04:05Z] [me@example.com] Pruned images" >> .kamal/app-audit.log
docker image prune --force --filter label=service=app
docker image ls --filter label=service=app --format '{{.ID}} {{.Repository}}:{{.Tag}}' | grep -v -w "$(docker container ls -a --format '{{.Image}}\|' --filter label=service=app | tr -d '\n')dhh/app:latest\|dhh/app:<none>" | while read image tag; do docker rmi $tag; done
rm .kamal/lock-app/details && rm -r .kamal/lock-app"#;

fn log(config: &Config, role: &Role, entry: Entry<'_>) -> Cmd {
    let context = AuditContext {
        recorded_at: "2026-01-02T03:04:05Z",
        performer: "me@example.com",
        destination: config.destination.as_deref(),
    };
    let tags = entry.tells_role().then_some(role.name.as_str());
    record(config, &context, tags.as_slice(), &entry.to_string())
}

fn deploy(config: &Config) -> Vec<Cmd> {
    let web = role(config, "web");
    let login = || {
        registry::login(&config.registry, &Secret::new("user"), &Secret::new("pw"))
            .expect("a remote registry")
    };
    let image = config.absolute_image(VERSION);
    let details = lock::details("me", "2026-01-02T03:04:05Z", VERSION, lock::AUTOMATIC);
    vec![
        login(),
        log(config, web, Entry::PulledImage { version: VERSION }),
        image::remove(config, VERSION),
        image::pull(config, VERSION),
        image::check_label(config, VERSION),
        audit::make_run_directory(),
        lock::acquire(config, &details),
        docker::create_network(),
        login(),
        proxy::running_version(),
        proxy::make_apps_config_directory(),
        proxy::boot(None, ProxyImage::KAMAL),
        app::list_versions(config, web),
        app::current_version(config, web),
        app::container_id(config, web, VERSION),
        app::current_version(config, web),
        log(config, web, Entry::BootedApp { version: VERSION }),
        app::make_env_directory(config),
        app::run(config, web, "127.0.0.1", VERSION, "0123456789ab"),
        app::container_id(config, web, VERSION),
        proxy::deploy_app_to(proxy::Dialect::Kamal, config, web, VERSION, "0123456789ab")
            .expect("web is behind the proxy"),
        app::stop(config, web, OLD),
        log(config, web, Entry::TaggedLatest { image: &image }),
        app::tag_latest(config, VERSION),
        log(config, web, Entry::PrunedContainers),
        prune::app_containers(config, 5),
        log(config, web, Entry::PrunedImages),
        prune::dangling_images(config),
        prune::tagged_images(config),
        lock::release(config),
    ]
}

#[test]
fn item_69_golden_transcript() {
    let config = sample();
    let lines: Vec<String> = deploy(&config).iter().map(Cmd::real).collect();
    assert_eq!(lines.join("\n"), TRANSCRIPT);
    let upload = app::env_upload(&config, role(&config, "web"), &[]);
    assert_eq!(upload.path, ".kamal/apps/app/env/roles/web.env");
    assert_eq!(paths::audit_log(&config), ".kamal/app-audit.log");
}

/// Local lines of a build and push.
#[test]
fn item_222_golden_build() {
    let config = sample();
    let builder = ImageBuilder::new(&config, None);
    let options = BuildOptions {
        version: VERSION,
        output: Output::Registry,
        dirty: false,
        no_cache: false,
        secrets: &[],
    };
    let commands = [
        docker::has_buildx(),
        builder.check().expect("docker's builder"),
        builder.build(&options).cmd,
    ];
    assert_eq!(
        commands.map(|cmd| cmd.real()),
        [
            "docker --version && docker buildx version".to_owned(),
            "docker buildx inspect kamal-local-docker-container".to_owned(),
            format!(
                r#"docker buildx build --output=type=registry --platform linux/amd64 --builder kamal-local-docker-container -t dhh/app:{VERSION} -t dhh/app:latest --label service="app" --file Dockerfile . 2>&1"#
            ),
        ]
    );
}
