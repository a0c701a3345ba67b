//! TLS: which servers are trusted, what a handshake showed, and the fault of a refused certificate.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};
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

/// The certificate of `CLIENT_CERTIFICATE`, if it is set, and what servers made of it.
#[derive(Debug, Default)]
pub struct ClientCertificate {
    certificate: Option<Arc<CertifiedKey>>,
    status: Mutex<ClientCertificateStatus>,
    is_handshaking: AtomicBool,
}

/// What is known of a server's wish for a client certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificateStatus {
    /// No server has requested one.
    #[default]
    NotRequested,
    /// A server has requested one, and there was none to show.
    NotShown,
    /// The server that requested one has seen it, and has not answered yet.
    Shown,
    /// The server that requested one has answered without it.
    Optional,
    /// The server that requested one has seen it, and has answered.
    Accepted,
}

impl ClientCertificate {
    /// Shows this certificate to servers that request one, or none.
    pub fn new(certificate: Option<Arc<CertifiedKey>>) -> Self {
        Self { certificate, ..Self::default() }
    }

    pub fn status(&self) -> ClientCertificateStatus {
        *self.lock()
    }

    /// Whether a handshake has begun since [`expect_connection`](Self::expect_connection): TCP has a connection then.
    pub fn is_handshaking(&self) -> bool {
        self.is_handshaking.load(Relaxed)
    }

    /// Notes that a new connection is about to be made.
    pub fn expect_connection(&self) {
        self.is_handshaking.store(false, Relaxed);
    }

    /// Notes that the server answered a request, whatever its status: TLS 1.3 servers check a client certificate only
    /// after the handshake, but before they answer.
    pub fn note_answer(&self) {
        let mut status = self.lock();
        *status = match *status {
            ClientCertificateStatus::NotShown => ClientCertificateStatus::Optional,
            ClientCertificateStatus::Shown => ClientCertificateStatus::Accepted,
            known => known,
        };
    }

    fn lock(&self) -> MutexGuard<'_, ClientCertificateStatus> {
        self.status.lock().expect("no thread panics while it holds the lock")
    }
}

impl ResolvesClientCert for ClientCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let mut status = self.lock();
        if *status == ClientCertificateStatus::NotRequested {
            let is_shown = self.certificate.is_some();
            *status = if is_shown { ClientCertificateStatus::Shown } else { ClientCertificateStatus::NotShown };
        }
        self.certificate.clone()
    }

    /// rustls calls this at the beginning of each handshake.
    fn has_certs(&self) -> bool {
        self.is_handshaking.store(true, Relaxed);
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
        // The owner trusts this very certificate. webpki reports this error after it has checked the dates and before it
        // checks the name.
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
        let names = list(&server.valid_dns_names().collect::<Vec<_>>());
        let mut sent = sent.iter().filter_map(|certificate| EndEntityCert::try_from(certificate).ok());
        // A bad signature: the issuer has the name of a trusted CA, such as its successor. A CA's certificate used as a
        // server's: what `openssl req -x509` makes.
        let is_untrusted = matches!(error, rustls::Error::InvalidCertificate(C::UnknownIssuer | C::BadSignature))
            || is_webpki(error, &webpki::Error::CaUsedAsEndEntity);
        let (fault, text) = match error {
            _ if is_untrusted && server.issuer() == server.subject() => {
                (Fault::UntrustedCertificate, format!("it is self-signed, and for {names}"))
            }
            _ if is_untrusted && sent.any(|certificate| certificate.subject() == server.issuer()) => {
                (Fault::UntrustedCertificate, format!("its CA is not trusted, and it is for {names}"))
            }
            _ if is_untrusted => (Fault::IncompleteChain, format!("its CA is not trusted, and it is for {names}")),
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

/// Some of a certificate's names: there may be hundreds.
fn list(names: &[&str]) -> String {
    match names {
        [] => "no name".to_owned(),
        [a, b, c, _, _, rest @ ..] if !rest.is_empty() => format!("{a}, {b}, {c} and {} more names", names.len() - 3),
        names => names.join(", "),
    }
}

impl Error for CertificateProblem {}
