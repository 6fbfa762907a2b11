//! HTTP requests against rules: URLs, headers, credentials.

use std::net::IpAddr;

use test_case::test_case;

use super::*;

#[test]
fn rules_are_origin_method_and_path() {
    const SLACK: &str = "POST https://hooks.slack.com/services/";
    check(&[
        ("", "GET https://example.com/", Deny),
        ("", "POST https://hooks.slack.com/services/T0", Deny),
        (SLACK, "POST https://hooks.slack.com/services/T0/B0/x", Allow),
        (SLACK, "POST https://hooks.slack.com/services/", Allow),
        (SLACK, "POST https://hooks.slack.com/services", Deny),
        (SLACK, "POST https://hooks.slack.com/servicesx/T0", Deny),
        (SLACK, "POST https://hooks.slack.com/", Deny),
        (SLACK, "POST https://hooks.slack.com", Deny),
        (SLACK, "POST https://hooks.slack.com/Services/T0", Deny),
        (SLACK, "POST https://hooks.slack.com/%73ervices/T0", Deny),
        (SLACK, "POST https://hooks.slack.com//services/T0", Deny),
        (SLACK, "GET https://hooks.slack.com/services/T0", Deny),
        (SLACK, "PUT https://hooks.slack.com/services/T0", Deny),
        (SLACK, "POST http://hooks.slack.com/services/T0", Deny),
        (SLACK, "POST https://hooks.slack.com:8443/services/T0", Deny),
        (SLACK, "POST https://hooks.slack.com:443/services/T0", Allow),
        (SLACK, "POST HTTPS://HOOKS.Slack.COM/services/T0", Allow),
        (SLACK, "POST https://hooks.slack.com./services/T0", Allow),
        (SLACK, "POST https://hooks.slack.com../services/T0", Invalid),
        (SLACK, "POST https://hooks.slack.com.evil.example/services/T0", Deny),
        (SLACK, "POST https://evil-hooks.slack.com/services/T0", Deny),
        (SLACK, "POST https://slack.com/services/T0", Deny),
        (SLACK, "POST https://hooks.slack.com/services/T0?a=b&c=../..", Allow),
        (SLACK, "POST https://evil.example/?https://hooks.slack.com/services/", Deny),
        ("GET https://example.com/a", "GET https://example.com/a", Allow),
        ("GET https://example.com/a", "GET https://example.com/a/b", Allow),
        ("GET https://example.com/a", "GET https://example.com/a/", Allow),
        ("GET https://example.com/a", "GET https://example.com/ab", Deny),
        ("GET https://example.com/a", "GET https://example.com/a;x", Deny),
        ("GET https://example.com", "GET https://example.com/any/thing", Allow),
        ("GET https://example.com:443/", "GET https://example.com/", Allow),
        ("GET http://example.com:80/", "GET http://example.com/", Allow),
        ("GET http://example.com:8080/", "GET http://example.com/", Deny),
        ("GET,POST https://example.com/", "POST https://example.com/", Allow),
        ("GET https://example.com/", "HEAD https://example.com/", Deny),
        ("* https://example.com/", "GET https://example.com/", Deny),
        ("GET https://Example.COM./", "GET https://example.com/", Allow),
        // One leading wildcard is one label.
        ("GET https://*.example.com/", "GET https://a.example.com/", Allow),
        ("GET https://*.example.com/", "GET https://a.b.example.com/", Deny),
        ("GET https://*.example.com/", "GET https://example.com/", Deny),
        ("GET https://*.example.com/", "GET https://aexample.com/", Deny),
        ("GET https://*.example.com/", "GET https://a.example.com.evil.example/", Deny),
        ("GET https://*.example.com:8443/x/", "GET https://a.example.com:8443/x/y", Allow),
        ("GET https://*.com/", "GET https://example.com/", Deny),
        ("GET https://*/", "GET https://example.com/", Deny),
        ("GET https://a.*.example.com/", "GET https://a.b.example.com/", Deny),
        ("GET https://*.0.0.1/", "GET https://127.0.0.1/", Deny),
        // A rule that cannot be read allows nothing.
        ("GET https://user@example.com/", "GET https://example.com/", Deny),
        ("GET https://example.com/a/../", "GET https://example.com/", Deny),
        ("GET https://example.com/?a", "GET https://example.com/", Deny),
        ("GET ftp://example.com/", "GET https://example.com/", Deny),
    ]);
}

#[test]
fn urls_that_need_mending_are_no_urls() {
    const ALL: &str =
        "GET http://127.0.0.1/ loopback; GET http://example.com/; GET https://example.com/ cluster";
    check(&[
        (ALL, "GET http://example.com/", Allow),
        (ALL, "GET http://user@example.com/", Invalid),
        (ALL, "GET http://user:password@example.com/", Invalid),
        (ALL, "GET http://@example.com/", Invalid),
        (ALL, "GET http://example.com@evil.example/", Invalid),
        (ALL, "GET http://example.com:80@evil.example/", Invalid),
        (ALL, "GET http://example.com\\@evil.example/", Invalid),
        (ALL, "GET http:\\\\example.com/", Invalid),
        (ALL, "GET http:/example.com/", Invalid),
        (ALL, "GET http:example.com", Invalid),
        (ALL, "GET //example.com/", Invalid),
        (ALL, "GET /a", Invalid),
        (ALL, "GET ", Invalid),
        (ALL, "GET http://", Invalid),
        (ALL, "GET http:///a", Invalid),
        (ALL, "GET http://:80/", Invalid),
        (ALL, "GET http://example.com:0/", Invalid),
        (ALL, "GET http://example.com:/", Invalid),
        (ALL, "GET http://example.com:080/", Invalid),
        (ALL, "GET http://example.com:65536/", Invalid),
        (ALL, "GET http://example.com:80:80/", Invalid),
        (ALL, "GET ftp://example.com/", Invalid),
        (ALL, "GET file:///etc/passwd", Invalid),
        (ALL, "GET gopher://example.com/", Invalid),
        (ALL, "GET ws://example.com/", Invalid),
        (ALL, "GET unix:///var/run/docker.sock", Invalid),
        (ALL, "GET http://example.com/#fragment", Invalid),
        (ALL, "GET http://example.com#@evil.example/", Invalid),
        (ALL, "GET http://exa\tmple.com/", Invalid),
        (ALL, "GET http://example.com/a\nb", Invalid),
        (ALL, "GET http://example.com/a\r\nHost: evil", Invalid),
        (ALL, "GET http://example.com/a b", Invalid),
        (ALL, "GET  http://example.com/", Invalid),
        (ALL, "GET http://example.com/\u{0}", Invalid),
        (ALL, "GET http://example.com/\u{7f}", Invalid),
        (ALL, "GET http://exämple.com/", Invalid),
        (ALL, "GET http://ｅxample.com/", Invalid),
        (ALL, "GET http://example。com/", Invalid),
        (ALL, "GET http://xn--.com/", Invalid),
        (ALL, "GET http://example.com%2f@evil.example/", Invalid),
        (ALL, "GET http://%65xample.com/", Invalid),
        (ALL, "GET http://example..com/", Invalid),
        (ALL, "GET http://*.com/", Invalid),
        (ALL, "GET http://ex$ample.com/", Invalid),
        // Odd spellings of 127.0.0.1.
        (ALL, "GET http://127.0.0.1/", Allow),
        (ALL, "GET http://2130706433/", Invalid),
        (ALL, "GET http://0x7f000001/", Invalid),
        (ALL, "GET http://0x7f.0.0.1/", Invalid),
        (ALL, "GET http://0177.0.0.1/", Invalid),
        (ALL, "GET http://017700000001/", Invalid),
        (ALL, "GET http://127.1/", Invalid),
        (ALL, "GET http://127.0.1/", Invalid),
        (ALL, "GET http://127.0.0.1./", Invalid),
        (ALL, "GET http://127.000.000.001/", Invalid),
        (ALL, "GET http://127.0.0.256/", Invalid),
        (ALL, "GET http://127.0.0.1.1/", Invalid),
        (ALL, "GET http://0/", Invalid),
        (ALL, "GET http://[::1/", Invalid),
        (ALL, "GET http://[::1]x/", Invalid),
        (ALL, "GET http://[fe80::1%25eth0]/", Invalid),
        (ALL, "GET http://[v1.a]/", Invalid),
        // Paths that servers read in different ways.
        (ALL, "GET http://example.com/..", Invalid),
        (ALL, "GET http://example.com/a/../b", Invalid),
        (ALL, "GET http://example.com/a/./b", Invalid),
        (ALL, "GET http://example.com/a/%2e%2e/b", Invalid),
        (ALL, "GET http://example.com/a/%2E./b", Invalid),
        (ALL, "GET http://example.com/a/..;x/b", Invalid),
        (ALL, "GET http://example.com/a/..%3bx/b", Invalid),
        (ALL, "GET http://example.com/a%2fb", Invalid),
        (ALL, "GET http://example.com/a%2F..%2fb", Invalid),
        (ALL, "GET http://example.com/a%5c..%5cb", Invalid),
        (ALL, "GET http://example.com/a%252e%252e/b", Invalid),
        (ALL, "GET http://example.com/a%00", Invalid),
        (ALL, "GET http://example.com/a%0d%0aX:y", Invalid),
        (ALL, "GET http://example.com/a%", Invalid),
        (ALL, "GET http://example.com/a%zz", Invalid),
        (ALL, "GET http://example.com/a%+1", Invalid),
        (ALL, "GET http://example.com/a...b/.hidden/a%20b", Allow),
        (ALL, "GET http://example.com?x=/../y", Allow),
        // Methods.
        (ALL, "CONNECT http://example.com/", Invalid),
        (ALL, "TRACE http://example.com/", Invalid),
        (ALL, "PROPFIND http://example.com/", Deny),
    ]);
    for method in ["get", "", "GET\r\n", "G T", "GÉT"] {
        let raw = RawHttpRequest {
            method,
            url: "http://example.com/",
            headers: &[],
            body_bytes: 0,
            credentials: &[],
        };
        assert!(matches!(HttpRequest::parse(&raw, |_| None), Err(RequestError::Invalid(_))), "{method:?}");
    }
    let long = format!("GET http://example.com/{}", "a".repeat(8200));
    check(&[(ALL, &long, Invalid)]);
}

#[test]
fn literals_are_judged_where_they_stand() {
    check(&[
        ("", "GET http://127.0.0.1:8080/", Deny),
        ("GET http://127.0.0.1:8080/", "GET http://127.0.0.1:8080/", Deny),
        ("GET http://127.0.0.1:8080/ cluster", "GET http://127.0.0.1:8080/", Deny),
        ("GET http://127.0.0.1:8080/ loopback", "GET http://127.0.0.1:8080/", Allow),
        ("GET http://127.0.0.1:8080/ loopback", "GET http://127.0.0.2:8080/", Deny),
        ("GET http://[::1]:8080/ loopback", "GET http://[::1]:8080/", Allow),
        ("GET http://[::1]:8080/ loopback", "GET http://[0:0:0:0:0:0:0:1]:8080/", Allow),
        ("GET http://[::1]:8080/", "GET http://[::1]:8080/", Deny),
        ("GET http://[::ffff:127.0.0.1]/", "GET http://[::ffff:127.0.0.1]/", Deny),
        ("GET http://[::ffff:7f00:1]/", "GET http://[::ffff:127.0.0.1]/", Deny),
        ("GET http://10.0.0.1/", "GET http://10.0.0.1/", Deny),
        ("GET http://10.0.0.1/ cluster", "GET http://10.0.0.1/", Allow),
        ("GET http://10.0.0.1/ loopback", "GET http://10.0.0.1/", Deny),
        ("GET http://1.1.1.1/", "GET http://1.1.1.1/", Allow),
        ("GET http://1.1.1.1/ cluster", "GET http://1.1.1.1/", Allow),
        ("GET http://1.1.1.1/ loopback", "GET http://1.1.1.1/", Deny),
        ("GET http://169.254.169.254/ cluster", "GET http://169.254.169.254/latest/meta-data/", Never),
        ("GET http://[::ffff:169.254.169.254]/ cluster", "GET http://[::ffff:169.254.169.254]/", Never),
        ("GET http://[fd00:ec2::254]/ cluster", "GET http://[fd00:ec2::254]/", Never),
        ("GET http://[64:ff9b::a9fe:a9fe]/ cluster", "GET http://[64:ff9b::a9fe:a9fe]/", Never),
        ("GET http://169.254.1.1/ cluster", "GET http://169.254.1.1/", Never),
        ("GET http://0.0.0.0/ loopback", "GET http://0.0.0.0/", Never),
        ("GET http://[::]/ loopback", "GET http://[::]/", Never),
        ("GET http://255.255.255.255/ cluster", "GET http://255.255.255.255/", Never),
        ("GET http://metadata.google.internal/ cluster", "GET http://metadata.google.internal/", Never),
        ("GET http://metadata.google.internal/ cluster", "GET http://METADATA.google.internal./", Never),
        ("GET http://metadata/ cluster", "GET http://metadata/", Never),
        ("GET https://kubernetes.default.svc/ cluster", "GET https://kubernetes.default.svc/api", Never),
        ("GET https://kubernetes/ cluster", "GET https://kubernetes/", Never),
        ("", "GET https://kubernetes.default.svc.cluster.local/", Never),
        ("GET http://web.prod.svc/ cluster", "GET http://web.prod.svc/", Allow),
        ("", "GET http://web/", Deny),
    ]);
}

fn parse(headers: &[(&str, &str)], credentials: &[(&str, &str)]) -> Result<HttpRequest, RequestError> {
    let url = if credentials.iter().any(|(_, placement)| *placement == "url") {
        ""
    } else {
        "https://example.com/"
    };
    let raw = RawHttpRequest { method: "POST", url, headers, body_bytes: 0, credentials };
    HttpRequest::parse(&raw, |name| match name {
        "webhook" => Some("https://hooks.example.com/services/T0/SECRET?token=SECRET\n"),
        "broken" => Some("https://user:SECRET@example.com/"),
        _ => None,
    })
}

#[test_case("content-type", true)]
#[test_case("X-Request-Id", true)]
#[test_case("Accept", true)]
#[test_case("te-st", true; "not te")]
#[test_case("Host", false)]
#[test_case("hOsT", false; "any case")]
#[test_case("Authorization", false)]
#[test_case("Proxy-Authorization", false)]
#[test_case("Proxy-Connection", false)]
#[test_case("Connection", false)]
#[test_case("Keep-Alive", false)]
#[test_case("Transfer-Encoding", false)]
#[test_case("Transfer_Encoding", false; "underscore")]
#[test_case("Content-Length", false)]
#[test_case("Upgrade", false)]
#[test_case("TE", false)]
#[test_case("Trailer", false)]
#[test_case("Expect", false)]
#[test_case("Forwarded", false)]
#[test_case("X-Forwarded-For", false)]
#[test_case("X_Forwarded_Host", false; "forwarded host with underscores")]
#[test_case("Impersonate-User", false)]
#[test_case("Impersonate-Group", false)]
#[test_case("X-Remote-User", false)]
#[test_case("X-HTTP-Method-Override", false)]
#[test_case("X-Original-URL", false)]
#[test_case("Cookie", false)]
#[test_case("", false; "empty")]
#[test_case("a b", false; "space")]
#[test_case("a:", false; "colon")]
#[test_case("a\r\nHost", false; "line break")]
#[test_case("é", false; "not ascii")]
fn header_names(name: &str, fine: bool) {
    assert_eq!(parse(&[(name, "x")], &[]).is_ok(), fine);
}

#[test_case("plain text\twith tab", true)]
#[test_case("", true; "empty")]
#[test_case("a\r\nHost: evil", false; "crlf")]
#[test_case("a\nb", false; "lf")]
#[test_case("a\0", false; "nul")]
#[test_case("ü", false; "not ascii")]
#[test_case("a\u{7f}", false; "del")]
fn header_values(value: &str, fine: bool) {
    assert_eq!(parse(&[("x-a", value)], &[]).is_ok(), fine);
}

#[test]
fn headers_and_bodies_have_limits() {
    let many = vec![("x-a", "b"); 65];
    assert!(matches!(parse(&many, &[]), Err(RequestError::Invalid(_))));
    assert!(parse(&many[..64], &[]).is_ok());
    let long = "a".repeat(16 << 10);
    assert_eq!(parse(&[("x-a", &long)], &[]), Err(RequestError::TooLarge { limit: 16 << 10 }));
    let raw = |body_bytes| RawHttpRequest {
        method: "PUT",
        url: "https://example.com/",
        headers: &[],
        body_bytes,
        credentials: &[],
    };
    assert!(HttpRequest::parse(&raw(MAX_HTTP_BODY_BYTES), |_| None).is_ok());
    assert!(matches!(
        HttpRequest::parse(&raw(MAX_HTTP_BODY_BYTES + 1), |_| None),
        Err(RequestError::TooLarge { limit: 4_194_304 })
    ));
}

#[test_case(&[("a", "bearer")], true; "bearer")]
#[test_case(&[("a", "basic")], true; "basic")]
#[test_case(&[("a", "header:X-Api-Key")], true; "header")]
#[test_case(&[("a", "header:Authorization")], true; "authorization")]
#[test_case(&[("webhook", "url"), ("a", "bearer")], true; "url and bearer")]
#[test_case(&[("a", "bearer"), ("b", "basic")], false; "two authorizations")]
#[test_case(&[("a", "bearer"), ("b", "header:authorization")], false; "two authorizations, one by header")]
#[test_case(&[("webhook", "url"), ("webhook", "url")], false; "two urls")]
#[test_case(&[("a", "header:Host")], false; "host")]
#[test_case(&[("a", "header:Cookie")], false; "cookie")]
#[test_case(&[("a", "header:x y")], false; "bad header")]
#[test_case(&[("a", "header")], false; "no header name")]
#[test_case(&[("a", "query:token")], false; "query")]
#[test_case(&[("a", "")], false; "nothing")]
#[test_case(&[("broken", "url")], false; "a bad url")]
fn placements(credentials: &[(&str, &str)], fine: bool) {
    assert_eq!(parse(&[], credentials).is_ok(), fine);
}

#[test]
fn a_credentials_header_is_not_the_guests_too() {
    assert!(parse(&[("x-api-key", "mine")], &[("a", "header:X-Api-Key")]).is_err());
    let raw = RawHttpRequest {
        method: "POST",
        url: "https://example.com/",
        headers: &[],
        body_bytes: 0,
        credentials: &[("webhook", "url")],
    };
    assert!(matches!(
        HttpRequest::parse(&raw, |_| Some("https://a.example/")),
        Err(RequestError::Invalid(_))
    ));
}

#[test]
fn a_credential_must_be_the_hooks() {
    let granted = grant("POST https://example.com/; POST https://hooks.example.com/services/");
    let request = |credentials: &[(&str, &str)]| parse(&[], credentials).map(Request::Http);
    let denied = authorize(&granted, &request(&[("token", "bearer")]).unwrap()).unwrap_err();
    assert_eq!(denied.reason, "the hook has no credential token");
    assert_eq!(
        denied.hint.to_string(),
        "credentials:\n- {name: token, secretKeyRef: {name: SECRET, key: KEY}}"
    );
    let granted = granted.with_credentials(["token".to_owned(), "webhook".to_owned()]);
    assert_eq!(authorize(&granted, &request(&[("token", "bearer")]).unwrap()), Ok(()));
    assert_eq!(authorize(&granted, &request(&[("webhook", "url")]).unwrap()), Ok(()));
    // One that the host has no value of cannot be parsed at all.
    assert_eq!(outcome(&granted, &request(&[("nowhere", "url")])), Deny);
}

#[test]
fn a_denial_does_not_tell_a_credentials_value() {
    let grant = grant("GET https://hooks.example.com/").with_credentials(["webhook".to_owned()]);
    let Ok(request) = parse(&[], &[("webhook", "url")]) else { panic!("the URL in the credential is fine") };
    let denials = [
        authorize(&grant, &Request::Http(request.clone())).unwrap_err(),
        authorize_addresses(&grant, &request, &[IpAddr::from([10, 0, 0, 1])]).unwrap_err(),
        authorize_addresses(&grant, &request, &[IpAddr::from([169, 254, 169, 254])]).unwrap_err(),
    ];
    for denial in &denials {
        for text in
            [denial.to_string(), denial.hint.to_string(), format!("{denial:?}"), format!("{request:?}")]
        {
            assert!(
                !text.contains("SECRET?") && !text.contains("hooks.example") && !text.contains("T0"),
                "{text}"
            );
        }
        assert_eq!(denial.action, "POST the URL in credential webhook");
    }
    assert_eq!(
        denials[1].hint.to_string(),
        "permissions:\n  http:  # the origin, and as much of the path as you like, of the URL in credential webhook\n  \
         - {url: \"https://HOST/PATH\", methods: [POST], network: cluster}"
    );
    let Err(RequestError::Invalid(message)) = parse(&[], &[("broken", "url")]) else {
        panic!("it has a password")
    };
    assert_eq!(message, "credential broken: the URL holds a user name or password");
}

#[test]
fn what_is_sent_is_what_was_parsed() {
    let request = parse(&[("X-A", "b")], &[("webhook", "url"), ("a", "header:X-Key")]).unwrap();
    assert_eq!(request.method(), "POST");
    assert_eq!(request.url().url().as_str(), "https://hooks.example.com/services/T0/SECRET?token=SECRET");
    assert_eq!(request.headers(), [("x-a".to_owned(), "b".to_owned())]);
    let used: Vec<_> = request.credentials().collect();
    assert_eq!(
        used,
        [&CredentialUse { name: "a".to_owned(), placement: Placement::Header("x-key".to_owned()) }]
    );
}
