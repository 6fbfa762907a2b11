//! What users are told: message, way out, line and column of every finding. The texts are a contract of the program.

use boathook_core::hook::Action;
use boathook_core::manifest::parse;
use boathook_core::{Diagnostic, Severity, check, dialect};
use test_case::test_case;

use super::vectors::source;

/// All findings about a text, as `line:column code: message (help)`.
fn findings(text: &str) -> Vec<String> {
    let parsed = parse(&[source(text)]);
    let read = dialect::read(parsed.documents);
    let all = parsed.diagnostics.iter().chain(&read.diagnostics);
    all.map(|found: &Diagnostic| {
        let place = match (found.line, found.column) {
            (Some(line), Some(column)) => format!("{line}:{column} "),
            _ => String::new(),
        };
        let severity = if found.severity == Severity::Error { "error" } else { "warning" };
        let help = found.help.as_deref().unwrap_or("-");
        format!("{place}{severity} {}: {} ({help})", found.code, found.message)
    })
    .collect()
}

fn job(annotations: &str) -> String {
    format!("apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: j\n  annotations:\n{annotations}")
}

#[test]
fn an_unknown_event_drops_the_document_and_says_so() {
    assert_eq!(
        findings(&job("    helm.sh/hook: post-install, pre-instal\n")),
        ["6:33 warning unknown-event: document dropped, \"pre-instal\" is no hook event (did you mean \
         \"pre-install\"? Helm drops the whole document too, and says so only in its debug log)"]
    );
    assert_eq!(
        findings(&job("    helm.sh/hook: \"pre-install,\"\n")),
        [
            "6:32 warning unknown-event: document dropped, helm.sh/hook holds an empty event (events are pre-install, \
         post-install, pre-delete, post-delete, pre-upgrade, post-upgrade, pre-rollback, post-rollback, test. Helm \
         drops the whole document too, and says so only in its debug log)"
        ]
    );
    let found = findings(&job("    helm.sh/hook: crd-install\n"));
    assert!(found[0].contains("put the definition into the chart's crds folder"), "{found:?}");
}

/// A merge behind a key overwrites it, so the finding is about what the merge brings.
#[test]
fn a_merged_annotation_is_found_where_it_stands() {
    let text = "x: &x {helm.sh/hook: nope}\nkind: A\napiVersion: v1\nmetadata:\n  name: a\n  annotations:\n    \
                helm.sh/hook: test\n    <<: *x\n";
    let found = findings(text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("1:22 warning unknown-event"), "{found:?}");
}

#[test]
fn a_bad_weight_is_zero_and_says_so() {
    assert_eq!(
        findings(&job("    helm.sh/hook: test\n    helm.sh/hook-weight: \" 5\"\n")),
        [
            "7:5 warning bad-weight: helm.sh/hook-weight \" 5\" is no integer, so the weight is 0 (write \"5\": Helm \
         does not trim the value, and takes 0 as well)"
        ]
    );
}

#[test]
fn unknown_policies_are_kept_and_said() {
    let annotations = "    helm.sh/hook: test\n    helm.sh/hook-delete-policy: hook-succeded\n    \
                       helm.sh/hook-output-log-policy: never\n";
    assert_eq!(
        findings(&job(annotations)),
        [
            "7:33 warning unknown-delete-policy: \"hook-succeded\" is no policy of helm.sh/hook-delete-policy (did you \
         mean \"hook-succeeded\"? Helm keeps the word and does nothing for it; the default before-hook-creation does \
         not apply either)",
            "8:37 warning unknown-output-log-policy: \"never\" is no policy of helm.sh/hook-output-log-policy (policies \
         are hook-succeeded, hook-failed. Helm keeps the word and does nothing for it)",
        ]
    );
}

/// D26: Helm renders these, and then cannot build the object.
#[test]
fn values_that_must_be_strings() {
    let found = findings(&job("    helm.sh/hook: test\n    helm.sh/hook-weight: 5\n    a/b: true\n"));
    let help = "put the value in quotes: Helm cannot build the object either";
    assert_eq!(
        found,
        [
            format!(
                "7:5 error not-a-string: annotation helm.sh/hook-weight must be a quoted string ({help})"
            ),
            format!("8:5 error not-a-string: annotation a/b must be a quoted string ({help})"),
        ]
    );
    let found = findings("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 1e3, labels: {a: no}}\n");
    assert_eq!(
        found,
        [
            format!("3:12 error not-a-string: metadata.name must be a quoted string ({help})"),
            format!("3:32 error not-a-string: label a must be a quoted string ({help})"),
        ]
    );
    assert_eq!(
        findings(&job("    a: {b: c}\n")),
        [
            "6:5 error wrong-type: annotation a must be a quoted string (Helm refuses the whole render for this)"
        ]
    );
}

#[test]
fn one_error_does_not_hide_the_next() {
    let text = "kind: [a]\n---\na: b: c\n---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: Up\n  namespace: a.b\n";
    assert_eq!(
        findings(text),
        [
            "1:1 error wrong-type: \"kind\" must be text (Helm refuses the whole render for this)",
            "3:5 error invalid-yaml: invalid YAML: mapping values are not allowed in this context (-)",
            "8:3 error invalid-name: name \"Up\" of Secret is not a DNS subdomain (use a-z, 0-9 and '-', starting and \
         ending with a letter or digit)",
            "9:3 error invalid-namespace: namespace \"a.b\" is not a DNS label (use a-z, 0-9 and '-', starting and \
         ending with a letter or digit, at most 63 characters)",
        ]
    );
}

#[test]
fn incomplete_objects() {
    let found = findings("metadata:\n  generateName: a-\n---\napiVersion: v1\nkind: Pod\n");
    let help = "every object needs apiVersion, kind and metadata.name";
    assert_eq!(
        found,
        [
            format!("1:1 error missing-field: object has no apiVersion ({help})"),
            format!("1:1 error missing-field: object has no kind ({help})"),
            format!("4:1 error missing-field: object has no metadata.name ({help})"),
        ]
    );
    assert_eq!(findings("# only a comment\n---\n{}\n---\nnull\n"), Vec::<String>::new());
}

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";

fn hooked(event: &str) -> String {
    format!("{MAP}  annotations: {{helm.sh/hook: {event}}}\n")
}

#[test_case(MAP, MAP, "object"; "two ordinary objects")]
#[test_case(MAP, &hooked("test"), "object, once as a hook and once as an ordinary one"; "hook and ordinary")]
#[test_case(&hooked("\"pre-install,test\""), &hooked("test"), "hook of the same event"; "hooks that share an event")]
fn objects_that_stand_twice(first: &str, second: &str, kind: &str) {
    let line = first.lines().count() + 2;
    assert_eq!(
        findings(&format!("{first}---\n{second}")),
        [format!(
            "{line}:1 error duplicate-object: ConfigMap a stands twice ({kind}): also at x/templates/a.yaml:1 (remove one \
         of them or give it another name)"
        )]
    );
}

#[test]
fn an_object_may_be_a_hook_of_several_events_in_several_documents() {
    assert_eq!(findings(&format!("{}---\n{}", hooked("pre-install"), hooked("post-install"))), [""; 0]);
    let other = MAP.replace("name: a", "name: a\n  namespace: b");
    assert_eq!(findings(&format!("{MAP}---\n{other}---\n{}", MAP.replace("v1", "x/v1"))), [""; 0]);
}

#[test]
fn items_of_a_list_are_objects_of_their_own() {
    let text = "apiVersion: v1\nkind: ConfigMapList\nitems:\n- metadata: {name: a}\n- metadata: {name: a}\n";
    let found = findings(text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("5:3 error duplicate-object: ConfigMap a stands twice"), "{found:?}");
    assert!(found[0].contains("also at x/templates/a.yaml:4"), "{found:?}");
}

#[test_case("web", true)]
#[test_case("web.v2-a", true)]
#[test_case(&"a".repeat(53), true)]
#[test_case(&"a".repeat(54), false)]
#[test_case("Web", false)]
#[test_case("-a", false)]
#[test_case("a..b", false)]
#[test_case("a/b", false)]
#[test_case("", false)]
fn release_names(name: &str, valid: bool) {
    assert_eq!(check::release_name(name).is_ok(), valid);
}

/// A value of a Secret must not stand in any message, whatever is wrong with the document.
#[test]
fn secrets_do_not_leak() {
    let head =
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n  annotations: {helm.sh/hook: pre-install}\n";
    for broken in [
        "data:\n  a: HUNTER2\n b: HUNTER2\n",
        "data:\n  a: HUNTER2\n  a: HUNTER2\n",
        "data: [HUNTER2\n",
        "data: \"HUNTER2\\q\"\n",
        "data: !!int HUNTER2\n",
        "data: HUNTER2: HUNTER2\n",
        "data: *HUNTER2\n",
        "data: {<<: HUNTER2}\n",
    ] {
        let found = findings(&format!("{head}{broken}"));
        assert!(!found.is_empty(), "{broken:?} is no error");
        assert!(!found.join("\n").contains("HUNTER2"), "{found:?}");
    }
}

const WASM: &str = "apiVersion: boathook.dev/v1alpha1
kind: WasmHook
metadata:
  name: ensure
  annotations: {helm.sh/hook: pre-install}
spec:
  plugin: ensure
  timeout: 30s
  permissions:
    kubernetes:
    - apiGroups: [\"\"]
      resources: [configmaps]
      verbs: [get, create]
";

#[test]
fn a_wasm_hook_calls_its_plugin() {
    let read = dialect::read(parse(&[source(WASM)]).documents);
    assert_eq!(read.diagnostics, []);
    let hook = &read.hooks[0];
    let Action::CallPlugin(spec) = &hook.action else { panic!("{:?}", hook.action) };
    assert_eq!(spec.plugin, "ensure");
    assert_eq!(spec.permissions.kubernetes[0].verbs, ["get", "create"]);
    assert_eq!(hook.spec_place("plugin"), (7, 3));
    assert_eq!(hook.spec_place("config"), (6, 1));
}

#[test_case(
    "plugin: ensure",
    "plugn: ensure",
    "7:3 error unknown-field: spec has no field \"plugn\" (did you mean \"plugin\"?)"
)]
#[test_case(
    "timeout: 30s",
    "timeout: soon",
    "8:3 error invalid-wasm-hook: spec: timeout: expected a positive duration such as \"30s\" or \"1m30s\" (-)"
)]
#[test_case(
    "      verbs: [get, create]",
    "      verbs: get",
    "13:7 error invalid-wasm-hook: spec: permissions.kubernetes[0].verbs: expected a sequence, found string (-)"
)]
#[test_case(
    "    kubernetes:",
    "    kubernets:",
    "10:5 error unknown-field: spec: permissions has no field \"kubernets\" (did you mean \"kubernetes\"?)"
)]
#[test_case("  plugin: ensure\n", "", "6:1 error invalid-wasm-hook: spec: field \"plugin\" is missing (-)")]
#[test_case(
    "spec:",
    "sepc:",
    "6:1 error unknown-field: a WasmHook has no field \"sepc\" (did you mean \"spec\"?)"
)]
#[test_case(
    "/v1alpha1",
    "/v1",
    "1:1 error unknown-version: WasmHook of apiVersion \"boathook.dev/v1\" is not known (write apiVersion: boathook.dev/v1alpha1)"
)]
#[test_case(
    "annotations: {helm.sh/hook: pre-install}",
    "labels: {}",
    "3:1 error wasm-hook-without-event: WasmHook without annotation helm.sh/hook would never run (add metadata.annotations with helm.sh/hook: pre-install, or another event)"
)]
#[test_case(
    "  timeout: 30s",
    "  credentials: [{name: a}]",
    "8:17 error invalid-wasm-hook: spec: credentials[0] needs exactly one of secretKeyRef and env (-)"
)]
fn a_wrong_wasm_hook_says_where(text: &str, instead: &str, expected: &str) {
    assert!(WASM.contains(text));
    let found = findings(&WASM.replace(text, instead));
    assert_eq!(found.first().map(String::as_str), Some(expected), "{found:?}");
}

#[test]
fn a_job_carries_the_same_in_an_annotation() {
    let text = job("    helm.sh/hook: pre-install
    boathook.dev/wasm-hook: |
      plugin: ensure
      config: {a: 0644}
");
    let read = dialect::read(parse(&[source(&text)]).documents);
    assert_eq!(read.diagnostics, []);
    let Action::CallPlugin(spec) = &read.hooks[0].action else { panic!("no plugin") };
    assert_eq!(spec.config["a"], 420);
    assert_eq!(read.hooks[0].spec_place("config"), (9, 7));

    let found = findings(&text.replace("plugin", "plug"));
    assert_eq!(
        found,
        [
            "8:7 error unknown-field: annotation boathook.dev/wasm-hook has no field \"plug\" (did you mean \"plugin\"?)"
        ]
    );
    let found = findings(&text.replace("{a: 0644}", "[a"));
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("error invalid-yaml"), "{found:?}");
    let found = findings(&text.replace("kind: Job", "kind: Pod"));
    assert!(found[0].starts_with("7:5 error misplaced-wasm-hook"), "{found:?}");
    let found = findings(&text.replace("    helm.sh/hook: pre-install\n", ""));
    assert!(found[0].starts_with("6:5 warning misplaced-wasm-hook"), "{found:?}");
}

#[test]
fn a_wasm_hook_inside_a_list_would_never_run() {
    let text = format!("apiVersion: v1\nkind: List\nitems:\n- {}", WASM.replace('\n', "\n  "));
    let found = findings(&text);
    assert!(found[0].starts_with("4:3 error wasm-hook-in-list"), "{found:?}");
}
