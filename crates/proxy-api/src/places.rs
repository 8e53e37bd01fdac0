//! Where the proxy keeps things, worked out from the environment it is given: the control socket, the data
//! folder, the state file, the certificate cache. Also the ports and switches that come by environment.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::acme_env::AcmeEnv;
use crate::literal::{parse_bool, parse_int};

/// The part of the environment the proxy looks at, gathered once at the edge.
#[derive(Clone, Debug, Default)]
pub struct ProxyEnv {
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// The folder for temporary files: `TMPDIR` or `/tmp`.
    pub tmp: PathBuf,
    /// `XDG_RUNTIME_DIR`.
    pub xdg_runtime_dir: Option<PathBuf>,
    /// Whether `TZ` says which time zone is meant.
    pub names_time_zone: bool,
    /// `KAMAL_PROXY_SOCKET`.
    pub kamal_proxy_socket: Option<PathBuf>,
    /// Default of `--debug`.
    pub debug: Option<bool>,
    /// Default of `--http-port`.
    pub http_port: Option<i64>,
    /// Default of `--https-port`.
    pub https_port: Option<i64>,
    /// Default of `--metrics-port`.
    pub metrics_port: Option<i64>,
    /// How certificates are ordered.
    pub acme: AcmeEnv,
}

impl ProxyEnv {
    /// Reads what is needed through `lookup`, which answers like `std::env::var_os`.
    ///
    /// `KAMAL_PROXY_<KEY>` goes before `<KEY>`; a value that does not parse counts as not set and does not
    /// fall through to the other name.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        let path = |key: &str| {
            lookup(key)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let text = |key: &str| {
            lookup(&format!("KAMAL_PROXY_{key}"))
                .filter(|value| !value.is_empty())
                .or_else(|| lookup(key).filter(|value| !value.is_empty()))
                .map(|value| value.to_string_lossy().into_owned())
        };
        let int = |key: &str| text(key).and_then(|value| parse_int(&value).ok());
        Self {
            home: path("HOME"),
            tmp: path("TMPDIR").unwrap_or_else(|| PathBuf::from("/tmp")),
            xdg_runtime_dir: path("XDG_RUNTIME_DIR"),
            names_time_zone: lookup("TZ").is_some(),
            kamal_proxy_socket: path("KAMAL_PROXY_SOCKET"),
            debug: text("DEBUG").and_then(|value| parse_bool(&value).ok()),
            http_port: int("HTTP_PORT"),
            https_port: int("HTTPS_PORT"),
            metrics_port: int("METRICS_PORT"),
            acme: AcmeEnv::from_text(text),
        }
    }

    /// The control socket: `$KAMAL_PROXY_SOCKET`, else `kamal-proxy.sock` in `$XDG_RUNTIME_DIR`, else in the
    /// temporary folder.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        match (&self.kamal_proxy_socket, &self.xdg_runtime_dir) {
            (Some(socket), _) => socket.clone(),
            (None, Some(runtime)) => runtime.join("kamal-proxy.sock"),
            (None, None) => self.tmp.join("kamal-proxy.sock"),
        }
    }

    /// The data folder that should be used: `$HOME/.config/kamal-proxy`, or below the temporary folder
    /// without a home. `XDG_CONFIG_HOME` plays no part.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.home
            .as_ref()
            .unwrap_or(&self.tmp)
            .join(".config")
            .join("kamal-proxy")
    }
}

/// Files below a data folder that exists.
#[derive(Clone, Debug)]
pub struct Places {
    /// The folder itself.
    pub data_dir: PathBuf,
}

impl Places {
    /// The state file.
    #[must_use]
    pub fn state_file(&self) -> PathBuf {
        self.data_dir.join("kamal-proxy.state")
    }

    /// The default certificate cache.
    #[must_use]
    pub fn certificates(&self) -> PathBuf {
        self.data_dir.join("certs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> ProxyEnv {
        ProxyEnv::from_lookup(|key| {
            pairs
                .iter()
                .find(|(name, _)| *name == key)
                .map(|(_, value)| OsString::from(value))
        })
    }

    /// parity: proxy 21
    #[test]
    fn socket_rules() {
        assert_eq!(env(&[]).socket(), PathBuf::from("/tmp/kamal-proxy.sock"));
        assert_eq!(
            env(&[("TMPDIR", "/t")]).socket(),
            PathBuf::from("/t/kamal-proxy.sock")
        );
        assert_eq!(
            env(&[("TMPDIR", "/t"), ("XDG_RUNTIME_DIR", "/r")]).socket(),
            PathBuf::from("/r/kamal-proxy.sock")
        );
        assert_eq!(
            env(&[("KAMAL_PROXY_SOCKET", "/s"), ("XDG_RUNTIME_DIR", "/r")]).socket(),
            PathBuf::from("/s")
        );
        assert_eq!(
            env(&[("KAMAL_PROXY_SOCKET", "")]).socket(),
            PathBuf::from("/tmp/kamal-proxy.sock")
        );
    }

    #[test]
    fn data_lives_under_home() {
        let places = Places {
            data_dir: env(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")]).data_dir(),
        };
        assert_eq!(
            places.state_file(),
            PathBuf::from("/h/.config/kamal-proxy/kamal-proxy.state")
        );
        assert_eq!(
            env(&[]).data_dir(),
            PathBuf::from("/tmp/.config/kamal-proxy")
        );
    }

    /// parity: proxy 17
    #[test]
    fn a_broken_prefixed_value_hides_the_plain_one() {
        assert_eq!(
            env(&[("KAMAL_PROXY_HTTP_PORT", "8080"), ("HTTP_PORT", "9")]).http_port,
            Some(8080)
        );
        assert_eq!(env(&[("HTTP_PORT", "9")]).http_port, Some(9));
        assert_eq!(
            env(&[("KAMAL_PROXY_HTTP_PORT", "x"), ("HTTP_PORT", "9")]).http_port,
            None
        );
        assert_eq!(env(&[("DEBUG", "1")]).debug, Some(true));
    }
}
