//! Parses the settings of an alert.

use super::definitions::ALERT_SETTINGS;
use super::{Change, Pairs, check_known, of_setting, optional};
use crate::error::Result;
use crate::model::alert::{EVERY_DEFAULT, NewAlert};
use crate::time::parse_span;

/// Parses a change of an alert: each setting by its name.
///
/// # Errors
/// [`Error::Misuse`](crate::Error::Misuse) when there is no such setting or a text is not a valid value.
pub fn alert_change(pairs: &Pairs) -> Result<Change<NewAlert>> {
    check_known(&ALERT_SETTINGS, "an alert", pairs)?;
    let mut change: Change<NewAlert> = Change(Vec::new());
    for (name, value) in pairs {
        set_one(&mut change, name, value.trim()).map_err(|error| of_setting(name, error))?;
    }
    Ok(change)
}

fn set_one(change: &mut Change<NewAlert>, name: &str, value: &str) -> Result<()> {
    match name {
        "to" => change.put(optional(value)?, |alert, to| alert.to = to),
        "about" => change.put(optional(value)?.unwrap_or_default(), |alert, about| {
            alert.about = about;
        }),
        "every" => {
            let every = match value {
                "" => EVERY_DEFAULT,
                span => parse_span(span)?,
            };
            change.put(every, |alert, every| alert.every = every);
        }
        _ => {}
    }
    Ok(())
}
