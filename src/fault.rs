//! Every fault that can keep Home Assistant's answer from Alexa, and how one that happened is logged.

use std::error::Error;
use std::fmt;

use reqwest::StatusCode;
use serde::Serialize;
use tracing::{error, warn};

use crate::config::SettingError;
use crate::messages::Messages;
use crate::secret::Redactor;

/// What can go wrong.
#[derive(Clone, Copy)]
pub struct Fault {
    /// What is wrong, for the log.
    pub cause: &'static str,
    /// What the owner can do about it.
    pub remedy: &'static str,
    /// What Alexa says to a request.
    pub says: fn(&Messages) -> &'static str,
    /// What a directive is answered with.
    pub error_type: ErrorType,
    /// Whether a second try may do better: never where a certificate, say, would only be refused again.
    pub is_transient: bool,
}

/// Amazon's types of an `ErrorResponse`.
#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorType {
    /// Amazon deletes the link to the account: for nothing but a token that is missing, unusable or refused.
    InvalidAuthorizationCredential,
    /// Something on the way to Home Assistant, or in its place.
    BridgeUnreachable,
    /// Home Assistant takes too long.
    EndpointUnreachable,
    /// An answer of no use, or a setting that is wrong.
    InternalError,
    /// Each fault of an AcceptGrant.
    AcceptGrantFailed,
}

impl Fault {
    const fn new(says: fn(&Messages) -> &'static str, cause: &'static str, remedy: &'static str) -> Self {
        Self { cause, remedy, says, error_type: ErrorType::BridgeUnreachable, is_transient: false }
    }

    /// The same, as another type of error.
    pub const fn as_type(self, error_type: ErrorType) -> Self {
        Self { error_type, ..self }
    }

    const fn transient(self) -> Self {
        Self { is_transient: true, ..self }
    }
}

#[rustfmt::skip] // A table.
impl Fault {
    // The request.
    pub const NO_TOKEN: Self = Self::new(|says| says.link_account,
        "the request has no access token",
        "link the account in the Alexa app (the skill's page, Settings, Link Account); where that page has no such button, set up Account Linking in the Alexa developer console").as_type(ErrorType::InvalidAuthorizationCredential);
    pub const UNUSABLE_TOKEN: Self = Self::new(|says| says.link_account,
        "the request's access token has characters that no HTTP header may have",
        "disable the skill in the Alexa app, enable it and link the account again; check that the Access Token URI in the developer console ends with /auth/token").as_type(ErrorType::InvalidAuthorizationCredential);

    // What Home Assistant itself answers.
    pub const TOKEN_REFUSED: Self = Self::new(|says| says.link_account,
        "Home Assistant refused the access token",
        "link the account again in the Alexa app; if it happens every half hour, check the Access Token URI in the developer console").as_type(ErrorType::InvalidAuthorizationCredential);
    pub const LONG_LIVED_TOKEN_REFUSED: Self = Self::new(|says| says.link_account,
        "Home Assistant refused LONG_LIVED_ACCESS_TOKEN",
        "make a new token on your profile page in Home Assistant, or remove the setting and link the account in the Alexa app").as_type(ErrorType::InvalidAuthorizationCredential);
    pub const BANNED: Self = Self::new(|says| says.banned,
        "Home Assistant has banned the address that the request came from",
        "remove it from ip_bans.yaml beside configuration.yaml and restart Home Assistant; behind a reverse proxy, let Home Assistant trust the proxy (Settings, System, Network, HTTP server, Trusted proxies; before 2026.8 trusted_proxies under http: in configuration.yaml), or the proxy itself is banned for what others do");
    pub const PROXY_NOT_TRUSTED: Self = Self::new(|says| says.proxy_not_trusted,
        "Home Assistant does not trust the reverse proxy that the request came through",
        "under Settings, System, Network, HTTP server, turn on Trust X-Forwarded-For, add the proxy's address (Home Assistant's log names it) to Trusted proxies, and confirm the change within 5 minutes; before Home Assistant 2026.8, set use_x_forwarded_for: true and trusted_proxies under http: in configuration.yaml and restart. Of two proxies in a row only one may add X-Forwarded-For. If the response is not Home Assistant's own 400, look into the proxy's log");
    pub const SMART_HOME_NOT_ENABLED: Self = Self::new(|says| says.alexa_not_enabled,
        "Home Assistant has nothing at /api/alexa/smart_home",
        "add the line smart_home: under alexa: in configuration.yaml and restart Home Assistant; while it starts, it answers so too, for some seconds; if BASE_URL has a path, such as /api or /homeassistant, remove the path");
    pub const ALEXA_NOT_ENABLED: Self = Self::new(|says| says.alexa_not_enabled,
        "Home Assistant has nothing at /api/alexa",
        "add the line alexa: to configuration.yaml and restart Home Assistant; while it starts, it answers so too, for some seconds; if BASE_URL has a path, such as /api or /homeassistant, remove the path");
    pub const SERVER_ERROR: Self = Self::new(|says| says.bad_answer,
        "Home Assistant had an internal error",
        "look for it in Home Assistant's log: Settings, System, Logs").as_type(ErrorType::InternalError);

    // What something in front of it answers, or what BASE_URL leads to instead.
    pub const FIREWALL: Self = Self::new(|says| says.firewall,
        "a firewall in front of Home Assistant stopped the request",
        "let POST /api/alexa* pass: at Cloudflare turn off Bot Fight Mode (Security, Bots: no rule can make an exception to it), and for the rest add a WAF custom rule with the action Skip for these paths; a proxy's list of addresses cannot know the relay, for Lambda's addresses change");
    pub const RATE_LIMITED: Self = Self::new(|says| says.firewall,
        "a rate limit in front of Home Assistant stopped the request",
        "let /api/alexa* pass without one, or allow some requests in a row (nginx limit_req burst, HAProxy stick tables, Cloudflare rate limiting rules)");
    pub const LOGIN_REQUIRED: Self = Self::new(|says| says.firewall,
        "something in front of Home Assistant wants a login",
        "let POST /api/alexa* pass it without one: at Cloudflare Access by a service token, which EXTRA_HEADERS sends, or a Bypass policy for these paths; in a proxy by an exception from its password or forward-auth; or set BASE_URL to an address that does not go through it");
    pub const LOGIN_PAGE_OR_TOKEN_REFUSED: Self = Self::new(|says| says.firewall,
        "a proxy in front of Home Assistant answered 401 with a page of its own",
        "if the proxy wants a login, let POST /api/alexa* pass without one; if it wants none, it replaces Home Assistant's own page (nginx proxy_intercept_errors, Apache ProxyErrorOverride): link the account again in the Alexa app");
    pub const BAD_GATEWAY: Self = Self::new(|says| says.unreachable,
        "the proxy in front of Home Assistant got no answer from it",
        "check that Home Assistant runs, and that the proxy has its right address and port and a site for the name in BASE_URL; a 503 page of nginx can also be its rate limit (limit_req)");
    pub const PROXY_TIMEOUT: Self = Self::new(|says| says.proxy_timeout,
        "the proxy in front of Home Assistant did not wait for its answer, and so stopped what Home Assistant was doing",
        "give the proxy a timeout of more than 8 s (nginx proxy_read_timeout, HAProxy timeout server, Apache ProxyTimeout), or the intent async_action: true, which answers at once; if every request ends so, the proxy cannot reach Home Assistant");
    pub const NOT_HOME_ASSISTANT: Self = Self::new(|says| says.wrong_address,
        "the answer is not Home Assistant's",
        "set BASE_URL to the address at which Home Assistant itself opens, with its port and without a path such as /lovelace; let a proxy in front of it pass POST /api/alexa* on to it, past any login page");
    pub const REDIRECTED: Self = Self::new(|says| says.wrong_address,
        "BASE_URL redirects to another address",
        "set BASE_URL to where it redirects to, without /api/alexa and what follows it (most often https:// instead of http://); redirects are not followed, for the token goes to BASE_URL alone");
    pub const UNEXPECTED_ANSWER: Self = Self::new(|says| says.bad_answer,
        "the answer is not one that Home Assistant gives",
        "check that BASE_URL leads to Home Assistant, and that no proxy in front of it changes its answers or cuts them short");
    /// The same of a 2xx.
    pub const UNUSABLE_ANSWER: Self = Self::UNEXPECTED_ANSWER.as_type(ErrorType::InternalError);

    // The connection.
    pub const NAME_NOT_FOUND: Self = Self::new(|says| says.unreachable,
        "the name in BASE_URL has no address",
        "check BASE_URL for a typo, and that its dynamic DNS is up to date; names such as homeassistant.local are known at home only").transient();
    pub const REFUSED: Self = Self::new(|says| says.unreachable,
        "nobody listens at BASE_URL's address and port",
        "check that Home Assistant runs, that BASE_URL has the right port, and that the router forwards it").transient();
    pub const NO_CONNECTION: Self = Self::new(|says| says.unreachable,
        "nobody answers at BASE_URL's address",
        "open the port in the router and the firewall; use a public address, for AWS can reach neither those of a home network (10., 172.16. to 172.31., 192.168.) nor IPv6 alone; check that the port speaks what BASE_URL begins with");
    pub const NO_ANSWER: Self = Self::new(|says| says.unreachable,
        "nothing has answered at BASE_URL in time",
        "check that Home Assistant runs and does not hang, that its port is open in the router and the firewall, and that a proxy in front of it has its right address and port");
    pub const UNACKNOWLEDGED: Self = Self::new(|says| says.unreachable,
        "nobody has acknowledged the request: the connection to Home Assistant is dead",
        "ask again: that makes a new connection; if it happens often, look for a router or a tunnel that forgets its connections. It was not sent again, for it may have arrived");
    pub const CONNECTION_CLOSED: Self = Self::new(|says| says.bad_answer,
        "the connection was closed before the whole answer came",
        "if BASE_URL begins with http:// and the port is one for https, let it begin with https://; else look into Home Assistant's log and the proxy's. Home Assistant may have done what was asked, so the request was not sent again").transient().as_type(ErrorType::InternalError);
    pub const NOT_HTTP: Self = Self::new(|says| says.wrong_address,
        "the port does not speak plain HTTP",
        "if the port is one for https, let BASE_URL begin with https://; else check the port");

    // TLS.
    pub const NOT_TLS: Self = Self::new(|says| says.wrong_address,
        "the port does not speak TLS",
        "if Home Assistant has no certificate of its own there, let BASE_URL begin with http://, or better put a proxy with a certificate in front of it; else check the port");
    pub const UNSUPPORTED_TLS: Self = Self::new(|says| says.insecure,
        "the server knows no TLS version or cipher that is safe today",
        "turn on TLS 1.2 or 1.3 there: in Home Assistant with the SSL profile modern or intermediate");
    pub const HANDSHAKE_CLOSED: Self = Self::new(|says| says.insecure,
        "the connection was closed before a secure connection was made",
        "check that the port in BASE_URL is the one for https, and look into the proxy's log").transient();
    pub const UNTRUSTED_CERTIFICATE: Self = Self::new(|says| says.insecure,
        "the server's certificate was not issued by a public CA",
        "put the CA's certificate, or the self-signed one itself, into CA_CERTIFICATE, or use one of a public CA, such as Let's Encrypt: account linking needs that");
    pub const INCOMPLETE_CHAIN: Self = Self::new(|says| says.insecure,
        "the server does not send the certificate of the CA that issued its own",
        "let it send the whole chain, fullchain.pem and not cert.pem: in Home Assistant as SSL certificate path (Settings, System, Network, HTTP server; before 2026.8 ssl_certificate under http: in configuration.yaml), likewise in a proxy; if the CA is your own, put its certificate into CA_CERTIFICATE");
    pub const CERTIFICATE_EXPIRED: Self = Self::new(|says| says.insecure,
        "the server's certificate has expired",
        "renew it, and restart what serves it: the Let's Encrypt or DuckDNS app of Home Assistant does both when it can reach the internet");
    pub const CERTIFICATE_NOT_YET_VALID: Self = Self::new(|says| says.insecure,
        "the server's certificate is not valid yet",
        "check the clock of the machine that made it, or wait until it is valid");
    pub const CERTIFICATE_FOR_OTHER_NAME: Self = Self::new(|says| says.insecure,
        "the server's certificate is for another name, or it has none for the name in BASE_URL",
        "use in BASE_URL a name that the certificate has, or get a certificate for the name in BASE_URL; an IP address will seldom do");
    pub const CERTIFICATE_VERSION_1: Self = Self::new(|says| says.insecure,
        "the server's certificate is of X.509 version 1, which has no names",
        "make it again with a name (openssl x509 -req … -extfile with subjectAltName=DNS:home.example.org), or get one from a public CA, such as Let's Encrypt");
    pub const BAD_CERTIFICATE: Self = Self::new(|says| says.insecure,
        "the server's certificate cannot be used",
        "get a new one from a public CA, such as Let's Encrypt");
    pub const CLIENT_CERTIFICATE_REQUIRED: Self = Self::new(|says| says.insecure,
        "the server requires a client certificate",
        "set CLIENT_CERTIFICATE, or let /api/alexa* pass without one: in the proxy, or in Home Assistant without an SSL peer certificate path (Settings, System, Network, HTTP server; before 2026.8 ssl_peer_certificate under http: in configuration.yaml)");
    pub const CLIENT_CERTIFICATE_REFUSED: Self = Self::new(|says| says.insecure,
        "the server refused the certificate of CLIENT_CERTIFICATE",
        "let the CA that issued it be the server's (Home Assistant: SSL peer certificate path, before 2026.8 ssl_peer_certificate; nginx: ssl_client_certificate), check that it has not expired and is one for clients, and put the certificates between the two into CLIENT_CERTIFICATE");

    // Time.
    pub const LATE: Self = Self::new(|says| says.late,
        "Home Assistant has the request, and has not answered in time",
        "nothing needs to be done: it goes on working. An intent whose script takes longer than 7 s answers at once with async_action: true. If every request ends so, Home Assistant hangs, or the proxy in front of it cannot reach it").as_type(ErrorType::EndpointUnreachable);
    pub const NEVER_ANSWERED: Self = Self::new(|says| says.bad_answer,
        "Home Assistant has the request, and has not answered for 15 minutes: the connection was closed",
        "look for what hangs in Home Assistant; an intent with async_action: true answers at once");
}

impl PartialEq for Fault {
    fn eq(&self, other: &Self) -> bool {
        self.cause == other.cause
    }
}

/// A fault that happened.
pub struct Failure {
    pub fault: Fault,
    /// The name of the setting that is wrong, for the sentence that names one; else empty.
    pub setting: &'static str,
    /// The status of the answer, whoever gave it.
    pub status: Option<StatusCode>,
    /// What tells who gave the answer: some of its headers.
    pub response: Option<String>,
    /// The error underneath.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self { fault, setting: "", status: None, response: None, source: None }
    }
}

impl From<&SettingError> for Failure {
    fn from(error: &SettingError) -> Self {
        let fault = Fault {
            cause: "a setting is missing or wrong",
            remedy: error.problem.remedy,
            says: if error.problem.is_missing() { |says| says.setting_missing } else { |says| says.setting_wrong },
            error_type: ErrorType::InternalError,
            is_transient: false,
        };
        Self { setting: error.name, ..Self::from(fault).with_source(error.to_string()) }
    }
}

impl Failure {
    /// The same, with the error underneath.
    pub fn with_source(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// Writes the one line that the log has of it, beside the line of its request.
    pub fn log(&self, redactor: &Redactor) {
        let cause = self.to_string();
        let response = self.response.as_ref().map(|response| redactor.text(response));
        let remedy = self.fault.remedy;
        if [Fault::NO_TOKEN, Fault::LATE].contains(&self.fault) {
            warn!(cause, remedy, response, "not answered by Home Assistant");
        } else {
            error!(cause, remedy, response, "not answered by Home Assistant");
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.fault.cause.to_owned();
        for error in self.source.iter().flat_map(|source| chain(source.as_ref())) {
            let cause = error.to_string();
            // Many errors repeat the one underneath at their end.
            if !text.ends_with(&cause) {
                text = text + ": " + &cause;
            }
        }
        f.write_str(&text)
    }
}

/// An error and all that caused it.
///
/// `source()` alone never reaches a `rustls::Error`: it is the *inner* error of an `io::Error`, whose `source()` is the
/// inner error's source.
pub fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<std::io::Error>() {
        Some(error) => error.get_ref().map(|inner| inner as _),
        None => error.source(),
    })
}
