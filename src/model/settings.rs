//! Settings by name and text, as forms and the API give them: of an endpoint, of a source. An empty
//! text brings back what is usual.

use crate::error::{Error, Result};
use crate::model::connection::Auth;
use crate::model::endpoint::{Format, NewEndpoint, PROBE_MAX_DEFAULT, TIMEOUT_DEFAULT};
use crate::model::header::{Header, parse_header};
use crate::model::kind::OnRepeat;
use crate::model::source::{NewSource, Origin, Tolerance};
use crate::model::template::{CONTENT_TYPE, Template};
use crate::signature::generic::Rules;
use crate::signature::{Scheme, Secret};
use crate::time::parse_span;

/// A setting that can be given.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its name: that of the command line's option, with underscores.
    pub name: &'static str,
    /// What it does, with an example.
    pub help: &'static str,
    /// Whether it is shown to nobody.
    pub is_secret: bool,
}

const fn setting(name: &'static str, help: &'static str) -> Setting {
    Setting {
        name,
        help,
        is_secret: false,
    }
}

const fn secret(name: &'static str, help: &'static str) -> Setting {
    Setting {
        name,
        help,
        is_secret: true,
    }
}

/// The settings of an endpoint.
pub const ENDPOINT_SETTINGS: [Setting; 37] = [
    setting("url", "Where events go: https://ci.example.org/hook"),
    setting(
        "format",
        "raw, slack, discord, dingtalk, wecom, feishu or template",
    ),
    setting("template", "Of format template: the Jinja template's text"),
    setting(
        "content_type",
        "Of format template: the type of what it makes [application/json]",
    ),
    setting(
        "sign",
        "none, standard, github, gogs, gitea, gitee or generic",
    ),
    secret("secret", "What requests are signed with"),
    setting("types", "Event types it gets, with * and ?: push,tag*"),
    setting("sources", "Sources it gets events of: gogs,gitee"),
    setting(
        "branches",
        "Branches and tags it gets events about: main,release/*",
    ),
    setting("when", "A Jinja expression: body.commits|length > 0"),
    setting("timeout", "For one attempt in all [15s]"),
    setting("connect_timeout", "For connecting: 3s"),
    setting("concurrency", "Requests at the same time, at most [8]"),
    setting("rate", "Requests in so much time, at most: 20/m"),
    setting(
        "retry",
        "Waits between tries, or moments: 5s,5m,30m or cron:0 0 3 * * *",
    ),
    setting("tries", "Tries before a delivery is dead"),
    setting("expire", "How old a delivery may become: 30d"),
    setting(
        "expire_offline",
        "true: the time that it could not be reached counts for that",
    ),
    setting(
        "probe_max",
        "Longest wait between probes while it cannot be reached [1m]",
    ),
    setting("window", "When it is sent to: 0 0 2 * * *+3h Europe/Berlin"),
    setting(
        "ordered",
        "true: one delivery at a time, in the order of the events",
    ),
    setting("only_replays", "true: it gets nothing but replays"),
    setting("method", "POST or PUT"),
    secret(
        "headers",
        "Headers of every request, a line each: X-Api-Key: value",
    ),
    setting("auth", "basic:USER, bearer or none"),
    secret("auth_secret", "The password or token of auth"),
    setting(
        "ca",
        "Certificate authorities it is checked against, as PEM",
    ),
    secret(
        "client_cert",
        "Certificate and key that are shown to it, as PEM",
    ),
    secret("proxy", "http://HOST:PORT or socks5://HOST:PORT"),
    setting(
        "expect",
        "What a yes looks like, of status, headers, body and text: body.ok == true",
    ),
    setting(
        "forward_headers",
        "Headers of the sender's that pass besides: x-request-id,accept-*",
    ),
    setting(
        "signature_header",
        "Of sign generic: where the signature goes",
    ),
    setting(
        "signature_algorithm",
        "Of sign generic: sha1, sha256 or sha512",
    ),
    setting("signature_encoding", "Of sign generic: hex or base64"),
    setting(
        "signature_prefix",
        "Of sign generic: what stands before it: sha256=",
    ),
    setting(
        "signature_over",
        "Of sign generic: of {id}, {timestamp} and {body}",
    ),
    setting(
        "timestamp_header",
        "Of sign generic: where the time goes [webhook-timestamp]",
    ),
];

/// The settings of a source.
pub const SOURCE_SETTINGS: [Setting; 15] = [
    secret("secret", "What requests must be signed with"),
    setting(
        "tolerance",
        "How far a signed time may be from now: 5m, or none for any",
    ),
    setting(
        "on_repeat",
        "What a request with a known key asks for: ignore or replay",
    ),
    setting(
        "signature_header",
        "Of kind generic: the header that holds the signature",
    ),
    setting(
        "signature_algorithm",
        "Of kind generic: sha1, sha256 or sha512",
    ),
    setting("signature_encoding", "Of kind generic: hex or base64"),
    setting(
        "signature_prefix",
        "Of kind generic: what stands before it: v1=",
    ),
    setting(
        "signature_over",
        "Of kind generic: of {id}, {timestamp} and {body}",
    ),
    setting(
        "timestamp_header",
        "Of kind generic: where the time is that is signed",
    ),
    setting(
        "type_header",
        "Of kind generic: the header that names the type",
    ),
    setting(
        "type_expr",
        "Of kind generic: a Jinja expression that says the type",
    ),
    setting(
        "key_header",
        "Of kind generic: the header that holds the key",
    ),
    setting(
        "key_expr",
        "Of kind generic: a Jinja expression that says the key",
    ),
    setting(
        "auth",
        "Of kind generic: how the secret comes, if it signs nothing: basic:USER, bearer or header:NAME",
    ),
    setting(
        "handshake",
        "Of kind generic: what is answered once: slack, challenge, microsoft or cloudevents",
    ),
];

/// Changes an endpoint: each setting by its name.
///
/// # Errors
/// [`Error::Misuse`] when there is no such setting or a text is none of its values.
pub fn set_endpoint(endpoint: &mut NewEndpoint, changes: &[(String, String)]) -> Result<()> {
    let given = |name: &str| changes.iter().find(|(held, _)| held == name);
    let text = |name: &str| given(name).map(|(_, value)| value.as_str());
    if let Some((name, _)) = changes
        .iter()
        .find(|(name, _)| !is_known(&ENDPOINT_SETTINGS, name))
    {
        return Err(unknown("an endpoint", name));
    }
    set_format(
        endpoint,
        text("format"),
        text("template"),
        text("content_type"),
    )?;
    set_signature(endpoint, &text)?;
    for (name, value) in changes {
        let value = value.trim();
        set_one(endpoint, name, value).map_err(|error| of_setting(name, error))?;
    }
    match (text("auth"), text("auth_secret")) {
        (None, None) => {}
        (Some(how), password) => set_auth(endpoint, how.trim(), password)?,
        (None, Some(_)) => {
            return Err(Error::misuse(
                "auth_secret goes with auth: basic:USER or bearer",
            ));
        }
    }
    Ok(())
}

fn set_one(endpoint: &mut NewEndpoint, name: &str, value: &str) -> Result<()> {
    let filters = &mut endpoint.filters;
    match name {
        "url" => endpoint.url = value.parse()?,
        "types" => filters.types = optional(value)?,
        "sources" => filters.sources = optional(value)?,
        "branches" => filters.branches = optional(value)?,
        "when" => filters.when = optional(value)?,
        "timeout" => endpoint.timeout = span_or(value, TIMEOUT_DEFAULT)?,
        "probe_max" => endpoint.probe_max = span_or(value, PROBE_MAX_DEFAULT)?,
        "connect_timeout" => {
            endpoint.connection.connect_timeout = some(value).map(parse_span).transpose()?;
        }
        "concurrency" => endpoint.concurrency = some(value).map(number).transpose()?,
        "tries" => endpoint.tries = some(value).map(number).transpose()?,
        "rate" => endpoint.rate = optional(value)?,
        "retry" => endpoint.retry = value.parse()?,
        "expire" => endpoint.expire = some(value).map(parse_span).transpose()?,
        "window" => endpoint.window = optional(value)?,
        "expire_offline" => endpoint.expires_offline = flag(value)?,
        "ordered" => endpoint.is_ordered = flag(value)?,
        "only_replays" => endpoint.gets_only_replays = flag(value)?,
        "method" => endpoint.connection.method = optional(value)?.unwrap_or_default(),
        "headers" => endpoint.connection.headers = headers(value)?,
        "ca" => endpoint.connection.ca = optional(value)?,
        "client_cert" => endpoint.connection.client_cert = optional(value)?,
        "proxy" => endpoint.connection.proxy = optional(value)?,
        "expect" => endpoint.connection.expect = optional(value)?,
        "forward_headers" => endpoint.connection.forward = optional(value)?,
        _ => {}
    }
    Ok(())
}

fn set_format(
    endpoint: &mut NewEndpoint,
    format: Option<&str>,
    template: Option<&str>,
    content_type: Option<&str>,
) -> Result<()> {
    let template = template.filter(|text| !text.trim().is_empty());
    let content_type = content_type.map(str::trim).filter(|text| !text.is_empty());
    if format.is_none() && template.is_none() && content_type.is_none() {
        return Ok(());
    }
    let held = endpoint.format.template().map(Template::stored);
    let held_text = held.as_ref().and_then(|held| held["text"].as_str());
    let held_file = held.as_ref().and_then(|held| held["file"].as_str());
    let file = held_file
        .filter(|_| template.is_none())
        .unwrap_or("template");
    let held_type = held.as_ref().and_then(|held| held["content_type"].as_str());
    let content_type = content_type.or(held_type).unwrap_or(CONTENT_TYPE);
    match (format.map(str::trim), template.or(held_text)) {
        (None, None) => return Ok(()),
        (None | Some("template"), Some(text)) => {
            endpoint.send_as(Format::Template(Template::parse(file, text, content_type)?));
        }
        (Some("template"), None) => {
            return Err(Error::misuse("give the template's text as `template`"));
        }
        (Some(name), _) => {
            let name = if name.is_empty() { "raw" } else { name };
            endpoint.send_as(Format::of_name(name, None).ok_or_else(|| {
                Error::misuse(format!(
                    "unknown format `{name}`; raw, slack, discord, dingtalk, wecom, feishu or template"
                ))
            })?);
        }
    }
    Ok(())
}

fn set_signature<'a>(
    endpoint: &mut NewEndpoint,
    text: &dyn Fn(&str) -> Option<&'a str>,
) -> Result<()> {
    if let Some(scheme) = text("sign") {
        endpoint.sign_by(optional(scheme.trim())?.unwrap_or(Scheme::None));
    }
    match text("secret") {
        None => {}
        Some("") => endpoint.secret = None,
        Some(secret) => endpoint.secret = Some(Secret::new(secret)?),
    }
    set_rules(&mut endpoint.signature, text)
}

/// Where a generic signature is and how it is made; an empty text is the usual.
fn set_rules<'a>(rules: &mut Rules, text: &dyn Fn(&str) -> Option<&'a str>) -> Result<()> {
    let usual = Rules::default();
    if let Some(algorithm) = text("signature_algorithm") {
        rules.algorithm = optional(algorithm.trim())?.unwrap_or(usual.algorithm);
    }
    if let Some(encoding) = text("signature_encoding") {
        rules.encoding = optional(encoding.trim())?.unwrap_or(usual.encoding);
    }
    if let Some(prefix) = text("signature_prefix") {
        rules.prefix = prefix.to_owned();
    }
    if let Some(header) = text("signature_header") {
        let header = some(header.trim()).map(|header| header.to_owned().into());
        rules.header = header.unwrap_or(usual.header);
    }
    if let Some(over) = text("signature_over") {
        rules.over = optional(over.trim())?.unwrap_or(usual.over);
    }
    if let Some(name) = text("timestamp_header") {
        rules.timestamp_header = some(name.trim()).map(|name| name.to_owned().into());
    }
    Ok(())
}

fn set_auth(endpoint: &mut NewEndpoint, how: &str, password: Option<&str>) -> Result<()> {
    endpoint.connection.auth = Auth::read(how, || {
        let password = password.filter(|password| !password.is_empty());
        let password =
            password.ok_or_else(|| Error::misuse("give the password or token as `auth_secret`"))?;
        Secret::new(password)
    })?;
    Ok(())
}

/// Changes a source: each setting by its name.
///
/// # Errors
/// [`Error::Misuse`] when there is no such setting or a text is none of its values.
pub fn set_source(source: &mut NewSource, changes: &[(String, String)]) -> Result<()> {
    let text = |name: &str| {
        let found = changes.iter().find(|(held, _)| held == name);
        found.map(|(_, value)| value.as_str())
    };
    set_rules(&mut source.generic.signature, &text)?;
    for (name, value) in changes {
        let value = value.trim();
        let set = match name.as_str() {
            "signature_header"
            | "signature_algorithm"
            | "signature_encoding"
            | "signature_prefix"
            | "signature_over"
            | "timestamp_header" => Ok(()),
            "auth" => optional(if value == "none" { "" } else { value })
                .map(|auth| source.generic.auth = auth),
            "handshake" => optional(value).map(|one| source.generic.handshake = one),
            "secret" => some(value)
                .map(Secret::new)
                .transpose()
                .map(|secret| source.secret = secret),
            "tolerance" => tolerance(value).map(|tolerance| source.tolerance = tolerance),
            "on_repeat" => {
                optional::<OnRepeat>(value).map(|on_repeat| source.on_repeat = on_repeat)
            }
            "type_header" => header_origin(value).map(|origin| source.generic.type_from = origin),
            "key_header" => header_origin(value).map(|origin| source.generic.key_from = origin),
            "type_expr" => expression(value).map(|origin| source.generic.type_from = origin),
            "key_expr" => expression(value).map(|origin| source.generic.key_from = origin),
            _ => return Err(unknown("a source", name)),
        };
        set.map_err(|error| of_setting(name, error))?;
    }
    Ok(())
}

fn tolerance(value: &str) -> Result<Tolerance> {
    Ok(match value {
        "" => Tolerance::Usual,
        "none" => Tolerance::Any,
        span => Tolerance::Within(parse_span(span)?),
    })
}

fn header_origin(value: &str) -> Result<Option<Origin>> {
    some(value).map(Origin::header).transpose()
}

fn expression(value: &str) -> Result<Option<Origin>> {
    let expression = optional(value)?;
    Ok(expression.map(Origin::Expression))
}

fn is_known(settings: &[Setting], name: &str) -> bool {
    settings.iter().any(|setting| setting.name == name)
}

fn unknown(of: &str, name: &str) -> Error {
    Error::misuse(format!("{of} has no setting `{name}`"))
}

/// Which setting an error is about.
fn of_setting(name: &str, error: Error) -> Error {
    match error {
        Error::Misuse(text) => Error::Misuse(format!("{name}: {text}")),
        other => other,
    }
}

fn some(value: &str) -> Option<&str> {
    Some(value).filter(|value| !value.is_empty())
}

fn optional<T: std::str::FromStr<Err = Error>>(value: &str) -> Result<Option<T>> {
    some(value).map(str::parse).transpose()
}

fn span_or(value: &str, usual: std::time::Duration) -> Result<std::time::Duration> {
    some(value).map_or(Ok(usual), parse_span)
}

fn number(value: &str) -> Result<u32> {
    value
        .parse()
        .map_err(|_| Error::misuse(format!("`{value}` is no number")))
}

fn flag(value: &str) -> Result<bool> {
    match value {
        "true" | "on" | "1" => Ok(true),
        "" | "false" | "off" | "0" => Ok(false),
        other => Err(Error::misuse(format!(
            "`{other}` is neither true nor false"
        ))),
    }
}

fn headers(value: &str) -> Result<Vec<Header>> {
    let lines = value.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(parse_header).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kind::SourceKind;

    fn pairs(texts: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        texts.iter().map(own).collect()
    }

    fn endpoint() -> NewEndpoint {
        NewEndpoint::new("ci", "http://127.0.0.1:1/".parse().unwrap())
    }

    #[test]
    fn every_setting_of_an_endpoint_is_taken_and_an_empty_text_takes_it_back() {
        let set = [
            ("url", "https://ci.example.org/hook"),
            ("sign", "gogs"),
            ("secret", "hunter2"),
            ("types", "push,tag*"),
            ("when", "type == 'push'"),
            ("timeout", "3s"),
            ("concurrency", "2"),
            ("rate", "20/m"),
            ("retry", "1s,2s"),
            ("tries", "4"),
            ("expire", "30d"),
            ("window", "0 0 2 * * *+3h Europe/Berlin"),
            ("ordered", "true"),
            ("headers", "X-A: 1\nX-B: 2"),
            ("auth", "basic:mira"),
            ("auth_secret", "hunter2"),
        ];
        let mut changed = endpoint();
        changed.concurrency = None;
        set_endpoint(&mut changed, &pairs(&set)).unwrap();
        assert_eq!(changed.connection.headers.len(), 2);
        assert!(changed.is_ordered && changed.secret.is_some());
        assert_eq!(changed.tries_max(), 4);
        let empty: Vec<(&str, &str)> = set[1..14].iter().map(|(name, _)| (*name, "")).collect();
        set_endpoint(&mut changed, &pairs(&empty)).unwrap();
        set_endpoint(&mut changed, &pairs(&[("auth", "none")])).unwrap();
        let usual = endpoint();
        assert_eq!(changed.retry, usual.retry);
        assert_eq!(changed.connection, usual.connection);
        assert!(changed.secret.is_none() && changed.window.is_none() && !changed.is_ordered);
    }

    #[test]
    fn what_is_no_setting_or_no_value_is_refused_by_its_name() {
        for (name, value, says) in [
            ("color", "red", "no setting `color`"),
            ("tries", "many", "tries: `many` is no number"),
            ("timeout", "soon", "timeout:"),
            ("format", "paper", "unknown format"),
            ("auth", "bearer", "auth_secret"),
            ("headers", "nonsense", "Name: value"),
            ("ordered", "perhaps", "neither true nor false"),
        ] {
            let error = set_endpoint(&mut endpoint(), &pairs(&[(name, value)])).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        }
        let mut source = NewSource::new("in", SourceKind::Generic);
        set_source(
            &mut source,
            &pairs(&[("type_header", "X-Kind"), ("on_repeat", "replay")]),
        )
        .unwrap();
        assert!(source.generic.type_from.is_some());
        let rules = [
            ("signature_header", "X-Sum"),
            ("signature_algorithm", "sha512"),
        ];
        set_source(&mut source, &pairs(&rules)).unwrap();
        assert_eq!(source.generic.signature.header, "X-Sum");
        set_source(&mut source, &pairs(&[("signature_header", "")])).unwrap();
        assert_eq!(source.generic.signature.header, Rules::default().header);
        assert_ne!(
            source.generic.signature.algorithm,
            Rules::default().algorithm
        );
        assert!(set_source(&mut source, &pairs(&[("color", "red")])).is_err());
    }
}
