//! Certificates of every kind, and servers that use them.

use std::ops::Range;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};

/// A CA that nobody trusts.
pub struct Ca(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, and those that are sent after it.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    pem: String,
    key_pem: String,
}

impl Ca {
    pub fn new() -> Self {
        Self(CertifiedIssuer::self_signed(Self::params("A Root"), key()).expect("valid parameters"))
    }

    /// A CA whose certificate this one issues.
    pub fn intermediate(&self) -> Self {
        Self(CertifiedIssuer::signed_by(Self::params("An Intermediate"), key(), &self.0).expect("valid parameters"))
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(DnType::CommonName, name);
        params
    }

    /// A certificate for localhost, valid in these years, sent with nothing after it.
    pub fn issue(&self, years: Range<i32>) -> Identity {
        self.issue_for("localhost", years)
    }

    /// A certificate for this name.
    pub fn issue_for(&self, name: &str, years: Range<i32>) -> Identity {
        let (params, key) = (leaf(name, years), key());
        Identity::new(&params.signed_by(&key, &self.0).expect("valid parameters"), &key)
    }

    /// The CA's own certificate in a server's place: what `openssl req -x509` makes.
    pub fn as_server(&self) -> Identity {
        Identity::new(self.0.as_ref(), self.0.key())
    }

    /// As it stands in a setting.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub fn certificate(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }
}

impl Identity {
    /// A certificate that is signed by itself.
    pub fn self_signed() -> Self {
        Self::self_signed_for("localhost", YEARS)
    }

    /// A certificate for this name that is signed by itself.
    pub fn self_signed_for(name: &str, years: Range<i32>) -> Self {
        let key = key();
        Self::new(&leaf(name, years).self_signed(&key).expect("valid parameters"), &key)
    }

    /// The same, and a CA: what `openssl req -x509 -addext subjectAltName=DNS:localhost` makes.
    pub fn ca_for(name: &str, years: Range<i32>) -> Self {
        let (mut params, key) = (leaf(name, years), key());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self::new(&params.self_signed(&key).expect("valid parameters"), &key)
    }

    fn new(certificate: &Certificate, key: &KeyPair) -> Self {
        Self {
            chain: vec![certificate.der().clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        }
    }

    /// The certificate as it stands in a setting.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Its key.
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// Both.
    pub fn pem_with_key(&self) -> String {
        [self.pem.as_str(), &self.key_pem].concat()
    }

    /// Sends this certificate too.
    pub fn with(mut self, certificate: CertificateDer<'static>) -> Self {
        self.chain.push(certificate);
        self
    }

    /// A server with this certificate.
    pub fn server(self) -> ServerConfig {
        self.server_of(&[&version::TLS12, &version::TLS13])
    }

    /// A server that requires a client certificate.
    pub fn server_for(self, clients: &Ca) -> ServerConfig {
        self.server_of_for(&[&version::TLS12, &version::TLS13], clients)
    }

    /// The same, of these protocol versions.
    pub fn server_of_for(self, versions: &[&'static SupportedProtocolVersion], clients: &Ca) -> ServerConfig {
        let mut roots = RootCertStore::empty();
        roots.add(clients.certificate()).expect("a CA");
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider)).build();
        ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("versions that ring has")
            .with_client_cert_verifier(verifier.expect("CAs"))
            .with_single_cert(self.chain, self.key)
            .expect("a valid configuration")
    }

    /// A server of these protocol versions.
    pub fn server_of(self, versions: &[&'static SupportedProtocolVersion]) -> ServerConfig {
        ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_protocol_versions(versions)
            .and_then(|config| config.with_no_client_auth().with_single_cert(self.chain, self.key))
            .expect("a valid configuration")
    }
}

/// Years that last.
pub const YEARS: Range<i32> = 2020..2090;

fn leaf(name: &str, years: Range<i32>) -> CertificateParams {
    let mut params = CertificateParams::new([name.to_owned()]).expect("a valid name");
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.not_before = date_time_ymd(years.start, 1, 1);
    params.not_after = date_time_ymd(years.end, 1, 1);
    params
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}
