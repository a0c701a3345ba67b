//! What can be wrong with a setting, and what its owner can do about it.

use std::fmt;

/// A setting that is missing or wrong. Never shows the value, which may hold a password or a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettingError {
    /// The name of the environment variable.
    pub name: &'static str,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It is needed and not there.
    Missing,
    /// It is not a URL.
    NotAUrl,
    /// It is a URL, but of neither http nor https; `host:8123` without a scheme reads like that too.
    Scheme,
    /// It holds `user:password@`.
    UserInfo,
    /// It holds a `?`.
    Query,
    /// It holds a `#`.
    Fragment,
    /// It is neither on nor off.
    Flag,
    /// It holds characters that no header may hold.
    Token,
    /// It is not a JSON object of names and texts.
    NotHeaders,
    /// It has a name or a text that no header may have.
    BadHeader,
    /// It has a header that is the relay's own, or HTTP's.
    OwnHeader,
    /// It holds no PEM, and names no file that can be read.
    NoFile,
    /// It holds no certificate that can be read.
    NoCertificate,
    /// It holds no private key that can be read.
    NoKey,
    /// Its private key has a passphrase.
    EncryptedKey,
    /// Its private key belongs to another certificate than its first one.
    OtherKey,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, problem } = self;
        match problem {
            Problem::Missing => write!(f, "{name} is not set"),
            Problem::NotAUrl => write!(f, "{name} is not a URL"),
            Problem::Scheme => write!(f, "{name} does not begin with https:// or http://"),
            Problem::UserInfo => write!(f, "{name} holds a user name or a password"),
            Problem::Query => write!(f, "{name} holds a query, the part from ? on"),
            Problem::Fragment => write!(f, "{name} holds a fragment, the part from # on"),
            Problem::Flag => write!(f, "{name} is neither on nor off"),
            Problem::Token => write!(f, "{name} holds characters that no token has, such as a line break"),
            Problem::NotHeaders => write!(f, "{name} is not a JSON object of names and texts"),
            Problem::BadHeader => write!(f, "{name} has a name or a text that no header may have"),
            Problem::OwnHeader => write!(f, "{name} has a header that the relay or HTTP itself sets"),
            Problem::NoFile => write!(f, "{name} holds no -----BEGIN, and is not the name of a file that can be read"),
            Problem::NoCertificate => write!(f, "{name} holds no certificate that can be read"),
            Problem::NoKey => write!(f, "{name} holds no private key that can be read"),
            Problem::EncryptedKey => write!(f, "{name} holds a private key with a passphrase"),
            Problem::OtherKey => write!(f, "{name} holds a private key that does not belong to its first certificate"),
        }
    }
}

impl std::error::Error for SettingError {}

impl SettingError {
    /// What its owner can do about it.
    pub fn mend(&self) -> &'static str {
        match self.problem {
            Problem::Missing | Problem::NotAUrl | Problem::Scheme => {
                "set it to the address at which Home Assistant is reached from the internet, such as https://home.example.org"
            }
            Problem::UserInfo | Problem::Query | Problem::Fragment => {
                "leave that part out: only scheme, host, port and path belong there, such as https://home.example.org"
            }
            Problem::Flag => "set it to True, 1, yes, y or on; to False, 0, no, n or off; or remove it",
            Problem::Token => "paste the token again, whole and in one line, or remove the setting",
            Problem::NotHeaders | Problem::BadHeader => {
                r#"write it like {"CF-Access-Client-Id": "…", "CF-Access-Client-Secret": "…"}, with straight quotes"#
            }
            Problem::OwnHeader => {
                "leave out Authorization, Content-Type, Host, User-Agent and the like: the relay sends them itself"
            }
            Problem::NoFile => {
                "paste the PEM itself, from -----BEGIN to the last -----END and its dashes, or put a file of that name beside the program"
            }
            Problem::NoCertificate => {
                "paste it again, from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----, nothing left out"
            }
            Problem::NoKey => {
                "put the client's private key into the same setting, after its certificates: RSA from 2048 bits on, ECDSA P-256 or P-384, or Ed25519"
            }
            Problem::EncryptedKey => "take the passphrase off: openssl pkey -in client.key -out plain.key",
            Problem::OtherKey => {
                "put the client's own certificate first, then those that stand behind it, then its key"
            }
        }
    }
}
