//! The settings: read once, at start, and valid from then on.

use std::fmt;
use std::net::IpAddr;

use hyper::Uri;
use rustls::pki_types::ServerName;
use url::{Host, Url};

use crate::token::Token;

/// The settings of the relay.
pub struct Config {
    /// Where requests go.
    pub endpoint: Endpoint,
    /// Off where `NOT_VERIFY_SSL` is on: any certificate will do.
    pub verify_certificates: bool,
    /// Whether requests and answers are logged, with secrets blanked.
    pub debug: bool,
    /// `LONG_LIVED_ACCESS_TOKEN`: used where an envelope holds no token.
    pub long_lived_token: Option<Token>,
}

/// `{BASE_URL}/api/alexa`, as each of those who need it takes it.
#[derive(Clone)]
pub struct Endpoint {
    /// Of http or https, with a host.
    pub url: Url,
    /// The same.
    pub uri: Uri,
    /// The name or address that the server's certificate must have.
    pub server_name: ServerName<'static>,
}

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
}

impl Config {
    /// Reads the settings through `lookup`, which gives the value of an environment variable.
    ///
    /// # Errors
    /// The first setting that is missing or wrong.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingError> {
        Ok(Self {
            endpoint: setting(&lookup, "BASE_URL", endpoint)?,
            verify_certificates: !setting(&lookup, "NOT_VERIFY_SSL", flag)?,
            debug: setting(&lookup, "DEBUG", flag)?,
            long_lived_token: setting(&lookup, "LONG_LIVED_ACCESS_TOKEN", token)?,
        })
    }
}

fn setting<T>(
    lookup: impl Fn(&str) -> Option<String>,
    name: &'static str,
    parse: fn(&str) -> Result<T, Problem>,
) -> Result<T, SettingError> {
    parse(lookup(name).unwrap_or_default().trim()).map_err(|problem| SettingError { name, problem })
}

fn endpoint(text: &str) -> Result<Endpoint, Problem> {
    if text.is_empty() {
        return Err(Problem::Missing);
    }
    // Home Assistant answers 404 to `//api/alexa`.
    let base = text.trim_end_matches('/');
    let url = Url::parse(base).map_err(|_| Problem::NotAUrl)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Problem::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Problem::UserInfo);
    }
    if url.query().is_some() {
        return Err(Problem::Query);
    }
    if url.fragment().is_some() {
        return Err(Problem::Fragment);
    }
    Endpoint::of(&format!("{base}/api/alexa")).ok_or(Problem::NotAUrl)
}

impl Endpoint {
    fn of(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let server_name = match url.host()? {
            Host::Domain(name) => ServerName::try_from(name.to_owned()).ok()?,
            Host::Ipv4(address) => IpAddr::from(address).into(),
            Host::Ipv6(address) => IpAddr::from(address).into(),
        };
        Some(Self { uri: url.as_str().parse().ok()?, url, server_name })
    }
}

/// The scripts that people come from disagree on which words are on; all of their words are understood here.
fn flag(text: &str) -> Result<bool, Problem> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "y" | "on" => Ok(true),
        "false" | "0" | "no" | "n" | "off" | "" => Ok(false),
        _ => Err(Problem::Flag),
    }
}

fn token(text: &str) -> Result<Option<Token>, Problem> {
    if text.is_empty() { Ok(None) } else { Token::new(text).map(Some).map_err(|_| Problem::Token) }
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: &[(&str, &str)]) -> Result<Config, SettingError> {
        Config::read(|name| settings.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    fn problem(settings: &[(&str, &str)]) -> (&'static str, Problem) {
        let error = read(settings).err().expect("the setting is refused");
        (error.name, error.problem)
    }

    #[test]
    fn base_url_is_taken_with_port_and_path_whatever_slashes_and_white_space_surround_it() {
        for (base, endpoint) in [
            ("https://home.example.org", "https://home.example.org/api/alexa"),
            ("https://home.example.org/", "https://home.example.org/api/alexa"),
            (" \thttps://home.example.org:8123//\n", "https://home.example.org:8123/api/alexa"),
            ("http://[::1]:8123/ha/", "http://[::1]:8123/ha/api/alexa"),
            ("https://b\u{fc}ro.example.org", "https://xn--bro-hoa.example.org/api/alexa"),
            ("HTTPS://Home.Example.org/a%20b", "https://home.example.org/a%20b/api/alexa"),
        ] {
            assert_eq!(read(&[("BASE_URL", base)]).ok().unwrap().endpoint.uri, endpoint, "{base:?}");
        }
    }

    #[test]
    fn base_url_that_cannot_be_used_is_refused_by_name_and_reason() {
        for (base, expected) in [
            ("", Problem::Missing),
            ("  ", Problem::Missing),
            ("home", Problem::NotAUrl),
            ("https://", Problem::NotAUrl),
            ("https://exa mple.org", Problem::NotAUrl),
            ("https://home..example.org", Problem::NotAUrl),
            ("192.168.1.5:8123", Problem::NotAUrl),
            ("homeassistant.local:8123", Problem::Scheme),
            ("ftp://home.example.org", Problem::Scheme),
            ("https://me:secret@home.example.org", Problem::UserInfo),
            ("https://me@home.example.org", Problem::UserInfo),
            ("https://home.example.org/?a=b", Problem::Query),
            ("https://home.example.org/?", Problem::Query),
            ("https://home.example.org/#top", Problem::Fragment),
        ] {
            assert_eq!(problem(&[("BASE_URL", base)]), ("BASE_URL", expected), "{base:?}");
        }
        assert_eq!(problem(&[]), ("BASE_URL", Problem::Missing));
    }

    #[test]
    fn no_message_shows_the_value() {
        let error = read(&[("BASE_URL", "https://me:secret@home.example.org")]).err().unwrap();
        assert!(!format!("{error} {error:?} {}", error.mend()).contains("secret"));
    }

    #[test]
    fn flags_are_on_or_off_in_any_case_and_nothing_else() {
        let with = |name, value| read(&[("BASE_URL", "https://h"), (name, value)]);
        for on in ["True", "true", "1", "yes", "Y", "ON", " on "] {
            assert!(!with("NOT_VERIFY_SSL", on).ok().unwrap().verify_certificates, "{on:?}");
            assert!(with("DEBUG", on).ok().unwrap().debug, "{on:?}");
        }
        for off in ["False", "FALSE", "0", "no", "n", "off", "", " "] {
            assert!(with("NOT_VERIFY_SSL", off).ok().unwrap().verify_certificates, "{off:?}");
            assert!(!with("DEBUG", off).ok().unwrap().debug, "{off:?}");
        }
        for name in ["NOT_VERIFY_SSL", "DEBUG"] {
            let error = with(name, "maybe").err().unwrap();
            assert_eq!((error.name, error.problem), (name, Problem::Flag));
            assert!(error.mend().contains("True") && error.mend().contains("off"), "names what is accepted");
        }
    }

    #[test]
    fn long_lived_token_may_have_white_space_round_it_and_none_within() {
        let with = |value| read(&[("BASE_URL", "https://h"), ("LONG_LIVED_ACCESS_TOKEN", value)]);
        assert_eq!(with(" abc\n").ok().unwrap().long_lived_token.unwrap().authorization(), "Bearer abc");
        assert!(with(" ").ok().unwrap().long_lived_token.is_none());
        let error = with("a\nb").err().unwrap();
        assert_eq!((error.name, error.problem), ("LONG_LIVED_ACCESS_TOKEN", Problem::Token));
    }
}
