//! The settings: read once, at start, and valid from then on.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use hyper::Uri;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::CertifiedKey;
use url::{Host, Url};

use crate::extra_headers::ExtraHeaders;
use crate::pem;
use crate::setting::{Problem, SettingError};
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
    /// `EXTRA_HEADERS`: sent with every call.
    pub extra_headers: ExtraHeaders,
    /// `CA_CERTIFICATE`: trusted beside the authorities that everybody trusts.
    pub authorities: Vec<CertificateDer<'static>>,
    /// `CLIENT_CERTIFICATE`: shown to a server that asks who calls.
    pub client_certificate: Option<Arc<CertifiedKey>>,
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

impl Config {
    /// Reads the settings through `lookup`, which gives the value of an environment variable.
    ///
    /// # Errors
    /// The first setting that is missing or wrong.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingError> {
        let folder = lookup("LAMBDA_TASK_ROOT").unwrap_or_default();
        let pem = |text: &str| pem::read(text, Path::new(&folder));
        Ok(Self {
            endpoint: setting(&lookup, "BASE_URL", endpoint)?,
            verify_certificates: !setting(&lookup, "NOT_VERIFY_SSL", flag)?,
            debug: setting(&lookup, "DEBUG", flag)?,
            long_lived_token: setting(&lookup, "LONG_LIVED_ACCESS_TOKEN", token)?,
            extra_headers: setting(&lookup, "EXTRA_HEADERS", ExtraHeaders::read)?,
            authorities: setting(&lookup, "CA_CERTIFICATE", |text| {
                pem(text)?.map_or(Ok(Vec::new()), |pem| pem::authorities(&pem))
            })?,
            client_certificate: setting(&lookup, "CLIENT_CERTIFICATE", |text| {
                pem(text)?.map(|pem| pem::identity(&pem)).transpose()
            })?,
        })
    }
}

fn setting<T>(
    lookup: impl Fn(&str) -> Option<String>,
    name: &'static str,
    parse: impl FnOnce(&str) -> Result<T, Problem>,
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
