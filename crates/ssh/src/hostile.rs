//! Everything that reads bytes from outside, fed with noise: nothing may panic. (The fuzzers go further; this runs with every test.)

use crate::config::{Query, place, resolve};
use crate::dial::hops;
use crate::known_hosts::{KeyUse, KnownHosts};

/// A small generator with a fixed seed, so that a failure comes again.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 40).unwrap()
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.next() % from.len()]
    }

    fn text(&mut self, from: &[&str]) -> String {
        (0..self.next() % 40).map(|_| self.pick(from)).collect()
    }
}

#[test]
fn configuration_files() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config");
    let pieces = [
        "Host ",
        "Match ",
        "exec ",
        "final ",
        "host ",
        "!",
        "*",
        "?",
        ",",
        "=",
        "\"",
        "'",
        "\\",
        "#",
        " ",
        "\t",
        "\n",
        "\r",
        "\0",
        "é",
        "Port ",
        "User ",
        "HostName ",
        "IdentityFile ",
        "%",
        "%h",
        "%C",
        "${",
        "}",
        "$",
        "~",
        "~/",
        "9999999999999999999999",
        "1w",
        "yes",
        "none",
        "ProxyJump ",
        "ProxyCommand ",
        "ConnectTimeout ",
        "Include ",
        "IdentityAgent ",
        "UserKnownHostsFile ",
        "\u{fffd}",
    ];
    let mut noise = Noise(1);
    let mut understood = 0;
    for _ in 0..3000 {
        // No commands: `Match exec` would run them.
        let text = noise.text(&pieces).replace("exec", "user");
        std::fs::write(&file, text).unwrap();
        let query = Query {
            host: "web",
            user: None,
            port: None,
        };
        understood += usize::from(resolve(std::slice::from_ref(&file), query, &place()).is_ok());
    }
    assert!(
        understood > 100,
        "the noise must get past the first line: {understood}"
    );
}

#[test]
fn known_hosts_files() {
    let pieces = [
        "|1|",
        "|",
        "AAAA",
        "web ssh-rsa AAAA",
        "\n@revoked * x AAAA\n",
        "=",
        "web",
        "[web]:22",
        "*",
        "!",
        ",",
        " ",
        "\n",
        "@revoked ",
        "@cert-authority ",
        "ssh-ed25519 ",
        "é",
        "\0",
        "#",
    ];
    let mut noise = Noise(2);
    let mut judged = 0;
    for _ in 0..20_000 {
        let mut known = KnownHosts::default();
        known.push("noise", noise.text(&pieces));
        let verdict = known.judge("web", 2222, KeyUse::Plain(&[0; 3]));
        judged += usize::from(verdict != crate::Verdict::Unknown);
        let _ = known.algorithms("web", 22);
        let _ = known.has_authority("web", 22);
    }
    assert!(judged > 10, "some lines must be about the host: {judged}");
}

#[test]
fn jump_specifications() {
    let pieces = [
        "@", ":", "[", "]", ",", "ssh://", "/", "web", "22", "99999", "é", " ",
    ];
    let mut noise = Noise(3);
    for _ in 0..20_000 {
        let _ = hops("web", &noise.text(&pieces), Some("root"));
    }
}
