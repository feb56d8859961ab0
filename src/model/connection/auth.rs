//! Credentials that requests to an endpoint carry in `Authorization`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use crate::error::{Error, Result};
use crate::signature::Secret;

/// Credentials in `Authorization`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// A user name and a password (RFC 7617).
    Basic {
        /// The user name; it has no colon.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A token (RFC 6750).
    Bearer(Secret),
}

impl Auth {
    /// Reads `basic:USER`, `bearer`, or `none`, which needs no secret.
    ///
    /// # Errors
    /// As [`Auth::of`], and what reading the secret returns.
    pub fn read(how: &str, secret: impl FnOnce() -> Result<Secret>) -> Result<Option<Auth>> {
        match how {
            "" | "none" => Ok(None),
            how => Auth::of(how, secret()?).map(Some),
        }
    }

    /// Reads `basic:USER` or `bearer`, with the password or token.
    ///
    /// # Errors
    /// [`Error::Misuse`] when it is neither.
    pub fn of(how: &str, secret: Secret) -> Result<Auth> {
        match how.split_once(':') {
            Some(("basic", user)) => Ok(Auth::Basic {
                user: user.to_owned(),
                password: secret,
            }),
            None if how == "bearer" => Ok(Auth::Bearer(secret)),
            _ => Err(Error::misuse(format!(
                "`{how}` is not a way to authenticate; basic:USER, bearer or none"
            ))),
        }
    }

    /// The header's value.
    pub fn header(&self) -> String {
        match self {
            Auth::Basic { user, password } => {
                let pair = [user.as_bytes(), b":", password.expose()].concat();
                format!("Basic {}", STANDARD.encode(pair))
            }
            Auth::Bearer(token) => {
                format!("Bearer {}", String::from_utf8_lossy(token.expose()))
            }
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        match self {
            Auth::Basic { user, .. } if user.contains(':') || user.is_empty() => {
                Err(Error::misuse(
                    "the user name of basic authentication is empty or has a colon (RFC 7617)",
                ))
            }
            Auth::Basic { password, .. } if std::str::from_utf8(password.expose()).is_err() => {
                Err(Error::misuse(
                    "the password is not UTF-8 (RFC 7617, section 2.1); save it as UTF-8",
                ))
            }
            _ if HeaderValue::from_str(&self.header()).is_err() => Err(Error::misuse(
                "the token cannot stand in a header; give it without line breaks",
            )),
            _ => Ok(()),
        }
    }

    /// Without the secret.
    pub(super) fn shown(&self) -> String {
        match self {
            Auth::Basic { user, .. } => format!("basic {user}"),
            Auth::Bearer(_) => "bearer".to_owned(),
        }
    }
}
