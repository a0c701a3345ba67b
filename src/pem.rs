//! Certificates and keys in settings: PEM, or the name of a file that holds PEM.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error, RootCertStore};

use crate::fault::Problem;

const NO_CERTIFICATE: Problem = Problem::invalid(
    "has no certificate that can be read",
    "paste it again, from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----, nothing left out",
);

const NO_KEY: Problem = Problem::invalid(
    "has no private key that can be read",
    "put the client's private key into the same setting, after its certificates: RSA from 2048 bits on, ECDSA P-256 or \
     P-384, or Ed25519",
);

/// The CAs in a setting.
///
/// # Errors
/// What is wrong with the file or with a certificate.
pub fn ca_certificates(text: &str, folder: &str) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let Some(pem) = read(text, folder)? else { return Ok(Vec::new()) };
    let certificates = certificates(&pem)?;
    for certificate in &certificates {
        RootCertStore::empty().add(certificate.clone()).map_err(|_| NO_CERTIFICATE)?;
    }
    Ok(certificates)
}

/// The client certificate in a setting, with its intermediate certificates and its key.
///
/// # Errors
/// What is wrong with the file, a certificate or the key.
pub fn client_certificate(text: &str, folder: &str) -> Result<Option<Arc<CertifiedKey>>, Problem> {
    let Some(pem) = read(text, folder)? else { return Ok(None) };
    let certificates = certificates(&pem)?;
    if pem.contains("ENCRYPTED") {
        let remedy = "remove the passphrase: openssl pkey -in client.key -out plain.key";
        return Err(Problem::invalid("has a private key with a passphrase", remedy));
    }
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| NO_KEY)?;
    let certified = CertifiedKey::new(certificates, any_supported_type(&key).map_err(|_| NO_KEY)?);
    match certified.keys_match() {
        Err(Error::InconsistentKeys(_)) => Err(Problem::invalid(
            "has a private key that does not belong to its first certificate",
            "put the client's own certificate first, then those between it and its CA, then its key",
        )),
        Err(Error::InvalidCertificate(CertificateError::BadEncoding)) => Err(NO_CERTIFICATE),
        // rustls cannot compare the key of an X.509 version 1 certificate, which most guides make (`openssl x509 -req`
        // without extensions) and servers accept.
        _ => Ok(Some(Arc::new(certified))),
    }
}

/// The PEM of a setting, or of the file beside the program that it names; `None` if the setting is empty.
fn read(text: &str, folder: &str) -> Result<Option<String>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    if text.contains("-----BEGIN") {
        return Ok(Some(restore_line_breaks(text)));
    }
    // Lambda's environment variables hold 4 KB together, which a chain and its key may exceed.
    let file = fs::read_to_string(Path::new(folder).join(text));
    file.map(|text| Some(restore_line_breaks(&text))).map_err(|_| {
        Problem::invalid(
            "has no -----BEGIN, and is not the name of a file that can be read",
            "paste the PEM itself, from -----BEGIN to the last -----END and its dashes, or put a file of that name \
             beside the program",
        )
    })
}

/// The AWS console's one-line field turns line breaks into spaces or drops them; JSON and YAML turn them into `\n`.
fn restore_line_breaks(pem: &str) -> String {
    let pem = pem.replace("\\r", "").replace("\\n", "\n");
    let parts = pem.split("-----").enumerate().map(|(n, part)| match n % 2 {
        0 => part.split_whitespace().collect::<String>() + "\n",
        _ => format!("-----{part}-----\n"),
    });
    parts.collect()
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let certificates = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    certificates.ok().filter(|certificates| !certificates.is_empty()).ok_or(NO_CERTIFICATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_line_breaks_do_no_harm() {
        let make = || rcgen::generate_simple_self_signed([]).unwrap().cert;
        let (one, other) = (make(), make());
        let both = format!("Our CAs:\n{}\n# and\n{}", one.pem(), other.pem());
        for line_break in ["\n", "\r\n", "\\n", "\\r\\n", " ", "", "\n\n", " \n "] {
            let read = ca_certificates(&both.replace('\n', line_break), "").unwrap();
            assert_eq!(read, [one.der().clone(), other.der().clone()], "{line_break:?}");
        }
    }

    #[test]
    fn unusable_client_certificates_are_refused() {
        const UNREADABLE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        const ENCRYPTED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let make = || rcgen::generate_simple_self_signed([]).unwrap();
        let (one, other) = (make(), make());
        let (pem, key) = (&*one.cert.pem(), &*one.signing_key.serialize_pem());
        for (parts, problem) in [
            ([UNREADABLE, key], "has no certificate"),
            (["-----BEGIN CERTIFICATE-----", ""], "has no certificate"),
            ([pem, ""], "has no private key that can be read"),
            ([pem, ENCRYPTED], "has a private key with a passphrase"),
            ([pem, &*other.signing_key.serialize_pem()], "has a private key that does not belong"),
        ] {
            let problem_of = client_certificate(&parts.concat(), "").err().map(|error| error.text);
            assert!(problem_of.is_some_and(|text| text.starts_with(problem)), "{problem_of:?}, not {problem}");
        }
        assert!(client_certificate(&[pem, key].concat(), "").is_ok());
    }
}
