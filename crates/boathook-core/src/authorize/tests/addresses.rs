//! What addresses reach, and which may be dialled.

use std::net::IpAddr;

use test_case::test_case;

use super::*;

#[test_case("1.1.1.1", Reach::Public)]
#[test_case("172.15.0.1", Reach::Public)]
#[test_case("172.32.0.1", Reach::Public)]
#[test_case("100.128.0.1", Reach::Public)]
#[test_case("198.20.0.1", Reach::Public)]
#[test_case("223.255.255.255", Reach::Public)]
#[test_case("2606:4700::1111", Reach::Public)]
#[test_case("10.0.0.1", Reach::Private)]
#[test_case("172.16.0.1", Reach::Private)]
#[test_case("172.31.255.255", Reach::Private)]
#[test_case("192.168.1.1", Reach::Private)]
#[test_case("100.64.0.1", Reach::Private; "carrier nat")]
#[test_case("100.127.255.255", Reach::Private; "carrier nat end")]
#[test_case("fd12:3456::1", Reach::Private)]
#[test_case("fc00::1", Reach::Private)]
#[test_case("127.0.0.1", Reach::Loopback)]
#[test_case("127.255.255.254", Reach::Loopback)]
#[test_case("::1", Reach::Loopback)]
#[test_case("::ffff:127.0.0.1", Reach::Loopback; "mapped loopback")]
#[test_case("169.254.169.254", Reach::Metadata)]
#[test_case("169.254.170.2", Reach::Metadata)]
#[test_case("169.254.170.23", Reach::Metadata)]
#[test_case("100.100.100.200", Reach::Metadata)]
#[test_case("168.63.129.16", Reach::Metadata)]
#[test_case("192.0.0.192", Reach::Metadata)]
#[test_case("fd00:ec2::254", Reach::Metadata)]
#[test_case("::ffff:169.254.169.254", Reach::Metadata; "mapped metadata")]
#[test_case("::a9fe:a9fe", Reach::Metadata; "compatible metadata")]
#[test_case("64:ff9b::a9fe:a9fe", Reach::Metadata; "nat64 metadata")]
#[test_case("2002:a9fe:a9fe::1", Reach::Metadata; "6to4 metadata")]
#[test_case("2001:0:a9fe:a9fe::1", Reach::Metadata; "teredo server metadata")]
#[test_case("2001:0:101:101:0:0:5601:5601", Reach::Metadata; "teredo client metadata")]
#[test_case("0.0.0.0", Reach::Special)]
#[test_case("0.1.2.3", Reach::Special)]
#[test_case("169.254.0.1", Reach::Special)]
#[test_case("192.0.0.1", Reach::Special)]
#[test_case("192.0.2.1", Reach::Special)]
#[test_case("192.88.99.1", Reach::Special)]
#[test_case("198.18.0.1", Reach::Special)]
#[test_case("198.19.255.255", Reach::Special)]
#[test_case("198.51.100.1", Reach::Special)]
#[test_case("203.0.113.1", Reach::Special)]
#[test_case("224.0.0.1", Reach::Special)]
#[test_case("239.255.255.255", Reach::Special)]
#[test_case("240.0.0.1", Reach::Special)]
#[test_case("255.255.255.255", Reach::Special)]
#[test_case("::", Reach::Special; "unspecified")]
#[test_case("::ffff:0.0.0.0", Reach::Special; "mapped unspecified")]
#[test_case("fe80::1", Reach::Special)]
#[test_case("fec0::1", Reach::Special)]
#[test_case("ff02::1", Reach::Special)]
#[test_case("100::1", Reach::Special; "discard")]
#[test_case("2001:db8::1", Reach::Special)]
#[test_case("2001:20::1", Reach::Special; "orchid")]
#[test_case("3fff::1", Reach::Special)]
#[test_case("5f00::1", Reach::Special)]
#[test_case("4000::1", Reach::Special; "not allocated")]
#[test_case("64:ff9b:1::1.1.1.1", Reach::Special; "local nat64")]
#[test_case("::ffff:10.0.0.1", Reach::Private; "mapped private")]
#[test_case("::10.0.0.1", Reach::Private; "compatible private")]
#[test_case("64:ff9b::10.0.0.1", Reach::Private; "nat64 private")]
#[test_case("2002:a00:1::1", Reach::Private; "6to4 private")]
#[test_case("2001:0:101:101:0:0:f5ff:fffe", Reach::Private; "teredo client private")]
#[test_case("::7f00:1", Reach::Special; "compatible loopback")]
#[test_case("64:ff9b::127.0.0.1", Reach::Special; "nat64 loopback")]
#[test_case("2002:7f00:1::1", Reach::Special; "6to4 loopback")]
#[test_case("64:ff9b::1.1.1.1", Reach::Public; "nat64 public")]
#[test_case("2002:101:101::1", Reach::Public; "6to4 public")]
#[test_case("2001:0:101:101:0:0:fefe:fefe", Reach::Public; "teredo public")]
fn addresses_reach(address: &str, expected: Reach) {
    assert_eq!(reach(address.parse().unwrap()), expected);
}

fn dial(rules: &str, url: &str, addresses: &str) -> Result<Vec<IpAddr>, Denial> {
    let grant = grant(rules);
    let Ok(Request::Http(request)) = http_request(&format!("GET {url}")) else { panic!("{url}") };
    let addresses: Vec<IpAddr> =
        addresses.split_whitespace().map(|address| address.parse().unwrap()).collect();
    let decision = authorize_addresses(&grant, &request, &addresses);
    if let Err(denial) = &decision
        && let Hint::Grant(_) = denial.hint
    {
        let grant = with_hint(&grant, &denial.hint);
        assert_eq!(
            authorize_addresses(&grant, &request, &addresses),
            Ok(addresses.clone()),
            "the hint helps"
        );
        assert_eq!(authorize(&grant, &Request::Http(request)), Ok(()), "the hint helps");
    }
    decision
}

const PUBLIC: &str = "GET http://a.example/";
const CLUSTER: &str = "GET http://a.example/ cluster";
const LOOPBACK: &str = "GET http://a.example/ loopback";

#[test_case(PUBLIC, "1.1.1.1", Allow)]
#[test_case(PUBLIC, "1.1.1.1 2606:4700::1111", Allow; "all public")]
#[test_case(PUBLIC, "10.0.0.1", Deny; "private under public")]
#[test_case(PUBLIC, "127.0.0.1", Deny; "loopback under public")]
#[test_case(PUBLIC, "1.1.1.1 10.0.0.1", Deny; "one of two is private")]
#[test_case(PUBLIC, "1.1.1.1 127.0.0.1", Never; "rebinding to this machine")]
#[test_case(PUBLIC, "169.254.169.254", Never; "metadata under public")]
#[test_case(PUBLIC, "1.1.1.1 169.254.169.254", Never; "one of two is metadata")]
#[test_case(PUBLIC, "::ffff:10.0.0.1", Deny; "mapped private under public")]
#[test_case(CLUSTER, "10.0.0.1", Allow)]
#[test_case(CLUSTER, "10.0.0.1 1.1.1.1", Allow; "private and public")]
#[test_case(CLUSTER, "fd12::1", Allow)]
#[test_case(CLUSTER, "127.0.0.1", Deny; "loopback under cluster")]
#[test_case(CLUSTER, "169.254.1.1", Never; "link local under cluster")]
#[test_case(CLUSTER, "169.254.169.254", Never; "metadata under cluster")]
#[test_case(CLUSTER, "fd00:ec2::254", Never; "metadata over ipv6 under cluster")]
#[test_case(LOOPBACK, "127.0.0.1", Allow)]
#[test_case(LOOPBACK, "127.0.0.1 ::1", Allow; "both loopbacks")]
#[test_case(LOOPBACK, "10.0.0.1", Deny; "private under loopback")]
#[test_case(LOOPBACK, "1.1.1.1", Deny; "public under loopback")]
#[test_case(LOOPBACK, "169.254.169.254", Never; "metadata under loopback")]
#[test_case("", "1.1.1.1", Deny; "no rule")]
#[test_case(PUBLIC, "", Never; "no address")]
#[test_case("GET http://a.example/; GET http://a.example/ loopback", "127.0.0.1", Allow; "two rules, one fits")]
#[test_case("GET http://a.example/; GET http://a.example/ loopback", "127.0.0.1 1.1.1.1", Never; "two rules, none fits all")]
fn all_addresses_must_pass(rules: &str, addresses: &str, expected: Expect) {
    let got = match dial(rules, "http://a.example/x", addresses) {
        Ok(dialled) => {
            assert_eq!(dialled.len(), addresses.split_whitespace().count());
            Allow
        }
        Err(denial) => of_hint(&denial),
    };
    assert_eq!(got, expected);
}

#[test]
fn the_clusters_own_ports_are_closed() {
    let rules = "GET https://a.example:10250/ cluster";
    let reason = |url, addresses| dial(rules, url, addresses).map_err(|denial| denial.reason);
    assert_eq!(
        reason("https://a.example:10250/", "10.0.0.1"),
        Err("it is a port of the cluster's own components".to_owned())
    );
    assert!(reason("https://a.example:10250/", "1.1.1.1").is_ok());
}

#[test]
fn the_kubernetes_api_is_not_dialled() {
    let mut grant = grant("GET https://a.example/ loopback; GET https://a.example:6443/ loopback");
    grant.api_servers = vec!["127.0.0.1:443".parse().unwrap()];
    let Ok(Request::Http(request)) = http_request("GET https://a.example/api") else { unreachable!() };
    for address in ["127.0.0.1", "::ffff:127.0.0.1"] {
        let denial = authorize_addresses(&grant, &request, &[address.parse().unwrap()]).unwrap_err();
        assert_eq!(denial.reason, "it is the Kubernetes API: use the kubernetes interface");
    }
    assert!(authorize_addresses(&grant, &request, &["127.0.0.2".parse().unwrap()]).is_ok());
}

#[test]
fn names_of_metadata_are_refused_whatever_they_resolve_to() {
    let grant = grant("GET http://metadata.google.internal/ cluster");
    let Ok(Request::Http(request)) = http_request("GET http://metadata.google.internal/") else {
        unreachable!()
    };
    let denial = authorize_addresses(&grant, &request, &["10.0.0.1".parse().unwrap()]).unwrap_err();
    assert_eq!(of_hint(&denial), Never);
}
