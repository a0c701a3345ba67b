//! Certificates of every kind, and the TLS servers that use them.

use std::ops::Range;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, PKCS_ED25519, date_time_ymd,
};
use rustls::crypto::ring::{self, sign::any_supported_type};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientCertVerifierBuilder, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};

/// A period that includes today.
pub const YEARS: Range<i32> = 2020..2090;

/// A period in the past.
pub const EXPIRED: Range<i32> = 2020..2021;

/// Each version of TLS alone.
pub const VERSIONS: [&[&SupportedProtocolVersion]; 2] = [&[&version::TLS12], &[&version::TLS13]];

/// A private CA.
pub struct Ca(CertifiedIssuer<'static, KeyPair>);

/// A certificate, the CA certificates sent after it, and its key.
#[derive(Clone)]
pub struct Identity {
    pem: String,
    key_pem: String,
}

impl Ca {
    pub fn new() -> Self {
        Self(CertifiedIssuer::self_signed(ca("A Root"), key()).expect("valid parameters"))
    }

    /// A CA with the name of a public one, but not its key. Ed25519: no public CA has such a key, and webpki tells a wrong
    /// kind of key from an unknown CA.
    pub fn impostor([organization, name]: [&str; 2]) -> Self {
        let mut params = ca(name);
        params.distinguished_name = DistinguishedName::new();
        let parts = [(DnType::CountryName, "US"), (DnType::OrganizationName, organization), (DnType::CommonName, name)];
        for (part, text) in parts {
            params.distinguished_name.push(part, DnValue::PrintableString(text.try_into().expect("printable")));
        }
        let key = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("valid parameters"))
    }

    /// An intermediate CA of this name, issued by this one and valid in these years.
    pub fn intermediate(&self, name: &str, years: Range<i32>) -> Self {
        let params = valid(ca(name), years);
        Self(CertifiedIssuer::signed_by(params, key(), &self.0).expect("valid parameters"))
    }

    /// A certificate for localhost, valid in these years, without its CA's.
    pub fn issue(&self, years: Range<i32>) -> Identity {
        self.issue_for("localhost", years)
    }

    /// The same for other names, with spaces between them.
    pub fn issue_for(&self, name: &str, years: Range<i32>) -> Identity {
        let key = key();
        let certificate = leaf(name, years).signed_by(&key, &self.0).expect("valid parameters");
        Identity { pem: certificate.pem(), key_pem: key.serialize_pem() }
    }

    fn verifier(&self) -> ClientCertVerifierBuilder {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("a CA");
        WebPkiClientVerifier::builder_with_provider(roots.into(), ring::default_provider().into())
    }

    /// The CA's certificate, as a setting holds it.
    pub fn pem(&self) -> String {
        self.0.pem()
    }
}

impl Identity {
    /// A self-signed certificate for localhost.
    pub fn self_signed() -> Self {
        Self::self_signed_for("localhost", YEARS, IsCa::NoCa)
    }

    /// A self-signed certificate for this name. `openssl req -x509` makes it a CA.
    pub fn self_signed_for(name: &str, years: Range<i32>, is_ca: IsCa) -> Self {
        let mut params = leaf(name, years);
        params.is_ca = is_ca;
        Self::from_params(&params)
    }

    /// What Home Assistant serves in recovery mode.
    pub fn emergency() -> Self {
        let mut params = leaf("localhost", YEARS);
        params.distinguished_name.push(DnType::OrganizationName, "Home Assistant Emergency Certificate");
        Self::from_params(&params)
    }

    fn from_params(params: &CertificateParams) -> Self {
        let key = key();
        Self { pem: params.self_signed(&key).expect("valid parameters").pem(), key_pem: key.serialize_pem() }
    }

    /// [`X509_V1`].
    pub fn x509_v1() -> Self {
        Self { pem: X509_V1.to_owned(), key_pem: X509_V1.to_owned() }
    }

    /// Adds the certificate of this CA.
    pub fn with(mut self, ca: &Ca) -> Self {
        self.pem += &ca.pem();
        self
    }

    /// The same certificate with another key, as an attacker has it.
    pub fn forged(self) -> Self {
        Self { key_pem: key().serialize_pem(), ..self }
    }

    /// The certificates, as a setting holds them.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The key.
    #[cfg(feature = "real-home-assistant")]
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// The certificates and the key.
    pub fn pem_with_key(&self) -> String {
        [self.pem.as_str(), &self.key_pem].concat()
    }

    /// A TLS server with this certificate.
    pub fn server(&self) -> ServerConfig {
        self.server_with(&[&version::TLS12, &version::TLS13], None)
    }

    /// A TLS server of these versions. With `clients`, it requires a client certificate of this CA.
    pub fn server_with(&self, versions: &[&'static SupportedProtocolVersion], clients: Option<&Ca>) -> ServerConfig {
        let verifier =
            clients.map_or_else(WebPkiClientVerifier::no_client_auth, |ca| ca.verifier().build().expect("a CA"));
        self.server_verifying(versions, verifier)
    }

    /// A TLS server of these versions that requests a client certificate of this CA, and does without one.
    pub fn server_requesting(&self, versions: &[&'static SupportedProtocolVersion], clients: &Ca) -> ServerConfig {
        self.server_verifying(versions, clients.verifier().allow_unauthenticated().build().expect("a CA"))
    }

    fn server_verifying(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        verifier: Arc<dyn ClientCertVerifier>,
    ) -> ServerConfig {
        let chain = CertificateDer::pem_slice_iter(self.pem.as_bytes()).collect::<Result<_, _>>().expect("PEM");
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).expect("a key");
        // `with_single_cert` would refuse the key of a forged identity.
        let identity = CertifiedKey::new(chain, any_supported_type(&key).expect("a key that ring knows"));
        let mut config = ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_protocol_versions(versions)
            .expect("versions that ring has")
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity)));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }
}

/// A certificate of X.509 version 1 with its key, as most guides make it (`openssl x509 -req` without extensions). rcgen
/// cannot make one.
pub const X509_V1: &str = include_str!("x509_v1_client.pem");

/// The CA that issued it.
#[cfg(feature = "real-home-assistant")]
pub const X509_V1_CA: &str = include_str!("x509_v1_ca.pem");

/// Marks a certificate as that of a CA.
pub const CA: IsCa = IsCa::Ca(BasicConstraints::Unconstrained);

fn ca(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = CA;
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn leaf(name: &str, years: Range<i32>) -> CertificateParams {
    let names: Vec<_> = name.split(' ').map(str::to_owned).collect();
    let mut params = CertificateParams::new(names).expect("valid names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    valid(params, years)
}

fn valid(mut params: CertificateParams, years: Range<i32>) -> CertificateParams {
    [params.not_before, params.not_after] = [years.start, years.end].map(|year| date_time_ymd(year, 1, 1));
    params
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}
