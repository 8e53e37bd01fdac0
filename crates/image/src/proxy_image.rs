//! dhow's own binary, wrapped as the image that the proxy's container is made of.
//!
//! In: a static binary, a machine. Out: a [`ProxyArchive`]: what `docker load` reads (the layout of `docker save`, one layer), the
//! same bytes for the same binary. It is what Kamal relies on: the title label, no entry point, `kamal-proxy run` as command.

use std::io::{self, Write};
use std::sync::Arc;

use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType};

use crate::executable::{ImageError, Machine};
use crate::proxy_layer::{self, HOME, OWNER};

/// The date of everything in the image: a real one would make every image another.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// An image that can be described and put together: the binary is known to run on the machine.
#[derive(Debug)]
pub struct ProxyImage<'b> {
    binary: &'b [u8],
    machine: Machine,
    /// Digest of the layer before compression.
    diff_id: String,
}

/// An image as `docker load` reads it.
#[derive(Clone)]
pub struct ProxyArchive {
    /// The archive.
    pub archive: Arc<[u8]>,
    /// The value of the content label of the image in it, [`ProxyImage::content`].
    pub content: String,
}

/// The archive of dhow's proxy for a machine (as `uname -m` names it), called `name` (`repository:tag`), with `content_label`
/// telling what is in it.
pub fn proxy_image(
    binary: &[u8],
    machine: &str,
    name: &str,
    content_label: &str,
) -> Result<ProxyArchive, ImageError> {
    ProxyImage::new(binary, machine)?.archive(name, content_label)
}

impl<'b> ProxyImage<'b> {
    /// The image of a binary for a machine, as `uname -m` names it. Refuses a binary that would not run there.
    pub fn new(binary: &'b [u8], machine: &str) -> Result<Self, ImageError> {
        let machine = Machine::named(machine)?;
        machine.check(binary)?;
        let mut digest = Sha256::new();
        proxy_layer::write(binary, &mut digest).map_err(|e| archive(&e))?;
        Ok(Self {
            binary,
            machine,
            diff_id: hex(digest),
        })
    }

    /// What tells this image from others: SHA-256 (64 hex digits) of everything in it, its names left out. Known without
    /// compressing anything, so that it is cheap to see that a host has it already.
    pub fn content(&self) -> String {
        hex(Sha256::new().chain_update(self.config(None).to_string()))
    }

    /// The archive.
    pub fn archive(&self, name: &str, content_label: &str) -> Result<ProxyArchive, ImageError> {
        let content = self.content();
        let config = self.config(Some((content_label, &content))).to_string();
        let config_name = format!("{}.json", hex(Sha256::new().chain_update(&config)));
        let layer = self.layer().map_err(|e| archive(&e))?;
        let layer_name = format!("{}/layer.tar", self.diff_id);
        let manifest = json!([{
            "Config": config_name,
            "RepoTags": [name],
            "Layers": [layer_name],
        }]);
        let files = [
            (config_name.as_str(), config.as_bytes()),
            (layer_name.as_str(), layer.as_slice()),
            ("manifest.json", manifest.to_string().as_bytes()),
        ]
        .map(|(path, bytes)| (path.to_owned(), bytes.to_vec()));
        let bytes = pack(files).map_err(|e| archive(&e))?;
        Ok(ProxyArchive {
            archive: bytes.into(),
            content,
        })
    }

    /// The layer, compressed: over a slow line the time goes into bytes. Compression is the fast one, as it is done while the user
    /// waits, and better ones gain little on machine code.
    fn layer(&self) -> io::Result<Vec<u8>> {
        let packed = Vec::with_capacity(self.binary.len() / 2);
        let mut gzip = GzBuilder::new().write(packed, Compression::fast());
        proxy_layer::write(self.binary, &mut gzip)?;
        gzip.finish()
    }

    /// The image's configuration (the image specification's `application/vnd.oci.image.config`).
    fn config(&self, content: Option<(&str, &str)>) -> Value {
        let mut labels = json!({ "org.opencontainers.image.title": "kamal-proxy" });
        if let (Some((label, content)), Some(labels)) = (content, labels.as_object_mut()) {
            labels.insert(label.to_owned(), content.into());
        }
        json!({
            "architecture": self.machine.docker_name(),
            "os": "linux",
            "created": CREATED,
            "config": {
                "User": format!("{OWNER}:{OWNER}"),
                "ExposedPorts": { "443/tcp": {}, "80/tcp": {} },
                "Env": [
                    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    format!("HOME={HOME}"),
                ],
                "Cmd": ["kamal-proxy", "run"],
                "Labels": labels,
            },
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", self.diff_id)] },
            "history": [{ "created": CREATED, "created_by": "dhow" }],
        })
    }
}

impl std::fmt::Debug for ProxyArchive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProxyArchive")
            .field("bytes", &self.archive.len())
            .field("content", &self.content)
            .finish()
    }
}

fn pack(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> io::Result<Vec<u8>> {
    let mut tar = Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = proxy_layer::header(EntryType::Regular, 0o644, 0, content.len());
        tar.append_data(&mut header, path, content.as_slice())?;
    }
    let mut bytes = tar.into_inner()?;
    bytes.flush()?;
    Ok(bytes)
}

fn hex(digest: Sha256) -> String {
    let bytes = digest.finalize();
    let mut text = String::with_capacity(64);
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(nibble), 16));
        }
    }
    text
}

fn archive(error: &io::Error) -> ImageError {
    ImageError::Archive(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read;

    use super::*;
    use crate::hand_made::{AARCH64, X86_64, dynamic, program};

    const NAME: &str = "dhow/kamal-proxy:v0.9.2.1";
    const LABEL: &str = "dev.dhow.content";

    fn files(archive: &ProxyArchive) -> BTreeMap<String, Vec<u8>> {
        let mut tar = tar::Archive::new(&archive.archive[..]);
        let entries = tar.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.path().unwrap().display().to_string(), content)
        });
        entries.collect()
    }

    fn json_of(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    #[test]
    fn the_manifest_names_a_configuration_and_a_layer_that_are_there() {
        let archive = proxy_image(&program(X86_64), "x86_64", NAME, LABEL).unwrap();
        let files = files(&archive);
        let manifest = json_of(&files["manifest.json"]);
        assert_eq!(manifest[0]["RepoTags"], json!([NAME]));

        let config_bytes = &files[manifest[0]["Config"].as_str().unwrap()];
        let digest = hex(Sha256::new().chain_update(config_bytes));
        assert_eq!(manifest[0]["Config"], format!("{digest}.json"));

        let config = json_of(config_bytes);
        let packed = &files[manifest[0]["Layers"][0].as_str().unwrap()];
        let mut layer = Vec::new();
        let mut gzip = flate2::read::GzDecoder::new(packed.as_slice());
        gzip.read_to_end(&mut layer).unwrap();
        let diff_id = format!("sha256:{}", hex(Sha256::new().chain_update(&layer)));
        assert_eq!(config["rootfs"]["diff_ids"], json!([diff_id]));
        assert_eq!(files.len(), 3);
    }

    /// User, command, ports, title, and no entry point. parity: proxy 139
    #[test]
    fn the_configuration_is_what_kamal_relies_on() {
        let archive = proxy_image(&program(AARCH64), "aarch64", NAME, LABEL).unwrap();
        let files = files(&archive);
        let manifest = json_of(&files["manifest.json"]);
        let config = json_of(&files[manifest[0]["Config"].as_str().unwrap()]);
        assert_eq!(config["architecture"], "arm64");
        assert_eq!(config["os"], "linux");
        assert_eq!(
            config["config"],
            json!({
                "User": "1001:1001",
                "ExposedPorts": { "443/tcp": {}, "80/tcp": {} },
                "Env": [
                    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    "HOME=/home/kamal-proxy",
                ],
                "Cmd": ["kamal-proxy", "run"],
                "Labels": {
                    "org.opencontainers.image.title": "kamal-proxy",
                    LABEL: archive.content,
                },
            })
        );
    }

    #[test]
    fn the_same_binary_gives_the_same_bytes_and_another_another_content() {
        let make = |binary: &[u8]| proxy_image(binary, "x86_64", NAME, LABEL).unwrap();
        let first = make(&program(X86_64));
        let again = make(&program(X86_64));
        assert_eq!(first.archive, again.archive);
        assert_eq!(first.content, again.content);
        assert_eq!(first.content.len(), 64);

        let mut other = program(X86_64);
        other.push(0);
        assert_ne!(make(&other).content, first.content);

        // The label is told before anything is compressed, and does not depend on names.
        let bytes = program(X86_64);
        let image = ProxyImage::new(&bytes, "x86_64").unwrap();
        assert_eq!(image.content(), first.content);
        assert_eq!(image.archive("a:1", "b").unwrap().content, first.content);
    }

    #[test]
    fn a_binary_that_would_not_run_makes_no_image() {
        let refused =
            |binary: &[u8], machine| proxy_image(binary, machine, NAME, LABEL).unwrap_err();
        assert!(matches!(
            refused(&dynamic(X86_64), "x86_64"),
            ImageError::Dynamic { .. }
        ));
        assert!(matches!(
            refused(&program(X86_64), "aarch64"),
            ImageError::OtherMachine { .. }
        ));
        assert!(matches!(
            refused(b"#!/bin/sh", "x86_64"),
            ImageError::NotElf(_)
        ));
        assert!(matches!(
            refused(&program(X86_64), "s390x"),
            ImageError::UnknownMachine(_)
        ));
    }
}
