//! One file's text into documents, as Helm 4's `SplitManifests` does it. Text only: no YAML is read here.

/// One document of a file: never empty, never white space only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'t> {
    /// Where it starts in the file, in bytes.
    pub(crate) offset: usize,
    /// Its text. White space before it is gone, line breaks behind it are kept: they are part of the value of a
    /// `|+` block.
    pub(crate) text: &'t str,
}

/// The documents of a file. A separator is `---` at the start of a line, with the blanks and tabs behind it;
/// `---apiVersion: v1` separates as well (kept so by Helm on purpose).
pub(crate) fn split(text: &str) -> impl Iterator<Item = Piece<'_>> {
    // Helm drops white space at the start of the file first, so a separator may follow it on the same line.
    let first = text.len() - text.trim_start().len();
    let mut rest = Some(first);
    std::iter::from_fn(move || {
        loop {
            let start = rest?;
            let (end, next) = match separator(text, start, first) {
                Some((end, next)) => (end, Some(next)),
                None => (text.len(), None),
            };
            rest = next;
            // Rust's white space is Go's `unicode.IsSpace`.
            let trimmed = text[start..end].trim_start();
            if !trimmed.is_empty() {
                return Some(Piece { offset: end - trimmed.len(), text: trimmed });
            }
        }
    })
}

/// The next separator at or behind a place: its start and its end. A line starts behind a line break and at `first`:
/// `------` is one separator and the text `---`.
fn separator(text: &str, from: usize, first: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut at = from;
    loop {
        let found = at + text[at..].find("---")?;
        if found == first || bytes[found - 1] == b'\n' {
            let behind = bytes[found + 3..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
            return Some((found, found + 3 + behind));
        }
        at = found + 1;
        // A run of hyphens inside a line holds no separator.
        while bytes.get(at) == Some(&b'-') {
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    fn texts(text: &str) -> Vec<&str> {
        split(text).map(|piece| piece.text).collect()
    }

    #[test]
    fn separators_stand_at_line_starts_and_eat_blanks_only() {
        assert_eq!(texts("a\n--- \t\nb\n\n---c: d"), ["a\n", "b\n\n", "c: d"]);
        assert_eq!(texts("a---\nb ---\n"), ["a---\nb ---\n"]);
        assert_eq!(texts(" --- a\n"), ["a\n"]);
        assert_eq!(texts("------\nb\n"), ["---\nb\n"]);
        assert_eq!(texts(" \n---\n\t\n---\n"), Vec::<&str>::new());
    }

    #[test]
    fn offsets_point_at_the_first_character() {
        let text = "a\n---\n\n  b\n";
        let offsets: Vec<usize> = split(text).map(|piece| piece.offset).collect();
        assert_eq!(offsets, [0, text.find('b').unwrap()]);
    }
}
