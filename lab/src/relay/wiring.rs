//! The relay's place in this machine's network: the device with its routes, and leave to reach the containers.

use std::net::Ipv4Addr;

use tokio::process::Command;
use tokio_tun::Tun;

use super::rewrite::Addresses;

/// The last byte of the relay's own address in the near network.
const OWN: u8 = 254;

/// What was set up. [`Wiring::remove`] takes it away again; the device goes with the process.
#[derive(Debug)]
pub struct Wiring {
    device: String,
}

/// Why the relay cannot be wired.
#[derive(Debug, thiserror::Error)]
pub enum WiringError {
    /// No device: not root, no `/dev/net/tun`, or one of that name is in use.
    #[error("cannot make the network device `{device}`: {source}")]
    Device {
        /// Its name.
        device: String,
        /// What the kernel said.
        source: tokio_tun::Error,
    },
    /// A program of iproute2 or iptables could not be run.
    #[error("cannot run `{command}`: {source}")]
    Run {
        /// The command line.
        command: String,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// Such a program refused.
    #[error("`{command}` failed: {stderr}")]
    Refused {
        /// The command line.
        command: String,
        /// What it said.
        stderr: String,
    },
}

impl Wiring {
    /// Makes the device `device` and leads both of the relay's networks to it.
    pub async fn set_up(device: &str, addresses: Addresses) -> Result<(Self, Tun), WiringError> {
        let [a, b, c] = addresses.near;
        let tun = Tun::builder()
            .name(device)
            .address(Ipv4Addr::new(a, b, c, OWN))
            .netmask(Ipv4Addr::new(255, 255, 255, 0))
            .up()
            .build()
            .and_then(|tuns| {
                let none = || std::io::Error::other("no queue").into();
                tuns.into_iter().next().ok_or_else(none)
            })
            .map_err(|source| WiringError::Device {
                device: device.to_owned(),
                source,
            })?;
        let wiring = Self {
            device: device.to_owned(),
        };
        let [a, b, c] = addresses.back;
        run(&format!("ip route replace {a}.{b}.{c}.0/24 dev {device}")).await?;
        // What an earlier relay that was killed may have left would be doubled.
        wiring.remove().await;
        for rule in wiring.rules() {
            run(&format!("iptables {}", rule.replace("ACTION", "-I"))).await?;
        }
        Ok((wiring, tun))
    }

    /// Takes the firewall rules away. Says nothing if they are not there.
    pub async fn remove(&self) {
        for rule in self.rules() {
            let _ = run(&format!("iptables {}", rule.replace("ACTION", "-D"))).await;
        }
    }

    /// Docker lets nobody but a network's own members and its published ports in; newer Engines refuse already in `raw`.
    fn rules(&self) -> [String; 2] {
        let device = &self.device;
        [
            format!("-t raw ACTION PREROUTING -i {device} -j ACCEPT"),
            format!("-t filter ACTION DOCKER-USER -i {device} -j ACCEPT"),
        ]
    }
}

async fn run(command: &str) -> Result<(), WiringError> {
    let mut words = command.split(' ');
    let output = Command::new(words.next().unwrap_or_default())
        .args(words)
        .output()
        .await
        .map_err(|source| WiringError::Run {
            command: command.to_owned(),
            source,
        })?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(WiringError::Refused {
        command: command.to_owned(),
        stderr,
    })
}
