//! Certificates and keys out of a setting, which holds them as PEM or names a file that does.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, RootCertStore};

use crate::setting::Problem;

/// The PEM that a setting holds, or the file beside the program that it names; `None` where it is empty.
///
/// # Errors
/// Where there is no such file.
pub fn read(setting: &str, folder: &Path) -> Result<Option<String>, Problem> {
    if setting.is_empty() {
        return Ok(None);
    }
    // What Lambda's environment holds is 4 KB in all: a chain and its key may have to be a file.
    if setting.contains("-----BEGIN") {
        return Ok(Some(in_lines(setting)));
    }
    fs::read_to_string(folder.join(setting)).map(|text| Some(in_lines(&text))).map_err(|_| Problem::NoFile)
}

/// PEM as it should be. A field of one line, such as the AWS console's, makes spaces of line breaks, or nothing; JSON
/// and YAML make `\n`.
fn in_lines(pem: &str) -> String {
    let pem = pem.replace("\\r", "").replace("\\n", "\n");
    let parts = pem.split("-----").enumerate().map(|(n, part)| match n % 2 {
        0 => part.split_whitespace().collect::<String>() + "\n",
        _ => format!("-----{part}-----\n"),
    });
    parts.collect()
}

/// The certificates to trust.
///
/// # Errors
/// Where one of them cannot be read, or there is none.
pub fn authorities(pem: &str) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let certificates = certificates(pem)?;
    let mut store = RootCertStore::empty();
    for certificate in &certificates {
        store.add(certificate.clone()).map_err(|_| Problem::NoCertificate)?;
    }
    Ok(certificates)
}

/// A client's certificate, those that stand behind it, and its key.
///
/// # Errors
/// Where one of them cannot be read or is not there, or the key is another's.
pub fn identity(pem: &str) -> Result<Arc<CertifiedKey>, Problem> {
    let chain = certificates(pem)?;
    if pem.contains("ENCRYPTED") {
        return Err(Problem::EncryptedKey);
    }
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| Problem::NoKey)?;
    match CertifiedKey::from_der(chain, key, &ring::default_provider()) {
        Ok(identity) => Ok(Arc::new(identity)),
        Err(Error::InconsistentKeys(_)) => Err(Problem::OtherKey),
        Err(Error::InvalidCertificate(_)) => Err(Problem::NoCertificate),
        Err(_) => Err(Problem::NoKey),
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let certificates = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    certificates.ok().filter(|certificates| !certificates.is_empty()).ok_or(Problem::NoCertificate)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    /// A certificate and its key.
    fn identity_pem() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        (CertificateParams::new([]).unwrap().self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    fn read_here(setting: &str) -> Result<Option<String>, Problem> {
        read(setting, Path::new(env!("CARGO_MANIFEST_DIR")))
    }

    #[test]
    fn pem_survives_what_a_field_of_one_line_makes_of_its_line_breaks() {
        let (one, other) = (identity_pem().0, identity_pem().0);
        let both = format!("Our authorities:\n{one}\n# and\n{other}");
        let expected = authorities(&read_here(&both).unwrap().unwrap()).unwrap();
        assert_eq!(expected.len(), 2);
        for line_break in ["\r\n", "\\n", "\\r\\n", " ", "", "\n\n", " \n "] {
            let pasted = read_here(&both.replace('\n', line_break)).unwrap().unwrap();
            assert_eq!(authorities(&pasted), Ok(expected.clone()), "{line_break:?}");
        }
    }

    #[test]
    fn a_client_certificate_comes_with_its_key_in_either_order() {
        let (certificate, key) = identity_pem();
        for pem in [format!("{certificate}{key}"), format!("{key}{certificate}")] {
            assert_eq!(identity(&pem).unwrap().cert.len(), 1);
        }
    }

    #[test]
    fn what_is_wrong_with_a_client_certificate_is_told() {
        let (certificate, key) = identity_pem();
        let other = identity_pem().1;
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        for (pem, problem) in [
            (key.clone(), Problem::NoCertificate),
            (certificate.clone(), Problem::NoKey),
            (format!("{certificate}{other}"), Problem::OtherKey),
            (format!("{certificate}{encrypted}"), Problem::EncryptedKey),
            (certificate.replace("MII", "AAA") + &key, Problem::NoCertificate),
        ] {
            assert_eq!(identity(&pem).err(), Some(problem), "{pem}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_told() {
        for pem in ["-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert_eq!(authorities(&read_here(pem).unwrap().unwrap()).err(), Some(Problem::NoCertificate), "{pem}");
        }
    }

    #[test]
    fn a_name_is_that_of_a_file_beside_the_program() {
        assert!(read_here("LICENSE").unwrap().is_some());
        assert_eq!(read_here("no-such-file.pem"), Err(Problem::NoFile));
        assert_eq!(read_here(""), Ok(None));
    }
}
