//! The catalogue of faults: all that can keep Home Assistant's answer from Alexa.

use std::error::Error;
use std::fmt;

use serde::Serialize;
use tracing::Level;

use crate::messages::Messages;

/// What is said of a fault, and done about it.
pub struct Row {
    /// What Alexa says to a person.
    sentence: fn(&Messages) -> &'static str,
    /// What Alexa gets in answer to a directive.
    pub error_type: ErrorType,
    /// The level of its log line: ERROR raises the template's alarm.
    pub level: Level,
    /// What the owner can do about it if it keeps Amazon's servers from account linking.
    pub linking_remedy: &'static str,
    pub retry: Retry,
    /// What is wrong, for the log.
    pub cause: &'static str,
    /// What the owner can do about it, for the log.
    pub remedy: &'static str,
}

/// The `type` of an `ErrorResponse`, as Amazon defines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum ErrorType {
    /// Amazon unlinks the account on this one, so it must mean a missing, unusable or refused token and nothing else.
    #[serde(rename = "INVALID_AUTHORIZATION_CREDENTIAL")]
    Credential,
    /// Something on the way to Home Assistant is wrong.
    #[serde(rename = "BRIDGE_UNREACHABLE")]
    Bridge,
    /// Home Assistant takes too long.
    #[serde(rename = "ENDPOINT_UNREACHABLE")]
    Endpoint,
    /// The answer is unusable, or a setting is wrong.
    #[serde(rename = "INTERNAL_ERROR")]
    Internal,
    /// Any fault of an `AcceptGrant`.
    #[serde(rename = "ACCEPT_GRANT_FAILED")]
    AcceptGrant,
}

/// Whether a request that failed so may be sent a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It may succeed a moment later.
    Once,
    /// It would fail again. A refused certificate is refused again.
    Useless,
    /// Home Assistant may have done what was asked.
    Unsafe,
}

const SAME: &str = "";
const PASS_ON: &str =
    "let the proxy in front of Home Assistant pass the path /auth on to it, unchanged, as it does with /api/alexa";
const NO_LOGIN: &str = "let the path /auth pass without a login: at Cloudflare Access by an application of its \
    own for the path auth with a Bypass policy (Amazon's servers send no service token and none of EXTRA_HEADERS), \
    in a proxy by an exception from its password or forward-auth; Home Assistant's own login protects the path";
const OPEN: &str = "let the path /auth pass from everywhere and without a key: at Cloudflare turn off Bot Fight \
    Mode, or allow Amazon's networks AS16509 and AS14618 by an IP Access rule, and add a WAF custom rule with the \
    action Skip for paths that start with /auth; no list of addresses or countries can know Amazon's servers, and \
    they send none of EXTRA_HEADERS";
const NO_CERTIFICATE: &str = "let the path /auth pass without a client certificate: Amazon's servers have none. \
    If the server requests it for every path, account linking cannot work there: use another name without it, or \
    LONG_LIVED_ACCESS_TOKEN";
const SOON: &str = "Amazon's servers wait 4.5 s for the path /auth: look into the log of Home Assistant and of \
    the proxy in front of it for what takes so long";
const UNCUT: &str = "something closes the connection on the path /auth without an answer: look into the log of \
    the proxy or firewall in front of Home Assistant";

/// `Fault = what Alexa says, Amazon's type, level, what helps account linking, a second try: cause, remedy;`
macro_rules! faults {
    ($(
        $name:ident = $sentence:ident, $type:ident, $level:ident, $linking:ident, $retry:ident:
            $cause:literal, $remedy:literal;
    )*) => {
        /// A fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Fault { Setting(SettingError), $($name),* }

        impl Fault {
            /// What is said of it, and done about it.
            pub fn row(self) -> Row {
                match self {
                    Self::Setting(error) => error.row(),
                    $(Self::$name => Row {
                        sentence: |messages| messages.$sentence, error_type: ErrorType::$type, level: Level::$level,
                        linking_remedy: if $linking.is_empty() { $remedy } else { $linking }, retry: Retry::$retry,
                        cause: $cause, remedy: $remedy,
                    },)*
                }
            }
        }
    };
}

#[rustfmt::skip] // A table.
faults! {
    // The event.
    NoToken = link_account, Credential, WARN, SAME, Useless: "the request has no access token",
        "link the account in the Alexa app (the skill's page, Settings, Link Account); where that page has no such \
         button, set up Account Linking in the Alexa developer console";
    UnusableToken = link_account, Credential, ERROR, SAME, Useless:
        "the request's access token has characters that no HTTP header may have",
        "disable the skill in the Alexa app, enable it and link the account again; check that the Access Token URI \
         in the developer console ends with /auth/token";
    AmazonToken = link_account, Credential, ERROR, SAME, Useless:
        "the access token is Amazon's own: account linking leads to Login with Amazon",
        "in the Alexa developer console under Account Linking, set Your Web Authorization URI to Home Assistant's \
         /auth/authorize and Access Token URI to its /auth/token, such as https://home.example.org/auth/token; then \
         link the account again. In a test event, leave the token empty (\"\")";

    // What Home Assistant itself answers.
    TokenRefused = link_account, Credential, ERROR, PASS_ON, Useless: "Home Assistant refused the access token",
        "link the account again in the Alexa app; if it happens every half hour, check the Access Token URI in the \
         developer console, and that your user in Home Assistant is active and may log in from outside the local \
         network; in a test event, leave the made-up token empty (\"\")";
    LongLivedTokenRefused = link_account, Credential, ERROR, PASS_ON, Useless:
        "Home Assistant refused LONG_LIVED_ACCESS_TOKEN",
        "make a new token on your profile page in Home Assistant, or remove the setting and link the account in the \
         Alexa app; the user must be active, and may not be limited to the local network";
    Banned = banned, Bridge, ERROR, SAME, Useless: "Home Assistant has banned the address that the request came from",
        "remove it from ip_bans.yaml beside configuration.yaml and restart Home Assistant; behind a reverse proxy, \
         let Home Assistant trust the proxy (Settings, System, Network, HTTP server, Trusted proxies; before 2026.8 \
         trusted_proxies under http: in configuration.yaml), or the proxy itself is banned for what others do";
    ProxyNotTrusted = proxy_not_trusted, Bridge, ERROR, SAME, Useless:
        "Home Assistant does not trust the reverse proxy that the request came through",
        "under Settings, System, Network, HTTP server, turn on Trust X-Forwarded-For, add the proxy's address (Home \
         Assistant's log names it) to Trusted proxies, and confirm the change within 5 minutes; before Home \
         Assistant 2026.8, set use_x_forwarded_for: true and trusted_proxies under http: in configuration.yaml and \
         restart. Of two proxies in a row only one may add X-Forwarded-For";
    AlexaNotEnabled = alexa_not_enabled, Bridge, ERROR, PASS_ON, Useless: "Home Assistant has nothing at this path",
        "add the integration Alexa Relay, or to configuration.yaml the line alexa: (for smart home always, and \
         smart_home: under it), and restart Home Assistant. While it starts, it answers so too, for some seconds. If \
         the lines are there, they must not be indented below another, such as api:, and Home Assistant's log must \
         have no Invalid config for them: one wrong value, such as the locale, and it loads nothing of alexa:. A \
         proxy that changes the path is another cause (nginx proxy_pass with a slash at its end, Traefik \
         StripPrefix, Caddy handle_path)";
    PathInBaseUrl = wrong_address, Bridge, ERROR, PASS_ON, Useless:
        "Home Assistant has nothing at the path in BASE_URL",
        "remove the path, such as /api, /api/alexa or /homeassistant: https://home.example.org is enough. If a \
         proxy serves Home Assistant at that path, add the line alexa: to configuration.yaml (for smart home, \
         smart_home: under it) and restart Home Assistant";
    RequestChanged = wrong_address, Bridge, ERROR, PASS_ON, Useless:
        "Home Assistant is reached, but something in front of it changes the path or the method of the request",
        "let the proxy pass POST /api/alexa* on as it is: nginx proxy_pass without a slash or a path at its end, no \
         proxy_method; no StripPrefix in Traefik, handle and not handle_path in Caddy";
    ServerError = bad_answer, Internal, ERROR, PASS_ON, Useless: "Home Assistant had an internal error",
        "look for it in Home Assistant's log: Settings, System, Logs";

    // What answers instead of Home Assistant.
    Firewall = firewall, Bridge, ERROR, OPEN, Useless: "a firewall in front of Home Assistant stopped the request",
        "let POST /api/alexa* pass, without a challenge and from all countries: at Cloudflare turn off Bot Fight \
         Mode and the like (Security, Settings, Bot traffic: no WAF rule can make an exception to it) or allow \
         Amazon's networks AS16509 and AS14618 by an IP Access rule, and for the rest add a WAF custom rule with the \
         action Skip for these paths; a list of addresses does not help: Lambda's addresses change";
    RateLimited = firewall, Bridge, ERROR, OPEN, Useless:
        "a rate limit in front of Home Assistant stopped the request",
        "let /api/alexa* pass without one, or allow some requests in a row (nginx limit_req burst, HAProxy stick \
         tables, Cloudflare rate limiting rules)";
    BadRequest = bad_answer, Internal, ERROR, OPEN, Useless:
        "the request was refused with 400, not by Home Assistant itself but by its web server or a proxy in front \
         of it: the response says why",
        "look there, and into the log of the proxy. A Host header that is missing or sent twice: one \
         proxy_set_header Host $host in nginx. Too much: the limits on headers (nginx large_client_header_buffers). \
         Only a page \"400\": the proxy may replace Home Assistant's own (nginx proxy_intercept_errors, Apache \
         ProxyErrorOverride), and Home Assistant does not trust it: Settings, System, Network, HTTP server, Trusted \
         proxies, before 2026.8 trusted_proxies under http: in configuration.yaml";
    ProxyError = bad_answer, Internal, ERROR, PASS_ON, Useless:
        "something in front of Home Assistant answered with an error of its own",
        "look into its log: its forward-auth fails (nginx auth_request, Traefik forwardAuth), it does not accept \
         Home Assistant's certificate, a gateway or Worker failed, or a router's own page answers at this port; or \
         it replaces Home Assistant's own page (nginx proxy_intercept_errors): then look into Home Assistant's log, \
         too";
    LoginRequired = firewall, Bridge, ERROR, NO_LOGIN, Useless: "something in front of Home Assistant wants a login",
        "let POST /api/alexa* pass without one: at Cloudflare Access by a service token, which EXTRA_HEADERS sends, \
         or a Bypass policy for these paths; in a proxy by an exception from its password or forward-auth; or set \
         BASE_URL to an address that does not go through it. If it is your router, forward the port to Home \
         Assistant";
    LoginPageOrTokenRefused = firewall, Bridge, ERROR, NO_LOGIN, Useless:
        "a proxy in front of Home Assistant answered 401 with a page of its own",
        "if the proxy wants a login, let POST /api/alexa* pass without one; if it wants none, it replaces Home \
         Assistant's own page (nginx proxy_intercept_errors, Apache ProxyErrorOverride): link the account again in \
         the Alexa app";
    BadGateway = unreachable, Bridge, ERROR, PASS_ON, Useless:
        "the proxy in front of Home Assistant got no answer from it",
        "check that Home Assistant runs, that its tunnel is connected (Cloudflare, ngrok), and that the proxy has \
         its right address and port (a new Home Assistant OS of 2026.8 or later listens on 80, not 8123), speaks \
         http or https to it as it does, and has a site for the name in BASE_URL; a 503 page of nginx can also be \
         its rate limit (limit_req)";
    ProxyTimeout = proxy_timeout, Bridge, ERROR, PASS_ON, Useless:
        "the proxy in front of Home Assistant did not wait for its answer, and so stopped what Home Assistant was \
         doing",
        "give the proxy a timeout of 60 s or more (nginx proxy_read_timeout, HAProxy timeout server, Apache \
         ProxyTimeout), or let the intent start its script with script.turn_on, which does not wait; if every \
         request ends so, the proxy cannot reach Home Assistant";
    RequestTooLarge = bad_answer, Internal, ERROR, OPEN, Useless:
        "the proxy in front of Home Assistant refuses requests of this size",
        "allow more there: nginx client_max_body_size, Apache LimitRequestBody, Caddy request_body max_size";
    NotHomeAssistant = wrong_address, Bridge, ERROR, PASS_ON, Useless:
        "the answer is not Home Assistant's, but somebody else's",
        "set BASE_URL to the address at which Home Assistant itself opens, with its port and without a path such as \
         /lovelace; let a proxy in front of it pass POST /api/alexa* on to it, past any login page";
    Redirected = wrong_address, Bridge, ERROR, PASS_ON, Useless: "BASE_URL redirects to another address",
        "set BASE_URL to where it redirects to, without /api/alexa and what follows it (most often https:// instead \
         of http://); redirects are not followed: the token goes to BASE_URL alone. If that address asks for a \
         login, let POST /api/alexa* pass without one";
    RedirectedToItself = wrong_address, Bridge, ERROR, PASS_ON, Useless:
        "the address in BASE_URL redirects to itself",
        "the proxy believes that it was asked by http:// and forces https://. At Cloudflare, set the encryption \
         mode to Full instead of Flexible (SSL/TLS, Overview); let a tunnel speak https to it; or turn its forced \
         redirect off (Force SSL)";
    NameNotServed = wrong_address, Bridge, ERROR, PASS_ON, Useless: "the server does not serve the name in BASE_URL",
        "use in BASE_URL the name for which the proxy has a site, or add a site for it there";
    UnexpectedAnswer = bad_answer, Internal, ERROR, PASS_ON, Useless:
        "the answer is not one that Home Assistant gives",
        "check that BASE_URL leads to Home Assistant itself, and that no proxy or gateway in front of it answers, \
         changes its answers or cuts them short";
    AnswerTooLarge = bad_answer, Internal, ERROR, PASS_ON, Useless:
        "the answer is larger than the 6 MB that Lambda passes on",
        "if it answers a discovery, let Alexa see fewer entities (filter: under smart_home: in configuration.yaml); \
         else check that BASE_URL leads to Home Assistant";

    // The connection.
    NameNotFound = unreachable, Bridge, ERROR, SAME, Once: "the name in BASE_URL has no address",
        "check BASE_URL for a typo, and that its dynamic DNS is up to date; names such as homeassistant.local are \
         known at home only. If BASE_URL is right, its name server may fail: ask again";
    NameServerFailed = unreachable, Bridge, ERROR, SAME, Once:
        "the name server of the name in BASE_URL does not answer, or fails",
        "ask again; if it happens often, look at the status page of your DNS or dynamic DNS provider, or use \
         another one: BASE_URL and the home itself may be all right";
    OnlyIpv6 = unreachable, Bridge, ERROR, SAME, Useless:
        "the name in BASE_URL has only an IPv6 address, which Lambda cannot reach",
        "give the name an IPv4 address (an A record); if your provider gives you none, use Home Assistant Cloud's \
         remote address, a tunnel such as Cloudflare's, or a small server with IPv4 in between";
    Refused = unreachable, Bridge, ERROR, SAME, Once: "nobody listens at BASE_URL's address and port",
        "check that Home Assistant runs, that BASE_URL has the right port, that the router forwards it, and that \
         the name has the home's present IPv4 address (dynamic DNS); localhost and 127.0.0.1 are the function \
         itself";
    NoConnection = unreachable, Bridge, ERROR, SAME, Useless: "nobody answers at BASE_URL's address",
        "check that the machine and the internet connection at home are on, and that the name has the home's \
         present IPv4 address (dynamic DNS): a phone may get there by IPv6, which Lambda does not have; open the \
         port in the router and the firewall (Cloudflare's proxy passes 443 and 8443, not 8123); if your provider \
         shares one IPv4 address among customers (CGNAT, DS-Lite), use a tunnel instead; use a public address: AWS \
         cannot reach those of a home network (10., 100.64. to 100.127., 172.16. to 172.31., 192.168.)";
    NoAnswer = unreachable, Bridge, ERROR, SOON, Useless: "nothing has answered at BASE_URL in time",
        "check that Home Assistant runs and does not hang, that its port is open in the router and the firewall, \
         and that a proxy in front of it has its right address and port";
    Unacknowledged = unreachable, Bridge, ERROR, SAME, Unsafe:
        "nobody has acknowledged the request: the connection to Home Assistant is dead",
        "ask again: that makes a new connection; if it happens often, look for a router or a tunnel that forgets \
         its connections";
    UnacknowledgedNew = unreachable, Bridge, ERROR, SAME, Unsafe:
        "nobody has acknowledged the request, on a connection that was just made",
        "most often large packets are lost on the way (a tunnel, VPN or PPPoE with a smaller MTU): lower the MTU or \
         clamp the MSS there";
    ClosedUnsent = unreachable, Bridge, ERROR, UNCUT, Once: "the connection was closed before the request was sent",
        "ask again; if it happens often, look into the log of Home Assistant and of the proxy in front of it";
    ConnectionClosed = bad_answer, Internal, ERROR, UNCUT, Unsafe:
        "the connection was closed before the whole answer came",
        "a firewall, or a filter of countries or bots, may have dropped the request (nginx return 444, HAProxy \
         http-request reject, Caddy abort): let POST /api/alexa* pass there; else look into Home Assistant's log and \
         the proxy's";
    PlainConnectionClosed = bad_answer, Internal, ERROR, UNCUT, Unsafe:
        "the connection was closed before the whole answer came",
        "if BASE_URL begins with http:// and the port is one for https, let it begin with https://; a firewall, or \
         a filter of countries or bots, may have dropped the request (nginx return 444, HAProxy http-request reject, \
         Caddy abort): let POST /api/alexa* pass there; else look into Home Assistant's log and the proxy's";
    NotHttp = wrong_address, Bridge, ERROR, PASS_ON, Useless: "the port does not speak plain HTTP",
        "if the port is one for https, let BASE_URL begin with https://; else check the port";
    BrokenHead = bad_answer, Internal, ERROR, PASS_ON, Unsafe:
        "the answer has headers that cannot be read: a broken line, or more than 100 lines",
        "look at the headers that the proxy adds (nginx add_header, Apache Header, Caddy header)";

    // TLS.
    NotTls = wrong_address, Bridge, ERROR, SAME, Useless: "the port does not speak TLS",
        "if Home Assistant has no certificate of its own there, let BASE_URL begin with http://, or better put a \
         proxy with a certificate in front of it; else check the port";
    UnsupportedTls = insecure, Bridge, ERROR, SAME, Useless:
        "the server has no TLS version, cipher, kind of key or HTTP version that the relay knows, or no certificate \
         for the name in BASE_URL",
        "turn on TLS 1.2 and 1.3 there, in Home Assistant with the SSL profile Intermediate v6 (account linking was \
         reported to need TLS 1.2); use a certificate with an RSA, ECDSA P-256 or P-384, or Ed25519 key, not P-521; \
         let it offer HTTP/1.1. Cloudflare's free certificate is for names like home.example.org, not \
         ha.home.example.org, and comes up to a day late for a new domain (SSL/TLS, Edge Certificates)";
    HandshakeClosed = unreachable, Bridge, ERROR, UNCUT, Once:
        "the connection was closed before a secure connection was made",
        "with Home Assistant Cloud, check that Home Assistant runs and is connected (Settings, Home Assistant \
         Cloud), with a tunnel (Tailscale Funnel, ngrok) that it is on and its node online; else check that the port \
         in BASE_URL is the one for https, and look into the proxy's log: it may have no site for the name in \
         BASE_URL";
    HandshakeSilent = unreachable, Bridge, ERROR, SAME, Useless:
        "the server accepts connections, but does not answer over TLS",
        "check that the port in BASE_URL is the one for https; if it is, large packets are lost on the way (a \
         tunnel, VPN or PPPoE with a smaller MTU): lower the MTU or clamp the MSS there";
    HandshakeRefused = insecure, Bridge, ERROR, NO_CERTIFICATE, Useless: "the server refused a secure connection",
        "look into the log of the server or proxy: it may accept only some addresses, names or clients, or require \
         a client certificate (CLIENT_CERTIFICATE)";
    UntrustedCertificate = insecure, Bridge, ERROR, SAME, Useless:
        "the server's certificate was not issued by a public CA",
        "put the CA's certificate, or the self-signed one itself, into CA_CERTIFICATE, or use one of a public CA, \
         such as Let's Encrypt: account linking needs that. If its names are not yours, a router or a proxy shows a \
         certificate of its own: forward the port, or give the proxy one for the name in BASE_URL";
    IncompleteChain = insecure, Bridge, ERROR, SAME, Useless:
        "the server does not send the certificate of the CA that issued its own",
        "let it send the whole chain, fullchain.pem and not cert.pem: in Home Assistant as SSL certificate path \
         (Settings, System, Network, HTTP server; before 2026.8 ssl_certificate under http: in configuration.yaml), \
         likewise in a proxy; if the CA is your own (Caddy's tls internal, too), put its certificate into \
         CA_CERTIFICATE; Cloudflare's Origin CA is for Cloudflare alone: turn on its proxy for the name, or use \
         Let's Encrypt";
    RecoveryMode = insecure, Bridge, ERROR, SAME, Useless:
        "Home Assistant could not load its own certificate, and serves an emergency certificate: it is in recovery \
         mode",
        "look at Home Assistant's notifications and log (Settings, System, Logs) for what is wrong with its \
         certificate's files, correct that and restart it; the emergency certificate is nothing to trust";
    CertificateExpired = insecure, Bridge, ERROR, SAME, Useless: "the server's certificate has expired",
        "renew it, and restart what serves it: Home Assistant, too, reads a renewed certificate only when it \
         starts. Its DuckDNS app renews the file by itself, the Let's Encrypt app each time that it is started";
    IntermediateExpired = insecure, Bridge, ERROR, SAME, Useless:
        "an intermediate certificate, which the server sends with its own, has expired",
        "serve the newest fullchain.pem of your CA, and restart what serves it: the server's own certificate is \
         still valid";
    CertificateNotYetValid = insecure, Bridge, ERROR, SAME, Useless: "the server's certificate is not valid yet",
        "check the clock of the machine that made it, or wait until it is valid";
    CertificateForOtherName = insecure, Bridge, ERROR, SAME, Useless:
        "the server's certificate is for another name, or it has none for the name in BASE_URL",
        "use in BASE_URL a name that the certificate has, or get a certificate for the name in BASE_URL; an IP \
         address will seldom do";
    UnsupportedSignature = insecure, Bridge, ERROR, SAME, Useless:
        "a certificate of the server is signed in a way that the relay does not know",
        "use certificates signed with RSA, ECDSA P-256 or P-384 (SHA-256 or SHA-384), or Ed25519: not P-521, not \
         ECDSA with SHA-512. If the CA is your own and was made anew, put its newest certificate into \
         CA_CERTIFICATE";
    BadCertificate = insecure, Bridge, ERROR, SAME, Useless: "the server's certificate cannot be used",
        "get a new one from a public CA, such as Let's Encrypt; one of X.509 version 1, which has no names: make it \
         again with a name (openssl x509 -req … -extfile with subjectAltName=DNS:home.example.org)";
    OriginCertificate = insecure, Bridge, ERROR, PASS_ON, Useless:
        "Cloudflare cannot connect securely to the server behind it",
        "525: let that server speak TLS at its port, for the name in BASE_URL; 526: give it a valid certificate, \
         such as Cloudflare's Origin CA or Let's Encrypt, or set the encryption mode to Full instead of Full \
         (strict) (SSL/TLS, Overview)";
    ClientCertificateRequired = insecure, Bridge, ERROR, NO_CERTIFICATE, Useless:
        "the server requires a client certificate",
        "set CLIENT_CERTIFICATE, or let /api/alexa* pass without one: in the proxy, or in Home Assistant without an \
         SSL peer certificate path (Settings, System, Network, HTTP server; before 2026.8 ssl_peer_certificate under \
         http: in configuration.yaml). If one is optional there, the server closed the connection for another \
         reason: look into its log";
    ClientCertificateRefused = insecure, Bridge, ERROR, NO_CERTIFICATE, Useless:
        "the server refused the certificate of CLIENT_CERTIFICATE",
        "let the CA that issued it be the server's (Home Assistant: SSL peer certificate path, before 2026.8 \
         ssl_peer_certificate; nginx: ssl_client_certificate), check that it has not expired and is one for clients, \
         and put the certificates between the two into CLIENT_CERTIFICATE. If the server only closed the connection, \
         look into its log for another reason";
    ClientCertificateLate = insecure, Bridge, ERROR, NO_CERTIFICATE, Useless:
        "the server asks for a client certificate only when it knows the path, after the handshake",
        "let it ask for the whole host, in the handshake (Apache: SSLVerifyClient in the VirtualHost, not in a \
         Location; IIS: Negotiate Client Certificate), and set CLIENT_CERTIFICATE; or let /api/alexa* pass without \
         one";

    // Time.
    Late = late, Endpoint, WARN, PASS_ON, Useless: "Home Assistant has the request, and has not answered in time",
        "nothing needs to be done: it goes on while the connection stays open (Home Assistant Cloud's remote \
         address closes a silent one after 90 to 120 s, a proxy after its timeout). Let a slow intent start its \
         script with script.turn_on, which does not wait; for Assist or a language model, add the integration Alexa \
         Relay to Home Assistant, which asks whether to wait. If every request ends so, Home Assistant hangs, or the \
         proxy in front of it cannot reach it";
    NeverAnswered = bad_answer, Internal, ERROR, PASS_ON, Useless:
        "Home Assistant has the request, and has not answered for 15 minutes: the connection was closed",
        "look for what hangs in Home Assistant; an intent that starts its script with script.turn_on does not wait \
         for it";
}

impl Fault {
    /// What Alexa says to a person.
    pub fn sentence(self, messages: &Messages) -> String {
        let setting = if let Self::Setting(error) = self { error.name } else { "" };
        (self.row().sentence)(messages).replace("{setting}", setting)
    }
}

/// A missing or invalid setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettingError {
    /// The environment variable.
    pub name: &'static str,
    pub problem: Problem,
}

/// What is wrong with a setting. Never holds its value, which may be a password or a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    is_missing: bool,
    /// The end of a sentence that begins with the setting's name.
    pub text: &'static str,
    /// What the owner can do about it.
    pub remedy: &'static str,
}

impl Problem {
    pub const fn missing(remedy: &'static str) -> Self {
        Self { is_missing: true, text: "is not set", remedy }
    }

    pub const fn invalid(text: &'static str, remedy: &'static str) -> Self {
        Self { is_missing: false, text, remedy }
    }
}

impl SettingError {
    fn row(self) -> Row {
        let (sentence, cause): (fn(&Messages) -> _, _) = if self.problem.is_missing {
            (|messages| messages.setting_missing, "a setting is missing")
        } else {
            (|messages| messages.setting_wrong, "a setting is wrong")
        };
        let (remedy, error_type) = (self.problem.remedy, ErrorType::Internal);
        Row { sentence, error_type, level: Level::ERROR, linking_remedy: remedy, retry: Retry::Useless, cause, remedy }
    }
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.problem.text)
    }
}

impl Error for SettingError {}
