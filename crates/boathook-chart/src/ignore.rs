//! `.helmignore`: which files of a folder are no part of its chart. The rules and the matching of patterns are Helm's and
//! Go's, answered by their own code in `tests/ignore.json`.

use crate::glob::Pattern;

/// The file's name.
pub(crate) const FILE: &str = ".helmignore";
/// Helm's own rule, behind those of the file.
const DEFAULT: &str = "templates/.?*";
/// The longest line that Helm reads.
const MAX_LINE: usize = 64 << 10;

/// The rules of one chart.
#[derive(Debug)]
pub(crate) struct Rules(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    pattern: Pattern,
    /// What matches is kept, and what does not match is left out.
    negated: bool,
    /// It is about folders only.
    folders: bool,
    /// It is about the whole path; else about the last name.
    whole_path: bool,
}

impl Rules {
    /// Reads the file; without one there is only Helm's own rule.
    ///
    /// # Errors
    /// Helm's text for a rule that it does not understand.
    pub(crate) fn read(text: Option<&[u8]>) -> Result<Self, String> {
        let text = String::from_utf8_lossy(text.unwrap_or_default());
        let mut rules = Vec::new();
        for line in text.strip_prefix('\u{feff}').unwrap_or(&text).lines() {
            if line.len() > MAX_LINE {
                return Err("bufio.Scanner: token too long".to_owned());
            }
            rules.extend(Rule::read(line)?);
        }
        rules.extend(Rule::read(DEFAULT)?);
        Ok(Self(rules))
    }

    /// Whether a file or folder is left out; `path` is relative to the chart.
    pub(crate) fn ignore(&self, path: &str, is_folder: bool) -> bool {
        for rule in &self.0 {
            let matches = || {
                let name = path.rsplit('/').next().unwrap_or(path);
                rule.pattern.matches(if rule.whole_path { path } else { name })
            };
            if rule.negated {
                if (rule.folders && !is_folder) || !matches() {
                    return true;
                }
            } else if (is_folder || !rule.folders) && matches() {
                return true;
            }
        }
        false
    }
}

impl Rule {
    /// A line; nothing if it is empty or a comment.
    fn read(line: &str) -> Result<Option<Self>, String> {
        let rule = line.trim();
        if rule.is_empty() || rule.starts_with('#') {
            return Ok(None);
        }
        if rule.contains("**") {
            return Err("double-star (**) syntax is not supported".to_owned());
        }
        // Go looks at the rule before its first and last characters are taken off.
        Pattern::read(rule)?;
        let (negated, rule) = match rule.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, rule),
        };
        let (folders, rule) = match rule.strip_suffix('/') {
            Some(rest) => (true, rest),
            None => (false, rule),
        };
        let (whole_path, rule) = match rule.strip_prefix('/') {
            Some(rest) => (true, rest),
            None => (rule.contains('/'), rule),
        };
        // What is no pattern any more matches nothing.
        let pattern = Pattern::read(rule).unwrap_or_else(|_| Pattern::nothing());
        Ok(Some(Self { pattern, negated, folders, whole_path }))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::Deserialize;

    use super::*;

    /// What Helm 4.3.1's own `pkg/ignore` says of paths under rules.
    #[derive(Deserialize)]
    struct Vectors {
        /// A folder ends in `/`.
        paths: Vec<String>,
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        rules: String,
        error: Option<String>,
        #[serde(default)]
        ignored: BTreeSet<String>,
    }

    #[test]
    fn paths_are_left_out_as_helm_leaves_them_out() {
        let Vectors { paths, cases } = serde_json::from_str(include_str!("../tests/ignore.json")).unwrap();
        assert_eq!((paths.len(), cases.len()), (53, 111));
        let mut wrong = String::new();
        for case in cases {
            let found = Rules::read(Some(case.rules.as_bytes())).map(|rules| {
                let is_ignored =
                    |path: &&String| rules.ignore(path.trim_end_matches('/'), path.ends_with('/'));
                paths.iter().filter(is_ignored).cloned().collect()
            });
            let expected = case.error.map_or(Ok(case.ignored), Err);
            if found != expected {
                wrong += &format!("{:?}: found {found:?}, Helm says {expected:?}\n", case.rules);
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
    }
}
