//! TLS: which servers are trusted, what a handshake showed, and the fault of a refused certificate.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};
use tokio::task_local;
use webpki::EndEntityCert;

use crate::fault::Fault;

/// TLS 1.2 and 1.3 on ring, for HTTP/1.1. Trusts the public CAs and these; `None` accepts any certificate.
pub fn client_config(
    own_cas: Option<&[CertificateDer<'static>]>,
    client_certificate: Arc<ClientCertificate>,
) -> ClientConfig {
    let provider = Arc::new(ring::default_provider());
    let trusted = own_cas.map(|own_cas| {
        // Mozilla's CAs, which Amazon trusts too.
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        roots.add_parsable_certificates(own_cas.iter().cloned());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        verifier.build().expect("there are CAs")
    });
    let own = own_cas.unwrap_or_default().to_vec();
    let verifier = Verifier { trusted, own, provider: Arc::clone(&provider) };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(client_certificate);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

/// What the handshake of one connection showed. rustls tells it by calls of the resolver, and resumes a session only
/// with the same resolver: a field of that would be shared by all connections.
#[derive(Default)]
pub struct Handshake {
    /// TCP has a connection.
    pub has_begun: Cell<bool>,
    pub is_certificate_requested: Cell<bool>,
    pub is_tls13: Cell<bool>,
}

task_local! {
    static CURRENT: Rc<Handshake>;
}

impl Handshake {
    /// Runs a future that may make a connection; also returns what the handshake of that connection showed.
    pub async fn watch<F: Future>(future: F) -> (F::Output, Rc<Self>) {
        let handshake = Rc::<Self>::default();
        (CURRENT.scope(Rc::clone(&handshake), future).await, handshake)
    }
}

/// `CLIENT_CERTIFICATE`, for the servers that request one.
#[derive(Debug, Default)]
pub struct ClientCertificate {
    pub certificate: Option<Arc<CertifiedKey>>,
    /// A server that requested one has answered, on any connection: it accepts what it gets.
    pub is_accepted: AtomicBool,
}

impl ClientCertificate {
    /// The fault if a server that requested one refuses what it got.
    pub fn refusal(&self) -> Fault {
        if self.certificate.is_some() { Fault::ClientCertificateRefused } else { Fault::ClientCertificateRequired }
    }
}

impl ResolvesClientCert for ClientCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        // Fails outside of a handshake: a server may ask again later.
        let _ = CURRENT.try_with(|handshake| handshake.is_certificate_requested.set(true));
        self.certificate.clone()
    }

    /// rustls calls this at the beginning of each handshake.
    fn has_certs(&self) -> bool {
        let _ = CURRENT.try_with(|handshake| handshake.has_begun.set(true));
        self.certificate.is_some()
    }
}

/// rustls' verifier with better errors; `None` accepts any certificate.
#[derive(Debug)]
struct Verifier {
    trusted: Option<Arc<WebPkiServerVerifier>>,
    own: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(trusted) = &self.trusted else { return Ok(ServerCertVerified::assertion()) };
        let checked = trusted.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let Err(mut error) = checked else { return Ok(ServerCertVerified::assertion()) };
        // The owner trusts this very certificate. webpki reports this error after it has checked the dates and before
        // it checks the name.
        if is_webpki(&error, &webpki::Error::CaUsedAsEndEntity) && self.own.contains(end_entity) {
            match verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name) {
                Ok(()) => return Ok(ServerCertVerified::assertion()),
                Err(other) => error = other,
            }
        }
        let is_expired = matches!(error, rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { .. }));
        let problem = if is_expired && self.verify_leaf(end_entity, intermediates, server_name, now) {
            let text = "its own certificate is still valid".to_owned();
            Some(CertificateProblem { fault: Fault::IntermediateExpired, text })
        } else {
            CertificateProblem::new(&error, end_entity, intermediates)
        };
        // `Error::Other` shows the inner error's text; a `CertificateError` would show its `Debug`.
        Err(problem.map_or(error, |problem| rustls::Error::Other(OtherError(Arc::new(problem)))))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let Some(trusted) = &self.trusted else { return Ok(HandshakeSignatureValid::assertion()) };
        trusted.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let _ = CURRENT.try_with(|handshake| handshake.is_tls13.set(true));
        let Some(trusted) = &self.trusted else { return Ok(HandshakeSignatureValid::assertion()) };
        trusted.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl Verifier {
    /// Whether the server's certificate is valid if the certificates that were sent with it are trusted.
    fn verify_leaf(
        &self,
        end_entity: &CertificateDer<'_>,
        sent: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        now: UnixTime,
    ) -> bool {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(sent.iter().cloned().map(CertificateDer::into_owned));
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(&self.provider)).build();
        verifier.is_ok_and(|verifier| verifier.verify_server_cert(end_entity, &[], server_name, &[], now).is_ok())
    }
}

/// Whether this is an error of webpki that rustls passes on as it is.
pub fn is_webpki(error: &rustls::Error, expected: &webpki::Error) -> bool {
    matches!(error, rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(other)))
        if other.downcast_ref() == Some(expected))
}

/// What is wrong with the server's certificates, where rustls says less, or too much.
#[derive(Debug)]
pub struct CertificateProblem {
    pub fault: Fault,
    /// What the log says after the fault's cause.
    text: String,
}

impl CertificateProblem {
    /// Reads what the server sent; `None` if rustls' error says it well.
    fn new(error: &rustls::Error, end_entity: &CertificateDer<'_>, sent: &[CertificateDer<'_>]) -> Option<Self> {
        use CertificateError as C;
        let server = EndEntityCert::try_from(end_entity).ok()?;
        // There may be hundreds.
        let names: Vec<_> = server.valid_dns_names().take(5).collect();
        let names = if names.is_empty() { "no host name".to_owned() } else { names.join(", ") };
        let sent: Vec<_> = sent.iter().filter_map(|certificate| EndEntityCert::try_from(certificate).ok()).collect();
        let mut top = &server;
        // No further than there are certificates: a chain may be a circle.
        for _ in &sent {
            let issuer = sent.iter().find(|issuer| issuer.subject() == top.issuer());
            top = issuer.filter(|_| top.issuer() != top.subject()).unwrap_or(top);
        }
        let issuer = common_name(top.issuer());
        let is_emergency = end_entity.windows(EMERGENCY.len()).any(|bytes| bytes == EMERGENCY);
        // A CA's certificate used as a server's: what `openssl req -x509` makes.
        let is_untrusted = matches!(error, rustls::Error::InvalidCertificate(C::UnknownIssuer | C::BadSignature))
            || is_webpki(error, &webpki::Error::CaUsedAsEndEntity);
        let is_top_sent = top.issuer() == top.subject();
        let (fault, text) = match error {
            _ if is_emergency => (Fault::RecoveryMode, format!("it is for {names}")),
            _ if is_untrusted && server.issuer() == server.subject() => {
                (Fault::UntrustedCertificate, format!("it is self-signed, and for {names}"))
            }
            rustls::Error::InvalidCertificate(C::BadSignature) => {
                let text = format!("a trusted CA is called \"{issuer}\", too, but has another key; it is for {names}");
                (Fault::UntrustedCertificate, text)
            }
            _ if is_untrusted => {
                let fault = if is_top_sent { Fault::UntrustedCertificate } else { Fault::IncompleteChain };
                (fault, format!("the CA \"{issuer}\" is not trusted, and the certificate is for {names}"))
            }
            rustls::Error::InvalidCertificate(C::NotValidForNameContext { .. }) => {
                (Fault::CertificateForOtherName, format!("it is for {names}"))
            }
            rustls::Error::InvalidCertificate(
                C::UnsupportedSignatureAlgorithmContext { .. }
                | C::UnsupportedSignatureAlgorithmForPublicKeyContext { .. },
            ) => (Fault::UnsupportedSignature, "the signature algorithm is not supported".to_owned()),
            _ => return None,
        };
        Some(Self { fault, text })
    }
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The organization of the certificate that Home Assistant makes when it cannot load its own.
const EMERGENCY: &[u8] = b"Home Assistant Emergency Certificate";

/// What a name of X.509 calls somebody: the common name, or else the organization or its unit.
fn common_name(name: &[u8]) -> String {
    // An attribute is an object identifier, 2.5.4.x; then come a type, a length and the text.
    let attribute = |x| {
        let start = name.windows(5).rposition(|bytes| bytes == [6, 3, 0x55, 4, x])? + 5;
        let length = usize::from(*name.get(start + 1)?);
        name.get(start + 2..start + 2 + length)
    };
    let text = [3, 10, 11].into_iter().find_map(attribute).unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

impl Error for CertificateProblem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_issuers_are_read() {
        let attribute = |x, text: &str| {
            [&[0x30, 0x20, 6, 3, 0x55, 4, x, 0x13, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
        };
        let name =
            |attributes: &[(u8, &str)]| attributes.iter().flat_map(|(x, text)| attribute(*x, text)).collect::<Vec<_>>();
        for (attributes, expected) in [
            (&[(6, "US"), (10, "Acme"), (3, "Root")][..], "Root"),
            (&[(3, "Root"), (10, "Acme")], "Root"),
            (&[(11, "Servers"), (10, "Acme")], "Acme"),
            (&[(11, "Servers")], "Servers"),
            (&[(6, "US")], ""),
        ] {
            assert_eq!(common_name(&name(attributes)), expected);
        }
        assert_eq!(common_name(&name(&[(3, "Cut off")])[..12]), "");
        assert_eq!(common_name(&[6, 3, 0x55, 4, 3]), "");
    }
}
