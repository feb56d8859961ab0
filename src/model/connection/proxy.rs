//! The proxy that connections to an endpoint go through.

use std::fmt;
use std::str::FromStr;

use http::Uri;

use crate::error::{Error, Result};
use crate::model::url::check_host;

/// The URL of a proxy: `http://[USER:PASSWORD@]HOST:PORT` or `socks5://...`.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl(pub(super) String);

impl ProxyUrl {
    /// The URL with its password. Do not show it: see [`ProxyUrl::redacted`].
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Its user name and password, together and the password alone.
    pub(super) fn secret_texts(&self) -> Vec<Vec<u8>> {
        let after = self.0.split_once("://").map_or("", |(_, rest)| rest);
        let Some((both, _)) = after.rsplit_once('@') else {
            return Vec::new();
        };
        let password = both.split_once(':').map(|(_, password)| password);
        let texts = [Some(both), password].into_iter().flatten();
        texts.map(|text| text.as_bytes().to_vec()).collect()
    }

    /// The URL without user name and password.
    pub fn redacted(&self) -> String {
        match (self.0.split_once("://"), self.0.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://***@{host}"),
            _ => self.0.clone(),
        }
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

impl FromStr for ProxyUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<ProxyUrl> {
        let bad = || {
            // Not echoed: it may hold a password.
            Error::misuse(
                "this is not a proxy's URL; write http://HOST:PORT or socks5://HOST:PORT, with USER:PASSWORD@ before the host where it asks for them",
            )
        };
        let uri: Uri = text.parse().map_err(|_| bad())?;
        check_host(uri.host().unwrap_or_default())
            .map_err(|why| Error::misuse(format!("the proxy cannot be used: {why}")))?;
        let is_known = matches!(uri.scheme_str(), Some("http" | "socks5"));
        let authority = uri.authority().ok_or_else(bad)?;
        if !is_known || authority.host().is_empty() || authority.port_u16().is_none() {
            return Err(bad());
        }
        Ok(ProxyUrl(text.to_owned()))
    }
}
