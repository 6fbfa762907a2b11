//! What of one revision stands in another: which objects are the same, which leave the release, in which order.

use std::collections::HashMap;

use super::{DeleteStep, Fate, Operation};
use crate::dialect::helm::HOOK;
use crate::manifest::Document;
use crate::{Diagnostic, Hook, Object, order};

/// The annotation that protects an ordinary object.
const RESOURCE_POLICY: &str = "helm.sh/resource-policy";

/// What makes two objects the same: kind and group, whatever the version, namespace and name.
type Identity = (String, String, Option<String>, String);

fn identity(object: &Object) -> Identity {
    let reference = object.reference();
    let group = reference.gvk().group;
    (group, reference.kind, reference.namespace, reference.name)
}

/// Objects by what they are.
pub(super) struct Index(HashMap<Identity, Object>);

impl Index {
    /// All objects, with the release's namespace filled in by `namespaced`.
    pub(super) fn of<'a>(
        objects: impl Iterator<Item = &'a Object>,
        namespaced: impl Fn(&Object) -> Object,
    ) -> Self {
        Self(
            objects
                .map(|object| {
                    let object = namespaced(object);
                    (identity(&object), object)
                })
                .collect(),
        )
    }

    /// The object that is the same as this one.
    pub(super) fn take(&mut self, object: &Object) -> Option<Object> {
        self.0.remove(&identity(object))
    }

    fn contains(&self, object: &Object) -> bool {
        self.0.contains_key(&identity(object))
    }
}

/// What the revision before has and the new one has not, in the order of the old manifest (Helm does not use its uninstall
/// order here).
pub(super) fn removed(
    before: &[Document],
    after: &[Document],
    namespaced: impl Fn(&Object) -> Object + Copy,
) -> Vec<DeleteStep> {
    let after = Index::of(after.iter().flat_map(|document| &document.objects), namespaced);
    let steps = before
        .iter()
        .flat_map(|document| document.objects.iter().map(move |object| (document, namespaced(object))));
    steps
        .filter(|(_, object)| !after.contains(object))
        .map(|(document, object)| DeleteStep {
            reference: object.reference(),
            origin: document.origin.clone(),
            fate: Fate::DeleteUnlessKept,
        })
        .collect()
}

/// Everything, in the order of an uninstall, with what the manifest says about keeping it.
pub(super) fn uninstalled(documents: &[Document], namespaced: impl Fn(&Object) -> Object) -> Vec<DeleteStep> {
    let kinds: Vec<&str> = documents.iter().map(|document| document.head.kind.as_str()).collect();
    let mut steps = Vec::new();
    for index in order::uninstall_order(&kinds) {
        let document = &documents[index];
        for object in &document.objects {
            steps.push(DeleteStep {
                reference: namespaced(object).reference(),
                origin: document.origin.clone(),
                fate: fate(document),
            });
        }
    }
    steps
}

/// As Helm's `filterManifestsToKeep`: any other word than `keep` falls through both branches, and a document with a hook
/// annotation (a post-renderer of Helm 3 could add one) is no ordinary one.
fn fate(document: &Document) -> Fate {
    let annotations = &document.head.annotations;
    if annotations.contains_key(HOOK) {
        return Fate::Orphan;
    }
    match annotations.get(RESOURCE_POLICY) {
        None => Fate::Delete,
        Some(policy) if policy.trim().to_lowercase() == "keep" => Fate::Keep,
        Some(_) => Fate::Orphan,
    }
}

/// An ordinary object that became a hook leaves the manifest, and so it is deleted after its hook made it anew. Helm does the
/// same, without a word.
pub(super) fn hooks_removed(steps: &[DeleteStep], hooks: &[Hook], operation: Operation) -> Vec<Diagnostic> {
    let runs = |hook: &&Hook| operation.events().any(|event| hook.events.contains(&event));
    let made: Vec<(&Hook, Identity)> = hooks
        .iter()
        .filter(runs)
        .flat_map(|hook| hook.objects.iter().map(move |object| (hook, identity(object))))
        .collect();
    steps
        .iter()
        .filter(|step| step.fate == Fate::DeleteUnlessKept)
        .filter_map(|step| {
            let reference = &step.reference;
            let is_it = |(_, (group, kind, namespace, name)): &&(&Hook, Identity)| {
                *group == reference.gvk().group
                    && *kind == reference.kind
                    && (namespace.is_none() || *namespace == reference.namespace)
                    && *name == reference.name
            };
            let (hook, _) = made.iter().find(is_it)?;
            let message = format!("{} became a hook, and leaves the release's ordinary objects", reference.slug());
            let help = "it is deleted after the objects are applied, also if a hook made it anew before: give the hook's \
                        object another name if it has to stay";
            let (path, line) = (&hook.origin.path, hook.origin.line);
            Some(Diagnostic::warning("hook-was-an-object", message).help(help).at(path, line, 1))
        })
        .collect()
}
