//! The settings: read once, at start, and valid from then on.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error, RootCertStore};

use crate::secret::{Token, header_value};

/// The settings of the relay.
pub struct Config {
    /// `BASE_URL`: http or https, with a host.
    pub base_url: Url,
    /// Off where `NOT_VERIFY_SSL` is on: any certificate is accepted.
    pub verify_certificates: bool,
    /// Whether requests and answers are logged, without their secrets.
    pub debug: bool,
    /// `LONG_LIVED_ACCESS_TOKEN`: used where an event has no token.
    pub long_lived_token: Option<Token>,
    /// `EXTRA_HEADERS`: sent with every request.
    pub extra_headers: HeaderMap,
    /// `CA_CERTIFICATE`: trusted besides the public CAs.
    pub ca_certificates: Vec<CertificateDer<'static>>,
    /// `CLIENT_CERTIFICATE`: shown to a server that requests one.
    pub client_certificate: Option<Arc<CertifiedKey>>,
}

/// A setting that is missing or wrong. Never shows the value, which may hold a password or a token.
#[derive(Debug)]
pub struct SettingError {
    /// The name of the environment variable.
    pub name: &'static str,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a setting, as the end of a sentence that its name begins, and what its owner can do about it.
#[derive(Debug)]
pub struct Problem {
    pub text: &'static str,
    pub remedy: &'static str,
}

impl Problem {
    const fn new(text: &'static str, remedy: &'static str) -> Self {
        Self { text, remedy }
    }

    /// It is needed and not there.
    pub fn is_missing(&self) -> bool {
        self.text == NOT_SET
    }
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.problem.text)
    }
}

impl std::error::Error for SettingError {}

impl Config {
    /// Reads the settings through `lookup`, which gives the value of an environment variable.
    ///
    /// # Errors
    /// The first setting that is missing or wrong.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingError> {
        let folder = lookup("LAMBDA_TASK_ROOT").unwrap_or_default();
        let pem = |text: &str| pem(text, Path::new(&folder));
        Ok(Self {
            base_url: setting(&lookup, "BASE_URL", base_url)?,
            verify_certificates: !setting(&lookup, "NOT_VERIFY_SSL", flag)?,
            debug: setting(&lookup, "DEBUG", flag)?,
            long_lived_token: setting(&lookup, "LONG_LIVED_ACCESS_TOKEN", token)?,
            extra_headers: setting(&lookup, "EXTRA_HEADERS", extra_headers)?,
            ca_certificates: setting(&lookup, "CA_CERTIFICATE", |text| {
                pem(text)?.map_or(Ok(Vec::new()), |pem| ca_certificates(&pem))
            })?,
            client_certificate: setting(&lookup, "CLIENT_CERTIFICATE", |text| {
                pem(text)?.map(|pem| client_certificate(&pem)).transpose()
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

const NOT_SET: &str = "is not set";

fn base_url(text: &str) -> Result<Url, Problem> {
    const ADDRESS: &str =
        "set it to the address at which Home Assistant is reached from the internet, such as https://home.example.org";
    const PART: &str =
        "leave that part out: only scheme, host, port and path belong there, such as https://home.example.org";
    const NOT_A_URL: Problem = Problem::new("is not a URL", ADDRESS);
    if text.is_empty() {
        return Err(Problem::new(NOT_SET, ADDRESS));
    }
    let url = Url::parse(text).map_err(|_| NOT_A_URL)?;
    if !matches!(url.scheme(), "http" | "https") {
        // `host:8123` without a scheme is a URL, too.
        return Err(Problem::new("does not begin with https:// or http://", ADDRESS));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Problem::new("has a user name or a password", PART));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Problem::new("has a query (the part from ? on) or a fragment (from # on)", PART));
    }
    // `Url` accepts a host such as `home..example.org`, which no certificate can be for.
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    ServerName::try_from(host).map_err(|_| NOT_A_URL)?;
    Ok(url)
}

/// The scripts that people come from disagree on which words mean on; all of their words are accepted here.
fn flag(text: &str) -> Result<bool, Problem> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "y" | "on" => Ok(true),
        "false" | "0" | "no" | "n" | "off" | "" => Ok(false),
        _ => Err(Problem::new(
            "is neither on nor off",
            "set it to True, 1, yes, y or on; to False, 0, no, n or off; or remove it",
        )),
    }
}

fn token(text: &str) -> Result<Option<Token>, Problem> {
    let remedy = "paste the token again, whole and in one line, or remove the setting";
    let problem = |_| Problem::new("has characters that no token has, such as a line break", remedy);
    if text.is_empty() { Ok(None) } else { Token::new(text).map(Some).map_err(problem) }
}

fn extra_headers(text: &str) -> Result<HeaderMap, Problem> {
    /// What the relay sets itself, and that by which HTTP/1.1 frames a request or packs an answer.
    const RESERVED: &str = "accept accept-encoding authorization connection content-length content-type expect host te \
        trailer transfer-encoding upgrade user-agent";
    const LIKE_THIS: &str =
        r#"write it like {"CF-Access-Client-Id": "…", "CF-Access-Client-Secret": "…"}, with straight quotes"#;
    const NOT_A_HEADER: Problem = Problem::new("has a name or a text that no header may have", LIKE_THIS);
    let headers: BTreeMap<String, String> = match text {
        "" => BTreeMap::new(),
        text => serde_json::from_str(text)
            .map_err(|_| Problem::new("is not a JSON object of names and texts", LIKE_THIS))?,
    };
    let header = |(name, value): (String, String)| {
        let name: HeaderName = name.parse().map_err(|_| NOT_A_HEADER)?;
        if RESERVED.split(' ').any(|reserved| name == reserved) {
            let remedy =
                "leave out Authorization, Content-Type, Host, User-Agent and the like: the relay sends them itself";
            return Err(Problem::new("has a header that the relay or HTTP itself sets", remedy));
        }
        Ok((name, header_value(&value).ok_or(NOT_A_HEADER)?))
    };
    headers.into_iter().map(header).collect()
}

/// The PEM that a setting holds, or the file beside the program that it names; `None` where it is empty.
fn pem(text: &str, folder: &Path) -> Result<Option<String>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    if text.contains("-----BEGIN") {
        return Ok(Some(with_line_breaks(text)));
    }
    // Lambda's environment holds 4 KB in all: a chain and its key may have to be a file.
    fs::read_to_string(folder.join(text)).map(|text| Some(with_line_breaks(&text))).map_err(|_| {
        Problem::new(
            "has no -----BEGIN, and is not the name of a file that can be read",
            "paste the PEM itself, from -----BEGIN to the last -----END and its dashes, or put a file of that name beside the program",
        )
    })
}

/// A field of one line, such as the AWS console's, makes spaces of line breaks, or nothing; JSON and YAML make `\n`.
fn with_line_breaks(pem: &str) -> String {
    let pem = pem.replace("\\r", "").replace("\\n", "\n");
    let parts = pem.split("-----").enumerate().map(|(n, part)| match n % 2 {
        0 => part.split_whitespace().collect::<String>() + "\n",
        _ => format!("-----{part}-----\n"),
    });
    parts.collect()
}

const NO_CERTIFICATE: Problem = Problem::new(
    "has no certificate that can be read",
    "paste it again, from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----, nothing left out",
);

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let certificates = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    certificates.ok().filter(|certificates| !certificates.is_empty()).ok_or(NO_CERTIFICATE)
}

fn ca_certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let certificates = certificates(pem)?;
    for certificate in &certificates {
        RootCertStore::empty().add(certificate.clone()).map_err(|_| NO_CERTIFICATE)?;
    }
    Ok(certificates)
}

/// A client's certificate, those between it and its CA, and its key.
fn client_certificate(pem: &str) -> Result<Arc<CertifiedKey>, Problem> {
    let no_key = || {
        Problem::new(
            "has no private key that can be read",
            "put the client's private key into the same setting, after its certificates: RSA from 2048 bits on, ECDSA P-256 or P-384, or Ed25519",
        )
    };
    let certificates = certificates(pem)?;
    if pem.contains("ENCRYPTED") {
        let remedy = "remove the passphrase: openssl pkey -in client.key -out plain.key";
        return Err(Problem::new("has a private key with a passphrase", remedy));
    }
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| no_key())?;
    let certified = CertifiedKey::new(certificates, any_supported_type(&key).map_err(|_| no_key())?);
    match certified.keys_match() {
        Err(Error::InconsistentKeys(_)) => Err(Problem::new(
            "has a private key that does not belong to its first certificate",
            "put the client's own certificate first, then those between it and its CA, then its key",
        )),
        Err(Error::InvalidCertificate(CertificateError::BadEncoding)) => Err(NO_CERTIFICATE),
        // A certificate of X.509 version 1, which most guides make (`openssl x509 -req` without extensions), cannot be
        // compared with its key, but servers accept it.
        _ => Ok(Arc::new(certified)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_survives_what_a_field_of_one_line_makes_of_its_line_breaks() {
        let make = || rcgen::generate_simple_self_signed([]).unwrap().cert;
        let (one, other) = (make(), make());
        let both = format!("Our CAs:\n{}\n# and\n{}", one.pem(), other.pem());
        for line_break in ["\n", "\r\n", "\\n", "\\r\\n", " ", "", "\n\n", " \n "] {
            let pasted = pem(&both.replace('\n', line_break), Path::new("")).unwrap().unwrap();
            let read = ca_certificates(&pasted).unwrap();
            assert_eq!(read, [one.der().clone(), other.der().clone()], "{line_break:?}");
        }
    }
}
