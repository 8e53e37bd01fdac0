//! The certificate cache against files that were not written by this crate.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use dhow_certs::{CertStore, HostName, KeyKind, Moment};

const DEFAULT_AUTHORITY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn content(name: &str) -> String {
    fs::read_to_string(vectors().join(DEFAULT_AUTHORITY).join(name)).unwrap()
}

#[test]
fn item_35_an_account_key_is_read_and_written_byte_for_byte() {
    let key = CertStore::new(&vectors(), "").account_key().unwrap();
    let root = tempfile::tempdir().unwrap();
    let store = CertStore::new(root.path(), "");
    store.save_account_key(&key).unwrap();
    let written = root.path().join(DEFAULT_AUTHORITY).join("acme_account+key");
    assert_eq!(
        fs::read_to_string(written).unwrap(),
        content("acme_account+key")
    );
}

#[test]
fn item_36_certificates_of_both_kinds_are_read_and_written_byte_for_byte() {
    let host = HostName::parse("vector.example.com").unwrap();
    let store = CertStore::new(&vectors(), "");
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let root = tempfile::tempdir().unwrap();
    let copy = CertStore::new(root.path(), "");
    for (kind, name) in [
        (KeyKind::Ecdsa, "vector.example.com"),
        (KeyKind::Rsa, "vector.example.com+rsa"),
    ] {
        let now = Moment::from(SystemTime::now());
        let certificate = store.load(&host, kind, now, &provider).unwrap();
        assert_eq!(certificate.kind(), kind);
        copy.save(&host, &certificate).unwrap();
        let written = fs::read_to_string(copy.folder().join(name)).unwrap();
        assert_eq!(written, content(name));
    }
}
