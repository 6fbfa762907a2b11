//! The objects that a controller made for another object, and how to find them: by the object's label selector.

use serde_json::{Map, Value};

use super::Waiter;
use crate::{Gvk, Object};

/// Objects of the same namespace that a verdict looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controlled {
    /// Their kind.
    pub gvk: Gvk,
    /// Their label selector, as the API takes it.
    pub selector: String,
}

/// Which other objects a waiter looks at to judge this one. `None` for most kinds.
pub fn controlled(waiter: Waiter, object: &Object) -> Option<Controlled> {
    let gvk = object.reference().gvk();
    let made = match (waiter, gvk.group.as_str(), gvk.kind.as_str()) {
        (Waiter::Legacy { .. }, "apps", "Deployment") => Gvk::new("apps/v1", "ReplicaSet"),
        (Waiter::Watcher { .. }, "apps", "StatefulSet")
        | (_, "apps", "ReplicaSet")
        | (Waiter::Legacy { .. }, "", "ReplicationController") => Gvk::new("v1", "Pod"),
        _ => return None,
    };
    Some(Controlled { gvk: made, selector: text(selector(object)?) })
}

/// Those of the given objects that the object's selector picks.
pub(super) fn of<'a>(object: &Object, given: &'a [Object]) -> impl Iterator<Item = &'a Object> {
    let selector = selector(object);
    given.iter().filter(move |other| selector.is_some_and(|selector| matches(selector, other)))
}

fn selector(object: &Object) -> Option<&Map<String, Value>> {
    object.get(&["spec", "selector"]).and_then(Value::as_object).filter(|selector| !selector.is_empty())
}

/// A ReplicationController's selector is a plain map of labels.
fn labels(selector: &Map<String, Value>) -> impl Iterator<Item = (&str, &str)> {
    let map = match selector.get("matchLabels") {
        Some(labels) => labels.as_object(),
        None if selector.contains_key("matchExpressions") => None,
        None => Some(selector),
    };
    map.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}

fn expressions(selector: &Map<String, Value>) -> impl Iterator<Item = (&str, &str, Vec<&str>)> {
    let list = selector.get("matchExpressions").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|expression| {
        let values = expression.get("values").and_then(Value::as_array);
        let values = values.into_iter().flatten().filter_map(Value::as_str).collect();
        Some((expression.get("key")?.as_str()?, expression.get("operator")?.as_str()?, values))
    })
}

fn text(selector: &Map<String, Value>) -> String {
    let labels = labels(selector).map(|(key, value)| format!("{key}={value}"));
    let expressions = expressions(selector).filter_map(|(key, operator, values)| {
        let values = values.join(",");
        match operator {
            "In" => Some(format!("{key} in ({values})")),
            "NotIn" => Some(format!("{key} notin ({values})")),
            "Exists" => Some(key.to_owned()),
            "DoesNotExist" => Some(format!("!{key}")),
            _ => None,
        }
    });
    labels.chain(expressions).collect::<Vec<_>>().join(",")
}

fn matches(selector: &Map<String, Value>, object: &Object) -> bool {
    let label = |key: &str| object.str(&["metadata", "labels", key]);
    labels(selector).all(|(key, value)| label(key) == Some(value))
        && expressions(selector).all(|(key, operator, values)| match (operator, label(key)) {
            ("In", Some(value)) => values.contains(&value),
            ("NotIn", Some(value)) => !values.contains(&value),
            ("NotIn" | "DoesNotExist", None) | ("Exists", Some(_)) => true,
            _ => false,
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use test_case::test_case;

    use super::*;

    const WATCHER: Waiter = Waiter::Watcher { jobs: false };
    const LEGACY: Waiter = Waiter::Legacy { jobs: false };

    #[test_case(WATCHER, "apps/v1", "Deployment" => None)]
    #[test_case(LEGACY, "apps/v1", "Deployment" => Some("ReplicaSet app=web"))]
    #[test_case(WATCHER, "apps/v1", "StatefulSet" => Some("Pod app=web"))]
    #[test_case(LEGACY, "apps/v1", "StatefulSet" => None)]
    #[test_case(WATCHER, "apps/v1", "ReplicaSet" => Some("Pod app=web"))]
    #[test_case(LEGACY, "v1", "ReplicationController" => Some("Pod app=web"))]
    #[test_case(WATCHER, "example.com/v1", "ReplicaSet" => None; "another group")]
    fn what_is_looked_at(waiter: Waiter, api_version: &str, kind: &str) -> Option<&'static str> {
        let object = json!({"apiVersion": api_version, "kind": kind, "spec": {"selector": {"matchLabels": {"app": "web"}}}});
        let found = controlled(waiter, &Object::from_value(object).unwrap())?;
        ["ReplicaSet app=web", "Pod app=web"]
            .into_iter()
            .find(|text| *text == format!("{} {}", found.gvk.kind, found.selector))
    }

    #[test_case(json!({"matchLabels": {"a": "1"}}) => ("a=1".to_owned(), [true, true, false, false]))]
    #[test_case(json!({"a": "1"}) => ("a=1".to_owned(), [true, true, false, false]); "plain labels")]
    #[test_case(json!({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}) => ("a in (1,2)".to_owned(), [true, true, true, false]))]
    #[test_case(json!({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}) => ("a notin (1)".to_owned(), [false, false, true, true]))]
    #[test_case(json!({"matchExpressions": [{"key": "b", "operator": "Exists"}]}) => ("b".to_owned(), [false, true, false, false]))]
    #[test_case(json!({"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "DoesNotExist"}]}) => ("a=1,!b".to_owned(), [true, false, false, false]))]
    fn selectors(selector: Value) -> (String, [bool; 4]) {
        let object = |value: Value| Object::from_value(value).unwrap();
        let given = [json!({"a": "1"}), json!({"a": "1", "b": "1"}), json!({"a": "2"}), json!({})]
            .map(|labels| object(json!({"metadata": {"labels": labels}})));
        let set =
            object(json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": {"selector": selector}}));
        let picked: Vec<&Object> = of(&set, &given).collect();
        let found = given.each_ref().map(|one| picked.contains(&one));
        (controlled(LEGACY, &set).unwrap().selector, found)
    }
}
