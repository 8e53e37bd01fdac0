//! Signs an authentication request with a key of the ring, which is decrypted only now if need be.

use russh::keys::agent::AgentIdentity;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_encoding::Encode as _;
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::{HashAlg, PrivateKey};

use super::keys::{Key, KeyRing};

/// A key together with the ring that unlocks it.
pub(crate) struct RingSigner<'a> {
    pub(crate) ring: &'a KeyRing,
    pub(crate) key: &'a Key,
}

/// Why a signature could not be made, as a fragment.
#[derive(Debug)]
pub(crate) struct SignError(pub(crate) String);

impl From<russh::SendError> for SignError {
    fn from(_: russh::SendError) -> Self {
        Self("the connection was closed".to_owned())
    }
}

impl russh::Signer for RingSigner<'_> {
    type Error = SignError;

    async fn auth_sign(
        &mut self,
        _identity: &AgentIdentity,
        hash: Option<HashAlg>,
        mut to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, SignError> {
        let private = self.ring.unlock(self.key).await.map_err(SignError)?;
        let blob = tokio::task::spawn_blocking(move || {
            let blob = sign(&private, hash, &to_sign)?;
            // The answer is the request with the signature, as an SSH string, after it (RFC 4252, section 7).
            blob.encode(&mut to_sign)
                .map_err(|error| error.to_string())?;
            Ok(to_sign)
        });
        blob.await
            .unwrap_or_else(|_| Err("signing was cut off".to_owned()))
            .map_err(SignError)
    }
}

fn sign(private: &PrivateKey, hash: Option<HashAlg>, data: &[u8]) -> Result<Vec<u8>, String> {
    let signature = match private.key_data() {
        KeypairData::Rsa(pair) => (pair, hash).try_sign(data),
        other => other.try_sign(data),
    };
    let mut blob = Vec::new();
    signature
        .map_err(|error| error.to_string())?
        .encode(&mut blob)
        .map_err(|error| error.to_string())?;
    Ok(blob)
}
