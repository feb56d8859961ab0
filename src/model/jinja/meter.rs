//! Limits the memory that one evaluation may use: fuel counts steps, but one step can ask for any amount of
//! memory.
//!
//! Everything that a step makes is charged. What may be larger than its input is charged before it is made.
//! A charge is never given back, so the total limits the time too.

use std::fmt::{self, Write as _};
use std::io;

use minijinja::value::{Value, ValueKind};
use minijinja::{Error as JinjaError, ErrorKind, Output, State};

/// Maximum bytes that one evaluation may make in total, with its intermediate values.
const WORK_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Maximum bytes of its output.
const OUTPUT_BYTES_MAX: usize = 1024 * 1024;

/// Estimated size of a value in a list, in bytes.
pub(super) const VALUE_BYTES: usize = 24;

/// Maximum lists and maps that it may build: this many can be nested, and each level of nesting needs stack
/// to read, write and free.
const BUILT_MAX: usize = 1_000;

/// What is left of these limits.
struct Meter {
    work: usize,
    output: usize,
    built: usize,
}

fn meter<'a>(state: &'a mut State<'_, '_>) -> &'a mut Meter {
    state.get_or_insert_extension(Meter {
        work: WORK_BYTES_MAX,
        output: OUTPUT_BYTES_MAX,
        built: BUILT_MAX,
    })
}

fn refused(detail: String) -> JinjaError {
    JinjaError::new(ErrorKind::OutOfFuel, detail)
}

fn too_much_work() -> JinjaError {
    refused(format!(
        "it makes more than {WORK_BYTES_MAX} bytes on its way"
    ))
}

/// Charges this many bytes.
pub(super) fn charge(state: &mut State, bytes: usize) -> Result<(), JinjaError> {
    let meter = meter(state);
    meter.work = meter.work.checked_sub(bytes).ok_or_else(too_much_work)?;
    Ok(())
}

/// Checks that this many bytes may still be made; charges nothing.
pub(super) fn has_room(state: &mut State, bytes: usize) -> Result<(), JinjaError> {
    if bytes > meter(state).work {
        return Err(too_much_work());
    }
    Ok(())
}

/// Estimated size of a value that is made of others: a text counts its bytes, a list or map its length,
/// since the items are shared. A value of unknown length counts as too large.
pub(super) fn shallow(value: &Value) -> usize {
    match (value.as_bytes(), value.len()) {
        (Some(bytes), _) => bytes.len(),
        (None, Some(items)) => items.saturating_mul(VALUE_BYTES),
        (None, None) if value.kind() == ValueKind::Iterable => usize::MAX,
        (None, None) => VALUE_BYTES,
    }
}

/// Estimated size of a value with all nested values, each time they occur. Fails if this is more than what
/// is left.
pub(super) fn deep(state: &mut State, value: &Value) -> Result<usize, JinjaError> {
    let (most, mut found) = (meter(state).work, 0_usize);
    let mut next = vec![value.clone()];
    while let Some(value) = next.pop() {
        found = found.saturating_add(shallow(&value).max(VALUE_BYTES));
        if found > most {
            return Err(too_much_work());
        }
        if matches!(value.kind(), ValueKind::Map) {
            let keys: Vec<Value> = value.try_iter()?.collect();
            next.extend(keys.iter().filter_map(|key| value.get_item(key).ok()));
            next.extend(keys);
        } else if value.as_bytes().is_none() && value.len().is_some() {
            next.extend(value.try_iter()?);
        }
    }
    Ok(found)
}

/// The bytes of a value as text. Fails if this is more than what is left.
pub(super) fn as_text(state: &mut State, value: &Value) -> Result<usize, JinjaError> {
    match value.as_bytes() {
        Some(bytes) => Ok(bytes.len()),
        None => written(state, |to| {
            io::Write::write_fmt(to, format_args!("{value}")).is_ok()
        }),
    }
}

/// The bytes that are written. Fails if this is more than what is left.
pub(super) fn written(
    state: &mut State,
    write: impl FnOnce(&mut Counted) -> bool,
) -> Result<usize, JinjaError> {
    let left = meter(state).work;
    let mut count = Counted { left };
    match write(&mut count) {
        true => Ok(left - count.left),
        false => Err(too_much_work()),
    }
}

/// Charges one list or map.
pub(super) fn built(state: &mut State) -> Result<(), JinjaError> {
    let meter = meter(state);
    let left = meter.built.checked_sub(1);
    meter.built =
        left.ok_or_else(|| refused(format!("it builds more than {BUILT_MAX} lists and maps")))?;
    Ok(())
}

/// Writes a value to the output, within the limit.
pub(super) fn emit(out: &mut Output, state: &mut State, value: &Value) -> Result<(), JinjaError> {
    let left = meter(state).output;
    let mut passing = Passing {
        out,
        count: Counted { left },
    };
    let written = write!(passing, "{value}");
    meter(state).output = passing.count.left;
    written.map_err(|_| refused(format!("it makes more than {OUTPUT_BYTES_MAX} bytes")))
}

/// Counts what is written, up to a limit.
pub(super) struct Counted {
    left: usize,
}

impl Counted {
    fn count(&mut self, bytes: usize) -> Option<()> {
        self.left = self.left.checked_sub(bytes)?;
        Some(())
    }
}

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let counted = self.count(bytes.len());
        counted.ok_or_else(|| io::Error::other("too much"))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Counts and passes on what is written.
struct Passing<'a, 'out> {
    out: &'a mut Output<'out>,
    count: Counted,
}

impl fmt::Write for Passing<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.count.count(text.len()).ok_or(fmt::Error)?;
        self.out.write_str(text)
    }
}
