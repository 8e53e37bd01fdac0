//! The proxy's image on a real Docker Engine: it loads, and a container of it is what Kamal and a volume expect.
//!
//! The binary in it is the demo app's: any static program will do to see the image around it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use dhow_fleet_tests::Outcome;
use dhow_image::{ProxyArchive, proxy_image};
use dhow_lab::digest::sha256_hex;

const LABEL: &str = "dev.dhow.content";
const CONFIG: &str = "/home/kamal-proxy/.config/kamal-proxy";

/// Runs docker on this machine.
fn docker(arguments: &[&str]) -> Outcome {
    Outcome::of(Command::new("docker").args(arguments), "")
}

/// What a test leaves on this machine's Engine; it goes at the end, whatever happens.
struct Leftovers {
    container: &'static str,
    volume: &'static str,
    image: &'static str,
}

impl Leftovers {
    fn new(name: &'static str, image: &'static str) -> Self {
        let leftovers = Self {
            container: name,
            volume: name,
            image,
        };
        leftovers.clear();
        leftovers
    }

    fn clear(&self) {
        docker(&["rm", "--force", self.container]);
        docker(&["volume", "rm", "--force", self.volume]);
        docker(&["image", "rm", "--force", self.image]);
    }
}

impl Drop for Leftovers {
    fn drop(&mut self) {
        self.clear();
    }
}

fn program() -> PathBuf {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/lab-app");
    assert!(
        program.exists(),
        "`{}` is not built: run bin/build lab",
        program.display()
    );
    program
}

fn archive(name: &str) -> ProxyArchive {
    let binary = std::fs::read(program()).expect("read the program");
    let machine = Outcome::of(Command::new("uname").arg("-m"), "");
    proxy_image(&binary, machine.expect(), name, LABEL).expect("an image")
}

fn load(archive: &ProxyArchive) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("image.tar");
    std::fs::write(&file, &archive.archive).expect("write the archive");
    docker(&["load", "--input", &file.display().to_string()]).expect();
}

fn inspect(image: &str, format: &str) -> String {
    docker(&["inspect", "--format", format, image])
        .expect()
        .to_owned()
}

/// The user of a process, as the kernel sees it.
fn user_of(pid: &str) -> u32 {
    let meta = std::fs::metadata(format!("/proc/{pid}")).expect("the process");
    meta.uid()
}

#[test]
fn it_loads_runs_as_its_user_and_gives_a_new_volume_its_owner() {
    let name = "dhow/image-runs:v0.9.2.1";
    let leftovers = Leftovers::new("dhow-image-runs", name);
    let archive = archive(name);
    load(&archive);
    let inspect = |format: &str| inspect(name, format);

    assert_eq!(inspect("{{.Config.User}}"), "1001:1001");
    assert_eq!(inspect("{{json .Config.Cmd}}"), r#"["kamal-proxy","run"]"#);
    assert_eq!(inspect("{{json .Config.Entrypoint}}"), "null");
    assert_eq!(
        inspect("{{json .Config.ExposedPorts}}"),
        r#"{"443/tcp":{},"80/tcp":{}}"#
    );
    assert_eq!(
        inspect(r#"{{index .Config.Labels "org.opencontainers.image.title"}}"#),
        "kamal-proxy"
    );
    let label = format!("{{{{index .Config.Labels {LABEL:?}}}}}");
    assert_eq!(inspect(&label), archive.content);

    let volume = format!("{}:{CONFIG}", leftovers.volume);
    docker(&[
        "run",
        "--detach",
        "--name",
        leftovers.container,
        "--volume",
        &volume,
        name,
        "kamal-proxy",
        "healthy",
    ])
    .expect();
    let of_container = |format| {
        docker(&["inspect", "--format", format, leftovers.container])
            .expect()
            .to_owned()
    };
    let pid = of_container("{{.State.Pid}}");
    assert_eq!(user_of(&pid), 1001, "the process");
    let root = PathBuf::from(format!("/proc/{pid}/root"));
    let owner = |path: &str| {
        let meta = std::fs::symlink_metadata(root.join(path)).expect(path);
        (meta.uid(), meta.mode() & 0o7777)
    };
    assert_eq!(owner(CONFIG.trim_start_matches('/')), (1001, 0o755));
    assert_eq!(owner("home/kamal-proxy"), (1001, 0o755));
    assert_eq!(owner("tmp"), (0, 0o1777));
    let mountpoint = docker(&[
        "volume",
        "inspect",
        "--format",
        "{{.Mountpoint}}",
        leftovers.volume,
    ]);
    let meta = std::fs::metadata(mountpoint.expect()).expect("the volume");
    assert_eq!(meta.uid(), 1001, "the volume");

    // Both names are the program, and what is run beside it is run as the same user.
    for program in ["kamal-proxy", "dhow"] {
        let said = docker(&["exec", leftovers.container, program, "say", "here"]);
        assert_eq!(said.expect(), "here");
    }
    let home = docker(&["exec", leftovers.container, "kamal-proxy", "env", "HOME"]);
    assert_eq!(home.expect(), sha256_hex(b"/home/kamal-proxy"));
    let bundle = root.join("etc/ssl/certs/ca-certificates.crt");
    let pem = std::fs::read_to_string(bundle).expect("the CA bundle");
    assert!(pem.matches("BEGIN CERTIFICATE").count() > 100);

    // It ends when Docker asks it to, as PID 1 without a shell before it.
    let start = Instant::now();
    docker(&["stop", leftovers.container]).expect();
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn loading_it_twice_is_loading_it_once() {
    let name = "dhow/image-twice:v0.9.2.1";
    let _leftovers = Leftovers::new("dhow-image-twice", name);
    load(&archive(name));
    let first = inspect(name, "{{.Id}}");
    load(&archive(name));
    assert_eq!(inspect(name, "{{.Id}}"), first);
}
