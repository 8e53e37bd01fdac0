//! The certificate cache on disk, in the layout of Go's `autocert`, which kamal-proxy keeps: changing from one proxy to the
//! other orders nothing anew, in both directions, and several proxies may share one.
//!
//! In: the cache's folder and the authority's directory URL. Below the folder lies one folder an authority, named by the
//! SHA-256 of the URL as it is configured (so the default authority is the hash of nothing). In it:
//!
//! | file | content |
//! |---|---|
//! | `acme_account+key` | the account's key, SEC1 (older: `acme_account.key`) |
//! | `<host>` | ECDSA key, then the chain |
//! | `<host>+rsa` | RSA key, then the chain |
//! | `<host>+token` | tls-alpn-01 certificate of an order under way |
//! | `<token>+http-01` | http-01 answer of an order under way |
//! | `dhow+memory` | dhow's own: failures and rate limits; no reader of the layout asks for that name |

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rustls::crypto::CryptoProvider;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::certificate::{Certificate, KeyKind};
use crate::durable_file;
use crate::host_name::HostName;
use crate::moment::Moment;
use crate::private_key::PrivateKey;

const ACCOUNT_KEY: &str = "acme_account+key";
const OLD_ACCOUNT_KEY: &str = "acme_account.key";
const MEMORY: &str = "dhow+memory";

/// No file of the cache is anywhere near as long; longer ones are not ours and not read.
const MAX_FILE: u64 = 1 << 20;

/// One authority's part of a certificate cache.
#[derive(Clone, Debug)]
pub struct CertStore {
    folder: PathBuf,
}

impl CertStore {
    /// The part for `directory_url` (`""` is the default authority) of the cache at `cache`. Touches nothing yet.
    #[must_use]
    pub fn new(cache: &Path, directory_url: &str) -> Self {
        let mut name = String::with_capacity(64);
        for byte in Sha256::digest(directory_url.as_bytes()) {
            for digit in [byte >> 4, byte & 15] {
                name.extend(char::from_digit(u32::from(digit), 16));
            }
        }
        Self {
            folder: cache.join(name),
        }
    }

    /// Where the files lie.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The certificate for `host`, if there is one that can be served at `now`. Whatever else lies there (expired, damaged, for
    /// another host, of the other kind of key) is as good as nothing.
    #[must_use]
    pub fn load(
        &self,
        host: &HostName,
        kind: KeyKind,
        now: Moment,
        provider: &CryptoProvider,
    ) -> Option<Certificate> {
        let text = self.read(&entry_name(host, kind))?;
        Certificate::from_pem(&text, host, now, provider)
            .ok()
            .filter(|certificate| certificate.kind() == kind)
    }

    /// Whether anything was ever kept for `host`, valid or not.
    #[must_use]
    pub fn contains(&self, host: &HostName) -> bool {
        [KeyKind::Ecdsa, KeyKind::Rsa]
            .into_iter()
            .any(|kind| self.folder.join(entry_name(host, kind)).is_file())
    }

    /// Keeps a certificate.
    ///
    /// # Errors
    /// When it cannot be written; the one kept before is then still there.
    pub fn save(&self, host: &HostName, certificate: &Certificate) -> io::Result<()> {
        let name = entry_name(host, certificate.kind());
        durable_file::write(&self.folder, &name, certificate.to_pem().as_bytes())
    }

    /// The account's key, if there is a usable one.
    #[must_use]
    pub fn account_key(&self) -> Option<PrivateKey> {
        [ACCOUNT_KEY, OLD_ACCOUNT_KEY]
            .into_iter()
            .find_map(|name| PrivateKey::from_pem(&self.read(name)?).ok())
    }

    /// Keeps the account's key.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save_account_key(&self, key: &PrivateKey) -> io::Result<()> {
        durable_file::write(&self.folder, ACCOUNT_KEY, key.to_pem().as_bytes())
    }

    /// The answer to an http-01 challenge of an order under way, here or in another proxy on this cache.
    #[must_use]
    pub fn http_answer(&self, token: &str) -> Option<String> {
        self.read(&http_name(token)?)
            .map(|answer| answer.as_str().to_owned())
    }

    /// Keeps the answer to an http-01 challenge.
    ///
    /// # Errors
    /// When it cannot be written, or the token is none.
    pub fn save_http_answer(&self, token: &str, answer: &str) -> io::Result<()> {
        let name = http_name(token).ok_or(ErrorKind::InvalidInput)?;
        durable_file::write(&self.folder, &name, answer.as_bytes())
    }

    /// Forgets the answer to an http-01 challenge.
    pub fn remove_http_answer(&self, token: &str) {
        if let Some(name) = http_name(token) {
            self.remove(&name);
        }
    }

    /// The tls-alpn-01 certificate of an order under way, here or in another proxy on this cache: key and certificate as PEM.
    #[must_use]
    pub fn challenge(&self, host: &HostName) -> Option<Zeroizing<String>> {
        self.read(&challenge_name(host))
    }

    /// Keeps a tls-alpn-01 certificate with its key.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save_challenge(&self, host: &HostName, pem: &str) -> io::Result<()> {
        durable_file::write(&self.folder, &challenge_name(host), pem.as_bytes())
    }

    /// Forgets a tls-alpn-01 certificate.
    pub fn remove_challenge(&self, host: &HostName) {
        self.remove(&challenge_name(host));
    }

    /// What [`save_memory`](Self::save_memory) kept last.
    #[must_use]
    pub fn memory(&self) -> Option<String> {
        self.read(MEMORY).map(|text| text.as_str().to_owned())
    }

    /// Keeps the memory of failures and rate limits.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save_memory(&self, text: &str) -> io::Result<()> {
        durable_file::write(&self.folder, MEMORY, text.as_bytes())
    }

    /// An unreadable file counts as none: what is in it is made anew.
    fn read(&self, name: &str) -> Option<Zeroizing<String>> {
        let path = self.folder.join(name);
        if fs::metadata(&path).ok()?.len() > MAX_FILE {
            return None;
        }
        fs::read_to_string(path).ok().map(Zeroizing::new)
    }

    /// A file that stays does no harm: its order is over, and the next order writes over it.
    fn remove(&self, name: &str) {
        let _ = fs::remove_file(self.folder.join(name));
    }
}

fn entry_name(host: &HostName, kind: KeyKind) -> String {
    match kind {
        KeyKind::Ecdsa => host.to_string(),
        KeyKind::Rsa => format!("{host}+rsa"),
    }
}

fn challenge_name(host: &HostName) -> String {
    format!("{host}+token")
}

/// Tokens come from the network. RFC 8555 §8: base64url characters only, so none can lead out of the folder.
fn http_name(token: &str) -> Option<String> {
    let fits = (1..=200).contains(&token.len())
        && token
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    fits.then(|| format!("{token}+http-01"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::test_authority::{DAY, NOW, TestAuthority, host, provider};

    struct Cache {
        root: tempfile::TempDir,
        store: CertStore,
    }

    fn cache() -> Cache {
        let root = tempfile::tempdir().unwrap();
        let store = CertStore::new(root.path(), "");
        Cache { root, store }
    }

    impl Cache {
        fn put(&self, name: &str, content: &str) {
            durable_file::write(self.store.folder(), name, content.as_bytes()).unwrap();
        }

        fn load(&self, name: &str, kind: KeyKind) -> Option<Certificate> {
            self.store.load(&host(name), kind, NOW, &provider())
        }
    }

    #[test]
    fn item_35_folders_are_named_by_the_hash_of_the_url() {
        let name = |url| {
            let store = CertStore::new(Path::new("/certs"), url);
            store.folder().display().to_string()
        };
        assert_eq!(
            name(""),
            "/certs/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            name("https://acme-staging-v02.api.letsencrypt.org/directory"),
            "/certs/67f2750652314251daad76f012141d33c9f7290f4f8ebb0a006a7f02d394a904"
        );
    }

    #[test]
    fn item_35_the_account_key_is_sec1_and_private() {
        let cache = cache();
        assert!(cache.store.account_key().is_none());
        let key = PrivateKey::generate().unwrap();
        cache.store.save_account_key(&key).unwrap();
        let path = cache.store.folder().join("acme_account+key");
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, *key.to_pem());
        assert!(text.starts_with("-----BEGIN EC PRIVATE KEY-----\n"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(cache.store.folder())), (0o600, 0o700));
    }

    #[test]
    fn the_older_name_of_the_account_key_is_read() {
        let cache = cache();
        let key = PrivateKey::generate().unwrap();
        cache.put("acme_account.key", &key.to_pem());
        let same = |read: &PrivateKey, written: &PrivateKey| read.to_pem() == written.to_pem();
        assert!(same(&cache.store.account_key().unwrap(), &key));
        let newer = PrivateKey::generate().unwrap();
        cache.put("acme_account+key", &newer.to_pem());
        assert!(same(&cache.store.account_key().unwrap(), &newer));
    }

    #[test]
    fn certificates_are_kept_under_their_host() {
        let cache = cache();
        let name = host("App.example.com.");
        assert!(!cache.store.contains(&name));
        let certificate = TestAuthority::new().certificate("app.example.com");
        cache.store.save(&name, &certificate).unwrap();
        let path = cache.store.folder().join("app.example.com");
        assert_eq!(fs::read_to_string(path).unwrap(), certificate.to_pem());
        assert!(cache.store.contains(&name));
        assert!(cache.load("app.example.com", KeyKind::Ecdsa).is_some());
        assert!(cache.load("app.example.com", KeyKind::Rsa).is_none());
        assert_eq!(fs::read_dir(cache.root.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_served_counts_as_kept_but_not_as_there() {
        let cache = cache();
        let authority = TestAuthority::new();
        cache.put(
            "expired.example.com",
            &authority.entry_from("expired.example.com", NOW.minus(DAY * 91)),
        );
        cache.put("damaged.example.com", "not a certificate");
        // An ECDSA certificate in the place of an RSA one.
        cache.put("kind.example.com+rsa", &authority.entry("kind.example.com"));
        for name in [
            "expired.example.com",
            "damaged.example.com",
            "kind.example.com",
        ] {
            assert!(cache.store.contains(&host(name)), "{name}");
            assert!(cache.load(name, KeyKind::Ecdsa).is_none(), "{name}");
            assert!(cache.load(name, KeyKind::Rsa).is_none(), "{name}");
        }
    }

    #[test]
    fn challenges_come_and_go() {
        let cache = cache();
        let name = host("app.example.com");
        cache.store.save_challenge(&name, "pem").unwrap();
        assert!(cache.store.folder().join("app.example.com+token").is_file());
        assert_eq!(*cache.store.challenge(&name).unwrap(), "pem");
        cache.store.remove_challenge(&name);
        assert!(cache.store.challenge(&name).is_none());

        cache.store.save_http_answer("tok_en-1", "answer").unwrap();
        assert!(cache.store.folder().join("tok_en-1+http-01").is_file());
        assert_eq!(cache.store.http_answer("tok_en-1").unwrap(), "answer");
        cache.store.remove_http_answer("tok_en-1");
        assert!(cache.store.http_answer("tok_en-1").is_none());
    }

    #[test]
    fn no_token_leads_out_of_the_folder() {
        let cache = cache();
        fs::write(cache.root.path().join("x+http-01"), "outside").unwrap();
        durable_file::make_folder(cache.store.folder()).unwrap();
        for token in ["../x", "", "a/b", "a.b", &"a".repeat(201)] {
            assert!(cache.store.http_answer(token).is_none(), "{token}");
            assert!(cache.store.save_http_answer(token, "").is_err(), "{token}");
        }
    }
}
