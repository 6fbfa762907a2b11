//! Aligned columns for people: no borders, so that lines can be copied and compared.

use super::style::{HEADING, paint};

/// Where the text of a column stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// At its left.
    Left,
    /// At its right (numbers).
    Right,
}

/// Lays out rows under headings. A column's width is that of its widest cell; the last is not padded.
pub(crate) fn render(indent: &str, columns: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(index, (heading, _))| {
            rows.iter()
                .filter_map(|row| row.get(index))
                .map(|cell| width(cell))
                .max()
                .unwrap_or(0)
                .max(width(heading))
        })
        .collect();
    let headings: Vec<String> = columns.iter().map(|(heading, _)| (*heading).to_owned()).collect();
    let mut out = String::new();
    for (index, row) in std::iter::once(&headings).chain(rows).enumerate() {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let padding = " ".repeat(widths[column].saturating_sub(width(cell)));
            match columns[column].1 {
                Align::Right => line += &format!("{padding}{cell}"),
                Align::Left if column + 1 == row.len() => line += cell,
                Align::Left => line += &format!("{cell}{padding}"),
            }
            if column + 1 < row.len() {
                line += "  ";
            }
        }
        let line = line.trim_end();
        out += indent;
        out += &if index == 0 { paint(HEADING, line) } else { line.to_owned() };
        out.push('\n');
    }
    out
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligns_columns_and_leaves_no_blanks_at_the_end() {
        let rows = vec![
            vec!["a".to_owned(), "10".to_owned(), "x y".to_owned()],
            vec!["long".to_owned(), "-5".to_owned(), String::new()],
        ];
        let text = render("  ", &[("N", Align::Left), ("W", Align::Right), ("LAST", Align::Left)], &rows);
        let plain: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(plain, ["  a     10  x y", "  long  -5"]);
    }
}
