//! A deployer's directory, and hosts 127.0.0.1, 127.0.0.2 with a shell and a docker that writes down what it is asked.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use dhow_testkit::sshd::{Answer, Config, Sshd};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// On a host: the containers and images that a test wrote down are there; anything else is written down and done by `does`.
const DOCKER: &str = r#"#!/bin/sh
case "$*" in
    "ps -a --no-trunc --filter"*) cat "$HOME/containers" 2>/dev/null; exit 0 ;;
    "ps -a --no-trunc"*) sed 's/^/C /' "$HOME/containers" 2>/dev/null; exit 0 ;;
    "inspect --format {{json .}}"*) cat "$HOME/inspected" 2>/dev/null; exit 0 ;;
    "inspect --format I {{json .}}"*) sed 's/^/I /' "$HOME/inspected" 2>/dev/null; exit 0 ;;
esac
echo "docker $*" >>"$HOME/calls"
[ ! -e "$HOME/does" ] || . "$HOME/does"
"#;

/// Here: writes down too.
const LOCAL_DOCKER: &str = "#!/bin/sh\necho \"docker $*\" >>ROOT/local-calls\n";

pub(crate) struct World {
    root: TempDir,
    servers: Vec<Sshd>,
    _runtime: Runtime,
}

/// How a command ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

impl World {
    /// With `rest` in the deploy file, which names servers by address.
    pub(crate) fn new(rest: &str) -> Self {
        Self::with_registry(
            "image: me/app\nregistry: { username: me, password: [PASSWORD] }",
            rest,
        )
    }

    pub(crate) fn with_registry(registry: &str, rest: &str) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        for folder in [
            "app/config",
            "app/.kamal/hooks",
            "home/.ssh",
            "bin",
            "1/bin",
            "2/bin",
        ] {
            fs::create_dir_all(root.path().join(folder)).expect("a folder");
        }
        let servers = (0..20)
            .find_map(|_| runtime.block_on(listen(root.path())))
            .expect("a port");
        let world = Self {
            root,
            servers,
            _runtime: runtime,
        };
        let key = world.path("home/.ssh/id_ed25519").display().to_string();
        dhow_testkit::openssh::keygen(&["-q", "-N", "", "-t", "ed25519", "-f", &key])
            .expect("a key");
        for host in ["1", "2"] {
            world.program(&format!("{host}/bin/docker"), DOCKER);
        }
        world.program("bin/docker", LOCAL_DOCKER);
        let port = world.servers[0].port();
        world.write(
            "app/config/deploy.yml",
            &format!("service: app\n{registry}\nbuilder: {{ arch: amd64 }}\nssh: {{ port: {port} }}\n{rest}"),
        );
        world.write(
            "app/.kamal/secrets",
            "PASSWORD=registry-passw0rd\nTOKEN=t0ken\n",
        );
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("write");
    }

    fn program(&self, name: &str, text: &str) {
        let text = text.replace("ROOT", &self.root.path().display().to_string());
        self.write(name, &text);
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.path(name), mode).expect("a program");
    }

    /// A hook that writes down its name, the lock and the command.
    pub(crate) fn hook(&self, name: &str) {
        let text = format!(
            "#!/bin/sh\necho \"{name} $KAMAL_LOCK $KAMAL_COMMAND $KAMAL_SUBCOMMAND\" >>ROOT/hooks\n"
        );
        self.program(&format!("app/.kamal/hooks/{name}"), &text);
    }

    /// What the hooks wrote down.
    pub(crate) fn hooks(&self) -> Vec<String> {
        self.lines("hooks")
    }

    /// A container of `app` on a host: `NAME STATE ROLE IMAGE`.
    pub(crate) fn container(&self, host: u8, name: &str, state: &str, role: &str, image: &str) {
        let id = format!(
            "{:0<64}",
            name.replace(|c: char| !c.is_ascii_hexdigit(), "")
        );
        let mut file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path(&format!("{host}/containers")))
            .expect("open");
        writeln!(file, "{id}|{name}|{state}|{role}||{image}").expect("write");
    }

    /// What docker does on a host once it has written down the call.
    pub(crate) fn docker_does(&self, host: u8, script: &str) {
        self.write(&format!("{host}/does"), script);
    }

    /// What docker was asked on a host.
    pub(crate) fn calls(&self, host: u8) -> Vec<String> {
        self.lines(&format!("{host}/calls"))
    }

    /// What docker was asked here.
    pub(crate) fn local_calls(&self) -> Vec<String> {
        self.lines("local-calls")
    }

    /// What a host's audit log says, without times and names.
    pub(crate) fn audit(&self, host: u8) -> Vec<String> {
        let lines = self.lines(&format!("{host}/.kamal/app-audit.log"));
        lines
            .iter()
            .map(|line| line.splitn(3, "] ").nth(2).unwrap_or(line).to_owned())
            .collect()
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// What hosts were asked to run, as their lists of processes would show it.
    pub(crate) fn requests(&self, host: u8) -> Vec<String> {
        self.servers[usize::from(host) - 1].commands()
    }

    pub(crate) fn dhow(&self, arguments: &[&str]) -> Ended {
        self.fed(arguments, "")
    }

    /// With something on its standard input.
    pub(crate) fn fed(&self, arguments: &[&str], input: &str) -> Ended {
        let path = format!(
            "{}:/usr/local/bin:/usr/bin:/bin",
            self.path("bin").display()
        );
        let mut child = Command::new(env!("CARGO_BIN_EXE_dhow"))
            .args(arguments)
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.path("home"))
            .env("VERSION", "v7")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .current_dir(self.path("app"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("run the program");
        if let Some(mut stdin) = child.stdin.take() {
            // A command that asks nothing may be gone by now.
            let _ = stdin.write_all(input.as_bytes());
        }
        let output = child.wait_with_output().expect("its end");
        Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    pub(crate) fn succeeds(&self, arguments: &[&str]) -> String {
        let ended = self.dhow(arguments);
        assert_eq!(ended.code, 0, "{}\n{}", ended.text(), ended.stderr);
        ended.text()
    }

    #[track_caller]
    pub(crate) fn fails(&self, arguments: &[&str]) -> String {
        let ended = self.dhow(arguments);
        assert_eq!(ended.code, 1, "{}\n{}", ended.text(), ended.stderr);
        ended.text()
    }
}

async fn listen(root: &std::path::Path) -> Option<Vec<Sshd>> {
    let mut servers: Vec<Sshd> = Vec::new();
    for number in [1, 2] {
        let home = root.join(number.to_string());
        let path = format!("{}:/usr/bin:/bin", home.join("bin").display());
        let env = vec![
            ("PATH".to_owned(), path),
            ("HOME".to_owned(), home.display().to_string()),
        ];
        let port = servers.first().map_or(0, Sshd::port);
        let address = SocketAddr::from(([127, 0, 0, number], port));
        let config = Config::new(Answer::Shell { dir: home, env });
        servers.push(Sshd::listen(&[address], config).await.ok()?);
    }
    Some(servers)
}
