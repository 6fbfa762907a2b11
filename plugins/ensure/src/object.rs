//! One object: what is asked of the API in each mode, and what came of it.

use std::time::Duration;

use boathook_sdk::kubernetes::{self, ApplyOptions, Condition, Error, ObjectRef, Preconditions};
use boathook_sdk::{Failure, Value, json};

use crate::Mode;

/// How objects are made.
pub(crate) struct How<'a> {
    pub(crate) mode: Mode,
    pub(crate) force: bool,
    pub(crate) adopt: bool,
    /// Nothing is kept, so an answer's resourceVersion tells nothing, and what was deleted is still there.
    pub(crate) dry_run: bool,
    /// The release's.
    pub(crate) namespace: &'a str,
    /// Of the whole attempt: an object that does not go away may use it up.
    pub(crate) deadline: Duration,
}

/// What came of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Created,
    /// It was there, and mode is create.
    Kept,
    /// It was as the manifest says.
    Unchanged,
    Configured,
    /// It is there; whether it would change is the host's to tell.
    Applied,
    Recreated,
}

impl Change {
    pub(crate) fn changed(self) -> bool {
        !matches!(self, Self::Kept | Self::Unchanged)
    }

    /// After a number: `2 created`.
    pub(crate) fn summary(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Kept => "left as it is",
            Self::Unchanged => "unchanged",
            Self::Configured => "configured",
            Self::Applied => "applied",
            Self::Recreated => "recreated",
        }
    }

    /// The report's word for results of resources.
    fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            other => other.summary(),
        }
    }
}

pub(crate) struct Outcome {
    target: ObjectRef,
    pub(crate) result: Change,
}

impl Outcome {
    /// `created ConfigMap default/a`.
    pub(crate) fn sentence(&self) -> String {
        let Self { target, result } = self;
        match result {
            Change::Kept => format!("{target} exists, left as it is"),
            Change::Unchanged => format!("{target} is as it should be"),
            Change::Created | Change::Configured | Change::Applied | Change::Recreated => {
                format!("{} {target}", result.summary())
            }
        }
    }

    pub(crate) fn data(&self) -> Value {
        let ObjectRef { api_version, kind, namespace, name } = &self.target;
        let mut data =
            json!({"apiVersion": api_version, "kind": kind, "name": name, "result": self.result.word()});
        if let Some(namespace) = namespace {
            data["namespace"] = namespace.as_str().into();
        }
        data
    }
}

/// Makes sure of one object.
pub(crate) fn ensure(object: Value, how: &How<'_>) -> Result<Outcome, Failure> {
    let target = ObjectRef::of(&object)
        .ok_or_else(|| Failure::permanent("config: every object needs apiVersion, kind and metadata.name"))?;
    let shown = shown(&target, how.namespace);
    let result = match how.mode {
        Mode::Create => create(&object),
        Mode::Apply => apply(&object, &target, how),
        Mode::Recreate => recreate(&object, &target, how),
    };
    let (result, answer) = result.map_err(|failure| failure.of(&shown))?;
    // The answer knows whether the kind has namespaces.
    let target = answer.as_ref().and_then(ObjectRef::of).unwrap_or(shown);
    Ok(Outcome { target, result })
}

/// What was done, and the object as the API answered it, if it did.
type Done = Result<(Change, Option<Value>), Failure>;

/// Asks to create it at once: looking first would leave a gap for somebody else to create it in.
fn create(object: &Value) -> Done {
    match kubernetes::create(object) {
        Ok(answer) => Ok((Change::Created, Some(answer))),
        Err(Error::AlreadyExists) => Ok((Change::Kept, None)),
        Err(error) => Err(error.into()),
    }
}

fn apply(object: &Value, target: &ObjectRef, how: &How<'_>) -> Done {
    let before = match kubernetes::get_fields(target, &["metadata.resourceVersion"]) {
        Ok(before) => Some(before),
        Err(Error::NotFound) => None,
        Err(error) => return Err(error.into()),
    };
    let after = kubernetes::apply(object, ApplyOptions { force: how.force, adopt: how.adopt })?;
    // An apply that changes nothing leaves the version as it was.
    let change = match before {
        None => Change::Created,
        Some(_) if how.dry_run => Change::Applied,
        Some(before) if before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"] => {
            Change::Unchanged
        }
        Some(_) => Change::Configured,
    };
    Ok((change, Some(after)))
}

fn recreate(object: &Value, target: &ObjectRef, how: &How<'_>) -> Done {
    let existed = match kubernetes::delete(target, &Preconditions::default()) {
        Ok(()) => {
            kubernetes::wait(target, &Condition::Absent, how.deadline)?;
            true
        }
        Err(Error::NotFound) => false,
        Err(error) => return Err(error.into()),
    };
    match kubernetes::create(object) {
        Ok(answer) => Ok((if existed { Change::Recreated } else { Change::Created }, Some(answer))),
        Err(Error::AlreadyExists) if how.dry_run => Ok((Change::Recreated, None)),
        Err(Error::AlreadyExists) => Err(Failure::retryable("somebody else created it meanwhile")),
        Err(error) => Err(error.into()),
    }
}

/// What names the object before the API has answered: with the release's namespace where the manifest names none, but
/// for the cluster-scoped kinds that everybody knows.
fn shown(target: &ObjectRef, namespace: &str) -> ObjectRef {
    const CLUSTER_SCOPED: [&str; 12] = [
        "Namespace",
        "Node",
        "PersistentVolume",
        "StorageClass",
        "PriorityClass",
        "IngressClass",
        "RuntimeClass",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "ClusterIssuer",
        "CSIDriver",
    ];
    let shown = target.clone();
    if shown.namespace.is_some() || CLUSTER_SCOPED.contains(&shown.kind.as_str()) {
        shown
    } else {
        shown.in_namespace(namespace)
    }
}
