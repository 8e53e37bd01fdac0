//! Error pages that the proxy shows when the app can't.
//!
//! In: the names and contents of local files. Out: commands and uploads for the app's hosts.

use dhow_config::Config;
use dhow_text::shell::Cmd;

use crate::{Upload, paths};

/// Whether a local file is an error page: `4xx.html` or `5xx.html`.
pub fn is_error_page(file_name: &str) -> bool {
    let Some(code) = file_name.strip_suffix(".html") else {
        return false;
    };
    code.chars().count() == 3 && code.starts_with(['4', '5'])
}

/// Makes the directory of all versions' error pages.
pub fn make_directory(config: &Config) -> Cmd {
    Cmd::new("mkdir")
        .arg("-p")
        .arg(paths::error_pages_directory(config))
}

/// Makes the directory of a version's error pages, for carriers that don't make parents.
pub fn make_version_directory(config: &Config, version: &str) -> Cmd {
    Cmd::new("mkdir")
        .arg("-p")
        .arg(paths::error_pages(config, version))
}

/// A page of a version; `mode` are the local file's permissions.
pub fn upload(
    config: &Config,
    version: &str,
    file_name: &str,
    mode: u32,
    content: impl Into<Vec<u8>>,
) -> Upload {
    let path = format!("{}/{file_name}", paths::error_pages(config, version));
    Upload::public(path, mode, content)
}

/// Removes the pages of all versions but one.
pub fn clean_up(config: &Config, version: &str) -> Cmd {
    Cmd::new("find")
        .arg(paths::error_pages_directory(config))
        .arg(format!(
            "-mindepth 1 -maxdepth 1 ! -name {version} -exec rm -rf {{}} +"
        ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{app, staged};

    #[test]
    fn item_164_only_pages_for_errors() {
        for page in ["404.html", "500.html", "4xx.html"] {
            assert!(is_error_page(page), "{page}");
        }
        for other in [
            "300.html",
            "4040.html",
            "404.htm",
            "404.html.erb",
            "index.html",
        ] {
            assert!(!is_error_page(other), "{other}");
        }
    }

    #[test]
    fn item_164_lines() {
        let config = app();
        assert_eq!(
            make_directory(&config).real(),
            "mkdir -p .kamal/proxy/apps-config/app/error_pages"
        );
        assert_eq!(
            clean_up(&config, "123").real(),
            "find .kamal/proxy/apps-config/app/error_pages -mindepth 1 -maxdepth 1 ! -name 123 -exec rm -rf {} +"
        );
        let config = staged();
        assert_eq!(
            make_version_directory(&config, "123").real(),
            "mkdir -p .kamal/proxy/apps-config/app-stg/error_pages/123"
        );
        assert_eq!(
            clean_up(&config, "123").real(),
            "find .kamal/proxy/apps-config/app-stg/error_pages -mindepth 1 -maxdepth 1 ! -name 123 -exec rm -rf {} +"
        );
        let page = upload(&config, "123", "404.html", 0o644, "lost");
        assert_eq!(
            page.path,
            ".kamal/proxy/apps-config/app-stg/error_pages/123/404.html"
        );
        assert_eq!((page.mode, page.bytes()), (0o644, b"lost".as_slice()));
    }
}
