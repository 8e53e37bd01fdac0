//! What came out, as Markdown: tables with budgets and verdicts.

use std::fmt::Write as _;

use crate::compare::Compared;
use crate::profile::Profile;
use crate::thousand::Thousand;

/// Seconds that a deploy to the simulated hosts may take.
const THOUSAND_SECONDS: f64 = 15.0;
/// MiB that the client may hold meanwhile.
const THOUSAND_MIB: f64 = 200.0;

/// The table of the comparisons.
#[must_use]
pub fn table(all: &[Compared]) -> String {
    let mut text = String::from(
        "| hosts | RTT ms | dhow s | floor s | dhow / floor | budget s | dhow CPU s | floor CPU s | dhow MiB | exchanges per host | verdict |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for one in all {
        let verdict = verdict(one.used(), one.met());
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {:.2} | {:.2} | {:.3} | {:.3} | {:.1} | {:.0} | {verdict} |",
            one.case.hosts,
            one.case.round_trip_ms,
            one.dhow,
            one.floor,
            one.dhow.median() / one.floor.median(),
            one.budget(),
            one.dhow_cpu,
            one.floor_cpu,
            one.dhow_mib,
            one.exchanges,
        );
    }
    text
}

/// The table of the deploys to simulated hosts.
#[must_use]
pub fn thousand_table(all: &[Thousand]) -> String {
    let mut text = String::from(
        "| hosts | host keys | concurrent starts | wall s | budget s | client CPU s | client MiB | budget MiB | simulator counted | verdict |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for one in all {
        let (wall, mib) = (one.measured.wall.as_secs_f64(), mib(one));
        let used = (wall / THOUSAND_SECONDS).max(mib / THOUSAND_MIB);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {wall:.1} | {THOUSAND_SECONDS} | {:.1} | {mib:.0} | {THOUSAND_MIB} | {} | {} |",
            one.hosts,
            if one.known { "known" } else { "new" },
            one.starts,
            one.measured.cpu.as_secs_f64(),
            one.counted,
            verdict(used, used <= 1.0),
        );
    }
    text
}

/// Where the time went, of each comparison that has profiles.
#[must_use]
pub fn profiles(all: &[Compared]) -> String {
    let mut text = String::new();
    for one in all.iter().filter(|one| !one.profiles.is_empty()) {
        let _ = writeln!(
            text,
            "\n{} host{}, RTT {} ms: median seconds (range) of each part.\n\n| part | s |\n|---|---|",
            one.case.hosts,
            if one.case.hosts == 1 { "" } else { "s" },
            one.case.round_trip_ms
        );
        for (part, seconds) in Profile::merge(&one.profiles) {
            let _ = writeln!(text, "| {part} | {seconds:.3} |");
        }
    }
    text
}

/// Whether every budget was met.
#[must_use]
pub fn all_met(compared: &[Compared], thousand: &[Thousand]) -> bool {
    let small = |one: &Thousand| {
        one.measured.wall.as_secs_f64() <= THOUSAND_SECONDS && mib(one) <= THOUSAND_MIB
    };
    compared.iter().all(Compared::met) && thousand.iter().all(small)
}

fn mib(one: &Thousand) -> f64 {
    one.measured.rss_kib as f64 / 1024.0
}

fn verdict(used: f64, met: bool) -> String {
    let percent = used * 100.0;
    if met {
        format!("met ({percent:.0} % of it)")
    } else {
        format!("MISSED ({percent:.0} % of it)")
    }
}
