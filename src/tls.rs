//! Which servers are trusted, and what is wrong with a certificate that is not.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
};
use webpki::EndEntityCert;

use crate::fault::Fault;

/// TLS as the relay speaks it: 1.2 and 1.3, on ring, for HTTP/1.1.
///
/// `roots` are the authorities that are trusted; with `verify` off, every certificate is.
pub fn client_config(roots: RootCertStore, verify: bool) -> ClientConfig {
    let provider = Arc::new(ring::default_provider());
    let authorities = verify.then(|| {
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .expect("the store of authorities is not empty")
    });
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { authorities, provider }))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

/// The authorities whose certificates Amazon accepts too, Mozilla's.
pub fn public_authorities() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

/// rustls' own check, which says more where it says "unknown issuer"; or no check.
#[derive(Debug)]
struct Verifier {
    authorities: Option<Arc<WebPkiServerVerifier>>,
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
        authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now).map_err(|error| {
            // As `Error::Other`, whose text is that of the error within; in a `CertificateError` it would be its `Debug`.
            Distrust::of(&error, end_entity, intermediates)
                .map_or(error, |distrust| rustls::Error::Other(OtherError(Arc::new(distrust))))
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

/// Why no trusted authority stands behind a certificate, and which names the certificate has.
#[derive(Debug)]
struct Distrust {
    fault: Fault,
    names: Vec<String>,
}

impl Distrust {
    fn of(error: &rustls::Error, end_entity: &CertificateDer<'_>, sent: &[CertificateDer<'_>]) -> Option<Self> {
        let rustls::Error::InvalidCertificate(error) = error else { return None };
        let unknown_issuer = matches!(error, CertificateError::UnknownIssuer);
        // What `openssl req -x509` makes is an authority and a server's certificate in one.
        let own_authority = matches!(error, CertificateError::Other(OtherError(other))
            if other.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity));
        if !unknown_issuer && !own_authority {
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
        _ => Fault::HandshakeBroken,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
    use rustls::pki_types::PrivatePkcs8KeyDer;
    use rustls::{ClientConnection, ServerConfig, ServerConnection};

    use super::*;

    /// Shakes hands with a server whose certificate, for `name`, comes from an authority that is trusted.
    fn shake_hands(name: &str, expires: i32) -> Result<(), rustls::Error> {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();

        let mut server = CertificateParams::new([name.to_owned()]).unwrap();
        server.not_after = date_time_ymd(expires, 1, 1);
        let key = KeyPair::generate().unwrap();
        let cert = server.signed_by(&key, &authority).unwrap().der().clone();
        let server = ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
            .unwrap();

        let name = "home.example.org".try_into().unwrap();
        let mut client = ClientConnection::new(Arc::new(client_config(roots, true)), name).unwrap();
        let mut server = ServerConnection::new(Arc::new(server)).unwrap();
        while client.is_handshaking() {
            let mut wire = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut wire).unwrap();
            }
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets()?;
            let mut wire = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut wire).unwrap();
            }
            client.read_tls(&mut wire.as_slice()).unwrap();
            client.process_new_packets()?;
        }
        Ok(())
    }

    #[test]
    fn a_certificate_for_the_name_from_a_trusted_authority_is_taken() {
        assert_eq!(shake_hands("home.example.org", 2090), Ok(()));
    }

    #[test]
    fn a_certificate_for_another_name_is_refused_with_the_names_it_has() {
        let error = shake_hands("other.example.org", 2090).unwrap_err();
        assert_eq!(fault(&error), Fault::CertificateForOtherName);
        let text = error.to_string();
        assert!(text.contains("home.example.org") && text.contains("other.example.org"), "{text}");
    }

    #[test]
    fn a_certificate_that_has_expired_is_refused_even_from_a_trusted_authority() {
        assert_eq!(fault(&shake_hands("home.example.org", 2020).unwrap_err()), Fault::CertificateExpired);
    }
}
