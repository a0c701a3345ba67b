//! Which fault it is, read from an answer or from an error of the connection.

use std::error::Error;
use std::io;
use std::time::Duration;

use reqwest::header::{HeaderMap, LOCATION, WWW_AUTHENTICATE};
use reqwest::{StatusCode, Url};
use rustls::{AlertDescription, CertificateError, OtherError};

use crate::fault::{ErrorType, Fault, chain};
use crate::tls::{ClientCertificate, UntrustedChain, is_webpki};

/// What proxies say on pages of their own, in lower case, and what it means.
const PAGES: [(&str, Fault); 7] = [
    // nginx
    ("plain http request was sent to https port", Fault::NOT_HTTP),
    ("no required ssl certificate was sent", Fault::CLIENT_CERTIFICATE_REQUIRED),
    ("the ssl certificate error", Fault::CLIENT_CERTIFICATE_REFUSED),
    // Caddy
    ("client sent an http request to an https server", Fault::NOT_HTTP),
    // Apache
    ("speaking plain http to an ssl-enabled server port", Fault::NOT_HTTP),
    // Cloudflare
    ("challenge-platform", Fault::FIREWALL),
    ("<title>just a moment", Fault::FIREWALL),
];

/// How long Apache has waited at least where its 502 means its own timeout, for which others answer 504.
const APACHE_TIMEOUT: Duration = Duration::from_secs(1);

/// An answer as it came, whoever gave it.
pub struct RawAnswer {
    /// What was asked.
    pub url: Url,
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Of an error's page, the beginning.
    pub body: Vec<u8>,
    /// How long the headers were waited for.
    pub waited: Duration,
}

/// Whether Home Assistant itself refuses a request with this status. Its refusals are aiohttp's: "404: Not Found", in
/// plain text. A proxy passes them on as they are, so a `Server: cloudflare` on an answer does not say that Cloudflare
/// gave it.
pub fn is_home_assistant(status: StatusCode, body: &[u8]) -> bool {
    let own = format!("{}: {}", status.as_str(), status.canonical_reason().unwrap_or_default());
    body.trim_ascii() == own.as_bytes()
}

/// The fault behind an answer that is not one for Alexa.
pub fn of_answer(answer: &RawAnswer) -> Fault {
    let RawAnswer { url, status, headers, waited, .. } = answer;
    let is_home_assistant = is_home_assistant(*status, &answer.body);
    let body = String::from_utf8_lossy(&answer.body).to_ascii_lowercase();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_page = header("content-type").starts_with("text/html") || body.trim_start().starts_with('<');
    if headers.contains_key("cf-mitigated") {
        return Fault::FIREWALL;
    }
    if let Some((_, fault)) = PAGES.iter().find(|(words, _)| body.contains(words)) {
        return *fault;
    }
    match status.as_u16() {
        200..300 if is_page => Fault::NOT_HOME_ASSISTANT,
        200..300 if body.trim().is_empty() => Fault::NOT_HOME_ASSISTANT.as_type(ErrorType::InternalError),
        200..300 => Fault::UNUSABLE_ANSWER,
        300..400 => match target(url, headers) {
            Some(target) if is_login(url, &target) => Fault::LOGIN_REQUIRED,
            Some(_) => Fault::REDIRECTED,
            None => Fault::UNEXPECTED_ANSWER,
        },
        400 => Fault::PROXY_NOT_TRUSTED,
        401 if headers.contains_key(WWW_AUTHENTICATE) => Fault::LOGIN_REQUIRED,
        401 if is_home_assistant => Fault::TOKEN_REFUSED,
        401 if is_page => Fault::LOGIN_PAGE_OR_TOKEN_REFUSED,
        401 => Fault::LOGIN_REQUIRED,
        403 if is_home_assistant => Fault::BANNED,
        403 => Fault::FIREWALL,
        404 if is_home_assistant && url.path().ends_with("/smart_home") => Fault::SMART_HOME_NOT_ENABLED,
        404 if is_home_assistant => Fault::ALEXA_NOT_ENABLED,
        404 | 405 => Fault::NOT_HOME_ASSISTANT,
        429 => Fault::RATE_LIMITED,
        502 if header("server").starts_with("Apache") && *waited >= APACHE_TIMEOUT => Fault::PROXY_TIMEOUT,
        504 | 524 => Fault::PROXY_TIMEOUT,
        502 | 503 | 520..=530 => Fault::BAD_GATEWAY,
        500..600 => Fault::SERVER_ERROR,
        _ => Fault::UNEXPECTED_ANSWER,
    }
}

/// What tells who gave an answer: its status and some of its headers. The query of a `Location` is left out, for access
/// proxies put tokens into it.
pub fn response(RawAnswer { url, status, headers, .. }: &RawAnswer) -> String {
    const TELLING: [&str; 6] = ["server", "content-type", "via", "www-authenticate", "cf-mitigated", "cf-ray"];
    let mut response = format!("status {}", status.as_u16());
    for name in TELLING {
        if let Some(value) = headers.get(name) {
            let value: String = String::from_utf8_lossy(value.as_bytes()).chars().take(100).collect();
            response = format!("{response}, {name}: {value}");
        }
    }
    if let Some(target) = target(url, headers) {
        let target = format!("{}{}", target.origin().ascii_serialization(), target.path());
        response = format!("{response}, location: {}", target.chars().take(300).collect::<String>());
    }
    response
}

fn target(url: &Url, headers: &HeaderMap) -> Option<Url> {
    url.join(headers.get(LOCATION)?.to_str().ok()?).ok()
}

/// A redirect that keeps the path means a typo in `BASE_URL`; one to a page elsewhere means somebody wants a login.
fn is_login(url: &Url, target: &Url) -> bool {
    let path = target.path().to_ascii_lowercase();
    let elsewhere = target.host_str() != url.host_str() && !path.contains("/api/alexa");
    elsewhere || ["login", "signin", "sign-in", "/auth", "oauth", "/access/"].iter().any(|word| path.contains(word))
}

/// The fault behind an error of the connection to `base_url`.
pub fn of_error(error: &reqwest::Error, base_url: &Url, client_certificate: &ClientCertificate) -> Fault {
    let rejection = client_certificate.rejection();
    let in_handshake = error.is_connect() && base_url.scheme() == "https";
    // Home Assistant closes without a word where it does not get the client certificate that it requests.
    let silence = rejection.filter(|_| !client_certificate.is_accepted());
    let closed = silence.unwrap_or(if in_handshake { Fault::HANDSHAKE_CLOSED } else { Fault::CONNECTION_CLOSED });
    if let Some(error) = find(error) {
        return of_tls(error, rejection).unwrap_or(closed);
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
fn of_tls(error: &rustls::Error, rejection: Option<Fault>) -> Option<Fault> {
    use AlertDescription as Alert;
    use rustls::Error as E;
    Some(match error {
        error if is_webpki(error, &webpki::Error::UnsupportedCertVersion) => Fault::CERTIFICATE_VERSION_1,
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
        // A server requests a client certificate only once it has agreed on a version and a cipher.
        E::AlertReceived(Alert::HandshakeFailure) => rejection.unwrap_or(Fault::UNSUPPORTED_TLS),
        E::PeerIncompatible(_) | E::AlertReceived(Alert::ProtocolVersion) => Fault::UNSUPPORTED_TLS,
        E::AlertReceived(Alert::CertificateRequired | Alert::BadCertificate) => {
            rejection.unwrap_or(Fault::CLIENT_CERTIFICATE_REQUIRED)
        }
        // A server that knows no site of this name: nginx' ssl_reject_handshake and HAProxy say the first, Caddy the second.
        E::AlertReceived(Alert::UnrecognisedName | Alert::InternalError) => Fault::CERTIFICATE_FOR_OTHER_NAME,
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
