//! Secrets from a file, an environment variable or standard input, never echoed.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{BYTE_ORDER_MARK, Context};
use crate::error::{Error, Result};
use crate::signature::Secret;
use crate::time::parse_span;

#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct SecretArguments {
    /// Read the secret from this file (one newline at its end and a byte order
    /// mark are left out)
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Read the secret from this environment variable
    #[arg(long, value_name = "VARIABLE")]
    secret_env: Option<String>,
    /// `-` reads the secret from standard input; anything else is the secret
    /// itself, which then stands in your shell's history
    #[arg(long, value_name = "SECRET", allow_hyphen_values = true)]
    secret: Option<String>,
}

/// A new secret in the place of an old one.
#[derive(Debug, Args)]
pub(super) struct RotateArguments {
    /// Its name
    pub(super) name: String,
    #[command(flatten)]
    secret: SecretArguments,
    /// How long the old secret still holds
    #[arg(long, value_name = "SPAN", default_value = "24h", value_parser = parse_span)]
    pub(super) overlap: Duration,
}

impl RotateArguments {
    /// Reads the new secret.
    pub(super) fn read(&self, context: &Context) -> Result<Secret> {
        self.secret.read(context)?.ok_or_else(|| {
            Error::misuse("give the new secret, with --secret-file, --secret-env or --secret -")
        })
    }
}

impl SecretArguments {
    pub(super) fn read(&self, context: &Context) -> Result<Option<Secret>> {
        let input = SecretInput {
            file: self.secret_file.as_ref(),
            variable: self.secret_env.as_ref(),
            text: self.secret.as_ref(),
        };
        input.read(context)
    }
}

/// The password or token of `--auth`.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct AuthSecretArguments {
    /// Read the password or token of --auth from this file
    #[arg(long, value_name = "FILE", requires = "auth")]
    auth_secret_file: Option<PathBuf>,
    /// Read the password or token from this environment variable
    #[arg(long, value_name = "VARIABLE", requires = "auth")]
    auth_secret_env: Option<String>,
    /// `-` reads the password or token from standard input
    #[arg(
        long,
        value_name = "SECRET",
        requires = "auth",
        allow_hyphen_values = true
    )]
    auth_secret: Option<String>,
}

impl AuthSecretArguments {
    pub(super) fn read(&self, context: &Context) -> Result<Option<String>> {
        let input = SecretInput {
            file: self.auth_secret_file.as_ref(),
            variable: self.auth_secret_env.as_ref(),
            text: self.auth_secret.as_ref(),
        };
        let secret = input.read(context)?;
        let text = secret.map(|secret| String::from_utf8(secret.expose().to_vec()));
        text.transpose().map_err(|_| {
            Error::misuse("the password is not UTF-8 (RFC 7617, section 2.1); save it as UTF-8")
        })
    }
}

/// Where a secret is read from.
struct SecretInput<'a> {
    file: Option<&'a PathBuf>,
    variable: Option<&'a String>,
    text: Option<&'a String>,
}

impl SecretInput<'_> {
    fn read(&self, context: &Context) -> Result<Option<Secret>> {
        if let Some(path) = self.file {
            let bytes = std::fs::read(path)
                .map_err(|error| Error::io_at("read the secret from", path, error))?;
            return as_meant(context, bytes).map(Some);
        }
        if let Some(variable) = self.variable {
            let value = std::env::var(variable).map_err(|_| {
                Error::misuse(format!(
                    "the environment has no variable {variable}; set it, or give the secret in a file"
                ))
            })?;
            return as_meant(context, value.into_bytes()).map(Some);
        }
        match self.text.map(String::as_str) {
            None => Ok(None),
            Some("-") => {
                let mut bytes = Vec::new();
                std::io::stdin()
                    .lock()
                    .read_to_end(&mut bytes)
                    .map_err(|error| Error::io("read the secret from standard input", error))?;
                as_meant(context, bytes).map(Some)
            }
            Some(text) => {
                context.out.note("warning: a secret given as --secret VALUE is in your shell's history; use --secret - or --secret-file");
                as_meant(context, text.as_bytes().to_vec()).map(Some)
            }
        }
    }
}

/// Makes a secret of a text.
///
/// Editors and `echo` add a newline at the end, and some editors add a byte order mark at the beginning;
/// neither is part of the secret. Spaces may be part of it.
fn as_meant(context: &Context, mut bytes: Vec<u8>) -> Result<Secret> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(Error::misuse(
            "the secret is written in UTF-16, as PowerShell's > does; save it as UTF-8",
        ));
    }
    if bytes.starts_with(BYTE_ORDER_MARK.as_bytes()) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
    if bytes.trim_ascii() != bytes {
        context.out.note("warning: the secret begins or ends with a blank or a newline, which is taken as a part of it; if it is none, give it again without");
    }
    Secret::new(bytes)
}
