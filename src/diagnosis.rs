//! Which fault it is: makes a fault of an answer, or of an error of the connection.

use std::error::Error;
use std::io;
use std::time::Duration;

use reqwest::header::WWW_AUTHENTICATE;
use reqwest::{StatusCode, Url};
use rustls::{AlertDescription, OtherError};

use crate::failure::{RawAnswer, error_chain};
use crate::fault::Fault;
use crate::tls::{CertificateProblem, ClientCertificate, ClientCertificateStatus, is_webpki};

/// Words on the pages of proxies, in lower case, and their faults. To add a proxy's page, add its words here.
const PAGES: [(&str, Fault); 6] = [
    // nginx
    ("plain http request was sent to https port", Fault::NotHttp),
    ("no required ssl certificate was sent", Fault::ClientCertificateRequired),
    ("the ssl certificate error", Fault::ClientCertificateRefused),
    // Caddy
    ("client sent an http request to an https server", Fault::NotHttp),
    // Apache
    ("speaking plain http to an ssl-enabled server port", Fault::NotHttp),
    // Cloudflare
    ("<title>just a moment", Fault::Firewall),
];

/// Apache answers 502 when its own timeout is over (others: 504), but also at once when nobody listens.
const APACHE_TIMEOUT: Duration = Duration::from_secs(1);

/// What is known of a connection that fails.
pub struct Attempt<'a> {
    pub is_https: bool,
    /// It was made for this request, and was not idle before.
    pub is_new: bool,
    /// A byte of the request may have arrived.
    pub is_sent: bool,
    pub client_certificate: &'a ClientCertificate,
}

/// Whether the body is Home Assistant's own refusal with this status: aiohttp's plain text, such as `404: Not Found`.
/// Proxies pass it on as it is, so headers such as `Server: cloudflare` do not tell who refused.
pub fn is_home_assistant(status: StatusCode, body: &[u8]) -> bool {
    let own = format!("{}: {}", status.as_str(), status.canonical_reason().unwrap_or_default());
    body.trim_ascii() == own.as_bytes()
}

/// Classifies an answer that Alexa cannot use.
pub fn classify_answer(answer: &RawAnswer) -> Fault {
    let RawAnswer { url, status, waited, .. } = answer;
    let is_home_assistant = is_home_assistant(*status, &answer.body);
    let body = String::from_utf8_lossy(&answer.body).to_ascii_lowercase();
    // Home Assistant has this header from 2026.11 on, and a proxy that replaces its page keeps the header.
    let authenticate = answer.header(WWW_AUTHENTICATE.as_str());
    let is_own_401 = authenticate.contains("resource_metadata=");
    let wants_login = !is_own_401 && answer.headers.contains_key(WWW_AUTHENTICATE);
    let is_page = answer.header("content-type").starts_with("text/html") || body.trim_start().starts_with('<');
    if answer.headers.contains_key("cf-mitigated") {
        return Fault::Firewall;
    }
    // The tunnel is offline. ngrok answers 404 then.
    if answer.header("ngrok-error-code") == "ERR_NGROK_3200" {
        return Fault::BadGateway;
    }
    match PAGES.iter().find(|(words, _)| body.contains(words)) {
        // The proxy in front speaks plain HTTP to the https port of the next one.
        Some((_, Fault::NotHttp)) if url.scheme() == "https" => return Fault::BadGateway,
        Some((_, fault)) => return *fault,
        None => {}
    }
    match status.as_u16() {
        200..300 if is_page => Fault::NotHomeAssistant,
        200..300 if body.trim().is_empty() => Fault::EmptyAnswer,
        200..300 => Fault::UnusableAnswer,
        300..400 => match answer.redirect_target() {
            Some(target) if is_login(url, &target) => Fault::LoginRequired,
            Some(_) => Fault::Redirected,
            None => Fault::UnexpectedAnswer,
        },
        400 if is_home_assistant => Fault::ProxyNotTrusted,
        400 => Fault::BadRequest,
        401 if is_home_assistant && !wants_login => Fault::TokenRefused,
        401 if is_page && !wants_login || is_own_401 => Fault::LoginPageOrTokenRefused,
        401 => Fault::LoginRequired,
        403 if is_home_assistant => Fault::Banned,
        403 => Fault::Firewall,
        404 if is_home_assistant => match url.path() {
            "/api/alexa" => Fault::AlexaNotEnabled,
            "/api/alexa/smart_home" => Fault::SmartHomeNotEnabled,
            _ => Fault::PathInBaseUrl,
        },
        404 | 405 => Fault::NotHomeAssistant,
        413 => Fault::RequestTooLarge,
        421 => Fault::NameNotServed,
        429 => Fault::RateLimited,
        502 if answer.header("server").starts_with("Apache") && *waited >= APACHE_TIMEOUT => Fault::ProxyTimeout,
        504 | 524 => Fault::ProxyTimeout,
        525 | 526 => Fault::OriginCertificate,
        502 | 503 | 520..=530 => Fault::BadGateway,
        500 if is_page || body.trim() == "internal server error" => Fault::ProxyError,
        500..600 => Fault::ServerError,
        _ => Fault::UnexpectedAnswer,
    }
}

/// Whether a redirect leads to a login. Others are a move, to https:// or www; or look like one.
fn is_login(url: &Url, target: &Url) -> bool {
    const WORDS: [&str; 11] =
        ["login", "logon", "signin", "sign-in", "/auth", "auth.", "oauth", "/sso", "sso.", "/access/", "accounts."];
    const RETURN: [&str; 5] = ["rd=", "return", "redirect", "next=", "continue="];
    let path = target.path().to_ascii_lowercase();
    let host = target.host_str().filter(|host| Some(*host) != url.host_str()).unwrap_or_default();
    let query = target.query().unwrap_or_default();
    let (place, has_return) = (format!("{host}{path}"), RETURN.iter().any(|word| query.contains(word)));
    let is_move = ["/api/alexa", "/auth/token"].iter().any(|own| path.contains(own));
    !is_move && (has_return || WORDS.iter().any(|word| place.contains(word)))
}

/// Classifies an error of a connection.
pub fn classify_error(error: &reqwest::Error, attempt: &Attempt<'_>) -> Fault {
    let status = attempt.client_certificate.status();
    let closed = match status {
        // Home Assistant closes the connection if it does not get the client certificate that it requests.
        ClientCertificateStatus::NotShown => Fault::ClientCertificateRequired,
        ClientCertificateStatus::Shown => Fault::ClientCertificateRefused,
        _ if error.is_connect() && attempt.is_https => Fault::HandshakeClosed,
        _ if !attempt.is_sent => Fault::ClosedUnsent,
        _ if attempt.is_https => Fault::ConnectionClosed,
        _ => Fault::PlainConnectionClosed,
    };
    if let Some(error) = find_cause(error) {
        return classify_tls_error(error, status).unwrap_or(closed);
    }
    match find_cause(error).map(io::Error::kind) {
        _ if error.is_timeout() && error.is_connect() && attempt.client_certificate.is_handshaking() => {
            Fault::HandshakeSilent
        }
        _ if error.is_timeout() && error.is_connect() => Fault::NoConnection,
        _ if error.is_timeout() && attempt.is_new => Fault::UnacknowledgedNew,
        _ if error.is_timeout() => Fault::Unacknowledged,
        Some(io::ErrorKind::ConnectionRefused) => Fault::Refused,
        Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => closed,
        Some(_) if error.is_connect() => Fault::NoConnection,
        _ => match find_cause::<hyper::Error>(error).filter(|error| error.is_parse()) {
            // hyper's text alone tells what does not begin like an answer from what has a broken head.
            Some(error) if !error.to_string().contains("version") => Fault::BrokenHead,
            Some(_) if attempt.is_https => Fault::UnexpectedAnswer,
            Some(_) => Fault::NotHttp,
            None => closed,
        },
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
    use rustls::CertificateError as C;
    use rustls::Error as E;
    // Whose fault an alert is if it is about the client certificate.
    let rejection = match client_certificate {
        Status::NotRequested => None,
        Status::NotShown | Status::Optional => Some(Fault::ClientCertificateRequired),
        Status::Shown | Status::Accepted => Some(Fault::ClientCertificateRefused),
    };
    Some(match error {
        error if is_webpki(error, &webpki::Error::UnsupportedCertVersion) => Fault::CertificateVersion1,
        E::InvalidCertificate(error) => match error {
            C::Expired | C::ExpiredContext { .. } => Fault::CertificateExpired,
            C::NotValidYet | C::NotValidYetContext { .. } => Fault::CertificateNotYetValid,
            _ => Fault::BadCertificate,
        },
        E::Other(OtherError(other)) => other.downcast_ref::<CertificateProblem>()?.fault,
        E::InvalidMessage(_) => Fault::NotTls,
        // A server requests a client certificate only once it has agreed on a version and a cipher.
        E::AlertReceived(Alert::HandshakeFailure) => rejection.unwrap_or(Fault::UnsupportedTls),
        E::PeerIncompatible(_)
        | E::AlertReceived(Alert::ProtocolVersion | Alert::InsufficientSecurity | Alert::NoApplicationProtocol) => {
            Fault::UnsupportedTls
        }
        E::AlertReceived(Alert::CertificateRequired) => rejection.unwrap_or(Fault::ClientCertificateRequired),
        // No site of this name: nginx' ssl_reject_handshake and HAProxy send the first, Caddy the second.
        E::AlertReceived(Alert::UnrecognisedName | Alert::InternalError) => Fault::CertificateForOtherName,
        E::AlertReceived(
            Alert::BadCertificate
            | Alert::UnknownCA
            | Alert::CertificateUnknown
            | Alert::CertificateExpired
            | Alert::CertificateRevoked
            | Alert::UnsupportedCertificate
            | Alert::AccessDenied
            | Alert::DecryptError,
        ) => rejection.unwrap_or(Fault::HandshakeRefused),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_told_from_moves() {
        const LOGINS: &str = "/login /logon /signin /sign-in /auth //auth.example.com /oauth /sso //sso.example.com \
            /access/ //accounts.example.com /?rd=x /?return_to=x /?redirect_uri=x /?next=x /?continue=x";
        const MOVES: &str = "/ //www.example.org //auth.example.org:8443 //login.example.org/api/alexa /auth/token/";
        let url = Url::parse("https://auth.example.org/api/alexa").unwrap();
        for (targets, expected) in [(LOGINS, true), (MOVES, false)] {
            for target in targets.split(' ') {
                assert_eq!(is_login(&url, &url.join(target).unwrap()), expected, "{target}");
            }
        }
    }

    #[test]
    fn alerts_of_tls_are_told_apart() {
        use AlertDescription as Alert;
        use ClientCertificateStatus as Status;
        let [required, refused] = [Fault::ClientCertificateRequired, Fault::ClientCertificateRefused];
        let other_name = Fault::CertificateForOtherName;
        for (alerts, expected) in [
            (&[Alert::HandshakeFailure][..], [Fault::UnsupportedTls, required, refused]),
            (
                &[Alert::ProtocolVersion, Alert::InsufficientSecurity, Alert::NoApplicationProtocol],
                [Fault::UnsupportedTls; 3],
            ),
            (&[Alert::UnrecognisedName, Alert::InternalError], [other_name; 3]),
            (&[Alert::CertificateRequired], [required, required, refused]),
            (
                &[Alert::BadCertificate, Alert::UnknownCA, Alert::CertificateUnknown, Alert::CertificateExpired],
                [Fault::HandshakeRefused, required, refused],
            ),
            (
                &[Alert::CertificateRevoked, Alert::UnsupportedCertificate, Alert::AccessDenied, Alert::DecryptError],
                [Fault::HandshakeRefused, required, refused],
            ),
        ] {
            for alert in alerts {
                let found = [Status::NotRequested, Status::NotShown, Status::Shown]
                    .map(|status| classify_tls_error(&rustls::Error::AlertReceived(*alert), status));
                assert_eq!(found, expected.map(Some), "{alert:?}");
            }
        }
    }
}
