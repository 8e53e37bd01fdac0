//! The account at an ACME authority: looked up by the key in the cache, or made at the first order.
//!
//! In: contact addresses and, where the authority wants it, credentials from elsewhere. Out: the account to order with.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use instant_acme::{
    Account, AccountBuilder, Error, ExternalAccountKey, Key, NewAccount, NewOrder, Order,
};
use rustls::pki_types::PrivateKeyDer;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::acme_client::AcmeClient;
use crate::fetch::Fetcher;
use crate::issuer::ChallengeKind;
use crate::private_key::PrivateKey;
use crate::store::CertStore;

/// The account to order with, and whom to trust.
#[derive(Clone)]
pub struct AcmeSettings {
    /// Addresses for the authority to write to, as `mailto:` URLs.
    pub contact: Vec<String>,
    /// Ties the ACME account to one at the authority's (RFC 8555 §7.3.4).
    pub external_account: Option<ExternalAccount>,
    /// Challenges to use, the preferred one first; not empty.
    pub challenges: Vec<ChallengeKind>,
    /// Requests to the authority.
    pub fetcher: Fetcher,
    /// How dhow names itself to the authority.
    pub user_agent: HeaderValue,
}

/// Credentials from an authority that gives accounts by other ways than ACME.
#[derive(Clone)]
pub struct ExternalAccount {
    /// The key's identifier.
    pub key_id: String,
    /// The key, decoded.
    pub hmac_key: Zeroizing<Vec<u8>>,
}

impl ExternalAccount {
    /// With the key as authorities give it: in base64url, padded or not. `None` if it is something else.
    #[must_use]
    pub fn from_text(key_id: &str, hmac_key: &str) -> Option<Self> {
        let key = hmac_key.trim().trim_end_matches('=');
        Some(Self {
            key_id: key_id.to_owned(),
            hmac_key: URL_SAFE_NO_PAD.decode(key).ok()?.into(),
        })
    }
}

/// The account, once it is needed.
pub(crate) struct AcmeAccount {
    contact: Vec<String>,
    external: Option<ExternalAccount>,
    directory: String,
    store: CertStore,
    client: AcmeClient,
    opened: Mutex<Option<Account>>,
}

impl AcmeAccount {
    pub(crate) fn new(
        settings: &AcmeSettings,
        directory: String,
        store: CertStore,
        client: AcmeClient,
    ) -> Self {
        Self {
            contact: settings.contact.clone(),
            external: settings.external_account.clone(),
            directory,
            store,
            client,
            opened: Mutex::default(),
        }
    }

    /// The account. Whoever comes while it is being opened waits for it.
    pub(crate) async fn get(&self) -> Result<Account, Error> {
        let mut opened = self.opened.lock().await;
        if let Some(account) = &*opened {
            return Ok(account.clone());
        }
        let account = self.open().await?;
        *opened = Some(account.clone());
        Ok(account)
    }

    /// Places an order. An account that the authority does not know any more is opened anew next time.
    pub(crate) async fn place(
        &self,
        account: &Account,
        order: &NewOrder<'_>,
    ) -> Result<Order, Error> {
        let placed = account.new_order(order).await;
        if let Err(error) = &placed
            && is_problem(error, &["accountDoesNotExist", "unauthorized"])
        {
            *self.opened.lock().await = None;
        }
        placed
    }

    async fn open(&self) -> Result<Account, Error> {
        let kept = self.store.account_key();
        if let Some(key) = &kept {
            let directory = self.directory.clone();
            match self.builder().from_key(acme_key(key)?, directory).await {
                Ok((account, _)) => return self.with_contact(account).await,
                Err(error) if is_problem(&error, &["accountDoesNotExist"]) => {}
                Err(error) => return Err(error),
            }
        }
        match &self.external {
            Some(external) => self.register_bound(external).await,
            None => self.register(kept).await,
        }
    }

    async fn register(&self, kept: Option<PrivateKey>) -> Result<Account, Error> {
        let key = match kept {
            Some(key) => key,
            None => {
                let key = PrivateKey::generate().map_err(|error| Error::Other(Box::new(error)))?;
                // Before the account is made: one whose key is lost could not be used again.
                self.keep(&key)?;
                key
            }
        };
        let directory = self.directory.clone();
        let (account, _) = self
            .builder()
            .create_from_key(acme_key(&key)?, directory)
            .await?;
        self.with_contact(account).await
    }

    /// The library makes the key itself when there is an external account.
    async fn register_bound(&self, external: &ExternalAccount) -> Result<Account, Error> {
        let contact = self.contact();
        let new = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let binding = ExternalAccountKey::new(external.key_id.clone(), &external.hmac_key);
        let (account, credentials) = self
            .builder()
            .create(&new, self.directory.clone(), Some(&binding))
            .await?;
        let key = PrivateKey::from_der(credentials.private_key().secret_pkcs8_der())
            .map_err(|error| Error::Other(Box::new(error)))?;
        self.keep(&key)?;
        Ok(account)
    }

    async fn with_contact(&self, account: Account) -> Result<Account, Error> {
        let contact = self.contact();
        if !contact.is_empty() {
            account.update_contacts(&contact).await?;
        }
        Ok(account)
    }

    fn contact(&self) -> Vec<&str> {
        self.contact.iter().map(String::as_str).collect()
    }

    fn keep(&self, key: &PrivateKey) -> Result<(), Error> {
        self.store
            .save_account_key(key)
            .map_err(|error| Error::Other(Box::new(error)))
    }

    fn builder(&self) -> AccountBuilder {
        Account::builder_with_http(Box::new(self.client.clone()))
    }
}

/// Whether the authority answered with one of these kinds of problem (RFC 8555 §6.7).
pub(crate) fn is_problem(error: &Error, kinds: &[&str]) -> bool {
    let Error::Api(problem) = error else {
        return false;
    };
    problem
        .r#type
        .as_deref()
        .and_then(|name| name.strip_prefix("urn:ietf:params:acme:error:"))
        .is_some_and(|name| kinds.contains(&name))
}

fn acme_key(key: &PrivateKey) -> Result<(Key, PrivateKeyDer<'static>), Error> {
    let pkcs8 = key.pkcs8().clone_key();
    let key = Key::from_pkcs8_der(key.pkcs8())?;
    Ok((key, PrivateKeyDer::Pkcs8(pkcs8)))
}

impl fmt::Debug for AcmeSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcmeSettings")
            .field("contact", &self.contact)
            .field("challenges", &self.challenges)
            .finish_non_exhaustive()
    }
}
