//! The table `list` prints: ANSI styles always, columns padded to their longest cell, two spaces after each.

use serde::{Deserialize, Serialize};

/// One service as `list` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRow {
    /// Its name.
    pub service: String,
    /// Hosts joined by commas, `*` for the catch-all.
    pub host: String,
    /// Path prefixes joined by commas.
    pub path: String,
    /// Active targets joined by commas, writers first.
    pub target: String,
    /// `running`, `paused` or `stopped`.
    pub state: String,
    /// TLS is in effect.
    pub tls: bool,
}

const HEADER: [&str; 6] = ["Service", "Host", "Path", "Target", "State", "TLS"];
const HEADER_STYLE: &str = "3;94";
const NAME_STYLE: &str = "1;34";

/// The whole table, rows sorted by service name, each line ended by a newline.
#[must_use]
pub fn render_list(rows: &[ListRow]) -> String {
    let mut rows: Vec<[&str; 6]> = rows
        .iter()
        .map(|row| {
            [
                row.service.as_str(),
                row.host.as_str(),
                row.path.as_str(),
                row.target.as_str(),
                row.state.as_str(),
                if row.tls { "yes" } else { "no" },
            ]
        })
        .collect();
    rows.sort_by_key(|[name, ..]| *name);
    let mut widths = HEADER.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.len());
        }
    }
    let mut out = String::new();
    push_line(&mut out, HEADER, widths, |_| HEADER_STYLE);
    for row in rows {
        push_line(&mut out, row, widths, |column| {
            if column == 0 { NAME_STYLE } else { "" }
        });
    }
    out
}

fn push_line(
    out: &mut String,
    cells: [&str; 6],
    widths: [usize; 6],
    style: impl Fn(usize) -> &'static str,
) {
    for (column, (cell, width)) in cells.into_iter().zip(widths).enumerate() {
        out.push_str("\u{1b}[");
        out.push_str(style(column));
        out.push('m');
        out.push_str(cell);
        out.push_str("\u{1b}[0m");
        out.extend(std::iter::repeat_n(
            ' ',
            width.saturating_sub(cell.len()) + 2,
        ));
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// parity: proxy 20
    #[test]
    fn header_only_when_empty() {
        insta::assert_debug_snapshot!(render_list(&[]), @r#""\u{1b}[3;94mService\u{1b}[0m  \u{1b}[3;94mHost\u{1b}[0m  \u{1b}[3;94mPath\u{1b}[0m  \u{1b}[3;94mTarget\u{1b}[0m  \u{1b}[3;94mState\u{1b}[0m  \u{1b}[3;94mTLS\u{1b}[0m  \n""#);
    }

    /// parity: proxy 20
    #[test]
    fn rows_are_sorted_and_padded() {
        let row = |service: &str, tls| ListRow {
            service: service.into(),
            host: "*".into(),
            path: "/".into(),
            target: "web:80".into(),
            state: "running".into(),
            tls,
        };
        let text = render_list(&[row("zeta", false), row("alpha", true)]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(
            lines[1],
            "\u{1b}[1;34malpha\u{1b}[0m    \u{1b}[m*\u{1b}[0m     \u{1b}[m/\u{1b}[0m     \u{1b}[mweb:80\u{1b}[0m  \u{1b}[mrunning\u{1b}[0m  \u{1b}[myes\u{1b}[0m  "
        );
        assert!(lines[2].starts_with("\u{1b}[1;34mzeta\u{1b}[0m     "));
    }
}
