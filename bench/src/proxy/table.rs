//! The results as Markdown.

use std::fmt::Write as _;

use super::budget::Verdict;
use super::results::{Latencies, Results, Row, Slice};

/// A core less busy than this was not all that there is to say about requests a second.
const SATURATED: f64 = 0.85;

/// All tables.
#[must_use]
pub fn table(results: &Results) -> String {
    let mut text = String::new();
    let names: Vec<&str> = results.rows.iter().map(|row| row.name.as_str()).collect();
    text += "\n## Processor time per request\n\n\
             Microseconds of the proxy's processes for each request, handshake or message: the median of the rounds (their range). It is the \
             measure of\nmerit: it holds whether or not the proxy had all of its core. In brackets how busy the proxy kept its core.\n\n";
    text += &head("µs", &names);
    for (number, scenario) in results.scenarios.iter().enumerate() {
        let _ = write!(text, "| {} |", scenario.title);
        for row in &results.rows {
            let cell = row.sample(number, Slice::micros).map(|micros| {
                let busy = row.sample(number, Slice::busy).unwrap_or_default().median();
                format!(" {micros:.1} [{:.0} %] |", busy * 100.0)
            });
            text += cell.as_deref().unwrap_or(" - |");
        }
        text.push('\n');
    }
    text += "\n## How many a second\n\n\
             One core for the proxy, one for the load and the origin together. Where the proxy's core was less than 85 % busy (*), the other one \
             was\nthe limit, and the proxy could do more. The last column is the load straight at the origin.\n\n";
    let mut with_direct = names.clone();
    with_direct.push("no proxy");
    text += &head("per second", &with_direct);
    for (number, scenario) in results.scenarios.iter().enumerate() {
        let _ = write!(text, "| {} |", scenario.title);
        for (place, row) in results.rows.iter().chain([&results.direct]).enumerate() {
            let cell = row.sample(number, Slice::rate).map(|rate| {
                let busy = row.sample(number, Slice::busy).unwrap_or_default().median();
                let proxy = place < results.rows.len();
                let star = if proxy && busy < SATURATED { "*" } else { "" };
                format!(" {:.0}{star} |", rate.median())
            });
            text += cell.as_deref().unwrap_or(" - |");
        }
        text.push('\n');
    }
    text += &latencies(results);
    text += &memory(results);
    text += &notes(results);
    text
}

/// The budgets, and whether they are kept.
#[must_use]
pub fn budgets(verdicts: &[Verdict]) -> String {
    let mut text =
        String::from("\n## Budgets\n\n| what | budget | measured | verdict |\n|---|---|---|---|\n");
    for verdict in verdicts {
        let _ = writeln!(
            text,
            "| {} | {:.2} | {:.2} | {} |",
            verdict.what,
            verdict.budget,
            verdict.measured,
            if verdict.met() { "met" } else { "MISSED" }
        );
    }
    text
}

fn head(first: &str, names: &[&str]) -> String {
    format!(
        "| {first} | {} |\n|---|{}\n",
        names.join(" | "),
        "---|".repeat(names.len())
    )
}

fn latencies(results: &Results) -> String {
    let mut text = String::new();
    let all: Vec<&Row> = results.rows.iter().chain([&results.direct]).collect();
    if !all.iter().any(|row| row.steady.is_ok()) {
        return text;
    }
    text += "\n## Latency at a fixed rate\n\n\
             Small bodies, from when each request was due, whatever became of those before; at the same rate for all (70 % of what the slowest \
             does), and at\n70 % of what each does itself. The load shares its core with the origin, so a part of the tail is its own: see the \
             row without a proxy.\n\n\
             | ms | requests/s | p50 | p99 | p99.9 | own 70 % | p50 | p99 | p99.9 |\n|---|---|---|---|---|---|---|---|---|\n";
    let three = |of: &Latencies| format!("{:.3} | {:.3} | {:.3}", of.p50, of.p99, of.p999);
    for row in all {
        if let Ok(steady) = &row.steady {
            let _ = writeln!(
                text,
                "| {} | {:.0} | {} | {:.0} | {} |",
                row.name,
                steady.rate,
                three(&steady.same),
                steady.own_rate,
                three(&steady.own)
            );
        }
    }
    text
}

fn memory(results: &Results) -> String {
    let mut text = String::new();
    let rows: Vec<_> = { results.rows.iter() }
        .filter_map(|row| Some((row, row.held.as_ref()?.as_ref().ok()?)))
        .collect();
    if rows.is_empty() {
        return text;
    }
    text += "\n## Memory\n\n\
             Resident memory of all processes of a proxy that has just started, and with connections that each sent a request and have idled for \
             five\nseconds. What several processes share counts for each of them.\n\n\
             | | idle MiB | connections | MiB with them | KiB for each |\n|---|---|---|---|---|\n";
    for (row, held) in rows {
        let _ = writeln!(
            text,
            "| {} | {:.1} | {} | {:.1} | {:.2} |",
            row.name,
            held.idle_kib as f64 / 1024.0,
            held.connections,
            held.held_kib as f64 / 1024.0,
            held.each_kib()
        );
    }
    text
}

/// What some could not do, and how quiet the machine was.
fn notes(results: &Results) -> String {
    let mut notes: Vec<String> = Vec::new();
    for row in &results.rows {
        for (scenario, slices) in results.scenarios.iter().zip(&row.slices) {
            if let Err(error) = slices {
                notes.push(format!("{}, {}: {error}", row.name, scenario.title));
            }
        }
        if let Err(error) = &row.steady {
            notes.push(format!("{}, latencies: {error}", row.name));
        }
        if let Some(Err(error)) = &row.held {
            notes.push(format!("{}, memory: {error}", row.name));
        }
    }
    let slices = results
        .rows
        .iter()
        .flat_map(|row| row.slices.iter().flatten().flatten());
    let others: crate::sample::Sample = slices.map(|slice| slice.others() * 100.0).collect();
    notes.push(format!(
        "Others on the proxies' core took {:.1} % of it in the median measurement and {:.1} % in the worst.",
        others.median(),
        others.most()
    ));
    let lines: Vec<_> = notes
        .iter()
        .map(|note| format!("- {}\n", note.trim().replace('\n', " ")))
        .collect();
    format!("\n## Notes\n\n{}", lines.concat())
}
