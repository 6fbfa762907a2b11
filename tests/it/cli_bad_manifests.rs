//! Manifests that are refused before anything runs: exact message, exit code 3, nothing written, bounded time and
//! memory, and never a value of a Secret.

use std::fmt::Write as _;

use crate::env::{Run, TestEnv};
use crate::snapshot;

/// Installs a text, which must be refused. Several texts become several files.
#[track_caller]
fn refuse(texts: &[(&str, &str)]) -> Run {
    let env = TestEnv::new();
    for (name, text) in texts {
        env.write(&format!("app/{name}"), text);
    }
    let run = env.refuses(&["install", "web", "app", "--cluster", "embedded:state.json"]);
    assert_eq!(run.code, Some(3), "{run}");
    run
}

/// As [`refuse`], with one file.
#[track_caller]
fn refuse_text(text: &str) -> Run {
    refuse(&[("a.yaml", text)])
}

fn config_map(rest: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\n{rest}")
}

#[test]
fn a_billion_laughs() {
    let mut text = String::from("l0: &l0 lol\n");
    for level in 1..=9 {
        let line = (0..10).map(|_| format!("*l{}", level - 1)).collect::<Vec<_>>().join(",");
        writeln!(text, "l{level}: &l{level} [{line}]").unwrap();
    }
    snapshot!(refuse_text(&config_map(&text)), @r"
    exit 3
    --- stderr
    error: document-limit

      × a.yaml:5:9: document exceeds the limit of 250000 nodes
       ╭─[a.yaml:5:9]
     4 │ l0: &l0 lol
     5 │ l1: &l1 [*l0,*l0,*l0,*l0,*l0,*l0,*l0,*l0,*l0,*l0]
       ·         ────
     6 │ l2: &l2 [*l1,*l1,*l1,*l1,*l1,*l1,*l1,*l1,*l1,*l1]
       ╰────
    ");
}

#[test]
fn a_long_text_repeated_by_aliases() {
    let text = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 9_000].join(","));
    snapshot!(refuse_text(&config_map(&text)), @r"
    exit 3
    --- stderr
    error: document-limit

      × a.yaml:4:7: document exceeds the limit of 16777216 bytes of scalars
    ");
}

#[test]
fn a_bomb_of_merge_keys() {
    let mut text = String::from("m0: &m0 {a: 1, b: 2}\n");
    for level in 1..=40 {
        writeln!(text, "m{level}: &m{level} {{<<: [*m{0}, *m{0}], k{level}: 1}}", level - 1).unwrap();
    }
    let pairs: String = (0..2_000).map(|n| format!("k{n}: 1, ")).collect();
    writeln!(text, "big: &big {{{pairs}}}").unwrap();
    writeln!(text, "merged: [{}]", vec!["{<<: *big}"; 1_000].join(", ")).unwrap();
    snapshot!(refuse_text(&config_map(&text)), @r"
    exit 3
    --- stderr
    error: document-limit

      × a.yaml:5:20: document exceeds the limit of 250000 nodes
       ╭─[a.yaml:5:20]
     4 │ m0: &m0 {a: 1, b: 2}
     5 │ m1: &m1 {<<: [*m0, *m0], k1: 1}
       ·                    ───
     6 │ m2: &m2 {<<: [*m1, *m1], k2: 1}
       ╰────
    ");
}

#[test]
fn too_many_aliases_and_anchors() {
    let text: String = (0..20_000).map(|n| format!("- &a{n} 1\n- *a{n}\n")).collect();
    snapshot!(refuse_text(&config_map(&format!("l:\n{text}"))), @r"
    exit 3
    --- stderr
    error: document-limit

      × a.yaml:2005:10: document exceeds the limit of 1000 anchors
          ╭─[a.yaml:2005:10]
     2004 │ - *a999
     2005 │ - &a1000 1
          ·          ─
     2006 │ - *a1000
          ╰────
    ");
}

#[test]
fn deep_nesting() {
    snapshot!(refuse_text(&config_map(&format!("a: {}{}\n", "[".repeat(200_000), "]".repeat(200_000)))), @r"
    exit 3
    --- stderr
    error: document-limit

      × a.yaml:4:259: document exceeds the limit of 128 nested lists and maps
    ");
    snapshot!(refuse_text(&config_map(&format!("a: {}\n", "[".repeat(1_000_000)))), @r"
    exit 3
    --- stderr
    error: document-limit

      × a.yaml:4:259: document exceeds the limit of 128 nested lists and maps
    ");
    let block: String = (0..1_500).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    snapshot!(refuse_text(&block), @r"
    exit 3
    --- stderr
    error: document-limit

      × a.yaml:129:129: document exceeds the limit of 128 nested lists and maps
         ╭─[a.yaml:129:129]
     128 │                                                                                                                                a:
     129 │                                                                                                                                 a:
         ·                                                                                                                                 ─
     130 │                                                                                                                                  a:
         ╰────
    ");
    assert_eq!(refuse_text(&"? ".repeat(100_000)).code, Some(3));
    assert_eq!(refuse_text(&": ".repeat(20_000)).code, Some(3));
    assert_eq!(refuse_text(&"- ".repeat(100_000)).code, Some(3));
}

#[test]
fn limits_of_size_are_named() {
    snapshot!(refuse_text(&config_map(&format!("a: {}\n", "x".repeat(3 << 20)))), @r"
    exit 3
    --- stderr
    error: document-limit

      × a.yaml:1:1: document exceeds the limit of 3145728 bytes
       ╭─[a.yaml:1:1]
     1 │ apiVersion: v1
       · ──────────
     2 │ kind: ConfigMap
       ╰────
    ");
    let run = refuse_text(&"---\na: 1\n".repeat(20_001));
    let ends: Vec<&str> =
        [run.stderr.lines().nth(2), run.stderr.lines().last()].into_iter().flatten().collect();
    snapshot!(ends.join("\n"), @r"
      × a.yaml:40002:1: input exceeds the limit of 20000 documents
    and 59951 more; `-o json` lists them all
    ");
}

#[test]
fn yaml_that_cannot_be_read() {
    snapshot!(refuse_text("a: {b: [1, 2}\n"), @r"
    exit 3
    --- stderr
    error: invalid-yaml

      × a.yaml:1:8: invalid YAML: mismatched bracket '[' closed by '}'
       ╭─[a.yaml:1:8]
     1 │ a: {b: [1, 2}
       ·        ──
       ╰────
    ");
    snapshot!(refuse_text("a: 1\n\tb: 2\n"), @r"
    exit 3
    --- stderr
    error: invalid-yaml

      × a.yaml:1:4: invalid YAML: while scanning a plain scalar, found a tab
       ╭─[a.yaml:1:4]
     1 │ a: 1
       ·    ─
     2 │     b: 2
       ╰────
    ");
    snapshot!(refuse_text("a: 1\na: 2\n"), @r#"
    exit 3
    --- stderr
    error: duplicate-key

      × a.yaml:2:1: key "a" stands twice in the same map
       ╭─[a.yaml:2:1]
     1 │ a: 1
     2 │ a: 2
       · ─
       ╰────
      help: remove one of them; Helm silently takes the last one
    "#);
    snapshot!(refuse_text("a: *nobody\n"), @r"
    exit 3
    --- stderr
    error: invalid-yaml

      × a.yaml:1:4: invalid YAML: while parsing node, found unknown anchor
       ╭─[a.yaml:1:4]
     1 │ a: *nobody
       ·    ───────
       ╰────
    ");
    snapshot!(refuse_text("a: &a [*a]\n"), @r"
    exit 3
    --- stderr
    error: invalid-yaml

      × a.yaml:1:8: anchor contains itself
       ╭─[a.yaml:1:8]
     1 │ a: &a [*a]
       ·        ──
       ╰────
    ");
    snapshot!(refuse_text("name: {{ .Values.name }}\n"), @r"
    exit 3
    --- stderr
    error: invalid-yaml

      × a.yaml:1:8: map key is neither text, number nor boolean
       ╭─[a.yaml:1:8]
     1 │ name: {{ .Values.name }}
       ·        ─
       ╰────
      help: text in {{ }} must be rendered first: name the chart, not its templates
    ");
    snapshot!(refuse_text("- a\n- b\n"), @r"
    exit 3
    --- stderr
    error: wrong-type

      × a.yaml:1:1: a document must be a map
       ╭─[a.yaml:1:1]
     1 │ - a
       · ─
     2 │ - b
       ╰────
      help: Helm refuses the whole render for this
    ");
    snapshot!(refuse_text("just text\n"), @r"
    exit 3
    --- stderr
    error: wrong-type

      × a.yaml:1:1: a document must be a map
       ╭─[a.yaml:1:1]
     1 │ just text
       · ────
       ╰────
      help: Helm refuses the whole render for this
    ");
}

#[test]
fn objects_without_kind_or_name() {
    snapshot!(refuse_text("metadata:\n  name: a\n"), @r"
    exit 3
    --- stderr
    error: missing-field

      × a.yaml:1:1: object has no apiVersion
       ╭─[a.yaml:1:1]
     1 │ metadata:
       · ────────
     2 │   name: a
       ╰────
      help: every object needs apiVersion, kind and metadata.name
    error: missing-field

      × a.yaml:1:1: object has no kind
       ╭─[a.yaml:1:1]
     1 │ metadata:
       · ────────
     2 │   name: a
       ╰────
      help: every object needs apiVersion, kind and metadata.name
    ");
    snapshot!(refuse_text("apiVersion: v1\nkind: ConfigMap\n"), @r"
    exit 3
    --- stderr
    error: missing-field

      × a.yaml:1:1: object has no metadata.name
       ╭─[a.yaml:1:1]
     1 │ apiVersion: v1
       · ──────────
     2 │ kind: ConfigMap
       ╰────
      help: every object needs apiVersion, kind and metadata.name
    ");
    snapshot!(refuse_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: A_b, namespace: ../x}\n"), @r#"
    exit 3
    --- stderr
    error: invalid-name

      × a.yaml:3:12: name "A_b" of ConfigMap is not a DNS subdomain
       ╭─[a.yaml:3:12]
     2 │ kind: ConfigMap
     3 │ metadata: {name: A_b, namespace: ../x}
       ·            ────
       ╰────
      help: use a-z, 0-9 and '-', starting and ending with a letter or digit
    error: invalid-namespace

      × a.yaml:3:23: namespace "../x" is not a DNS label
       ╭─[a.yaml:3:23]
     2 │ kind: ConfigMap
     3 │ metadata: {name: A_b, namespace: ../x}
       ·                       ─────────
       ╰────
      help: use a-z, 0-9 and '-', starting and ending with a letter or digit, at most 63 characters
    "#);
}

#[test]
fn annotations_that_are_no_strings() {
    let text = "apiVersion: v1
kind: ConfigMap
metadata:
  name: a
  labels: {version: 1.10}
  annotations:
    helm.sh/hook: pre-install
    helm.sh/hook-weight: 5
    example.com/flag: true
";
    snapshot!(refuse_text(text), @r"
    exit 3
    --- stderr
    error: not-a-string

      × a.yaml:8:5: annotation helm.sh/hook-weight must be a quoted string
       ╭─[a.yaml:8:5]
     7 │     helm.sh/hook: pre-install
     8 │     helm.sh/hook-weight: 5
       ·     ───────────────────
     9 │     example.com/flag: true
       ╰────
      help: put the value in quotes: Helm cannot build the object either
    error: not-a-string

      × a.yaml:9:5: annotation example.com/flag must be a quoted string
       ╭─[a.yaml:9:5]
     8 │     helm.sh/hook-weight: 5
     9 │     example.com/flag: true
       ·     ────────────────
       ╰────
      help: put the value in quotes: Helm cannot build the object either
    error: not-a-string

      × a.yaml:5:12: label version must be a quoted string
       ╭─[a.yaml:5:12]
     4 │   name: a
     5 │   labels: {version: 1.10}
       ·            ───────
     6 │   annotations:
       ╰────
      help: put the value in quotes: Helm cannot build the object either
    ");
    snapshot!(refuse_text("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  annotations:\n    helm.sh/hook: [pre-install]\n"), @r"
    exit 3
    --- stderr
    error: wrong-type

      × a.yaml:6:5: annotation helm.sh/hook must be a quoted string
       ╭─[a.yaml:6:5]
     5 │   annotations:
     6 │     helm.sh/hook: [pre-install]
       ·     ────────────
       ╰────
      help: Helm refuses the whole render for this
    ");
}

#[test]
fn the_same_object_twice_names_both_places() {
    let map = |hook: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a{hook}}}\n");
    let hook = ", annotations: {helm.sh/hook: pre-install}";
    snapshot!(refuse(&[("a.yaml", &map("")), ("b.yaml", &map(""))]), @r"
    exit 3
    --- stderr
    error: duplicate-object

      × b.yaml:1:1: ConfigMap a stands twice (object): also at a.yaml:1
       ╭─[b.yaml:1:1]
     1 │ apiVersion: v1
       · ──────────
     2 │ kind: ConfigMap
       ╰────
      help: remove one of them or give it another name
    ");
    snapshot!(refuse_text(&format!("{}---\n{}", map(""), map(hook))), @r"
    exit 3
    --- stderr
    error: duplicate-object

      × a.yaml:5:1: ConfigMap a stands twice (object, once as a hook and once as an ordinary one):
      │ also at a.yaml:1
       ╭─[a.yaml:5:1]
     4 │ ---
     5 │ apiVersion: v1
       · ──────────
     6 │ kind: ConfigMap
       ╰────
      help: remove one of them or give it another name
    ");
    snapshot!(refuse_text(&format!("{}---\n{}", map(hook), map(hook))), @r"
    exit 3
    --- stderr
    error: duplicate-object

      × a.yaml:5:1: ConfigMap a stands twice (hook of the same event): also at a.yaml:1
       ╭─[a.yaml:5:1]
     4 │ ---
     5 │ apiVersion: v1
       · ──────────
     6 │ kind: ConfigMap
       ╰────
      help: remove one of them or give it another name
    ");
}

#[test]
fn a_hook_that_is_selected_must_be_there() {
    let env = TestEnv::new();
    env.example("ordering", 8642);
    let run = env.refuses(&["plan", "install", "web", "ordering", "--skip-hook", "Job/nobody", "-q"]);
    snapshot!(run, @r#"
    exit 3
    --- stdout
    Install web into default · revision 1 · chart ordering 0.0.0

      PHASE         WEIGHT  STEP                  RUNS                       MAY TOUCH
      pre-install       -5  ServiceAccount/first  apply
                         0  Job/a                 image busybox:1.37, waits
                         0  ServiceAccount/b      apply
                         5  ConfigMap/third       apply
      apply                 1 object              apply                      (-v lists them)
      post-install       2  ConfigMap/same        apply
                         2  Job/same              image busybox:1.37, waits

    6 hooks, 1 object. Nothing was changed.
    --- stderr
    error: no-such-hook

      × no hook "Job/nobody" in this source
      help: hooks are named KIND/NAME; there are: ConfigMap/same, ConfigMap/third, Job/a, Job/same,
            ServiceAccount/b, ServiceAccount/first
    "#);
}

#[test]
fn all_faults_are_told_at_once() {
    let run = refuse(&[
        ("a.yaml", "a: [\n"),
        ("b.yaml", "kind: Job\n"),
        ("c.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: X}\n"),
    ]);
    for file in ["a.yaml", "b.yaml", "c.yaml"] {
        assert!(run.stderr.contains(&format!("{file}:")), "{run}");
    }
}

#[test]
fn an_unknown_event_is_told_and_the_rest_runs() {
    let env = TestEnv::new();
    env.write("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  annotations:\n    helm.sh/hook: pre-instal\n");
    snapshot!(env.run(&["install", "web", "a.yaml", "--cluster", "embedded"]).ok(), @r#"
    exit 0
    --- stdout
    Release web is deployed in default, revision 1 · [duration]
      note document dropped, "pre-instal" is no hook event
    --- stderr
    warning: unknown-event

      ⚠ a.yaml:6:19: document dropped, "pre-instal" is no hook event
       ╭─[a.yaml:6:19]
     5 │   annotations:
     6 │     helm.sh/hook: pre-instal
       ·                   ──────────
       ╰────
      help: did you mean "pre-install"? Helm drops the whole document too, and says so only in its
            debug log
    "#);
}

#[test]
fn no_message_shows_the_content_of_a_secret() {
    const CANARY: &str = "hunter2-canary";
    let secret =
        |data: &str| format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData:\n{data}");
    for text in [
        secret(&format!("  password: {CANARY}\n  password: {CANARY}\n")),
        secret(&format!("  password: [{CANARY}\n")),
        secret(&format!("  password: \"{CANARY}\n")),
        secret(&format!("  {CANARY}\n")),
        secret(&format!("  password: {CANARY}: x\n")),
        secret(&format!("  password: *{CANARY}\n")),
        secret(&format!("\tpassword: {CANARY}\n")),
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s, annotations: {{a: [{CANARY}]}}}}\n"),
        format!("kind: Secret\nstringData: {CANARY}\n"),
        format!("kind: Secret\nstringData: {{a: {CANARY}}}\n---\nkind: Secret\nx: {CANARY}\n"),
    ] {
        for output in ["text", "json", "jsonl"] {
            let env = TestEnv::new();
            env.write("a.yaml", &text);
            let run =
                env.refuses(&["install", "web", "a.yaml", "--cluster", "embedded", "-o", output, "-vv"]);
            assert!(!run.to_string().contains(CANARY), "{text}\n{run}");
        }
    }
}

#[test]
fn a_plan_that_is_refused_is_a_report_too() {
    let env = TestEnv::new();
    env.write("a.yaml", "kind: Job\nmetadata: {name: a}\n");
    let report =
        env.refuses(&["install", "web", "a.yaml", "--cluster", "embedded", "-o", "json", "-q"]).json();
    assert_eq!((&report["outcome"], &report["exitCode"]), (&"refused".into(), &3.into()));
    assert_eq!(report["diagnostics"][0]["code"], "missing-field");
}
