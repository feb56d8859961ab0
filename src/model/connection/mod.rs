//! How requests to an endpoint are made: method, headers, credentials, connect timeout, TLS, proxy.
//!
//! Its secrets must never be shown: [`Connection::shown`] is for lists and pages, [`Connection::stored`]
//! only for the file.

mod auth;
mod proxy;
mod tls;
mod trust;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::model::expect::Expect;
use crate::model::filter::Globs;
use crate::model::header::{HIDDEN, Header, holds_secret, is_passed_on};
use crate::signature::Secret;
use crate::time::show_span;

pub use auth::Auth;
pub use proxy::ProxyUrl;
pub use tls::{Authorities, ClientCertificate};
pub(crate) use trust::trusting;

/// Headers of an endpoint, at most.
const HEADERS_MAX: usize = 32;

/// Maximum bytes of their names and values: nginx and Apache accept heads of 32 KiB and 100 lines of 8 KiB.
const HEADERS_BYTES_MAX: usize = 16 * 1024;

/// How requests to an endpoint are made. The default is a plain POST.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Connection {
    /// The method.
    pub method: Method,
    /// Headers of every request; they replace the event's headers with the same name.
    pub headers: Vec<Header>,
    /// Credentials in `Authorization`.
    pub auth: Option<Auth>,
    /// Maximum time to connect, TLS included. It is part of the timeout of the whole attempt.
    pub connect_timeout: Option<Duration>,
    /// Certificate authorities that the endpoint's certificate is checked against, instead of the built-in
    /// ones.
    pub ca: Option<Authorities>,
    /// The client certificate and key for the endpoint.
    pub client_cert: Option<ClientCertificate>,
    /// The proxy for connections.
    pub proxy: Option<ProxyUrl>,
    /// What a successful reply must contain, if a 2xx alone is not enough.
    pub expect: Option<Expect>,
    /// Additional headers of the producer that are passed on.
    pub forward: Option<Globs>,
}

/// The HTTP method for an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Method {
    /// The default for webhooks.
    #[default]
    Post,
    /// For receivers that store the request under its URL.
    Put,
}

impl Method {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Method::Post => "POST",
            Method::Put => "PUT",
        }
    }
}

impl FromStr for Method {
    type Err = Error;

    fn from_str(text: &str) -> Result<Method> {
        match text.to_ascii_uppercase().as_str() {
            "POST" => Ok(Method::Post),
            "PUT" => Ok(Method::Put),
            _ => Err(Error::misuse(format!(
                "`{text}` is not a method that events are sent with; POST or PUT"
            ))),
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({})", self.shown())
    }
}

impl Connection {
    /// Whether the connection sets this header; the letter case is ignored.
    pub fn sets_header(&self, name: &str) -> bool {
        let mut own = self.headers.iter();
        own.any(|(held, _)| held.eq_ignore_ascii_case(name))
    }

    /// Whether a header of the producer's is passed on.
    pub fn passes(&self, name: &str) -> bool {
        let is_asked_for = || {
            let name = name.to_ascii_lowercase();
            let is_named = self.forward.as_ref();
            is_named.is_some_and(|names| names.matches(&name))
                && !is_own_header(&name)
                && !holds_secret(&name)
        };
        is_passed_on(name) || is_asked_for()
    }

    /// The credentials, and the values of headers that may be credentials.
    pub fn secret_texts(&self) -> Vec<Vec<u8>> {
        /// Receivers often repeat the values of these headers, and they are not secret.
        const PLAIN: [&str; 3] = ["content-", "accept", "user-agent"];
        let may_be_secret = |(name, _): &&Header| {
            let name = name.to_ascii_lowercase();
            !PLAIN.iter().any(|plain| name.starts_with(plain))
        };
        let headers = self.headers.iter().filter(may_be_secret);
        let mut texts: Vec<Vec<u8>> = headers.map(|(_, value)| value.clone().into()).collect();
        if let Some(auth) = &self.auth {
            let header = auth.header();
            let (_, credentials) = header.split_once(' ').unwrap_or(("", &header));
            texts.push(credentials.into());
            if let Auth::Basic { password, .. } = auth {
                texts.push(password.expose().to_vec());
            }
        }
        texts.extend(self.proxy.iter().flat_map(ProxyUrl::secret_texts));
        texts
    }

    /// Checks that headers and credentials can be sent.
    ///
    /// # Errors
    /// [`Error::Misuse`] with the value that cannot be sent.
    pub fn check(&self) -> Result<()> {
        if self.headers.len() > HEADERS_MAX {
            return Err(Error::misuse(format!(
                "{} headers were given, limit is {HEADERS_MAX}",
                self.headers.len()
            )));
        }
        let mut bytes = 0;
        for (name, value) in &self.headers {
            check_header(name, value)?;
            bytes += name.len() + value.len();
        }
        if let Some(forward) = &self.forward {
            check_forward(forward)?;
        }
        if bytes > HEADERS_BYTES_MAX {
            return Err(Error::misuse(format!(
                "the headers are {bytes} bytes, limit is {HEADERS_BYTES_MAX}: few servers take more"
            )));
        }
        if self.connect_timeout.is_some_and(|span| span.is_zero()) {
            return Err(Error::misuse("--connect-timeout must be more than 0"));
        }
        match &self.auth {
            Some(auth) => auth.check(),
            None => Ok(()),
        }
    }

    /// For lists and pages: without secrets.
    pub fn shown(&self) -> Value {
        json!({
            "method": self.method.name(),
            "headers": self.headers.iter().map(|(name, _)| (name, HIDDEN)).collect::<Vec<_>>(),
            "auth": self.auth.as_ref().map(Auth::shown),
            "connect_timeout": self.connect_timeout.map(show_span),
            "ca": self.ca.as_ref().map(|ca| ca.certificates().len()),
            "client_cert": self.client_cert.is_some(),
            "proxy": self.proxy.as_ref().map(ProxyUrl::redacted),
            "expect": self.expect.as_ref().map(Expect::to_string),
            "forward_headers": self.forward.as_ref().map(Globs::patterns),
        })
    }

    /// For the file: everything except values that are the default.
    pub fn stored(&self) -> Value {
        let mut object = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                object.insert(name.to_owned(), value);
            }
        };
        let text = |secret: &Secret| String::from_utf8_lossy(secret.expose()).into_owned();
        let is_put = self.method != Method::Post;
        put("method", is_put.then(|| self.method.name().into()));
        let has_headers = !self.headers.is_empty();
        put("headers", has_headers.then(|| json!(self.headers)));
        put(
            "auth",
            self.auth.as_ref().map(|auth| match auth {
                Auth::Basic { user, password } => json!({ "user": user, "secret": text(password) }),
                Auth::Bearer(token) => json!({ "secret": text(token) }),
            }),
        );
        let millis = |span: Duration| json!(u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
        put("connect_timeout_ms", self.connect_timeout.map(millis));
        put("ca", self.ca.as_ref().map(|ca| ca.0.clone().into()));
        let pem = |certificate: &ClientCertificate| text(&certificate.0).into();
        put("client_cert", self.client_cert.as_ref().map(pem));
        put("proxy", self.proxy.as_ref().map(|url| url.0.clone().into()));
        let expect = self.expect.as_ref().map(Expect::to_string);
        put("expect", expect.map(Value::from));
        let forward = self.forward.as_ref().map(Globs::to_string);
        put("forward_headers", forward.map(Value::from));
        Value::Object(object)
    }

    /// Parses the output of [`Connection::stored`].
    ///
    /// # Errors
    /// [`Error::Misuse`] when a value is invalid.
    pub fn from_stored(object: &Value) -> Result<Connection> {
        let text = |name: &str| object[name].as_str();
        let auth = match (&object["auth"]["user"], object["auth"]["secret"].as_str()) {
            (_, None) => None,
            (Value::String(user), Some(secret)) => Some(Auth::Basic {
                user: user.clone(),
                password: Secret::new(secret)?,
            }),
            (_, Some(secret)) => Some(Auth::Bearer(Secret::new(secret)?)),
        };
        let headers = match &object["headers"] {
            Value::Null => Vec::new(),
            list => serde_json::from_value(list.clone())
                .map_err(|_| Error::misuse("an endpoint's headers are no list of pairs"))?,
        };
        let millis = object["connect_timeout_ms"].as_u64();
        Ok(Connection {
            method: text("method")
                .map(str::parse)
                .transpose()?
                .unwrap_or_default(),
            headers,
            auth,
            connect_timeout: millis.map(Duration::from_millis),
            ca: text("ca").map(str::parse).transpose()?,
            client_cert: text("client_cert").map(str::parse).transpose()?,
            proxy: text("proxy").map(str::parse).transpose()?,
            expect: text("expect").map(str::parse).transpose()?,
            forward: text("forward_headers").map(str::parse).transpose()?,
        })
    }
}

/// Headers that hookbox makes for each request, or that belong to the connection.
const OWN_HEADERS: [&str; 14] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "authorization",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "x-hookbox-type",
];

/// Whether hookbox makes this header for each request, or it belongs to the connection or the content.
pub fn is_own_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "content-type" || OWN_HEADERS.contains(&name.as_str())
}

/// Rejects names of the producer's credentials: they must not be passed on, whatever the setting says.
fn check_forward(names: &Globs) -> Result<()> {
    let secret = names.patterns().into_iter().find(|name| holds_secret(name));
    match secret {
        Some(name) => Err(Error::misuse(format!(
            "header `{name}` holds a credential by its name, which is not passed on; give the endpoint its own with --header or --auth"
        ))),
        None => Ok(()),
    }
}

fn check_header(name: &str, value: &str) -> Result<()> {
    if HeaderName::from_str(name).is_err() || HeaderValue::from_str(value).is_err() {
        // The value is not in the error: it may be a secret.
        return Err(Error::misuse(format!(
            "header `{name}` cannot be sent; write it as `Name: value`, in one line"
        )));
    }
    let lower = name.to_ascii_lowercase();
    match lower.as_str() {
        "authorization" => Err(Error::misuse(
            "give credentials with --auth basic:USER or --auth bearer, so that they are kept as a secret",
        )),
        own if OWN_HEADERS.contains(&own) => Err(Error::misuse(format!(
            "header `{name}` is made for each request and cannot be set"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, value: &str) -> Header {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn what_is_stored_is_read_again_and_what_is_shown_has_no_secret() {
        let connection = Connection {
            method: Method::Put,
            headers: vec![header("X-Env", "prod"), header("X-Api-Key", "hunter2")],
            auth: Some(Auth::Basic {
                user: "mira".to_owned(),
                password: Secret::new("hunter2").unwrap(),
            }),
            connect_timeout: Some(Duration::from_secs(3)),
            proxy: Some("socks5://u:hunter2@127.0.0.1:1080".parse().unwrap()),
            ..Connection::default()
        };
        connection.check().unwrap();
        assert_eq!(
            Connection::from_stored(&connection.stored()).unwrap(),
            connection
        );
        let usual = Connection::default();
        assert_eq!(usual.stored(), json!({}));
        assert_eq!(Connection::from_stored(&json!({})).unwrap(), usual);
        let shown = format!("{} {connection:?}", connection.shown());
        assert!(shown.contains("X-Env") && shown.contains("basic mira"));
        assert!(shown.contains("socks5://***@127.0.0.1:1080"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn credentials_are_written_as_their_standards_say() {
        // RFC 7617, section 2: the user Aladdin with the password "open sesame".
        let basic = Auth::Basic {
            user: "Aladdin".to_owned(),
            password: Secret::new("open sesame").unwrap(),
        };
        assert_eq!(basic.header(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        let bearer = Auth::Bearer(Secret::new("mF_9.B5f-4.1JqM").unwrap());
        assert_eq!(bearer.header(), "Bearer mF_9.B5f-4.1JqM");
    }

    #[test]
    fn what_cannot_be_sent_or_is_made_by_itself_is_refused() {
        for (name, value) in [
            ("", "x"),
            ("X Y", "x"),
            ("X-A", "a\nb"),
            ("Host", "h"),
            ("Content-Length", "3"),
            ("Authorization", "Bearer x"),
            ("webhook-id", "x"),
        ] {
            let connection = Connection {
                headers: vec![header(name, value)],
                ..Connection::default()
            };
            assert!(connection.check().is_err(), "{name}");
        }
        for auth in [
            Auth::Basic {
                user: "a:b".to_owned(),
                password: Secret::new("x").unwrap(),
            },
            Auth::Basic {
                user: "mira".to_owned(),
                password: Secret::new(b"\xe4".to_vec()).unwrap(),
            },
            Auth::Bearer(Secret::new("a\nb").unwrap()),
        ] {
            let connection = Connection {
                auth: Some(auth),
                ..Connection::default()
            };
            assert!(connection.check().is_err());
        }
        for url in ["", "127.0.0.1:80", "ftp://h:1", "http://h", "http://"] {
            assert!(url.parse::<ProxyUrl>().is_err(), "{url}");
        }
        for pem in [
            "",
            "nonsense",
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        ] {
            assert!(pem.parse::<Authorities>().is_err(), "{pem}");
            assert!(pem.parse::<ClientCertificate>().is_err(), "{pem}");
        }
        assert!("GET".parse::<Method>().is_err());
    }
}
