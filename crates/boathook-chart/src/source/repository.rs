//! Charts of chart repositories: those of Helm's own list, or one named by its URL. Their indexes are Helm's, too, where
//! `helm repo update` has fetched them.

use boathook_core::manifest::read_yaml;
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;

use super::http::{self, Login};
use super::{Places, SourceError, checked, refused, version};
use crate::chart::MAX_BYTES;

/// The largest index that is read.
const MAX_INDEX: u64 = 64 << 20;

/// Helm's repositories.yaml.
#[derive(Default, Deserialize)]
struct Repositories {
    #[serde(default)]
    repositories: Vec<Repository>,
}

/// One repository.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Repository {
    name: String,
    url: String,
    username: String,
    password: String,
    cert_file: String,
    key_file: String,
    ca_file: String,
    #[serde(rename = "insecure_skip_tls_verify")]
    insecure: bool,
    #[serde(rename = "pass_credentials_all")]
    pass_credentials_all: bool,
}

/// A version of a chart in an index.
#[derive(Deserialize)]
struct Indexed {
    version: String,
    #[serde(default)]
    urls: Vec<String>,
    #[serde(default)]
    digest: String,
}

/// The repository of Helm's list that a reference begins with, and the chart in it.
pub(super) fn named<'a>(
    reference: &'a str,
    places: &Places,
) -> Result<Option<(Repository, &'a str)>, SourceError> {
    let Some((name, chart)) = reference.split_once('/') else { return Ok(None) };
    let path = &places.repositories;
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(format!("cannot read {}: {error}", path.display()))),
    };
    let shown = path.display().to_string();
    let value = read_yaml(&shown, &text).map_err(|error| refused(format!("{shown}: {}", error.message)))?;
    let list = Repositories::deserialize(value).map_err(|error| refused(format!("{shown}: {error}")))?;
    Ok(list.repositories.into_iter().find(|one| one.name == name).map(|one| (one, chart)))
}

/// A repository that is only known by its URL.
pub(super) fn at(url: &str) -> Repository {
    Repository { url: url.to_owned(), ..Repository::default() }
}

impl Repository {
    /// The archive of a chart.
    pub(super) async fn chart(
        &self,
        chart: &str,
        wanted: Option<&str>,
        places: &Places,
    ) -> Result<Vec<u8>, SourceError> {
        let shown = if self.name.is_empty() { &self.url } else { &self.name };
        if self.insecure
            || [&self.cert_file, &self.key_file, &self.ca_file].iter().any(|file| !file.is_empty())
        {
            return Err(SourceError::Refused {
                reason: format!(
                    "repository {shown} is set up with certificates of its own, which is not supported"
                ),
                help: Some(format!("fetch the chart with `helm pull {shown}/{chart}` and name the file")),
            });
        }
        let index = self.index(places).await?;
        let mut versions =
            entries(&index, chart).map_err(|reason| refused(format!("index of {shown}: {reason}")))?;
        let texts: Vec<String> = versions.iter().map(|one| one.version.clone()).collect();
        let Some(index) = version::pick(&texts, wanted).map_err(refused)? else {
            let what = wanted.map_or_else(String::new, |wanted| format!(" version {wanted}"));
            return Err(SourceError::Refused {
                reason: format!("chart {chart:?}{what} not found in repository {shown}"),
                help: Some("`helm repo update` fetches the newest list of charts".to_owned()),
            });
        };
        let Indexed { urls, digest, .. } = versions.swap_remove(index);
        let url = urls.first().ok_or_else(|| refused(format!("chart {chart:?} has no downloadable URLs")))?;
        let url = self.absolute(url)?;
        let bytes = http::get(url.as_str(), self.login(&url).as_ref(), MAX_BYTES).await?;
        checked(bytes, &digest, url.as_str())
    }

    /// The index: Helm's copy, else the repository's.
    async fn index(&self, places: &Places) -> Result<String, SourceError> {
        let bytes = match std::fs::read(places.repository_cache.join(format!("{}-index.yaml", self.name))) {
            Ok(bytes) if !self.name.is_empty() => bytes,
            _ => {
                let url = self.absolute("index.yaml")?;
                http::get(url.as_str(), self.login(&url).as_ref(), MAX_INDEX).await?
            }
        };
        String::from_utf8(bytes).map_err(|_| refused(format!("index of {}: not UTF-8 text", self.url)))
    }

    /// URLs of an index may be relative to the repository.
    fn absolute(&self, url: &str) -> Result<Url, SourceError> {
        let base = format!("{}/", self.url.trim_end_matches('/'));
        Url::parse(&base)
            .and_then(|base| base.join(url))
            .map_err(|error| refused(format!("{url:?} of repository {}: {error}", self.url)))
    }

    /// The login, for the repository's own server only.
    fn login(&self, url: &Url) -> Option<Login> {
        let own = Url::parse(&self.url).is_ok_and(|own| own.origin() == url.origin());
        let known = !self.username.is_empty() && (own || self.pass_credentials_all);
        known.then(|| Login { username: self.username.clone(), password: self.password.clone() })
    }
}

/// The versions of one chart. Indexes are large, and of no other chart anything is needed: its lines are cut out.
fn entries(index: &str, chart: &str) -> Result<Vec<Indexed>, String> {
    let value = if index.trim_start().starts_with('{') {
        let mut index: Value = serde_json::from_str(index).map_err(|error| error.to_string())?;
        index.pointer_mut("/entries").and_then(|entries| entries.get_mut(chart)).map(Value::take)
    } else {
        cut_out(index, chart)
            .map(|text| read_yaml("index.yaml", &text).map_err(|error| error.message))
            .transpose()?
    };
    value.map_or_else(|| Ok(Vec::new()), |value| Vec::deserialize(value).map_err(|error| error.to_string()))
}

/// The list below a chart's name: the lines behind it that begin further right, or with the hyphen of an item.
fn cut_out(index: &str, chart: &str) -> Option<String> {
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let is_name = |line: &str| {
        let key = line.trim().strip_suffix(':').unwrap_or_default();
        key.trim_matches(['"', '\'']) == chart
    };
    let mut lines = index.lines().skip_while(|line| line.trim_end() != "entries:").skip(1);
    let depth = indent(lines.by_ref().find(|line| indent(line) > 0 && is_name(line))?);
    let below = |line: &&str| {
        line.trim().is_empty()
            || indent(line) > depth
            || (indent(line) == depth && line.trim_start().starts_with("- "))
    };
    Some(lines.take_while(below).flat_map(|line| [line, "\n"]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "apiVersion: v1\nentries:\n  other:\n  - version: 9.0.0\n    name: web\n  web:\n  - version: 1.0.0\n    \
                         description: |\n      web:\n      text\n    urls:\n    - a.tgz\n  - version: 1.1.0\n    urls: [https://x/b.tgz]\n  \
                         zoo:\n  - version: 3.0.0\ngenerated: now\n";

    #[test]
    fn only_one_charts_lines_are_read() {
        let found = entries(INDEX, "web").unwrap();
        let versions: Vec<&str> = found.iter().map(|one| one.version.as_str()).collect();
        assert_eq!(versions, ["1.0.0", "1.1.0"]);
        assert_eq!(found[0].urls, ["a.tgz"]);
        assert!(entries(INDEX, "generated").unwrap().is_empty());
        assert!(entries(INDEX, "entries").unwrap().is_empty());
        assert_eq!(entries(INDEX, "zoo").unwrap().len(), 1);
    }

    #[test]
    fn an_index_may_be_json_or_indented_otherwise() {
        let json = r#"{"entries": {"web": [{"version": "1.0.0", "urls": ["a"]}]}}"#;
        assert_eq!(entries(json, "web").unwrap()[0].urls, ["a"]);
        let wide = "entries:\n    \"web\":\n        - version: 1.0.0\n          urls:\n              - a\n    z: []\n";
        assert_eq!(entries(wide, "web").unwrap()[0].urls, ["a"]);
    }
}
