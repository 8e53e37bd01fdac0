//! A certificate from files that somebody else keeps up to date. When the files change, the new certificate is served without a
//! deploy; when the new files are damaged or do not go together (one of the two may already be written and the other not
//! yet), the old certificate stays.
//!
//! In: two paths. Out: what rustls serves now.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::sign::CertifiedKey;

/// How often files are looked at.
pub const WATCH_INTERVAL: Duration = Duration::from_secs(10);

/// A certificate from files.
pub struct CustomCertificate {
    chain: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<CertifiedKey>,
    /// The files as they were when last looked at, so that one change is one try and one message.
    seen: Mutex<Stamps>,
}

/// A certificate that cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum CustomCertificateError {
    /// A file is missing or holds no PEM of the kind expected.
    #[error("`{path}`: {reason}")]
    Pem {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// No certificates were in the file.
    #[error("`{0}` holds no certificate")]
    Empty(String),
    /// Chain and key do not go together.
    #[error(transparent)]
    Pair(#[from] rustls::Error),
}

/// Identity, time and size of both files; `None` for one that is not there.
type Stamps = [Option<(u64, u64, i64, i64, u64)>; 2];

impl CustomCertificate {
    /// Loads the chain (leaf first) and its key.
    ///
    /// # Errors
    /// Files that cannot be served.
    pub fn load(
        chain: &Path,
        key: &Path,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, CustomCertificateError> {
        // Taken before reading: a change in between is seen at the next look.
        let stamps = [stamp(chain), stamp(key)];
        let certified = read(chain, key, &provider)?;
        Ok(Self {
            chain: chain.to_owned(),
            key: key.to_owned(),
            provider,
            current: ArcSwap::from_pointee(certified),
            seen: Mutex::new(stamps),
        })
    }

    /// What to serve now.
    #[must_use]
    pub fn current(&self) -> Arc<CertifiedKey> {
        self.current.load_full()
    }

    /// Looks at the files; `true` if new ones are served from now on.
    ///
    /// # Errors
    /// New files that cannot be served. The old certificate stays, and the same files are not tried again.
    pub fn refresh(&self) -> Result<bool, CustomCertificateError> {
        let stamps = [stamp(&self.chain), stamp(&self.key)];
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if *seen == stamps {
                return Ok(false);
            }
            *seen = stamps;
        }
        let certified = read(&self.chain, &self.key, &self.provider)?;
        self.current.store(Arc::new(certified));
        Ok(true)
    }

    /// Looks at the files every `interval` for as long as the certificate is held by anyone, and tells `report` what came of
    /// each change. To be spawned on a runtime with time.
    pub fn watch(
        self: &Arc<Self>,
        interval: Duration,
        report: impl Fn(Result<(), CustomCertificateError>) + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        let certificate = Arc::downgrade(self);
        async move {
            loop {
                tokio::time::sleep(interval).await;
                let Some(certificate) = certificate.upgrade() else {
                    return;
                };
                match tokio::task::spawn_blocking(move || certificate.refresh()).await {
                    Ok(Ok(true)) => report(Ok(())),
                    Ok(Err(error)) => report(Err(error)),
                    Ok(Ok(false)) | Err(_) => {}
                }
            }
        }
    }
}

impl fmt::Debug for CustomCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomCertificate")
            .field("chain", &self.chain)
            .finish_non_exhaustive()
    }
}

fn stamp(path: &Path) -> Option<(u64, u64, i64, i64, u64)> {
    let found = fs::metadata(path).ok()?;
    Some((
        found.dev(),
        found.ino(),
        found.mtime(),
        found.mtime_nsec(),
        found.len(),
    ))
}

fn read(
    chain_path: &Path,
    key_path: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, CustomCertificateError> {
    let failed = |path: &Path, error: pem::Error| CustomCertificateError::Pem {
        path: path.display().to_string(),
        reason: error.to_string(),
    };
    let chain = CertificateDer::pem_file_iter(chain_path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| failed(chain_path, error))?;
    if chain.is_empty() {
        let path = chain_path.display().to_string();
        return Err(CustomCertificateError::Empty(path));
    }
    let key = PrivateKeyDer::from_pem_file(key_path).map_err(|error| failed(key_path, error))?;
    Ok(CertifiedKey::from_der(chain, key, provider)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_authority::{TestAuthority, provider};

    struct Files {
        _root: tempfile::TempDir,
        chain: PathBuf,
        key: PathBuf,
    }

    impl Files {
        fn new(entry: &str) -> Self {
            let root = tempfile::tempdir().unwrap();
            let files = Self {
                chain: root.path().join("chain.pem"),
                key: root.path().join("key.pem"),
                _root: root,
            };
            files.put(entry);
            files
        }

        /// As careful writers do, so that a change is a new file even within the clock's grain.
        fn replace(path: &Path, text: &str) {
            let beside = path.with_extension("new");
            fs::write(&beside, text).unwrap();
            fs::rename(beside, path).unwrap();
        }

        fn put(&self, entry: &str) {
            let (key, chain) = parts(entry);
            Self::replace(&self.chain, chain);
            Self::replace(&self.key, key);
        }

        fn load(&self) -> Result<CustomCertificate, CustomCertificateError> {
            CustomCertificate::load(&self.chain, &self.key, Arc::new(provider()))
        }
    }

    fn parts(entry: &str) -> (&str, &str) {
        entry.split_at(entry.find("-----BEGIN CERT").unwrap())
    }

    #[test]
    fn new_files_are_served_and_unchanged_ones_left_alone() {
        let authority = TestAuthority::new();
        let files = Files::new(&authority.entry("a.example.com"));
        let certificate = files.load().unwrap();
        let first = certificate.current();
        assert!(!certificate.refresh().unwrap());
        files.put(&authority.entry("a.example.com"));
        assert!(certificate.refresh().unwrap());
        assert_ne!(certificate.current().cert, first.cert);
        assert!(!certificate.refresh().unwrap());
    }

    #[test]
    fn damaged_new_files_keep_the_old_certificate() {
        let authority = TestAuthority::new();
        let files = Files::new(&authority.entry("a.example.com"));
        let certificate = files.load().unwrap();
        let first = certificate.current();
        Files::replace(&files.chain, "not a certificate");
        assert!(certificate.refresh().is_err());
        assert!(!certificate.refresh().unwrap(), "told once");
        // The chain is new, the key still the old one.
        let next = authority.entry("a.example.com");
        Files::replace(&files.chain, parts(&next).1);
        assert!(certificate.refresh().is_err());
        fs::remove_file(&files.key).unwrap();
        assert!(certificate.refresh().is_err());
        assert!(Arc::ptr_eq(&certificate.current(), &first));
        Files::replace(&files.key, parts(&next).0);
        assert!(certificate.refresh().unwrap());
        assert!(!Arc::ptr_eq(&certificate.current(), &first));
    }

    #[test]
    fn item_59_swapped_or_missing_files_are_refused() {
        let files = Files::new(&TestAuthority::new().entry("a.example.com"));
        let provider = Arc::new(provider());
        let load = |chain: &Path, key: &Path| {
            CustomCertificate::load(chain, key, Arc::clone(&provider))
                .unwrap_err()
                .to_string()
        };
        let chain = files.chain.display();
        assert_eq!(
            load(&files.key, &files.chain),
            format!("`{}` holds no certificate", files.key.display())
        );
        assert!(load(&files.chain, &files.chain).starts_with(&format!("`{chain}`: ")));
        let missing = Path::new("/nowhere.pem");
        assert!(load(missing, &files.key).starts_with("`/nowhere.pem`: "));
    }

    #[tokio::test(start_paused = true)]
    async fn the_watch_reports_changes_and_ends_with_the_certificate() {
        let authority = TestAuthority::new();
        let files = Files::new(&authority.entry("a.example.com"));
        let certificate = Arc::new(files.load().unwrap());
        let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let report = move |outcome: Result<(), _>| told.send(outcome.is_ok()).unwrap_or_default();
        let watch = tokio::spawn(certificate.watch(WATCH_INTERVAL, report));
        files.put(&authority.entry("a.example.com"));
        assert_eq!(heard.recv().await, Some(true));
        Files::replace(&files.chain, "");
        assert_eq!(heard.recv().await, Some(false));
        drop(certificate);
        watch.await.unwrap();
    }
}
