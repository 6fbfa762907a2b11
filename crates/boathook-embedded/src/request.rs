//! A request as typed data: what the path, the query and the headers ask for. Nothing here looks at objects.

use http::{HeaderMap, Method};

use crate::status::Refusal;

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// Not an object: discovery, health, version, OpenAPI. The segments of the path.
    Other(Vec<String>),
    /// A collection or an object of a group and version.
    Resource(ResourcePath),
}

/// `/api/v1/namespaces/NS/RESOURCE/NAME/SUBRESOURCE` and its shorter forms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResourcePath {
    /// Empty for core.
    pub(crate) group: String,
    /// `v1`.
    pub(crate) version: String,
    /// The namespace, if the path has one.
    pub(crate) namespace: Option<String>,
    /// The plural name.
    pub(crate) resource: String,
    /// The object, if the path names one.
    pub(crate) name: Option<String>,
    /// `status`, `log`, …
    pub(crate) subresource: Option<String>,
}

/// Reads a path. Segments are percent-decoded one by one, so an encoded slash stays inside its segment.
pub(crate) fn parse_path(path: &str) -> Result<Path, Refusal> {
    let segments = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(percent_decode)
        .collect::<Option<Vec<String>>>()
        .ok_or_else(|| Refusal::bad_request("the path is not percent-encoded UTF-8"))?;
    let (group, rest) = match segments.as_slice() {
        [api, version, rest @ ..] if api == "api" && !rest.is_empty() => {
            ((String::new(), version.clone()), rest)
        }
        [apis, group, version, rest @ ..] if apis == "apis" && !rest.is_empty() => {
            ((group.clone(), version.clone()), rest)
        }
        _ => return Ok(Path::Other(segments)),
    };
    let mut parsed = ResourcePath { group: group.0, version: group.1, ..ResourcePath::default() };
    // `namespaces/NS/status` and `/finalize` are subresources of the Namespace, all else below it is in it.
    let inside = |part: &str| part != "status" && part != "finalize";
    let mut tail = rest;
    if let [namespaces, namespace, below @ ..] = rest
        && namespaces == "namespaces"
        && below.first().is_some_and(|part| inside(part) || below.len() > 1)
    {
        parsed.namespace = Some(namespace.clone());
        tail = below;
    }
    match tail {
        [resource] => parsed.resource = resource.clone(),
        [resource, name] => (parsed.resource, parsed.name) = (resource.clone(), Some(name.clone())),
        [resource, name, subresource] => {
            (parsed.resource, parsed.name) = (resource.clone(), Some(name.clone()));
            parsed.subresource = Some(subresource.clone());
        }
        _ => return Err(Refusal::no_such_path()),
    }
    Ok(Path::Resource(parsed))
}

/// The query of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `a=1&b=2`.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        text.split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                Some((percent_decode(&key.replace('+', " "))?, percent_decode(&value.replace('+', " "))?))
            })
            .collect::<Option<Vec<_>>>()
            .map(Self)
            .ok_or_else(|| Refusal::bad_request("the query is not percent-encoded UTF-8"))
    }

    /// The value of a parameter; empty if it is not there.
    pub(crate) fn text(&self, key: &str) -> &str {
        self.0.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value)
    }

    /// All values of a parameter.
    pub(crate) fn all(&self, key: &str) -> Vec<&str> {
        self.0.iter().filter(|(name, _)| name == key).map(|(_, value)| value.as_str()).collect()
    }

    /// Whether a parameter is there.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(name, _)| name == key)
    }

    /// Whether a parameter says yes, as Go's `strconv.ParseBool` reads it; a bare one does too.
    pub(crate) fn flag(&self, key: &str) -> bool {
        self.has(key) && !matches!(self.text(key), "0" | "f" | "F" | "false" | "False" | "FALSE")
    }

    /// A number, if the parameter is there.
    pub(crate) fn number(&self, key: &str) -> Result<Option<u64>, Refusal> {
        match self.text(key) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| {
                Refusal::bad_request(format!("strconv.ParseInt: parsing \"{text}\": invalid syntax"))
            }),
        }
    }
}

/// What the body of a patch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PatchKind {
    /// RFC 6902.
    Json,
    /// RFC 7386.
    Merge,
    /// Kubernetes' merge by keys.
    Strategic,
    /// Server-side apply.
    Apply,
}

/// What a request does, beyond its path.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// GET, POST, …
    pub(crate) method: Method,
    /// The query.
    pub(crate) query: Query,
    /// `Accept`, in lower case.
    pub(crate) accept: String,
    /// `Content-Type` without parameters, in lower case.
    pub(crate) content_type: String,
    /// `User-Agent`.
    pub(crate) user_agent: String,
}

impl Call {
    /// Reads method, query and headers.
    pub(crate) fn new(method: &Method, query: &str, headers: &HeaderMap) -> Result<Self, Refusal> {
        let header = |name| {
            headers
                .get(name)
                .and_then(|value: &http::HeaderValue| value.to_str().ok())
                .unwrap_or_default()
                .to_owned()
        };
        let content_type = header(http::header::CONTENT_TYPE);
        Ok(Self {
            method: method.clone(),
            query: Query::parse(query)?,
            accept: header(http::header::ACCEPT).to_lowercase(),
            content_type: content_type.split(';').next().unwrap_or_default().trim().to_lowercase(),
            user_agent: header(http::header::USER_AGENT),
        })
    }

    /// Whether a JSON answer is taken.
    pub(crate) fn accepts_json(&self) -> bool {
        self.accept.is_empty()
            || self.accept.split(',').any(|one| {
                matches!(
                    one.split(';').next().unwrap_or_default().trim(),
                    "application/json" | "*/*" | "application/*"
                )
            })
    }

    /// Whether a Table is wanted rather than objects.
    pub(crate) fn wants_table(&self) -> bool {
        self.accept.split(',').any(|one| one.contains("as=table") && one.contains("g=meta.k8s.io"))
    }

    /// Whether only metadata is wanted.
    pub(crate) fn wants_metadata(&self) -> bool {
        let first = self.accept.split(',').next().unwrap_or_default();
        first.contains("as=partialobjectmetadata")
    }

    /// The name of the field manager: the parameter, or the program of the User-Agent as the real server takes it.
    pub(crate) fn field_manager(&self) -> String {
        match self.query.text("fieldManager") {
            "" => match self.user_agent.split(['/', ' ']).next() {
                Some("") | None => "unknown".to_owned(),
                Some(program) => program.to_owned(),
            },
            manager => manager.to_owned(),
        }
    }

    /// What the body of a PATCH is.
    pub(crate) fn patch_kind(&self) -> Result<PatchKind, Refusal> {
        match self.content_type.as_str() {
            "application/json-patch+json" => Ok(PatchKind::Json),
            "application/merge-patch+json" => Ok(PatchKind::Merge),
            "application/strategic-merge-patch+json" => Ok(PatchKind::Strategic),
            "application/apply-patch+yaml" => Ok(PatchKind::Apply),
            _ => Err(Refusal::unknown_patch()),
        }
    }
}

/// Reads `%2F` and such; `None` for what is no UTF-8.
pub(crate) fn percent_decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'%' {
            let hex = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(hex, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(byte);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test_case("/api/v1/namespaces/a/configmaps/b" => "a|configmaps|b|")]
    #[test_case("/api/v1/namespaces/a" => "|namespaces|a|")]
    #[test_case("/api/v1/namespaces/a/status" => "|namespaces|a|status")]
    #[test_case("/api/v1/namespaces/a/pods/b/log" => "a|pods|b|log")]
    #[test_case("/apis/apps/v1/deployments" => "|deployments||")]
    #[test_case("/apis/apps/v1/namespaces/a/deployments/x%2Fy" => "a|deployments|x/y|"; "an encoded slash stays in its segment")]
    fn paths(path: &str) -> String {
        let Ok(Path::Resource(path)) = parse_path(path) else { panic!("not a resource path") };
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        format!(
            "{}|{}|{}|{}",
            text(&path.namespace),
            path.resource,
            text(&path.name),
            text(&path.subresource)
        )
    }

    #[test]
    fn queries() {
        let query = Query::parse("labelSelector=a%3Db%2Cc&watch=1&limit=x").unwrap();
        assert_eq!(query.text("labelSelector"), "a=b,c");
        assert!(query.flag("watch") && !query.flag("follow"));
        assert_eq!(query.number("limit").unwrap_err().code, 400);
        assert!(Query::parse("a=%zz").is_err());
    }
}
