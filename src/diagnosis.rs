//! Which fault it is: makes a fault of an answer, or of an error of the connection.

use std::error::Error;
use std::io;
use std::time::Duration;

use reqwest::header::{HeaderMap, LOCATION, WWW_AUTHENTICATE};
use reqwest::{StatusCode, Url};
use rustls::{AlertDescription, CertificateError, OtherError};

use crate::failure::{Failure, error_chain};
use crate::fault::Fault;
use crate::tls::{ClientCertificateStatus, UntrustedChain, is_webpki};

/// Words on the pages of proxies, in lower case, and their faults. To add a proxy's page, add its words here.
const PAGES: [(&str, Fault); 7] = [
    // nginx
    ("plain http request was sent to https port", Fault::NotHttp),
    ("no required ssl certificate was sent", Fault::ClientCertificateRequired),
    ("the ssl certificate error", Fault::ClientCertificateRefused),
    // Caddy
    ("client sent an http request to an https server", Fault::NotHttp),
    // Apache
    ("speaking plain http to an ssl-enabled server port", Fault::NotHttp),
    // Cloudflare
    ("challenge-platform", Fault::Firewall),
    ("<title>just a moment", Fault::Firewall),
];

/// Apache answers 502 when its own timeout is over (others: 504), but also at once when nobody listens.
const APACHE_TIMEOUT: Duration = Duration::from_secs(1);

/// An answer, whoever gave it.
pub struct RawAnswer {
    /// The address that was asked.
    pub url: Url,
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The whole body of a 2xx; the beginning of an error page.
    pub body: Vec<u8>,
    /// The time until the headers came.
    pub waited: Duration,
}

/// Whether the body is Home Assistant's own refusal with this status: aiohttp's plain text, such as `404: Not Found`.
/// Proxies pass it on as it is, so headers such as `Server: cloudflare` do not tell who refused.
pub fn is_home_assistant(status: StatusCode, body: &[u8]) -> bool {
    let own = format!("{}: {}", status.as_str(), status.canonical_reason().unwrap_or_default());
    body.trim_ascii() == own.as_bytes()
}

/// Classifies an answer that Alexa cannot use.
pub fn classify_answer(answer: &RawAnswer) -> Fault {
    let RawAnswer { url, status, headers, waited, .. } = answer;
    let is_home_assistant = is_home_assistant(*status, &answer.body);
    let body = String::from_utf8_lossy(&answer.body).to_ascii_lowercase();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_page = header("content-type").starts_with("text/html") || body.trim_start().starts_with('<');
    if headers.contains_key("cf-mitigated") {
        return Fault::Firewall;
    }
    if let Some((_, fault)) = PAGES.iter().find(|(words, _)| body.contains(words)) {
        return *fault;
    }
    match status.as_u16() {
        200..300 if is_page => Fault::NotHomeAssistant,
        200..300 if body.trim().is_empty() => Fault::EmptyAnswer,
        200..300 => Fault::UnusableAnswer,
        300..400 => match redirect_target(url, headers) {
            Some(target) if is_login(url, &target) => Fault::LoginRequired,
            Some(_) => Fault::Redirected,
            None => Fault::UnexpectedAnswer,
        },
        400 => Fault::ProxyNotTrusted,
        401 if headers.contains_key(WWW_AUTHENTICATE) => Fault::LoginRequired,
        401 if is_home_assistant => Fault::TokenRefused,
        401 if is_page => Fault::LoginPageOrTokenRefused,
        401 => Fault::LoginRequired,
        403 if is_home_assistant => Fault::Banned,
        403 => Fault::Firewall,
        404 if is_home_assistant && url.path().ends_with("/smart_home") => Fault::SmartHomeNotEnabled,
        404 if is_home_assistant => Fault::AlexaNotEnabled,
        404 | 405 => Fault::NotHomeAssistant,
        429 => Fault::RateLimited,
        502 if header("server").starts_with("Apache") && *waited >= APACHE_TIMEOUT => Fault::ProxyTimeout,
        504 | 524 => Fault::ProxyTimeout,
        502 | 503 | 520..=530 => Fault::BadGateway,
        500..600 => Fault::ServerError,
        _ => Fault::UnexpectedAnswer,
    }
}

/// Adds the status and the headers that show who gave the answer.
pub fn add_response(failure: Failure, answer: &RawAnswer) -> Failure {
    Failure { status: Some(answer.status), response: Some(describe_response(answer)), ..failure }
}

/// Leaves out the query of a `Location`: access proxies put tokens into it.
fn describe_response(RawAnswer { url, status, headers, .. }: &RawAnswer) -> String {
    const SHOWN: [&str; 6] = ["server", "content-type", "via", "www-authenticate", "cf-mitigated", "cf-ray"];
    let mut response = format!("status {}", status.as_u16());
    for name in SHOWN {
        if let Some(value) = headers.get(name) {
            let value: String = String::from_utf8_lossy(value.as_bytes()).chars().take(100).collect();
            response = format!("{response}, {name}: {value}");
        }
    }
    if let Some(target) = redirect_target(url, headers) {
        let target = format!("{}{}", target.origin().ascii_serialization(), target.path());
        response = format!("{response}, location: {}", target.chars().take(300).collect::<String>());
    }
    response
}

fn redirect_target(url: &Url, headers: &HeaderMap) -> Option<Url> {
    url.join(headers.get(LOCATION)?.to_str().ok()?).ok()
}

/// A redirect that keeps the path means a wrong `BASE_URL`; one to another page means a login.
fn is_login(url: &Url, target: &Url) -> bool {
    let path = target.path().to_ascii_lowercase();
    let elsewhere = target.host_str() != url.host_str() && !path.contains("/api/alexa");
    elsewhere || ["login", "signin", "sign-in", "/auth", "oauth", "/access/"].iter().any(|word| path.contains(word))
}

/// Classifies an error of a connection to `base_url`. Nothing tells a server that refuses a client certificate by closing
/// the connection from one that closes it for another reason, but for what the server requested before.
pub fn classify_error(
    error: &reqwest::Error,
    base_url: &Url,
    is_sent: bool,
    client_certificate: ClientCertificateStatus,
) -> Fault {
    let closed = match client_certificate {
        // Home Assistant closes so if it does not get the client certificate that it requests.
        ClientCertificateStatus::NotShown => Fault::ClientCertificateRequired,
        ClientCertificateStatus::Shown => Fault::ClientCertificateRefused,
        _ if error.is_connect() && base_url.scheme() == "https" => Fault::HandshakeClosed,
        _ if !is_sent => Fault::ClosedUnsent,
        _ => Fault::ConnectionClosed,
    };
    if let Some(error) = find_cause(error) {
        return classify_tls_error(error, client_certificate).unwrap_or(closed);
    }
    match find_cause(error).map(io::Error::kind) {
        _ if error.is_dns() => Fault::NameNotFound,
        _ if error.is_timeout() && error.is_connect() => Fault::NoConnection,
        _ if error.is_timeout() => Fault::Unacknowledged,
        Some(io::ErrorKind::ConnectionRefused) => Fault::Refused,
        Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => closed,
        Some(_) if error.is_connect() => Fault::NoConnection,
        _ if find_cause::<hyper::Error>(error).is_some_and(hyper::Error::is_parse) => Fault::NotHttp,
        _ => closed,
    }
}

/// The innermost cause of this type.
fn find_cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    error_chain(error).filter_map(|cause| cause.downcast_ref()).last()
}

/// Classifies an error of TLS; `None` if it only says that the connection was closed.
fn classify_tls_error(error: &rustls::Error, client_certificate: ClientCertificateStatus) -> Option<Fault> {
    use AlertDescription as Alert;
    use ClientCertificateStatus as Status;
    use rustls::Error as E;
    Some(match error {
        error if is_webpki(error, &webpki::Error::UnsupportedCertVersion) => Fault::CertificateVersion1,
        E::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Fault::CertificateExpired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Fault::CertificateNotYetValid
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Fault::CertificateForOtherName
            }
            _ => Fault::BadCertificate,
        },
        E::Other(OtherError(other)) if other.downcast_ref::<UntrustedChain>()?.is_alone => Fault::IncompleteChain,
        E::Other(_) => Fault::UntrustedCertificate,
        E::InvalidMessage(_) => Fault::NotTls,
        // A server requests a client certificate only once it has agreed on a version and a cipher.
        E::AlertReceived(Alert::HandshakeFailure) => match client_certificate {
            Status::NotRequested => Fault::UnsupportedTls,
            Status::NotShown | Status::Optional => Fault::ClientCertificateRequired,
            Status::Shown | Status::Accepted => Fault::ClientCertificateRefused,
        },
        E::PeerIncompatible(_) | E::AlertReceived(Alert::ProtocolVersion) => Fault::UnsupportedTls,
        E::AlertReceived(Alert::CertificateRequired | Alert::BadCertificate) => match client_certificate {
            Status::Shown | Status::Accepted => Fault::ClientCertificateRefused,
            _ => Fault::ClientCertificateRequired,
        },
        // No site of this name: nginx' ssl_reject_handshake and HAProxy send the first, Caddy the second.
        E::AlertReceived(Alert::UnrecognisedName | Alert::InternalError) => Fault::CertificateForOtherName,
        E::AlertReceived(
            Alert::UnknownCA
            | Alert::CertificateUnknown
            | Alert::CertificateExpired
            | Alert::CertificateRevoked
            | Alert::UnsupportedCertificate
            | Alert::AccessDenied
            | Alert::DecryptError,
        ) => Fault::ClientCertificateRefused,
        _ => return None,
    })
}
