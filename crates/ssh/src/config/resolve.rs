//! Walks the files and collects what holds for one host.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::block::{self, ConfigError, Directive};
use super::host_config::{HostConfig, IdentityAgent};
use super::matching::matches_list;
use super::tokens::Tokens;
use crate::settings::Place;

/// How deep files may include one another, as in OpenSSH.
const MAX_DEPTH: usize = 16;

/// The host that is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// As the user named it.
    pub host: &'a str,
    /// Login name when it is known beforehand; wins over `User`.
    pub user: Option<&'a str>,
    /// Port when it is known beforehand; wins over `Port`.
    pub port: Option<u16>,
}

/// Collects the options for a host. May run commands (`Match exec`), so call it where blocking is allowed.
///
/// # Errors
/// A file that exists but can't be read, a line that can't be understood, a token that means nothing, files nested too deep.
/// Unknown keywords are left alone: other programs and newer versions bring their own.
pub fn resolve(
    files: &[PathBuf],
    query: Query<'_>,
    place: &Place,
) -> Result<HostConfig, ConfigError> {
    let mut walk = Walk {
        query,
        place,
        found: HostConfig {
            user: query.user.map(str::to_owned),
            port: query.port,
            ..HostConfig::default()
        },
        final_pass: false,
        wants_final: false,
        identity_files: Vec::new(),
        certificate_files: Vec::new(),
        identity_agent: None,
        user_known_hosts: None,
        global_known_hosts: None,
    };
    walk.files(files)?;
    if walk.wants_final {
        walk.final_pass = true;
        walk.files(files)?;
    }
    walk.finish()
}

/// A value together with the place it was written at, kept until the tokens in it can be expanded.
#[derive(Debug, Clone)]
struct Written {
    text: String,
    file: PathBuf,
    line: usize,
}

impl Written {
    fn error(&self, reason: String) -> ConfigError {
        ConfigError {
            file: self.file.clone(),
            line: self.line,
            reason,
        }
    }
}

struct Walk<'a> {
    query: Query<'a>,
    place: &'a Place,
    found: HostConfig,
    final_pass: bool,
    wants_final: bool,
    identity_files: Vec<Written>,
    certificate_files: Vec<Written>,
    identity_agent: Option<Written>,
    user_known_hosts: Option<Vec<Written>>,
    global_known_hosts: Option<Vec<Written>>,
}

impl Walk<'_> {
    fn files(&mut self, files: &[PathBuf]) -> Result<(), ConfigError> {
        for file in files {
            self.file(file, true, false, 0)?;
        }
        Ok(())
    }

    /// `active` is whether the file starts inside a matching block; `never` whether nothing in it may match.
    fn file(
        &mut self,
        file: &Path,
        active: bool,
        never: bool,
        depth: usize,
    ) -> Result<(), ConfigError> {
        let mut active = active;
        for directive in block::read(file)? {
            let fail = |reason: String| ConfigError {
                file: file.to_owned(),
                line: directive.line,
                reason,
            };
            let words = &directive.words;
            match words.keyword.as_str() {
                "host" => {
                    active = !never
                        && matches_list(
                            &self.pattern_host(),
                            words.args.iter().map(String::as_str),
                        );
                }
                "match" => active = self.condition(&words.args).map_err(fail)? && !never,
                "include" => {
                    if depth + 1 >= MAX_DEPTH {
                        return Err(fail("too many nested includes".to_owned()));
                    }
                    for argument in &words.args {
                        for inner in block::included(argument, file, self.place) {
                            self.file(&inner, active, never || !active, depth + 1)?;
                        }
                    }
                }
                _ if active => self.option(file, &directive).map_err(fail)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// What `Host` patterns are compared with: the name as given, in the final pass the resolved one.
    fn pattern_host(&self) -> String {
        if self.final_pass {
            self.host_name()
        } else {
            self.query.host.to_owned()
        }
    }

    fn host_name(&self) -> String {
        self.found
            .host_name
            .clone()
            .unwrap_or_else(|| self.query.host.to_owned())
    }

    fn tokens<'b>(&'b self, host: &'b str) -> Tokens<'b> {
        Tokens {
            host,
            original: self.query.host,
            port: self.found.port.unwrap_or(22),
            user: self.found.user.as_deref().unwrap_or(&self.place.local_user),
            jump: self
                .found
                .proxy_jump
                .as_deref()
                .filter(|jump| !jump.eq_ignore_ascii_case("none"))
                .unwrap_or_default(),
            alias: self
                .found
                .host_key_alias
                .as_deref()
                .unwrap_or(self.query.host),
            place: self.place,
        }
    }

    fn condition(&mut self, args: &[String]) -> Result<bool, String> {
        if args.is_empty() {
            return Err("`Match` without a condition".to_owned());
        }
        let mut args = args.iter();
        let mut holds = true;
        while let Some(word) = args.next() {
            let (negated, word) = match word.strip_prefix('!') {
                Some(rest) => (true, rest),
                None => (false, word.as_str()),
            };
            let word = word.to_ascii_lowercase();
            let (name, inline) = match word.split_once('=') {
                Some((name, _)) => (name.to_owned(), true),
                None => (word, false),
            };
            let result = match name.as_str() {
                "all" => true,
                "canonical" => self.final_pass,
                "final" => {
                    self.wants_final = true;
                    self.final_pass
                }
                _ => {
                    if inline {
                        return Err(format!("`{name}=` is not understood, write `{name} value`"));
                    }
                    let Some(value) = args.next() else {
                        return Err(format!("`Match {name}` needs a value"));
                    };
                    self.criterion(&name, value, holds)?
                }
            };
            holds &= result != negated;
        }
        Ok(holds)
    }

    fn criterion(&self, name: &str, value: &str, still_holds: bool) -> Result<bool, String> {
        let list = |text: &str| matches_list(text, value.split(','));
        match name {
            "host" => Ok(list(&self.host_name())),
            "originalhost" => Ok(list(self.query.host)),
            "user" => Ok(list(
                self.found.user.as_deref().unwrap_or(&self.place.local_user),
            )),
            "localuser" => Ok(list(&self.place.local_user)),
            // As in OpenSSH a command is run only when everything before it holds.
            "exec" if !still_holds => Ok(false),
            "exec" => {
                let host = self.host_name();
                run(&self.tokens(&host).expand(value)?)
            }
            // No tag can be given here, so only the empty one matches.
            "tagged" => Ok(list("")),
            other => Err(format!("unknown condition `{other}` in `Match`")),
        }
    }

    fn option(&mut self, file: &Path, directive: &Directive) -> Result<(), String> {
        let words = &directive.words;
        let written = |text: &str| Written {
            text: text.to_owned(),
            file: file.to_owned(),
            line: directive.line,
        };
        let first = || {
            words
                .args
                .first()
                .map(String::as_str)
                .ok_or_else(|| format!("`{}` needs a value", words.keyword))
        };
        let found = &mut self.found;
        match words.keyword.as_str() {
            "hostname" => keep(&mut found.host_name, || {
                host_name(first()?, self.query.host)
            })?,
            "user" => keep(&mut found.user, || Ok(first()?.to_owned()))?,
            "port" => keep(&mut found.port, || {
                let text = first()?;
                text.parse()
                    .ok()
                    .filter(|port| *port != 0)
                    .ok_or_else(|| format!("bad port `{text}`"))
            })?,
            "identityfile" => {
                let written = written(first()?);
                if !self.identity_files.iter().any(|w| w.text == written.text) {
                    self.identity_files.push(written);
                }
            }
            "certificatefile" => self.certificate_files.push(written(first()?)),
            "identityagent" => keep(&mut self.identity_agent, || Ok(written(first()?)))?,
            "identitiesonly" => keep(&mut found.identities_only, || yes_no(first()?))?,
            "proxyjump" if found.proxy_command.is_none() => {
                keep(&mut found.proxy_jump, || Ok(first()?.to_owned()))?;
            }
            "proxycommand" => {
                // `ProxyJump none` keeps out later jump hosts, but not a command: so OpenSSH has it.
                let jumps = found
                    .proxy_jump
                    .as_deref()
                    .is_some_and(|jump| !jump.eq_ignore_ascii_case("none"));
                if found.proxy_command.is_none() && !jumps {
                    found.proxy_command = Some(words.rest.trim().to_owned());
                }
            }
            "stricthostkeychecking" => keep(&mut found.strict_host_key_checking, || {
                let text = first()?.to_ascii_lowercase();
                match text.as_str() {
                    "yes" | "true" | "no" | "false" | "off" | "ask" | "accept-new" => Ok(text),
                    _ => Err(format!("bad value `{text}`")),
                }
            })?,
            "userknownhostsfile" => keep(&mut self.user_known_hosts, || {
                Ok(words.args.iter().map(|a| written(a)).collect())
            })?,
            "globalknownhostsfile" => keep(&mut self.global_known_hosts, || {
                Ok(words.args.iter().map(|a| written(a)).collect())
            })?,
            "hashknownhosts" => keep(&mut found.hash_known_hosts, || yes_no(first()?))?,
            "hostkeyalias" => keep(&mut found.host_key_alias, || Ok(first()?.to_owned()))?,
            "forwardagent" => keep(&mut found.forward_agent, || {
                // A socket path means yes, to that agent.
                Ok(yes_no(first()?).unwrap_or(true))
            })?,
            "connecttimeout" => keep_some(&mut found.connect_timeout, || duration(first()?))?,
            "serveraliveinterval" => {
                keep_some(&mut found.server_alive_interval, || duration(first()?))?;
            }
            "serveralivecountmax" => keep(&mut found.server_alive_count_max, || {
                let text = first()?;
                text.parse().map_err(|_| format!("bad number `{text}`"))
            })?,
            "batchmode" => keep(&mut found.batch_mode, || yes_no(first()?))?,
            "pubkeyauthentication" => keep(&mut found.pubkey_authentication, || {
                Ok(yes_no(first()?).unwrap_or(true))
            })?,
            "passwordauthentication" => {
                keep(&mut found.password_authentication, || yes_no(first()?))?;
            }
            "kbdinteractiveauthentication" | "challengeresponseauthentication" => {
                keep(&mut found.kbd_interactive_authentication, || {
                    yes_no(first()?)
                })?;
            }
            "addressfamily" => keep_some(&mut found.only_ipv6, || {
                match first()?.to_ascii_lowercase().as_str() {
                    "any" => Ok(None),
                    "inet" => Ok(Some(false)),
                    "inet6" => Ok(Some(true)),
                    other => Err(format!("bad value `{other}`")),
                }
            })?,
            _ => {}
        }
        Ok(())
    }

    /// Expands what was kept back, now that host, user and port are settled.
    fn finish(self) -> Result<HostConfig, ConfigError> {
        let mut out = self.found.clone();
        let host = self.host_name();
        let tokens = self.tokens(&host);
        let path = |w: &Written| tokens.path(&w.text).map_err(|reason| w.error(reason));
        let none = |w: &Written| w.text.eq_ignore_ascii_case("none");
        out.no_identity_files = self.identity_files.iter().any(none);
        for written in self.identity_files.iter().filter(|w| !none(w)) {
            out.identity_files.push(path(written)?);
        }
        for written in self.certificate_files.iter().filter(|w| !none(w)) {
            out.certificate_files.push(path(written)?);
        }
        out.identity_agent = match &self.identity_agent {
            None => None,
            Some(w) if none(w) => Some(IdentityAgent::None),
            Some(w) if w.text == "SSH_AUTH_SOCK" => Some(IdentityAgent::Environment),
            Some(w) => Some(IdentityAgent::Socket(
                match w.text.strip_prefix('$').filter(|n| !n.starts_with('{')) {
                    Some(name) => PathBuf::from((self.place.env)(name).ok_or_else(|| {
                        w.error(format!("environment variable `{name}` is not set"))
                    })?),
                    None => path(w)?,
                },
            )),
        };
        let list = |written: &Option<Vec<Written>>| {
            written
                .as_ref()
                .map(|list| {
                    list.iter()
                        .filter(|w| !none(w))
                        .map(path)
                        .collect::<Result<Vec<_>, _>>()
                })
                .transpose()
        };
        out.user_known_hosts = list(&self.user_known_hosts)?;
        out.global_known_hosts = list(&self.global_known_hosts)?;
        Ok(out)
    }
}

fn keep<T>(slot: &mut Option<T>, value: impl FnOnce() -> Result<T, String>) -> Result<(), String> {
    // The value is read even when an earlier one wins, so that a wrong line is told whatever stands above it.
    let value = value()?;
    slot.get_or_insert(value);
    Ok(())
}

fn keep_some<T>(
    slot: &mut Option<T>,
    value: impl FnOnce() -> Result<Option<T>, String>,
) -> Result<(), String> {
    if let Some(value) = value()? {
        slot.get_or_insert(value);
    }
    Ok(())
}

fn host_name(text: &str, given: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '%' { chars.next() } else { None }) {
            ('%', Some('h')) => out.push_str(given),
            ('%', Some('%')) => out.push('%'),
            ('%', other) => {
                return Err(format!(
                    "unknown token `%{}`",
                    other.map(String::from).unwrap_or_default()
                ));
            }
            (c, _) => out.push(c),
        }
    }
    Ok(out)
}

fn yes_no(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err(format!("`{text}` is neither yes nor no")),
    }
}

/// `90`, `1m30s`, `2h`…; `none` is nothing (sshd_config(5), TIME FORMATS).
fn duration(text: &str) -> Result<Option<Duration>, String> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    let bad = || format!("bad time `{text}`");
    let (mut total, mut number) = (0_u64, None::<u64>);
    for c in text.chars() {
        if let Some(digit) = c.to_digit(10) {
            let sum = number
                .unwrap_or(0)
                .checked_mul(10)
                .and_then(|n| n.checked_add(u64::from(digit)));
            number = Some(sum.ok_or_else(bad)?);
            continue;
        }
        let factor = match c.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return Err(bad()),
        };
        let part = number
            .take()
            .and_then(|n| n.checked_mul(factor))
            .ok_or_else(bad)?;
        total = total.checked_add(part).ok_or_else(bad)?;
    }
    if text.is_empty() {
        return Err(bad());
    }
    Ok(Some(Duration::from_secs(
        total.checked_add(number.unwrap_or(0)).ok_or_else(bad)?,
    )))
}

fn run(command: &str) -> Result<bool, String> {
    Command::new("/bin/sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map(|status| status.success())
        .map_err(|error| format!("could not run `{command}`: {error}"))
}

#[cfg(test)]
mod tests;
