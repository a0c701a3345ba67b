//! Looks up the addresses of Home Assistant.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::Url;
use tokio::net::{UdpSocket, lookup_host};
use tokio::time::timeout;

use crate::failure::Failure;
use crate::fault::Fault;

/// How long a name server may take. The system's own limit is 10 s and more.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(4);

/// Returns the addresses of a URL's host that can be reached from here.
///
/// Without a route for IPv6, as in Lambda, those of IPv6 are left out: hyper would report their error instead of the one of
/// the IPv4 address. With a route they come first: if both families refuse, hyper reports the error of IPv4.
///
/// # Errors
/// There is no such address.
pub async fn lookup(url: &Url) -> Result<Vec<SocketAddr>, Failure> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let lookup = lookup_host((host, url.port_or_known_default().unwrap_or_default()));
    let mut addresses: Vec<_> = match timeout(LOOKUP_TIMEOUT, lookup).await {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => {
            // glibc's texts for EAI_AGAIN and EAI_FAIL, which std passes on without the codes.
            let text = error.to_string();
            let has_failed = ["Temporary failure", "Non-recoverable failure"].iter().any(|words| text.contains(words));
            let fault = if has_failed { Fault::NameServerFailed } else { Fault::NameNotFound };
            return Err(Failure::from(fault).with_source(error));
        }
        Err(_) => {
            return Err(Failure::from(Fault::NameServerFailed)
                .with_source(format!("no answer in {} s", LOOKUP_TIMEOUT.as_secs())));
        }
    };
    addresses.sort_by_key(SocketAddr::is_ipv4);
    if addresses.first().is_some_and(SocketAddr::is_ipv6) && !has_route(addresses[0]).await {
        addresses.retain(SocketAddr::is_ipv4);
    }
    if addresses.is_empty() { Err(Fault::OnlyIpv6.into()) } else { Ok(addresses) }
}

/// Whether there is a route to this IPv6 address. Sends nothing.
async fn has_route(address: SocketAddr) -> bool {
    let Ok(socket) = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).await else { return false };
    socket.connect(address).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine without IPv6 has no route to its own IPv6 address either.
    #[tokio::test]
    async fn ipv6_addresses_need_a_route() {
        let has_ipv6 = std::net::TcpListener::bind("[::1]:0").is_ok();
        let found = lookup(&Url::parse("http://[::1]:8123").unwrap()).await;
        assert_eq!(
            found.map_err(|failure| failure.fault),
            if has_ipv6 { Ok(vec!["[::1]:8123".parse().unwrap()]) } else { Err(Fault::OnlyIpv6) }
        );
        let found = lookup(&Url::parse("https://127.0.0.1").unwrap()).await.map_err(|failure| failure.fault);
        assert_eq!(found, Ok(vec!["127.0.0.1:443".parse().unwrap()]));
    }
}
