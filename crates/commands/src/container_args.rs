//! Arguments that `docker run` gets for app containers and for accessories alike.
//!
//! In: pieces of the deploy file. Out: quoted words, in Kamal's order.

use dhow_config::{Logging, Pairs};
use dhow_text::shell::{OptionStyle, ShellValue, key_values, options, quote_value};

/// The host name of a container: the host's first 51 characters without a final dot, and twelve random hex digits, so that it
/// stays within the 64 that Linux allows.
pub fn container_hostname(host: &str, hex: &str) -> String {
    let short: String = host.chars().take(51).collect();
    let short = short.strip_suffix('.').unwrap_or(&short);
    format!("{short}-{hex}")
}

/// `--env KEY="value"`, for a value that is known to be there.
pub(crate) fn env(key: &str, value: &str) -> [String; 2] {
    ["--env".to_owned(), format!("{key}={}", quote_value(value))]
}

/// `--flag key="value"` for every pair.
pub(crate) fn pairs(flag: &str, pairs: &Pairs) -> Vec<String> {
    key_values(flag, pairs.iter().map(|(k, v)| (k.as_str(), v)))
}

/// `--key "value"` for every pair.
pub(crate) fn docker_options(pairs: &Pairs) -> Vec<String> {
    options(
        OptionStyle::Space,
        pairs.iter().map(|(k, v)| (k.as_str(), v)),
    )
}

/// The log driver and its options; docker's default driver with 10 MB files where nothing is said.
pub(crate) fn logging(logging: &Logging) -> Vec<String> {
    if logging.driver.is_none() && logging.options.is_empty() {
        let size = ShellValue::Text("10m".to_owned());
        return key_values("--log-opt", [("max-size", &size)]);
    }
    let mut words = Vec::new();
    if let Some(driver) = &logging.driver {
        words.extend(["--log-driver".to_owned(), quote_value(driver)]);
    }
    words.extend(pairs("--log-opt", &logging.options));
    words
}

/// `--volume v`, verbatim.
pub(crate) fn volumes(volumes: &[String]) -> Vec<String> {
    volumes
        .iter()
        .flat_map(|volume| ["--volume".to_owned(), volume.clone()])
        .collect()
}

/// `host:container[:options]`, the host path below the login directory unless it is absolute.
pub(crate) fn volume(host_path: &str, container_path: &str, options: Option<&str>) -> String {
    let base = if host_path.starts_with('/') {
        ""
    } else {
        "$PWD/"
    };
    let options = options.map(|o| format!(":{o}")).unwrap_or_default();
    format!("{base}{host_path}:{container_path}{options}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn item_132_hostname_is_cut_and_loses_one_final_dot() {
        assert_eq!(
            container_hostname("127.0.0.1", "0123456789ab"),
            "127.0.0.1-0123456789ab"
        );
        let long = format!("{}.example.com", "a".repeat(50));
        assert_eq!(
            container_hostname(&long, "0123456789ab"),
            format!("{}-0123456789ab", "a".repeat(50))
        );
        assert_eq!(container_hostname("h..", "00"), "h.-00");
    }

    #[test]
    fn item_135_log_arguments() {
        let args = |driver: Option<&str>, options: &[(&str, &str)]| {
            let logging = Logging {
                driver: driver.map(str::to_owned),
                options: sample::pairs(options),
            };
            super::logging(&logging).join(" ")
        };
        assert_eq!(args(None, &[]), r#"--log-opt max-size="10m""#);
        assert_eq!(args(Some("local"), &[]), r#"--log-driver "local""#);
        assert_eq!(
            args(Some("local"), &[("max-size", "5m"), ("max-file", "3")]),
            r#"--log-driver "local" --log-opt max-size="5m" --log-opt max-file="3""#
        );
        assert_eq!(
            args(None, &[("max-size", "5m")]),
            r#"--log-opt max-size="5m""#
        );
    }
}
