//! Addresses: what an IP address reaches, and the second half of the decision on an HTTP request. Forms of IPv6 that
//! carry an IPv4 address are judged by it, because that is where the packets go.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use url::Host;

use super::{Denial, Grant, HttpRequest};
use crate::permissions::Network;

/// What an address reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// The internet.
    Public,
    /// Private ranges, unique-local ranges and carrier NAT (which clusters use for pods).
    Private,
    /// This machine.
    Loopback,
    /// A cloud's metadata service, which hands out its credentials.
    Metadata,
    /// Anything else: unspecified, link-local, multicast, broadcast, documentation, benchmark, reserved.
    Special,
}

/// Names of metadata services.
const METADATA_NAMES: [&str; 6] = [
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "instance-data",
    "instance-data.ec2.internal",
    "metadata.tencentyun.com",
];
/// Ports of API servers, kubelets and etcd, on addresses that are not public.
const CLUSTER_PORTS: [u16; 7] = [2379, 2380, 6443, 10250, 10255, 10257, 10259];

/// Which addresses may be dialled for a request that [`super::authorize`] allowed, given all that its host resolved to.
/// All or nothing: an answer that mixes addresses is how a name is rebound, so one that is not allowed denies the whole.
/// Dial only what this returns.
///
/// # Errors
/// A [`Denial`] if no rule that covers the request allows every address.
pub fn authorize_addresses(
    grant: &Grant,
    request: &HttpRequest,
    addresses: &[IpAddr],
) -> Result<Vec<IpAddr>, Denial> {
    if addresses.is_empty() {
        return Err(request.never("the host's name has no address"));
    }
    if let Host::Domain(name) = request.url().host()
        && let Some(reason) = never_name(name)
    {
        return Err(request.never(reason));
    }
    let port = request.url().port();
    for address in addresses {
        let socket = SocketAddr::new(canonical(*address), port);
        if grant.api_servers.iter().any(|api| SocketAddr::new(canonical(api.ip()), api.port()) == socket) {
            return Err(request.never("it is the Kubernetes API: use the kubernetes interface"));
        }
    }
    let reached: Vec<Reach> = addresses.iter().map(|address| reach(*address)).collect();
    if reached.contains(&Reach::Metadata) {
        return Err(request.never("the host's name resolves to cloud metadata"));
    }
    if reached.contains(&Reach::Special) {
        return Err(request.never("the host's name resolves to an address in a special range"));
    }
    if CLUSTER_PORTS.contains(&port) && reached.iter().any(|reach| *reach != Reach::Public) {
        return Err(request.never("it is a port of the cluster's own components"));
    }
    if request
        .granted_networks(grant)
        .iter()
        .any(|network| reached.iter().all(|reach| within(*network, *reach)))
    {
        return Ok(addresses.to_vec());
    }
    let enough = [Network::Public, Network::Cluster, Network::Loopback]
        .into_iter()
        .find(|network| reached.iter().all(|reach| within(*network, *reach)));
    match enough {
        Some(network) => {
            Err(request.denial("the host's name resolves to addresses outside the granted network", network))
        }
        None => Err(request.never("the host's name resolves to this machine and to others at once")),
    }
}

fn within(network: Network, reach: Reach) -> bool {
    match network {
        Network::Public => reach == Reach::Public,
        Network::Cluster => matches!(reach, Reach::Public | Reach::Private),
        Network::Loopback => reach == Reach::Loopback,
    }
}

/// Why a name is never resolved, if it is not.
pub(super) fn never_name(name: &str) -> Option<&'static str> {
    if METADATA_NAMES.contains(&name) {
        return Some("cloud metadata is never reachable");
    }
    let api = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"];
    if api.contains(&name) || name.starts_with("kubernetes.default.svc.") {
        return Some("it is the Kubernetes API: use the kubernetes interface");
    }
    None
}

/// What an address reaches.
pub fn reach(address: IpAddr) -> Reach {
    match canonical(address) {
        IpAddr::V4(v4) => reach_v4(v4),
        IpAddr::V6(v6) => reach_v6(v6),
    }
}

/// The kernel sends IPv4-mapped addresses as IPv4.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    let [a, b, c, d] = address.octets();
    match (a, b, c, d) {
        // AWS and most others, ECS, EKS, Alibaba, Azure, Oracle.
        (169, 254, 169, 254)
        | (169, 254, 170, 2 | 23)
        | (100, 100, 100, 200)
        | (168, 63, 129, 16)
        | (192, 0, 0, 192) => Reach::Metadata,
        (127, ..) => Reach::Loopback,
        (10, ..) | (172, 16..=31, ..) | (192, 168, ..) | (100, 64..=127, ..) => Reach::Private,
        (0, ..)
        | (169, 254, ..)
        | (192, 0, 0 | 2, _)
        | (192, 88, 99, _)
        | (198, 18 | 19, ..)
        | (198, 51, 100, _)
        | (203, 0, 113, _)
        | (224.., ..) => Reach::Special,
        _ => Reach::Public,
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    let segments = address.segments();
    let [.., g, h] = segments;
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 1] => Reach::Loopback,
        [0, 0, 0, 0, 0, 0, 0, 0] => Reach::Special,
        // AWS, Google.
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => Reach::Metadata,
        // IPv4-compatible and NAT64.
        [0, 0, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => embedded(g, h),
        // 6to4.
        [0x2002, high, low, ..] => embedded(high, low),
        // Teredo: the server, and the client with its bits turned over.
        [0x2001, 0, server_high, server_low, ..] => {
            match (embedded(server_high, server_low), embedded(!g, !h)) {
                (Reach::Public, client) => client,
                (Reach::Metadata, _) | (_, Reach::Metadata) => Reach::Metadata,
                (server, _) => server,
            }
        }
        // The rest of the IETF's block, documentation.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Reach::Special,
        [0x2000..=0x3fff, ..] => Reach::Public,
        [0xfc00..=0xfdff, ..] => Reach::Private,
        // Link-local, site-local, multicast, local NAT64, discard, segment routing, what is not allocated.
        _ => Reach::Special,
    }
}

/// Judges an embedded IPv4 address. Such a packet leaves the machine, so one to its loopback goes nowhere good.
fn embedded(high: u16, low: u16) -> Reach {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    match reach_v4(Ipv4Addr::new(a, b, c, d)) {
        Reach::Loopback => Reach::Special,
        reach @ (Reach::Public | Reach::Private | Reach::Metadata | Reach::Special) => reach,
    }
}
