//! TLS to an endpoint: trusted roots, client certificate, plain error messages.
//!
//! Which servers are trusted says [`trusting`]; nothing is ever sent without a check.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::{CertificateError, ClientConfig, ClientConnection, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivateKeyDer, ServerName};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
    TransportAdapter,
};

use crate::model::connection::{Connection, trusting};

/// Wraps a connection in TLS if the URL is https.
pub(super) struct TlsConnector(Arc<ClientConfig>);

impl TlsConnector {
    /// Creates a connector from an endpoint's connection settings.
    ///
    /// # Errors
    /// Why it cannot be created: a file holds no certificate, or certificate and key do not fit.
    pub(super) fn new(connection: &Connection) -> Result<TlsConnector, String> {
        let config = trusting(connection.ca.as_ref())?;
        let config = match &connection.client_cert {
            None => config.with_no_client_auth(),
            Some(certificate) => {
                let key = PrivateKeyDer::from_pem_slice(certificate.pem())
                    .map_err(|error| error.to_string())?;
                config
                    .with_client_auth_cert(certificate.chain(), key)
                    .map_err(|error| error.to_string())?
            }
        };
        Ok(TlsConnector(Arc::new(config)))
    }
}

impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsConnector")
    }
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = Either<In, Encrypted>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(plain) = chained else {
            return Ok(None);
        };
        if !details.needs_tls() {
            return Ok(Some(Either::A(plain)));
        }
        let host = details.uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| failed("the host is no name that a certificate can be for"))?;
        let mut connection = ClientConnection::new(self.0.clone(), name)
            .map_err(|error| failed(&error.to_string()))?;
        let mut wire = TransportAdapter::new(plain.boxed(), details.current_time.clone());
        wire.set_timeout(details.timeout);
        connection.complete_io(&mut wire).map_err(in_words)?;
        let (input, output) = (
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(Some(Either::B(Encrypted {
            buffers: LazyBuffers::new(input, output),
            stream: StreamOwned::new(connection, wire),
        })))
    }
}

/// A connection over TLS.
pub(super) struct Encrypted {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl fmt::Debug for Encrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encrypted")
    }
}

impl Transport for Encrypted {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let output = &self.buffers.output()[..amount];
        self.stream.write_all(output).map_err(in_words)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let amount = self
            .stream
            .read(self.buffers.input_append_buf())
            .map_err(in_words)?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

fn failed(why: &str) -> ureq::Error {
    ureq::Error::Io(io::Error::other(why.to_owned()))
}

/// Explains an error of the connection: what is wrong with a certificate and what to do.
///
/// An error that ureq itself put inside (a timeout) is returned as it was.
fn in_words(error: io::Error) -> ureq::Error {
    let why = match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(why)) => why,
        Some(rustls::Error::InvalidMessage(_)) => {
            return failed("what answers there speaks no TLS; is it http:// instead of https://?");
        }
        _ => return error.into(),
    };
    let what = match why {
        CertificateError::UnknownIssuer => {
            "its certificate is signed by nobody that is trusted here; give the certificate of who signed it, or its own (this very one), with --ca".to_owned()
        }
        CertificateError::NotValidForName => {
            "its certificate is not for this host; give this very certificate with --ca, or use a name that it has".to_owned()
        }
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            "its certificate names no host (a CN alone is no name); give this very certificate with --ca".to_owned()
        }
        CertificateError::NotValidForNameContext { presented, .. } => format!(
            "its certificate is for {}, not for this host; give this very certificate with --ca, or use a name that it has",
            presented.join(", ")
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has ended; make a new one (or is this machine's clock wrong?)".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate has not begun; is this machine's clock right?".to_owned()
        }
        other if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "its certificate is one for an authority (CA:TRUE), used as the server's own; give this very certificate with --ca".to_owned()
        }
        other => format!("its certificate cannot be checked: {other}"),
    };
    failed(&what)
}
