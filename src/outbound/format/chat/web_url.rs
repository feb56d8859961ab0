//! The pages that a message may link to.

use std::net::Ipv6Addr;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// Longest link, in bytes; browsers accept little more.
pub(super) const URL_BYTES_MAX: usize = 1_000;

/// Returns a URL that a chat can link to.
///
/// It is http or https, without credentials, and holds nothing that would end the link. Its host may be an
/// IPv6 address or a name in any script.
pub(super) fn web_url(text: &str) -> Option<String> {
    const BREAKS_A_LINK: &AsciiSet = &CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'(')
        .add(b')')
        .add(b'<')
        .add(b'>')
        .add(b'[')
        .add(b']')
        .add(b'\\')
        .add(b'`')
        .add(b'|')
        .add(b'*')
        .add(b'{')
        .add(b'}')
        .add(b'^');
    let text = text.trim();
    let (scheme, rest) = text.split_once("://")?;
    let is_web = ["http", "https"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if !is_web || text.len() > URL_BYTES_MAX || !is_authority(authority) {
        return None;
    }
    let path = utf8_percent_encode(path, BREAKS_A_LINK);
    let url = format!("{scheme}://{authority}{path}");
    (url.len() <= URL_BYTES_MAX).then_some(url)
}

/// Whether a text is a host with an optional port, without credentials (RFC 3986, section 3.2).
fn is_authority(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            if address.parse::<Ipv6Addr>().is_err() {
                return false;
            }
            ("", port)
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, &text[text.len() - port.len() - 1..]),
            None => (text, ""),
        },
    };
    let is_number = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.len() <= 5;
    let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_number);
    let is_letter = |letter: char| letter.is_alphanumeric() || "-._~%".contains(letter);
    let is_host = host.chars().all(is_letter) && (!host.is_empty() || text.starts_with('['));
    is_host && is_port && text.len() <= 255
}
