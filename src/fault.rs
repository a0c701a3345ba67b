//! The catalogue of faults: all that can keep Home Assistant's answer from Alexa.

use std::fmt;

use serde::Serialize;

use crate::messages::Messages;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[rustfmt::skip] // A list.
pub enum Fault {
    // A setting.
    Setting(SettingError),
    // The request.
    NoToken, UnusableToken, AmazonToken,
    // What Home Assistant itself answers.
    TokenRefused, LongLivedTokenRefused, Banned, ProxyNotTrusted, SmartHomeNotEnabled, AlexaNotEnabled,
    PathInBaseUrl, ServerError,
    // What answers instead of Home Assistant.
    Firewall, RateLimited, BadRequest, ProxyError, LoginRequired, LoginPageOrTokenRefused, BadGateway, ProxyTimeout,
    RequestTooLarge, NotHomeAssistant, EmptyAnswer, Redirected, NameNotServed, UnexpectedAnswer, UnusableAnswer,
    NotAReply, AnswerTooLarge,
    // The connection.
    NameNotFound, NameServerFailed, OnlyIpv6, Refused, NoConnection, NoAnswer, Unacknowledged, UnacknowledgedNew,
    ClosedUnsent, ConnectionClosed, PlainConnectionClosed, NotHttp, BrokenHead,
    // TLS.
    NotTls, UnsupportedTls, HandshakeClosed, HandshakeSilent, HandshakeRefused, UntrustedCertificate, IncompleteChain,
    CertificateExpired, IntermediateExpired, CertificateNotYetValid, CertificateForOtherName, CertificateVersion1,
    UnsupportedSignature, BadCertificate, OriginCertificate, ClientCertificateRequired, ClientCertificateRefused,
    // Time.
    Late, NeverAnswered,
}

/// What is said of a fault.
pub struct Entry {
    /// What Alexa says to a person.
    pub sentence: fn(&Messages) -> &'static str,
    /// What is wrong, for the log.
    pub cause: &'static str,
    /// What the owner can do about it, for the log.
    pub remedy: &'static str,
}

/// The `type` of an `ErrorResponse`, as Amazon defines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorType {
    /// Amazon unlinks the account on this one, so it must mean a missing, unusable or refused token and nothing else.
    InvalidAuthorizationCredential,
    /// Something on the way to Home Assistant is wrong.
    BridgeUnreachable,
    /// Home Assistant takes too long.
    EndpointUnreachable,
    /// The answer is unusable, or a setting is wrong.
    InternalError,
    /// Any fault of an `AcceptGrant`.
    AcceptGrantFailed,
}

impl Fault {
    /// What Alexa gets in answer to a directive.
    #[rustfmt::skip] // A table.
    pub fn error_type(self) -> ErrorType {
        match self {
            Self::NoToken | Self::UnusableToken | Self::AmazonToken | Self::TokenRefused | Self::LongLivedTokenRefused
                => ErrorType::InvalidAuthorizationCredential,
            Self::Setting(_) | Self::ServerError | Self::EmptyAnswer | Self::UnusableAnswer
            | Self::NotAReply | Self::AnswerTooLarge | Self::BrokenHead | Self::ConnectionClosed | Self::PlainConnectionClosed
                => ErrorType::InternalError,
            Self::Late => ErrorType::EndpointUnreachable,
            _ => ErrorType::BridgeUnreachable,
        }
    }

    /// Whether a connection that failed so may succeed a moment later. A refused certificate, say, would be refused again.
    #[rustfmt::skip] // A list.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::NameNotFound | Self::NameServerFailed | Self::Refused | Self::HandshakeClosed | Self::ClosedUnsent)
    }

    /// What is said of it.
    #[rustfmt::skip] // A table.
    #[allow(clippy::too_many_lines, reason = "a table")]
    pub fn entry(self) -> Entry {
        match self {
            // A setting.
            Self::Setting(error) if error.is_missing => Entry::new(|m| m.setting_missing, "a setting is missing", error.remedy),
            Self::Setting(error) => Entry::new(|m| m.setting_wrong, "a setting is wrong", error.remedy),

            // The request.
            Self::NoToken => Entry::new(|m| m.link_account, "the request has no access token",
                "link the account in the Alexa app (the skill's page, Settings, Link Account); where that page has no such button, set up Account Linking in the Alexa developer console"),
            Self::UnusableToken => Entry::new(|m| m.link_account, "the request's access token has characters that no HTTP header may have",
                "disable the skill in the Alexa app, enable it and link the account again; check that the Access Token URI in the developer console ends with /auth/token"),
            Self::AmazonToken => Entry::new(|m| m.link_account, "the access token is Amazon's own: account linking leads to Login with Amazon",
                "in the Alexa developer console under Account Linking, set Your Web Authorization URI to Home Assistant's /auth/authorize and Access Token URI to its /auth/token, such as https://home.example.org/auth/token; then link the account again. In a test event, leave the token empty (\"\")"),

            // What Home Assistant itself answers.
            Self::TokenRefused => Entry::new(|m| m.link_account, "Home Assistant refused the access token",
                "link the account again in the Alexa app; if it happens every half hour, check the Access Token URI in the developer console, and that your user in Home Assistant is active and may log in from outside the local network; in a test event, leave the made-up token empty (\"\")"),
            Self::LongLivedTokenRefused => Entry::new(|m| m.link_account, "Home Assistant refused LONG_LIVED_ACCESS_TOKEN",
                "make a new token on your profile page in Home Assistant, or remove the setting and link the account in the Alexa app; the user must be active, and may not be limited to the local network"),
            Self::Banned => Entry::new(|m| m.banned, "Home Assistant has banned the address that the request came from",
                "remove it from ip_bans.yaml beside configuration.yaml and restart Home Assistant; behind a reverse proxy, let Home Assistant trust the proxy (Settings, System, Network, HTTP server, Trusted proxies; before 2026.8 trusted_proxies under http: in configuration.yaml), or the proxy itself is banned for what others do"),
            Self::ProxyNotTrusted => Entry::new(|m| m.proxy_not_trusted, "Home Assistant does not trust the reverse proxy that the request came through",
                "under Settings, System, Network, HTTP server, turn on Trust X-Forwarded-For, add the proxy's address (Home Assistant's log names it) to Trusted proxies, and confirm the change within 5 minutes; before Home Assistant 2026.8, set use_x_forwarded_for: true and trusted_proxies under http: in configuration.yaml and restart. Of two proxies in a row only one may add X-Forwarded-For"),
            Self::SmartHomeNotEnabled => Entry::new(|m| m.alexa_not_enabled, "Home Assistant has nothing at /api/alexa/smart_home",
                "add the line smart_home: under alexa: in configuration.yaml and restart Home Assistant; while it starts, it answers so too, for some seconds. If the line is there, it must not be indented below another, such as api:, and Home Assistant's log must have no Invalid config for it: one wrong value, such as the locale, and it loads nothing of alexa:"),
            Self::AlexaNotEnabled => Entry::new(|m| m.alexa_not_enabled, "Home Assistant has nothing at /api/alexa",
                "add the line alexa: to configuration.yaml and restart Home Assistant; while it starts, it answers so too, for some seconds. If the line is there, it must not be indented below another, such as api:, and Home Assistant's log must have no Invalid config for it: one wrong value, such as the locale, and it loads nothing of alexa:"),
            Self::PathInBaseUrl => Entry::new(|m| m.wrong_address, "Home Assistant has nothing at the path in BASE_URL",
                "remove the path, such as /api, /api/alexa or /homeassistant: https://home.example.org is enough. If a proxy serves Home Assistant at that path, add the line alexa: to configuration.yaml (for smart home, smart_home: under it) and restart Home Assistant"),
            Self::ServerError => Entry::new(|m| m.bad_answer, "Home Assistant had an internal error",
                "look for it in Home Assistant's log: Settings, System, Logs"),

            // What answers instead of Home Assistant.
            Self::Firewall => Entry::new(|m| m.firewall, "a firewall in front of Home Assistant stopped the request",
                "let POST /api/alexa* pass: at Cloudflare turn off Bot Fight Mode (Security, Bots: no WAF rule can make an exception to it) or allow Amazon's networks AS16509 and AS14618 by an IP Access rule, and for the rest add a WAF custom rule with the action Skip for these paths; a list of addresses does not help: Lambda's addresses change"),
            Self::RateLimited => Entry::new(|m| m.firewall, "a rate limit in front of Home Assistant stopped the request",
                "let /api/alexa* pass without one, or allow some requests in a row (nginx limit_req burst, HAProxy stick tables, Cloudflare rate limiting rules)"),
            Self::BadRequest => Entry::new(|m| m.bad_answer, "a proxy in front of Home Assistant answered 400 with a page of its own",
                "look into the proxy's log: its limits on headers (nginx large_client_header_buffers) or its rules refuse the request; or it replaces Home Assistant's own page (nginx proxy_intercept_errors, Apache ProxyErrorOverride), and Home Assistant does not trust it: Settings, System, Network, HTTP server, Trusted proxies, before 2026.8 trusted_proxies under http: in configuration.yaml"),
            Self::ProxyError => Entry::new(|m| m.bad_answer, "a proxy in front of Home Assistant answered 500 with a page of its own",
                "look into the proxy's log: its forward-auth fails (nginx auth_request with Authelia or authentik), or it does not accept Home Assistant's certificate (Traefik); or it replaces Home Assistant's own page (nginx proxy_intercept_errors): then look into Home Assistant's log, too"),
            Self::LoginRequired => Entry::new(|m| m.firewall, "something in front of Home Assistant wants a login",
                "let POST /api/alexa* pass without one: at Cloudflare Access by a service token, which EXTRA_HEADERS sends, or a Bypass policy for these paths; in a proxy by an exception from its password or forward-auth; or set BASE_URL to an address that does not go through it"),
            Self::LoginPageOrTokenRefused => Entry::new(|m| m.firewall, "a proxy in front of Home Assistant answered 401 with a page of its own",
                "if the proxy wants a login, let POST /api/alexa* pass without one; if it wants none, it replaces Home Assistant's own page (nginx proxy_intercept_errors, Apache ProxyErrorOverride): link the account again in the Alexa app"),
            Self::BadGateway => Entry::new(|m| m.unreachable, "the proxy in front of Home Assistant got no answer from it",
                "check that Home Assistant runs, that its tunnel is connected (Cloudflare, ngrok), and that the proxy has its right address and port (a new Home Assistant OS of 2026.8 or later listens on 80, not 8123), speaks http or https to it as it does, and has a site for the name in BASE_URL; a 503 page of nginx can also be its rate limit (limit_req)"),
            Self::ProxyTimeout => Entry::new(|m| m.proxy_timeout, "the proxy in front of Home Assistant did not wait for its answer, and so stopped what Home Assistant was doing",
                "give the proxy a timeout of 60 s or more (nginx proxy_read_timeout, HAProxy timeout server, Apache ProxyTimeout), or let the intent start its script with script.turn_on, which does not wait; if every request ends so, the proxy cannot reach Home Assistant"),
            Self::RequestTooLarge => Entry::new(|m| m.bad_answer, "the proxy in front of Home Assistant refuses requests of this size",
                "allow more there: nginx client_max_body_size, Apache LimitRequestBody, Caddy request_body max_size"),
            Self::NotHomeAssistant | Self::EmptyAnswer => Entry::new(|m| m.wrong_address, "the answer is not Home Assistant's",
                "set BASE_URL to the address at which Home Assistant itself opens, with its port and without a path such as /lovelace; let a proxy in front of it pass POST /api/alexa* on to it, past any login page"),
            Self::Redirected => Entry::new(|m| m.wrong_address, "BASE_URL redirects to another address",
                "set BASE_URL to where it redirects to, without /api/alexa and what follows it (most often https:// instead of http://); redirects are not followed: the token goes to BASE_URL alone. If that address asks for a login, let POST /api/alexa* pass without one"),
            Self::NameNotServed => Entry::new(|m| m.wrong_address, "the server does not serve the name in BASE_URL",
                "use in BASE_URL the name for which the proxy has a site, or add a site for it there"),
            Self::UnexpectedAnswer | Self::UnusableAnswer => Entry::new(|m| m.bad_answer, "the answer is not one that Home Assistant gives",
                "check that BASE_URL leads to Home Assistant, and that no proxy in front of it changes its answers or cuts them short"),
            Self::NotAReply => Entry::new(|m| m.bad_answer, "the answer is JSON, but no reply for Alexa",
                "check that BASE_URL leads to Home Assistant itself, and that no proxy or gateway in front of it answers or changes its answers"),
            Self::AnswerTooLarge => Entry::new(|m| m.bad_answer, "the answer is larger than the 6 MB that Lambda passes on",
                "if it answers a discovery, let Alexa see fewer entities (filter: under smart_home: in configuration.yaml); else check that BASE_URL leads to Home Assistant"),

            // The connection.
            Self::NameNotFound => Entry::new(|m| m.unreachable, "the name in BASE_URL has no address",
                "check BASE_URL for a typo, and that its dynamic DNS is up to date; names such as homeassistant.local are known at home only. If BASE_URL is right, its name server may fail: ask again"),
            Self::NameServerFailed => Entry::new(|m| m.unreachable, "the name server of the name in BASE_URL does not answer, or fails",
                "ask again; if it happens often, look at the status page of your DNS or dynamic DNS provider, or use another one: BASE_URL and the home itself may be all right"),
            Self::OnlyIpv6 => Entry::new(|m| m.unreachable, "the name in BASE_URL has only an IPv6 address, which Lambda cannot reach",
                "give the name an IPv4 address (an A record); if your provider gives you none, use Home Assistant Cloud's remote address, a tunnel such as Cloudflare's, or a small server with IPv4 in between"),
            Self::Refused => Entry::new(|m| m.unreachable, "nobody listens at BASE_URL's address and port",
                "check that Home Assistant runs, that BASE_URL has the right port, that the router forwards it, and that the name has the home's present IPv4 address (dynamic DNS); localhost and 127.0.0.1 are the function itself"),
            Self::NoConnection => Entry::new(|m| m.unreachable, "nobody answers at BASE_URL's address",
                "check that the machine and the internet connection at home are on, and that the name has the home's present IPv4 address (dynamic DNS): a phone may get there by IPv6, which Lambda does not have; open the port in the router and the firewall (Cloudflare's proxy passes 443 and 8443, not 8123); if your provider shares one IPv4 address among customers (CGNAT, DS-Lite), use a tunnel instead; use a public address: AWS cannot reach those of a home network (10., 100.64. to 100.127., 172.16. to 172.31., 192.168.)"),
            Self::NoAnswer => Entry::new(|m| m.unreachable, "nothing has answered at BASE_URL in time",
                "check that Home Assistant runs and does not hang, that its port is open in the router and the firewall, and that a proxy in front of it has its right address and port"),
            Self::Unacknowledged => Entry::new(|m| m.unreachable, "nobody has acknowledged the request: the connection to Home Assistant is dead",
                "ask again: that makes a new connection; if it happens often, look for a router or a tunnel that forgets its connections. It was not sent again: it may have arrived"),
            Self::UnacknowledgedNew => Entry::new(|m| m.unreachable, "nobody has acknowledged the request, on a connection that was just made",
                "most often large packets are lost on the way (a tunnel, VPN or PPPoE with a smaller MTU): lower the MTU or clamp the MSS there. It was not sent again: it may have arrived"),
            Self::ClosedUnsent => Entry::new(|m| m.unreachable, "the connection was closed before the request was sent",
                "ask again; if it happens often, look into the log of Home Assistant and of the proxy in front of it"),
            Self::ConnectionClosed => Entry::new(|m| m.bad_answer, "the connection was closed before the whole answer came",
                "look into Home Assistant's log and the proxy's. Home Assistant may have done what was asked, so the request was not sent again"),
            Self::PlainConnectionClosed => Entry::new(|m| m.bad_answer, "the connection was closed before the whole answer came",
                "if BASE_URL begins with http:// and the port is one for https, let it begin with https://; else look into Home Assistant's log and the proxy's. Home Assistant may have done what was asked, so the request was not sent again"),
            Self::NotHttp => Entry::new(|m| m.wrong_address, "the port does not speak plain HTTP",
                "if the port is one for https, let BASE_URL begin with https://; else check the port"),
            Self::BrokenHead => Entry::new(|m| m.bad_answer, "the answer has headers that cannot be read: a broken line, or more than 100 lines",
                "look at the headers that the proxy adds (nginx add_header, Apache Header, Caddy header). Home Assistant may have done what was asked, so the request was not sent again"),

            // TLS.
            Self::NotTls => Entry::new(|m| m.wrong_address, "the port does not speak TLS",
                "if Home Assistant has no certificate of its own there, let BASE_URL begin with http://, or better put a proxy with a certificate in front of it; else check the port"),
            Self::UnsupportedTls => Entry::new(|m| m.insecure, "the server has no TLS version, cipher, kind of key or HTTP version that the relay knows, or no certificate for the name in BASE_URL",
                "turn on TLS 1.2 or 1.3 there, in Home Assistant with the SSL profile modern or intermediate; use a certificate with an RSA, ECDSA P-256 or P-384, or Ed25519 key, not P-521; let it offer HTTP/1.1. Cloudflare's free certificate is for names like home.example.org, not ha.home.example.org, and comes up to a day late for a new domain (SSL/TLS, Edge Certificates)"),
            Self::HandshakeClosed => Entry::new(|m| m.unreachable, "the connection was closed before a secure connection was made",
                "with Home Assistant Cloud, check that Home Assistant runs and is connected (Settings, Home Assistant Cloud); else check that the port in BASE_URL is the one for https, and look into the proxy's log: it may have no site for the name in BASE_URL"),
            Self::HandshakeSilent => Entry::new(|m| m.unreachable, "the server accepts connections, but does not answer over TLS",
                "check that the port in BASE_URL is the one for https; if it is, large packets are lost on the way (a tunnel, VPN or PPPoE with a smaller MTU): lower the MTU or clamp the MSS there"),
            Self::HandshakeRefused => Entry::new(|m| m.insecure, "the server refused a secure connection",
                "look into the log of the server or proxy: it may accept only some addresses, names or clients, or require a client certificate (CLIENT_CERTIFICATE)"),
            Self::UntrustedCertificate => Entry::new(|m| m.insecure, "the server's certificate was not issued by a public CA",
                "put the CA's certificate, or the self-signed one itself, into CA_CERTIFICATE, or use one of a public CA, such as Let's Encrypt: account linking needs that. If its names are not yours, a router or a proxy shows a certificate of its own: forward the port, or give the proxy one for the name in BASE_URL"),
            Self::IncompleteChain => Entry::new(|m| m.insecure, "the server does not send the certificate of the CA that issued its own",
                "let it send the whole chain, fullchain.pem and not cert.pem: in Home Assistant as SSL certificate path (Settings, System, Network, HTTP server; before 2026.8 ssl_certificate under http: in configuration.yaml), likewise in a proxy; if the CA is your own, put its certificate into CA_CERTIFICATE; Cloudflare's Origin CA is for Cloudflare alone: turn on its proxy for the name, or use Let's Encrypt"),
            Self::CertificateExpired => Entry::new(|m| m.insecure, "the server's certificate has expired",
                "renew it, and restart what serves it: the Let's Encrypt or DuckDNS app of Home Assistant does both when it can reach the internet"),
            Self::IntermediateExpired => Entry::new(|m| m.insecure, "an intermediate certificate, which the server sends with its own, has expired",
                "serve the newest fullchain.pem of your CA, and restart what serves it: the server's own certificate is still valid"),
            Self::CertificateNotYetValid => Entry::new(|m| m.insecure, "the server's certificate is not valid yet",
                "check the clock of the machine that made it, or wait until it is valid"),
            Self::CertificateForOtherName => Entry::new(|m| m.insecure, "the server's certificate is for another name, or it has none for the name in BASE_URL",
                "use in BASE_URL a name that the certificate has, or get a certificate for the name in BASE_URL; an IP address will seldom do"),
            Self::CertificateVersion1 => Entry::new(|m| m.insecure, "the server's certificate is of X.509 version 1, which has no names",
                "make it again with a name (openssl x509 -req … -extfile with subjectAltName=DNS:home.example.org), or get one from a public CA, such as Let's Encrypt"),
            Self::UnsupportedSignature => Entry::new(|m| m.insecure, "a certificate of the server is signed in a way that the relay does not know",
                "use certificates signed with RSA, ECDSA P-256 or P-384 (SHA-256 or SHA-384), or Ed25519: not P-521, not ECDSA with SHA-512. If the CA is your own and was made anew, put its newest certificate into CA_CERTIFICATE"),
            Self::BadCertificate => Entry::new(|m| m.insecure, "the server's certificate cannot be used",
                "get a new one from a public CA, such as Let's Encrypt"),
            Self::OriginCertificate => Entry::new(|m| m.insecure, "Cloudflare cannot connect securely to the server behind it",
                "525: let that server speak TLS at its port, for the name in BASE_URL; 526: give it a valid certificate, such as Cloudflare's Origin CA or Let's Encrypt, or set the encryption mode to Full instead of Full (strict) (SSL/TLS, Overview)"),
            Self::ClientCertificateRequired => Entry::new(|m| m.insecure, "the server requires a client certificate",
                "set CLIENT_CERTIFICATE, or let /api/alexa* pass without one: in the proxy, or in Home Assistant without an SSL peer certificate path (Settings, System, Network, HTTP server; before 2026.8 ssl_peer_certificate under http: in configuration.yaml). If one is optional there, the server closed the connection for another reason: look into its log"),
            Self::ClientCertificateRefused => Entry::new(|m| m.insecure, "the server refused the certificate of CLIENT_CERTIFICATE",
                "let the CA that issued it be the server's (Home Assistant: SSL peer certificate path, before 2026.8 ssl_peer_certificate; nginx: ssl_client_certificate), check that it has not expired and is one for clients, and put the certificates between the two into CLIENT_CERTIFICATE. If the server only closed the connection, look into its log for another reason"),

            // Time.
            Self::Late => Entry::new(|m| m.late, "Home Assistant has the request, and has not answered in time",
                "nothing needs to be done: it goes on while the connection stays open (Home Assistant Cloud's remote address closes a silent one after 90 to 120 s, a proxy after its timeout). Let a slow intent start its script with script.turn_on, which does not wait; for Assist or a language model use the newest alexa_skill.yaml, which asks whether to wait. If every request ends so, Home Assistant hangs, or the proxy in front of it cannot reach it"),
            Self::NeverAnswered => Entry::new(|m| m.bad_answer, "Home Assistant has the request, and has not answered for 15 minutes: the connection was closed",
                "look for what hangs in Home Assistant; an intent that starts its script with script.turn_on does not wait for it"),
        }
    }

    /// What the owner can do about it if it keeps Amazon's servers from account linking.
    #[rustfmt::skip] // A table.
    pub fn linking_remedy(self) -> &'static str {
        match self {
            Self::LoginRequired | Self::LoginPageOrTokenRefused =>
                "let the path /auth pass without a login: at Cloudflare Access by an application of its own for the path auth with a Bypass policy (Amazon's servers send no service token and none of EXTRA_HEADERS), in a proxy by an exception from its password or forward-auth; Home Assistant's own login protects the path",
            Self::Firewall | Self::RateLimited | Self::BadRequest | Self::RequestTooLarge =>
                "let the path /auth pass from everywhere and without a key: at Cloudflare turn off Bot Fight Mode, or allow Amazon's networks AS16509 and AS14618 by an IP Access rule, and add a WAF custom rule with the action Skip for paths that start with /auth; no list of addresses or countries can know Amazon's servers, and they send none of EXTRA_HEADERS",
            Self::ClientCertificateRequired | Self::ClientCertificateRefused | Self::HandshakeRefused =>
                "let the path /auth pass without a client certificate: Amazon's servers have none. If the server requests it for every path, account linking cannot work there: use another name without it, or LONG_LIVED_ACCESS_TOKEN",
            Self::NoAnswer =>
                "Amazon's servers wait 4.5 s for the path /auth: look into the log of Home Assistant and of the proxy in front of it for what takes so long",
            Self::ClosedUnsent | Self::ConnectionClosed | Self::PlainConnectionClosed | Self::HandshakeClosed =>
                "something closes the connection on the path /auth without an answer: look into the log of the proxy or firewall in front of Home Assistant",
            Self::NameNotFound | Self::NameServerFailed | Self::OnlyIpv6 | Self::Refused | Self::NoConnection
            | Self::HandshakeSilent | Self::Unacknowledged | Self::UnacknowledgedNew =>
                self.entry().remedy,
            _ =>
                "let the proxy in front of Home Assistant pass the path /auth on to it, unchanged, as it does with /api/alexa",
        }
    }
}

impl Entry {
    fn new(sentence: fn(&Messages) -> &'static str, cause: &'static str, remedy: &'static str) -> Self {
        Self { sentence, cause, remedy }
    }
}

/// A missing or invalid setting. Never holds its value, which may be a password or a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettingError {
    /// The environment variable; empty until `config` adds it.
    pub name: &'static str,
    pub is_missing: bool,
    /// The end of a sentence that begins with the setting's name.
    pub text: &'static str,
    /// What the owner can do about it.
    pub remedy: &'static str,
}

impl SettingError {
    pub const fn missing(remedy: &'static str) -> Self {
        Self { name: "", is_missing: true, text: "is not set", remedy }
    }

    pub const fn invalid(text: &'static str, remedy: &'static str) -> Self {
        Self { name: "", is_missing: false, text, remedy }
    }
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.text)
    }
}

impl std::error::Error for SettingError {}
