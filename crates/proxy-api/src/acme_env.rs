//! How certificates are ordered, as far as the proxy's environment says: from whom, on whose account, whom to trust on the way.
//! kamal-proxy has none of this; unset, the proxy behaves as it does.
//!
//! In: `ACME_DIRECTORY`, `ACME_EMAIL`, `ACME_EAB_KID`, `ACME_EAB_HMAC_KEY` (or `…_FILE`) and `ACME_CA_FILE`, each also with
//! `KAMAL_PROXY_` before it. Out: their values, unchecked.

use std::fmt;
use std::path::PathBuf;

/// The environment's word on certificates.
#[derive(Clone, Default)]
pub struct AcmeEnv {
    /// `ACME_DIRECTORY`: the authority's directory URL for services that name none.
    pub directory: Option<String>,
    /// `ACME_EMAIL`: where the authority may write to; several are separated by commas.
    pub email: Vec<String>,
    /// `ACME_EAB_KID`: the identifier of an account made by other ways than ACME (RFC 8555 §7.3.4).
    pub eab_key_id: Option<String>,
    /// `ACME_EAB_HMAC_KEY`: its key, in base64url. A secret.
    pub eab_hmac_key: Option<String>,
    /// `ACME_EAB_HMAC_KEY_FILE`: a file with that key, where the environment is no place for it.
    pub eab_hmac_key_file: Option<PathBuf>,
    /// `ACME_CA_FILE`: PEM certificates to trust besides the public ones when talking to an authority.
    pub ca_file: Option<PathBuf>,
}

impl AcmeEnv {
    /// Reads through `text`, which answers for a key with and without its prefix.
    pub(crate) fn from_text(text: impl Fn(&str) -> Option<String>) -> Self {
        let email = text("ACME_EMAIL").unwrap_or_default();
        Self {
            directory: text("ACME_DIRECTORY"),
            email: email
                .split(',')
                .map(str::trim)
                .filter(|address| !address.is_empty())
                .map(str::to_owned)
                .collect(),
            eab_key_id: text("ACME_EAB_KID"),
            eab_hmac_key: text("ACME_EAB_HMAC_KEY"),
            eab_hmac_key_file: text("ACME_EAB_HMAC_KEY_FILE").map(PathBuf::from),
            ca_file: text("ACME_CA_FILE").map(PathBuf::from),
        }
    }
}

impl fmt::Debug for AcmeEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcmeEnv")
            .field("directory", &self.directory)
            .field("email", &self.email)
            .field("eab_key_id", &self.eab_key_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_a_list_and_the_key_is_not_shown() {
        let env = AcmeEnv::from_text(|key| {
            let value = match key {
                "ACME_EMAIL" => "ops@example.com, dev@example.com,",
                "ACME_EAB_KID" => "kid-1",
                "ACME_EAB_HMAC_KEY" => "c2VjcmV0",
                _ => return None,
            };
            Some(value.to_owned())
        });
        assert_eq!(env.email, ["ops@example.com", "dev@example.com"]);
        assert_eq!(env.eab_hmac_key.as_deref(), Some("c2VjcmV0"));
        let shown = format!("{env:?}");
        assert!(
            shown.contains("kid-1") && !shown.contains("c2VjcmV0"),
            "{shown}"
        );
        assert!(AcmeEnv::from_text(|_| None).email.is_empty());
    }
}
