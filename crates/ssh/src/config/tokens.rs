//! Percent tokens, `~` and `${NAME}` in the values of `ssh_config(5)`.

use std::path::PathBuf;

use sha1::{Digest, Sha1};

use crate::settings::Place;

/// What the tokens of one connection stand for.
#[derive(Debug, Clone)]
pub(crate) struct Tokens<'a> {
    /// `%h`: the host name that is dialled.
    pub(crate) host: &'a str,
    /// `%n`: the host as the user named it.
    pub(crate) original: &'a str,
    /// `%p`.
    pub(crate) port: u16,
    /// `%r`: the remote user.
    pub(crate) user: &'a str,
    /// `%j`: the jump specification, or nothing.
    pub(crate) jump: &'a str,
    /// `%k`: the host key alias, or the original name.
    pub(crate) alias: &'a str,
    /// The local machine.
    pub(crate) place: &'a Place,
}

impl Tokens<'_> {
    /// Replaces the percent tokens in `text`; `Err` names the token that means nothing here.
    pub(crate) fn expand(&self, text: &str) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            match chars.next() {
                Some('%') => out.push('%'),
                Some('h') => out.push_str(self.host),
                Some('n') => out.push_str(self.original),
                Some('p') => out.push_str(&self.port.to_string()),
                Some('r') => out.push_str(self.user),
                Some('u') => out.push_str(&self.place.local_user),
                Some('d') => out.push_str(&self.place.home.to_string_lossy()),
                Some('i') => out.push_str(&self.place.uid.to_string()),
                Some('j') => out.push_str(self.jump),
                Some('k') => out.push_str(self.alias),
                Some('l') => out.push_str(&self.place.local_host),
                Some('L') => {
                    out.push_str(self.place.local_host.split('.').next().unwrap_or_default());
                }
                Some('C') => out.push_str(&self.connection_hash()),
                Some(other) => return Err(format!("unknown token `%{other}`")),
                None => return Err("a `%` at the end means nothing".to_owned()),
            }
        }
        Ok(out)
    }

    /// A path with `~`, `${NAME}` and tokens replaced; relative ones start at the working directory.
    pub(crate) fn path(&self, text: &str) -> Result<PathBuf, String> {
        let text = variables(text, self.place)?;
        let text = self.expand(&text)?;
        Ok(home(&text, self.place))
    }

    /// SHA-1 over `%l%h%p%r%j` in hexadecimal, as OpenSSH builds `%C`.
    fn connection_hash(&self) -> String {
        let mut hash = Sha1::new();
        for part in [
            self.place.local_host.as_str(),
            self.host,
            &self.port.to_string(),
            self.user,
            self.jump,
        ] {
            hash.update(part.as_bytes());
        }
        hash.finalize().iter().fold(String::new(), |mut out, byte| {
            for nibble in [byte >> 4, byte & 15] {
                out.extend(char::from_digit(u32::from(nibble), 16));
            }
            out
        })
    }
}

/// `~` and `~/…` to the home directory; other relative paths to the working directory.
pub(crate) fn home(text: &str, place: &Place) -> PathBuf {
    match text.strip_prefix('~') {
        Some("") => place.home.clone(),
        Some(rest) if rest.starts_with('/') => place.home.join(rest.trim_start_matches('/')),
        _ => place.cwd.join(text),
    }
}

/// Replaces `${NAME}`; an unset variable is an error, as in OpenSSH.
fn variables(text: &str, place: &Place) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            return Err("`${` without `}`".to_owned());
        };
        match (place.env)(name) {
            Some(value) => out.push_str(&value),
            None => return Err(format!("environment variable `{name}` is not set")),
        }
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;

    pub(crate) fn place() -> Place {
        Place {
            home: "/home/me".into(),
            cwd: "/srv/app".into(),
            local_user: "me".into(),
            local_host: "laptop.example".into(),
            uid: 1000,
            agent_socket: None,
            env: Arc::new(|name| (name == "KEYS").then(|| "/keys".to_owned())),
        }
    }

    #[test]
    fn expands_tokens_paths_and_variables() {
        let place = place();
        let tokens = Tokens {
            host: "10.0.0.1",
            original: "web",
            port: 2222,
            user: "root",
            jump: "",
            alias: "web",
            place: &place,
        };
        assert_eq!(
            tokens.expand("%% %h %n %p %r %u %d %i %L %l %k").unwrap(),
            "% 10.0.0.1 web 2222 root me /home/me 1000 laptop laptop.example web"
        );
        // printf 'laptop.example10.0.0.12222root' | sha1sum
        assert_eq!(
            tokens.expand("%C").unwrap(),
            "81d9d3a64a0681302b1f270e9fbe26bd8309b771"
        );
        assert!(tokens.expand("%z").is_err());
        assert!(tokens.expand("x%").is_err());
        assert_eq!(
            tokens.path("~/.ssh/%h").unwrap(),
            Path::new("/home/me/.ssh/10.0.0.1")
        );
        assert_eq!(tokens.path("${KEYS}/a").unwrap(), Path::new("/keys/a"));
        assert_eq!(tokens.path("rel").unwrap(), Path::new("/srv/app/rel"));
        assert!(tokens.path("${NOPE}/a").is_err());
    }
}
