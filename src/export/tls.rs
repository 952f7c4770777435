//! TLS 1.2 and 1.3 for the server, by rustls.
//!
//! Takes what a web configuration says of it. Gives rustls's settings, or what is wrong. Promises
//! that a client's certificate is looked at as strictly as its policy says, and that what rustls does
//! not have (older versions, suites without forward secrecy) is an error and not a surprise.

use std::sync::Arc;
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::{
    self, CryptoProvider, SupportedKxGroup, WebPkiSupportedAlgorithms, ring,
};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig, SignatureScheme,
    SupportedCipherSuite, SupportedProtocolVersion,
};

/// PEM, and where it is from.
pub(super) struct Pem {
    pub(super) bytes: Vec<u8>,
    pub(super) from: String,
}

/// Whether a client has to show a certificate (Go's `crypto/tls.ClientAuthType`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ClientAuth {
    #[default]
    None,
    Request,
    RequireAny,
    VerifyIfGiven,
    RequireAndVerify,
}

/// What a web configuration says of TLS.
#[derive(Default)]
pub(super) struct TlsSettings {
    pub(super) certificate: Option<Pem>,
    pub(super) key: Option<Pem>,
    pub(super) client_auth: ClientAuth,
    pub(super) client_ca: Option<Pem>,
    pub(super) least: Option<Version>,
    pub(super) most: Option<Version>,
    pub(super) suites: Vec<SupportedCipherSuite>,
    pub(super) curves: Vec<&'static dyn SupportedKxGroup>,
    pub(super) prefer_own_suites: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    Tls12,
    Tls13,
}

pub(super) const VERSIONS: &str = "TLS12, TLS13";

pub(super) fn version(name: &str) -> Option<Version> {
    match name {
        "TLS12" => Some(Version::Tls12),
        "TLS13" => Some(Version::Tls13),
        _ => None,
    }
}

pub(super) const CLIENT_AUTH_TYPES: &str = "NoClientCert, RequestClientCert, \
    RequireAnyClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert";

pub(super) fn client_auth(name: &str) -> Option<ClientAuth> {
    match name {
        "" | "NoClientCert" => Some(ClientAuth::None),
        "RequestClientCert" => Some(ClientAuth::Request),
        "RequireAnyClientCert" => Some(ClientAuth::RequireAny),
        "VerifyClientCertIfGiven" => Some(ClientAuth::VerifyIfGiven),
        "RequireAndVerifyClientCert" => Some(ClientAuth::RequireAndVerify),
        _ => None,
    }
}

pub(super) const CURVES: &str = "X25519, CurveP256, CurveP384";

pub(super) fn curve(name: &str) -> Option<&'static dyn SupportedKxGroup> {
    match name {
        "X25519" => Some(ring::kx_group::X25519),
        "CurveP256" => Some(ring::kx_group::SECP256R1),
        "CurveP384" => Some(ring::kx_group::SECP384R1),
        _ => None,
    }
}

/// A suite's name as IANA and Go write it.
fn suite_name(suite: &SupportedCipherSuite) -> String {
    format!("{:?}", suite.suite()).replace("TLS13_", "TLS_")
}

pub(super) fn suite_names() -> Vec<String> {
    ring::ALL_CIPHER_SUITES.iter().map(suite_name).collect()
}

pub(super) fn suite(name: &str) -> Option<SupportedCipherSuite> {
    ring::ALL_CIPHER_SUITES.iter().find(|suite| suite_name(suite) == name).copied()
}

/// What rustls needs, or what is wrong.
pub(super) fn build(settings: &TlsSettings) -> Result<Arc<ServerConfig>, String> {
    let certificate = settings.certificate.as_ref().ok_or("needs a cert_file (or cert)")?;
    let key = settings.key.as_ref().ok_or("needs a key_file (or key)")?;
    let chain = certificates(certificate)?;
    let private = PrivateKeyDer::from_pem_slice(&key.bytes)
        .map_err(|error| format!("no private key in {}: {error}", key.from))?;
    let provider = Arc::new(provider(settings));
    let verifier = verifier(settings, &provider)?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions(settings)?)
        .map_err(|error| error.to_string())?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, private)
        .map_err(|error| format!("{} and {} cannot be used: {error}", certificate.from, key.from));
    let mut config = config?;
    config.ignore_client_order = settings.prefer_own_suites;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(pem: &Pem) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem.bytes).collect();
    match all {
        Ok(all) if all.is_empty() => Err(format!("no certificate in {}", pem.from)),
        Ok(all) => Ok(all),
        Err(error) => Err(format!("no certificates in {}: {error}", pem.from)),
    }
}

/// Those of TLS 1.3 are not for choice, as with Go: `cipher_suites` is about TLS 1.2.
fn provider(settings: &TlsSettings) -> CryptoProvider {
    let mut provider = ring::default_provider();
    if !settings.suites.is_empty() {
        let newer = provider.cipher_suites.iter().filter(|suite| suite.tls13().is_some());
        let chosen = settings.suites.iter().filter(|suite| suite.tls13().is_none());
        provider.cipher_suites = newer.chain(chosen).copied().collect();
    }
    if !settings.curves.is_empty() {
        provider.kx_groups.clone_from(&settings.curves);
    }
    provider
}

fn versions(settings: &TlsSettings) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    let least = settings.least.unwrap_or(Version::Tls12);
    let most = settings.most.unwrap_or(Version::Tls13);
    let mut versions = Vec::new();
    let only_newer =
        !settings.suites.is_empty() && settings.suites.iter().all(|s| s.tls13().is_some());
    if most == Version::Tls13 {
        versions.push(&TLS13);
    }
    if least == Version::Tls12 && !(only_newer && most == Version::Tls13) {
        versions.push(&TLS12);
    }
    match versions.is_empty() {
        true => Err("max_version is less than min_version".to_owned()),
        false => Ok(versions),
    }
}

fn verifier(
    settings: &TlsSettings,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let any = |mandatory| {
        let algorithms = provider.signature_verification_algorithms;
        Arc::new(AnyCertificate { mandatory, algorithms })
    };
    match (settings.client_auth, &settings.client_ca) {
        (ClientAuth::None, None) => Ok(WebPkiClientVerifier::no_client_auth()),
        (ClientAuth::None, Some(_)) => {
            Err("has a client_ca_file that nothing is held to; say a client_auth_type".to_owned())
        }
        (ClientAuth::Request, _) => Ok(any(false)),
        (ClientAuth::RequireAny, _) => Ok(any(true)),
        (ClientAuth::VerifyIfGiven | ClientAuth::RequireAndVerify, None) => {
            Err("needs a client_ca_file to verify clients' certificates with".to_owned())
        }
        (policy, Some(authority)) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(authority)? {
                roots.add(certificate).map_err(|error| format!("{}: {error}", authority.from))?;
            }
            let builder =
                WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
            let builder = match policy {
                ClientAuth::VerifyIfGiven => builder.allow_unauthenticated(),
                _ => builder,
            };
            builder.build().map_err(|error| format!("{}: {error}", authority.from))
        }
    }
}

/// Takes any certificate whose key the client has.
#[derive(Debug)]
struct AnyCertificate {
    mandatory: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
