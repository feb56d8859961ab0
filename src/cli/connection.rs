//! The options that say how requests to an endpoint are made.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::secret::From;
use super::{Context, optional, optional_of, put, read_text};
use crate::error::{Error, Result};
use crate::model::connection::{
    Auth, Authorities, ClientCertificate, Connection, Method, ProxyUrl,
};
use crate::model::expect::Expect;
use crate::model::filter::Globs;
use crate::model::header::{Header, parse_header};
use crate::time::parse_span;

/// How requests are made; an empty value means the usual again.
#[derive(Debug, Args)]
#[command(next_help_heading = "How requests are made (an empty value: as usual)")]
pub(super) struct ConnectionArguments {
    /// POST or PUT [default: POST]
    #[arg(long)]
    method: Option<Method>,
    /// A header of every request, `Name: value`; may be given several times, all
    /// together take the place of those before
    #[arg(long, value_name = "HEADER")]
    header: Vec<String>,
    /// Credentials: basic:USER or bearer, with one of the options below
    #[arg(long, value_name = "HOW")]
    auth: Option<String>,
    /// Read the password or token from this file
    #[arg(long, value_name = "FILE", requires = "auth")]
    auth_secret_file: Option<PathBuf>,
    /// Read the password or token from this environment variable
    #[arg(
        long,
        value_name = "VARIABLE",
        requires = "auth",
        conflicts_with = "auth_secret_file"
    )]
    auth_secret_env: Option<String>,
    /// `-` reads the password or token from standard input
    #[arg(
        long,
        value_name = "SECRET",
        requires = "auth",
        conflicts_with_all = ["auth_secret_file", "auth_secret_env"],
        allow_hyphen_values = true
    )]
    auth_secret: Option<String>,
    /// How long it may take to connect, TLS included [default: the time-out of
    /// the whole]
    #[arg(long, value_name = "SPAN")]
    connect_timeout: Option<String>,
    /// Check the endpoint against the certificate authorities of this PEM file,
    /// and no others [default: Mozilla's, which are built in]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Show the endpoint the certificate of this PEM file, which has the key too
    #[arg(long, value_name = "FILE")]
    client_cert: Option<PathBuf>,
    /// Connect through this proxy: http://HOST:PORT or socks5://HOST:PORT
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// What a yes looks like, as an expression over status, headers, body (JSON)
    /// and text; without `status` in it, of a 2xx [default: any 2xx]
    #[arg(long, value_name = "EXPR")]
    expect: Option<String>,
    /// Headers of the sender's that pass besides X-*, ce-*, traceparent,
    /// tracestate and baggage, with * and ?
    #[arg(long, value_name = "NAME,...")]
    forward_headers: Option<String>,
}

/// Settings that were read, to be put in the place of those that there are.
pub(super) struct ConnectionChange {
    method: Option<Method>,
    headers: Option<Vec<Header>>,
    auth: Option<Option<Auth>>,
    connect_timeout: Option<Option<Duration>>,
    ca: Option<Option<Authorities>>,
    client_cert: Option<Option<ClientCertificate>>,
    proxy: Option<Option<ProxyUrl>>,
    expect: Option<Option<Expect>>,
    forward: Option<Option<Globs>>,
}

impl ConnectionArguments {
    pub(super) fn read(self, context: &Context) -> Result<ConnectionChange> {
        let given = self.header.iter().filter(|line| !line.is_empty());
        let headers = given
            .map(|line| parse_header(line))
            .collect::<Result<Vec<Header>>>()?;
        Ok(ConnectionChange {
            method: self.method,
            headers: (!self.header.is_empty()).then_some(headers),
            auth: self.read_auth(context)?,
            connect_timeout: optional_of(self.connect_timeout, parse_span)?,
            ca: read_pem(self.ca.as_deref())?,
            client_cert: read_pem(self.client_cert.as_deref())?,
            proxy: optional(self.proxy)?,
            expect: optional(self.expect)?,
            forward: optional(self.forward_headers)?,
        })
    }

    fn read_auth(&self, context: &Context) -> Result<Option<Option<Auth>>> {
        let Some(how) = self.auth.as_deref() else {
            return Ok(None);
        };
        let from = From {
            file: self.auth_secret_file.as_ref(),
            variable: self.auth_secret_env.as_ref(),
            text: self.auth_secret.as_ref(),
        };
        let auth = Auth::read(how, || {
            from.read(context)?.ok_or_else(|| {
                Error::misuse("give the password or token, with --auth-secret-file, --auth-secret-env or --auth-secret -")
            })
        })?;
        Ok(Some(auth))
    }
}

fn read_pem<T: FromStr<Err = Error>>(path: Option<&Path>) -> Result<Option<Option<T>>> {
    let Some(path) = path else {
        return Ok(None);
    };
    if path.as_os_str().is_empty() {
        return Ok(Some(None));
    }
    let part = read_text("read", path)?
        .parse()
        .map_err(|error| Error::misuse(format!("{}: {error}", path.display())))?;
    Ok(Some(Some(part)))
}

impl ConnectionChange {
    pub(super) fn is_nothing(&self) -> bool {
        self.method.is_none()
            && self.headers.is_none()
            && self.auth.is_none()
            && self.connect_timeout.is_none()
            && self.ca.is_none()
            && self.client_cert.is_none()
            && self.proxy.is_none()
            && self.expect.is_none()
            && self.forward.is_none()
    }

    pub(super) fn apply(&self, connection: &mut Connection) {
        put(&mut connection.method, &self.method);
        put(&mut connection.headers, &self.headers);
        put(&mut connection.auth, &self.auth);
        put(&mut connection.connect_timeout, &self.connect_timeout);
        put(&mut connection.ca, &self.ca);
        put(&mut connection.client_cert, &self.client_cert);
        put(&mut connection.proxy, &self.proxy);
        put(&mut connection.expect, &self.expect);
        put(&mut connection.forward, &self.forward);
    }
}
