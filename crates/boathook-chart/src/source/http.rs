//! Downloads: charts and indexes over HTTP, of bounded size and time.

use std::time::Duration;

use reqwest::{Client, Url, redirect};

use super::SourceError;

/// Until a server takes the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// All of a download.
const TIMEOUT: Duration = Duration::from_secs(120);
/// How often a server may send us elsewhere.
const REDIRECTS: usize = 5;

/// Who we are to a server.
pub(super) struct Login {
    pub(super) username: String,
    pub(super) password: String,
}

/// What is at a URL, if it has at most so many bytes.
pub(super) async fn get(url: &str, login: Option<&Login>, most: u64) -> Result<Vec<u8>, SourceError> {
    let cannot = |reason: String| SourceError::Unreachable { what: url.to_owned(), reason };
    let parsed = Url::parse(url).map_err(|error| cannot(error.to_string()))?;
    let mut request = client().map_err(|error| cannot(chain(&error)))?.get(parsed);
    if let Some(login) = login {
        request = request.basic_auth(&login.username, Some(&login.password));
    }
    let mut response = request.send().await.map_err(|error| cannot(chain(&error)))?;
    if !response.status().is_success() {
        return Err(cannot(response.status().to_string()));
    }
    let mut content = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| cannot(chain(&error)))? {
        if content.len() as u64 + chunk.len() as u64 > most {
            return Err(cannot(format!("more than {} MiB", most >> 20)));
        }
        content.extend_from_slice(&chunk);
    }
    Ok(content)
}

fn client() -> reqwest::Result<Client> {
    use_ring();
    Client::builder()
        .user_agent(concat!("boathook/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .redirect(redirect::Policy::limited(REDIRECTS))
        .build()
}

/// Names the provider of cryptography, of which the program has one. Only the first call counts.
pub(super) fn use_ring() {
    drop(rustls::crypto::ring::default_provider().install_default());
}

/// An error with its causes: reqwest's own says only which URL.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut causes: Vec<String> =
        std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect();
    // The URL is said already.
    if causes.len() > 1 {
        causes.remove(0);
    }
    causes.join(": ")
}
