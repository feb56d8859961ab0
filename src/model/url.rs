//! The URL of an endpoint, parts of which are secret.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use form_urlencoded::byte_serialize;
use http::Uri;
use percent_encoding::{AsciiSet, percent_decode_str, utf8_percent_encode};

use crate::error::{Error, Result};
use crate::model::address::never_sent_to;
use crate::model::chat::Chat;
use crate::model::header::holds_secret;

/// An absolute `http` or `https` URL.
///
/// `Debug` and [`EndpointUrl::redacted`] hide the values of its query and path segments that look like a
/// token: chat systems and others put their tokens there.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointUrl(Uri);

impl EndpointUrl {
    /// The URL to connect to.
    pub fn uri(&self) -> &Uri {
        &self.0
    }

    /// The full URL, for the store and for requests. It must not be shown: see [`EndpointUrl::redacted`].
    pub fn as_text(&self) -> String {
        self.0.to_string()
    }

    /// The URL with these query parameters; they replace existing ones with the same names.
    ///
    /// # Errors
    /// [`Error::Misuse`] when it becomes too long for a URL.
    pub fn with_query(&self, parameters: &[(&'static str, String)]) -> Result<EndpointUrl> {
        if parameters.is_empty() {
            return Ok(self.clone());
        }
        let name_of = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
        let is_new = |pair: &&str| !parameters.iter().any(|(name, _)| name_of(pair) == *name);
        let held = self.0.query().unwrap_or_default();
        let held = held.split('&').filter(|pair| !pair.is_empty());
        let mut pairs: Vec<String> = held.filter(is_new).map(str::to_owned).collect();
        for (name, value) in parameters {
            let value: String = byte_serialize(value.as_bytes()).collect();
            pairs.push(format!("{name}={value}"));
        }
        let whole = self.0.to_string();
        let head = whole.split('?').next().unwrap_or_default();
        let url = format!("{head}?{}", pairs.join("&"));
        url.parse()
            .map(EndpointUrl)
            .map_err(|_| Error::misuse("the endpoint's URL is too long"))
    }

    /// The URL without these query parameters.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the rest is no URL.
    pub fn without_query(&self, names: &[&str]) -> Result<EndpointUrl> {
        let whole = self.0.to_string();
        let head = whole.split('?').next().unwrap_or_default();
        let held = self.0.query().unwrap_or_default().split('&');
        let is_kept = |pair: &&str| {
            let name = pair.split('=').next().unwrap_or_default();
            !pair.is_empty() && !names.contains(&name)
        };
        let kept: Vec<&str> = held.filter(is_kept).collect();
        match kept.is_empty() {
            true => head.parse(),
            false => format!("{head}?{}", kept.join("&")).parse(),
        }
    }

    /// The value of a query parameter.
    pub fn query_value(&self, name: &str) -> Option<String> {
        let query = self.0.query().unwrap_or_default();
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let found = pairs.find(|(held, _)| held == name);
        found.map(|(_, value)| value.into_owned())
    }

    /// The URL with another path; its query stays.
    ///
    /// # Errors
    /// [`Error::Misuse`] when it becomes too long for a URL.
    pub fn with_path(&self, path: &str) -> Result<EndpointUrl> {
        let whole = self.0.to_string();
        let head = whole.split('?').next().unwrap_or_default();
        let host = head.strip_suffix(self.0.path()).unwrap_or(head);
        match self.0.query() {
            Some(query) => format!("{host}{path}?{query}").parse(),
            None => format!("{host}{path}").parse(),
        }
    }

    /// The URL for lists, pages, logs and errors: query values and path segments that look like a token are
    /// hidden. The token at the end of a chat bot's path is hidden even if it does not look like one.
    pub fn redacted(&self, chat: Option<Chat>) -> String {
        let path = self.0.path();
        let whole = self.0.to_string();
        let head = whole.split('?').next().unwrap_or_default();
        let mut url = head.strip_suffix(path).unwrap_or(head).to_owned();
        let robot = self.robot_token(chat);
        for segment in path.split_inclusive('/') {
            let name = segment.trim_end_matches('/');
            let is_token = looks_like_token(name) || robot == Some(name);
            url.push_str(if is_token { "***" } else { name });
            url.push_str(&segment[name.len()..]);
        }
        if let Some(query) = self.0.query() {
            let names = query.split('&').map(|pair| pair.split('=').next());
            let hidden = names.map(|name| format!("{}=***", name.unwrap_or_default()));
            url.push('?');
            url.push_str(&hidden.collect::<Vec<String>>().join("&"));
        }
        url
    }

    /// The secret parts of the URL, as written and decoded: a receiver may repeat them, so they must be
    /// hidden.
    pub fn secret_texts(&self, chat: Option<Chat>) -> Vec<String> {
        let robot = self.robot_token(chat);
        let segments = self.0.path().split('/');
        let mut secrets: Vec<String> = segments
            .filter(|name| looks_like_token(name) || robot == Some(*name))
            .map(str::to_owned)
            .collect();
        if let (Some(Chat::Telegram), Some(bot)) = (chat, robot) {
            // As others write it.
            let token = bot.trim_start_matches("bot");
            let decoded = percent_decode_str(token).decode_utf8_lossy();
            secrets.extend([token.to_owned(), decoded.into_owned()]);
        }
        for pair in self.0.query().unwrap_or_default().split('&') {
            for (name, read) in form_urlencoded::parse(pair.as_bytes()) {
                let written = pair.split_once('=').map_or("", |(_, value)| value);
                let is_named_so = ["key", "sign", "sig", "auth", "code"].contains(&&*name);
                if is_named_so || holds_secret(&name) || looks_like_token(&read) {
                    secrets.extend([written.to_owned(), read.into_owned()]);
                }
            }
        }
        secrets
    }

    /// The path segment that is the token of a chat bot: the last one, except the segments by which Discord
    /// accepts the messages of other chats.
    fn robot_token(&self, chat: Option<Chat>) -> Option<&str> {
        match chat? {
            Chat::Slack
            | Chat::Discord
            | Chat::Feishu
            | Chat::Mattermost
            | Chat::Rocketchat
            // Whoever knows a topic reads and writes it.
            | Chat::Ntfy => {
                let mut segments = self.0.path().rsplit('/').filter(|name| !name.is_empty());
                segments.find(|name| !matches!(*name, "slack" | "github"))
            }
            Chat::Telegram => {
                let mut segments = self.0.path().split('/');
                segments.find(|name| name.starts_with("bot"))
            }
            // Their token is in the query, or in a header.
            Chat::Dingtalk | Chat::Wecom | Chat::Teams | Chat::Matrix => None,
        }
    }
}

/// Maximum length of a URL, in bytes: every server accepts this in the first line of a request (RFC 9112,
/// section 3), with space for the rest of that line.
const URL_BYTES_MAX: usize = 7_800;

/// No ASCII character; characters beyond ASCII are always encoded.
const BEYOND_ASCII: AsciiSet = AsciiSet::EMPTY;

/// Whether a path segment looks random, not chosen: long, with letters and digits.
fn looks_like_token(segment: &str) -> bool {
    const LENGTH_MIN: usize = 16;
    let has = |is: fn(&u8) -> bool| segment.bytes().any(|byte| is(&byte));
    let is_plain = segment
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'.'));
    segment.len() >= LENGTH_MIN
        && is_plain
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_alphabetic)
}

impl fmt::Debug for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted(Chat::of_host(&self.0)))
    }
}

impl FromStr for EndpointUrl {
    type Err = Error;

    /// Parses an absolute `http` or `https` URL with a host and without credentials.
    fn from_str(text: &str) -> Result<EndpointUrl> {
        let bad = |why: &str| {
            Error::misuse(format!(
                "`{}` is not an endpoint's URL: {why}; write http(s)://HOST[:PORT]/PATH",
                // The query may contain a token.
                text.split('?').next().unwrap_or_default()
            ))
        };
        if text.len() > URL_BYTES_MAX {
            return Err(Error::misuse(format!(
                "the URL is {} bytes, limit is {URL_BYTES_MAX}",
                text.len()
            )));
        }
        let (head, rest) = match text.split_once("://") {
            Some((_, rest)) => {
                text.split_at(text.len() - rest.len() + rest.find(['/', '?']).unwrap_or(rest.len()))
            }
            None => (text, ""),
        };
        if !head.is_ascii() {
            return Err(bad(
                "its host has letters beyond ASCII; write it as xn--...",
            ));
        }
        // In a request the target must be ASCII (RFC 9112, section 3.2).
        let rest = utf8_percent_encode(rest, &BEYOND_ASCII);
        let uri: Uri = format!("{head}{rest}")
            .parse()
            .map_err(|_| bad("it cannot be read"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(bad("it is neither http nor https"));
        }
        let authority = uri.authority().ok_or_else(|| bad("it has no host"))?;
        if authority.host().is_empty() {
            return Err(bad("it has no host"));
        }
        if authority.as_str().contains('@') {
            // The text is not in the error: it contains a password.
            return Err(Error::misuse(
                "the URL has a user name or password in it, which would show in lists and logs; give the URL without, and them with --auth basic:USER and --auth-secret, on the command line --auth-secret-file FILE",
            ));
        }
        let port = &authority.as_str()[authority.host().len()..];
        if !port.is_empty() && authority.port_u16().unwrap_or(0) == 0 {
            return Err(bad("its port is not a number from 1 to 65535"));
        }
        check_host(authority.host()).map_err(|why| bad(&why))?;
        Ok(EndpointUrl(uri))
    }
}

/// Rejects a host that every request to it would fail for.
pub(crate) fn check_host(host: &str) -> std::result::Result<(), String> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return match never_sent_to(address) {
            Some(why) => Err(format!("{address} is {why}")),
            None => Ok(()),
        };
    }
    // Operating systems read a number as an IP address, which could hide the real target.
    let last = bare.trim_end_matches('.').rsplit('.').next();
    let last = last.unwrap_or_default();
    let digits = last.strip_prefix("0x").unwrap_or(last);
    let is_decimal = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    let is_hex = digits.len() < last.len() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    match is_decimal || is_hex {
        true => Err("its host is a number; write the address as a.b.c.d".to_owned()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beyond_ascii_is_encoded_in_the_path_and_refused_in_the_host() {
        let url: EndpointUrl = "https://ci.example.org/pfäd?q=ü%20".parse().unwrap();
        assert_eq!(
            url.as_text(),
            "https://ci.example.org/pf%C3%A4d?q=%C3%BC%20"
        );
        let error = "https://bücher.example/x"
            .parse::<EndpointUrl>()
            .unwrap_err();
        assert!(error.to_string().contains("xn--"), "{error}");
    }

    #[test]
    fn only_http_urls_with_a_host_and_no_credentials_are_taken() {
        for text in [
            "http://127.0.0.1:8080/x",
            "https://ci.example.org",
            "http://[::1]:9/h?a=b",
        ] {
            assert!(text.parse::<EndpointUrl>().is_ok(), "{text}");
        }
        for text in [
            "",
            "ci.example.org",
            "/x",
            "ftp://h/x",
            "http://",
            "http:///x",
            "http://h:99999/",
            "http://h:/",
            "http://a b/",
            "http://user:pass@h/",
            "mailto:a@b",
            // hookbox never sends to these, even if they are written in another form.
            "http://169.254.169.254/latest",
            "http://[::ffff:169.254.169.254]/",
            "http://[fe80::1]/",
            "http://100.100.100.200/",
            "http://2852039166/",
            "http://0xa9fea9fe/",
            "http://127.1.",
        ] {
            assert!(text.parse::<EndpointUrl>().is_err(), "{text}");
        }
        let error = "http://user:hunter2@h/".parse::<EndpointUrl>().unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn tokens_in_the_query_are_hidden() {
        let url: EndpointUrl = "https://h/send?access_token=T0K&x=1".parse().unwrap();
        assert_eq!(url.redacted(None), "https://h/send?access_token=***&x=***");
        assert!(!format!("{url:?}").contains("T0K"));
    }

    #[test]
    fn tokens_in_the_path_are_hidden() {
        let slack = Some(Chat::Slack);
        for (url, chat, shown) in [
            ("https://h/", None, "https://h/"),
            (
                "https://h/hooks/deliveries-2024/x/",
                None,
                "https://h/hooks/deliveries-2024/x/",
            ),
            (
                "https://h/in/incoming-deliveries/push",
                None,
                "https://h/in/incoming-deliveries/push",
            ),
            (
                "https://h/hooks/x8mz1d3k5pfn9qr7stu2vw4yab?a=b",
                None,
                "https://h/hooks/***?a=***",
            ),
            (
                "https://h/a/3f2b8c1e-9d4a-4e6f-8b7c-1a2b3c4d5e6f/b/",
                None,
                "https://h/a/***/b/",
            ),
            (
                "https://h/bot123456:AAbbCCddEEffGG/sendMessage",
                None,
                "https://h/***/sendMessage",
            ),
            (
                "https://mattermost.example.org/hooks/token",
                slack,
                "https://mattermost.example.org/hooks/***",
            ),
            (
                "https://h/services/T01/B02/abcdefg/",
                slack,
                "https://h/services/T01/B02/***/",
            ),
            (
                "https://h/api/webhooks/1/abc/slack",
                slack,
                "https://h/api/webhooks/1/***/slack",
            ),
            ("https://h/hook/x", Some(Chat::Feishu), "https://h/hook/***"),
            (
                "https://h/robot/send?key=x",
                Some(Chat::Wecom),
                "https://h/robot/send?key=***",
            ),
        ] {
            let url: EndpointUrl = url.parse().unwrap();
            assert_eq!(url.redacted(chat), shown);
        }
        let url: EndpointUrl = "https://discord.com/api/webhooks/1/abc/github"
            .parse()
            .unwrap();
        assert!(!format!("{url:?}").contains("abc"));
    }

    #[test]
    fn what_is_secret_is_known_as_it_is_written_and_as_it_reads() {
        let url = "https://h/hooks/token1/?sign=a%2Bb%2Fcdef&branch=release&access_token=12345678";
        let url: EndpointUrl = url.parse().unwrap();
        assert_eq!(
            url.secret_texts(Some(Chat::Slack)),
            ["token1", "a%2Bb%2Fcdef", "a+b/cdef", "12345678", "12345678"]
        );
        let plain: EndpointUrl = "https://ci.example.org/hook".parse().unwrap();
        assert!(plain.secret_texts(None).is_empty());
    }

    #[test]
    fn parameters_are_encoded_once_and_take_the_place_of_those_of_their_name() {
        let url: EndpointUrl = "https://h/send?access_token=T&sign=old&timestamp=1"
            .parse()
            .unwrap();
        let signed = url
            .with_query(&[("timestamp", "2".to_owned()), ("sign", "a+b/c=".to_owned())])
            .unwrap();
        assert_eq!(
            signed.as_text(),
            "https://h/send?access_token=T&timestamp=2&sign=a%2Bb%2Fc%3D"
        );
        let plain: EndpointUrl = "https://h".parse().unwrap();
        let with = plain.with_query(&[("wait", "true".to_owned())]).unwrap();
        assert_eq!(with.as_text(), "https://h/?wait=true");
        assert_eq!(plain.with_query(&[]).unwrap(), plain);
    }
}
