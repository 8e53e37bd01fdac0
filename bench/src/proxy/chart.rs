//! The results as a picture (SVG): one small chart for each question, in each one bar a proxy. Shorter is better in all of them.

use std::fmt::Write as _;

use super::results::{Results, Row, Slice};

const COLUMNS: usize = 4;
const WIDTH: f64 = 250.0;
const GAP: f64 = 24.0;
const MARGIN: f64 = 24.0;
/// Above the first panel.
const TOP: f64 = 64.0;
/// A panel's title.
const TITLE: f64 = 24.0;
const BAR: f64 = 14.0;
const STEP: f64 = 20.0;
/// Room for the proxies' names.
const NAMES: f64 = 82.0;
/// Room for the figure behind the longest bar.
const FIGURE: f64 = 46.0;

const OURS: &str = "#0f766e";
const THEIRS: &str = "#b6c2cd";
const TEXT: &str = "#1f2933";
const SOFT: &str = "#616e7c";

/// One small chart.
struct Panel {
    title: String,
    unit: &'static str,
    bars: Vec<(String, Option<f64>)>,
}

/// The picture.
#[must_use]
pub fn chart(results: &Results) -> String {
    let panels = panels(results);
    let bars = results.rows.len() as f64;
    let height = TITLE + bars * STEP + GAP;
    let lines = panels.len().div_ceil(COLUMNS) as f64;
    let (width, whole) = (
        MARGIN * 2.0 + WIDTH * COLUMNS as f64 + GAP * (COLUMNS - 1) as f64,
        TOP + lines * height + MARGIN / 2.0,
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {whole:.0}\" width=\"{width:.0}\" height=\"{whole:.0}\" \
         font-family=\"system-ui, 'DejaVu Sans', sans-serif\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    text(
        &mut svg,
        MARGIN,
        30.0,
        17.0,
        TEXT,
        "start",
        "What a proxy costs",
    );
    text(
        &mut svg,
        MARGIN,
        48.0,
        11.0,
        SOFT,
        "start",
        "One core, access log on. Shorter is better everywhere; every panel has its own scale.",
    );
    for (number, panel) in panels.iter().enumerate() {
        let x = MARGIN + (number % COLUMNS) as f64 * (WIDTH + GAP);
        let y = TOP + (number / COLUMNS) as f64 * height;
        draw(&mut svg, panel, x, y);
    }
    svg += "</svg>\n";
    svg
}

fn panels(results: &Results) -> Vec<Panel> {
    let panel = |title: &str, unit, figure: &dyn Fn(&Row) -> Option<f64>| Panel {
        title: title.to_owned(),
        unit,
        bars: results
            .rows
            .iter()
            .map(|row| (row.name.clone(), figure(row)))
            .collect(),
    };
    let mut panels: Vec<Panel> = results
        .scenarios
        .iter()
        .enumerate()
        .map(|(number, scenario)| {
            panel(scenario.short, "CPU µs", &|row| {
                Some(row.sample(number, Slice::micros)?.median())
            })
        })
        .collect();
    let rate = results
        .rows
        .iter()
        .find_map(|row| Some(row.steady.as_ref().ok()?.rate));
    if let Some(rate) = rate {
        let title = format!("p99 at {:.0}k requests/s", rate / 1000.0);
        panels.push(panel(&title, "ms", &|row| {
            Some(row.steady.as_ref().ok()?.same.p99)
        }));
        panels.push(panel("p99 at 70 % of own most", "ms", &|row| {
            Some(row.steady.as_ref().ok()?.own.p99)
        }));
    }
    let held = |row: &Row| row.held.as_ref()?.as_ref().ok().copied();
    if results.rows.iter().any(|row| held(row).is_some()) {
        panels.push(panel("memory, idle", "MiB", &|row| {
            Some(held(row)?.idle_kib as f64 / 1024.0)
        }));
        panels.push(panel("memory per idle connection", "KiB", &|row| {
            Some(held(row)?.each_kib())
        }));
    }
    panels
}

fn draw(svg: &mut String, panel: &Panel, x: f64, y: f64) {
    text(svg, x, y + 12.0, 12.0, TEXT, "start", &panel.title);
    text(svg, x + WIDTH, y + 12.0, 10.0, SOFT, "end", panel.unit);
    let most = { panel.bars.iter() }
        .filter_map(|(_, figure)| *figure)
        .fold(f64::MIN_POSITIVE, f64::max);
    let room = WIDTH - NAMES - FIGURE;
    for (place, (name, figure)) in panel.bars.iter().enumerate() {
        let top = y + TITLE + place as f64 * STEP;
        let middle = top + BAR - 3.0;
        let (fill, ink) = if place == 0 {
            (OURS, TEXT)
        } else {
            (THEIRS, SOFT)
        };
        text(svg, x + NAMES - 8.0, middle, 11.0, ink, "end", name);
        let Some(figure) = figure else {
            text(svg, x + NAMES, middle, 11.0, SOFT, "start", "–");
            continue;
        };
        let length = (figure / most * room).max(1.0);
        let _ = writeln!(
            svg,
            "<rect x=\"{:.1}\" y=\"{top:.1}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"2\" fill=\"{fill}\"/>",
            x + NAMES
        );
        text(
            svg,
            x + NAMES + length + 5.0,
            middle,
            11.0,
            ink,
            "start",
            &short(*figure),
        );
    }
}

/// Three digits that count.
fn short(figure: f64) -> String {
    match figure {
        _ if figure >= 100.0 => format!("{figure:.0}"),
        _ if figure >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

fn text(svg: &mut String, x: f64, y: f64, size: f64, fill: &str, anchor: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" fill=\"{fill}\" text-anchor=\"{anchor}\">{text}</text>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short_and_text_is_escaped() {
        assert_eq!(
            [short(1234.5), short(12.345), short(0.5)],
            ["1234", "12.3", "0.50"]
        );
        let mut svg = String::new();
        text(&mut svg, 0.0, 0.0, 1.0, "#000", "start", "a<b & c");
        assert!(svg.contains(">a&lt;b &amp; c<"), "{svg}");
    }
}
