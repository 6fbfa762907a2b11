//! Who may do what, by the Roles and bindings that are stored: the rules and the words of the real RBAC authorizer. Pure:
//! from a user, a request and the objects to a decision.

use serde_json::Value;

use crate::request::{Call, Path, parse_path};
use crate::status::Refusal;
use crate::store::Store;

pub(crate) mod impersonate;
pub(crate) mod roles;

const BINDINGS: &str = "rbac.authorization.k8s.io/rolebindings";
const CLUSTER_BINDINGS: &str = "rbac.authorization.k8s.io/clusterrolebindings";
const ROLES: &str = "rbac.authorization.k8s.io/roles";
const CLUSTER_ROLES: &str = "rbac.authorization.k8s.io/clusterroles";

/// Who may do everything, whatever the roles say.
const MASTERS: &str = "system:masters";
const AUTHENTICATED: &str = "system:authenticated";

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    /// The name.
    pub(crate) name: String,
    /// What the user is a member of.
    pub(crate) groups: Vec<String>,
    /// The UID, or empty.
    pub(crate) uid: String,
    /// What else is told of the user.
    pub(crate) extra: Vec<(String, Vec<String>)>,
}

impl User {
    /// Whoever may do everything.
    pub(crate) fn admin() -> Self {
        let groups = vec![MASTERS.to_owned(), AUTHENTICATED.to_owned()];
        Self { name: "boathook-embedded".to_owned(), groups, uid: String::new(), extra: Vec::new() }
    }

    /// A user of this name, with the groups that go with it.
    pub(crate) fn new(name: &str, groups: &[String]) -> Self {
        let mut all = groups.to_vec();
        if let (Some((namespace, _)), true) = (service_account(name), groups.is_empty()) {
            all = vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")];
        }
        let more = if name == "system:anonymous" { "system:unauthenticated" } else { AUTHENTICATED };
        if !all.iter().any(|group| group == more) {
            all.push(more.to_owned());
        }
        Self { name: name.to_owned(), groups: all, uid: String::new(), extra: Vec::new() }
    }
}

/// Namespace and name of the service account that a user's name stands for.
fn service_account(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    (!namespace.is_empty() && !name.is_empty() && !name.contains(':')).then_some((namespace, name))
}

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// `get`, `list`, `watch`, `create`, …
    pub(crate) verb: String,
    /// Empty at the cluster scope.
    pub(crate) namespace: String,
    /// Empty for core.
    pub(crate) group: String,
    /// The plural name.
    pub(crate) resource: String,
    /// `status`, `log`, …, or empty.
    pub(crate) subresource: String,
    /// The object, or empty.
    pub(crate) name: String,
    /// The path, if it is that of no resource.
    pub(crate) path: Option<String>,
}

impl Attributes {
    /// Those of a request.
    pub(crate) fn of(path: &str, call: &Call) -> Result<Self, Refusal> {
        let method = call.method.as_str().to_lowercase();
        let resource = match parse_path(path)? {
            Path::Other(_) => {
                return Ok(Self { verb: method, path: Some(path.to_owned()), ..Self::default() });
            }
            Path::Resource(resource) => resource,
        };
        let mut name = resource.name.unwrap_or_default();
        let verb = match (method.as_str(), name.is_empty()) {
            ("post", _) => "create",
            ("put", _) => "update",
            ("patch", _) => "patch",
            ("delete", false) => "delete",
            ("delete", true) => "deletecollection",
            ("get" | "head", _) if call.query.flag("watch") => "watch",
            ("get" | "head", false) => "get",
            ("get" | "head", true) => "list",
            (other, _) => other,
        };
        // A list of one object is allowed by its name.
        if name.is_empty() && matches!(verb, "list" | "watch" | "deletecollection") {
            let selected = call
                .query
                .text("fieldSelector")
                .split(',')
                .find_map(|one| one.strip_prefix("metadata.name="));
            name = selected.unwrap_or_default().trim_start_matches('=').to_owned();
        }
        let of_itself = resource.resource == "namespaces" && resource.group.is_empty();
        let namespace = resource.namespace.or_else(|| of_itself.then(|| name.clone()));
        Ok(Self {
            verb: verb.to_owned(),
            namespace: namespace.unwrap_or_default(),
            group: resource.group,
            resource: resource.resource,
            subresource: resource.subresource.unwrap_or_default(),
            name,
            path: None,
        })
    }

    /// The resource as rules name it: `pods`, `pods/log`.
    pub(crate) fn combined(&self) -> String {
        match self.subresource.as_str() {
            "" => self.resource.clone(),
            subresource => format!("{}/{subresource}", self.resource),
        }
    }

    fn matches(&self, rule: &Value) -> bool {
        let any = |field: &str, holds: &dyn Fn(&str) -> bool| {
            rule[field]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .any(|one| one == "*" || holds(one))
        };
        let named = |field: &str| rule[field].as_array().is_some_and(|list| !list.is_empty());
        if !any("verbs", &|verb| verb == self.verb) {
            return false;
        }
        if let Some(path) = &self.path {
            let below = |url: &str| url.strip_suffix('*').is_some_and(|start| path.starts_with(start));
            return any("nonResourceURLs", &|url| url == path || below(url));
        }
        let combined = self.combined();
        let subresource = |one: &str| {
            !self.subresource.is_empty() && one.strip_prefix("*/") == Some(self.subresource.as_str())
        };
        any("apiGroups", &|group| group == self.group)
            && any("resources", &|one| one == combined || subresource(one))
            && (!named("resourceNames")
                || rule["resourceNames"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .any(|name| *name == self.name.as_str()))
    }
}

/// Whether it is allowed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    /// Whether it is.
    pub(crate) allowed: bool,
    /// The binding that allows it, or the roles that bindings name and that are not there; often nothing.
    pub(crate) reason: String,
}

/// Decides.
pub(crate) fn decide(store: &Store, user: &User, asked: &Attributes) -> Decision {
    if user.groups.iter().any(|group| group == MASTERS) {
        return Decision { allowed: true, reason: String::new() };
    }
    let mut missing: Vec<String> = Vec::new();
    for (binding, subject) in bindings(store, user, &asked.namespace) {
        let role = &binding["roleRef"];
        match role_of(store, binding) {
            Some(found) if rules(found).any(|rule| asked.matches(rule)) => {
                let reason = format!(
                    "RBAC: allowed by {} of {} {} to {subject}",
                    described(binding),
                    text(&role["kind"]),
                    role["name"]
                );
                return Decision { allowed: true, reason };
            }
            Some(_) => {}
            None => {
                let kind = text(&role["kind"]).to_lowercase();
                missing.push(format!("{kind}.rbac.authorization.k8s.io {} not found", role["name"]));
            }
        }
    }
    let mut seen = std::collections::HashSet::new();
    missing.retain(|one| seen.insert(one.clone()));
    let reason = match missing.as_slice() {
        [] => String::new(),
        [one] => format!("RBAC: {one}"),
        several => format!("RBAC: [{}]", several.join(", ")),
    };
    Decision { allowed: false, reason }
}

/// Refuses what is not allowed.
pub(crate) fn check(store: &Store, user: &User, asked: &Attributes) -> Result<(), Refusal> {
    let decision = decide(store, user, asked);
    if decision.allowed { Ok(()) } else { Err(Refusal::not_authorized(&user.name, asked, &decision.reason)) }
}

/// All rules that apply to a user in a namespace.
pub(crate) fn rules_for<'a>(store: &'a Store, user: &User, namespace: &'a str) -> Vec<&'a Value> {
    bindings(store, user, namespace)
        .into_iter()
        .filter_map(|(binding, _)| role_of(store, binding))
        .flat_map(rules)
        .collect()
}

/// The bindings of a user, first those of the cluster, each with the subject by which it applies.
fn bindings<'a>(store: &'a Store, user: &User, namespace: &'a str) -> Vec<(&'a Value, String)> {
    let clusterwide = store.iter(CLUSTER_BINDINGS, None);
    let own = (!namespace.is_empty()).then(|| store.iter(BINDINGS, Some(namespace)));
    let all = clusterwide.chain(own.into_iter().flatten()).map(|(_, entry)| &entry.value);
    all.filter_map(|binding| {
        let subjects = binding["subjects"].as_array()?.iter();
        let within = text(&binding["metadata"]["namespace"]);
        let subject = subjects.into_iter().find_map(|subject| applies(subject, user, within))?;
        Some((binding, subject))
    })
    .collect()
}

/// How a subject is called, if it is this user.
fn applies(subject: &Value, user: &User, within: &str) -> Option<String> {
    let name = text(&subject["name"]);
    match text(&subject["kind"]) {
        "User" => (name == user.name).then(|| format!("User \"{name}\"")),
        "Group" => user.groups.iter().any(|group| group == name).then(|| format!("Group \"{name}\"")),
        "ServiceAccount" => {
            let namespace =
                Some(text(&subject["namespace"])).filter(|given| !given.is_empty()).unwrap_or(within);
            let is_it = service_account(&user.name) == Some((namespace, name));
            is_it.then(|| format!("ServiceAccount \"{name}/{namespace}\""))
        }
        _ => None,
    }
}

fn role_of<'a>(store: &'a Store, binding: &Value) -> Option<&'a Value> {
    let role = &binding["roleRef"];
    let (resource, namespace) = match text(&role["kind"]) {
        "Role" => (ROLES, text(&binding["metadata"]["namespace"])),
        _ => (CLUSTER_ROLES, ""),
    };
    store.get(resource, namespace, text(&role["name"])).map(|entry| &entry.value)
}

fn rules(role: &Value) -> impl Iterator<Item = &Value> {
    role["rules"].as_array().into_iter().flatten()
}

fn described(binding: &Value) -> String {
    let (kind, metadata) = (text(&binding["kind"]), &binding["metadata"]);
    match metadata["namespace"].as_str() {
        Some(namespace) => format!("{kind} \"{}/{namespace}\"", text(&metadata["name"])),
        None => format!("{kind} {}", metadata["name"]),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
