//! TLS to the server: what the URL asks for, by libpq's names `sslmode` and `sslrootcert`.
//!
//! Where TLS is used, the server's certificate and name are always checked. Where the URL does not say, it is
//! used for all servers but those of this machine.

use std::path::Path;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::Host;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::{Error, Result};
use crate::model::connection::{Authorities, trusting};

/// The parameters of a URL that are read here, and the URL without them.
pub(super) struct Parameters {
    /// The URL for the crate, which knows less of `sslmode`.
    pub(super) url: String,
    mode: Option<Mode>,
    root: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Off,
    On,
}

/// Takes the parameters for TLS out of a URL.
pub(super) fn parameters(url: &str) -> Result<Parameters> {
    let Some((address, query)) = url.split_once('?') else {
        return Ok(Parameters {
            url: url.to_owned(),
            mode: None,
            root: None,
        });
    };
    let (mut mode, mut root, mut kept) = (None, None, Vec::new());
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslmode", "disable")) => mode = Some(Mode::Off),
            Some(("sslmode", "require" | "verify-ca" | "verify-full")) => mode = Some(Mode::On),
            Some(("sslmode", other)) => {
                return Err(Error::misuse(format!(
                    "sslmode={other} may send everything unencrypted or to anybody; write sslmode=require (the certificate is checked) or sslmode=disable"
                )));
            }
            Some(("sslrootcert", path)) => {
                let path = percent_decode_str(path).decode_utf8_lossy();
                root = Some(path.into_owned());
            }
            _ => kept.push(pair),
        }
    }
    let url = match kept.is_empty() {
        true => address.to_owned(),
        false => format!("{address}?{}", kept.join("&")),
    };
    Ok(Parameters { url, mode, root })
}

impl Parameters {
    /// What makes connections encrypted; `None` where they are not.
    pub(super) fn connector(&self, config: &Config) -> Result<Option<MakeRustlsConnect>> {
        let is_local = config.get_hosts().iter().all(|host| match host {
            Host::Tcp(name) => matches!(name.as_str(), "localhost" | "127.0.0.1" | "::1"),
            #[cfg(unix)]
            Host::Unix(_) => true,
        });
        match self.mode {
            Some(Mode::Off) => return Ok(None),
            None if is_local => return Ok(None),
            _ => {}
        }
        let own = self.root.as_ref().map(|path| {
            let pem = std::fs::read_to_string(path)
                .map_err(|error| Error::io_at("read", Path::new(path), error))?;
            pem.parse::<Authorities>()
                .map_err(|error| Error::misuse(format!("sslrootcert {path}: {error}")))
        });
        let own = own.transpose()?;
        let config = trusting(own.as_ref())
            .map_err(|error| Error::misuse(format!("TLS to the database: {error}")))?
            .with_no_client_auth();
        Ok(Some(MakeRustlsConnect::new(config)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_encrypted(url: &str) -> bool {
        let parameters = parameters(url).unwrap();
        let config = parameters.url.parse().unwrap();
        parameters.connector(&config).unwrap().is_some()
    }

    #[test]
    fn what_leaves_the_machine_is_encrypted_unless_the_url_says_otherwise() {
        for (url, encrypted) in [
            ("postgres://db.example.org/h", true),
            ("postgres://db.example.org/h?sslmode=disable", false),
            (
                "postgres://db.example.org/h?connect_timeout=3&sslmode=verify-full",
                true,
            ),
            ("postgres://localhost/h", false),
            ("postgres://localhost,db.example.org/h", true),
            ("postgres://localhost/h?sslmode=require", true),
            ("postgres:///h?host=/run/postgresql", false),
        ] {
            assert_eq!(is_encrypted(url), encrypted, "{url}");
        }
        for url in [
            "postgres://h/d?sslmode=prefer",
            "postgres://h/d?sslmode=allow",
        ] {
            assert!(parameters(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_file_without_certificates_is_an_error() {
        let url = "postgres://h/d?sslrootcert=%2Fdev%2Fnull";
        let parameters = parameters(url).unwrap();
        assert_eq!(parameters.url, "postgres://h/d");
        let config = parameters.url.parse().unwrap();
        let error = parameters.connector(&config).err().unwrap();
        assert!(error.chain().contains("/dev/null"), "{}", error.chain());
    }
}
