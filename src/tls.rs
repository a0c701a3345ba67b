//! Which servers are trusted, and what is wrong with a certificate that is not.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
};
use webpki::EndEntityCert;

use crate::config::Config;
use crate::fault::Fault;

/// TLS as the relay speaks it: 1.2 and 1.3, on ring, for HTTP/1.1.
pub fn client_config(config: &Config, caller: Arc<Caller>) -> ClientConfig {
    let provider = Arc::new(ring::default_provider());
    let authorities = config.verify_certificates.then(|| {
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots(&config.authorities)), Arc::clone(&provider))
            .build()
            .expect("the store of authorities is not empty")
    });
    let verifier = Verifier { authorities, own: config.authorities.clone(), provider: Arc::clone(&provider) };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(caller);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

/// Answers a server that asks who calls, and notes that it did.
#[derive(Debug)]
pub struct Caller {
    certificate: Option<Arc<CertifiedKey>>,
    asked: AtomicBool,
    let_in: AtomicBool,
}

impl Caller {
    /// One who shows this certificate, or none.
    pub fn new(certificate: Option<Arc<CertifiedKey>>) -> Self {
        Self { certificate, asked: AtomicBool::new(false), let_in: AtomicBool::new(false) }
    }

    /// Notes that the server has answered, and so takes what it is shown.
    pub fn note_let_in(&self) {
        self.let_in.store(true, Ordering::Relaxed);
    }

    /// What it means that a server closes a fresh connection without a word. Home Assistant does so where it does not
    /// get the client certificate that it asked for.
    pub fn fault_of_silence(&self) -> Option<Fault> {
        let fault = if self.has_certs() { Fault::ClientCertificateRefused } else { Fault::ClientCertificateWanted };
        (self.asked.load(Ordering::Relaxed) && !self.let_in.load(Ordering::Relaxed)).then_some(fault)
    }
}

impl ResolvesClientCert for Caller {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.certificate.clone()
    }

    fn has_certs(&self) -> bool {
        self.certificate.is_some()
    }
}

/// Mozilla's authorities, whose certificates Amazon accepts too, and the owner's.
fn roots(own: &[CertificateDer<'static>]) -> RootCertStore {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    // Each was tried when the setting was read.
    roots.add_parsable_certificates(own.iter().cloned());
    roots
}

/// rustls' own check, which says more where it says "unknown issuer"; or no check.
#[derive(Debug)]
struct Verifier {
    authorities: Option<Arc<WebPkiServerVerifier>>,
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
        let Some(authorities) = &self.authorities else { return Ok(ServerCertVerified::assertion()) };
        let checked = authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        checked.or_else(|error| {
            // The very certificate that its owner has vouched for. webpki says this of it only after it has looked at
            // its dates, and before it looks at its name.
            if is_authority_as_server(&error) && self.own.contains(end_entity) {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                return Ok(ServerCertVerified::assertion());
            }
            // As `Error::Other`, whose text is that of the error within; in a `CertificateError` it would be its `Debug`.
            Err(Distrust::of(&error, end_entity, intermediates)
                .map_or(error, |distrust| rustls::Error::Other(OtherError(Arc::new(distrust)))))
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        match &self.authorities {
            Some(authorities) => authorities.verify_tls12_signature(message, cert, dss),
            None => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        match &self.authorities {
            Some(authorities) => authorities.verify_tls13_signature(message, cert, dss),
            None => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether a server has shown what `openssl req -x509` makes: an authority and a server's certificate in one.
fn is_authority_as_server(error: &rustls::Error) -> bool {
    matches!(error, rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(other)))
        if other.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity))
}

/// Why no trusted authority stands behind a certificate, and which names the certificate has.
#[derive(Debug)]
struct Distrust {
    fault: Fault,
    names: Vec<String>,
}

impl Distrust {
    fn of(error: &rustls::Error, end_entity: &CertificateDer<'_>, sent: &[CertificateDer<'_>]) -> Option<Self> {
        // A bad signature is that of an authority which has the name of a trusted one, such as that one's predecessor.
        let unknown_issuer = matches!(
            error,
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)
        );
        if !unknown_issuer && !is_authority_as_server(error) {
            return None;
        }
        let sent: Vec<_> = sent.iter().filter_map(|cert| EndEntityCert::try_from(cert).ok()).collect();
        let server = EndEntityCert::try_from(end_entity).ok()?;
        let mut top = &server;
        // As many steps as there are certificates: a ring of them must not hold us up.
        for _ in &sent {
            top = sent.iter().find(|cert| cert.subject() == top.issuer()).unwrap_or(top);
        }
        let fault = if server.issuer() == server.subject() {
            Fault::SelfSigned
        } else if top.issuer() == top.subject() {
            Fault::UnknownIssuer
        } else {
            Fault::IncompleteChain
        };
        Some(Self { fault, names: server.valid_dns_names().map(str::to_owned).collect() })
    }
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = if self.names.is_empty() { "no name".to_owned() } else { self.names.join(", ") };
        write!(f, "no trusted authority stands behind the certificate, which is for {names}")
    }
}

impl Error for Distrust {}

/// Which fault a failed handshake is.
pub fn fault(error: &rustls::Error) -> Fault {
    use rustls::Error as E;
    match error {
        E::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Fault::CertificateExpired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Fault::CertificateNotYetValid
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Fault::CertificateForOtherName
            }
            CertificateError::UnknownIssuer => Fault::UnknownIssuer,
            _ => Fault::BadCertificate,
        },
        E::Other(OtherError(other)) => {
            other.downcast_ref::<Distrust>().map_or(Fault::HandshakeBroken, |distrust| distrust.fault)
        }
        E::InvalidMessage(_) => Fault::PlainHttp,
        E::PeerIncompatible(_)
        | E::AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure) => Fault::OldTls,
        E::AlertReceived(AlertDescription::CertificateRequired | AlertDescription::BadCertificate) => {
            Fault::ClientCertificateWanted
        }
        // A server that knows no site of this name, as nginx' ssl_reject_handshake has it.
        E::AlertReceived(AlertDescription::UnrecognisedName) => Fault::CertificateForOtherName,
        E::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError,
        ) => Fault::ClientCertificateRefused,
        _ => Fault::HandshakeBroken,
    }
}
