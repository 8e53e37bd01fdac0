//! The processes of a proxy: what processor time they used and what memory they hold, as `/proc` says.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::failed::Failed;

/// A process and all that it starts; they end when this is dropped.
#[derive(Debug)]
pub(crate) struct Group {
    first: Child,
}

impl Group {
    /// Starts a program at the head of a group of its own.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn spawn(mut command: Command) -> Result<Self, Failed> {
        let program = command.get_program().to_string_lossy().into_owned();
        let first = command.process_group(0).spawn();
        let first = first.map_err(|source| Failed::Run { program, source })?;
        Ok(Self { first })
    }

    /// Whether its first process still runs.
    pub(crate) fn runs(&mut self) -> bool {
        matches!(self.first.try_wait(), Ok(None))
    }

    /// User and system time of all its processes.
    ///
    /// # Errors
    /// `/proc` can't be read.
    pub(crate) fn cpu(&self) -> Result<Duration, Failed> {
        let ticks = self.processes()?.iter().map(|stat| stat.ticks).sum();
        Ok(of_ticks(ticks))
    }

    /// Memory that its processes hold together, in KiB. What they share counts once for each.
    ///
    /// # Errors
    /// `/proc` can't be read.
    pub(crate) fn rss_kib(&self) -> Result<u64, Failed> {
        let mut all = 0;
        for process in self.processes()? {
            let status = read(&format!("/proc/{}/status", process.id)).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            let number = line.and_then(|line| line.split_whitespace().next());
            all += number
                .and_then(|number| number.parse().ok())
                .unwrap_or(0_u64);
        }
        Ok(all)
    }

    fn processes(&self) -> Result<Vec<Stat>, Failed> {
        let group = i64::from(self.first.id());
        let folder = std::path::Path::new("/proc");
        let entries = std::fs::read_dir(folder).map_err(Failed::file(folder))?;
        let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        // One that has just ended is not there any more.
        let stats =
            ids.filter_map(|id: u32| Stat::parse(id, &read(&format!("/proc/{id}/stat")).ok()?));
        Ok(stats.filter(|stat| stat.group == group).collect())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = i32::try_from(self.first.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(id, Signal::KILL);
        }
        let _ = self.first.wait();
    }
}

/// Time that a core was not idle so far.
///
/// # Errors
/// `/proc/stat` can't be read or does not know the core.
pub(crate) fn core_busy(core: usize) -> Result<Duration, Failed> {
    let stat = read("/proc/stat")?;
    let name = format!("cpu{core} ");
    let line = stat.lines().find_map(|line| line.strip_prefix(&name));
    let line = line.ok_or_else(|| Failed::Wrong(format!("no core {core}")))?;
    // user nice system idle iowait irq softirq steal; what follows is counted in these already.
    let numbers = line.split_whitespace().take(8).enumerate();
    let busy = numbers.filter(|(place, _)| !matches!(place, 3 | 4));
    let ticks = busy
        .filter_map(|(_, number)| number.parse::<u64>().ok())
        .sum();
    Ok(of_ticks(ticks))
}

/// What is known of a process.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    id: u32,
    group: i64,
    ticks: u64,
}

impl Stat {
    /// Reads `/proc/ID/stat`; the name in it may hold spaces and brackets.
    fn parse(id: u32, text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let ticks = |place: usize| fields.get(place)?.parse::<u64>().ok();
        Some(Self {
            id,
            group: fields.get(2)?.parse().ok()?,
            ticks: ticks(11)? + ticks(12)?,
        })
    }
}

/// The kernel counts in hundredths of a second for all programs.
fn of_ticks(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 10)
}

fn read(path: &str) -> Result<String, Failed> {
    std::fs::read_to_string(path).map_err(Failed::file(path.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_found_by_its_group() {
        let stat = "42 (a) b) S 1 40 40 0 -1 4194560 1 0 0 0 7 5 0 0 20 0 1 0 9 1 1";
        let parsed = Stat::parse(42, stat).unwrap();
        assert_eq!((parsed.group, parsed.ticks), (40, 12));
        assert_eq!(Stat::parse(42, "42 (a) S"), None);
    }

    #[test]
    fn children_count() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 30 & sleep 30"]);
        let mut group = Group::spawn(command).unwrap();
        while group.processes().unwrap().len() < 3 {
            std::thread::yield_now();
        }
        assert!(group.runs());
        assert!(group.rss_kib().unwrap() > 500);
        let id = group.first.id();
        drop(group);
        assert!(read(&format!("/proc/{id}/stat")).is_err());
        assert!(core_busy(0).unwrap() > Duration::ZERO);
    }
}
