//! Parses the settings of a source.

use super::definitions::SOURCE_SETTINGS;
use super::{Pairs, check_known, of_setting, optional, set_rules, some, text_of};
use crate::error::{Error, Result};
use crate::model::source::{NewSource, Origin, Tolerance};
use crate::signature::Secret;

/// Changes the settings of a source, each by its name.
///
/// # Errors
/// [`Error::Misuse`] when there is no such setting or a text is not a valid value.
pub fn set_source(source: &mut NewSource, pairs: &Pairs) -> Result<()> {
    check_known(&SOURCE_SETTINGS, "a source", pairs)?;
    set_rules(&mut source.generic.signature, pairs)?;
    for (name, value) in pairs {
        // A space may be part of a secret, so it is not trimmed.
        let value = if name == "secret" {
            value
        } else {
            value.trim()
        };
        set_one(source, name, value).map_err(|error| of_setting(name, error))?;
    }
    let generic = &mut source.generic;
    set_origin(&mut generic.type_from, pairs, "type_header", "type_expr")?;
    set_origin(&mut generic.key_from, pairs, "key_header", "key_expr")
}

fn set_one(source: &mut NewSource, name: &str, value: &str) -> Result<()> {
    let generic = &mut source.generic;
    match name {
        "secret" => source.secret = some(value).map(Secret::new).transpose()?,
        "tolerance" => source.tolerance = optional(value)?.unwrap_or(Tolerance::Default),
        "on_repeat" => source.on_repeat = optional(value)?,
        "auth" => generic.auth = optional(if value == "none" { "" } else { value })?,
        "handshake" => generic.handshake = optional(value)?,
        // The other settings are parsed together with the ones that they belong to.
        _ => {}
    }
    Ok(())
}

/// Sets where a text comes from: either a header or an expression.
fn set_origin(
    origin: &mut Option<Origin>,
    pairs: &Pairs,
    header: &str,
    expression: &str,
) -> Result<()> {
    let given = |name: &str| text_of(pairs, name).map(str::trim);
    let (by_header, by_expression) = (given(header), given(expression));
    *origin = match (by_header.and_then(some), by_expression.and_then(some)) {
        (Some(_), Some(_)) => {
            return Err(Error::misuse(format!(
                "give {header} or {expression}, not both"
            )));
        }
        (Some(name), None) => {
            Some(Origin::header(name).map_err(|error| of_setting(header, error))?)
        }
        (None, Some(text)) => {
            let parsed = text
                .parse()
                .map_err(|error| of_setting(expression, error))?;
            Some(Origin::Expression(parsed))
        }
        (None, None) if by_header.or(by_expression).is_some() => None,
        (None, None) => return Ok(()),
    };
    Ok(())
}
