//! The least that a deploy can take: one OpenSSH connection per host, one script with the docker calls that can't be left out.
//!
//! Seven calls: pull, run, switch the proxy, stop the old container, tag, remove the oldest stopped container, remove its image. The
//! script knows every name beforehand, checks nothing and holds no lock, so no deployer can be expected to be quicker; it leaves a
//! host in the state in which dhow leaves it.

use std::process::Command;

use crate::app::{AUTH, App, HOST, SERVICE, container};
use crate::fleet::Fleet;
use crate::measured::Measured;

/// The versions that a deploy is about.
#[derive(Clone, Debug)]
pub struct Versions {
    /// What is to run.
    pub new: String,
    /// What runs.
    pub old: String,
    /// The oldest that is kept, stopped: it goes.
    pub oldest: String,
}

/// The script for one host.
#[must_use]
pub fn script(app: &App, address: &str, versions: &Versions) -> String {
    let Versions { new, old, oldest } = versions;
    let (image, name) = (app.image(new), container(new));
    format!(
        "set -e\n\
         DOCKER_CONFIG={AUTH} docker pull {image}\n\
         id=$(docker run --detach --restart unless-stopped --name {name} --network kamal --hostname {address}-{new} \
         --env KAMAL_CONTAINER_NAME={name} --env KAMAL_VERSION={new} --env KAMAL_HOST={address} --env GREETING=hello \
         --env-file .kamal/apps/{SERVICE}/env/roles/web.env --log-opt max-size=10m \
         --label service={SERVICE} --label role=web --label destination {image})\n\
         docker exec kamal-proxy kamal-proxy deploy {SERVICE}-web --target=$(printf %.12s $id):80 --host={HOST} --deploy-timeout=30s --drain-timeout=30s \
         --health-check-interval=1s --health-check-path=/up --buffer-requests --buffer-responses \
         --log-request-header=Cache-Control --log-request-header=Last-Modified --log-request-header=User-Agent\n\
         docker stop {}\n\
         docker tag {image} {}\n\
         docker rm {}\n\
         docker rmi {}\n",
        container(old),
        app.image("latest"),
        container(oldest),
        app.image(oldest),
    )
}

/// One `ssh` for each address.
#[must_use]
pub fn commands(fleet: &Fleet, app: &App, addresses: &[&str], versions: &Versions) -> Vec<Command> {
    let known_hosts = fleet.dir.join("home/.ssh/known_hosts");
    let commands = addresses.iter().map(|address| {
        let mut ssh = Measured::limited("ssh");
        ssh.args(["-F", "none", "-T", "-n", "-l", "root"])
            .args([
                "-o",
                "IdentitiesOnly=yes",
                "-o",
                "StrictHostKeyChecking=yes",
            ])
            .args(["-o", "ControlMaster=no", "-o", "ControlPath=none"])
            .arg("-o")
            .arg(format!("UserKnownHostsFile={}", known_hosts.display()))
            .arg("-i")
            .arg(&fleet.key)
            .arg(address)
            .arg(script(app, address, versions));
        ssh
    });
    commands.collect()
}
