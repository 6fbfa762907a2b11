//! From a URL's host to addresses. It judges none of them.

use std::net::IpAddr;

use boathook_core::authorize::HttpUrl;
use url::Host;

use super::SendError;

/// All addresses of the host, in the resolver's order. A literal is its own address.
///
/// # Errors
/// [`SendError::Dns`] if there are none.
pub(crate) async fn resolve(url: &HttpUrl) -> Result<Vec<IpAddr>, SendError> {
    let name = match url.host() {
        Host::Ipv4(address) => return Ok(vec![IpAddr::V4(*address)]),
        Host::Ipv6(address) => return Ok(vec![IpAddr::V6(*address)]),
        Host::Domain(name) => name,
    };
    let found =
        tokio::net::lookup_host((name.as_str(), url.port())).await.map_err(|_unresolved| SendError::Dns)?;
    let mut addresses = Vec::new();
    for address in found {
        if !addresses.contains(&address.ip()) {
            addresses.push(address.ip());
        }
    }
    if addresses.is_empty() { Err(SendError::Dns) } else { Ok(addresses) }
}
