//! Parses the settings of an endpoint.

use super::definitions::{ENDPOINT_SETTINGS, FORMATS};
use super::{
    Change, Pairs, check_known, of_setting, optional, rules_change, some, text_of, trimmed,
};
use crate::error::{Error, Result};
use crate::model::connection::Auth;
use crate::model::endpoint::{Format, NewEndpoint, PROBE_MAX_DEFAULT, TIMEOUT_DEFAULT};
use crate::model::header::{Header, parse_header};
use crate::model::template::{CONTENT_TYPE, Template};
use crate::signature::{Scheme, Secret};
use crate::time::parse_span;

/// Longest name of a template's file, as file systems have it.
const FILE_NAME_CHARS_MAX: usize = 255;

/// Parses a change of an endpoint: each setting by its name.
///
/// # Errors
/// [`Error::Misuse`] when there is no such setting or a text is not a valid value.
pub fn endpoint_change(pairs: &Pairs) -> Result<Change<NewEndpoint>> {
    check_known(&ENDPOINT_SETTINGS, "an endpoint", pairs)?;
    let mut change = Change(Vec::new());
    set_format(&mut change, pairs)?;
    if let Some(scheme) = text_of(pairs, "sign") {
        let scheme = optional(scheme.trim()).map_err(|error| of_setting("sign", error))?;
        change.put(scheme.unwrap_or(Scheme::None), NewEndpoint::sign_by);
    }
    let rules = rules_change(pairs)?;
    if !rules.is_empty() {
        change.then(move |endpoint| rules.make(&mut endpoint.signature));
    }
    for (name, value) in pairs {
        set_one(&mut change, name, trimmed(name, value))
            .map_err(|error| of_setting(name, error))?;
    }
    set_auth(
        &mut change,
        text_of(pairs, "auth"),
        text_of(pairs, "auth_secret"),
    )?;
    Ok(change)
}

fn set_one(to: &mut Change<NewEndpoint>, name: &str, value: &str) -> Result<()> {
    let span = || some(value).map(parse_span).transpose();
    let number = || some(value).map(number).transpose();
    match name {
        "url" => to.put(value.parse()?, |e, url| e.url = url),
        "types" => to.put(optional(value)?, |e, types| e.filters.types = types),
        "sources" => to.put(optional(value)?, |e, sources| e.filters.sources = sources),
        "branches" => to.put(optional(value)?, |e, branches| {
            e.filters.branches = branches
        }),
        "when" => to.put(optional(value)?, |e, when| e.filters.when = when),
        "timeout" => to.put(span()?.unwrap_or(TIMEOUT_DEFAULT), |e, span| {
            e.timeout = span
        }),
        "probe_max" => to.put(span()?.unwrap_or(PROBE_MAX_DEFAULT), |e, span| {
            e.probe_max = span
        }),
        "connect_timeout" => to.put(span()?, |e, span| e.connection.connect_timeout = span),
        "concurrency" => to.put(number()?, |e, count| e.concurrency = count),
        "tries" => to.put(number()?, |e, tries| e.tries = tries),
        "rate" => to.put(optional(value)?, |e, rate| e.rate = rate),
        "digest" => to.put(value.parse()?, |e, digest| e.digest = digest),
        "retry" => to.put(value.parse()?, |e, retry| e.retry = retry),
        "expire" => to.put(span()?, |e, span| e.expire = span),
        "window" => to.put(optional(value)?, |e, window| e.window = window),
        "expire_offline" => to.put(flag(value)?, |e, flag| e.expires_offline = flag),
        "ordered" => to.put(flag(value)?, |e, flag| e.is_ordered = flag),
        "only_replays" => to.put(flag(value)?, |e, flag| e.gets_only_replays = flag),
        "method" => to.put(optional(value)?, |e, method| {
            e.connection.method = method.unwrap_or_default();
        }),
        "headers" => to.put(headers(value)?, |e, headers| e.connection.headers = headers),
        "ca" => to.put(optional(value)?, |e, ca| e.connection.ca = ca),
        "client_cert" => to.put(optional(value)?, |e, cert| e.connection.client_cert = cert),
        "proxy" => to.put(optional(value)?, |e, proxy| e.connection.proxy = proxy),
        "expect" => to.put(optional(value)?, |e, expect| e.connection.expect = expect),
        "forward_headers" => to.put(optional(value)?, |e, names| e.connection.forward = names),
        "secret" => to.put(some(value).map(Secret::new).transpose()?, |e, secret| {
            e.secret = secret
        }),
        // The other settings are parsed together with the ones that they belong to.
        _ => {}
    }
    Ok(())
}

/// Parses the format, and for a template its text and its content type: what is not given stays.
fn set_format(change: &mut Change<NewEndpoint>, pairs: &Pairs) -> Result<()> {
    let given = |name: &str| text_of(pairs, name).map(str::trim);
    let (format, content_type) = (given("format"), given("content_type"));
    let text = text_of(pairs, "template").filter(|text| !text.trim().is_empty());
    if format.is_none() && text.is_none() && content_type.is_none() {
        return Ok(());
    }
    let brought = match (text, content_type) {
        (Some(_), _) => Some("template"),
        (None, Some(one)) if !one.is_empty() => Some("content_type"),
        _ => None,
    };
    if let Some(name) =
        format.filter(|name| !(*name == "template" || name.starts_with("template:")))
    {
        let name = some(name).unwrap_or("raw");
        brought.map_or(Ok(()), |brought| Err(not_with(brought, name)))?;
        let format = Format::of_name(name, None).ok_or_else(|| {
            let known = FORMATS.iter().filter(|known| **known != "template");
            let known: Vec<&str> = known.copied().collect();
            Error::misuse(format!(
                "unknown format `{name}`; {} or template:FILE",
                known.join(", ")
            ))
        })?;
        change.put(format, NewEndpoint::send_as);
        return Ok(());
    }
    let file = format.and_then(|format| format.strip_prefix("template:"));
    // Where no file is named, a template keeps its name.
    let file = file.filter(|file| *file != "template").map(file_name);
    let file = file.transpose()?.map(str::to_owned);
    let (text, content_type) = (text.map(str::to_owned), content_type.map(str::to_owned));
    let is_template = format.is_some() || text.is_some();
    change.then(move |endpoint| {
        let held = endpoint.format.template().map(Template::stored);
        let held = |name: &str| held.as_ref().and_then(|held| held[name].as_str());
        if !is_template && held("text").is_none() {
            let name = endpoint.format.name();
            return brought.map_or(Ok(()), |brought| Err(not_with(brought, name)));
        }
        let text = text.as_deref().or(held("text")).ok_or_else(|| {
            Error::misuse(
                "give the template's text as `template`, on the command line as --format template:FILE",
            )
        })?;
        let file = file.as_deref().or(held("file")).unwrap_or("template");
        let content_type = match &content_type {
            None => held("content_type"),
            Some(given) => some(given),
        };
        let content_type = content_type.unwrap_or(CONTENT_TYPE);
        let template = Template::parse(file, text, content_type)?;
        endpoint.send_as(Format::Template(template));
        Ok(())
    });
    Ok(())
}

fn not_with(brought: &str, format: &str) -> Error {
    Error::misuse(format!(
        "{brought} goes with format template; {format} brings its own"
    ))
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

fn set_auth(
    change: &mut Change<NewEndpoint>,
    how: Option<&str>,
    secret: Option<&str>,
) -> Result<()> {
    let Some(how) = how else {
        return match secret {
            None => Ok(()),
            Some(_) => Err(Error::misuse(
                "auth_secret goes with auth: basic:USER or bearer",
            )),
        };
    };
    let auth = Auth::read(how.trim(), || {
        let secret = secret.filter(|secret| !secret.is_empty());
        let secret =
            secret.ok_or_else(|| Error::misuse("give the password or token as `auth_secret`, on the command line with --auth-secret-file, --auth-secret-env or --auth-secret -"))?;
        Secret::new(secret)
    })?;
    change.put(auth, |endpoint, auth| endpoint.connection.auth = auth);
    Ok(())
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
