//! A real server to log in to.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use dhow_ssh::{Connector, ExecOptions, Exit, Session, Settings};
use dhow_testkit::openssh::OpenSshd;

use super::{default_key, settings, soon};

/// Where all tests find their server.
pub const HOST: &str = "127.0.0.1";

/// A server with its folder, which is also the home directory.
pub struct Place {
    pub dir: tempfile::TempDir,
    pub sshd: OpenSshd,
}

impl Place {
    pub fn new(extra: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sshd = OpenSshd::start(dir.path(), extra).unwrap();
        Self { dir, sshd }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn let_in(&self, public: &str) {
        std::fs::write(self.path().join("authorized_keys"), public).unwrap();
    }

    pub fn settings(&self) -> Settings {
        settings(self.path(), self.sshd.port())
    }

    /// With a default key that is let in.
    pub fn ready(extra: &str) -> Self {
        let place = Self::new(extra);
        let public = default_key(place.path());
        place.let_in(&public);
        place
    }

    pub fn config(&self, text: &str) -> Vec<PathBuf> {
        let file = self.path().join("config");
        std::fs::write(&file, text).unwrap();
        vec![file]
    }

    pub fn known_hosts(&self) -> PathBuf {
        self.path().join(".ssh/known_hosts")
    }
}

pub async fn works(settings: Settings) {
    let connector = Connector::new(settings);
    let session = soon(connector.session(HOST)).await.unwrap();
    says_hi(&session).await;
    soon(connector.close()).await;
}

pub async fn says_hi(session: &Session) {
    let exec = session
        .exec("echo hi", &ExecOptions::default())
        .await
        .unwrap();
    let output = soon(exec.output(Bytes::new())).await.unwrap();
    assert_eq!(
        (output.stdout.as_slice(), output.exit),
        (&b"hi\n"[..], Exit::Status(0))
    );
}
