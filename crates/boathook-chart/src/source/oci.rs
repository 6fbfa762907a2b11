//! Charts in OCI registries. A digest in the reference is what the manifest must have, and that of the manifest what the
//! archive must have.

use std::time::Duration;

use futures::StreamExt as _;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::manifest::OciManifest;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};

use super::{SourceError, SourceOptions, checked, credentials, http, refused, version};
use crate::chart::MAX_BYTES;

/// The media types of a chart's archive: today's, and the one before.
const LAYERS: [&str; 2] = ["application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/tar+gzip"];
/// Until a registry takes the connection, and between two parts of an answer.
const QUIET: Duration = Duration::from_secs(30);
/// All of a pull.
const TIMEOUT: Duration = Duration::from_secs(180);
/// The most tags that are looked through.
const MAX_TAGS: usize = 10_000;
/// Tags of one page.
const PAGE: usize = 1_000;

/// Pulls a chart's archive.
pub(super) async fn pull(reference: &str, options: &SourceOptions) -> Result<Vec<u8>, SourceError> {
    let pull = tokio::time::timeout(TIMEOUT, pull_all(reference, options));
    pull.await.unwrap_or_else(|_elapsed| {
        let reason = format!("not done after {} s", TIMEOUT.as_secs());
        Err(SourceError::Unreachable { what: reference.to_owned(), reason })
    })
}

async fn pull_all(shown: &str, options: &SourceOptions) -> Result<Vec<u8>, SourceError> {
    let cannot = |error: &oci_client::errors::OciDistributionError| SourceError::Unreachable {
        what: shown.to_owned(),
        reason: error.to_string(),
    };
    let plain = shown.strip_prefix("oci://").unwrap_or(shown);
    let parsed: Reference = plain.parse().map_err(|error| refused(format!("{shown}: {error}")))?;
    http::use_ring();
    let client = Client::new(ClientConfig {
        protocol: if options.plain_http { ClientProtocol::Http } else { ClientProtocol::Https },
        read_timeout: Some(QUIET),
        connect_timeout: Some(QUIET),
        user_agent: concat!("boathook/", env!("CARGO_PKG_VERSION")),
        ..ClientConfig::default()
    });
    let login = credentials::login(parsed.registry(), &options.places.registry_configs);
    // Without a tag the reference names one of its own: whether the user named one is in the text.
    let repository = parsed.repository();
    let has_tag = plain.rsplit('/').next().is_some_and(|last| last.contains([':', '@']));
    let reference = if has_tag {
        if let Some(wanted) = &options.version {
            return Err(refused(format!("{shown} names a version already, and --version {wanted} another")));
        }
        parsed
    } else {
        let tags = tags(&client, &parsed, &login).await.map_err(|error| cannot(&error))?;
        // A tag cannot hold a plus.
        let versions: Vec<String> = tags.iter().map(|tag| tag.replace('_', "+")).collect();
        let wanted = options.version.as_deref();
        let Some(index) = version::pick(&versions, wanted).map_err(refused)? else {
            let what =
                wanted.map_or_else(|| "released version".to_owned(), |wanted| format!("version {wanted}"));
            return Err(refused(format!("{shown}: there is no {what} among {} tags", tags.len())));
        };
        Reference::with_tag(parsed.registry().to_owned(), repository.to_owned(), tags[index].clone())
    };
    let (manifest, _) = client.pull_manifest(&reference, &login).await.map_err(|error| cannot(&error))?;
    let layer = match manifest {
        OciManifest::Image(image) => {
            image.layers.into_iter().find(|layer| LAYERS.contains(&layer.media_type.as_str()))
        }
        OciManifest::ImageIndex(_) => None,
    };
    let layer =
        layer.ok_or_else(|| refused(format!("{shown}: no chart (it has no layer of a chart's type)")))?;
    if u64::try_from(layer.size).is_ok_and(|size| size > MAX_BYTES) {
        return Err(refused(format!("{shown}: more than {} MiB", MAX_BYTES >> 20)));
    }
    let mut stream = client.pull_blob_stream(&reference, &layer).await.map_err(|error| cannot(&error))?;
    let mut bytes = Vec::new();
    while let Some(part) = stream.stream.next().await {
        let part = part.map_err(|error| SourceError::Unreachable {
            what: shown.to_owned(),
            reason: error.to_string(),
        })?;
        if bytes.len() as u64 + part.len() as u64 > MAX_BYTES {
            return Err(refused(format!("{shown}: more than {} MiB", MAX_BYTES >> 20)));
        }
        bytes.extend_from_slice(&part);
    }
    checked(bytes, &layer.digest, shown)
}

async fn tags(
    client: &Client,
    repository: &Reference,
    login: &RegistryAuth,
) -> Result<Vec<String>, oci_client::errors::OciDistributionError> {
    let mut tags: Vec<String> = Vec::new();
    loop {
        let page =
            client.list_tags(repository, login, Some(PAGE), tags.last().map(String::as_str)).await?.tags;
        // A registry that does not know pages gives all at once, and the same again.
        let more = page.len() == PAGE && page.last() != tags.last() && tags.len() + page.len() < MAX_TAGS;
        tags.extend(page);
        if !more {
            return Ok(tags);
        }
    }
}
