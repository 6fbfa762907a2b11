//! Which HTTP proxy leads to a server, by Go's rules, which are kubectl's: the kubeconfig's own, else the one of the
//! environment for the server's scheme, unless `NO_PROXY` names the server. kube 5.0 compares `NO_PROXY` with the proxy
//! instead of the server, takes `HTTPS_PROXY` for plain HTTP too, and sends even loopback through a proxy.

use std::net::IpAddr;

use http::Uri;

/// The proxy's URL as text; `None` to connect directly. `named` is the kubeconfig's `proxy-url`, `variable` reads the
/// environment.
pub(super) fn choose(
    server: &Uri,
    named: Option<&str>,
    variable: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    let variable = |upper: &str| {
        [upper.to_owned(), upper.to_ascii_lowercase()]
            .iter()
            .filter_map(|name| variable(name))
            .find(|value| !value.is_empty())
    };
    if let Some(named) = named.filter(|url| !url.is_empty()) {
        return Some(with_scheme(named));
    }
    let https = server.scheme_str() != Some("http");
    let proxy = variable(if https { "HTTPS_PROXY" } else { "HTTP_PROXY" })?;
    let host = host(server);
    let port = server.port_u16().unwrap_or(if https { 443 } else { 80 });
    let exceptions = variable("NO_PROXY").unwrap_or_default();
    let direct = loopback(&host) || exceptions.split(',').any(|rule| excepts(rule.trim(), &host, port));
    (!direct).then(|| with_scheme(&proxy))
}

fn with_scheme(proxy: &str) -> String {
    if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") }
}

fn host(server: &Uri) -> String {
    server.host().unwrap_or_default().trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase()
}

fn loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether one entry of `NO_PROXY` names the server: `*`, an address, a range, or a name, which stands for all names
/// below it too (`.name`: for those only); addresses and names may carry a port.
fn excepts(rule: &str, host: &str, port: u16) -> bool {
    let rule = rule.to_ascii_lowercase();
    if rule == "*" {
        return true;
    }
    let address = host.parse::<IpAddr>().ok();
    if let Some((network, bits)) = rule.split_once('/') {
        return address.is_some_and(|address| in_range(address, network, bits));
    }
    let (name, rule_port) = if rule.parse::<IpAddr>().is_ok() {
        (rule.as_str(), None)
    } else {
        match rule.rsplit_once(':') {
            Some((name, port)) => (name.trim_matches(['[', ']']), Some(port)),
            None => (rule.as_str(), None),
        }
    };
    if rule_port.is_some_and(|wanted| wanted != port.to_string()) {
        return false;
    }
    if let Ok(wanted) = name.parse::<IpAddr>() {
        return address == Some(wanted);
    }
    let name = name.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(name);
    if name.is_empty() || name == "." {
        return false;
    }
    match name.strip_prefix('.') {
        Some(_) => host.ends_with(name),
        None => host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')),
    }
}

fn in_range(address: IpAddr, network: &str, bits: &str) -> bool {
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
    let (address, network, width) = match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => (u128::from(a.to_bits()), u128::from(n.to_bits()), 32),
        (IpAddr::V6(a), IpAddr::V6(n)) => (a.to_bits(), n.to_bits(), 128),
        _ => return false,
    };
    // A shift by the whole width leaves nothing to compare: the range is everything.
    bits <= width
        && address.checked_shr(width - bits).unwrap_or(0) == network.checked_shr(width - bits).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    const PROXIES: [(&str, &str); 2] = [("HTTPS_PROXY", "http://secure:1"), ("HTTP_PROXY", "plain:2")];

    fn proxy(server: &str, named: Option<&str>, environment: &[(&str, &str)]) -> Option<String> {
        let variable = |name: &str| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        choose(&server.parse().unwrap(), named, variable)
    }

    #[test_case("https://api:6443", None => Some("http://secure:1".into()); "https")]
    #[test_case("http://api:8080", None => Some("http://plain:2".into()); "http, scheme added")]
    #[test_case("https://api:6443", Some("http://own:3") => Some("http://own:3".into()); "kubeconfig wins")]
    #[test_case("https://api:6443", Some("") => Some("http://secure:1".into()); "empty in kubeconfig")]
    #[test_case("https://127.0.0.1:6443", None => None; "loopback")]
    #[test_case("https://[::1]:6443", None => None; "loopback of version 6")]
    #[test_case("https://localhost:6443", None => None; "localhost")]
    #[test_case("https://127.0.0.1:6443", Some("http://own:3") => Some("http://own:3".into()); "loopback with a proxy of its own")]
    fn choices(server: &str, named: Option<&str>) -> Option<String> {
        proxy(server, named, &PROXIES)
    }

    #[test]
    fn the_variables_may_be_lower_case_and_empty_ones_do_not_count() {
        assert_eq!(proxy("https://api", None, &[]), None);
        assert_eq!(proxy("https://api", None, &[("HTTP_PROXY", "x")]), None);
        let both = [("HTTPS_PROXY", ""), ("https_proxy", "http://lower:1")];
        assert_eq!(proxy("https://api", None, &both).as_deref(), Some("http://lower:1"));
    }

    #[test_case("*", "https://api" => true)]
    #[test_case("api", "https://api:6443" => true; "name")]
    #[test_case("API", "https://api:6443" => true; "case")]
    #[test_case("other", "https://api:6443" => false; "other name")]
    #[test_case("example.com", "https://k8s.example.com" => true; "below a name")]
    #[test_case("example.com", "https://badexample.com" => false; "not below")]
    #[test_case(".example.com", "https://k8s.example.com" => true; "dot")]
    #[test_case(".example.com", "https://example.com" => false; "dot leaves out the name itself")]
    #[test_case("*.example.com", "https://k8s.example.com" => true; "star and dot")]
    #[test_case("api:6443", "https://api:6443" => true; "port")]
    #[test_case("api:443", "https://api" => true; "port of the scheme")]
    #[test_case("api:443", "https://api:6443" => false; "other port")]
    #[test_case("10.0.0.1", "https://10.0.0.1:6443" => true; "address")]
    #[test_case("10.0.0.1:80", "https://10.0.0.1:6443" => false; "address with another port")]
    #[test_case("10.0.0.1", "https://110.0.0.1" => false; "an address is no name")]
    #[test_case("10.0.0.0/8", "https://10.1.2.3" => true; "range")]
    #[test_case("10.0.0.0/8", "https://11.1.2.3" => false; "outside the range")]
    #[test_case("10.0.0.0/8", "https://api" => false; "range and name")]
    #[test_case("0.0.0.0/0", "https://11.1.2.3" => true; "whole range")]
    #[test_case("10.0.0.0/33", "https://10.0.0.0" => false; "no range")]
    #[test_case("fd00::/8", "https://[fd12::1]:6443" => true; "range of version 6")]
    #[test_case("::/0", "https://[fd12::1]:6443" => true; "whole range of version 6")]
    #[test_case("fd12::1", "https://[fd12::1]:6443" => true; "address of version 6")]
    #[test_case("[fd12::1]:6443", "https://[fd12::1]:6443" => true; "address of version 6 with port")]
    #[test_case("other, ,api,", "https://api" => true; "lists have spaces and empty places")]
    #[test_case("", "https://api" => false; "nothing")]
    #[test_case(".", "https://api" => false; "a dot alone")]
    #[test_case("secure", "https://api" => false; "the proxy is not the server")]
    fn exceptions(rules: &str, server: &str) -> bool {
        let environment = [PROXIES[0], ("NO_PROXY", rules)];
        proxy(server, None, &environment).is_none()
    }
}
