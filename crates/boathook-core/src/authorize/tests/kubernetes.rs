//! Requests to the Kubernetes API against rules.

use test_case::test_case;

use super::*;

#[test]
fn rules_are_exact() {
    check(&[
        // Nothing by default.
        ("", "get configmaps my-app", Deny),
        ("", "list pods", Deny),
        ("", "create secrets my-app", Deny),
        ("", "delete namespaces prod", Deny),
        // Verb, resource, group.
        ("get configmaps", "get configmaps my-app", Allow),
        ("get configmaps", "create configmaps my-app", Deny),
        ("get configmaps", "delete configmaps my-app", Deny),
        ("get configmaps", "get secrets my-app", Deny),
        ("get configmaps", "list configmaps", Deny),
        ("list configmaps", "list configmaps", Allow),
        ("list configmaps", "get configmaps a", Deny),
        ("get configmap", "get configmaps a", Deny),
        ("get ConfigMaps", "get configmaps a", Deny),
        ("GET configmaps", "get configmaps a", Deny),
        ("get,create,delete configmaps,pods", "delete pods a", Allow),
        ("get deployments", "get deployments web", Allow),
        ("get deployments /extensions", "get deployments web", Deny),
        ("get configmaps /apps", "get configmaps web", Deny),
        ("create widgets /example.com,apps", "create widgets w", Allow),
        // Kinds named Secret in another group are not core's.
        ("get secretclaims", "get secrets a", Deny),
        ("get secrets =a", "get secretclaims a", Deny),
        // No wildcards but where they are spelled out.
        ("* configmaps", "get configmaps a", Deny),
        ("get *", "get configmaps a", Deny),
        ("get configmaps /*", "get configmaps a", Deny),
        ("get configmaps =*", "get configmaps a", Allow),
        ("get configmaps =my-*", "get configmaps my-app", Deny),
        ("get configmaps @pro*", "get configmaps my-app", Deny),
    ]);
}

#[test]
fn names_are_exact() {
    check(&[
        ("get configmaps =my-app", "get configmaps my-app", Allow),
        ("get configmaps =my-app", "get configmaps my-app-2", Deny),
        ("get configmaps =my-app", "get configmaps my-ap", Deny),
        ("get configmaps =a,b", "get configmaps b", Allow),
        ("create configmaps =my-app", "create configmaps my-app", Allow),
        ("create configmaps =my-app", "create configmaps other", Deny),
        ("delete configmaps =my-app", "delete configmaps other", Deny),
        ("patch configmaps =my-app", "patch configmaps my-app", Allow),
        ("patch configmaps =my-app", "patch configmaps other", Deny),
        // A list is about all names.
        ("list configmaps =my-app", "list configmaps", Deny),
        ("list configmaps =*", "list configmaps", Allow),
        ("get,list configmaps =my-app", "list configmaps", Deny),
    ]);
}

#[test]
fn namespaces_are_exact() {
    check(&[
        ("get configmaps", "get configmaps prod/a", Allow),
        ("get configmaps", "get configmaps kube-system/a", Deny),
        ("get configmaps", "get configmaps default/a", Deny),
        ("get configmaps", "create configmaps default/a", Deny),
        ("get configmaps @shared", "get configmaps shared/a", Allow),
        ("get configmaps @shared", "get configmaps prod/a", Deny),
        ("get configmaps @shared", "get configmaps a", Deny),
        ("get configmaps @shared,prod", "get configmaps a", Allow),
        ("get configmaps @*", "get configmaps kube-system/a", Allow),
        ("create configmaps @*", "create configmaps kube-system/a", Allow),
        ("create configmaps", "create configmaps kube-system/a", Deny),
        ("list configmaps", "list configmaps kube-system", Deny),
        ("list configmaps @kube-system", "list configmaps kube-system", Allow),
    ]);
}

#[test]
fn cluster_scope_is_spelled_out() {
    check(&[
        ("get namespaces", "get namespaces prod", Deny),
        ("get namespaces @prod", "get namespaces prod", Deny),
        ("get namespaces @*", "get namespaces prod", Allow),
        ("create namespaces =a", "create namespaces a", Deny),
        ("create namespaces =a @*", "create namespaces a", Allow),
        ("create namespaces =a @*", "create namespaces b", Deny),
        ("list nodes", "list nodes", Deny),
        ("list nodes @*", "list nodes", Allow),
        ("get planets", "get planets mars", Deny),
        ("get planets @*", "get planets mars", Allow),
        ("get clusterroles", "get clusterroles admin", Deny),
        ("get clusterroles @*", "get clusterroles admin", Allow),
        ("create customresourcedefinitions", "create customresourcedefinitions a.b", Deny),
        ("create customresourcedefinitions @*", "create customresourcedefinitions a.b", Allow),
        // A namespace on a cluster-scoped kind is a mistake or a trick.
        ("get planets @*", "get planets prod/mars", Invalid),
        ("create planets @*", "create planets prod/mars", Invalid),
        ("list nodes @*", "list nodes prod", Invalid),
    ]);
}

#[test]
fn several_verbs_may_come_from_several_rules() {
    check(&[
        ("create configmaps", "apply configmaps a", Deny),
        ("patch configmaps", "apply configmaps a", Deny),
        ("create,patch configmaps", "apply configmaps a", Allow),
        ("create configmaps; patch configmaps =a", "apply configmaps a", Allow),
        ("create configmaps; patch configmaps =b", "apply configmaps a", Deny),
        ("get jobs", "wait jobs a", Deny),
        ("watch jobs", "wait jobs a", Deny),
        ("get,watch jobs", "wait jobs a", Allow),
        ("get,watch jobs =b", "wait jobs a", Deny),
    ]);
}

#[test]
fn names_cannot_be_paths_or_queries() {
    let all = "get,list,create,patch,delete,watch configmaps,secrets,pods @*";
    check(&[
        (all, "get configmaps prod/secrets/tok", Invalid),
        (all, "get configmaps prod/?limit=500", Invalid),
        (all, "get configmaps prod/a?x=y", Invalid),
        (all, "get configmaps prod/p/log", Invalid),
        (all, "get pods prod/p/exec?command=id", Invalid),
        (all, "get configmaps prod/x/token", Invalid),
        (all, "delete configmaps prod/?labelSelector=a", Invalid),
        (all, "delete configmaps prod/a?dryRun=All&x=", Invalid),
        (all, "get configmaps prod/..", Invalid),
        (all, "get configmaps prod/.", Invalid),
        (all, "get configmaps prod/../..", Invalid),
        (all, "get configmaps prod/%2e%2e", Invalid),
        (all, "get configmaps prod/a%2fb", Invalid),
        (all, "get configmaps prod/a\\b", Invalid),
        (all, "get configmaps prod/a#", Invalid),
        (all, "get configmaps prod/é", Invalid),
        (all, "get configmaps prod/a\u{0}", Invalid),
        (all, "get configmaps prod/a\nb", Invalid),
        (all, "get configmaps prod/a b", Invalid),
        (all, "get configmaps prod/*", Invalid),
        (all, "get configmaps prod/", Invalid),
        (all, "get configmaps /a", Invalid),
        (all, "get configmaps kube-system?x=/a", Invalid),
        (all, "get configmaps kube-system#/a", Invalid),
        (all, "get configmaps ../a", Invalid),
        (all, "get configmaps %2e%2e/a", Invalid),
        (all, "get configmaps PROD/a", Invalid),
        (all, "get configmaps -prod/a", Invalid),
        (all, "get configmaps pro.d/a", Invalid),
        (all, "get configmaps */a", Invalid),
        (all, "create configmaps prod/a?dryRun=All", Invalid),
        (all, "create configmaps kube-system?/a", Invalid),
        (all, "apply configmaps prod/../secrets/a", Invalid),
        (all, "wait configmaps prod/a/status", Invalid),
        (all, "list configmaps kube-system/secrets", Invalid),
        (all, "list configmaps ..", Invalid),
        // Names that look odd and are fine.
        (all, "get configmaps prod/a.b.c", Allow),
        (all, "get configmaps prod/system:a", Allow),
        (all, "get configmaps prod/...", Allow),
    ]);
    let long = "a".repeat(254);
    check(&[
        (all, &format!("get configmaps {long}"), Invalid),
        (all, &format!("get configmaps {}", &long[1..]), Allow),
    ]);
    check(&[(all, &format!("get configmaps {}/a", &long[..64]), Invalid)]);
}

#[test_case("v1", "ConfigMap", true)]
#[test_case("apps/v1", "Deployment", true)]
#[test_case("example.com/v1alpha1", "Widget", true)]
#[test_case("", "ConfigMap", false; "no version")]
#[test_case("/v1", "ConfigMap", false; "empty group")]
#[test_case("apps/", "Deployment", false; "empty version")]
#[test_case("apps/v1/namespaces/kube-system/secrets", "Deployment", false; "path in version")]
#[test_case("../v1", "Deployment", false; "dots for group")]
#[test_case("v1?x=", "ConfigMap", false; "query in version")]
#[test_case("v1", "configmaps/../secrets", false; "path in kind")]
#[test_case("v1", "ConfigMap?", false; "query in kind")]
#[test_case("v1", "", false; "no kind")]
#[test_case("v1", "List", false; "a list")]
fn kinds_are_words(api_version: &str, kind: &str, fine: bool) {
    assert_eq!(parse_gvk(api_version, kind).is_ok(), fine);
}

#[test_case("configmaps/../secrets")]
#[test_case("pods/log")]
#[test_case("ConfigMaps")]
#[test_case("")]
#[test_case("-pods")]
#[test_case("pods?x")]
fn plurals_are_words(text: &str) {
    assert!(Plural::new(text).is_err());
}

#[test]
fn some_things_are_never_granted() {
    // As generous as a grant can be.
    const ALL: &str = "get,list,watch,create,patch,delete pods,pods/exec,pods/attach,pods/portforward,pods/proxy,\
        pods/log,pods/status,pods/eviction,pods/ephemeralcontainers,pods/binding,services/proxy,\
        serviceaccounts/token,nodes/proxy,nodes/log,nodes/status,namespaces/finalize,tokenreviews,\
        subjectaccessreviews,selfsubjectaccessreviews,certificatesigningrequests,\
        certificatesigningrequests/approval,mutatingwebhookconfigurations,validatingwebhookconfigurations,\
        apiservices,roles,rolebindings,clusterroles,clusterrolebindings,leases,wasmhooks,secrets,configmaps,\
        bindings,nodes,services,deployments,deployments/scale @*";
    check(&[
        (ALL, "get pods:exec web", Never),
        (ALL, "create pods:exec web", Never),
        (ALL, "get pods:attach web", Never),
        (ALL, "create pods:portforward web", Never),
        (ALL, "get pods:proxy web", Never),
        (ALL, "get services:proxy web", Never),
        (ALL, "get nodes:proxy n1", Never),
        (ALL, "get nodes:log n1", Never),
        (ALL, "patch nodes:status n1", Never),
        (ALL, "patch pods:ephemeralcontainers web", Never),
        (ALL, "create pods:binding web", Never),
        (ALL, "create bindings web", Never),
        (ALL, "create serviceaccounts:token default", Never),
        (ALL, "patch namespaces:finalize prod", Never),
        (ALL, "patch certificatesigningrequests:approval a", Never),
        (ALL, "create tokenreviews a", Never),
        (ALL, "create subjectaccessreviews a", Never),
        (ALL, "create selfsubjectaccessreviews a", Never),
        (ALL, "create mutatingwebhookconfigurations a", Never),
        (ALL, "get mutatingwebhookconfigurations a", Never),
        (ALL, "delete validatingwebhookconfigurations a", Never),
        (ALL, "create apiservices v1.a", Never),
        (ALL, "create roles a", Never),
        (ALL, "patch rolebindings a", Never),
        (ALL, "delete clusterroles a", Never),
        (ALL, "apply clusterrolebindings a", Never),
        (ALL, "get roles a", Allow),
        (ALL, "list clusterroles", Allow),
        (ALL, "create wasmhooks a", Never),
        (ALL, "get wasmhooks a", Allow),
        (ALL, "get secrets sh.helm.release.v1.web.v1", Never),
        (ALL, "delete secrets sh.helm.release.v1.web.v1", Never),
        (ALL, "create secrets sh.helm.release.v1.web.v2", Never),
        (ALL, "patch secrets kube-system/sh.helm.release.v1.web.v2", Never),
        (ALL, "get configmaps sh.helm.release.v1.web.v1", Never),
        (ALL, "get secrets boathook.release.web.1", Never),
        (ALL, "delete secrets boathook.release.web.1", Never),
        (ALL, "get leases boathook.web", Never),
        (ALL, "delete leases boathook.web", Never),
        (ALL, "get leases other", Allow),
        (ALL, "get services boathook.release", Allow),
        // Subresources need their own rule.
        (ALL, "get pods:log web", Allow),
        (ALL, "patch pods:status web", Allow),
        (ALL, "create pods:eviction web", Allow),
        (ALL, "patch deployments:scale web", Allow),
        ("get,patch pods", "get pods:log web", Deny),
        ("get,patch pods", "patch pods:status web", Deny),
        ("get pods/log", "get pods web", Deny),
        ("get pods/log", "get pods:log web", Allow),
        ("get pods/log", "get pods:secrets web", Invalid),
    ]);
}

#[test]
fn a_capability_that_is_not_declared_is_denied() {
    let mut grant = grant("get configmaps; GET https://example.com/");
    grant.capabilities = [Capability::Context, Capability::Log, Capability::Http].into();
    let kubernetes = request(&grant, "get configmaps a").unwrap();
    let http = request(&grant, "GET https://example.com/").unwrap();
    assert_eq!(
        authorize(&grant, &kubernetes).unwrap_err().reason,
        "the plugin does not declare that it uses kubernetes"
    );
    assert_eq!(authorize(&grant, &http), Ok(()));
    grant.capabilities.clear();
    assert!(matches!(authorize(&grant, &http).unwrap_err().hint, Hint::Never(_)));
}

#[test]
fn secret_data_needs_its_name_spelled_out() {
    let visible = |rules: &str, text: &str| {
        let grant = grant(rules);
        let Request::Kubernetes(request) = kubernetes_request(&grant, text).unwrap() else { unreachable!() };
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"a": "Yg=="}, "metadata": {
            "name": "s", "managedFields": [1], "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "{\"data\":{\"a\":\"Yg==\"}}", "kept": "yes"
        }}});
        let seen = reveal(&grant, &request, Object::from_value(secret).unwrap()).unwrap();
        assert!(seen.get(&["metadata", "managedFields"]).is_none());
        assert_eq!(seen.annotation("kept"), Some("yes"));
        let text = Value::Object(seen.0).to_string();
        assert_eq!(text.contains("Yg=="), text.contains("\"data\""), "{text}");
        text.contains("Yg==")
    };
    assert!(visible("get secrets =s", "get secrets s"));
    assert!(!visible("get secrets", "get secrets s"));
    assert!(!visible("get secrets =*", "get secrets s"));
    assert!(!visible("get secrets =other; get secrets", "get secrets s"));
    assert!(!visible("get secrets =s @other; get secrets", "get secrets s"));
    assert!(!visible("create secrets =s", "create secrets s"));
    assert!(visible("create secrets =s; get secrets =s", "create secrets s"));
    assert!(!visible("list secrets; get secrets =s", "list secrets"));
    check(&[
        ("get,watch secrets", "wait secrets s", Allow),
        ("get,watch secrets", "wait-value secrets s", Deny),
        ("get,watch secrets =*", "wait-value secrets s", Deny),
        ("get,watch secrets =s", "wait-value secrets s", Allow),
        ("watch secrets; get secrets =s", "wait-value secrets s", Allow),
        ("get,watch configmaps", "wait-value configmaps s", Allow),
        ("", "wait-value secrets s", Deny),
    ]);
}

#[test]
fn release_records_are_not_seen_in_lists() {
    let grant = grant("list secrets,configmaps");
    let Request::Kubernetes(request) = kubernetes_request(&grant, "list secrets").unwrap() else {
        unreachable!()
    };
    let seen = |name: &str, secret_type: &str| {
        let secret = json!({"metadata": {"name": name}, "type": secret_type});
        reveal(&grant, &request, Object::from_value(secret).unwrap()).is_some()
    };
    assert!(seen("a", "Opaque"));
    assert!(!seen("sh.helm.release.v1.web.v1", "Opaque"));
    assert!(!seen("a", "helm.sh/release.v1"));
    assert!(!seen("boathook.release.web", "boathook.dev/release"));
}

#[test]
fn a_hint_is_the_exact_yaml() {
    let hint = |rules: &str, text: &str| {
        let grant = grant(rules);
        let denial = authorize(&grant, &request(&grant, text).unwrap()).unwrap_err();
        format!("{}\n{}", denial.action, denial.hint)
    };
    assert_eq!(
        hint("", "create secrets my-app"),
        "create secrets/my-app in prod\npermissions:\n  kubernetes:\n  - {apiGroups: [\"\"], resources: [secrets], \
         verbs: [create], resourceNames: [my-app]}"
    );
    assert_eq!(
        hint("create deployments =no", "apply deployments other/no"),
        "apply deployments.apps/no in other\npermissions:\n  kubernetes:\n  - {apiGroups: [apps], resources: \
         [deployments], verbs: [create, patch], resourceNames: [\"no\"], namespaces: [other]}"
    );
    assert_eq!(
        hint("create configmaps", "apply configmaps a"),
        "apply configmaps/a in prod\npermissions:\n  kubernetes:\n  - {apiGroups: [\"\"], resources: [configmaps], \
         verbs: [patch], resourceNames: [a]}"
    );
    assert_eq!(
        hint("", "list nodes"),
        "list nodes\npermissions:\n  kubernetes:\n  - {apiGroups: [\"\"], resources: [nodes], verbs: [list], \
         namespaces: [\"*\"]}"
    );
    assert_eq!(
        hint("", "create clusterroles a"),
        "create clusterroles.rbac.authorization.k8s.io/a\nno permission allows this: RBAC objects would give rights to \
         others"
    );
    assert_eq!(
        hint("", "POST https://hooks.slack.com/services/T0/B0?secret=1"),
        "POST https://hooks.slack.com/services/T0/B0\npermissions:\n  http:\n  - {url: \
         \"https://hooks.slack.com/services/T0/B0\", methods: [POST]}"
    );
}

#[test]
fn a_hint_quotes_what_yaml_would_read_otherwise() {
    let odd = [
        "no", "y", "null", "1e3", "0x1f", "12", "1.0", "a:b", "system:x", "~", "a,b", "a]", "true", "&a",
        "{a",
    ];
    for name in odd.iter().chain(&["-", "2026-01-01", "a'b", "a\"b", "!!str", "<<", "=", "on"]) {
        let grant = grant("");
        let request = request(&grant, &format!("create configmaps {name}")).unwrap();
        let denial = authorize(&grant, &request).unwrap_err();
        assert_eq!(authorize(&with_hint(&grant, &denial.hint), &request), Ok(()), "{}", denial.hint);
    }
}
