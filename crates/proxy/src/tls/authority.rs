//! What the environment says about certificate authorities, read and checked.
//!
//! In: the texts as they stand there, and the files they name. Out: settings to order with. A part that cannot be used is told in
//! the log and left out: what is in the cache is served all the same.

use std::fs;

use dhow_certs::ExternalAccount;
use dhow_proxy_api::AcmeEnv;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::observe::log::LogSender;

/// Settings to order with.
pub(crate) struct Authority {
    /// Directory for services that name none; `""` is the manager's default.
    pub(crate) directory: String,
    /// Addresses for authorities, as `mailto:` URLs.
    pub(crate) contact: Vec<String>,
    /// The account at `directory` made by other ways than ACME.
    pub(crate) external: Option<ExternalAccount>,
    /// Whom to trust on the way to authorities, besides those whom browsers trust.
    pub(crate) roots: Vec<CertificateDer<'static>>,
}

impl Authority {
    /// Reads what `env` says.
    pub(crate) fn read(env: &AcmeEnv, log: &LogSender) -> Self {
        let complain = |what: &str, error: &str| {
            log.error(
                "Ignored a TLS setting",
                &[("setting", what), ("error", error)],
            );
        };
        let mut roots = Vec::new();
        if let Some(path) = &env.ca_file {
            let read = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| error.to_string());
            match read {
                Ok(found) if !found.is_empty() => roots = found,
                Ok(_) => complain("ACME_CA_FILE", "the file holds no certificate"),
                Err(error) => complain("ACME_CA_FILE", &error),
            }
        }
        let external = match external_account(env) {
            Ok(external) => external,
            Err((what, error)) => {
                complain(what, &error);
                None
            }
        };
        Self {
            directory: env.directory.clone().unwrap_or_default(),
            contact: env
                .email
                .iter()
                .map(|address| match address.strip_prefix("mailto:") {
                    Some(_) => address.clone(),
                    None => format!("mailto:{address}"),
                })
                .collect(),
            external,
            roots,
        }
    }
}

/// The account made by other ways than ACME, or which setting is wrong and how.
fn external_account(env: &AcmeEnv) -> Result<Option<ExternalAccount>, (&'static str, String)> {
    const KEY: &str = "ACME_EAB_HMAC_KEY";
    const FILE: &str = "ACME_EAB_HMAC_KEY_FILE";
    let (name, key) = match (&env.eab_hmac_key, &env.eab_hmac_key_file) {
        (Some(key), _) => (KEY, Some(key.clone())),
        (None, Some(path)) => {
            let read = fs::read_to_string(path).map_err(|error| (FILE, error.to_string()))?;
            (FILE, Some(read))
        }
        (None, None) => (KEY, None),
    };
    let (key_id, key) = match (&env.eab_key_id, key) {
        (Some(key_id), Some(key)) => (key_id, key),
        (None, None) => return Ok(None),
        (Some(_), None) => return Err((KEY, "missing beside ACME_EAB_KID".to_owned())),
        (None, Some(_)) => {
            let why = "missing beside the key".to_owned();
            return Err(("ACME_EAB_KID", why));
        }
    };
    ExternalAccount::from_text(key_id, &key)
        .map(Some)
        .ok_or_else(|| (name, "not in base64url".to_owned()))
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn env(key_id: Option<&str>, key: Option<&str>) -> AcmeEnv {
        AcmeEnv {
            eab_key_id: key_id.map(str::to_owned),
            eab_hmac_key: key.map(str::to_owned),
            ..AcmeEnv::default()
        }
    }

    fn told(env: &AcmeEnv) -> String {
        let Err((setting, why)) = external_account(env) else {
            return String::new();
        };
        format!("{setting}: {why}")
    }

    #[test]
    fn an_external_account_needs_both_parts() {
        assert!(external_account(&env(None, None)).unwrap().is_none());
        for key in ["c2VjcmV0", "c2VjcmV0\n", "c2VjcmV0cw", "c2VjcmV0cw=="] {
            let account = external_account(&env(Some("kid"), Some(key)))
                .unwrap()
                .unwrap();
            assert_eq!(account.key_id, "kid");
            assert!(account.hmac_key.starts_with(b"secret"));
        }
        assert_eq!(
            told(&env(Some("kid"), None)),
            "ACME_EAB_HMAC_KEY: missing beside ACME_EAB_KID"
        );
        assert_eq!(
            told(&env(None, Some("c2VjcmV0"))),
            "ACME_EAB_KID: missing beside the key"
        );
        // The key is not quoted.
        assert_eq!(
            told(&env(Some("kid"), Some("not base64!"))),
            "ACME_EAB_HMAC_KEY: not in base64url"
        );
    }

    #[test]
    fn the_key_may_stand_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "c2VjcmV0\n").unwrap();
        let mut env = AcmeEnv {
            eab_hmac_key_file: Some(path),
            ..env(Some("kid"), None)
        };
        assert_eq!(
            **external_account(&env).unwrap().unwrap().hmac_key,
            *b"secret"
        );
        env.eab_hmac_key_file = Some(folder.path().join("none"));
        assert!(told(&env).starts_with("ACME_EAB_HMAC_KEY_FILE: "));
    }

    #[test]
    fn what_cannot_be_used_is_left_out() {
        let (log, writer) =
            crate::observe::log::start(std::io::sink(), TimeZone::UTC, false).unwrap();
        let env = AcmeEnv {
            email: vec!["ops@example.com".into(), "mailto:dev@example.com".into()],
            ca_file: Some("/nowhere.pem".into()),
            ..env(Some("kid"), Some("?"))
        };
        let read = Authority::read(&env, &log);
        assert_eq!(
            read.contact,
            ["mailto:ops@example.com", "mailto:dev@example.com"]
        );
        assert!(read.external.is_none() && read.roots.is_empty());
        assert_eq!(read.directory, "");
        drop(log);
        writer.finish();
    }
}
