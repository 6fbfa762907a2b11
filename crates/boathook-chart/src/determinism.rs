//! Which templates give another text each time: found by rendering twice. What they differ by is chance, the clock, or the
//! order in which Go walks its maps; so the second render happens at another time, and everything else is the engine's own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use boathook_core::plan::ReleaseRef;

use crate::Chart;
use crate::engine::{Engine, RenderError};
use crate::render::{RenderOptions, Rendered, render};
use crate::values::Values;

/// The template functions that do not always give the same, of Helm 4 and of the library behind it. `keys` and `values` give
/// those of a map in any order.
const UNSTEADY: [&str; 28] = [
    "ago",
    "bcrypt",
    "date",
    "dateInZone",
    "date_in_zone",
    "durationRound",
    "encryptAES",
    "genCA",
    "genCAWithKey",
    "genPrivateKey",
    "genSelfSignedCert",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "htmlDate",
    "htmlDateInZone",
    "htpasswd",
    "keys",
    "now",
    "randAlpha",
    "randAlphaNum",
    "randAscii",
    "randBytes",
    "randInt",
    "randNumeric",
    "shuffle",
    "uuidv4",
    "values",
];

/// How much later it is for the second render. Year, month, day, weekday, hour, minute, second and fraction are others then,
/// whichever of them a template prints.
const LATER: Duration = Duration::new(400 * 86_400 + 5 * 3_600 + 7 * 60 + 11, 123_456_789);

/// A template that gives another text each time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unsteady {
    /// Its path, as that of [`Rendered::sources`].
    pub path: String,
    /// The first line of its text that differs, from 1.
    pub line: usize,
}

/// Renders a chart once more, if any of its words may be a reason for another text, and tells where the text is another one.
/// Chance that has few ways to fall may fall the same way twice.
///
/// # Errors
/// As [`render`]: the second render may fail where the first did not.
pub async fn unsteady(
    engine: &Engine,
    chart: &Chart,
    release: &ReleaseRef,
    options: &RenderOptions,
    first: &Rendered,
) -> Result<Vec<Unsteady>, RenderError> {
    if !may_be_unsteady(chart, options) {
        return Ok(Vec::new());
    }
    let later = RenderOptions { ahead: LATER, record: false, ..options.clone() };
    let second = render(engine, chart, release, &later, &|_| {}).await?;
    Ok(differences(&texts(first), &texts(&second)))
}

/// Whether the chart, or values that it may take for templates, name one of the functions.
fn may_be_unsteady(chart: &Chart, options: &RenderOptions) -> bool {
    let Values { files, set_json, set, set_string, set_file: _, set_files, set_literal } = &options.values;
    let lent = options.lent.as_ref().and_then(|lent| serde_json::to_vec(lent).ok());
    let read = files.iter().chain(set_files).filter_map(|file| file.content.as_ref().ok());
    let said = [set_json, set, set_string, set_literal].into_iter().flatten().map(String::as_bytes);
    let mut texts = chart
        .files
        .iter()
        .map(|file| file.data.as_slice())
        .chain(read.map(|content| content.as_slice()))
        .chain(said)
        .chain(lent.as_deref());
    texts.any(names_unsteady)
}

/// Whether one of the functions stands between `{{` and `}}` as a word of its own: no field (`.Values.date`), but perhaps with
/// one (`now.Year`).
fn names_unsteady(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let mut actions = text.split("{{").skip(1).filter_map(|rest| rest.split("}}").next());
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    actions.any(|action| {
        let mut words = action.split(|c| !is_part(c)).filter_map(|word| word.split('.').next());
        words.any(|word| UNSTEADY.contains(&word))
    })
}

/// Everything that templates gave, by path.
fn texts(rendered: &Rendered) -> BTreeMap<String, &str> {
    let notes = (format!("{}/templates/NOTES.txt", rendered.chart.name), rendered.notes.as_str());
    let sources = rendered.sources.iter().map(|source| (source.path.clone(), source.text.as_str()));
    sources.chain([notes]).collect()
}

fn differences(first: &BTreeMap<String, &str>, second: &BTreeMap<String, &str>) -> Vec<Unsteady> {
    let paths: BTreeSet<&String> = first.keys().chain(second.keys()).collect();
    let differs = |path: &String| {
        let [first, second] = [first, second].map(|texts| texts.get(path).copied().unwrap_or_default());
        let same = first.lines().zip(second.lines()).take_while(|(a, b)| a == b).count();
        (first != second).then(|| Unsteady { path: path.clone(), line: same + 1 })
    };
    paths.into_iter().filter_map(differs).collect()
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test_case("{{ now | date \"2006\" }}" => true)]
    #[test_case("{{now}}" => true; "no blanks")]
    #[test_case("{{- $x := (randAlphaNum 5) -}}" => true)]
    #[test_case("a: 1\n{{ if true }}{{ now.Year }}{{ end }}" => true; "with a field")]
    #[test_case("now, see values.yaml for keys {{ .Values.now }} {{ $.date }} {{ .keys }}" => false; "prose and fields")]
    #[test_case("{{ knowing updated genCAs randAlphaNumeric }}" => false; "parts of words")]
    #[test_case("{{ derivePassword 1 \"long\" \"a\" \"b\" \"c\" }} {{ toDate \"2006\" \"2020\" | unixEpoch }}" => false; "always the same")]
    fn a_second_render_needs_a_reason(text: &str) -> bool {
        names_unsteady(text.as_bytes())
    }

    #[test]
    fn the_first_line_that_differs_is_told() {
        let texts = |list: &[(&str, &'static str)]| -> BTreeMap<String, &'static str> {
            list.iter().map(|(path, text)| ((*path).to_owned(), *text)).collect()
        };
        let first = texts(&[("a", "1\n2\n"), ("b", "1\n2\n3"), ("c", "1")]);
        let second = texts(&[("a", "1\n2\n"), ("b", "1\n5\n3"), ("d", "1")]);
        let found: Vec<_> =
            differences(&first, &second).into_iter().map(|found| (found.path, found.line)).collect();
        assert_eq!(found, [("b".to_owned(), 2), ("c".to_owned(), 1), ("d".to_owned(), 1)]);
    }
}
