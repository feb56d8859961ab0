//! Jinja for expressions and templates: bounded in steps, in memory and in output, without access to
//! anything outside.
//!
//! A field that is missing in an event is undefined: it is false and prints nothing. A field inside it is
//! undefined too: `body.pull_request.merged` is false for a push.

mod charged_tests;
mod depth;
mod filters;
mod meter;
mod program;
mod steps;

use minijinja::value::Value;
use minijinja::{Environment, Error as JinjaError, ErrorKind, UndefinedBehavior};

use super::json_value::{Numbers, json_value};
pub(super) use program::Program;

/// An environment that allows this many steps.
pub(super) fn environment(fuel: u64) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(fuel));
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    // These make large values from nothing.
    for made in ["range", "dict", "namespace", "debug"] {
        environment.remove_global(made);
    }
    filters::add_to(&mut environment);
    charged_tests::add_to(&mut environment);
    steps::add_to(&mut environment);
    environment.add_filter("fromjson", from_json);
    environment.add_filter("length", length);
    environment.add_filter("count", length);
    environment.set_formatter(meter::emit);
    environment
}

/// Parses a text that contains JSON, such as the `upParams` of Gitee's pipelines. An undefined value stays
/// undefined.
fn from_json(state: &mut minijinja::State, value: &Value) -> Result<Value, JinjaError> {
    /// Bytes of values that one byte of JSON may become.
    const VALUES_A_BYTE: usize = 12;
    if value.is_undefined() || value.is_none() {
        return Ok(Value::UNDEFINED);
    }
    let bad = |what| JinjaError::new(ErrorKind::InvalidOperation, what);
    let text = value.as_str().ok_or_else(|| bad("fromjson reads a text"))?;
    meter::charge(state, text.len().saturating_mul(VALUES_A_BYTE))?;
    json_value(text.as_bytes(), Numbers::Compared).map_err(|_| bad("the text is not JSON"))
}

/// The length of a text, list or map. An undefined value has no length, as in Jinja itself: for an event
/// without commits `body.commits|length > 0` is false.
fn length(value: &Value) -> Result<usize, JinjaError> {
    if value.is_undefined() || value.is_none() {
        return Ok(0);
    }
    value.len().ok_or_else(|| {
        let detail = format!("a {} has no length", value.kind());
        JinjaError::new(ErrorKind::InvalidOperation, detail)
    })
}

/// The error in plain words.
pub(super) fn described(error: &JinjaError) -> String {
    match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, Some(detail)) => format!("too much work: {detail}"),
        (ErrorKind::OutOfFuel, None) => {
            "too much work: it takes more steps than an expression (1,000) or a template (100,000) may"
                .to_owned()
        }
        (kind, Some(detail)) => format!("{kind}: {detail}"),
        (kind, None) => kind.to_string(),
    }
}

#[cfg(test)]
mod tests;
