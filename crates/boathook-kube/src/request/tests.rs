//! Paths and queries of typed requests, and that what is sent is what was decided on.

use boathook_core::names::{Name, Namespace, Plural};
use proptest::prelude::*;
use test_case::test_case;

use super::*;

fn resource(api_version: &str, kind: &str, plural: &str, namespaced: bool) -> Resource {
    Resource { gvk: Gvk::new(api_version, kind), plural: Plural::new(plural).unwrap(), namespaced }
}

fn target(resource: Resource, namespace: Option<&str>, name: &str) -> Target {
    Target {
        resource,
        namespace: namespace.map(|namespace| Namespace::new(namespace).unwrap()),
        name: Name::new(name).unwrap(),
    }
}

fn config_maps() -> Resource {
    resource("v1", "ConfigMap", "configmaps", true)
}

fn object_line(target: &Target) -> Result<String, RequestError> {
    Request::new(Method::GET, Place::Object(target), &vec![]).map(|request| request.line)
}

#[test_case(config_maps(), Some("prod"), "a" => "/api/v1/namespaces/prod/configmaps/a"; "core")]
#[test_case(resource("apps/v1", "Deployment", "deployments", true), Some("prod"), "web" => "/apis/apps/v1/namespaces/prod/deployments/web"; "group")]
#[test_case(resource("v1", "Namespace", "namespaces", false), None, "prod" => "/api/v1/namespaces/prod"; "cluster scope")]
#[test_case(resource("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", false), None, "system:x" => "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:x"; "colon")]
#[test_case(config_maps(), Some("prod"), "a&b=c;d+e@f" => "/api/v1/namespaces/prod/configmaps/a%26b%3Dc%3Bd%2Be%40f"; "signs that mean something elsewhere")]
#[test_case(config_maps(), Some("prod"), "..." => "/api/v1/namespaces/prod/configmaps/..."; "three dots are a name")]
fn objects(resource: Resource, namespace: Option<&str>, name: &str) -> String {
    object_line(&target(resource, namespace, name)).unwrap()
}

#[test]
fn collections_logs_and_discovery() {
    let line = |place: Place<'_>| Request::new(Method::GET, place, &vec![]).unwrap().line;
    let everywhere = Collection { resource: config_maps(), namespace: None };
    let here = Collection { resource: config_maps(), namespace: Some(Namespace::new("prod").unwrap()) };
    let pod = target(resource("v1", "Pod", "pods", true), Some("prod"), "p");
    let (core, group) = (Gvk::new("v1", ""), Gvk::new("a.b/v1", ""));
    assert_eq!(line(Place::Collection(&everywhere)), "/api/v1/configmaps");
    assert_eq!(line(Place::Collection(&here)), "/api/v1/namespaces/prod/configmaps");
    assert_eq!(line(Place::Log(&pod)), "/api/v1/namespaces/prod/pods/p/log");
    assert_eq!(line(Place::Discovery(&core)), "/api/v1");
    assert_eq!(line(Place::Discovery(&group)), "/apis/a.b/v1");
}

#[test]
fn values_of_a_query_stay_values() {
    let collection = Collection { resource: config_maps(), namespace: None };
    let query =
        vec![("labelSelector", Cow::Borrowed("a in (b, c)&dryRun=All#x?")), ("limit", Cow::Borrowed("5"))];
    let line = Request::new(Method::GET, Place::Collection(&collection), &query).unwrap().line;
    assert_eq!(
        line,
        "/api/v1/configmaps?labelSelector=a%20in%20%28b%2C%20c%29%26dryRun%3DAll%23x%3F&limit=5"
    );
}

#[test]
fn scope_and_namespace_must_agree() {
    let without = target(config_maps(), None, "a");
    assert_eq!(object_line(&without), Err(RequestError::NoNamespace("v1 ConfigMap".into())));
    let with = target(resource("v1", "Node", "nodes", false), Some("prod"), "a");
    assert_eq!(object_line(&with), Err(RequestError::Namespace("v1 Node".into())));
}

// Group and version are text of a manifest: the only parts without a type of their own.
#[test_case("" , "v1" => matches Ok(_); "core group")]
#[test_case("a", "" => Err(RequestError::EmptySegment); "no version")]
#[test_case("a", ".." => matches Err(RequestError::Mismatch(_)); "up")]
#[test_case("..", "v1" => matches Err(RequestError::Mismatch(_)); "group that is up")]
#[test_case("a", "." => matches Err(RequestError::Mismatch(_)); "here")]
#[test_case("a", "v1/namespaces/kube-system" => matches Ok(_); "slash is escaped")]
#[test_case("a", "%2e%2e" => matches Ok(_); "escaped dots are escaped again")]
#[test_case("a", "v1?x=y" => matches Ok(_); "question mark is escaped")]
fn groups_and_versions(group: &str, version: &str) -> Result<String, RequestError> {
    let gvk = Gvk { group: group.to_owned(), version: version.to_owned(), kind: "K".to_owned() };
    let target = target(Resource { gvk, ..config_maps() }, Some("prod"), "a");
    object_line(&target).inspect(|line| {
        let depth = if group.is_empty() { 6 } else { 7 };
        assert_eq!(line.matches('/').count(), depth, "{line}");
        assert!(!line.contains('?'), "{line}");
    })
}

proptest! {
    /// Whatever a name or a group holds: either nothing is sent, or exactly one path of the expected depth is.
    #[test]
    fn no_text_changes_the_place(group in "\\PC{1,12}", version in "\\PC{1,8}", name in "[!-~]{1,20}") {
        let Ok(name) = Name::new(&name) else { return Ok(()) };
        let gvk = Gvk { group: group.clone(), version: version.clone(), kind: "K".to_owned() };
        let place = Target {
            resource: Resource { gvk, ..config_maps() },
            namespace: Some(Namespace::new("prod").unwrap()),
            name: name.clone(),
        };
        match object_line(&place) {
            Ok(line) => {
                let parts: Vec<_> = line[1..].split('/').map(|part| unescape(part).unwrap()).collect();
                let meant = ["apis", &group, &version, "namespaces", "prod", "configmaps", name.as_str()];
                prop_assert_eq!(parts, meant.map(|part| part.as_bytes().to_vec()).to_vec());
                prop_assert!(line.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'\\')));
            }
            Err(RequestError::Mismatch(_)) => {
                prop_assert!([".", ".."].contains(&group.as_str()) || [".", ".."].contains(&version.as_str()));
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    /// A selector is one value, whatever it holds.
    #[test]
    fn no_value_adds_a_parameter(selector in any::<String>()) {
        let collection = Collection { resource: config_maps(), namespace: None };
        let query = vec![("labelSelector", Cow::Owned(selector.clone()))];
        let line = Request::new(Method::GET, Place::Collection(&collection), &query).unwrap().line;
        prop_assert_eq!(line.matches(['?', '&', '=']).count(), 2);
    }
}
