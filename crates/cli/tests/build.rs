//! `build …` with the real program and a real git, and a docker that writes down how it was called.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

const PASSWORD: &str = "registry-passw0rd";
const TOKEN: &str = "build-t0ken";

/// Writes down its arguments; keeps what came on its standard input, its environment and its directory, per subcommand.
const DOCKER: &str = r#"#!/bin/sh
echo "docker $*" >> WORLD/log
keep() { cat > "WORLD/$1.stdin"; env > "WORLD/$1.env"; pwd > "WORLD/$1.pwd"; ls -A > "WORLD/$1.ls"; }
case "$*" in
    login*) keep login; echo '{"auths":{}}' > "$DOCKER_CONFIG/config.json" ;;
    "buildx inspect"*)
        [ -e WORLD/builder ] && exit 0
        cat WORLD/inspect-says >&2
        exit 1 ;;
    "buildx create"*)
        [ ! -e WORLD/create-says ] || { cat WORLD/create-says >&2; exit 1; }
        touch WORLD/builder ;;
    "buildx rm"*) [ -e WORLD/builder ] || { echo "no builder found" >&2; exit 1; }; rm WORLD/builder ;;
    "buildx build --output=type=local,dest="*)
        dest=${3#--output=type=local,dest=}
        mkdir "$dest" && cp -r . "$dest" && rm -rf "$dest/.git" "$dest/ignored" ;;
    "buildx build"*)
        keep build
        [ -z "$DOCKER_CONFIG" ] || ls -A "$DOCKER_CONFIG" > WORLD/build.logins
        echo "step 1"
        [ ! -e WORLD/build-fails ] || { echo "ERROR: failed to solve: broken"; exit 1; } ;;
    "context ls") echo "NAME default" ;;
    "buildx ls") echo "NAME/NODE default" ;;
esac
"#;

struct World {
    root: TempDir,
}

struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl World {
    /// An app with one commit: a Dockerfile, a deploy file, secrets, and hooks that write down that they ran.
    fn new(builder: &str) -> Self {
        let registry = "registry: { server: r.example.com, username: me, password: [PASSWORD] }";
        Self::with_registry(registry, builder)
    }

    fn with_registry(registry: &str, builder: &str) -> Self {
        let world = Self {
            root: tempfile::tempdir().expect("a temporary folder"),
        };
        for folder in ["bin", "home", "tmp", "app"] {
            fs::create_dir(world.path(folder)).expect("a folder");
        }
        fs::write(world.path("inspect-says"), "ERROR: no builder found\n").expect("write");
        world.program("bin/docker", DOCKER);
        world.write(
            "config/deploy.yml",
            &format!("service: app\nimage: me/app\nservers: [192.0.2.1]\n{registry}\nbuilder: {{ arch: amd64{builder} }}\n"),
        );
        world.write("Dockerfile", "FROM scratch\n");
        world.write(".gitignore", ".kamal/secrets\nignored\n");
        world.write(
            ".kamal/secrets",
            &format!("PASSWORD={PASSWORD}\nTOKEN={TOKEN}\n"),
        );
        for hook in ["pre-connect", "pre-build", "post-deploy"] {
            let text = "#!/bin/sh\necho \"hook $(basename \"$0\") $KAMAL_VERSION\" >> WORLD/log\n";
            world.program(&format!("app/.kamal/hooks/{hook}"), text);
        }
        world.git(&["init", "--quiet"]);
        world.commit("first");
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path("app").join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("make the folder");
        fs::write(path, text).expect("write");
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("make the folder");
        let text = text.replace("WORLD", &self.root.path().display().to_string());
        fs::write(&path, text).expect("write");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("make it a program");
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = format!(
            "{}:/usr/local/bin:/usr/bin:/bin",
            self.path("bin").display()
        );
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .current_dir(self.path("app"))
            .stdin(Stdio::null());
        command
    }

    fn run(&self, command: &mut Command) -> Ended {
        let output = command.output().expect("run the program");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    fn git(&self, arguments: &[&str]) -> String {
        let mut git = self.command("git");
        git.args(["-c", "user.name=T", "-c", "user.email=t@example.com"]);
        let ended = self.run(git.args(arguments));
        assert_eq!(ended.code, 0, "git {arguments:?}: {}", ended.stderr);
        ended.stdout.trim().to_owned()
    }

    fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    fn dhow(&self, arguments: &[&str]) -> Ended {
        self.run(self.command(env!("CARGO_BIN_EXE_dhow")).args(arguments))
    }

    #[track_caller]
    fn succeeds(&self, arguments: &[&str]) -> String {
        let ended = self.dhow(arguments);
        assert_eq!(ended.code, 0, "{}\n{}", ended.stdout, ended.stderr);
        ended.stdout + &ended.stderr
    }

    #[track_caller]
    fn fails(&self, arguments: &[&str]) -> String {
        let ended = self.dhow(arguments);
        assert_eq!(ended.code, 1, "{}\n{}", ended.stdout, ended.stderr);
        ended.stdout + &ended.stderr
    }

    /// What docker and the hooks wrote down since the last time, with `V` for the version.
    fn log(&self) -> Vec<String> {
        let file = self.path("log");
        let text = fs::read_to_string(&file).unwrap_or_default();
        let _ = fs::remove_file(file);
        let text = text.replace(&self.head(), "V");
        text.lines().map(str::to_owned).collect()
    }

    fn kept(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn variable(&self, file: &str, name: &str) -> Option<String> {
        let text = self.kept(file);
        let lines = text.lines().filter_map(|line| line.split_once('='));
        let mut values = lines.filter(|(key, _)| *key == name);
        values.next().map(|(_, value)| value.to_owned())
    }

    /// The directory of the copy that was built.
    fn build_directory(&self) -> PathBuf {
        PathBuf::from(self.kept("build.pwd").trim())
    }

    /// Nothing of the login is left on this machine.
    #[track_caller]
    fn nothing_is_left(&self) {
        let left: Vec<String> = fs::read_dir(self.path("tmp"))
            .expect("the temporary folder")
            .map(|entry| entry.expect("an entry").file_name().display().to_string())
            .filter(|name| name != "kamal-clones")
            .collect();
        assert!(left.is_empty(), "{left:?}");
        assert!(!self.path("home/.docker/config.json").exists());
    }
}

const BUILD: &str = r#"--platform linux/amd64 --builder kamal-local-docker-container -t r.example.com/me/app:V -t r.example.com/me/app:latest --label service=app"#;

#[test]
fn item_222_and_234_push_runs_everything_in_order_and_shows_no_secret() {
    let world = World::new(", secrets: [TOKEN], args: { SHA: 'v-${GIT_SHA}' }");
    fs::write(world.path("builder"), "").expect("write");
    world.write("Dockerfile", "FROM changed\n");
    world.write("new.txt", "");
    let mut dhow = world.command(env!("CARGO_BIN_EXE_dhow"));
    let ended = world.run(dhow.args(["build", "push", "-v"]).env("GIT_SHA", "abc"));
    let said = ended.stdout + &ended.stderr;
    assert_eq!(ended.code, 0, "{said}");

    let log = world.log();
    assert_eq!(
        log,
        [
            "hook pre-connect V",
            "docker --version",
            "docker buildx version",
            "docker login r.example.com -u me --password-stdin",
            "hook pre-build V",
            "docker buildx inspect kamal-local-docker-container",
            &format!(
                "docker buildx build --output=type=registry {BUILD} --build-arg SHA --secret id=TOKEN --file Dockerfile ."
            ),
        ]
    );
    assert!(
        said.contains("Building from a local git clone, so ignoring these uncommitted changes:\n M Dockerfile\n?? new.txt"),
        "{said}"
    );
    for secret in [PASSWORD, TOKEN] {
        assert!(!said.contains(secret), "{said}");
    }

    // The secrets went their ways.
    assert_eq!(world.kept("login.stdin").trim_end(), PASSWORD);
    assert!(!world.kept("login.env").contains(PASSWORD));
    assert_eq!(world.variable("build.env", "TOKEN").as_deref(), Some(TOKEN));
    assert_eq!(world.variable("build.env", "SHA").as_deref(), Some("v-abc"));
    assert!(!world.kept("build.env").contains(PASSWORD));

    // The login was in force, builders are where they always are, and it is gone.
    let config = world.variable("build.env", "DOCKER_CONFIG");
    assert_eq!(config, world.variable("login.env", "DOCKER_CONFIG"));
    assert_eq!(world.kept("build.logins"), "config.json\n");
    assert!(!Path::new(&config.expect("a place")).exists());
    assert_eq!(
        world.variable("build.env", "BUILDX_CONFIG"),
        Some(world.path("home/.docker/buildx").display().to_string())
    );
    world.nothing_is_left();

    // What was built is the commit.
    assert!(!world.kept("build.ls").contains("new.txt"));
    let dockerfile = fs::read_to_string(world.build_directory().join("Dockerfile"));
    assert_eq!(dockerfile.expect("the Dockerfile"), "FROM scratch\n");
}

#[test]
fn item_225_a_builder_that_is_missing_is_made() {
    let world = World::new("");
    let said = world.succeeds(&["build", "push", "--no-cache", "-H"]);
    assert!(
        said.contains("Missing compatible builder, so creating a new one first"),
        "{said}"
    );
    let log = world.log();
    assert_eq!(
        log[3..],
        [
            "docker buildx inspect kamal-local-docker-container".to_owned(),
            "docker buildx rm kamal-local-docker-container".to_owned(),
            "docker buildx create --name kamal-local-docker-container --driver=docker-container"
                .to_owned(),
            format!(
                "docker buildx build --output=type=registry {BUILD} --file Dockerfile --no-cache ."
            ),
        ]
    );
    assert!(!log.iter().any(|line| line.starts_with("hook")), "{log:?}");
}

#[test]
fn item_225_a_check_that_fails_for_another_reason_ends_it() {
    let world = World::new("");
    fs::write(
        world.path("inspect-says"),
        "Cannot connect to the Docker daemon\n",
    )
    .expect("write");
    let said = world.fails(&["build", "push"]);
    assert!(
        said.contains("Cannot connect to the Docker daemon"),
        "{said}"
    );
    let log = world.log();
    assert_eq!(
        log.last().map(String::as_str),
        Some("docker buildx inspect kamal-local-docker-container")
    );
    world.nothing_is_left();
}

#[test]
fn item_229_the_copy_follows_the_repository() {
    let world = World::new(", driver: docker");
    world.succeeds(&["build", "push"]);
    let copy = world.build_directory();
    assert!(
        copy.starts_with(world.path("tmp/kamal-clones")),
        "{}",
        copy.display()
    );

    fs::write(copy.join("junk"), "").expect("write");
    fs::write(copy.join("Dockerfile"), "FROM tampered\n").expect("write");
    world.write("second.txt", "");
    world.commit("second");
    let said = world.succeeds(&["build", "push"]);
    assert!(said.contains("Resetting local clone as `"), "{said}");
    let files = world.kept("build.ls");
    assert!(
        files.contains("second.txt") && !files.contains("junk"),
        "{files}"
    );
    let dockerfile = fs::read_to_string(copy.join("Dockerfile"));
    assert_eq!(dockerfile.expect("the Dockerfile"), "FROM scratch\n");

    // A repository whose history was rewritten, built from a folder in it.
    world.write("web/Dockerfile", "FROM scratch\n");
    world.git(&["add", "--all"]);
    world.git(&["commit", "--quiet", "--amend", "--message", "other"]);
    world.succeeds(&["build", "push"]);
    assert!(world.kept("build.ls").contains("web"));
}

#[test]
fn item_229_a_broken_copy_is_made_anew() {
    let world = World::new(", driver: docker");
    world.succeeds(&["build", "push"]);
    let copy = world.build_directory();
    fs::remove_file(copy.join(".git/HEAD")).expect("break the copy");
    let said = world.succeeds(&["build", "push"]);
    assert!(
        said.contains("Error preparing clone: Failed to clone repo: "),
        "{said}"
    );
    assert!(said.contains(", deleting and retrying..."), "{said}");
    assert!(copy.join(".git/HEAD").exists());
}

#[test]
fn item_222_a_context_builds_the_work_tree() {
    let world = World::new(", context: '.', driver: docker");
    world.write("new.txt", "");
    let said = world.succeeds(&["build", "push", "--version", "1"]);
    assert!(
        said.contains("Building with uncommitted changes:\n ?? new.txt"),
        "{said}"
    );
    assert!(world.kept("build.ls").contains("new.txt"));
    let app = world.path("app").canonicalize().expect("the app");
    assert_eq!(world.build_directory(), app);
    assert!(!world.path("tmp/kamal-clones").exists());
    assert!(
        world
            .log()
            .last()
            .is_some_and(|line| line.contains("-t r.example.com/me/app:1 "))
    );
}

#[test]
fn item_230_a_missing_dockerfile() {
    let world = World::new(", dockerfile: docker/App");
    let said = world.fails(&["build", "push"]);
    assert!(
        said.contains("Kamal::Commands::Builder::Base::BuilderError")
            && said.contains("Missing docker/App"),
        "{said}"
    );
    assert!(!world.log().iter().any(|line| line.contains("buildx build")));
    world.nothing_is_left();
}

#[test]
fn item_223_what_is_missing_here_is_told() {
    let world = World::new("");
    world.program("bin/docker", "#!/bin/sh\n[ \"$1\" = --version ] || { echo \"docker: 'buildx' is not a docker command.\" >&2; exit 1; }\n");
    let said = world.fails(&["build", "push"]);
    assert!(
        said.contains("Kamal::Cli::DependencyError")
            && said.contains("Docker buildx plugin is not installed locally"),
        "{said}"
    );

    // A machine without docker: only what the rest needs.
    let bare = world.path("bare");
    fs::create_dir(&bare).expect("a folder");
    for program in ["sh", "git", "basename"] {
        let found = Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .output();
        let found = String::from_utf8(found.expect("run sh").stdout).expect("a path");
        std::os::unix::fs::symlink(found.trim(), bare.join(program)).expect("link");
    }
    let mut dhow = world.command(env!("CARGO_BIN_EXE_dhow"));
    let ended = world.run(dhow.args(["build", "push"]).env("PATH", &bare));
    let said = ended.stdout + &ended.stderr;
    assert!(
        ended.code == 1 && said.contains("Docker is not installed locally"),
        "{said}"
    );
}

#[test]
fn a_build_that_fails_says_why_and_leaves_no_login() {
    let world = World::new(", driver: docker");
    fs::write(world.path("build-fails"), "").expect("write");
    let said = world.fails(&["build", "push"]);
    assert!(said.contains("failed to solve: broken"), "{said}");
    world.nothing_is_left();
}

#[test]
fn item_228_the_local_registry_is_started_and_nobody_logs_in() {
    let world = World::with_registry("registry: { server: 'localhost:5000' }", "");
    world.succeeds(&["build", "push"]);
    let log = world.log();
    assert_eq!(log[3], "docker start kamal-docker-registry");
    assert!(!log.iter().any(|line| line.contains("login")), "{log:?}");
    assert!(
        log.iter().any(|line| line == "docker buildx create --name kamal-local-registry-docker-container --driver=docker-container --driver-opt network=host"),
        "{log:?}"
    );
    assert_eq!(world.variable("build.env", "DOCKER_CONFIG"), None);
}

#[test]
fn item_231_dev_builds_what_is_there_and_says_so() {
    let world = World::new(", driver: docker");
    world.write("Dockerfile", "FROM changed\n");
    world.write("ü.txt", "");
    world.write("ignored", "");
    let said = world.succeeds(&["build", "dev"]);
    for text in [
        "WARNING: Files with uncommitted changes will be present in the dev container:\n  Dockerfile\n",
        "WARNING: Untracked files will be present in the dev container:\n  .kamal/secrets\n  ü.txt\n",
    ] {
        assert!(said.contains(text), "{said}");
    }
    let log = world.log();
    assert_eq!(log[..2], ["docker --version", "docker buildx version"]);
    assert!(
        log[2].starts_with("docker buildx build --output=type=local,dest="),
        "{log:?}"
    );
    assert_eq!(
        log[3..],
        [
            "docker buildx build --output=type=docker --platform linux/amd64 -t r.example.com/me/app:V-dirty -t r.example.com/me/app:latest-dirty --label service=app --file Dockerfile ."
        ]
    );
    world.nothing_is_left();
}

#[test]
fn item_224_create_remove_details() {
    let world = World::new("");
    world.succeeds(&["build", "create"]);
    world.succeeds(&["build", "remove"]);
    let said = world.succeeds(&["build", "details"]);
    assert!(
        said.contains("Builder: local\nNAME default\nNAME/NODE default\n"),
        "{said}"
    );
    assert_eq!(
        world.log(),
        [
            "docker buildx create --name kamal-local-docker-container --driver=docker-container",
            "docker buildx rm kamal-local-docker-container",
            "docker context ls",
            "docker buildx ls",
        ]
    );
    world.fails(&["build", "remove"]);

    let docker = World::new(", driver: docker");
    docker.succeeds(&["build", "create"]);
    docker.succeeds(&["build", "remove"]);
    assert!(docker.log().is_empty());
}

#[test]
fn item_233_a_build_host_that_is_not_reached_is_told_before_docker_is_asked() {
    let world = World::new(", remote: 'ssh://nobody@127.0.0.1:1', local: false");
    let said = world.fails(&["build", "create"]);
    assert!(said.contains("Errno::ECONNREFUSED"), "{said}");
    assert_eq!(world.log(), ["hook pre-connect V"]);
}

#[test]
fn item_233_what_an_ssh_client_says_does_not_end_it() {
    let world = World::new(", remote: 'tcp://192.0.2.9:2375', local: false");
    fs::write(
        world.path("create-says"),
        "exit status 255: stderr=Permission denied\n",
    )
    .expect("write");
    let said = world.succeeds(&["build", "create"]);
    assert!(
        said.contains("Couldn't create remote builder: Permission denied"),
        "{said}"
    );
    let log = world.log();
    assert!(
        log.iter().any(|line| line
            .starts_with("docker context create kamal-remote-tcp---192-0-2-9-2375-context ")),
        "{log:?}"
    );

    fs::write(world.path("create-says"), "no space left\n").expect("write");
    let said = world.fails(&["build", "create"]);
    assert!(said.contains("no space left"), "{said}");
}

#[test]
fn a_dry_run_shows_the_build_and_runs_nothing() {
    let world = World::new(", secrets: [TOKEN]");
    let said = world.succeeds(&["build", "push", "--dry-run"]);
    for text in [
        "docker login r.example.com -u [REDACTED] --password-stdin",
        " clone ",
        "docker buildx build --output=type=registry",
    ] {
        assert!(said.contains(text), "{text}: {said}");
    }
    assert!(world.log().is_empty());
    assert!(!said.contains(TOKEN) && !said.contains(PASSWORD));
    assert!(!world.path("tmp/kamal-clones").exists());
}
