//! From typed names to the line of an HTTP request. The URL is built here and nowhere else, with every segment escaped,
//! and read again by an independent parser before anything is sent: what the caller was allowed to ask is what is asked.

use std::borrow::Cow;

use boathook_core::Gvk;
use boathook_core::names::{Collection, Resource, Target};
use http::Method;
use url::Url;

/// What a path leads to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    /// One object.
    Object(&'a Target),
    /// The objects of a kind.
    Collection(&'a Collection),
    /// The log of a Pod.
    Log(&'a Target),
    /// The resources of a group and version, which are taken from a kind of it.
    Discovery(&'a Gvk),
    /// `/version`, `/api`, `/apis`.
    Root(&'static str),
}

/// A request, checked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) line: String,
    /// The forms of an answer that are understood.
    pub(crate) accept: &'static str,
    /// Media type and text, if it has a body.
    pub(crate) body: Option<(&'static str, Vec<u8>)>,
}

/// The parameters of a query; names are ours, values are escaped.
pub(crate) type Query<'a> = Vec<(&'static str, Cow<'a, str>)>;

/// A request that must not be sent. Not a user's mistake: whoever made the typed value made it wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("{0} is namespaced, but no namespace was given")]
    NoNamespace(String),
    #[error("{0} is not namespaced, but a namespace was given")]
    Namespace(String),
    #[error("a part of the path is empty")]
    EmptySegment,
    #[error("the URL {0:?} does not say what was meant; nothing was sent")]
    Mismatch(String),
}

impl Request {
    /// A request without a body.
    ///
    /// # Errors
    /// [`RequestError`]; nothing may be sent then.
    pub(crate) fn new(method: Method, place: Place<'_>, query: &Query<'_>) -> Result<Self, RequestError> {
        let segments = place.segments()?;
        if segments.iter().any(|segment| segment.is_empty()) {
            return Err(RequestError::EmptySegment);
        }
        let line = line(&segments, query);
        check(&line, &segments, query)?;
        Ok(Self { method, line, accept: "application/json", body: None })
    }

    /// The same with a body.
    pub(crate) fn with_body(mut self, media_type: &'static str, text: Vec<u8>) -> Self {
        self.body = Some((media_type, text));
        self
    }
}

impl<'a> Place<'a> {
    fn segments(self) -> Result<Vec<&'a str>, RequestError> {
        let (resource, namespace) = match self {
            Self::Discovery(gvk) => return Ok(group_version(gvk)),
            Self::Root(name) => return Ok(vec![name]),
            Self::Object(target) | Self::Log(target) => (&target.resource, target.namespace.as_ref()),
            Self::Collection(collection) => (&collection.resource, collection.namespace.as_ref()),
        };
        match (resource.namespaced, namespace, self) {
            (false, Some(_), _) => return Err(RequestError::Namespace(kind(resource))),
            (true, None, Self::Object(_) | Self::Log(_)) => {
                return Err(RequestError::NoNamespace(kind(resource)));
            }
            _ => {}
        }
        let mut segments = group_version(&resource.gvk);
        if let Some(namespace) = namespace {
            segments.extend(["namespaces", namespace.as_str()]);
        }
        segments.push(resource.plural.as_str());
        match self {
            Self::Object(target) => segments.push(target.name.as_str()),
            Self::Log(target) => segments.extend([target.name.as_str(), "log"]),
            Self::Collection(_) | Self::Discovery(_) | Self::Root(_) => {}
        }
        Ok(segments)
    }
}

fn kind(resource: &Resource) -> String {
    format!("{} {}", resource.gvk.api_version(), resource.gvk.kind)
}

fn group_version(gvk: &Gvk) -> Vec<&str> {
    if gvk.group.is_empty() { vec!["api", &gvk.version] } else { vec!["apis", &gvk.group, &gvk.version] }
}

fn line(segments: &[&str], query: &Query<'_>) -> String {
    let mut line = String::new();
    for segment in segments {
        line.push('/');
        escape(segment, &mut line);
    }
    for (index, (name, value)) in query.iter().enumerate() {
        line.push(if index == 0 { '?' } else { '&' });
        escape(name, &mut line);
        line.push('=');
        escape(value, &mut line);
    }
    line
}

/// Everything but RFC 3986's unreserved characters; also `:`, which RBAC names are full of and which means nothing
/// within a path or a query.
fn escape(text: &str, into: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':') {
            into.push(char::from(byte));
        } else {
            into.push('%');
            into.push(char::from(HEX[usize::from(byte >> 4)]));
            into.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

/// Reads the line as any URL parser would and compares it with what was meant.
fn check(line: &str, segments: &[&str], query: &Query<'_>) -> Result<(), RequestError> {
    let mismatch = || RequestError::Mismatch(line.to_owned());
    let url = Url::parse(&format!("http://cluster.invalid{line}")).map_err(|_| mismatch())?;
    let path = line.split_once('?').map_or(line, |(path, _)| path);
    let same_place = url.host_str() == Some("cluster.invalid")
        && url.port().is_none()
        && url.username().is_empty()
        && url.fragment().is_none()
        // A parser drops `.` and `..`, also when they are escaped.
        && url.path() == path;
    let read = url.path_segments().ok_or_else(mismatch)?.map(unescape);
    let same_path = read.eq(segments.iter().map(|segment| Some(segment.as_bytes().to_vec())));
    let same_query =
        url.query_pairs().eq(query.iter().map(|(name, value)| (Cow::Borrowed(*name), value.clone())));
    if same_place && same_path && same_query { Ok(()) } else { Err(mismatch()) }
}

fn unescape(segment: &str) -> Option<Vec<u8>> {
    let mut bytes = segment.bytes();
    let mut read = Vec::with_capacity(segment.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digit =
                |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            read.push(digit(bytes.next())? << 4 | digit(bytes.next())?);
        } else {
            read.push(byte);
        }
    }
    Some(read)
}

#[cfg(test)]
mod tests;
