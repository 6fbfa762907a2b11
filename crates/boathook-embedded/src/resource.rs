//! The table of served resources: built-in ones and those that CRDs add. Data about kinds only; rules that check
//! objects live in `validate.rs`.

use std::sync::Arc;

use serde_json::Value;

/// Which names a kind takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameRule {
    /// RFC 1123 subdomain: most kinds.
    Subdomain,
    /// RFC 1123 label: namespaces and services.
    Label,
    /// Anything that is one path segment: RBAC kinds.
    PathSegment,
}

/// One served resource in one version.
#[derive(Clone, Debug)]
pub(crate) struct ResourceType {
    /// Empty for core.
    pub(crate) group: String,
    /// `v1`.
    pub(crate) version: String,
    /// `configmaps`.
    pub(crate) plural: String,
    /// `configmap`.
    pub(crate) singular: String,
    /// `ConfigMap`.
    pub(crate) kind: String,
    /// Whether objects live in namespaces.
    pub(crate) namespaced: bool,
    /// `cm`.
    pub(crate) short_names: Vec<String>,
    /// `all`.
    pub(crate) categories: Vec<String>,
    /// Whether `/status` is served and the main endpoint ignores status.
    pub(crate) has_status: bool,
    /// Whether `/scale` is served.
    pub(crate) has_scale: bool,
    /// Which names it takes.
    pub(crate) name_rule: NameRule,
    /// Whether the object comes back from a delete instead of a Status.
    pub(crate) returns_deleted: bool,
    /// Whether `metadata.generation` is kept.
    pub(crate) generation: bool,
    /// Its type in `schema/types.txt`; `None` for kinds whose fields are not known.
    pub(crate) schema: Option<&'static str>,
    /// The schema of a CRD's version, if it is one.
    pub(crate) crd: Option<Arc<Value>>,
    /// `group/plural`: the key of its objects in the store.
    pub(crate) key: Arc<str>,
}

impl ResourceType {
    /// `jobs.batch`, `configmaps`.
    pub(crate) fn group_resource(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// `Job.batch`, `ConfigMap`.
    pub(crate) fn group_kind(&self) -> String {
        if self.group.is_empty() { self.kind.clone() } else { format!("{}.{}", self.kind, self.group) }
    }

    /// `batch/v1`.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Whether it is this built-in kind.
    pub(crate) fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }

    /// Fields beside name and namespace that a field selector may name.
    pub(crate) fn field_selectors(&self) -> &'static [&'static str] {
        match (self.group.as_str(), self.plural.as_str()) {
            ("", "pods") => &[
                "spec.nodeName",
                "spec.restartPolicy",
                "spec.schedulerName",
                "spec.serviceAccountName",
                "spec.hostNetwork",
                "status.phase",
                "status.podIP",
                "status.nominatedNodeName",
            ],
            ("", "secrets") => &["type"],
            ("", "namespaces") => &["status.phase"],
            ("", "nodes") => &["spec.unschedulable"],
            ("", "services") => &["spec.clusterIP", "spec.type"],
            ("", "events") => &[
                "involvedObject.kind",
                "involvedObject.namespace",
                "involvedObject.name",
                "involvedObject.uid",
                "involvedObject.apiVersion",
                "involvedObject.resourceVersion",
                "involvedObject.fieldPath",
                "reason",
                "reportingComponent",
                "source",
                "type",
            ],
            ("batch", "jobs") => &["status.successful"],
            ("apps", "replicasets") => &["status.replicas"],
            _ => &[],
        }
    }
}

/// One line of the built-in table: group, version, plural, kind, short names, flags, schema.
/// Flags: `n` namespaced, `s` status, `c` scale, `a` category all, `d` returned by delete, `g` generation,
/// `L` label names, `p` path segment names.
type Row = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

const BUILT_IN: &[Row] = &[
    ("", "v1", "configmaps", "ConfigMap", "cm", "n", "core.v1.ConfigMap"),
    ("", "v1", "endpoints", "Endpoints", "ep", "n", "core.v1.Endpoints"),
    ("", "v1", "events", "Event", "ev", "n", "core.v1.Event"),
    ("", "v1", "limitranges", "LimitRange", "limits", "n", "core.v1.LimitRange"),
    ("", "v1", "namespaces", "Namespace", "ns", "sLd", "core.v1.Namespace"),
    ("", "v1", "nodes", "Node", "no", "s", "core.v1.Node"),
    (
        "",
        "v1",
        "persistentvolumeclaims",
        "PersistentVolumeClaim",
        "pvc",
        "nsd",
        "core.v1.PersistentVolumeClaim",
    ),
    ("", "v1", "persistentvolumes", "PersistentVolume", "pv", "sd", "core.v1.PersistentVolume"),
    ("", "v1", "pods", "Pod", "po", "nsadg", "core.v1.Pod"),
    ("", "v1", "podtemplates", "PodTemplate", "", "nd", "core.v1.PodTemplate"),
    (
        "",
        "v1",
        "replicationcontrollers",
        "ReplicationController",
        "rc",
        "nscag",
        "core.v1.ReplicationController",
    ),
    ("", "v1", "resourcequotas", "ResourceQuota", "quota", "nsd", "core.v1.ResourceQuota"),
    ("", "v1", "secrets", "Secret", "", "n", "core.v1.Secret"),
    ("", "v1", "serviceaccounts", "ServiceAccount", "sa", "nd", "core.v1.ServiceAccount"),
    ("", "v1", "services", "Service", "svc", "nsadL", "core.v1.Service"),
    (
        "admissionregistration.k8s.io",
        "v1",
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
        "",
        "g",
        "admissionregistration.v1.MutatingWebhookConfiguration",
    ),
    (
        "admissionregistration.k8s.io",
        "v1",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        "",
        "g",
        "admissionregistration.v1.ValidatingWebhookConfiguration",
    ),
    (
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        "crd,crds",
        "sdg",
        "",
    ),
    ("apps", "v1", "controllerrevisions", "ControllerRevision", "", "n", "apps.v1.ControllerRevision"),
    ("apps", "v1", "daemonsets", "DaemonSet", "ds", "nsag", "apps.v1.DaemonSet"),
    ("apps", "v1", "deployments", "Deployment", "deploy", "nscag", "apps.v1.Deployment"),
    ("apps", "v1", "replicasets", "ReplicaSet", "rs", "nscag", "apps.v1.ReplicaSet"),
    ("apps", "v1", "statefulsets", "StatefulSet", "sts", "nscag", "apps.v1.StatefulSet"),
    (
        "autoscaling",
        "v2",
        "horizontalpodautoscalers",
        "HorizontalPodAutoscaler",
        "hpa",
        "nsa",
        "autoscaling.v2.HorizontalPodAutoscaler",
    ),
    ("batch", "v1", "cronjobs", "CronJob", "cj", "nsag", "batch.v1.CronJob"),
    ("batch", "v1", "jobs", "Job", "", "nsag", "batch.v1.Job"),
    ("coordination.k8s.io", "v1", "leases", "Lease", "", "n", "coordination.v1.Lease"),
    ("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", "", "ng", "discovery.v1.EndpointSlice"),
    ("networking.k8s.io", "v1", "ingressclasses", "IngressClass", "", "g", "networking.v1.IngressClass"),
    ("networking.k8s.io", "v1", "ingresses", "Ingress", "ing", "nsg", "networking.v1.Ingress"),
    (
        "networking.k8s.io",
        "v1",
        "networkpolicies",
        "NetworkPolicy",
        "netpol",
        "ng",
        "networking.v1.NetworkPolicy",
    ),
    (
        "policy",
        "v1",
        "poddisruptionbudgets",
        "PodDisruptionBudget",
        "pdb",
        "nsg",
        "policy.v1.PodDisruptionBudget",
    ),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "clusterrolebindings",
        "ClusterRoleBinding",
        "",
        "p",
        "rbac.v1.ClusterRoleBinding",
    ),
    ("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", "", "p", "rbac.v1.ClusterRole"),
    ("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", "", "np", "rbac.v1.RoleBinding"),
    ("rbac.authorization.k8s.io", "v1", "roles", "Role", "", "np", "rbac.v1.Role"),
    ("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", "pc", "g", "scheduling.v1.PriorityClass"),
    ("storage.k8s.io", "v1", "storageclasses", "StorageClass", "sc", "d", "storage.v1.StorageClass"),
];

/// Whether a kind of this `apiVersion` is built in.
pub(crate) fn is_built_in(api_version: &str, kind: &str) -> bool {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    BUILT_IN.iter().any(|row| (row.0, row.1, row.3) == (group, version, kind))
}

/// All served resources.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    types: Vec<Arc<ResourceType>>,
}

impl Registry {
    /// The built-in resources.
    pub(crate) fn built_in() -> Self {
        Self { types: BUILT_IN.iter().map(|row| Arc::new(from_row(row))).collect() }
    }

    /// A resource by its path.
    pub(crate) fn find(&self, group: &str, version: &str, plural: &str) -> Option<Arc<ResourceType>> {
        self.types
            .iter()
            .find(|one| one.plural == plural && one.group == group && one.version == version)
            .cloned()
    }

    /// A resource by the key of its objects, in any version.
    pub(crate) fn by_key(&self, key: &str) -> Option<Arc<ResourceType>> {
        self.types.iter().find(|one| &*one.key == key).cloned()
    }

    /// A resource by group and kind, in any version.
    pub(crate) fn by_kind(&self, group: &str, kind: &str) -> Option<Arc<ResourceType>> {
        self.types.iter().find(|one| one.kind == kind && one.group == group).cloned()
    }

    /// All resources, in the order of the table, those of CRDs after them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<ResourceType>> {
        self.types.iter()
    }

    /// Serves what a CRD defines, instead of what it defined before.
    pub(crate) fn set_custom(&mut self, group: &str, plural: &str, types: Vec<ResourceType>) {
        self.types.retain(|one| one.crd.is_none() || one.group != group || one.plural != plural);
        self.types.extend(types.into_iter().map(Arc::new));
    }
}

fn from_row(row: &Row) -> ResourceType {
    let (group, version, plural, kind, short, flags, schema) = *row;
    let words = |text: &str| text.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let flag = |letter: char| flags.contains(letter);
    ResourceType {
        group: group.to_owned(),
        version: version.to_owned(),
        plural: plural.to_owned(),
        singular: kind.to_lowercase(),
        kind: kind.to_owned(),
        namespaced: flag('n'),
        short_names: words(short),
        categories: if flag('a') { vec!["all".to_owned()] } else { Vec::new() },
        has_status: flag('s'),
        has_scale: flag('c'),
        name_rule: if flag('L') {
            NameRule::Label
        } else if flag('p') {
            NameRule::PathSegment
        } else {
            NameRule::Subdomain
        },
        returns_deleted: flag('d'),
        generation: flag('g'),
        schema: (!schema.is_empty()).then_some(schema),
        crd: None,
        key: Arc::from(format!("{group}/{plural}")),
    }
}
