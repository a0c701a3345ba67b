//! Every way in which Home Assistant's answer can fail to come: its cause, its mend and its sentence.

use crate::setting::{Problem, SettingError};
use crate::speech::Sentence;

/// What went wrong. [`Fault::words`] says it in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Setting(SettingError),
    NoToken,
    UnusableToken,
    TokenRefused,
    LongLivedTokenRefused,
    Banned,
    Firewall,
    ProxyNotTrusted,
    AlexaOff,
    NotHomeAssistant,
    MethodRefused,
    Moved,
    LoginPage,
    BehindProxy,
    ServerError,
    UnexpectedStatus,
    WebPage,
    NotJson,
    CutShort,
    TooLarge,
    Unanswered,
    BrokenOff,
    NotHttp,
    NameNotFound,
    Refused,
    Unreachable,
    ConnectTimeout,
    Unacknowledged,
    HandshakeBroken,
    SelfSigned,
    UnknownIssuer,
    IncompleteChain,
    CertificateExpired,
    CertificateNotYetValid,
    CertificateForOtherName,
    BadCertificate,
    ClientCertificateWanted,
    ClientCertificateRefused,
    PlainHttp,
    OldTls,
    Late,
    NeverAnswered,
}

impl Fault {
    /// What Alexa says of it.
    pub fn sentence(self) -> Sentence {
        self.words().2
    }

    /// Whether a second try may do better. Of a certificate, say, it would only hear the same.
    pub fn may_pass(self) -> bool {
        matches!(self, Self::NameNotFound | Self::Refused | Self::HandshakeBroken | Self::Unanswered)
    }

    /// What is wrong, for the log.
    pub fn cause(self) -> &'static str {
        self.words().0
    }

    /// What its owner can do about it.
    pub fn mend(self) -> &'static str {
        self.words().1
    }

    /// Cause, mend, sentence.
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn words(self) -> (&'static str, &'static str, Sentence) {
        match self {
            Self::Setting(error) => {
                let SettingError { name, problem } = error;
                let missing = problem == Problem::Missing;
                let sentence = if missing { Sentence::SettingMissing(name) } else { Sentence::SettingWrong(name) };
                ("a setting is missing or wrong", error.mend(), sentence)
            }
            Self::NoToken => (
                "the request holds no access token",
                "link the account in the Alexa app (the skill's page, Settings, Link Account); where that page has no such button, set up ACCOUNT LINKING in the Alexa developer console",
                Sentence::LinkAccount,
            ),
            Self::UnusableToken => (
                "the request's access token holds characters that no HTTP header may hold",
                "disable the skill in the Alexa app, enable it and link the account again; check that the Access Token URI in the developer console ends with /auth/token",
                Sentence::LinkAccount,
            ),
            Self::TokenRefused => (
                "Home Assistant refused the access token",
                "link the account again in the Alexa app; if it happens every half hour, check the Access Token URI in the developer console. A www-authenticate header means that a proxy wants a password of its own: let /api/alexa pass without one",
                Sentence::LinkAccount,
            ),
            Self::LongLivedTokenRefused => (
                "Home Assistant refused LONG_LIVED_ACCESS_TOKEN",
                "make a new token on your profile page in Home Assistant, or remove the setting and link the account in the Alexa app",
                Sentence::LinkAccount,
            ),
            Self::Banned => (
                "Home Assistant has banned the address that the request came from",
                "remove it from ip_bans.yaml beside configuration.yaml and restart Home Assistant; behind a reverse proxy, set use_x_forwarded_for and trusted_proxies, or the proxy itself is banned",
                Sentence::Banned,
            ),
            Self::Firewall => (
                "a firewall before Home Assistant stopped the request",
                "let POST /api/alexa pass: at Cloudflare turn off Bot Fight Mode (Security, Bots: no rule can make an exception to it), and for the rest add a WAF custom rule with the action Skip for this path",
                Sentence::Firewall,
            ),
            Self::ProxyNotTrusted => (
                "Home Assistant does not trust the reverse proxy that the request came through",
                "in configuration.yaml, under http:, set use_x_forwarded_for: true and list the proxy's address under trusted_proxies (Home Assistant's log names it), then restart Home Assistant",
                Sentence::ProxyNotTrusted,
            ),
            Self::AlexaOff => (
                "Home Assistant has nothing at /api/alexa",
                "add the line alexa: to configuration.yaml and restart Home Assistant; while it starts, it answers so too, for some seconds",
                Sentence::AlexaOff,
            ),
            Self::NotHomeAssistant => (
                "there is nothing at BASE_URL/api/alexa, and it is not Home Assistant that says so",
                "set BASE_URL to the address at which Home Assistant itself opens, with its port and path",
                Sentence::WrongAddress,
            ),
            Self::MethodRefused => (
                "what is at BASE_URL/api/alexa takes no POST",
                "set BASE_URL to the address of Home Assistant itself, and let the proxy before it pass POST",
                Sentence::WrongAddress,
            ),
            Self::Moved => (
                "BASE_URL leads on to another address",
                "set BASE_URL to where it was sent, less /api/alexa (most often https:// in place of http://); redirects are not followed, for the token goes to BASE_URL alone",
                Sentence::WrongAddress,
            ),
            Self::LoginPage => (
                "BASE_URL leads to a page where people log in",
                "let POST /api/alexa pass the access proxy: at Cloudflare Access by a service token, which EXTRA_HEADERS sends, or a Bypass policy for this path; or set BASE_URL to an address that does not go through it",
                Sentence::Firewall,
            ),
            Self::BehindProxy => (
                "the proxy before Home Assistant got no answer from it",
                "check that Home Assistant runs and that the proxy has its right address and port",
                Sentence::Unreachable,
            ),
            Self::ServerError => (
                "Home Assistant had an internal error",
                "look for it in Home Assistant's log: Settings, System, Logs",
                Sentence::BadAnswer,
            ),
            Self::UnexpectedStatus => (
                "the answer has a status that Home Assistant does not give here",
                "check that BASE_URL leads to Home Assistant, and what the proxy before it does",
                Sentence::BadAnswer,
            ),
            Self::WebPage => (
                "the answer is a web page",
                "set BASE_URL to the address of Home Assistant itself, without a path such as /lovelace, and let /api/alexa pass any login page before it",
                Sentence::WrongAddress,
            ),
            Self::NotJson => (
                "the answer is not JSON",
                "check that BASE_URL leads to Home Assistant, and that no proxy changes its answers",
                Sentence::BadAnswer,
            ),
            Self::CutShort => (
                "the answer is JSON that ends too early",
                "check the proxy before Home Assistant: it passes on a part of the answer only",
                Sentence::BadAnswer,
            ),
            Self::TooLarge => (
                "the answer is larger than the 6 MB that Lambda takes",
                "shorten what the intent says: Alexa takes 120 KB at most",
                Sentence::BadAnswer,
            ),
            Self::Unanswered => (
                "the connection was closed before an answer came",
                "look into Home Assistant's log and the proxy's; Home Assistant may have done what was asked, so the request was not sent again",
                Sentence::BadAnswer,
            ),
            Self::BrokenOff => (
                "the connection was closed half way through the answer",
                "look into Home Assistant's log and the proxy's; Home Assistant may have done what was asked, so the request was not sent again",
                Sentence::BadAnswer,
            ),
            Self::NotHttp => (
                "what came back is not HTTP",
                "if the port is one for https, let BASE_URL begin with https://; else check the port",
                Sentence::WrongAddress,
            ),
            Self::NameNotFound => (
                "the name in BASE_URL has no address",
                "check BASE_URL for a slip, and that its dynamic DNS is up to date; names such as homeassistant.local are known at home only",
                Sentence::Unreachable,
            ),
            Self::Refused => (
                "nobody listens at BASE_URL's address and port",
                "check that Home Assistant runs, that BASE_URL has the right port, and that the router forwards it",
                Sentence::Unreachable,
            ),
            Self::Unreachable => (
                "there is no way to BASE_URL's address",
                "use a public address: those of a home network (10., 172.16. to 172.31., 192.168.) cannot be reached from AWS, and neither can IPv6 alone",
                Sentence::Unreachable,
            ),
            Self::ConnectTimeout => (
                "nobody answers at BASE_URL's address",
                "open the port in the router and the firewall; use a public address, for AWS cannot reach those of a home network; check that the port speaks what BASE_URL begins with",
                Sentence::Unreachable,
            ),
            Self::Unacknowledged => (
                "nobody has acknowledged the request: the way to Home Assistant is dead",
                "ask again: that makes a new connection; if it happens often, look for a router or a tunnel that forgets its connections. It was not sent again, for it may have arrived",
                Sentence::Unreachable,
            ),
            Self::HandshakeBroken => (
                "the connection was closed before a secure connection was made",
                "check that the port in BASE_URL is the one for https, and look into the proxy's log",
                Sentence::Insecure,
            ),
            Self::SelfSigned => (
                "the certificate is self-signed",
                "put it into CA_CERTIFICATE, or use one of a public authority, such as Let's Encrypt: account linking needs that",
                Sentence::Insecure,
            ),
            Self::UnknownIssuer => (
                "the certificate comes from an authority that is not publicly trusted",
                "put the authority's certificate into CA_CERTIFICATE, or use one of a public authority, such as Let's Encrypt: account linking needs that",
                Sentence::Insecure,
            ),
            Self::IncompleteChain => (
                "the server does not send the certificate of the authority that signed its own",
                "let it send the whole chain: in Home Assistant ssl_certificate: fullchain.pem and not cert.pem, likewise in a proxy; if the authority is your own, put its certificate into CA_CERTIFICATE",
                Sentence::Insecure,
            ),
            Self::CertificateExpired => (
                "the certificate has expired",
                "renew it, and restart what serves it: the Let's Encrypt or DuckDNS add-on does both when it can reach the internet",
                Sentence::Insecure,
            ),
            Self::CertificateNotYetValid => (
                "the certificate is not valid yet",
                "check the clock of the machine that made it, or wait until it is valid",
                Sentence::Insecure,
            ),
            Self::CertificateForOtherName => (
                "the certificate is for another name",
                "use in BASE_URL a name that the certificate has, or get a certificate for the name in BASE_URL; an IP address will not do",
                Sentence::Insecure,
            ),
            Self::BadCertificate => (
                "the certificate cannot be used",
                "get a new one from a public authority, such as Let's Encrypt",
                Sentence::Insecure,
            ),
            Self::ClientCertificateWanted => (
                "the server wants a certificate of its clients",
                "set CLIENT_CERTIFICATE, or remove ssl_peer_certificate from http: in configuration.yaml, or in the proxy let /api/alexa pass without one",
                Sentence::Insecure,
            ),
            Self::ClientCertificateRefused => (
                "the server refused the certificate of CLIENT_CERTIFICATE",
                "let the authority that signed it be the server's ssl_peer_certificate (nginx: ssl_client_certificate), check that it has not expired and is one for clients, and put the certificates between the two into CLIENT_CERTIFICATE",
                Sentence::Insecure,
            ),
            Self::PlainHttp => (
                "the port does not speak TLS",
                "if Home Assistant has no certificate of its own there, let BASE_URL begin with http://, or better put a proxy with a certificate before it; else check the port",
                Sentence::WrongAddress,
            ),
            Self::OldTls => (
                "the server knows no TLS version or cipher that is safe today",
                "turn on TLS 1.2 or 1.3 there, with a cipher of ssl_profile: modern or intermediate",
                Sentence::Insecure,
            ),
            Self::Late => (
                "Home Assistant has taken the request and not answered in time",
                "nothing needs to be done: it goes on working. An intent whose script takes longer than 7 s answers at once with async_action: true",
                Sentence::Late,
            ),
            Self::NeverAnswered => (
                "Home Assistant has taken the request and not answered for 15 minutes: the connection was closed",
                "look for what hangs in Home Assistant; an intent with async_action: true answers at once",
                Sentence::BadAnswer,
            ),
        }
    }
}
