//! Which fault it is, read from an answer or from an error of the connection.

use std::error::Error;
use std::io;

use hyper::StatusCode;
use hyper::header::{HeaderMap, LOCATION};
use url::Url;

use crate::failure::causes;
use crate::fault::Fault;
use crate::tls;

/// The fault behind an answer that is none for Alexa: its status, its headers, and the beginning of its body.
pub fn of_answer(endpoint: &Url, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Fault {
    let body = String::from_utf8_lossy(body).to_ascii_lowercase();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let web_page = header("content-type").starts_with("text/html") || body.trim_start().starts_with('<');
    let cloudflare = headers.contains_key("cf-ray") || header("server").eq_ignore_ascii_case("cloudflare");
    let challenge = headers.contains_key("cf-mitigated")
        || body.contains("challenge-platform")
        || (cloudflare && body.contains("<title>just a moment"));
    // Home Assistant's own errors are aiohttp's: "404: Not Found", in plain text. A proxy passes them on as they are,
    // so the marks of Cloudflare on an answer do not say that Cloudflare gave it.
    let home_assistant = body.starts_with(&format!("{}: ", status.as_str()));
    match status.as_u16() {
        _ if challenge => Fault::Firewall,
        200..300 if web_page => Fault::WebPage,
        200..300 => Fault::NotJson,
        300..400 => match target(endpoint, headers) {
            Some(target) if is_login(endpoint, &target) => Fault::LoginPage,
            Some(_) => Fault::Moved,
            None => Fault::UnexpectedStatus,
        },
        // nginx' own words for these three.
        400 if body.contains("plain http request was sent to https port") => Fault::NotHttp,
        400 if body.contains("no required ssl certificate was sent") => Fault::ClientCertificateWanted,
        400 if body.contains("the ssl certificate error") => Fault::ClientCertificateRefused,
        400 => Fault::ProxyNotTrusted,
        401 => Fault::TokenRefused,
        403 if !home_assistant && (cloudflare || web_page) => Fault::Firewall,
        403 => Fault::Banned,
        404 if home_assistant => Fault::AlexaOff,
        404 => Fault::NotHomeAssistant,
        405 => Fault::MethodRefused,
        429 => Fault::Firewall,
        502..=504 | 520..=530 => Fault::BehindProxy,
        500..600 => Fault::ServerError,
        _ => Fault::UnexpectedStatus,
    }
}

/// What tells who gave an answer: its status and some of its headers. The query of a `Location` is left out, for
/// access proxies put tokens into it.
pub fn seen(endpoint: &Url, status: StatusCode, headers: &HeaderMap) -> String {
    const TELLING: [&str; 6] = ["server", "content-type", "via", "www-authenticate", "cf-mitigated", "cf-ray"];
    let mut seen = format!("status {}", status.as_u16());
    for name in TELLING {
        if let Some(value) = headers.get(name) {
            let value: String = String::from_utf8_lossy(value.as_bytes()).chars().take(100).collect();
            seen = format!("{seen}, {name}: {value}");
        }
    }
    if let Some(mut target) = target(endpoint, headers) {
        target.set_query(None);
        target.set_fragment(None);
        // Fails only for addresses that cannot have one.
        let _ = target.set_username("");
        let _ = target.set_password(None);
        let target: String = target.as_str().chars().take(300).collect();
        seen = format!("{seen}, location: {target}");
    }
    seen
}

fn target(endpoint: &Url, headers: &HeaderMap) -> Option<Url> {
    endpoint.join(headers.get(LOCATION)?.to_str().ok()?).ok()
}

/// A redirect that keeps the path means a slip in `BASE_URL`; one to a page elsewhere means somebody wants a login.
fn is_login(endpoint: &Url, target: &Url) -> bool {
    let path = target.path().to_ascii_lowercase();
    let elsewhere = target.host_str() != endpoint.host_str() && !path.ends_with("/api/alexa");
    elsewhere || ["login", "signin", "sign-in", "/auth", "oauth", "/access/"].iter().any(|word| path.contains(word))
}

/// The fault behind an error of making a TCP connection.
pub fn of_connect(error: &(dyn Error + 'static)) -> Fault {
    // hyper-util's own words, and the only mark that it gives.
    if error.to_string().starts_with("dns error") {
        return Fault::NameNotFound;
    }
    match io_kind(error) {
        Some(io::ErrorKind::ConnectionRefused) => Fault::Refused,
        Some(io::ErrorKind::TimedOut) => Fault::ConnectTimeout,
        _ => Fault::Unreachable,
    }
}

/// The fault behind an error of a TLS handshake.
pub fn of_handshake(error: &io::Error) -> Fault {
    causes(error).find_map(|cause| cause.downcast_ref()).map_or(Fault::HandshakeBroken, tls::fault)
}

/// The fault behind an error of an exchange on a connection that stands: `closed` where that was closed.
pub fn of_exchange(error: &hyper::Error, closed: Fault) -> Fault {
    if let Some(error) = causes(error).find_map(|cause| cause.downcast_ref()) {
        tls::fault(error)
    } else if error.is_parse() {
        Fault::NotHttp
    } else if io_kind(error) == Some(io::ErrorKind::TimedOut) {
        Fault::Unacknowledged
    } else {
        closed
    }
}

fn io_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).last().map(io::Error::kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Fault {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let endpoint = "http://home.example.org/api/alexa".parse().unwrap();
        of_answer(&endpoint, StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes())
    }

    #[test]
    fn cloudflare_is_blamed_for_what_it_says_and_not_for_what_it_passes_on() {
        let passed_on = [("server", "cloudflare"), ("cf-ray", "8a1-FRA"), ("content-type", "text/plain")];
        assert_eq!(fault(403, &passed_on, "403: Forbidden"), Fault::Banned);
        assert_eq!(fault(404, &passed_on, "404: Not Found"), Fault::AlexaOff);
        assert_eq!(fault(403, &passed_on, "error code: 1020"), Fault::Firewall);
        assert_eq!(
            fault(503, &[("server", "cloudflare")], "<script src=/cdn-cgi/challenge-platform/>"),
            Fault::Firewall
        );
        let page = "<!DOCTYPE html><title>Just a moment...</title>";
        assert_eq!(fault(503, &[("server", "cloudflare"), ("content-type", "text/html")], page), Fault::Firewall);
        assert_eq!(fault(522, &passed_on, "error code: 522"), Fault::BehindProxy);
    }

    #[test]
    fn a_redirect_is_a_slip_in_base_url_or_a_login() {
        let to = |location| fault(302, &[("location", location)], "");
        assert_eq!(to("https://home.example.org/api/alexa"), Fault::Moved);
        assert_eq!(to("https://www.home.example.org/api/alexa"), Fault::Moved);
        assert_eq!(to("https://home.example.org/"), Fault::Moved);
        assert_eq!(to("https://team.cloudflareaccess.com/cdn-cgi/access/login/home"), Fault::LoginPage);
        assert_eq!(to("/login?next=/api/alexa"), Fault::LoginPage);
        assert_eq!(fault(304, &[], ""), Fault::UnexpectedStatus);
    }

    #[test]
    fn the_query_of_a_redirect_is_not_shown() {
        let endpoint = "http://home.example.org/api/alexa".parse().unwrap();
        let headers = [(LOCATION, "//me:pw@login.example.org/x?token=abc#abc".parse().unwrap())].into_iter().collect();
        assert_eq!(seen(&endpoint, StatusCode::FOUND, &headers), "status 302, location: http://login.example.org/x");
    }
}
