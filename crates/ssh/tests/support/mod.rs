//! What the tests share: settings that touch nothing of the machine's own, and waiting with a limit.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    reason = "each test program uses its own part"
)]

pub mod place;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dhow_ssh::{Notice, Notify, Place, Settings};

/// Nothing here may take longer.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Settings whose home is `home`, for a server on 127.0.0.1 at `port`.
pub fn settings(home: &Path, port: u16) -> Settings {
    let mut settings = Settings::new(Place {
        home: home.to_owned(),
        cwd: home.to_owned(),
        local_user: "me".to_owned(),
        local_host: "localhost".to_owned(),
        uid: 0,
        agent_socket: None,
        env: Arc::new(|_| None),
    });
    settings.port = port;
    settings.connect_timeout = Duration::from_secs(20);
    settings
}

/// Makes the default key in `home` and returns its public line.
pub fn default_key(home: &Path) -> String {
    key(home, "id_ed25519", &["-t", "ed25519"], "")
}

/// Makes a key file in `home/.ssh` and returns its public line.
pub fn key(home: &Path, name: &str, kind: &[&str], passphrase: &str) -> String {
    let file = home.join(".ssh").join(name);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let path = file.to_string_lossy().into_owned();
    let mut args = vec!["-q", "-N", passphrase, "-C", name, "-f", &path];
    args.extend(kind);
    dhow_testkit::openssh::keygen(&args).unwrap();
    std::fs::read_to_string(format!("{path}.pub")).unwrap()
}

/// Collects what is told.
pub fn listen(settings: &mut Settings) -> Arc<Mutex<Vec<Notice>>> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = heard.clone();
    settings.notify = Some(Notify::new(move |notice| sink.lock().unwrap().push(notice)));
    heard
}

/// Fails the test when `work` takes longer than the limit.
pub async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, work)
        .await
        .expect("took too long")
}
