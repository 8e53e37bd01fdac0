//! The one layer of the proxy's image: the whole file system that the proxy sees.
//!
//! In: the binary. Out: a tar stream, the same bytes every time (sorted, dated 1970).

use std::io::{self, Write};

use tar::{Builder, EntryType, Header};

use crate::ca_bundle::ca_bundle;

/// User and group of the proxy: those of Kamal's image, so that state and certificates in the volume stay readable when one
/// proxy takes over from the other.
pub(crate) const OWNER: u64 = 1001;
/// The proxy's home directory.
pub(crate) const HOME: &str = "/home/kamal-proxy";

const PASSWD: &str = "root:x:0:0:root:/root:/sbin/nologin\n\
     kamal-proxy:x:1001:1001::/home/kamal-proxy:/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nkamal-proxy:x:1001:\n";
/// Names of containers come from Docker's name server, after what Docker wrote into `/etc/hosts`.
const NSSWITCH: &str = "passwd: files\ngroup: files\nhosts: files dns\n";

/// Something in the file system.
enum Entry<'b> {
    Directory { mode: u32, owner: u64 },
    File { mode: u32, content: &'b [u8] },
    Link { to: &'b str },
}

/// Writes the layer.
pub(crate) fn write(binary: &[u8], to: impl Write) -> io::Result<()> {
    let bundle = ca_bundle();
    let directory = Entry::Directory {
        mode: 0o755,
        owner: 0,
    };
    // A new named volume takes over content and owner of the directory it is mounted on.
    let own = Entry::Directory {
        mode: 0o755,
        owner: OWNER,
    };
    let file = |content| Entry::File {
        mode: 0o644,
        content,
    };
    let entries = [
        ("etc/", &directory),
        ("etc/group", &file(GROUP.as_bytes())),
        ("etc/nsswitch.conf", &file(NSSWITCH.as_bytes())),
        ("etc/passwd", &file(PASSWD.as_bytes())),
        ("etc/ssl/", &directory),
        ("etc/ssl/certs/", &directory),
        (
            "etc/ssl/certs/ca-certificates.crt",
            &file(bundle.as_bytes()),
        ),
        ("home/", &directory),
        ("home/kamal-proxy/", &own),
        ("home/kamal-proxy/.config/", &own),
        ("home/kamal-proxy/.config/kamal-proxy/", &own),
        (
            "tmp/",
            &Entry::Directory {
                mode: 0o1777,
                owner: 0,
            },
        ),
        ("usr/", &directory),
        ("usr/local/", &directory),
        ("usr/local/bin/", &directory),
        ("usr/local/bin/dhow", &Entry::Link { to: "kamal-proxy" }),
        (
            "usr/local/bin/kamal-proxy",
            &Entry::File {
                mode: 0o755,
                content: binary,
            },
        ),
    ];
    let mut tar = Builder::new(to);
    for (path, entry) in entries {
        append(&mut tar, path, entry)?;
    }
    tar.into_inner()?.flush()
}

fn append(tar: &mut Builder<impl Write>, path: &str, entry: &Entry<'_>) -> io::Result<()> {
    let (kind, mode, owner, content): (_, _, _, &[u8]) = match entry {
        Entry::Directory { mode, owner } => (EntryType::Directory, *mode, *owner, &[]),
        Entry::File { mode, content } => (EntryType::Regular, *mode, 0, content),
        Entry::Link { .. } => (EntryType::Symlink, 0o777, 0, &[]),
    };
    let mut header = header(kind, mode, owner, content.len());
    match entry {
        Entry::Link { to } => tar.append_link(&mut header, path, to),
        _ => tar.append_data(&mut header, path, content),
    }
}

/// A header without a date.
pub(crate) fn header(kind: EntryType, mode: u32, owner: u64, size: usize) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(owner);
    header.set_gid(owner);
    header.set_mtime(0);
    header.set_size(size as u64);
    header
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn layer() -> Vec<u8> {
        let mut bytes = Vec::new();
        write(b"the program", &mut bytes).expect("write into memory");
        bytes
    }

    /// Kind, mode, owner, size (or target) and path of every entry, as `tar -tv` shows them.
    #[test]
    fn the_file_system() {
        let bytes = layer();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let mut listing = String::new();
        for entry in archive.entries().unwrap() {
            let entry = entry.unwrap();
            let header = entry.header();
            assert_eq!(header.mtime().unwrap(), 0);
            let path = entry.path().unwrap().display().to_string();
            let size = if path.ends_with("ca-certificates.crt") {
                "-".to_owned()
            } else {
                header.size().unwrap().to_string()
            };
            let link = entry.link_name().unwrap();
            let target = link.map_or_else(String::new, |to| format!(" -> {}", to.display()));
            writeln!(
                listing,
                "{:?} {:o} {}:{} {size} {path}{target}",
                header.entry_type(),
                header.mode().unwrap(),
                header.uid().unwrap(),
                header.gid().unwrap(),
            )
            .unwrap();
        }
        let expected = "\
Directory 755 0:0 0 etc/
Regular 644 0:0 30 etc/group
Regular 644 0:0 44 etc/nsswitch.conf
Regular 644 0:0 93 etc/passwd
Directory 755 0:0 0 etc/ssl/
Directory 755 0:0 0 etc/ssl/certs/
Regular 644 0:0 - etc/ssl/certs/ca-certificates.crt
Directory 755 0:0 0 home/
Directory 755 1001:1001 0 home/kamal-proxy/
Directory 755 1001:1001 0 home/kamal-proxy/.config/
Directory 755 1001:1001 0 home/kamal-proxy/.config/kamal-proxy/
Directory 1777 0:0 0 tmp/
Directory 755 0:0 0 usr/
Directory 755 0:0 0 usr/local/
Directory 755 0:0 0 usr/local/bin/
Symlink 777 0:0 0 usr/local/bin/dhow -> kamal-proxy
Regular 755 0:0 11 usr/local/bin/kamal-proxy
";
        assert_eq!(listing, expected);
    }

    #[test]
    fn the_user_of_the_image_is_the_owner_of_its_home() {
        let line = PASSWD.lines().find(|l| l.starts_with("kamal-proxy:"));
        let fields: Vec<&str> = line.expect("the user").split(':').collect();
        assert_eq!(fields[2], OWNER.to_string());
        assert_eq!(fields[3], OWNER.to_string());
        assert_eq!(fields[5], HOME);
        assert!(GROUP.contains(&format!("kamal-proxy:x:{OWNER}:")));
    }
}
