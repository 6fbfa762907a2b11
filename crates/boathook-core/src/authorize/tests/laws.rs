//! Laws of every grant and every request: an empty grant allows nothing, a rule more denies nothing, and what a hint
//! says helps.

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

const REQUESTS: [&str; 5] = ["get", "create", "apply", "patch", "delete"];

fn list_of(items: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(items), 1..3).prop_map(|items| items.join(","))
}

fn any_policy_rule() -> impl Strategy<Value = String> {
    let names =
        prop_oneof![Just(String::new()), list_of(&["a", "b", "*"]).prop_map(|names| format!(" ={names}"))];
    let namespaces = prop_oneof![
        Just(String::new()),
        list_of(&["prod", "dev", "*"]).prop_map(|names| format!(" @{names}"))
    ];
    let verbs = list_of(&["get", "list", "watch", "create", "patch", "delete", "*"]);
    let resources = list_of(&["configmaps", "secrets", "planets", "pods/log", "roles"]);
    (verbs, resources, names, namespaces)
        .prop_map(|(verbs, resources, names, namespaces)| format!("{verbs} {resources}{names}{namespaces}"))
}

fn any_http_rule() -> impl Strategy<Value = String> {
    let origin = prop::sample::select(
        &["http://a.example", "https://*.a.example", "http://127.0.0.1", "http://10.1.1.1"][..],
    );
    let path = prop::sample::select(&["", "/", "/x", "/x/", "/x/y"][..]);
    let network = prop::sample::select(&["", " cluster", " loopback"][..]);
    (list_of(&["GET", "POST"]), origin, path, network)
        .prop_map(|(methods, origin, path, network)| format!("{methods} {origin}{path}{network}"))
}

fn any_rules() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(prop_oneof![any_policy_rule(), any_http_rule()], 0..4)
}

fn any_request() -> impl Strategy<Value = String> {
    let place = prop::sample::select(&["a", "b", "dev/a", "prod/b"][..]);
    let kubernetes = (
        prop::sample::select(&REQUESTS[..]),
        prop::sample::select(&["configmaps", "secrets", "roles", "pods:log", "pods:exec"][..]),
        place,
    )
        .prop_map(|(call, resource, place)| format!("{call} {resource} {place}"));
    let cluster_scoped = prop::sample::select(&REQUESTS[..]).prop_map(|call| format!("{call} planets a"));
    let others = prop::sample::select(
        &[
            "list configmaps",
            "list configmaps dev",
            "list planets",
            "wait configmaps a",
            "wait-value secrets a",
        ][..],
    )
    .prop_map(str::to_owned);
    let http = (
        prop::sample::select(&["GET", "POST", "PUT"][..]),
        prop::sample::select(
            &["http://a.example", "https://b.a.example", "http://127.0.0.1", "http://10.1.1.1"][..],
        ),
        prop::sample::select(&["", "/", "/x", "/x/y", "/xy", "/x?q"][..]),
    )
        .prop_map(|(method, origin, path)| format!("{method} {origin}{path}"));
    prop_oneof![kubernetes, cluster_scoped, others, http]
}

fn addresses() -> impl Strategy<Value = Vec<IpAddr>> {
    let address = prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(IpAddr::from),
        Just(IpAddr::from([127, 0, 0, 1])),
        Just(IpAddr::from([10, 1, 1, 1])),
        Just(IpAddr::from([1, 1, 1, 1])),
    ];
    prop::collection::vec(address, 1..3)
}

proptest! {
    #[test]
    fn an_empty_grant_allows_nothing(text in any_request(), addresses in addresses()) {
        let grant = grant("");
        let request = request(&grant, &text).unwrap();
        prop_assert!(authorize(&grant, &request).is_err());
        if let Request::Http(request) = &request {
            prop_assert!(authorize_addresses(&grant, request, &addresses).is_err());
        }
    }

    #[test]
    fn a_rule_more_denies_nothing(
        rules in any_rules(), more in prop_oneof![any_policy_rule(), any_http_rule()],
        text in any_request(), addresses in addresses(),
    ) {
        let fewer = grant(&rules.join(";"));
        let more = grant(&format!("{};{more}", rules.join(";")));
        let request = request(&fewer, &text).unwrap();
        prop_assert!(authorize(&fewer, &request).is_err() || authorize(&more, &request).is_ok());
        if let Request::Http(request) = &request {
            let few = authorize_addresses(&fewer, request, &addresses);
            prop_assert!(few.is_err() || authorize_addresses(&more, request, &addresses).is_ok());
        }
    }

    #[test]
    fn a_hint_allows_what_was_denied(rules in any_rules(), text in any_request(), addresses in addresses()) {
        let grant = grant(&rules.join(";"));
        let request = request(&grant, &text).unwrap();
        if let Err(denial) = authorize(&grant, &request) && let Hint::Grant(_) = denial.hint {
            prop_assert_eq!(authorize(&with_hint(&grant, &denial.hint), &request), Ok(()), "{}", denial.hint);
        }
        if let Request::Http(request) = &request
            && let Err(denial) = authorize_addresses(&grant, request, &addresses)
            && let Hint::Grant(_) = denial.hint
        {
            let grant = with_hint(&grant, &denial.hint);
            prop_assert_eq!(authorize_addresses(&grant, request, &addresses), Ok(addresses), "{}", denial.hint);
        }
    }

    #[test]
    fn a_name_never_leaves_its_path_segment(text in "\\PC{0,12}|[./%?#&=a-z\\\\]{0,8}") {
        if let Ok(name) = crate::names::Name::new(&text) {
            let mut url = url::Url::parse("https://api.example/api/v1/namespaces/prod/configmaps").unwrap();
            url.path_segments_mut().unwrap().push(name.as_str());
            let segments: Vec<_> = url.path_segments().unwrap().collect();
            prop_assert_eq!(segments.len(), 6);
            prop_assert_eq!(&segments[..5], ["api", "v1", "namespaces", "prod", "configmaps"]);
            prop_assert!(url.query().is_none() && url.fragment().is_none());
        }
    }

    #[test]
    fn a_url_reads_the_same_twice(text in "https?://[a-zA-Z0-9.:@%/?#\\\\_-]{0,20}|\\PC{0,20}") {
        if let Ok(url) = HttpUrl::parse(&text) {
            let again = HttpUrl::parse(url.url().as_str());
            prop_assert_eq!(again.as_ref(), Ok(&url));
            // What the parser wrote is what was given, but for case, a default port and an empty path.
            let written = text.split('?').next().unwrap().splitn(4, '/').nth(3);
            let written = written.map(|path| format!("/{path}")).unwrap_or_default();
            prop_assert_eq!(url.path().trim_end_matches('/'), written.trim_end_matches('/'));
        }
    }
}

#[test]
fn a_plan_says_what_may_be_touched() {
    let described = |rules: &str| describe(&grant(rules).permissions);
    assert_eq!(described("get,create configmaps =my-app-config"), ["get, create configmaps/my-app-config"]);
    assert_eq!(
        described(
            "POST https://hooks.slack.com/services/; GET http://web/ cluster; GET http://localhost/ loopback"
        ),
        [
            "POST https://hooks.slack.com/services/",
            "GET http://web/ (also private addresses)",
            "GET http://localhost/ (this machine)"
        ]
    );
    assert_eq!(described("list,delete jobs @dev,test"), ["list, delete jobs.batch in dev, test"]);
    assert_eq!(described("create jobs"), ["create jobs.batch (as any ServiceAccount there)"]);
    assert_eq!(described("get secrets"), ["get secrets"]);
    assert_eq!(described("get secrets =*"), ["get secrets/*"]);
    assert_eq!(described("get secrets =a,b @*"), ["get secrets/{a,b} in any namespace (reads its data)"]);
}

#[test]
fn rules_that_grant_nothing_are_named() {
    let named = |rules: &str| problems(&grant(rules).permissions);
    assert!(named("get,create configmaps =a @*; POST https://*.example.com/x/ cluster").is_empty());
    assert_eq!(
        named("get,* configmaps /*; use pods,pods/exec"),
        [
            "permissions.kubernetes[0].apiGroups: * is not allowed, name what is needed",
            "permissions.kubernetes[0].verbs: * is not allowed, name what is needed",
            "permissions.kubernetes[1].verbs: \"use\" is none of get, list, watch, create, patch, delete",
            "permissions.kubernetes[1].resources: pods/exec is never granted to plugins: it would run commands in \
             other pods",
        ]
    );
    assert_eq!(
        named("post https://u@example.com/; GET https://*.com/"),
        [
            "permissions.http[0].url: the URL holds a user name or password",
            "permissions.http[0].methods: \"post\" is no method in upper case",
            "permissions.http[1].url: '*.' stands only before a name of at least two labels",
        ]
    );
    let empty = Permissions { kubernetes: vec![PolicyRule::default()], http: Vec::new() };
    assert_eq!(problems(&empty).len(), 3);
}
