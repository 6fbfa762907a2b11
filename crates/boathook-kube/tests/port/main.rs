//! The port over HTTP: against the embedded API, against scripted answers, and against a server that is not there.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like the tests themselves")]

mod credentials;
mod embedded;
mod faults;
mod unreachable;

use boathook_core::names::{Collection, Name, Namespace, Plural, Resource, Target};
use boathook_core::{Gvk, Object};
use serde_json::Value;

fn config_maps() -> Collection {
    let resource = Resource {
        gvk: Gvk::new("v1", "ConfigMap"),
        plural: Plural::new("configmaps").unwrap(),
        namespaced: true,
    };
    Collection { resource, namespace: Some(Namespace::new("default").unwrap()) }
}

fn config_map(name: &str) -> Target {
    let Collection { resource, namespace } = config_maps();
    Target { resource, namespace, name: Name::new(name).unwrap() }
}

fn object(value: Value) -> Object {
    Object::from_value(value).unwrap()
}
