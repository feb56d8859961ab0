//! Certificates: the authorities that an endpoint is checked against, and what is shown to it.

use std::str::FromStr;

use rustls::RootCertStore;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::{Error, Result};
use crate::signature::Secret;

/// Certificate authorities, as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorities(pub(super) String);

impl Authorities {
    /// The text that they were read from.
    pub fn pem(&self) -> &str {
        &self.0
    }

    /// The certificates.
    pub fn certificates(&self) -> Vec<CertificateDer<'static>> {
        certificates(self.0.as_bytes())
    }
}

impl FromStr for Authorities {
    type Err = Error;

    fn from_str(pem: &str) -> Result<Authorities> {
        let found = certificates(pem.as_bytes());
        let mut roots = RootCertStore::empty();
        let (usable, _) = roots.add_parsable_certificates(found.iter().cloned());
        if usable < found.len() {
            return Err(Error::misuse(
                "a certificate in it cannot be read (it may be of X.509 version 1); make it with `openssl req -x509`",
            ));
        }
        if found.is_empty() {
            return Err(Error::misuse(
                "there is no certificate in it; give the authority's certificate in PEM form (-----BEGIN CERTIFICATE-----)",
            ));
        }
        Ok(Authorities(pem.to_owned()))
    }
}

fn certificates(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem)
        .filter_map(std::result::Result::ok)
        .collect()
}

/// A certificate chain and its private key, as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate(pub(super) Secret);

impl ClientCertificate {
    /// The chain.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        certificates(self.0.expose())
    }

    /// Chain and key. Do not show it.
    pub fn pem(&self) -> &[u8] {
        self.0.expose()
    }
}

impl FromStr for ClientCertificate {
    type Err = Error;

    fn from_str(pem: &str) -> Result<ClientCertificate> {
        let certificate = ClientCertificate(Secret::new(pem)?);
        let chain = certificate.chain();
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes());
        let missing = |what: &str| {
            Error::misuse(format!(
                "there is no {what} in it; give certificate and key in one PEM file"
            ))
        };
        if chain.is_empty() {
            return Err(missing("certificate"));
        }
        let key = key.map_err(|_| missing("private key without a passphrase"))?;
        // Two that do not belong together would only be found out by the first connection.
        let provider = rustls::crypto::ring::default_provider();
        CertifiedKey::from_der(chain, key, &provider).map_err(|error| {
            Error::misuse(format!(
                "certificate and key cannot be used together ({error}); put the endpoint's certificate first, and its own key"
            ))
        })?;
        Ok(certificate)
    }
}
