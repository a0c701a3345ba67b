//! The settings: read once, at start, and valid from then on.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::CertifiedKey;

use crate::fault::{Problem, SettingError};
use crate::pem;
use crate::secret::{Token, secret_header};

/// The settings of the relay.
pub struct Config {
    /// `BASE_URL`: http or https, with a host.
    pub base_url: Url,
    /// `NOT_VERIFY_SSL` turns this off: then any certificate is accepted.
    pub verify_certificates: bool,
    /// `DEBUG`: log requests and answers, without their secrets.
    pub debug: bool,
    /// `LONG_LIVED_ACCESS_TOKEN`: for events without a token.
    pub long_lived_token: Option<Token>,
    /// `EXTRA_HEADERS`: sent with every request.
    pub extra_headers: HeaderMap,
    /// `CA_CERTIFICATE`: trusted as well as the public CAs.
    pub ca_certificates: Vec<CertificateDer<'static>>,
    /// `CLIENT_CERTIFICATE`: shown to a server that requests one.
    pub client_certificate: Option<Arc<CertifiedKey>>,
}

impl Config {
    /// Reads the settings. `lookup` returns the value of an environment variable.
    ///
    /// # Errors
    /// The first missing or invalid setting.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingError> {
        let folder = lookup("LAMBDA_TASK_ROOT").unwrap_or_default();
        Ok(Self {
            base_url: setting(&lookup, "BASE_URL", base_url)?,
            verify_certificates: !setting(&lookup, "NOT_VERIFY_SSL", flag)?,
            debug: setting(&lookup, "DEBUG", flag)?,
            long_lived_token: setting(&lookup, "LONG_LIVED_ACCESS_TOKEN", token)?,
            extra_headers: setting(&lookup, "EXTRA_HEADERS", extra_headers)?,
            ca_certificates: setting(&lookup, "CA_CERTIFICATE", |text| pem::ca_certificates(text, &folder))?,
            client_certificate: setting(&lookup, "CLIENT_CERTIFICATE", |text| pem::client_certificate(text, &folder))?,
        })
    }
}

fn setting<T>(
    lookup: impl Fn(&str) -> Option<String>,
    name: &'static str,
    parse: impl FnOnce(&str) -> Result<T, Problem>,
) -> Result<T, SettingError> {
    let text = lookup(name).unwrap_or_default();
    parse(&clean(name, &text)).map_err(|problem| SettingError { name, problem })
}

/// Removes what comes along when a value is pasted: quotes, a comma, invisible characters, and the setting's name.
fn clean(name: &str, text: &str) -> String {
    const QUOTES: &str = "\"'`\u{b4}“”„‟‘’‚‛«»‹›「」『』＂＇<>";
    // Soft hyphen, zero-width characters, marks of direction, byte order mark.
    const INVISIBLE: &str =
        "\u{ad}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2060}\u{feff}";
    let visible = text.replace(|c| INVISIBLE.contains(c), "");
    let mut rest = visible.as_str();
    loop {
        let is_around = |c: char| c.is_whitespace() || QUOTES.contains(c);
        let trimmed = rest.trim_matches(is_around).trim_end_matches([',', ';']);
        let after_name =
            strip_word(trimmed, name).and_then(|rest| rest.trim_start_matches(is_around).strip_prefix(['=', ':']));
        let shorter = after_name.unwrap_or(trimmed);
        if shorter.len() == rest.len() {
            return rest.to_owned();
        }
        rest = shorter;
    }
}

/// The text after a word, in upper or lower case.
fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(word.len())?;
    head.eq_ignore_ascii_case(word).then_some(rest)
}

fn base_url(text: &str) -> Result<Url, Problem> {
    const ADDRESS: &str =
        "set it to the address at which Home Assistant is reached from the internet, such as https://home.example.org";
    const PART: &str =
        "leave that part out: only scheme, host, port and path belong there, such as https://home.example.org";
    const NOT_A_URL: Problem = Problem::invalid("is not a URL", ADDRESS);
    if text.is_empty() {
        return Err(Problem::missing(ADDRESS));
    }
    let url = Url::parse(text).map_err(|_| NOT_A_URL)?;
    if !matches!(url.scheme(), "http" | "https") {
        // `host:8123` is a URL with the scheme `host`.
        return Err(Problem::invalid("does not begin with https:// or http://", ADDRESS));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Problem::invalid("has a user name or a password", PART));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Problem::invalid("has a query (the part from ? on) or a fragment (from # on)", PART));
    }
    // `Url` accepts `home..example.org`, a name that no certificate can have.
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    ServerName::try_from(host).map_err(|_| NOT_A_URL)?;
    if matches!(host, "http" | "https") {
        return Err(Problem::invalid("begins with https:// or http:// twice", ADDRESS));
    }
    Ok(url)
}

/// Accepts every spelling that the older scripts accept.
fn flag(text: &str) -> Result<bool, Problem> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "y" | "on" => Ok(true),
        "false" | "0" | "no" | "n" | "off" | "" => Ok(false),
        _ => Err(Problem::invalid(
            "is neither on nor off",
            "set it to True, 1, yes, y or on; to False, 0, no, n or off; or remove it",
        )),
    }
}

/// Accepts what Home Assistant makes: three parts of Base64, with dots between them. It counts everything else as a
/// failed login.
fn token(text: &str) -> Result<Option<Token>, Problem> {
    const NOT_A_TOKEN: Problem = Problem::invalid(
        "is not a token that Home Assistant makes",
        "make one in Home Assistant (your profile, Security, Long-lived access tokens) and paste it alone, whole and \
         in one line; or remove the setting",
    );
    let mut words: Vec<_> = text.split_whitespace().map(|word| clean("Authorization", word)).collect();
    words.retain(|word| !["", "bearer"].contains(&&*word.to_lowercase()));
    words.dedup();
    let text = match &words[..] {
        [] => return Ok(None),
        [word] => word.as_str(),
        _ => return Err(NOT_A_TOKEN),
    };
    // Pasted twice.
    let text =
        text.split_at_checked(text.len() / 2).filter(|(half, other)| half == other).map_or(text, |(half, _)| half);
    let is_base64 =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if text.split('.').count() != 3 || !text.split('.').all(is_base64) {
        return Err(NOT_A_TOKEN);
    }
    Token::new(text).map(Some).map_err(|_| NOT_A_TOKEN)
}

fn extra_headers(text: &str) -> Result<HeaderMap, Problem> {
    /// Set by the relay, or by HTTP/1.1 to frame a request and encode an answer.
    const RESERVED: &str = "accept accept-encoding authorization connection content-length content-type expect host te \
        trailer transfer-encoding upgrade user-agent";
    const LIKE_THIS: &str =
        r#"write it like {"CF-Access-Client-Id": "…", "CF-Access-Client-Secret": "…"}, with straight quotes"#;
    const NOT_A_HEADER: Problem = Problem::invalid("has a name or a text that no header may have", LIKE_THIS);
    let text = if text.is_empty() { "{}" } else { text };
    let headers: BTreeMap<String, String> = serde_json::from_str(text)
        .map_err(|_| Problem::invalid("is not a JSON object of names and texts", LIKE_THIS))?;
    let header = |(name, value): (String, String)| {
        let name: HeaderName = name.parse().map_err(|_| NOT_A_HEADER)?;
        if RESERVED.split(' ').any(|reserved| name == reserved) {
            let remedy =
                "leave out Authorization, Content-Type, Host, User-Agent and the like: the relay sends them itself";
            return Err(Problem::invalid("has a header that the relay or HTTP itself sets", remedy));
        }
        Ok((name, secret_header(&value).ok_or(NOT_A_HEADER)?))
    };
    headers.into_iter().map(header).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    use super::*;

    const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiI4NDc2In0.8NnqXcO4-_6GA";

    #[test]
    fn invalid_values_are_refused() {
        const RESERVED: &str = "accept accept-encoding authorization connection content-length Content-Type expect \
            host te trailer transfer-encoding upgrade User-Agent";
        let refused = |name: &'static str, value: &str, problem: &str| {
            let lookup = |asked: &str| match asked {
                _ if asked == name => Some(value.to_owned()),
                "BASE_URL" => Some("https://home.example.org".to_owned()),
                _ => None,
            };
            let error = Config::read(lookup).err().unwrap_or_else(|| panic!("{name} may be {value}"));
            assert!(error.name == name && error.problem.text.starts_with(problem), "{value}: {error}");
        };
        let two_tokens = format!("{TOKEN} {TOKEN}x");
        for (name, value, problem) in [
            ("BASE_URL", "", "is not set"),
            ("BASE_URL", "home", "is not a URL"),
            ("BASE_URL", "https://ho me.example.org", "is not a URL"),
            ("BASE_URL", "https://home..example.org", "is not a URL"),
            ("BASE_URL", "home.local:8123", "does not begin with https:// or http://"),
            ("BASE_URL", "https://https://home.example.org", "begins with https:// or http:// twice"),
            ("BASE_URL", "https://http://home.example.org", "begins with https:// or http:// twice"),
            ("BASE_URL", "https://home.example.org/?x", "has a query"),
            ("BASE_URL", "https://home.example.org/#x", "has a query (the part from ? on) or a fragment"),
            ("BASE_URL", "https://me@home.example.org", "has a user name or a password"),
            ("BASE_URL", "https://:x@home.example.org", "has a user name or a password"),
            ("LONG_LIVED_ACCESS_TOKEN", "a.b", "is not a token"),
            ("LONG_LIVED_ACCESS_TOKEN", "a..b", "is not a token"),
            ("LONG_LIVED_ACCESS_TOKEN", "a.b.c+d=", "is not a token"),
            ("LONG_LIVED_ACCESS_TOKEN", "a.b.c.d", "is not a token"),
            ("LONG_LIVED_ACCESS_TOKEN", &two_tokens, "is not a token"),
            ("EXTRA_HEADERS", "X-Key: x", "is not a JSON object"),
            ("EXTRA_HEADERS", r#"{"X-Key": "x\n"}"#, "has a name or a text that no header may have"),
            ("EXTRA_HEADERS", r#"{"X Key": "x"}"#, "has a name or a text that no header may have"),
        ] {
            refused(name, value, problem);
        }
        for name in RESERVED.split(' ') {
            refused(
                "EXTRA_HEADERS",
                &format!(r#"{{"{name}": "x"}}"#),
                "has a header that the relay or HTTP itself sets",
            );
        }
    }

    #[test]
    fn what_is_pasted_around_a_value_is_removed() {
        const AROUND: &str = "\"'`´“”„‟‘’‚‛«»‹›「」『』＂＇<> \u{ad}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{202a}\
            \u{202b}\u{202c}\u{202d}\u{202e}\u{2060}\u{feff}\u{a0}\r\n";
        for c in AROUND.chars() {
            assert_eq!(clean("NAME", &format!("{c}VALUE{c}")), "VALUE", "{c:?}");
        }
        for pasted in ["VALUE,", "VALUE;", "NAME=VALUE", "name = 'VALUE'", "NAME: VALUE", "'NAME=VALUE',"] {
            assert_eq!(clean("NAME", pasted), "VALUE", "{pasted}");
        }
        assert_eq!(clean("NAME", "NAMES=1"), "NAMES=1");
        for pasted in ["bearer  T", "\"Bearer T\"", "authorization: Bearer T", "Bearer Bearer T", "T T", "TT"] {
            let token = token(&pasted.replace('T', TOKEN)).ok().flatten().expect(pasted);
            assert_eq!(*token.authorization(), format!("Bearer {TOKEN}"), "{pasted}");
        }
        for (text, expected) in [("True true 1 yes y on YES", true), ("False 0 no n OFF", false)] {
            assert!(text.split(' ').all(|text| flag(text) == Ok(expected)), "{text}");
        }
        assert!(flag("") == Ok(false) && flag("maybe").is_err());
    }

    #[test]
    fn settings_may_be_pasted_with_quotes_and_name() {
        let own = rcgen::generate_simple_self_signed([]).unwrap();
        let (pem, key) = (own.cert.pem(), own.signing_key.serialize_pem());
        let lookup = |name: &str| {
            let value = match name {
                "BASE_URL" => "https://home.example.org",
                "LONG_LIVED_ACCESS_TOKEN" => TOKEN,
                "EXTRA_HEADERS" => r#"{"X-Id": "y", "X-Key": "x"}"#,
                "CA_CERTIFICATE" => &pem,
                "CLIENT_CERTIFICATE" => &[&*pem, &key].concat(),
                _ => "yes",
            };
            Some(format!("\"{name}\": “{value}”,"))
        };
        let config = Config::read(lookup).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(config.base_url.as_str(), "https://home.example.org/");
        assert!(config.debug && !config.verify_certificates && config.extra_headers["x-key"] == "x");
        assert_eq!(config.long_lived_token.unwrap().authorization(), &format!("Bearer {TOKEN}"));
        assert!(config.ca_certificates == [own.cert.der().clone()] && config.client_certificate.is_some());
    }

    /// A setting that is read must be documented in README.md, and must be a parameter of template.yaml.
    #[test]
    fn settings_are_in_readme_and_template() {
        let looked_up = RefCell::new(BTreeSet::new());
        let lookup = |name: &str| {
            looked_up.borrow_mut().insert(name.to_owned());
            (name == "BASE_URL").then(|| "https://home.example.org".to_owned())
        };
        assert!(Config::read(lookup).is_ok());
        let mut settings = looked_up.into_inner();
        // Lambda sets this one.
        settings.remove("LAMBDA_TASK_ROOT");

        let rows = include_str!("../README.md").lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
        assert_eq!(rows.map(|(name, _)| name.to_owned()).collect::<BTreeSet<_>>(), settings, "README.md");

        let template = include_str!("../template.yaml").lines().map(str::trim);
        let variables = template.skip_while(|line| *line != "Variables:").skip(1);
        let variables = variables.map_while(|line| line.split_once(": !Ref "));
        let expected = settings.iter().map(|name| {
            let words = name.split('_').map(|word| word[..1].to_owned() + &word[1..].to_lowercase());
            (name.clone(), words.collect::<String>())
        });
        let variables = variables.map(|(name, parameter)| (name.to_owned(), parameter.to_owned()));
        assert_eq!(variables.collect::<BTreeSet<_>>(), expected.collect(), "template.yaml");
    }
}
