//! HTTP requests, typed, and the first half of the decision on them: what can be said before the host's name is
//! resolved. The second half is `address`.

use url::Host;

use super::address::{self, Reach};
use super::http_url::{HttpUrl, UrlPrefix};
use super::{Denial, Grant, Hint, MAX_HTTP_BODY_BYTES, RequestError};
use crate::permissions::{HttpRule, Network, Permissions};
use crate::plugin::Capability;

const MAX_HEADERS: usize = 64;
const MAX_HEADER_BYTES: usize = 16 << 10;
/// Headers that the host owns, in lower case; those that end in `-` are prefixes. They frame the message, say who is
/// asking, or are believed by servers behind a proxy.
const HOST_OWNED: [&str; 21] = [
    "host",
    "authorization",
    "connection",
    "keep-alive",
    "transfer-encoding",
    "content-length",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "cookie",
    "forwarded",
    "proxy-",
    "x-forwarded-",
    "impersonate-",
    "x-remote-",
    // Servers that honour these would step around the methods and paths of a grant.
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
];

/// A request as a guest gives it.
#[derive(Clone, Copy, Debug)]
pub struct RawHttpRequest<'a> {
    /// `POST`.
    pub method: &'a str,
    /// Empty if a credential is the URL.
    pub url: &'a str,
    /// Names and values.
    pub headers: &'a [(&'a str, &'a str)],
    /// Size of the body.
    pub body_bytes: usize,
    /// Names and placements of credentials.
    pub credentials: &'a [(&'a str, &'a str)],
}

/// Where the host puts a credential's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// It is the URL.
    Url,
    /// `Authorization: Bearer VALUE`.
    Bearer,
    /// `Authorization: Basic`, of `user:password`.
    Basic,
    /// It is the value of this header, in lower case.
    Header(String),
}

/// A credential and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialUse {
    /// Its name in the hook.
    pub name: String,
    /// Where its value goes.
    pub placement: Placement,
}

/// One HTTP request, complete but for the values of credentials that are not its URL.
#[derive(Clone, PartialEq)]
pub struct HttpRequest {
    method: String,
    url: HttpUrl,
    url_credential: Option<String>,
    headers: Vec<(String, String)>,
    credentials: Vec<CredentialUse>,
}

impl std::fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HttpRequest({})", self.action())
    }
}

impl HttpRequest {
    /// Reads a guest's request. `value_of` answers the value of a credential of the hook; it is asked for the one that
    /// is the URL only.
    ///
    /// # Errors
    /// [`RequestError::Invalid`] for anything that is not one plain request (see [`HttpUrl::parse`]; headers that the
    /// host owns; credentials at war with each other), [`RequestError::TooLarge`], and [`RequestError::Denied`] if a
    /// credential that is to be the URL does not exist.
    pub fn parse<'v>(
        raw: &RawHttpRequest<'_>,
        value_of: impl Fn(&str) -> Option<&'v str>,
    ) -> Result<Self, RequestError> {
        let invalid = |message: &str| RequestError::Invalid(message.to_owned());
        let is_method = (1..=20).contains(&raw.method.len())
            && raw.method.bytes().all(|b| b.is_ascii_uppercase())
            && !matches!(raw.method, "CONNECT" | "TRACE" | "TRACK");
        if !is_method {
            return Err(invalid(
                "the method is none that plugins may use (upper case, not CONNECT or TRACE)",
            ));
        }
        if raw.body_bytes > MAX_HTTP_BODY_BYTES {
            return Err(RequestError::TooLarge { limit: MAX_HTTP_BODY_BYTES as u64 });
        }
        let credentials = parse_credentials(raw.credentials)?;
        let headers = parse_headers(raw.headers, &credentials)?;
        let url_credential =
            credentials.iter().find(|used| used.placement == Placement::Url).map(|used| used.name.clone());
        let url = match &url_credential {
            None => HttpUrl::parse(raw.url).map_err(invalid)?,
            Some(_) if !raw.url.is_empty() => {
                return Err(invalid("a credential is the URL, so url must be empty"));
            }
            Some(name) => {
                let value = value_of(name).ok_or_else(|| {
                    let action = format!("{} the URL in credential {name}", raw.method);
                    RequestError::Denied(Box::new(missing_credential(action, name)))
                })?;
                // A Secret made from a file ends with a line break.
                HttpUrl::parse(value.trim_end_matches(['\r', '\n']))
                    .map_err(|reason| RequestError::Invalid(format!("credential {name}: {reason}")))?
            }
        };
        Ok(Self { method: raw.method.to_owned(), url, url_credential, headers, credentials })
    }

    /// `POST`.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Where it goes. May be a credential: not for logs (see [`Self::action`]).
    pub fn url(&self) -> &HttpUrl {
        &self.url
    }

    /// The guest's headers, names in lower case.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The credentials that the host fills in, without the one that is the URL.
    pub fn credentials(&self) -> impl Iterator<Item = &CredentialUse> {
        self.credentials.iter().filter(|used| used.placement != Placement::Url)
    }

    /// `POST https://example.com/hook`, without query; `POST the URL in credential webhook` if that is a secret.
    pub fn action(&self) -> String {
        match &self.url_credential {
            Some(name) => format!("{} the URL in credential {name}", self.method),
            None => format!("{} {}", self.method, self.url.without_query()),
        }
    }

    /// The networks of all rules that allow the request, were it not for addresses.
    pub(super) fn granted_networks(&self, grant: &Grant) -> Vec<Network> {
        let covers = |rule: &&HttpRule| {
            rule.methods.contains(&self.method)
                && UrlPrefix::parse(&rule.url).is_ok_and(|prefix| prefix.covers(&self.url))
        };
        grant.permissions.http.iter().filter(covers).map(|rule| rule.network).collect()
    }

    /// A refusal that a rule for this very URL, with `network`, would lift.
    pub(super) fn denial(&self, reason: &str, network: Network) -> Denial {
        let hint = match &self.url_credential {
            Some(name) => Hint::UrlOfCredential { name: name.clone(), method: self.method.clone(), network },
            None => {
                let url = self.url.without_query();
                let rule = HttpRule { url, methods: vec![self.method.clone()], network };
                Hint::Grant(Permissions { kubernetes: Vec::new(), http: vec![rule] })
            }
        };
        Denial { capability: Capability::Http, action: self.action(), reason: reason.to_owned(), hint }
    }

    pub(super) fn never(&self, reason: &str) -> Denial {
        Denial::never(Capability::Http, self.action(), reason.to_owned())
    }
}

fn missing_credential(action: String, name: &str) -> Denial {
    let reason = format!("the hook has no credential {name}");
    Denial { capability: Capability::Http, action, reason, hint: Hint::Credential { name: name.to_owned() } }
}

pub(super) fn authorize_http(grant: &Grant, request: &HttpRequest) -> Result<(), Denial> {
    let missing = request.credentials.iter().find(|used| !grant.credentials.contains(&used.name));
    if let Some(used) = missing {
        return Err(missing_credential(request.action(), &used.name));
    }
    let expected = match request.url.host() {
        Host::Domain(name) => {
            if let Some(reason) = address::never_name(name) {
                return Err(request.never(reason));
            }
            expected_network(name)
        }
        Host::Ipv4(ip) => literal_network(request, (*ip).into())?,
        Host::Ipv6(ip) => literal_network(request, (*ip).into())?,
    };
    let networks = request.granted_networks(grant);
    if networks.is_empty() {
        return Err(request.denial("no permission allows it", expected));
    }
    if let Host::Domain(_) = request.url.host() {
        return Ok(());
    }
    // A literal is never resolved, so it is decided here and now.
    let reached = networks.iter().any(|network| match network {
        Network::Public => expected == Network::Public,
        Network::Cluster => expected != Network::Loopback,
        Network::Loopback => expected == Network::Loopback,
    });
    if reached { Ok(()) } else { Err(request.denial("the address is not in the granted network", expected)) }
}

/// The network that a literal address needs.
fn literal_network(request: &HttpRequest, ip: std::net::IpAddr) -> Result<Network, Denial> {
    match address::reach(ip) {
        Reach::Public => Ok(Network::Public),
        Reach::Private => Ok(Network::Cluster),
        Reach::Loopback => Ok(Network::Loopback),
        Reach::Metadata => Err(request.never("cloud metadata is never reachable")),
        Reach::Special => Err(request.never("the address is in a special range")),
    }
}

/// The network that a name will need, by its form: the hint's best guess before anything is resolved.
fn expected_network(name: &str) -> Network {
    if name == "localhost" || name.ends_with(".localhost") {
        Network::Loopback
    } else if !name.contains('.')
        || [".svc", ".svc.cluster.local", ".internal"].iter().any(|end| name.ends_with(end))
    {
        Network::Cluster
    } else {
        Network::Public
    }
}

fn parse_credentials(raw: &[(&str, &str)]) -> Result<Vec<CredentialUse>, RequestError> {
    let mut credentials: Vec<CredentialUse> = Vec::new();
    for (name, placement) in raw {
        let placement = match (*placement, placement.split_once(':')) {
            ("url", _) => Placement::Url,
            ("bearer", _) => Placement::Bearer,
            ("basic", _) => Placement::Basic,
            (_, Some(("header", header))) => {
                let header = header_name(header)?;
                if is_host_owned(&header) && header != "authorization" {
                    return Err(RequestError::Invalid(format!("the header {header} belongs to the host")));
                }
                Placement::Header(header)
            }
            (other, _) => {
                return Err(RequestError::Invalid(format!(
                    "{other:?} is no placement (url, bearer, basic, header:NAME)"
                )));
            }
        };
        let place = |placement: &Placement| match placement {
            Placement::Url => String::new(),
            Placement::Bearer | Placement::Basic => "authorization".to_owned(),
            Placement::Header(name) => name.clone(),
        };
        if credentials.iter().any(|other| place(&other.placement) == place(&placement)) {
            return Err(RequestError::Invalid("two credentials have the same place".to_owned()));
        }
        credentials.push(CredentialUse { name: (*name).to_owned(), placement });
    }
    Ok(credentials)
}

fn parse_headers(
    raw: &[(&str, &str)],
    credentials: &[CredentialUse],
) -> Result<Vec<(String, String)>, RequestError> {
    let total: usize = raw.iter().map(|(name, value)| name.len() + value.len()).sum();
    if raw.len() > MAX_HEADERS {
        return Err(RequestError::Invalid(format!("more than {MAX_HEADERS} headers")));
    }
    if total > MAX_HEADER_BYTES {
        return Err(RequestError::TooLarge { limit: MAX_HEADER_BYTES as u64 });
    }
    raw.iter()
        .map(|(name, value)| {
            let name = header_name(name)?;
            if is_host_owned(&name) {
                let way_out = if name == "authorization" { ": use a credential" } else { "" };
                return Err(RequestError::Invalid(format!("the header {name} belongs to the host{way_out}")));
            }
            if credentials.iter().any(|used| used.placement == Placement::Header(name.clone())) {
                return Err(RequestError::Invalid(format!("the header {name} is a credential's")));
            }
            if !value.bytes().all(|b| b.is_ascii_graphic() || matches!(b, b' ' | b'\t')) {
                let message = format!("the value of header {name} is not printable ASCII on one line");
                return Err(RequestError::Invalid(message));
            }
            Ok((name, (*value).to_owned()))
        })
        .collect()
}

/// A token of RFC 9110, in lower case.
fn header_name(name: &str) -> Result<String, RequestError> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || name.len() > 256 || !name.bytes().all(token) {
        return Err(RequestError::Invalid(format!("{name:?} is no header name")));
    }
    Ok(name.to_ascii_lowercase())
}

/// Some servers read `_` as `-`.
fn is_host_owned(name: &str) -> bool {
    let name = name.replace('_', "-");
    HOST_OWNED.iter().any(|owned| if owned.ends_with('-') { name.starts_with(owned) } else { name == *owned })
}
