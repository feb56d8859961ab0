//! Parses the settings of a source.

use super::definitions::SOURCE_SETTINGS;
use super::{
    Change, Pairs, check_known, of_setting, optional, rules_change, some, text_of, trimmed,
};
use crate::error::{Error, Result};
use crate::model::source::{NewSource, Origin, Tolerance};
use crate::signature::Secret;

/// Parses a change of a source: each setting by its name.
///
/// # Errors
/// [`Error::Misuse`] when there is no such setting or a text is not a valid value.
pub fn source_change(pairs: &Pairs) -> Result<Change<NewSource>> {
    check_known(&SOURCE_SETTINGS, "a source", pairs)?;
    let mut change: Change<NewSource> = Change(Vec::new());
    let rules = rules_change(pairs)?;
    if !rules.is_empty() {
        change.then(move |source| rules.make(&mut source.generic.signature));
    }
    for (name, value) in pairs {
        set_one(&mut change, name, trimmed(name, value))
            .map_err(|error| of_setting(name, error))?;
    }
    if let Some(origin) = origin(pairs, "type_header", "type_expr")? {
        change.put(origin, |source, origin| source.generic.type_from = origin);
    }
    if let Some(origin) = origin(pairs, "key_header", "key_expr")? {
        change.put(origin, |source, origin| source.generic.key_from = origin);
    }
    Ok(change)
}

/// Parses a path's token: text that stands in a path as it is (RFC 3986, section 2.3).
fn path_token(text: &str) -> Result<Secret> {
    /// A shorter one can be guessed.
    const LEAST: usize = 16;
    const MOST: usize = 128;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if !(LEAST..=MOST).contains(&text.len()) || !text.bytes().all(is_plain) {
        return Err(Error::misuse(format!(
            "a path's token is {LEAST} to {MOST} letters, digits or - . _ ~; make one with: openssl rand -hex 16"
        )));
    }
    Secret::new(text)
}

fn set_one(to: &mut Change<NewSource>, name: &str, value: &str) -> Result<()> {
    match name {
        "secret" => to.put(
            some(value).map(Secret::new).transpose()?,
            |source, secret| source.secret = secret,
        ),
        "path_token" => to.put(some(value).map(path_token).transpose()?, |source, token| {
            source.path_token = token
        }),
        "tolerance" => to.put(
            optional(value)?.unwrap_or(Tolerance::Default),
            |source, tolerance| source.tolerance = tolerance,
        ),
        "on_repeat" => to.put(optional(value)?, |source, repeat| source.on_repeat = repeat),
        "auth" => to.put(
            optional(if value == "none" { "" } else { value })?,
            |source, auth| source.generic.auth = auth,
        ),
        "handshake" => to.put(optional(value)?, |source, handshake| {
            source.generic.handshake = handshake;
        }),
        // The other settings are parsed together with the ones that they belong to.
        _ => {}
    }
    Ok(())
}

/// Parses where a text comes from, either a header or an expression; `None` if neither is given.
fn origin(pairs: &Pairs, header: &str, expression: &str) -> Result<Option<Option<Origin>>> {
    let given = |name: &str| text_of(pairs, name).map(str::trim);
    let (by_header, by_expression) = (given(header), given(expression));
    let origin = match (by_header.and_then(some), by_expression.and_then(some)) {
        (Some(_), Some(_)) => {
            return Err(Error::misuse(format!(
                "give {header} or {expression}, not both"
            )));
        }
        (Some(name), None) => Origin::header(name).map_err(|error| of_setting(header, error)),
        (None, Some(text)) => {
            let parsed = text.parse().map(Origin::Expression);
            parsed.map_err(|error| of_setting(expression, error))
        }
        (None, None) => return Ok(by_header.or(by_expression).map(|_| None)),
    };
    Ok(Some(Some(origin?)))
}
