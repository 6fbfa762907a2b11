//! Which of several versions is meant: Helm's constraints, as far as Cargo's have the same meaning.

use semver::{Comparator, Op, Prerelease, Version, VersionReq};

/// The version that is wanted, as an index: the one of exactly this text; else the newest that fits; else nothing. Without a
/// wish, the newest that is no pre-release.
///
/// # Errors
/// Why a text is no constraint.
pub(super) fn pick(versions: &[String], wanted: Option<&str>) -> Result<Option<usize>, String> {
    let wanted = wanted.map(str::trim).filter(|wanted| !wanted.is_empty());
    if let Some(exact) = wanted.and_then(|wanted| versions.iter().position(|version| version == wanted)) {
        return Ok(Some(exact));
    }
    let constraint = match wanted {
        Some(wanted) => constraint(wanted)?,
        None => VersionReq::STAR,
    };
    let fits = versions.iter().enumerate().filter_map(|(index, text)| {
        let version = lenient(text)?;
        constraint.matches(&version).then_some((version, index))
    });
    // Of equal ones the first.
    Ok(fits.max_by(|(a, i), (b, j)| a.cmp(b).then(j.cmp(i))).map(|(_, index)| index))
}

fn constraint(text: &str) -> Result<VersionReq, String> {
    let not =
        |reason: String| format!("{text:?} is no version, nor a constraint that is understood: {reason}");
    if text.contains("||") || text.contains(" - ") {
        return Err(not("alternatives and ranges with a hyphen are not; write >=1.2, <2".to_owned()));
    }
    let mut constraint =
        VersionReq::parse(&text.replace(['v', 'V'], "").replace("=>", ">=").replace("=<", "<="))
            .map_err(|error| not(error.to_string()))?;
    for (part, comparator) in text.split(',').zip(&mut constraint.comparators) {
        // A bare version means itself to Helm, and what is compatible with it to Cargo.
        if part.trim_start().starts_with(|c: char| c.is_ascii_digit() || c == 'v')
            && comparator.op == Op::Caret
        {
            *comparator = Comparator { op: Op::Exact, ..comparator.clone() };
        }
    }
    Ok(constraint)
}

/// A version as Helm reads it: a `v` before it, and parts that are missing, are no fault.
fn lenient(text: &str) -> Option<Version> {
    let text = text.strip_prefix('v').unwrap_or(text);
    if let Ok(version) = Version::parse(text) {
        return Some(version);
    }
    let at = text.find(['-', '+']).unwrap_or(text.len());
    let (numbers, rest) = text.split_at(at);
    let missing = 3_usize.checked_sub(numbers.split('.').count())?;
    Version::parse(&format!("{numbers}{}{rest}", ".0".repeat(missing)))
        .ok()
        .filter(|version| version.pre == Prerelease::EMPTY || !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test_case(None, Some("2.1.0"); "the newest that is no pre-release")]
    #[test_case(Some("1.2.0"), Some("1.2.0"); "exactly")]
    #[test_case(Some("v1.2.0"), Some("1.2.0"); "with a v")]
    #[test_case(Some("1.2"), Some("1.2.3"); "a part of a version")]
    #[test_case(Some("^1.0.0"), Some("1.10.0"); "compatible")]
    #[test_case(Some("~1.2.0"), Some("1.2.3"); "patches")]
    #[test_case(Some(">=1.0, <1.3"), Some("1.2.3"); "a range")]
    #[test_case(Some("1.x"), Some("1.10.0"); "a wildcard")]
    #[test_case(Some(">3.0.0-0"), Some("3.0.0-rc.1"); "pre-releases where they are asked for")]
    #[test_case(Some("9"), None; "nothing fits")]
    fn versions_are_picked(wanted: Option<&str>, expected: Option<&str>) {
        let versions = ["1.2.0", "latest", "2.1.0", "1.10.0", "1.2.3", "3.0.0-rc.1"].map(str::to_owned);
        let found = pick(&versions, wanted).unwrap().map(|index| versions[index].as_str());
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_no_constraint_is_said() {
        assert!(pick(&[], Some("1.2 - 1.4")).unwrap_err().contains("write >=1.2, <2"));
        assert!(pick(&[], Some("newest")).is_err());
    }
}
