//! Pages for errors the proxy answers itself: built in, or a folder of `<status>.html` templates that a
//! service brings along.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use http::StatusCode;

use crate::request::template::Template;

/// `Content-Type` of every page.
pub(crate) const PAGE_TYPE: &str = "text/html; charset=utf-8";

/// A service's pages; statuses it has none for fall back to the built-in ones.
#[derive(Debug, Default)]
pub(crate) struct ErrorPages {
    custom: BTreeMap<u16, Template>,
}

/// A folder that is no set of pages.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PagesError {
    /// It cannot be read.
    #[error("`{path}`: {source}")]
    Read {
        /// The folder or file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// There is not one `*.html` in it.
    #[error("no html files in `{0}`")]
    Empty(String),
    /// A template does not parse.
    #[error("`{path}`: {reason}")]
    Template {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
}

impl ErrorPages {
    /// Reads every `*.html` of `folder`; all must parse.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(crate) fn load(folder: &Path) -> Result<Self, PagesError> {
        let read = |path: &Path, source| PagesError::Read {
            path: path.display().to_string(),
            source,
        };
        let mut custom = BTreeMap::new();
        let mut files = 0;
        for entry in std::fs::read_dir(folder).map_err(|e| read(folder, e))? {
            let path = entry.map_err(|e| read(folder, e))?.path();
            if path.extension().is_none_or(|extension| extension != "html") {
                continue;
            }
            files += 1;
            let text = std::fs::read_to_string(&path).map_err(|e| read(&path, e))?;
            let template = Template::parse(&text).map_err(|reason| PagesError::Template {
                path: path.display().to_string(),
                reason: reason.to_string(),
            })?;
            let status = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .and_then(|stem| stem.parse().ok());
            if let Some(status) = status {
                custom.insert(status, template);
            }
        }
        if files == 0 {
            return Err(PagesError::Empty(folder.display().to_string()));
        }
        Ok(Self { custom })
    }

    /// The page for `status`; `message` is what a stopped service has to say.
    pub(crate) fn render(&self, status: StatusCode, message: &str) -> Bytes {
        match self.custom.get(&status.as_u16()) {
            Some(template) => Bytes::from(template.render(message)),
            None => built_in(status, message),
        }
    }
}

/// The page for `status` without a service.
pub(crate) fn built_in(status: StatusCode, message: &str) -> Bytes {
    let (title, text) = match status.as_u16() {
        404 => ("404 — Not Found", "There is nothing at this address."),
        413 => (
            "413 — Content Too Large",
            "The request is larger than this site accepts.",
        ),
        502 => (
            "502 — Bad Gateway",
            "The application did not give a valid answer. Please try again.",
        ),
        503 => (
            "503 — Service Temporarily Unavailable",
            "The application is not available right now. Please try again in a moment.",
        ),
        504 => (
            "504 — Gateway Timeout",
            "The application took too long to answer. Please try again.",
        ),
        _ => {
            let reason = status.canonical_reason().unwrap_or_default();
            return Bytes::from(format!("<h1>{} {reason}</h1>", status.as_u16()));
        }
    };
    let text = if status == StatusCode::SERVICE_UNAVAILABLE && !message.is_empty() {
        crate::request::template::escape_html(message)
    } else {
        text.to_owned()
    };
    Bytes::from(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>\nbody {{ margin: 0; min-height: 100vh; display: grid; place-items: center; \
         font: 1.1rem/1.5 system-ui, sans-serif; background: #fff; color: #222 }}\n\
         main {{ max-width: 32rem; padding: 2rem; text-align: center }}\n\
         @media (prefers-color-scheme: dark) {{ body {{ background: #181818; color: #ddd }} }}\n</style>\n\
         </head>\n<body>\n<main>\n<h1>{title}</h1>\n<p>{text}</p>\n</main>\n</body>\n</html>\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &Bytes) -> String {
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    /// parity: proxy 129
    #[test]
    fn built_in_pages() {
        for (status, title) in [
            (404, "Not Found"),
            (413, "Content Too Large"),
            (502, "Bad Gateway"),
            (504, "Gateway Timeout"),
        ] {
            let page = text(&built_in(StatusCode::from_u16(status).unwrap(), "ignored"));
            assert!(page.contains(&format!("<title>{status} — {title}</title>")));
            assert!(!page.contains("ignored"));
        }
        assert_eq!(
            text(&built_in(StatusCode::BAD_REQUEST, "")),
            "<h1>400 Bad Request</h1>"
        );
        let stopped = text(&built_in(StatusCode::SERVICE_UNAVAILABLE, "back <soon>"));
        assert!(stopped.contains("<p>back &lt;soon&gt;</p>"));
    }

    /// parity: proxy 130, 131
    #[test]
    fn custom_pages_win_and_fall_back() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(
            ErrorPages::load(folder.path()),
            Err(PagesError::Empty(_))
        ));
        std::fs::write(folder.path().join("503.html"), "down: {{ .Message }}").unwrap();
        std::fs::write(folder.path().join("notes.txt"), "{{").unwrap();
        let pages = ErrorPages::load(folder.path()).unwrap();
        assert_eq!(
            text(&pages.render(StatusCode::SERVICE_UNAVAILABLE, "<x>")),
            "down: &lt;x&gt;"
        );
        assert!(text(&pages.render(StatusCode::BAD_GATEWAY, "")).contains("502 — Bad Gateway"));
        std::fs::write(folder.path().join("404.html"), "{{ if }").unwrap();
        assert!(matches!(
            ErrorPages::load(folder.path()),
            Err(PagesError::Template { .. })
        ));
        assert!(matches!(
            ErrorPages::load(Path::new("/nowhere")),
            Err(PagesError::Read { .. })
        ));
    }
}
