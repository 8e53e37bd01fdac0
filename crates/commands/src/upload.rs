//! Files that a host is to have: data for whoever carries them there.
//!
//! In: a path, a mode and a content. Out: the same, with a `Debug` that shows no content.

use std::fmt;

use dhow_text::redact::Secret;

/// A file to be written on a host.
#[derive(Clone, PartialEq, Eq)]
pub struct Upload {
    /// Where: relative to the login directory unless it starts with `/`. Not quoted for a shell.
    pub path: String,
    /// Permission bits, such as `0o600`.
    pub mode: u32,
    /// What is in it.
    pub content: Content,
}

/// What is in an [`Upload`].
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// Text that must never be shown, nor stand on an argument list.
    Secret(Secret),
    /// Bytes that anybody may see.
    Public(Vec<u8>),
}

impl Upload {
    /// A file that only its owner may read.
    pub fn secret(path: impl Into<String>, mode: u32, content: Secret) -> Self {
        Self {
            path: path.into(),
            mode,
            content: Content::Secret(content),
        }
    }

    /// A file without secrets.
    pub fn public(path: impl Into<String>, mode: u32, content: impl Into<Vec<u8>>) -> Self {
        Self {
            path: path.into(),
            mode,
            content: Content::Public(content.into()),
        }
    }

    /// Whether the content must not be shown.
    pub fn is_secret(&self) -> bool {
        matches!(self.content, Content::Secret(_))
    }

    /// The bytes to write. Only for writing them.
    pub fn bytes(&self) -> &[u8] {
        match &self.content {
            Content::Secret(secret) => secret.reveal().as_bytes(),
            Content::Public(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("path", &self.path)
            .field("mode", &format_args!("0o{:o}", self.mode))
            .field("content", &self.content)
            .finish()
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(secret) => secret.fmt(f),
            Self::Public(bytes) => write!(f, "Public({} bytes)", bytes.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_secrets_nor_contents() {
        let env = Upload::secret("a.env", 0o600, Secret::new("TOKEN=hunter22\n"));
        assert_eq!(
            format!("{env:?}"),
            r#"Upload { path: "a.env", mode: 0o600, content: Secret([REDACTED]) }"#
        );
        let page = Upload::public("404.html", 0o644, "lost");
        assert_eq!(
            format!("{page:?}"),
            r#"Upload { path: "404.html", mode: 0o644, content: Public(4 bytes) }"#
        );
        assert!(env.is_secret() && !page.is_secret());
        assert_eq!(page.bytes(), b"lost");
    }
}
