//! Socket addresses of a target's name. Containers come and go behind a name, so answers are kept only for a
//! moment: long enough that targets without keep-alive do not cost a look-up a request.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

const KEPT: Duration = Duration::from_secs(2);

/// A name with its port, and the addresses found last.
pub(crate) struct Addresses {
    host: String,
    port: u16,
    literal: Option<SocketAddr>,
    known: RefCell<Option<(Instant, Vec<SocketAddr>)>>,
}

impl Addresses {
    pub(crate) fn new(host: &str, port: u16) -> Self {
        let literal = host
            .parse::<IpAddr>()
            .ok()
            .map(|ip| SocketAddr::new(ip, port));
        Self {
            host: host.to_owned(),
            port,
            literal,
            known: RefCell::new(None),
        }
    }

    /// The addresses to try, in order; never empty.
    ///
    /// # Errors
    /// The resolver's error, also when the name has no address.
    pub(crate) async fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        if let Some(address) = self.literal {
            return Ok(vec![address]);
        }
        if let Some((found, addresses)) = &*self.known.borrow()
            && found.elapsed() < KEPT
        {
            return Ok(addresses.clone());
        }
        let addresses: Vec<_> = tokio::net::lookup_host((self.host.as_str(), self.port))
            .await?
            .collect();
        if addresses.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("no address for `{}`", self.host),
            ));
        }
        *self.known.borrow_mut() = Some((Instant::now(), addresses.clone()));
        Ok(addresses)
    }

    /// Forgets what was found, after a connect failed.
    pub(crate) fn forget(&self) {
        *self.known.borrow_mut() = None;
    }
}
