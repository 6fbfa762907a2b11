//! 190 sets of documents against Helm's kind sorter and hook order.

use boathook_core::manifest::parse;
use boathook_core::{HookEvent, Source, dialect, order};
use serde_json::{Value, json};

use super::vectors::cases;

/// The sources of one set: items of one path follow each other in that file. Each carries its place in the set.
fn sources(items: &[Value]) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let mut annotations = serde_json::Map::new();
        for (field, key) in [("hook", dialect::helm::HOOK), ("weight", dialect::helm::WEIGHT)] {
            if let Some(text) = item[field].as_str() {
                annotations.insert(key.to_owned(), Value::from(text));
            }
        }
        let mut metadata = json!({"labels": {"index": index.to_string()}});
        if !annotations.is_empty() {
            metadata["annotations"] = Value::Object(annotations);
        }
        if let Some(name) = item["name"].as_str() {
            metadata["name"] = Value::from(name);
        }
        let document = json!({"apiVersion": "v1", "kind": item["kind"], "metadata": metadata}).to_string();
        let path = item["path"].as_str().unwrap();
        match sources.iter_mut().find(|source| source.path == path) {
            Some(source) => source.text.push_str(&format!("---\n{document}\n")),
            None => sources.push(Source { path: path.to_owned(), text: format!("{document}\n") }),
        }
    }
    sources
}

fn index_of(objects: &[boathook_core::Object]) -> Value {
    let index = objects[0].str(&["metadata", "labels", "index"]).unwrap();
    Value::from(index.parse::<u64>().unwrap())
}

#[test]
fn every_set_is_ordered_as_helm_orders_it() {
    let cases = cases("order.json");
    assert_eq!(cases.len(), 190);
    for case in &cases {
        let mut sources = sources(case["items"].as_array().unwrap());
        // The paths decide, not the order in which files are given.
        sources.reverse();
        let read = dialect::read(parse(&sources).documents);
        let install: Vec<Value> = read.resources.iter().map(|document| index_of(&document.objects)).collect();
        let kinds: Vec<&str> = read.resources.iter().map(|document| document.head.kind.as_str()).collect();
        let uninstall: Vec<Value> =
            order::uninstall_order(&kinds).into_iter().map(|at| install[at].clone()).collect();
        let hooks: Vec<Value> = read.hooks.iter().map(|hook| index_of(&hook.objects)).collect();
        let mut run = serde_json::Map::new();
        for event in HookEvent::ALL {
            let order = order::run_order(&read.hooks, event);
            if !order.is_empty() {
                let order: Vec<Value> = order.into_iter().map(|at| hooks[at].clone()).collect();
                run.insert(event.to_string(), Value::from(order));
            }
        }
        let found = json!({"install": install, "uninstall": uninstall, "hooks": hooks, "run": run});
        assert_eq!(found, case["helm4"], "{}", case["id"]);
    }
}
