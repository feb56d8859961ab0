//! Secrets from a file, an environment variable or standard input, never echoed.

use std::io::Read;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Context;
use crate::error::{Error, Result};
use crate::model::settings::Setting;
use crate::signature::{Secret, text_as_meant};

/// What an option has: the value of a setting, or for a secret also where it is read from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Input {
    File,
    Variable,
    Text,
}

impl Input {
    /// The end of the option's name.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Input::File => "_file",
            Input::Variable => "_env",
            Input::Text => "",
        }
    }

    /// The name of the option, with underscores.
    pub(super) fn id(self, setting: &Setting) -> String {
        format!("{}{}", setting.name, self.suffix())
    }

    /// Reads a secret; `text` is what was given for the option.
    pub(super) fn secret(self, context: &Context, text: &str) -> Result<Secret> {
        let bytes = match self {
            Input::File => {
                let path = Path::new(text);
                std::fs::read(path)
                    .map_err(|error| Error::io_at("read the secret from", path, error))?
            }
            Input::Variable => std::env::var(text)
                .map_err(|_| {
                    Error::misuse(format!(
                        "the environment has no variable {text}; set it, or give the secret in a file"
                    ))
                })?
                .into_bytes(),
            Input::Text if text == "-" => {
                let mut bytes = Vec::new();
                std::io::stdin()
                    .lock()
                    .read_to_end(&mut bytes)
                    .map_err(|error| Error::io("read the secret from standard input", error))?;
                bytes
            }
            Input::Text if text == "draw" => {
                let drawn = draw()?;
                context.out.note(&format!(
                    "the secret is {drawn}; copy it for the other side now: it is shown this once"
                ));
                drawn.into_bytes()
            }
            Input::Text => {
                context.out.note("warning: a secret given as --secret VALUE is in your shell's history; use --secret - or --secret-file");
                text.as_bytes().to_vec()
            }
        };
        as_meant(context, bytes)
    }
}

/// Draws a secret that every scheme takes: as Standard Webhooks has them ("Signature scheme"), 256 bits.
fn draw() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::io("draw a secret", std::io::Error::other(error.to_string())))?;
    Ok(format!("whsec_{}", STANDARD.encode(bytes)))
}

/// Returns the text of a password.
pub(super) fn password(secret: &Secret) -> Result<String> {
    String::from_utf8(secret.expose().to_vec()).map_err(|_| {
        Error::misuse("the password is not UTF-8 (RFC 7617, section 2.1); save it as UTF-8")
    })
}

/// Makes a secret of a text as it was meant.
fn as_meant(context: &Context, bytes: Vec<u8>) -> Result<Secret> {
    let bytes = text_as_meant(bytes)?;
    if bytes.trim_ascii() != bytes {
        context.out.note("warning: the secret begins or ends with a blank or a newline, which is taken as a part of it; if it is none, give it again without");
    }
    Secret::new(bytes)
}
