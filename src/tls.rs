//! Which servers are trusted, and what the relay shows of itself.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};
use webpki::EndEntityCert;

use crate::config::Config;
use crate::fault::Fault;

/// TLS as the relay speaks it: 1.2 and 1.3, on ring, for HTTP/1.1.
pub fn client_config(config: &Config, client_certificate: Arc<ClientCertificate>) -> ClientConfig {
    let provider = Arc::new(ring::default_provider());
    let trusted = config.verify_certificates.then(|| {
        // Mozilla's CAs, whose certificates Amazon accepts too, and the owner's.
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        roots.add_parsable_certificates(config.ca_certificates.iter().cloned());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        verifier.build().expect("there are CAs")
    });
    let verifier = Verifier { trusted, own: config.ca_certificates.clone(), provider: Arc::clone(&provider) };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(client_certificate);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

/// Shows the client certificate to a server that requests one, and notes that it did so.
#[derive(Debug)]
pub struct ClientCertificate {
    certificate: Option<Arc<CertifiedKey>>,
    requested: AtomicBool,
    accepted: AtomicBool,
}

impl ClientCertificate {
    /// Shows this certificate, or none.
    pub fn new(certificate: Option<Arc<CertifiedKey>>) -> Self {
        Self { certificate, requested: AtomicBool::new(false), accepted: AtomicBool::new(false) }
    }

    /// What is wrong where a server that has requested a client certificate ends the connection over it.
    pub fn rejection(&self) -> Option<Fault> {
        let is_shown = self.certificate.is_some();
        let fault = if is_shown { Fault::CLIENT_CERTIFICATE_REFUSED } else { Fault::CLIENT_CERTIFICATE_REQUIRED };
        self.requested.load(Relaxed).then_some(fault)
    }

    /// Whether a server has answered a request, and so has accepted what it was shown.
    pub fn is_accepted(&self) -> bool {
        self.accepted.load(Relaxed)
    }

    /// Notes that a server has answered a request.
    pub fn set_accepted(&self) {
        self.accepted.store(true, Relaxed);
    }
}

impl ResolvesClientCert for ClientCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.requested.store(true, Relaxed);
        self.certificate.clone()
    }

    fn has_certs(&self) -> bool {
        self.certificate.is_some()
    }
}

/// rustls' own check, which says more where it says "unknown issuer"; or no check.
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
        checked.or_else(|error| {
            // The very certificate that its owner trusts. webpki says this of it only after it has looked at its dates,
            // and before it looks at its name.
            if is_webpki(&error, &webpki::Error::CaUsedAsEndEntity) && self.own.contains(end_entity) {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                return Ok(ServerCertVerified::assertion());
            }
            // As `Error::Other`, whose text is that of the error within; in a `CertificateError` it would be its `Debug`.
            Err(UntrustedChain::new(&error, end_entity, intermediates)
                .map_or(error, |untrusted| rustls::Error::Other(OtherError(Arc::new(untrusted)))))
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        match &self.trusted {
            Some(trusted) => trusted.verify_tls12_signature(message, cert, dss),
            None => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        match &self.trusted {
            Some(trusted) => trusted.verify_tls13_signature(message, cert, dss),
            None => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether rustls passes on this error of webpki, for which it has no word of its own.
pub fn is_webpki(error: &rustls::Error, expected: &webpki::Error) -> bool {
    matches!(error, rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(other)))
        if other.downcast_ref() == Some(expected))
}

/// The server's certificate was not issued by a trusted CA.
#[derive(Debug)]
pub struct UntrustedChain {
    /// The server sent no certificate besides its own, which somebody else has issued: the chain may be incomplete.
    pub is_alone: bool,
    is_self_signed: bool,
    names: Vec<String>,
}

impl UntrustedChain {
    /// What the server sent, where `error` says that its issuer is not trusted.
    fn new(error: &rustls::Error, end_entity: &CertificateDer<'_>, sent: &[CertificateDer<'_>]) -> Option<Self> {
        // A bad signature is that of an issuer with the name of a trusted CA, such as that one's predecessor. A CA's own
        // certificate in a server's place is what `openssl req -x509` makes.
        let is_untrusted = matches!(
            error,
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)
        ) || is_webpki(error, &webpki::Error::CaUsedAsEndEntity);
        let server = EndEntityCert::try_from(end_entity).ok().filter(|_| is_untrusted)?;
        let is_self_signed = server.issuer() == server.subject();
        let mut sent = sent.iter().filter_map(|certificate| EndEntityCert::try_from(certificate).ok());
        Some(Self {
            is_alone: !is_self_signed && !sent.any(|certificate| certificate.subject() == server.issuer()),
            is_self_signed,
            names: server.valid_dns_names().map(str::to_owned).collect(),
        })
    }
}

impl fmt::Display for UntrustedChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = if self.names.is_empty() { "no name".to_owned() } else { self.names.join(", ") };
        let kind = if self.is_self_signed { "self-signed, and" } else { "issued by a CA that is not trusted, and" };
        write!(f, "it is {kind} for {names}")
    }
}

impl Error for UntrustedChain {}
