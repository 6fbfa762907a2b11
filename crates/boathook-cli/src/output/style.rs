//! The few styles of our text, and how lines are laid out.

use anstyle::{AnsiColor, Style};

/// Reasons of failure.
pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
/// Probably wrong.
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// It worked.
pub(crate) const OK: Style = AnsiColor::Green.on_default().bold();
/// Headings of tables.
pub(crate) const HEADING: Style = Style::new().bold();
/// What is there for completeness.
pub(crate) const DIM: Style = Style::new().dimmed();

/// Text in a style.
pub(crate) fn paint(style: Style, text: &str) -> String {
    format!("{}{text}{}", style.render(), style.render_reset())
}

/// Lines below each other: the first behind `first`, the others behind `rest`.
pub(crate) fn indent(text: &str, first: &str, rest: &str) -> String {
    let mut out = String::new();
    for (index, line) in text.lines().enumerate() {
        out += if index == 0 { first } else { rest };
        out += line;
        out.push('\n');
    }
    out
}

/// `3 ms`, `1.2 s`, `2 min 5 s`.
pub(crate) fn duration(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        _ => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1_000),
    }
}

/// `1 hook`, `2 hooks`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
