//! Private keys, read once and decrypted once for all hosts of a run.
//!
//! Decrypting a passphrase key costs some 0.2 s of CPU (bcrypt KDF): done per host it would dominate a deploy to many. A key is only
//! decrypted when a server has said that it would accept it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use russh::keys::{Certificate, PrivateKey, PublicKey, decode_secret_key};
use tokio::sync::OnceCell;

use super::prompt::Prompt;
use crate::secret::Secret;
use crate::settings::Question;

/// How often a passphrase is asked for.
const PASSPHRASE_ATTEMPTS: u32 = 3;

/// The default key files in `~/.ssh`, in OpenSSH's order less the kinds that need hardware.
pub(crate) const DEFAULT_NAMES: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];

/// All keys of a run.
#[derive(Clone)]
pub(crate) struct KeyRing {
    slots: Arc<Mutex<HashMap<PathBuf, Slot>>>,
    data: Arc<Vec<OnceCell<Arc<Key>>>>,
    texts: Arc<Vec<Secret>>,
    prompt: Prompt,
}

type Slot = Arc<OnceCell<Option<Arc<Key>>>>;

/// A key of which at least the source is known.
pub(crate) struct Key {
    /// Path or label.
    pub(crate) name: String,
    /// The public half, when it can be told without a passphrase.
    pub(crate) public: Option<PublicKey>,
    /// A certificate lying next to the file.
    pub(crate) certificate: Option<Certificate>,
    private: Private,
    unlocked: OnceCell<Result<Arc<PrivateKey>, String>>,
}

enum Private {
    /// Usable as it is.
    Open(Arc<PrivateKey>),
    /// Encrypted text.
    Locked(Secret),
    /// Only the public half is here; an agent may hold the other.
    Absent,
    /// Unusable, with the reason.
    Broken(String),
}

impl KeyRing {
    /// A ring with the keys given as text.
    pub(crate) fn new(texts: Vec<Secret>, prompt: Prompt) -> Self {
        Self {
            slots: Arc::default(),
            data: Arc::new(texts.iter().map(|_| OnceCell::new()).collect()),
            texts: Arc::new(texts),
            prompt,
        }
    }

    /// The keys that were given as text.
    pub(crate) async fn data(&self) -> Vec<Arc<Key>> {
        let mut keys = Vec::new();
        for (index, (cell, text)) in self.data.iter().zip(self.texts.iter()).enumerate() {
            let read = || async move {
                let name = format!("key_data[{index}]");
                Arc::new(Key::from_text(name, text.clone(), None, None))
            };
            keys.push(cell.get_or_init(read).await.clone());
        }
        keys
    }

    /// The key in a file; `None` when neither the file nor its `.pub` exists.
    pub(crate) async fn file(&self, path: &Path) -> Option<Arc<Key>> {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.entry(path.to_owned()).or_default().clone()
        };
        let read = || async {
            let path = path.to_owned();
            let read = tokio::task::spawn_blocking(move || Key::from_file(&path));
            read.await.ok().flatten().map(Arc::new)
        };
        slot.get_or_init(read).await.clone()
    }

    /// The private half, decrypted on first use; `Err` is the reason why there is none, as a fragment.
    pub(crate) async fn unlock(&self, key: &Key) -> Result<Arc<PrivateKey>, String> {
        let text = match &key.private {
            Private::Open(private) => return Ok(private.clone()),
            Private::Absent => return Err("only its public half is here".to_owned()),
            Private::Broken(reason) => return Err(reason.clone()),
            Private::Locked(text) => text,
        };
        key.unlocked
            .get_or_init(|| self.decrypt(&key.name, text))
            .await
            .clone()
    }

    async fn decrypt(&self, name: &str, text: &Secret) -> Result<Arc<PrivateKey>, String> {
        if !self.prompt.is_manned() {
            return Err("encrypted, and nobody is there to ask for its passphrase".to_owned());
        }
        for attempt in 1..=PASSPHRASE_ATTEMPTS {
            let question = Question::Passphrase {
                key: name.to_owned(),
                attempt,
            };
            let Some(passphrase) = self.prompt.ask(question).await else {
                return Err("encrypted, and no passphrase was given".to_owned());
            };
            let text = text.clone();
            let decrypted = tokio::task::spawn_blocking(move || {
                decode_secret_key(text.reveal(), Some(passphrase.reveal())).ok()
            });
            if let Ok(Some(private)) = decrypted.await {
                return Ok(Arc::new(private));
            }
        }
        Err("encrypted, and the passphrase is wrong".to_owned())
    }
}

impl Key {
    fn from_file(path: &Path) -> Option<Self> {
        let name = path.display().to_string();
        let beside = |suffix: &str| {
            let mut file = path.as_os_str().to_owned();
            file.push(suffix);
            std::fs::read_to_string(PathBuf::from(file)).ok()
        };
        let public = beside(".pub").and_then(|text| PublicKey::from_openssh(text.trim()).ok());
        let certificate =
            beside("-cert.pub").and_then(|text| Certificate::from_openssh(text.trim()).ok());
        match std::fs::read(path) {
            Ok(bytes) => {
                let text = Secret::new(String::from_utf8_lossy(&bytes));
                Some(Self::from_text(name, text, public, certificate))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                public.map(|public| Self {
                    name,
                    public: Some(public),
                    certificate,
                    private: Private::Absent,
                    unlocked: OnceCell::new(),
                })
            }
            Err(error) => Some(Self {
                name,
                public,
                certificate,
                private: Private::Broken(error.to_string()),
                unlocked: OnceCell::new(),
            }),
        }
    }

    fn from_text(
        name: String,
        text: Secret,
        public: Option<PublicKey>,
        certificate: Option<Certificate>,
    ) -> Self {
        let (private, public) = read(text, public);
        Self {
            name,
            public,
            certificate,
            private,
            unlocked: OnceCell::new(),
        }
    }

    /// Whether the private half might be had here.
    pub(crate) fn has_private(&self) -> bool {
        !matches!(self.private, Private::Absent)
    }

    /// Why the key can't be used at all, if so.
    pub(crate) fn broken(&self) -> Option<&str> {
        match &self.private {
            Private::Broken(reason) => Some(reason),
            _ => None,
        }
    }
}

fn read(text: Secret, beside: Option<PublicKey>) -> (Private, Option<PublicKey>) {
    // A configuration may name the public file of a key whose private half only the agent has.
    if let Ok(public) = PublicKey::from_openssh(text.reveal().trim()) {
        return (Private::Absent, Some(public));
    }
    match decode_secret_key(text.reveal(), None) {
        Ok(private) => {
            let public = private.public_key().clone();
            (Private::Open(Arc::new(private)), Some(public))
        }
        Err(russh::keys::Error::KeyIsEncrypted) => {
            // OpenSSH's own format tells the public half in clear.
            let inside = PrivateKey::from_openssh(text.reveal()).ok();
            let public = inside.map(|key| key.public_key().clone()).or(beside);
            (Private::Locked(text), public)
        }
        Err(_) if uses_old_cipher(text.reveal()) => {
            let reason = "encrypted in an old way, convert it with `ssh-keygen -p -f`".to_owned();
            (Private::Broken(reason), beside)
        }
        Err(_) if text.reveal().contains("ENCRYPTED") => (Private::Locked(text), beside),
        Err(error) => (
            Private::Broken(format!("not a usable private key: {error}")),
            beside,
        ),
    }
}

/// PEM keys name their cipher; of the old ones only the one that OpenSSH wrote can be read here.
fn uses_old_cipher(text: &str) -> bool {
    text.contains("DEK-Info:") && !text.contains("DEK-Info: AES-128-CBC,")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring() -> KeyRing {
        KeyRing::new(Vec::new(), Prompt::new(None))
    }

    #[tokio::test]
    async fn a_missing_file_is_nothing_and_rubbish_is_broken() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        assert!(ring().file(&path).await.is_none());
        std::fs::write(&path, "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END").unwrap();
        let key = ring().file(&path).await.unwrap();
        assert!(
            key.broken()
                .is_some_and(|reason| reason.starts_with("not a usable private key"))
        );
        std::fs::write(&path, [0xff, 0xfe, 0]).unwrap();
        assert!(ring().file(&path).await.unwrap().broken().is_some());
    }
    #[tokio::test]
    async fn an_old_cipher_is_told_from_a_wrong_passphrase() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let text = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        std::fs::write(&path, text).unwrap();
        let key = ring().file(&path).await.unwrap();
        assert!(
            key.broken()
                .is_some_and(|reason| reason.contains("old way"))
        );
    }
}
