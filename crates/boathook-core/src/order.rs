//! In which order things happen: Helm's kind tables, and the one total order of the hooks of an event.
//!
//! The order of hooks is (weight, name by bytes, kind by the install table, path by bytes, place in the file). The
//! first two are compared when the hooks run (`hookByWeight` of Helm's `pkg/action/hooks.go`); the last three are the
//! order in which hooks are stored (`pkg/release/v1/util/manifest_sorter.go`), which every sort here keeps on ties.
//! Helm's documentation names kind before name; its code does not do that, and the code is followed.

use std::cmp::Ordering;

use crate::{Hook, HookEvent};

/// Kinds in install order (`InstallOrder` of Helm 4's `kind_sorter.go`).
const INSTALL: [&str; 38] = [
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// Kinds in uninstall order (`UninstallOrder`): no exact mirror, Service goes early.
const UNINSTALL: [&str; 38] = [
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
    "APIService",
    "Ingress",
    "IngressClass",
    "Service",
    "CronJob",
    "Job",
    "StatefulSet",
    "HorizontalPodAutoscaler",
    "Deployment",
    "ReplicaSet",
    "ReplicationController",
    "Pod",
    "DaemonSet",
    "RoleBindingList",
    "RoleBinding",
    "RoleList",
    "Role",
    "ClusterRoleBindingList",
    "ClusterRoleBinding",
    "ClusterRoleList",
    "ClusterRole",
    "CustomResourceDefinition",
    "PersistentVolumeClaim",
    "PersistentVolume",
    "StorageClass",
    "ConfigMap",
    "SecretList",
    "Secret",
    "ServiceAccount",
    "PodDisruptionBudget",
    "PodSecurityPolicy",
    "LimitRange",
    "ResourceQuota",
    "NetworkPolicy",
    "Namespace",
    "PriorityClass",
];

/// Compares two kinds for an install. Kinds that the table does not hold come last, by name. The apiVersion takes
/// no part. Sort stably: equal kinds keep the order they have.
pub fn by_install_kind(a: &str, b: &str) -> Ordering {
    by_table(&INSTALL, a, b)
}

/// Compares two kinds for an uninstall, as [`by_install_kind`] does for an install.
pub fn by_uninstall_kind(a: &str, b: &str) -> Ordering {
    by_table(&UNINSTALL, a, b)
}

fn by_table(table: &[&str], a: &str, b: &str) -> Ordering {
    let place = |kind| table.iter().position(|known| *known == kind);
    match (place(a), place(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

/// The order in which an uninstall deletes the documents of a stored manifest, given their kinds in stored order:
/// indices into `kinds`. Helm splits the manifest again and sorts the keys `manifest-<n>` *as text*, so beyond ten
/// documents a kind's own order is 0, 1, 10, 11, 2.
pub fn uninstall_order(kinds: &[&str]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..kinds.len()).collect();
    order.sort_by_cached_key(ToString::to_string);
    order.sort_by(|a, b| by_uninstall_kind(kinds[*a], kinds[*b]));
    order
}

/// The hooks of one event in the order in which they run: indices into `hooks`, which must stand as stored
/// (`dialect::read` gives them so). A hook that names the event twice stands twice, in a row.
pub fn run_order(hooks: &[Hook], event: HookEvent) -> Vec<usize> {
    let times = |hook: &Hook| hook.events.iter().filter(|named| **named == event).count();
    let mut order: Vec<usize> =
        hooks.iter().enumerate().flat_map(|(index, hook)| std::iter::repeat_n(index, times(hook))).collect();
    order.sort_by(|a, b| {
        let (a, b) = (&hooks[*a], &hooks[*b]);
        a.weight.cmp(&b.weight).then_with(|| a.name.cmp(&b.name))
    });
    order
}
