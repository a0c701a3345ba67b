//! Which fault it is: makes a fault of an answer, or of an error of the connection.

use std::error::Error;
use std::io;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::WWW_AUTHENTICATE;
use rustls::{AlertDescription, OtherError};

use crate::answer::{Answer, MAX_SHOWN};
use crate::failure::error_chain;
use crate::fault::Fault;
use crate::tls::CertificateProblem;

/// What pages say that tells what is wrong, as [`words`].
const PAGES: [(&str, Fault); 6] = [
    // nginx
    (" plain http request was sent to https port ", Fault::NotHttp),
    (" no required ssl certificate was sent ", Fault::ClientCertificateRequired),
    (" the ssl certificate error ", Fault::ClientCertificateRefused),
    // Caddy
    (" client sent an http request to an https server ", Fault::NotHttp),
    // Apache
    (" speaking plain http to an ssl enabled server port ", Fault::NotHttp),
    (" post handshake authentication ", Fault::ClientCertificateLate),
];

/// Words by which a filter says first whom it tests, and how. One of each is a filter's, such as "are you a human".
const TESTED: &str = "human humans bot bots robot robots browser captcha challenge connection";
const TEST: &str = "verify verifying verified verification validation confirm prove check checking are re security \
    secure protection protected javascript";

/// What filters say first, as [`words`].
#[rustfmt::skip] // A list.
const FILTERS: [&str; 13] = [
    " captcha ", " security check ", " just a moment ", " one moment please ", " being verified ", " request rejected ",
    " been blocked ", " is blocked ", " blocked by ", " web application firewall ", " incident id ", " support id ",
    " pardon our interruption ",
];

/// What a page says that asks to log in, as [`words`].
const LOGINS: [&str; 5] = [" sign in ", " signin ", " log in ", " login ", " logon "];

/// What a server says that does not serve the name, as [`words`]: IIS, Jetty, Django and others.
const OTHER_NAMES: [&str; 4] = [" hostname ", " invalid host ", " invalid http host ", " sni "];

/// Apache answers 502 when its own timeout is over (others: 504), but also at once when nobody listens.
const APACHE_TIMEOUT: Duration = Duration::from_secs(1);

/// What is known of a connection that fails.
pub struct Attempt {
    pub is_https: bool,
    /// It was made for this request, and was not idle before.
    pub is_new: bool,
    /// A byte of the request may have left.
    pub is_sent: bool,
    /// The fault if connecting takes too long.
    pub silence: Fault,
    /// If the server requested a client certificate on this connection: the fault if an alert refuses what it got.
    pub refusal_by_alert: Option<Fault>,
    /// The same if it closes the connection instead, when it may refuse, and has never accepted what it got.
    pub refusal_by_closing: Option<Fault>,
}

/// Classifies an answer that Alexa cannot use.
pub fn classify_answer(answer: &Answer) -> Fault {
    let Answer { url, status, waited, .. } = answer;
    let is_own = answer.is_own_refusal();
    let text = answer.text();
    let (all, first) = (words(&text), words(&text.chars().take(MAX_SHOWN).collect::<String>()));
    let says_first = |phrases: &[&str]| phrases.iter().any(|phrase| first.contains(phrase));
    match PAGES.iter().find(|(phrase, _)| !status.is_success() && all.contains(phrase)) {
        // The proxy in front speaks plain HTTP to the https port of the next one.
        Some((_, Fault::NotHttp)) if url.scheme() == "https" => return Fault::BadGateway,
        Some((_, fault)) => return *fault,
        None => {}
    }
    let has_one_of = |list: &str| list.split_whitespace().any(|word| first.contains(&format!(" {word} ")));
    let tests = says_first(&FILTERS) || has_one_of(TESTED) && has_one_of(TEST);
    // A gateway's error tells by itself what it means.
    let is_filtered = answer.has_filter_header() || tests && !matches!(status.as_u16(), 502 | 504 | 520..600);
    // Home Assistant has this header from 2026.11 on, and a proxy that replaces its page keeps the header.
    let authenticate = answer.header(WWW_AUTHENTICATE.as_str());
    let is_own_401 = authenticate.starts_with("Bearer ") && authenticate.contains("resource_metadata=");
    let wants_password = !is_own_401 && answer.headers.contains_key(WWW_AUTHENTICATE);
    let asks_to_log_in = || {
        // The text of a page that is no refusal has such a word for another reason.
        let place = if status.is_success() { words(&answer.title()) } else { first.clone() };
        answer.has_password_field() || LOGINS.iter().any(|phrase| place.contains(phrase))
    };
    match status.as_u16() {
        400 if is_own => Fault::ProxyNotTrusted,
        401 if is_own && !wants_password => Fault::TokenRefused,
        403 if is_own => Fault::Banned,
        404 if is_own && ["/api/alexa", "/api/alexa/smart_home"].contains(&url.path()) => Fault::AlexaNotEnabled,
        404 if is_own && url.path() == "/auth/token" => Fault::RequestChanged,
        404 if is_own => Fault::PathInBaseUrl,
        405 if is_own => Fault::RequestChanged,
        500 if is_own => Fault::ServerError,
        _ if is_filtered => Fault::Firewall,
        // By 202, filters test a browser.
        202 if answer.is_page() => Fault::Firewall,
        200..300 | 401 | 403 if answer.is_page() && asks_to_log_in() => Fault::LoginRequired,
        200..300 if answer.is_page() || answer.body.trim_ascii().is_empty() => Fault::NotHomeAssistant,
        300..400 => match answer.redirect_target() {
            Some(target) if is_same(url, &target) => Fault::RedirectedToItself,
            Some(target) if target.path().trim_end_matches('/').ends_with("/challenge") => Fault::Firewall,
            Some(target) if is_login(url, &target) => Fault::LoginRequired,
            Some(_) => Fault::Redirected,
            None => Fault::UnexpectedAnswer,
        },
        400 if says_first(&OTHER_NAMES) => Fault::NameNotServed,
        400 => Fault::BadRequest,
        401 if answer.is_page() && !wants_password || is_own_401 => Fault::LoginPageOrTokenRefused,
        401 => Fault::LoginRequired,
        // By these, filters refuse, and hardly anything else.
        403 | 406 | 418 | 444 | 451 | 468 => Fault::Firewall,
        // The tunnel is offline.
        404 if answer.header("ngrok-error-code") == "ERR_NGROK_3200" => Fault::BadGateway,
        404 | 405 => Fault::NotHomeAssistant,
        413 => Fault::RequestTooLarge,
        421 => Fault::NameNotServed,
        429 => Fault::RateLimited,
        502 if answer.header("server").starts_with("Apache") && *waited >= APACHE_TIMEOUT => Fault::ProxyTimeout,
        504 | 524 => Fault::ProxyTimeout,
        525 | 526 => Fault::OriginCertificate,
        502 | 503 | 520..=530 => Fault::BadGateway,
        500..600 => Fault::ProxyError,
        _ => Fault::UnexpectedAnswer,
    }
}

/// The words of a text in lower case, with a blank before and after each.
fn words(text: &str) -> String {
    let text = text.to_lowercase();
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.fold(" ".to_owned(), |words, word| words + word + " ")
}

/// Whether a redirect leads back to the address that was asked.
fn is_same(url: &Url, target: &Url) -> bool {
    url.origin() == target.origin() && url.path() == target.path().trim_end_matches('/')
}

/// Whether a redirect leads to a login. Others are a move, to https:// or www; or look like one.
fn is_login(url: &Url, target: &Url) -> bool {
    const WORDS: [&str; 6] = [" auth ", " oauth ", " oauth2 ", " sso ", " access ", " accounts "];
    const RETURN: [&str; 5] = ["rd=", "return", "redirect", "next=", "continue="];
    let host = target.host_str().filter(|host| Some(*host) != url.host_str()).unwrap_or_default();
    let place = words(&format!("{host} {}", target.path()));
    let is_move = ["/api/alexa", "/auth/token"].iter().any(|own| target.path().contains(own));
    let has_return = RETURN.iter().any(|word| target.query().unwrap_or_default().contains(word));
    !is_move && (has_return || WORDS.iter().chain(&LOGINS).any(|word| place.contains(word)))
}

/// Classifies an error of a connection.
pub fn classify_error(error: &reqwest::Error, attempt: &Attempt) -> Fault {
    let closed = match attempt.refusal_by_closing {
        // What Home Assistant does if it does not get the client certificate that it requests.
        Some(fault) => fault,
        _ if error.is_connect() && attempt.is_https => Fault::HandshakeClosed,
        _ if !attempt.is_sent => Fault::ClosedUnsent,
        _ if attempt.is_https => Fault::ConnectionClosed,
        _ => Fault::PlainConnectionClosed,
    };
    if let Some(tls_error) = find_cause(error) {
        return match classify_tls_error(tls_error, attempt.refusal_by_alert).unwrap_or(closed) {
            // The server wants a new handshake when it knows the path.
            Fault::UnsupportedTls if !error.is_connect() => Fault::ClientCertificateLate,
            fault => fault,
        };
    }
    match find_cause(error).map(io::Error::kind) {
        _ if error.is_timeout() && error.is_connect() => attempt.silence,
        _ if error.is_timeout() && attempt.is_new => Fault::UnacknowledgedNew,
        _ if error.is_timeout() => Fault::Unacknowledged,
        Some(io::ErrorKind::ConnectionRefused) => Fault::Refused,
        Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => closed,
        Some(_) if error.is_connect() => Fault::NoConnection,
        _ => {
            match find_cause::<hyper::Error>(error).map(|error| (error.is_parse(), error.to_string())) {
                // hyper's texts alone tell what does not begin like an answer, or comes before the request, from a
                // broken head.
                Some((_, text)) if text.contains("version") || text.contains("unexpected message") => {
                    if attempt.is_https { Fault::UnexpectedAnswer } else { Fault::NotHttp }
                }
                Some((true, _)) => Fault::BrokenHead,
                _ => closed,
            }
        }
    }
}

/// The innermost cause of this type.
fn find_cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    error_chain(error).filter_map(|cause| cause.downcast_ref()).last()
}

/// Classifies an error of TLS; `None` if it only says that the connection was closed. `rejection` is the fault of an
/// alert about the client certificate.
fn classify_tls_error(error: &rustls::Error, rejection: Option<Fault>) -> Option<Fault> {
    use AlertDescription as Alert;
    use rustls::CertificateError as C;
    use rustls::Error as E;
    Some(match error {
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
        E::AlertReceived(_) => rejection.unwrap_or(Fault::HandshakeRefused),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll};

    use hyper::body::{Body, Bytes, Frame};
    use reqwest::Client;

    use super::*;
    use crate::tls;

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
                let found = [None, Some(required), Some(refused)]
                    .map(|rejection| classify_tls_error(&rustls::Error::AlertReceived(*alert), rejection));
                assert_eq!(found, expected.map(Some), "{alert:?}");
            }
        }
    }

    /// A body that ends with an alert: reqwest has an error of a connection that stands.
    struct Refused;

    impl Body for Refused {
        type Data = Bytes;
        type Error = rustls::Error;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context) -> Poll<Option<Result<Frame<Bytes>, rustls::Error>>> {
            Poll::Ready(Some(Err(rustls::Error::AlertReceived(AlertDescription::HandshakeFailure))))
        }
    }

    /// Apache's answer in TLS 1.2 if its client does not handshake again with a certificate.
    #[tokio::test]
    async fn handshake_failure_after_the_request_is_named() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let tls = tls::client_config(None, Arc::default());
        let client = Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap();
        let request = client.post(format!("http://{}", server.local_addr().unwrap()));
        let error = request.body(reqwest::Body::wrap(Refused)).send().await.unwrap_err();
        let attempt = Attempt {
            is_https: true,
            is_new: true,
            is_sent: true,
            silence: Fault::NoConnection,
            refusal_by_alert: None,
            refusal_by_closing: None,
        };
        assert_eq!(classify_error(&error, &attempt), Fault::ClientCertificateLate);
    }
}
