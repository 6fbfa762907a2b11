//! Documents of a release record: text that is on the cluster already. What Helm accepts silently is accepted here, because
//! refusing it would keep people from upgrading or uninstalling what they have.

use super::yaml::Reading;
use super::{Parsed, parse_as};
use crate::Source;

/// Reads the ordinary documents of a release record, in their order. Each stands below `# Source: path`, which becomes its
/// path again. What Helm accepts silently is accepted here: it is on the cluster.
pub fn parse_stored(manifest: &str) -> Parsed {
    let source = Source { path: "manifest".to_owned(), text: manifest.to_owned() };
    let mut parsed = parse_as(&[source], Reading::AsHelm);
    for document in &mut parsed.documents {
        let path = document.text.strip_prefix("# Source: ").and_then(|text| text.lines().next());
        if let Some(path) = path {
            path.trim_end().clone_into(&mut document.origin.path);
        }
    }
    parsed
}

/// Reads one document of a release record: a hook.
pub(crate) fn parse_stored_hook(path: &str, text: &str) -> Parsed {
    let source = Source { path: "hook".to_owned(), text: text.to_owned() };
    let mut parsed = parse_as(&[source], Reading::AsHelm);
    for document in &mut parsed.documents {
        path.clone_into(&mut document.origin.path);
    }
    for diagnostic in &mut parsed.diagnostics {
        diagnostic.path = Some(path.to_owned());
    }
    parsed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::manifest::parse;

    const DOUBLED: &str = "# Source: c/templates/_a.yaml\nkind: A\ndata: {a: 1, a: 2}\nkind: B\n";

    #[test]
    fn paths_come_back_from_the_comments() {
        let parsed = parse_stored(
            "---\n# Source: c/templates/a.yaml\nkind: A\n\n---\n# Source: b.yaml\n---\nkind: C\n",
        );
        let told: Vec<(&str, &str)> = parsed
            .documents
            .iter()
            .map(|document| (document.origin.path.as_str(), document.head.kind.as_str()))
            .collect();
        assert_eq!(told, [("c/templates/a.yaml", "A"), ("b.yaml", ""), ("manifest", "C")]);
    }

    #[test]
    fn of_two_equal_keys_the_last_one_counts() {
        let parsed = parse_stored(DOUBLED);
        assert_eq!(parsed.diagnostics, []);
        assert_eq!(parsed.documents[0].head.kind, "B");
        assert_eq!(parsed.documents[0].objects[0].get(&["data"]), Some(&json!({"a": 2})));
        let strict = parse(&[Source { path: "a.yaml".to_owned(), text: DOUBLED.to_owned() }]);
        assert_eq!(strict.diagnostics[0].code, "duplicate-key");
    }

    #[test]
    fn text_behind_the_end_does_not_count() {
        for text in
            ["{\"kind\": \"A\"} {\"kind\": \"B\"}\n", "# c\n  kind: A\nkind: B\n", "kind: A\n...\nkind: B\n"]
        {
            let parsed = parse_stored(text);
            assert_eq!(parsed.diagnostics, [], "{text}");
            assert_eq!(parsed.documents[0].head.kind, "A", "{text}");
        }
    }

    #[test]
    fn what_is_no_yaml_is_no_document() {
        let parsed = parse_stored_hook("h.yaml", "kind: {A\n");
        assert_eq!(parsed.documents.len(), 0);
        assert_eq!(parsed.diagnostics[0].path.as_deref(), Some("h.yaml"));
    }
}
