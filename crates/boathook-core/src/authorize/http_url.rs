//! One reading of a URL. The `url` crate mends what it is given (`0x7f.1` becomes 127.0.0.1, `/a/../b` becomes `/b`, a
//! tab disappears); a permission decision must not depend on such repairs, so a text that would need one is refused.

use url::{Host, Url};

/// An `http` or `https` URL whose text means the same to every reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUrl {
    url: Url,
    /// Lower case, without a trailing dot.
    host: Host<String>,
}

impl HttpUrl {
    /// Reads a URL. The error says what is wrong with it and never repeats it: it may be a credential.
    ///
    /// # Errors
    /// Why it is refused, in a few words.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > 8192 {
            return Err("the URL is longer than 8192 bytes");
        }
        if text.bytes().any(|b| !b.is_ascii_graphic()) {
            return Err("the URL holds spaces, control characters or letters that are not ASCII");
        }
        if text.bytes().any(|b| matches!(b, b'\\' | b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}')) {
            return Err("the URL holds backslashes or other characters that URLs cannot hold");
        }
        if text.contains('#') {
            return Err("the URL has a fragment");
        }
        let (scheme, rest) = text.split_once("://").ok_or("the URL is not of the form https://host/path")?;
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return Err("the URL is neither http nor https");
        }
        let (authority, path_and_query) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let path = path_and_query.split('?').next().unwrap_or_default();
        let raw_host = check_authority(authority)?;
        check_path(path)?;

        let url = Url::parse(text).map_err(|_| "the URL cannot be read")?;
        let host = match url.host().ok_or("the URL has no host")? {
            Host::Domain(domain) => Host::Domain(check_domain(raw_host, domain)?),
            Host::Ipv4(address) if raw_host == address.to_string() => Host::Ipv4(address),
            Host::Ipv4(_) => return Err("the URL's IPv4 address is not written as four decimal numbers"),
            Host::Ipv6(address) => Host::Ipv6(address),
        };
        if url.port() == Some(0) {
            return Err("the URL has port 0");
        }
        Ok(Self { url, host })
    }

    /// The whole URL, for the request.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &str {
        self.url.scheme()
    }

    /// The host that is resolved and named in TLS: lower case, without a trailing dot.
    pub fn host(&self) -> &Host<String> {
        &self.host
    }

    /// The port, also where it is the scheme's default.
    pub fn port(&self) -> u16 {
        // Both schemes that pass `parse` have a default.
        self.url.port_or_known_default().unwrap_or_default()
    }

    /// The path, starting with `/`, encoded as it was written.
    pub fn path(&self) -> &str {
        self.url.path()
    }

    /// Scheme, host, port and path: what a rule would say of it. The query is left out, it may hold anything.
    pub fn without_query(&self) -> String {
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{}{port}{}", self.scheme(), self.host, self.path())
    }
}

/// Refuses user names and odd ports, and answers the host as it was written.
fn check_authority(authority: &str) -> Result<&str, &'static str> {
    if authority.contains('@') {
        return Err("the URL holds a user name or password");
    }
    if authority.contains('%') {
        return Err("the URL's host is percent-encoded");
    }
    let (host, port) = if authority.starts_with('[') {
        let end = authority.find(']').ok_or("the URL's IPv6 address has no end")?;
        let (host, rest) = authority.split_at(end + 1);
        match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if rest.is_empty() => (host, None),
            None => return Err("the URL's host cannot be read"),
        }
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    if host.is_empty() {
        return Err("the URL has no host");
    }
    // A leading zero is legal for a port, and of no use but to confuse.
    if port.is_some_and(|port| {
        port.is_empty() || port.starts_with('0') || !port.bytes().all(|b| b.is_ascii_digit())
    }) {
        return Err("the URL's port is no number from 1 to 65535");
    }
    Ok(host)
}

fn check_domain(raw: &str, parsed: &str) -> Result<String, &'static str> {
    let lower = raw.to_ascii_lowercase();
    if lower != parsed {
        return Err("the URL's host changes when it is normalised");
    }
    let name = lower.strip_suffix('.').unwrap_or(&lower);
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    if name.len() > 253 || !name.split('.').all(is_label) {
        return Err("the URL's host is no DNS name");
    }
    Ok(name.to_owned())
}

/// Refuses what servers and proxies read in different ways: dot segments in any spelling, encoded separators, encoded
/// control characters.
fn check_path(path: &str) -> Result<(), &'static str> {
    let lower = path.to_ascii_lowercase();
    let bytes = lower.as_bytes();
    for (at, _) in lower.match_indices('%') {
        let code = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok().filter(|_| !hex.starts_with('+'))) {
            None => return Err("the URL's path holds a % that encodes nothing"),
            Some(b'/' | b'\\') => return Err("the URL's path holds an encoded slash"),
            Some(b'%') => return Err("the URL's path is encoded twice"),
            Some(byte) if byte.is_ascii_control() => {
                return Err("the URL's path holds an encoded control character");
            }
            Some(_) => {}
        }
    }
    // Some servers cut parameters (`..;x`) off a segment before they look at it.
    let dots = |segment: &str| {
        let segment = segment.replace("%2e", ".").replace("%3b", ";");
        let segment = segment.split(';').next().unwrap_or_default().to_owned();
        segment == "." || segment == ".."
    };
    if lower.split('/').any(dots) { Err("the URL's path holds '.' or '..' as a segment") } else { Ok(()) }
}

/// The URL of a rule: an origin, whose host may be `*.` and a name of at least two labels, and a path prefix of whole
/// segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UrlPrefix {
    prefix: HttpUrl,
    any_subdomain: bool,
}

impl UrlPrefix {
    /// Reads a rule's `url`.
    ///
    /// # Errors
    /// Why it is refused; such a rule allows nothing.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.contains('?') {
            return Err("a rule's URL has no query");
        }
        let (text, any_subdomain) = match text.split_once("://*.") {
            Some((scheme, rest)) => (format!("{scheme}://{rest}"), true),
            None => (text.to_owned(), false),
        };
        let prefix = HttpUrl::parse(&text)?;
        let wide = !matches!(prefix.host(), Host::Domain(domain) if domain.contains('.'));
        if any_subdomain && wide {
            return Err("'*.' stands only before a name of at least two labels");
        }
        Ok(Self { prefix, any_subdomain })
    }

    /// Whether a URL lies below this one.
    pub(super) fn covers(&self, url: &HttpUrl) -> bool {
        self.prefix.scheme() == url.scheme()
            && self.prefix.port() == url.port()
            && self.covers_host(url.host())
            && covers_path(self.prefix.path(), url.path())
    }

    /// `*.` stands for exactly one label, as in certificates.
    fn covers_host(&self, host: &Host<String>) -> bool {
        match (self.any_subdomain, self.prefix.host(), host) {
            (false, granted, host) => granted == host,
            (true, Host::Domain(granted), Host::Domain(host)) => {
                host.split_once('.').is_some_and(|(_, parent)| parent == granted)
            }
            (true, _, _) => false,
        }
    }
}

/// `/a` covers `/a` and `/a/b`, not `/ab`; `/a/` covers what lies below it.
fn covers_path(prefix: &str, path: &str) -> bool {
    match path.strip_prefix(prefix) {
        Some(rest) => rest.is_empty() || prefix.ends_with('/') || rest.starts_with('/'),
        None => false,
    }
}
