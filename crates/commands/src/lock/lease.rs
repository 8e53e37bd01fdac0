//! A lock that ends with the one who took it.
//!
//! Beside Kamal's `details`, the lock directory holds a file `lease`: whose it is and until when, by the host's own clock. A small
//! program ([`hold`]) takes the lock, renews the lease as long as it is told to, and removes the whole lock when it is told so, when
//! its input ends (the connection is gone) or when renewals stop coming. Nothing is left for Kamal to find. Should the program
//! itself be killed with everything it started, the next `hold` finds the lease expired and takes over.
//!
//! In: who holds the lock. Out: programs for a plain `sh` on the primary host, and a reader of what they print.
//!
//! Only one process can end a given lock: whoever renames the file `owner-TOKEN`, which exists once per lock ever taken. So two that
//! find the same lease expired can't both remove it, or remove the lock that the other one has just taken instead.

use dhow_config::Config;
use dhow_text::shell::{Cmd, single_quote};

use super::{status, write_details};
use crate::paths;

/// How long a lease lasts, in seconds.
pub const SECONDS: u32 = 30;
/// How often it is to be renewed, in seconds.
pub const RENEW_EVERY: u32 = 10;
/// The line that renews it.
pub const RENEW: &str = "renew\n";
/// The line that gives the lock back.
pub const RELEASE: &str = "release\n";

/// Whose lock it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease<'l> {
    /// Who deploys.
    pub owner: &'l str,
    /// The machine they deploy from.
    pub host: &'l str,
    /// The deployer's process there.
    pub pid: u32,
    /// Random lowercase letters and digits, new for every lock.
    pub token: &'l str,
    /// How long the lease lasts without a renewal, in seconds; [`SECONDS`] but in tests.
    pub seconds: u32,
}

/// A line that [`hold`] prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The lock is ours. From now on [`RENEW`] is expected every [`RENEW_EVERY`] seconds.
    Held,
    /// The lock is somebody else's. The lines that follow are its details; the program has ended.
    Busy {
        /// Seconds until its lease ends if it is not renewed; none for a lock without a lease (Kamal's, or taken by hand).
        seconds: Option<u64>,
    },
    /// The lock was given back; the program has ended.
    Released,
    /// The lock is not ours any more: the lease ran out, or somebody removed it. The program has ended.
    Lost,
    /// The lock could not be taken for another reason, which stands on the lines that follow; the program has ended.
    Failed,
}

impl Reply {
    /// Reads a line; nothing for one that is no reply.
    pub fn parse(line: &str) -> Option<Self> {
        match line.trim_end() {
            "held" => Some(Self::Held),
            "released" => Some(Self::Released),
            "lost" => Some(Self::Lost),
            "failed" => Some(Self::Failed),
            other => {
                let seconds = other.strip_prefix("busy ")?;
                Some(Self::Busy {
                    seconds: seconds.parse().ok(),
                })
            }
        }
    }
}

/// Takes the lock and holds it. The program prints a [`Reply`], then reads [`RENEW`] and [`RELEASE`] from its input.
///
/// It is one compound command: a `sh` that reads it from its standard input has read all of it before it reads the first line for
/// it. That line must not be sent before the first reply has come.
pub fn hold(config: &Config, details: &str, lease: &Lease<'_>) -> Cmd {
    let token = single_quote(&one_line(lease.token));
    let fields = [
        ("owner", lease.owner),
        ("host", lease.host),
        ("pid", &lease.pid.to_string()),
        ("token", lease.token),
    ]
    .map(|(name, value)| single_quote(&format!("{name}={}", one_line(value))))
    .join(" ");
    Cmd::new(format!(
        r#"{{
{functions}
T={token}
renew() {{
  [ -e "$L/owner-$T" ] && n=$(date +%s) &&
  printf '%s\n' {fields} "expires=$((n + {seconds}))" > "$L/lease.new" && mv "$L/lease.new" "$L/lease"
}} 2> /dev/null
take() {{
  m=$(mkdir "$L" 2>&1) || return 1
  : > "$L/owner-$T" && renew && {{ {write_details}
  }} && return 0
  rm -rf "$L"; echo failed; echo "$L can't be written"; exit 1
}}
busy() {{
  [ -e "$L/details" ] || sleep 1
  lease
  if [ -n "$e" ]; then n=$((e - $(date +%s))); [ "$n" -ge 0 ] || n=0; else n=-; fi
  echo "busy $n"
  {{ {status}; }} 2> /dev/null
  exit 3
}}
mkdir -p {run}
i=0
until take; do
  if [ -d "$L" ]; then end_expired && continue; [ -d "$L" ] && busy; fi
  i=$((i + 1)); [ "$i" -lt 5 ] || {{ echo failed; echo "$m"; exit 1; }}
done
( while sleep 1; do
    [ -e "$L/owner-$T" ] || exit 0
    kill -0 $$ || {{ end "$T"; exit 0; }}
    if expired; then end "$T"; kill $$; exit 0; fi
  done ) < /dev/null > /dev/null 2>&1 &
W=$!
echo held
while read -r l; do
  [ "$l" = renew ] || break
  renew || {{ kill "$W" 2> /dev/null; echo lost; exit 4; }}
done
end "$T"; r=$?
kill "$W" 2> /dev/null
[ "$r" -eq 0 ] || {{ echo lost; exit 4; }}
echo released
exit 0
}}"#,
        functions = functions(config),
        seconds = lease.seconds,
        write_details = write_details(config, details).real(),
        status = status(config).real(),
        run = paths::RUN_DIRECTORY,
    ))
}

/// Removes the lock if its lease has run out; leaves every other lock alone. Never fails.
pub fn end_expired(config: &Config) -> Cmd {
    Cmd::new(format!(
        "{{\n{}\nend_expired || true\n}}",
        functions(config)
    ))
}

/// - `lease` reads the lease: sets `o` (token) and `e` (expiry), both empty if there is none or if it is damaged.
/// - `expired` succeeds if there is a lease and it has run out; sets `n`, the time.
/// - `end TOKEN` removes the lock if it is that one; fails if it is not, or if somebody else is removing it.
/// - `end_expired` ends a lock whose lease has run out. An end that was begun a minute ago (`gone-TOKEN.TIME`) and not finished, it
///   finishes.
fn functions(config: &Config) -> String {
    format!(
        r#"L={lock}
lease() {{
  o=; e=
  while IFS='=' read -r k v; do case $k in token) o=$v ;; expires) e=$v ;; esac; done < "$L/lease"
  case $o in ''|*[!0-9a-z]*) o=; e= ;; esac
  case $e in ''|*[!0-9]*) o=; e= ;; esac
}} 2> /dev/null
expired() {{ lease; [ -n "$e" ] && n=$(date +%s) && [ "$n" -ge "$e" ]; }}
end() {{ n=$(date +%s); mv "$L/owner-$1" "$L/gone-$1.$n" && mv "$L" "$L.$1" && rm -rf "$L.$1"; }} 2> /dev/null
end_expired() {{
  expired || return 1
  for g in "$L/gone-$o."*; do
    case ${{g##*.}} in ''|*[!0-9]*) ;; *) [ "$n" -lt $((${{g##*.}} + 60)) ] || mv "$g" "$L/owner-$o" ;; esac
  done
  end "$o"
}} 2> /dev/null"#,
        lock = paths::lock(config)
    )
}

/// Names come from outside; a line feed in one would be a field of its own.
fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}

#[cfg(test)]
mod tests;
