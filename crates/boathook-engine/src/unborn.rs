//! What a dry run cannot ask the API about: objects of a kind, or in a namespace, that only the operation itself would make.

use std::collections::{HashMap, HashSet};

use boathook_core::names::Target;
use boathook_core::plan::{HookRun, Plan, StepAction};
use boathook_core::{Gvk, Object};

use crate::context::Context;
use crate::locate::{LocateError, Located, locate};

/// What is not there yet; empty unless an operation is a dry run.
#[derive(Debug, Default)]
pub(crate) struct Unborn {
    /// Group and kind.
    kinds: HashSet<(String, String)>,
    namespaces: HashSet<String>,
    /// By namespace and name: Secrets that would be there by now.
    secrets: HashMap<(String, String), Object>,
}

impl Unborn {
    /// What a plan would make, and is not there.
    pub(crate) async fn of(plan: &Plan, context: &Context) -> Self {
        let mut unborn = Self::default();
        for object in objects(plan) {
            match object.kind() {
                "CustomResourceDefinition" => {
                    let text = |path: &[&str]| object.str(path).unwrap_or_default().to_owned();
                    unborn.kinds.insert((text(&["spec", "group"]), text(&["spec", "names", "kind"])));
                }
                "Namespace" if object.api_version() == "v1" => {
                    // Who may not look at namespaces learns from the first write whether it is there.
                    let cluster = context.cluster.as_ref();
                    if let Ok(Located { target, .. }) = locate(cluster, object, &plan.release.namespace).await
                        && cluster.get(&target).await.is_err_and(|error| error.is_not_found())
                    {
                        unborn.add_namespace(object.name());
                    }
                }
                _ => {}
            }
        }
        unborn
    }

    /// A namespace that the operation makes besides its objects.
    pub(crate) fn add_namespace(&mut self, name: &str) {
        self.namespaces.insert(name.to_owned());
    }

    /// Would be there from now on, in its own namespace or this one: a hook may have a credential from it.
    pub(crate) fn made(&mut self, object: &Object, namespace: &str) {
        if object.api_version() == "v1" && object.kind() == "Secret" {
            let namespace = object.namespace().unwrap_or(namespace).to_owned();
            self.secrets.insert((namespace, object.name().to_owned()), object.clone());
        }
    }

    /// A Secret that would be there by now.
    pub(crate) fn secret(&self, namespace: &str, name: &str) -> Option<&Object> {
        self.secrets.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// Whether the operation would make this namespace.
    pub(crate) fn has_namespace(&self, name: &str) -> bool {
        self.namespaces.contains(name)
    }

    /// Whether the API cannot know an object yet that was looked for.
    pub(crate) fn holds(&self, gvk: &Gvk, found: Result<&Target, &LocateError>) -> bool {
        match found {
            Ok(target) => target.namespace.as_ref().is_some_and(|name| self.has_namespace(name.as_str())),
            Err(LocateError::NoSuchKind(_)) => self.kinds.contains(&(gvk.group.clone(), gvk.kind.clone())),
            Err(_) => false,
        }
    }
}

/// Every object of a plan that would be made.
fn objects(plan: &Plan) -> impl Iterator<Item = &Object> {
    plan.steps.iter().flat_map(|step| match &step.action {
        StepAction::Resource(resource) => std::slice::from_ref(&resource.object),
        StepAction::Hook(hook) => match &hook.run {
            HookRun::Resource { objects, .. } => objects.as_slice(),
            HookRun::Plugin(_) => &[],
        },
        StepAction::Delete(_) | StepAction::Wait(_) => &[],
    })
}
