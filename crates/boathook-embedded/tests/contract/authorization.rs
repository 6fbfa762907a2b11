//! Who may do what: Roles and bindings, the words of a refusal, acting as somebody else, and what users ask about themselves.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::{Answer, Cluster, config_map};
use crate::rules::{Rule, rules};

pub(crate) const RULES: &[Rule] = rules![
    what_nobody_allowed_is_forbidden,
    everybody_may_discover,
    a_role_allows_its_verbs_on_its_resources,
    a_role_allows_objects_by_name,
    a_cluster_role_holds_where_it_is_bound,
    subjects_are_users_groups_and_accounts,
    stars_stand_for_all,
    paths_are_allowed_by_cluster_roles,
    a_role_that_is_not_there_is_told,
    the_roles_for_users_are_there,
    a_role_gathers_the_rules_of_others,
    groups_without_a_user_are_refused,
    acting_as_somebody_else_must_be_allowed,
    a_user_asks_what_he_may,
    a_user_asks_who_he_is,
];

const RBAC: &str = "rbac.authorization.k8s.io/v1";
const CLUSTERWIDE: &str = "/apis/rbac.authorization.k8s.io/v1";
const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> Value {
    json!({"apiGroups": [group], "resources": resources, "verbs": verbs})
}

fn user(name: &str) -> Value {
    json!({"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": name})
}

impl Cluster {
    /// A request as a user of the test's namespace: names are taken from it, so that tests do not meet.
    async fn as_user(&self, name: &str, method: &str, path: &str, body: Value) -> Answer {
        self.send_with(&[("Impersonate-User", &self.own(name))], method, path, body).await
    }

    /// A name that no other test has.
    fn own(&self, name: &str) -> String {
        format!("{name}-{}", self.namespace)
    }

    async fn may(&self, headers: &[(&str, &str)], attributes: &Value) -> Value {
        let kind = if attributes["path"].is_null() { "resourceAttributes" } else { "nonResourceAttributes" };
        let review = json!({"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "spec": {kind: attributes}});
        let answer = self.send_with(headers, "POST", REVIEWS, review).await;
        assert_eq!(answer.code, 201, "{}", answer.body);
        answer.body["status"].clone()
    }

    /// Waits until a user may: the real authorizer hears of roles a moment later.
    async fn until_may(&self, headers: &[(&str, &str)], attributes: Value) -> Value {
        for _ in 0..400 {
            let status = self.may(headers, &attributes).await;
            if status["allowed"] == true {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{headers:?} may not: {attributes}");
    }

    /// Creates a Role and binds it to a subject.
    async fn bind(&self, name: &str, rules: Value, subject: Value) {
        let role = json!({"metadata": {"name": name}, "rules": rules});
        self.post(&self.group(RBAC, "roles"), role).await.ok();
        self.bind_to("Role", name, subject).await;
    }

    async fn bind_to(&self, kind: &str, role: &str, subject: Value) {
        let binding = json!({
            "metadata": {"generateName": "b-"}, "subjects": [subject],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        });
        self.post(&self.group(RBAC, "rolebindings"), binding).await.ok();
    }

    /// Creates a ClusterRole with a name of its own.
    async fn cluster_role(&self, name: &str, rules: Value) -> String {
        let name = self.own(name);
        let role = json!({"metadata": {"name": name}, "rules": rules});
        self.post_clusterwide(&format!("{CLUSTERWIDE}/clusterroles"), role).await.ok();
        name
    }

    async fn bind_everywhere(&self, role: &str, subject: Value) {
        let binding = json!({
            "metadata": {"name": self.own(role)}, "subjects": [subject],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        });
        self.post_clusterwide(&format!("{CLUSTERWIDE}/clusterrolebindings"), binding).await.ok();
    }

    /// Attributes in the test's namespace.
    fn on(&self, verb: &str, resource: &str) -> Value {
        json!({"namespace": self.namespace, "verb": verb, "resource": resource})
    }
}

async fn what_nobody_allowed_is_forbidden(cluster: &Cluster) {
    let (namespace, jane) = (cluster.namespace.clone(), cluster.own("jane"));
    let within = format!("in the namespace \"{namespace}\"");
    let everywhere = "at the cluster scope".to_owned();
    let core = |rest: &str| cluster.core(rest);
    let apps = |rest: &str| cluster.group("apps/v1", rest);
    let things = "/apis/nobody.example/v1/things";
    for (method, path, what, verb, resource, group, scope) in [
        ("GET", core("configmaps"), "configmaps", "list", "configmaps", "", &within),
        ("GET", core("configmaps?watch=1"), "configmaps", "watch", "configmaps", "", &within),
        ("GET", core("configmaps/x"), "configmaps \"x\"", "get", "configmaps", "", &within),
        (
            "GET",
            core("configmaps?fieldSelector=metadata.name%3Dx"),
            "configmaps \"x\"",
            "list",
            "configmaps",
            "",
            &within,
        ),
        ("POST", core("configmaps"), "configmaps", "create", "configmaps", "", &within),
        ("PUT", core("configmaps/x"), "configmaps \"x\"", "update", "configmaps", "", &within),
        ("PATCH", core("configmaps/x"), "configmaps \"x\"", "patch", "configmaps", "", &within),
        ("DELETE", core("configmaps/x"), "configmaps \"x\"", "delete", "configmaps", "", &within),
        ("DELETE", core("configmaps"), "configmaps", "deletecollection", "configmaps", "", &within),
        ("GET", core("pods/x/log"), "pods \"x\"", "get", "pods/log", "", &within),
        (
            "GET",
            apps("deployments/x/scale"),
            "deployments.apps \"x\"",
            "get",
            "deployments/scale",
            "apps",
            &within,
        ),
        (
            "PATCH",
            apps("deployments/x/status"),
            "deployments.apps \"x\"",
            "patch",
            "deployments/status",
            "apps",
            &within,
        ),
        ("GET", "/api/v1/configmaps".to_owned(), "configmaps", "list", "configmaps", "", &everywhere),
        ("GET", "/api/v1/nodes/x".to_owned(), "nodes \"x\"", "get", "nodes", "", &everywhere),
        ("POST", "/api/v1/namespaces".to_owned(), "namespaces", "create", "namespaces", "", &everywhere),
        ("GET", things.to_owned(), "things.nobody.example", "list", "things", "nobody.example", &everywhere),
    ] {
        let answer = cluster.as_user("jane", method, &path, Value::Null).await;
        let details = answer.body["details"].clone();
        let message = answer.refused(403, "Forbidden");
        let expected = format!(
            "{what} is forbidden: User \"{jane}\" cannot {verb} resource \"{resource}\" in API group \"{group}\" {scope}"
        );
        assert_eq!(message, expected);
        assert_eq!(details["kind"], resource.split('/').next().unwrap());
        assert_eq!(details["group"].as_str().unwrap_or_default(), group);
        let name = if what.ends_with("\"x\"") { "x" } else { "" };
        assert_eq!(details["name"].as_str().unwrap_or_default(), name);
    }
    let itself =
        cluster.as_user("jane", "GET", &format!("/api/v1/namespaces/{namespace}"), Value::Null).await;
    let expected = format!(
        "namespaces \"{namespace}\" is forbidden: User \"{jane}\" cannot get resource \"namespaces\" in API group \"\" {within}"
    );
    assert_eq!(itself.refused(403, "Forbidden"), expected);
    let path = cluster.as_user("jane", "GET", "/metrics", Value::Null).await;
    assert_eq!(path.body["details"], json!({}));
    assert_eq!(
        path.refused(403, "Forbidden"),
        format!("forbidden: User \"{jane}\" cannot get path \"/metrics\"")
    );
}

async fn everybody_may_discover(cluster: &Cluster) {
    for path in ["/version", "/api", "/apis", "/apis/apps/v1", "/healthz", "/readyz", "/openapi/v3"] {
        assert_eq!(cluster.as_user("jane", "GET", path, Value::Null).await.code, 200, "{path}");
    }
}

async fn a_role_allows_its_verbs_on_its_resources(cluster: &Cluster) {
    let jane = cluster.own("jane");
    let rules = json!([
        rule("", &["configmaps", "pods/log"], &["get", "create"]),
        rule("apps", &["deployments"], &["list"])
    ]);
    cluster.bind("r", rules, user(&jane)).await;
    cluster.until_may(&[("Impersonate-User", &jane)], cluster.on("create", "configmaps")).await;
    let (core, apps) = (|rest: &str| cluster.core(rest), |rest: &str| cluster.group("apps/v1", rest));
    cluster.as_user("jane", "POST", &core("configmaps"), config_map("a", json!({}))).await.ok();
    for (method, path, code) in [
        ("GET", core("configmaps/a"), 200),
        ("GET", core("configmaps"), 403),
        ("DELETE", core("configmaps/a"), 403),
        ("GET", core("secrets/a"), 403),
        // Allowed, but not there.
        ("GET", core("pods/a/log"), 404),
        ("GET", core("pods/a"), 403),
        ("GET", apps("deployments"), 200),
        ("GET", apps("deployments/a/status"), 403),
        ("GET", "/apis/apps/v1/deployments".to_owned(), 403),
        ("GET", "/api/v1/namespaces/default/configmaps/a".to_owned(), 403),
    ] {
        assert_eq!(cluster.as_user("jane", method, &path, Value::Null).await.code, code, "{method} {path}");
    }
}

async fn a_role_allows_objects_by_name(cluster: &Cluster) {
    let jane = cluster.own("jane");
    let mut named = rule("", &["configmaps"], &["get", "list", "watch", "create"]);
    named["resourceNames"] = json!(["a", "b"]);
    cluster.bind("r", json!([named]), user(&jane)).await;
    let mut wanted = cluster.on("get", "configmaps");
    wanted["name"] = json!("a");
    cluster.until_may(&[("Impersonate-User", &jane)], wanted).await;
    cluster.post(&cluster.core("configmaps"), config_map("a", json!({}))).await.ok();
    for (method, path, code) in [
        ("GET", "configmaps/a", 200),
        ("GET", "configmaps/b", 404),
        ("GET", "configmaps/c", 403),
        ("GET", "configmaps", 403),
        ("GET", "configmaps?fieldSelector=metadata.name%3Da", 200),
        ("GET", "configmaps?fieldSelector=metadata.name%3Dc", 403),
        // A name is not known before the body is read.
        ("POST", "configmaps", 403),
    ] {
        let body = if method == "POST" { config_map("b", json!({})) } else { Value::Null };
        assert_eq!(cluster.as_user("jane", method, &cluster.core(path), body).await.code, code, "{path}");
    }
}

async fn a_cluster_role_holds_where_it_is_bound(cluster: &Cluster) {
    let (jane, kim) = (cluster.own("jane"), cluster.own("kim"));
    let role = cluster.cluster_role("reader", json!([rule("", &["configmaps", "nodes"], &["list"])])).await;
    cluster.bind_to("ClusterRole", &role, user(&jane)).await;
    cluster.bind_everywhere(&role, user(&kim)).await;
    let here = cluster.on("list", "configmaps");
    let because = |kind: &str, binding: &str, name: &str| {
        format!("RBAC: allowed by {kind} \"{binding}\" of ClusterRole \"{role}\" to User \"{name}\"")
    };
    let status = cluster.until_may(&[("Impersonate-User", &jane)], here.clone()).await;
    let reason = status["reason"].as_str().unwrap();
    let (start, end) = (
        "RBAC: allowed by RoleBinding \"b-",
        format!("/{}\" of ClusterRole \"{role}\" to User \"{jane}\"", cluster.namespace),
    );
    assert!(reason.starts_with(start) && reason.ends_with(&end), "{reason}");
    let status = cluster.until_may(&[("Impersonate-User", &kim)], here).await;
    assert_eq!(status["reason"], because("ClusterRoleBinding", &cluster.own(&role), &kim));
    for (name, path, code) in [
        ("jane", cluster.core("configmaps"), 200),
        ("jane", "/api/v1/configmaps".to_owned(), 403),
        ("jane", "/api/v1/nodes".to_owned(), 403),
        ("kim", "/api/v1/configmaps".to_owned(), 200),
        ("kim", "/api/v1/nodes".to_owned(), 200),
    ] {
        assert_eq!(cluster.as_user(name, "GET", &path, Value::Null).await.code, code, "{name} {path}");
    }
}

async fn subjects_are_users_groups_and_accounts(cluster: &Cluster) {
    let (namespace, devs) = (cluster.namespace.clone(), cluster.own("devs"));
    let here = cluster.on("list", "configmaps");
    let rules = json!([rule("", &["configmaps"], &["list"])]);
    let group = |name: &str| json!({"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": name});
    cluster.bind("group", rules.clone(), group(&devs)).await;
    cluster
        .bind(
            "account",
            rules.clone(),
            json!({"kind": "ServiceAccount", "name": "app", "namespace": namespace}),
        )
        .await;
    let app = format!("system:serviceaccount:{namespace}:app");
    cluster.until_may(&[("Impersonate-User", "lou"), ("Impersonate-Group", &devs)], here.clone()).await;
    let status = cluster.until_may(&[("Impersonate-User", &app)], here.clone()).await;
    let to = format!("to ServiceAccount \"app/{namespace}\"");
    assert!(status["reason"].as_str().unwrap().ends_with(&to), "{status}");
    for headers in [
        &[("Impersonate-User", "lou")] as &[_],
        &[("Impersonate-User", devs.as_str())],
        &[("Impersonate-User", "system:serviceaccount:default:app")],
    ] {
        assert_eq!(cluster.may(headers, &here).await, json!({"allowed": false}), "{headers:?}");
    }
    // All accounts of a namespace are a group.
    cluster.bind("accounts", rules, group(&format!("system:serviceaccounts:{namespace}"))).await;
    let other = format!("system:serviceaccount:{namespace}:other");
    cluster.until_may(&[("Impersonate-User", &other)], here.clone()).await;
    // Who names groups has those, and no others.
    let named = [("Impersonate-User", other.as_str()), ("Impersonate-Group", "x")];
    assert_eq!(cluster.may(&named, &here).await, json!({"allowed": false}));
}

async fn stars_stand_for_all(cluster: &Cluster) {
    let (jane, kim, lou) = (cluster.own("jane"), cluster.own("kim"), cluster.own("lou"));
    cluster.bind("all", json!([rule("*", &["*"], &["*"])]), user(&jane)).await;
    cluster.bind("scales", json!([rule("apps", &["*/scale"], &["get"])]), user(&kim)).await;
    cluster.bind("pods", json!([rule("", &["pods"], &["get"])]), user(&lou)).await;
    let may = async |name: &str, verb: &str, group: &str, resource: &str, subresource: &str| {
        let mut on = cluster.on(verb, resource);
        (on["group"], on["subresource"]) = (json!(group), json!(subresource));
        cluster.may(&[("Impersonate-User", name)], &on).await["allowed"] == true
    };
    let mut scale = cluster.on("get", "deployments");
    (scale["group"], scale["subresource"]) = (json!("apps"), json!("scale"));
    cluster.until_may(&[("Impersonate-User", &jane)], scale.clone()).await;
    cluster.until_may(&[("Impersonate-User", &kim)], scale).await;
    cluster.until_may(&[("Impersonate-User", &lou)], cluster.on("get", "pods")).await;
    assert!(may(&jane, "anything", "any.example", "things", "").await);
    assert!(may(&kim, "get", "apps", "statefulsets", "scale").await);
    assert!(!may(&kim, "get", "apps", "statefulsets", "status").await);
    assert!(!may(&kim, "get", "apps", "statefulsets", "").await);
    assert!(!may(&lou, "get", "", "pods", "log").await);
}

async fn paths_are_allowed_by_cluster_roles(cluster: &Cluster) {
    let jane = cluster.own("jane");
    let rules = json!([{"nonResourceURLs": ["/contract/*", "/contract-exact"], "verbs": ["get"]}]);
    let role = cluster.cluster_role("paths", rules).await;
    cluster.bind_everywhere(&role, user(&jane)).await;
    let path = |verb: &str, path: &str| json!({"verb": verb, "path": path});
    let headers = [("Impersonate-User", jane.as_str())];
    cluster.until_may(&headers, path("get", "/contract/x/y")).await;
    cluster.until_may(&headers, path("get", "/contract-exact")).await;
    for refused in [path("post", "/contract/x"), path("get", "/contract"), path("get", "/contract-exact/x")] {
        assert_eq!(cluster.may(&headers, &refused).await, json!({"allowed": false}), "{refused}");
    }
}

async fn a_role_that_is_not_there_is_told(cluster: &Cluster) {
    let jane = cluster.own("jane");
    cluster.bind_to("Role", "nobodys", user(&jane)).await;
    let why = "RBAC: role.rbac.authorization.k8s.io \"nobodys\" not found";
    for _ in 0..400 {
        let answer = cluster.as_user("jane", "GET", &cluster.core("secrets/a"), Value::Null).await;
        if answer
            .refused(403, "Forbidden")
            .ends_with(&format!("in the namespace \"{}\": {why}", cluster.namespace))
        {
            let status = cluster.may(&[("Impersonate-User", &jane)], &cluster.on("get", "secrets")).await;
            assert_eq!(status, json!({"allowed": false, "reason": why}));
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the missing role is not told");
}

async fn the_roles_for_users_are_there(cluster: &Cluster) {
    for role in ["view", "edit", "admin"] {
        cluster.bind_to("ClusterRole", role, user(&cluster.own(role))).await;
    }
    for (verb, group, resource, roles) in [
        ("list", "", "configmaps", ["view", "edit", "admin"].as_slice()),
        ("get", "apps", "deployments", &["view", "edit", "admin"]),
        ("get", "", "secrets", &["edit", "admin"]),
        ("create", "apps", "deployments", &["edit", "admin"]),
        ("delete", "batch", "jobs", &["edit", "admin"]),
        ("create", "rbac.authorization.k8s.io", "rolebindings", &["admin"]),
        ("update", "", "resourcequotas", &[]),
        ("create", "", "nodes", &[]),
    ] {
        let mut on = cluster.on(verb, resource);
        on["group"] = json!(group);
        for role in roles {
            cluster.until_may(&[("Impersonate-User", &cluster.own(role))], on.clone()).await;
        }
        for role in ["view", "edit", "admin"].iter().filter(|role| !roles.contains(role)) {
            let status = cluster.may(&[("Impersonate-User", &cluster.own(role))], &on).await;
            assert_eq!(status["allowed"], false, "{role} {on}");
        }
    }
    let admin = cluster.get(&format!("{CLUSTERWIDE}/clusterroles/cluster-admin")).await.ok();
    assert_eq!(admin["rules"][0], json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}));
}

async fn a_role_gathers_the_rules_of_others(cluster: &Cluster) {
    let (name, label) = (cluster.own("gathers"), format!("contract.example/{}", cluster.namespace));
    let gathers = json!({
        "metadata": {"name": name}, "rules": [rule("", &["pods"], &["get"])],
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {label.as_str(): "true"}}]},
    });
    cluster.post_clusterwide(&format!("{CLUSTERWIDE}/clusterroles"), gathers).await.ok();
    let part = json!({
        "metadata": {"name": cluster.own("part"), "labels": {label: "true"}},
        "rules": [rule("", &["configmaps"], &["get"])],
    });
    cluster.post_clusterwide(&format!("{CLUSTERWIDE}/clusterroles"), part).await.ok();
    let path = format!("{CLUSTERWIDE}/clusterroles/{name}");
    cluster.until(&path, |role| role["rules"] == json!([rule("", &["configmaps"], &["get"])])).await;
    cluster.delete(&format!("{CLUSTERWIDE}/clusterroles/{}", cluster.own("part")), Value::Null).await.ok();
    cluster.until(&path, |role| role["rules"].as_array().is_none_or(Vec::is_empty)).await;
}

async fn groups_without_a_user_are_refused(cluster: &Cluster) {
    let headers = [("Impersonate-Group", "devs")];
    let answer = cluster.send_with(&headers, "GET", &cluster.core("configmaps"), Value::Null).await;
    let message = "requested &user.DefaultInfo{Name:\"\", UID:\"\", Groups:[]string{\"devs\"}, Extra:map[string][]string(nil)} without impersonating a user name";
    assert_eq!(answer.refused(400, "BadRequest"), message);
}

async fn acting_as_somebody_else_must_be_allowed(cluster: &Cluster) {
    let account = cluster.account("app").await;
    let (name, namespace) = (format!("system:serviceaccount:{}:app", cluster.namespace), &cluster.namespace);
    let refused = async |headers: &[(&str, &str)], mode: &str| {
        let answer = account.send_with(headers, "GET", &cluster.core("secrets/s"), Value::Null).await;
        let expected = format!(
            "secrets \"s\" is forbidden: User \"{name}\" cannot impersonate-on:{mode}:get resource \"secrets\" in API group \"\" in the namespace \"{namespace}\""
        );
        assert_eq!(answer.refused(403, "Forbidden"), expected, "{headers:?}");
    };
    let kim = cluster.own("kim");
    refused(&[("Impersonate-User", &kim)], "user-info").await;
    refused(&[("Impersonate-User", &kim), ("Impersonate-Group", "devs")], "user-info").await;
    refused(&[("Impersonate-User", "system:serviceaccount:default:x")], "serviceaccount").await;
    refused(&[("Impersonate-User", "system:node:x")], "arbitrary-node").await;
    let mut may = rule("", &["users"], &["impersonate"]);
    may["resourceNames"] = json!([kim]);
    let role = cluster.cluster_role("acting", json!([may])).await;
    cluster
        .bind_everywhere(&role, json!({"kind": "ServiceAccount", "name": "app", "namespace": namespace}))
        .await;
    let right = json!({"verb": "impersonate", "resource": "users", "name": kim});
    account.until_may(&[], right).await;
    let answer = account
        .send_with(&[("Impersonate-User", &kim)], "GET", &cluster.core("secrets/s"), Value::Null)
        .await;
    assert!(answer.refused(403, "Forbidden").contains(&format!("User \"{kim}\" cannot get resource")));
    // Not with a group, and not as anybody else. Which way is told as refused depends on the one that went well last.
    for headers in [
        [("Impersonate-User", kim.as_str()), ("Impersonate-Group", "devs")].as_slice(),
        &[("Impersonate-User", "lou")],
    ] {
        let answer = account.send_with(headers, "GET", &cluster.core("secrets/s"), Value::Null).await;
        assert!(answer.refused(403, "Forbidden").contains("cannot impersonate"), "{headers:?}");
    }
}

async fn a_user_asks_what_he_may(cluster: &Cluster) {
    let jane = cluster.own("jane");
    let mut named = rule("", &["secrets"], &["get"]);
    named["resourceNames"] = json!(["a"]);
    cluster.bind("r", json!([named]), user(&jane)).await;
    let headers = [("Impersonate-User", jane.as_str())];
    let mut wanted = cluster.on("get", "secrets");
    wanted["name"] = json!("a");
    cluster.until_may(&headers, wanted).await;
    let review = json!({"kind": "SelfSubjectRulesReview", "apiVersion": "authorization.k8s.io/v1", "spec": {"namespace": cluster.namespace}});
    let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    let status = cluster.send_with(&headers, "POST", path, review).await.ok()["status"].clone();
    assert_eq!(status["incomplete"], false);
    let has = |list: &str, rule: &Value| status[list].as_array().unwrap().contains(rule);
    assert!(has(
        "resourceRules",
        &json!({"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a"]})
    ));
    let asking = json!({"verbs": ["create"], "apiGroups": ["authorization.k8s.io"], "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]});
    assert!(has("resourceRules", &asking));
    assert!(has(
        "nonResourceRules",
        &json!({"verbs": ["get"], "nonResourceURLs": ["/healthz", "/livez", "/readyz", "/version", "/version/"]})
    ));
    let nothing =
        json!({"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "spec": {}});
    let message = cluster.post(REVIEWS, nothing).await.refused(422, "Invalid");
    assert!(message.ends_with("spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified"), "{message}");
    cluster.get(REVIEWS).await.refused(405, "MethodNotAllowed");
}

async fn a_user_asks_who_he_is(cluster: &Cluster) {
    let review = json!({"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1"});
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    for (headers, info) in [
        (
            [("Impersonate-User", "jane"), ("Impersonate-Group", "devs")].as_slice(),
            json!({"username": "jane", "groups": ["devs", "system:authenticated"]}),
        ),
        (
            &[("Impersonate-User", "jane"), ("Impersonate-Uid", "7"), ("Impersonate-Extra-Scopes", "view")],
            json!({"username": "jane", "uid": "7", "groups": ["system:authenticated"], "extra": {"scopes": ["view"]}}),
        ),
        (
            &[("Impersonate-User", "system:serviceaccount:a:b")],
            json!({"username": "system:serviceaccount:a:b",
                "groups": ["system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated"]}),
        ),
    ] {
        let answer = cluster.send_with(headers, "POST", path, review.clone()).await;
        assert_eq!(answer.ok()["status"]["userInfo"], info);
    }
}
