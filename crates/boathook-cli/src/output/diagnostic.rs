//! Diagnostics for people: message, the line they are about, and the way out. Lines of documents that may hold secrets are
//! never shown.

use std::fmt;

use boathook_core::{Diagnostic, Severity, Source};
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode, SourceSpan};

use super::{Printer, safe, style};

/// How many are shown: an input with more has one cause for most of them, and each takes time to lay out.
const MOST: usize = 50;

/// Prints them to stderr, in the order of the input.
pub(crate) fn print(printer: &Printer, diagnostics: &[Diagnostic], sources: &[Source]) {
    let theme =
        if printer.color_on_stderr() { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler =
        GraphicalReportHandler::new_themed(theme).with_links(false).with_width(100).with_context_lines(1);
    let wanted = |diagnostic: &&Diagnostic| !printer.quiet || diagnostic.severity == Severity::Error;
    for diagnostic in diagnostics.iter().filter(wanted).take(MOST) {
        let shown = Shown::new(diagnostic, sources);
        let mut text = String::new();
        match handler.render_report(&mut text, &shown) {
            Ok(()) => printer.note(&format!("{text}{}", shown.lines_to_copy())),
            Err(fmt::Error) => printer.note(&format!("{}\n", shown.message)),
        }
    }
    let more = diagnostics.iter().filter(wanted).count().saturating_sub(MOST);
    if more > 0 {
        printer.note(&format!("and {more} more; `-o json` lists them all\n"));
    }
}

/// What a document that may hold secrets speaks of, in lower case.
const SECRET_WORDS: [&str; 8] =
    ["secret", "passw", "token", "stringdata", "credential", "apikey", "api_key", "private"];
/// Bytes of a line that is shown.
const WIDEST: usize = 400;

/// A diagnostic as miette takes it.
#[derive(Debug)]
struct Shown {
    message: String,
    code: String,
    severity: Severity,
    help: Option<String>,
    excerpt: Option<(NamedSource<String>, SourceSpan)>,
}

impl Shown {
    fn new(diagnostic: &Diagnostic, sources: &[Source]) -> Self {
        let excerpt = excerpt(diagnostic, sources);
        let place = match (&diagnostic.path, diagnostic.line, diagnostic.column) {
            (Some(path), Some(line), Some(column)) => format!("{path}:{line}:{column}: "),
            (Some(path), Some(line), None) => format!("{path}:{line}: "),
            (Some(path), None, _) => format!("{path}: "),
            _ => String::new(),
        };
        Self {
            message: safe::lines(&format!("{place}{}", diagnostic.message)),
            code: diagnostic.code.clone(),
            severity: diagnostic.severity,
            help: diagnostic.help.as_deref().map(safe::lines),
            excerpt,
        }
    }

    /// Help of several lines holds text to copy: it is laid out as miette does, but never wrapped.
    fn lines_to_copy(&self) -> String {
        let help = self.help.as_deref().filter(|help| help.contains('\n'));
        help.map(|help| style::indent(help, "  help: ", "        ")).unwrap_or_default()
    }
}

/// The line a diagnostic is about, if it may be shown: not where its document could be a Secret.
fn excerpt(diagnostic: &Diagnostic, sources: &[Source]) -> Option<(NamedSource<String>, SourceSpan)> {
    let path = diagnostic.path.as_deref()?;
    let (line, column) = (diagnostic.line?, diagnostic.column?);
    let source = sources.iter().find(|source| source.path == path)?;
    let lines: Vec<&str> = source.text.lines().collect();
    let text = *lines.get(line.checked_sub(1)?)?;
    if may_hold_secrets(&lines, line - 1) || text.len() > WIDEST {
        return None;
    }
    // Only the lines around it are shown, so only they are copied; line breaks keep the numbers right.
    let first = line.saturating_sub(2);
    let around = lines[first..lines.len().min(line + 1)].iter();
    let around: Vec<String> =
        around.map(|line| if line.len() > WIDEST { "…".to_owned() } else { safe::line(line) }).collect();
    let before = first + around[..line - 1 - first].iter().map(|line| line.len() + 1).sum::<usize>();
    let shown = &around[line - 1 - first];
    let skip: usize =
        shown.char_indices().nth(column.saturating_sub(1)).map_or(shown.len(), |(index, _)| index);
    let rest = &shown[skip..];
    let word = rest.find([' ', ',', ':', '}', ']']).filter(|end| *end > 0).unwrap_or(rest.len());
    let span = SourceSpan::new((before + skip).into(), word);
    let text = "\n".repeat(first) + &around.join("\n");
    Some((NamedSource::new(safe::line(path), text), span))
}

/// Whether the document of a line that an excerpt shows (the line and its neighbours) speaks of Secrets: then none of its
/// text is shown, also where it cannot be parsed.
fn may_hold_secrets(lines: &[&str], index: usize) -> bool {
    let shown = index.saturating_sub(1)..lines.len().min(index + 2);
    shown.into_iter().any(|line| {
        let is_start = |line: &&str| line.starts_with("---");
        let start = lines[..=line].iter().rposition(is_start).unwrap_or(0);
        let end = lines[line + 1..].iter().position(is_start).map_or(lines.len(), |offset| line + 1 + offset);
        lines[start..end].iter().any(|line| {
            let lower = line.to_ascii_lowercase();
            SECRET_WORDS.iter().any(|word| lower.contains(word))
        })
    })
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown {}

impl miette::Diagnostic for Shown {
    fn code(&self) -> Option<Box<dyn fmt::Display + '_>> {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        };
        Some(Box::new(format!("{severity}: {}", self.code)))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Info => miette::Severity::Advice,
        })
    }

    fn help(&self) -> Option<Box<dyn fmt::Display + '_>> {
        let help = self.help.as_ref().filter(|help| !help.contains('\n'));
        help.map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.excerpt.as_ref().map(|(source, _)| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (_, span) = self.excerpt.as_ref()?;
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(None, *span))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: usize, column: usize, text: &str) -> Option<String> {
        let source = Source { path: "a.yaml".to_owned(), text: text.to_owned() };
        let diagnostic = Diagnostic::error("x", "wrong").at("a.yaml", line, column);
        excerpt(&diagnostic, &[source])
            .map(|(source, span)| source.inner()[span.offset()..][..span.len()].to_owned())
    }

    #[test]
    fn points_at_the_word() {
        assert_eq!(at(2, 7, "a: 1\nkey: [value, b]\n").as_deref(), Some("value"));
    }

    #[test]
    fn shows_no_line_of_a_document_that_may_hold_secrets() {
        let text =
            "kind: ConfigMap\na: 1\nb: 2\nc: 3\n---\nkind: Secret\nx: hunter2\n---\na: 1\nb: 2\nc: 3\n";
        assert_eq!(at(7, 1, text), None);
        assert!(at(4, 1, text).is_none(), "its neighbour would be shown with it");
        assert!(at(1, 1, text).is_some());
        assert!(at(11, 1, text).is_some());
        assert_eq!(at(2, 1, "kind: [Secret\nx: hunter2\n"), None, "also where it cannot be parsed");
    }

    #[test]
    fn only_the_lines_around_are_copied_and_long_ones_are_left_out() {
        let text = format!("{}a: 1\nkey: b\n{}\n", "x: y\n".repeat(1_000), "\t".repeat(5_000));
        let source = Source { path: "a.yaml".to_owned(), text };
        let diagnostic = Diagnostic::error("x", "wrong").at("a.yaml", 1_002, 6);
        let (source, span) = excerpt(&diagnostic, &[source]).unwrap();
        assert_eq!(&source.inner()[span.offset()..][..span.len()], "b");
        assert_eq!(source.inner().trim_start(), "a: 1\nkey: b\n…");
        assert_eq!(source.inner()[..span.offset()].lines().count(), 1_002);
    }

    #[test]
    fn a_place_outside_the_text_is_no_excerpt() {
        assert_eq!(at(9, 1, "a: 1\n"), None);
        assert_eq!(at(1, 99, "a: 1\n").as_deref(), Some(""));
    }
}
