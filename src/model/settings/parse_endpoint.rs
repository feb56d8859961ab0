//! Parses the settings of an endpoint.

use std::time::Duration;

use super::definitions::ENDPOINT_SETTINGS;
use super::{Pairs, check_known, of_setting, optional, set_rules, some, text_of};
use crate::error::{Error, Result};
use crate::model::connection::Auth;
use crate::model::endpoint::{Format, NewEndpoint, PROBE_MAX_DEFAULT, TIMEOUT_DEFAULT};
use crate::model::header::{Header, parse_header};
use crate::model::template::{CONTENT_TYPE, Template};
use crate::signature::{Scheme, Secret};
use crate::time::parse_span;

/// Longest name of a template's file, as file systems have it.
const FILE_NAME_CHARS_MAX: usize = 255;

/// Changes an endpoint: each setting by its name.
///
/// # Errors
/// [`Error::Misuse`] when there is no such setting or a text is not a valid value.
pub fn set_endpoint(endpoint: &mut NewEndpoint, pairs: &Pairs) -> Result<()> {
    check_known(&ENDPOINT_SETTINGS, "an endpoint", pairs)?;
    set_format(endpoint, pairs)?;
    if let Some(scheme) = text_of(pairs, "sign") {
        let scheme = optional(scheme.trim()).map_err(|error| of_setting("sign", error))?;
        endpoint.sign_by(scheme.unwrap_or(Scheme::None));
    }
    set_rules(&mut endpoint.signature, pairs)?;
    for (name, value) in pairs {
        // A space may be part of a secret, so it is not trimmed.
        let value = if name == "secret" {
            value
        } else {
            value.trim()
        };
        set_one(endpoint, name, value).map_err(|error| of_setting(name, error))?;
    }
    set_auth(
        endpoint,
        text_of(pairs, "auth"),
        text_of(pairs, "auth_secret"),
    )
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
        "secret" => endpoint.secret = some(value).map(Secret::new).transpose()?,
        // The other settings are parsed together with the ones that they belong to.
        _ => {}
    }
    Ok(())
}

/// Parses the format, and for a template its text and its content type: what is not given stays.
fn set_format(endpoint: &mut NewEndpoint, pairs: &Pairs) -> Result<()> {
    let given = |name: &str| text_of(pairs, name).map(str::trim);
    let (format, content_type) = (given("format"), given("content_type"));
    let text = text_of(pairs, "template").filter(|text| !text.trim().is_empty());
    if format.is_none() && text.is_none() && content_type.is_none() {
        return Ok(());
    }
    let held = endpoint.format.template().map(Template::stored);
    let held = |name: &str| held.as_ref().and_then(|held| held[name].as_str());
    let file = match format.map(|format| format.strip_prefix("template:").unwrap_or(format)) {
        // No file name is given: a template keeps its old one.
        None | Some("template") => None,
        Some(file) => Some(file),
    };
    let is_template = match format {
        None => text.is_some() || held("text").is_some(),
        Some(format) => format == "template" || format.starts_with("template:"),
    };
    if !is_template {
        let brought = match (text, content_type) {
            (Some(_), _) => Some("template"),
            (None, Some(one)) if !one.is_empty() => Some("content_type"),
            _ => None,
        };
        if let Some(brought) = brought {
            return Err(Error::misuse(format!(
                "{brought} goes with format template; {} brings its own",
                match format {
                    None => endpoint.format.name(),
                    Some("") => "raw",
                    Some(name) => name,
                }
            )));
        }
        if let Some(name) = format {
            let name = if name.is_empty() { "raw" } else { name };
            endpoint.send_as(Format::of_name(name, None).ok_or_else(|| {
                Error::misuse(format!(
                    "unknown format `{name}`; raw, slack, discord, dingtalk, wecom, feishu or template:FILE"
                ))
            })?);
        }
        return Ok(());
    }
    let text = text.or(held("text")).ok_or_else(|| {
        Error::misuse(
            "give the template's text as `template`, on the command line as --format template:FILE",
        )
    })?;
    let file = file_name(file.or(held("file")).unwrap_or("template"))?;
    let content_type = match content_type {
        None => held("content_type").unwrap_or(CONTENT_TYPE),
        Some(given) => some(given).unwrap_or(CONTENT_TYPE),
    };
    endpoint.send_as(Format::Template(Template::parse(file, text, content_type)?));
    Ok(())
}

/// What a template is called: the name of its file, without the folders before it.
fn file_name(given: &str) -> Result<&str> {
    let name = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let fits = (1..=FILE_NAME_CHARS_MAX).contains(&name.chars().count());
    if !fits || name.contains(char::is_control) {
        return Err(Error::misuse(format!(
            "the name of a template is 1 to {FILE_NAME_CHARS_MAX} characters, and none of them a control character"
        )));
    }
    Ok(name)
}

fn set_auth(endpoint: &mut NewEndpoint, how: Option<&str>, secret: Option<&str>) -> Result<()> {
    let Some(how) = how else {
        return match secret {
            None => Ok(()),
            Some(_) => Err(Error::misuse(
                "auth_secret goes with auth: basic:USER or bearer",
            )),
        };
    };
    endpoint.connection.auth = Auth::read(how.trim(), || {
        let secret = secret.filter(|secret| !secret.is_empty());
        let secret =
            secret.ok_or_else(|| Error::misuse("give the password or token as `auth_secret`, on the command line with --auth-secret-file, --auth-secret-env or --auth-secret -"))?;
        Secret::new(secret)
    })?;
    Ok(())
}

fn span_or(value: &str, default: Duration) -> Result<Duration> {
    some(value).map_or(Ok(default), parse_span)
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
