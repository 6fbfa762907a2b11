//! Releases for people, and for scripts in the shapes of `helm list`, `history` and `status -o json`.

use boathook_core::release::{HookEntry, Record};
use boathook_engine::release_store::Stored;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::safe;
use super::style::{HEADING, paint};
use super::table::{self, Align};

/// `NAME-VERSION` of the chart, as Helm prints it.
fn chart(record: &Record) -> String {
    let field = |name: &str| record.chart["metadata"][name].as_str().unwrap_or_default().to_owned();
    format!("{}-{}", field("name"), field("version"))
}

fn app_version(record: &Record) -> &str {
    record.chart["metadata"]["appVersion"].as_str().unwrap_or_default()
}

fn time(time: Option<Timestamp>) -> String {
    time.map(|time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default()
}

/// `boathook list`.
pub(crate) fn list(releases: &[Stored]) -> String {
    let rows: Vec<Vec<String>> = releases
        .iter()
        .map(|Stored { record, .. }| {
            vec![
                record.name.clone(),
                record.namespace.clone(),
                record.version.to_string(),
                time(record.info.last_deployed),
                record.info.status.to_string(),
                safe::line(&chart(record)),
                safe::line(app_version(record)),
            ]
        })
        .collect();
    let columns = [
        ("NAME", Align::Left),
        ("NAMESPACE", Align::Left),
        ("REVISION", Align::Right),
        ("UPDATED", Align::Left),
        ("STATUS", Align::Left),
        ("CHART", Align::Left),
        ("APP VERSION", Align::Left),
    ];
    table::render("", &columns, &rows)
}

/// `helm list -o json`.
pub(crate) fn list_json(releases: &[Stored]) -> Value {
    releases
        .iter()
        .map(|Stored { record, .. }| {
            json!({
                "name": record.name,
                "namespace": record.namespace,
                "revision": record.version.to_string(),
                "updated": record.info.last_deployed,
                "status": record.info.status,
                "chart": chart(record),
                "app_version": app_version(record),
            })
        })
        .collect()
}

/// `boathook history`, with the column of rolled back revisions if it is wanted.
pub(crate) fn history(revisions: &[Stored], rollbacks: bool) -> String {
    let row = |Stored { record, .. }: &Stored| {
        let mut row = vec![
            record.version.to_string(),
            time(record.info.last_deployed),
            record.info.status.to_string(),
            safe::line(&chart(record)),
            safe::line(app_version(record)),
        ];
        if rollbacks {
            row.push(record.info.rollback_revision.map(|number| number.to_string()).unwrap_or_default());
        }
        row.push(safe::line(&record.info.description));
        row
    };
    let rows: Vec<Vec<String>> = revisions.iter().map(row).collect();
    let mut columns = vec![
        ("REVISION", Align::Right),
        ("UPDATED", Align::Left),
        ("STATUS", Align::Left),
        ("CHART", Align::Left),
        ("APP VERSION", Align::Left),
    ];
    if rollbacks {
        columns.push(("ROLLBACK", Align::Left));
    }
    columns.push(("DESCRIPTION", Align::Left));
    table::render("", &columns, &rows)
}

/// `helm history -o json`.
pub(crate) fn history_json(revisions: &[Stored]) -> Value {
    let one = |Stored { record, .. }: &Stored| {
        let mut one = json!({
            "revision": record.version,
            "updated": record.info.last_deployed,
            "status": record.info.status,
            "chart": chart(record),
            "app_version": app_version(record),
        });
        if let (Value::Object(map), Some(number)) = (&mut one, record.info.rollback_revision) {
            map.insert("rollback_revision".to_owned(), json!(number));
        }
        one["description"] = json!(record.info.description);
        one
    };
    revisions.iter().map(one).collect()
}

/// `boathook status`. `carried` says where Wasm hooks of an earlier revision come from.
pub(crate) fn status(record: &Record, hooks: &[&HookEntry], carried: Option<&str>) -> String {
    let mut out = String::new();
    for (name, value) in [
        ("NAME", record.name.clone()),
        ("LAST DEPLOYED", time(record.info.last_deployed)),
        ("NAMESPACE", record.namespace.clone()),
        ("STATUS", record.info.status.to_string()),
        ("REVISION", record.version.to_string()),
        ("CHART", safe::line(&chart(record))),
        ("DESCRIPTION", safe::line(&record.info.description)),
    ] {
        out += &format!("{} {value}\n", paint(HEADING, &format!("{name}:")));
    }
    if let Some(carried) = carried {
        out += &format!("{} {}\n", paint(HEADING, "WASM HOOKS:"), safe::line(carried));
    }
    if !hooks.is_empty() {
        let rows: Vec<Vec<String>> = hooks
            .iter()
            .map(|hook| {
                let phase =
                    if hook.last_run.phase.is_empty() { "never ran" } else { hook.last_run.phase.as_str() };
                vec![
                    safe::line(&format!("{}/{}", hook.kind, hook.name)),
                    safe::line(&hook.events.join(",")),
                    hook.weight.to_string(),
                    phase.to_owned(),
                    time(hook.last_run.completed_at.or(hook.last_run.started_at)),
                ]
            })
            .collect();
        let columns = [
            ("HOOK", Align::Left),
            ("EVENTS", Align::Left),
            ("WEIGHT", Align::Right),
            ("LAST RUN", Align::Left),
            ("AT", Align::Left),
        ];
        out += &format!("\n{}", table::render("", &columns, &rows));
    }
    out + &notes(record.info.rest.get("notes").and_then(Value::as_str))
}

/// What a chart tells its users, under its heading; nothing if it has nothing to tell.
pub(crate) fn notes(notes: Option<&str>) -> String {
    match notes.map(str::trim_end) {
        None | Some("") => String::new(),
        Some(notes) => format!("\n{}\n{}\n", paint(HEADING, "NOTES:"), safe::lines(notes)),
    }
}

/// `helm status -o json`: the record without its chart, with our hooks among Helm's.
pub(crate) fn status_json(record: &Record, hooks: &[&HookEntry]) -> Value {
    let mut value = json!(record);
    if let Value::Object(map) = &mut value {
        map.remove("chart");
        map.insert("hooks".to_owned(), json!(hooks));
    }
    value
}
