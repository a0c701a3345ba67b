//! Which fault it is, read from an answer or from an error of the connection.

use std::error::Error;
use std::io;

use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{StatusCode, Url};
use rustls::{AlertDescription, CertificateError, OtherError};

use crate::fault::{Fault, chain};
use crate::tls::{ClientCertificate, UntrustedChain};

/// What proxies say on pages of their own, in lower case, and what it means.
const PAGES: [(&str, Fault); 5] = [
    // nginx
    ("plain http request was sent to https port", Fault::NOT_HTTP),
    ("no required ssl certificate was sent", Fault::CLIENT_CERTIFICATE_REQUIRED),
    ("the ssl certificate error", Fault::CLIENT_CERTIFICATE_REFUSED),
    // Cloudflare
    ("challenge-platform", Fault::FIREWALL),
    ("<title>just a moment", Fault::FIREWALL),
];

/// The fault behind an answer that is not one for Alexa: its status, its headers, and the beginning of its body.
pub fn of_answer(endpoint: &Url, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Fault {
    let body = String::from_utf8_lossy(body).to_ascii_lowercase();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_page = header("content-type").starts_with("text/html") || body.trim_start().starts_with('<');
    let is_cloudflare = headers.contains_key("cf-ray") || header("server").eq_ignore_ascii_case("cloudflare");
    // Home Assistant's own errors are aiohttp's: "404: Not Found", in plain text. A proxy passes them on as they are,
    // so the marks of Cloudflare on an answer do not say that Cloudflare gave it.
    let is_home_assistant = body.starts_with(&format!("{}: ", status.as_str()));
    if headers.contains_key("cf-mitigated") {
        return Fault::FIREWALL;
    }
    if let Some((_, fault)) = PAGES.iter().find(|(words, _)| body.contains(words)) {
        return *fault;
    }
    match status.as_u16() {
        200..300 if is_page => Fault::NOT_HOME_ASSISTANT,
        300..400 => match target(endpoint, headers) {
            Some(target) if is_login(endpoint, &target) => Fault::LOGIN_REQUIRED,
            Some(_) => Fault::REDIRECTED,
            None => Fault::UNEXPECTED_ANSWER,
        },
        400 => Fault::PROXY_NOT_TRUSTED,
        401 => Fault::TOKEN_REFUSED,
        403 if !is_home_assistant && (is_cloudflare || is_page) => Fault::FIREWALL,
        403 => Fault::BANNED,
        404 if is_home_assistant => Fault::ALEXA_NOT_ENABLED,
        404 | 405 => Fault::NOT_HOME_ASSISTANT,
        429 => Fault::FIREWALL,
        502..=504 | 520..=530 => Fault::BAD_GATEWAY,
        500..600 => Fault::SERVER_ERROR,
        _ => Fault::UNEXPECTED_ANSWER,
    }
}

/// What tells who gave an answer: its status and some of its headers. The query of a `Location` is left out, for access
/// proxies put tokens into it.
pub fn response(endpoint: &Url, status: StatusCode, headers: &HeaderMap) -> String {
    const TELLING: [&str; 6] = ["server", "content-type", "via", "www-authenticate", "cf-mitigated", "cf-ray"];
    let mut response = format!("status {}", status.as_u16());
    for name in TELLING {
        if let Some(value) = headers.get(name) {
            let value: String = String::from_utf8_lossy(value.as_bytes()).chars().take(100).collect();
            response = format!("{response}, {name}: {value}");
        }
    }
    if let Some(mut target) = target(endpoint, headers) {
        target.set_query(None);
        target.set_fragment(None);
        // Fails only for addresses that cannot have one.
        let _ = target.set_username("");
        let _ = target.set_password(None);
        let target: String = target.as_str().chars().take(300).collect();
        response = format!("{response}, location: {target}");
    }
    response
}

fn target(endpoint: &Url, headers: &HeaderMap) -> Option<Url> {
    endpoint.join(headers.get(LOCATION)?.to_str().ok()?).ok()
}

/// A redirect that keeps the path means a typo in `BASE_URL`; one to a page elsewhere means somebody wants a login.
fn is_login(endpoint: &Url, target: &Url) -> bool {
    let path = target.path().to_ascii_lowercase();
    let elsewhere = target.host_str() != endpoint.host_str() && !path.ends_with("/api/alexa");
    elsewhere || ["login", "signin", "sign-in", "/auth", "oauth", "/access/"].iter().any(|word| path.contains(word))
}

/// The fault behind an error of the connection to `endpoint`.
pub fn of_error(error: &reqwest::Error, endpoint: &Url, client_certificate: &ClientCertificate) -> Fault {
    let rejection = client_certificate.rejection().filter(|_| !client_certificate.is_accepted());
    let in_handshake = error.is_connect() && endpoint.scheme() == "https";
    // Home Assistant closes without a word where it does not get the client certificate that it requests.
    let closed = rejection.unwrap_or(if in_handshake { Fault::HANDSHAKE_CLOSED } else { Fault::CONNECTION_CLOSED });
    if let Some(error) = find(error) {
        return of_tls(error).unwrap_or(closed);
    }
    match find(error).map(io::Error::kind) {
        _ if error.is_dns() => Fault::NAME_NOT_FOUND,
        _ if error.is_timeout() && error.is_connect() => Fault::NO_CONNECTION,
        _ if error.is_timeout() => Fault::UNACKNOWLEDGED,
        Some(io::ErrorKind::ConnectionRefused) => Fault::REFUSED,
        Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => closed,
        Some(_) if error.is_connect() => Fault::NO_CONNECTION,
        _ if find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse) => Fault::NOT_HTTP,
        _ => closed,
    }
}

/// The innermost cause of this kind.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    chain(error).filter_map(|cause| cause.downcast_ref()).last()
}

/// The fault behind an error of TLS, where it says more than that the connection was closed.
fn of_tls(error: &rustls::Error) -> Option<Fault> {
    use AlertDescription as Alert;
    use rustls::Error as E;
    Some(match error {
        E::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Fault::CERTIFICATE_EXPIRED,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Fault::CERTIFICATE_NOT_YET_VALID
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Fault::CERTIFICATE_FOR_OTHER_NAME
            }
            _ => Fault::BAD_CERTIFICATE,
        },
        E::Other(OtherError(other)) if other.downcast_ref::<UntrustedChain>()?.is_alone => Fault::INCOMPLETE_CHAIN,
        E::Other(_) => Fault::UNTRUSTED_CERTIFICATE,
        E::InvalidMessage(_) => Fault::NOT_TLS,
        E::PeerIncompatible(_) | E::AlertReceived(Alert::ProtocolVersion | Alert::HandshakeFailure) => {
            Fault::UNSUPPORTED_TLS
        }
        E::AlertReceived(Alert::CertificateRequired | Alert::BadCertificate) => Fault::CLIENT_CERTIFICATE_REQUIRED,
        // A server that knows no site of this name, as nginx' ssl_reject_handshake has it.
        E::AlertReceived(Alert::UnrecognisedName) => Fault::CERTIFICATE_FOR_OTHER_NAME,
        E::AlertReceived(
            Alert::UnknownCA
            | Alert::CertificateUnknown
            | Alert::CertificateExpired
            | Alert::CertificateRevoked
            | Alert::UnsupportedCertificate
            | Alert::AccessDenied
            | Alert::DecryptError,
        ) => Fault::CLIENT_CERTIFICATE_REFUSED,
        _ => return None,
    })
}
