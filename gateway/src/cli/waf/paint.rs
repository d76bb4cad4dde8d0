//! Text for terminals: aligned, coloured where someone looks, and never a terminal's commander. What rules, requests
//! and events bring along is escaped before it is printed.

use std::fmt::Write as _;
use std::io::IsTerminal;

/// A colour of the terminal's own palette.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Plain,
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Cyan,
}

/// Whether to colour: only for a terminal, and not where `NO_COLOR` is set (<https://no-color.org>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paint(pub(super) bool);

impl Paint {
    pub(super) fn of_stdout() -> Paint {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Paint(std::io::stdout().is_terminal() && !refused)
    }

    pub(super) fn ink(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Plain => return text.to_owned(),
            Ink::Bold => "1",
            Ink::Dim => "2",
            Ink::Red => "31",
            Ink::Green => "32",
            Ink::Yellow => "33",
            Ink::Cyan => "36",
        };
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Rows with the same number of cells, each column as wide as its widest cell.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Vec<(Ink, String)>>,
    /// Columns that are numbers.
    right: &'static [usize],
}

impl Table {
    pub(super) fn new(head: &[&str], right: &'static [usize]) -> Table {
        let head = head.iter().map(|cell| (Ink::Dim, (*cell).to_owned())).collect();
        Table { rows: vec![head], right }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = (Ink, String)>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(super) fn text(&self, paint: Paint, indent: &str) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|(_, text)| text.chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut out = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (column, (ink, text)) in row.iter().enumerate() {
                let gap = " ".repeat(widths[column].saturating_sub(text.chars().count()));
                let painted = paint.ink(*ink, text);
                let last = column + 1 == row.len();
                let _ = match self.right.contains(&column) {
                    true => write!(line, "{gap}{painted}  "),
                    false if last => write!(line, "{painted}"),
                    false => write!(line, "{painted}{gap}  "),
                };
            }
            let _ = writeln!(out, "{indent}{}", line.trim_end());
        }
        out
    }
}

/// A text that only shows: controls, direction marks and invisible characters are written as escapes.
pub(super) fn safe(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        if acts(char) {
            shown.extend(char.escape_unicode());
        } else {
            shown.push(char);
        }
    }
    shown
}

/// [`safe`], line by line: a text of several lines stays one.
pub(super) fn safe_lines(text: &str) -> String {
    text.lines().map(|line| safe(&line.replace('\t', "    "))).collect::<Vec<_>>().join("\n")
}

/// Bytes as text, at most `bound` of them.
pub(super) fn bytes(bytes: &[u8], bound: usize) -> String {
    let more = if bytes.len() > bound { "…" } else { "" };
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(bound)]);
    format!("{}{more}", safe(&shown))
}

/// At most `bound` characters.
pub(super) fn cut(text: &str, bound: usize) -> String {
    match text.char_indices().nth(bound) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Characters that do something where they are shown (CVE-2021-42574 for those that change the direction).
pub(super) fn acts(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}')
        || matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(char, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}
