//! What one evaluation may make: fuel counts steps, and one step can ask for any amount of memory.
//!
//! Everything that a step makes is charged, what may be larger than its input before it is made. What was
//! charged is not given back: so the sum also bounds the time.

use std::fmt::{self, Write as _};
use std::io;

use minijinja::value::{Value, ValueKind};
use minijinja::{Error as JinjaError, ErrorKind, Output, State};

/// What one evaluation may make on its way, in bytes, all in all.
const WORK_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What it may make in the end, in bytes.
const OUTPUT_BYTES_MAX: usize = 1024 * 1024;

/// About what a value in a list takes.
pub(super) const VALUE_BYTES: usize = 24;

/// Most lists and maps that it may build: so many can be inside each other, and reading, writing and freeing
/// them takes some of the stack for each.
const BUILT_MAX: usize = 1_000;

/// What is left of these.
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

/// Takes so many bytes from what may be made.
pub(super) fn charge(state: &mut State, bytes: usize) -> Result<(), JinjaError> {
    let meter = meter(state);
    meter.work = meter.work.checked_sub(bytes).ok_or_else(too_much_work)?;
    Ok(())
}

/// Whether so many bytes may be made still, of which not all are charged.
pub(super) fn has_room(state: &mut State, bytes: usize) -> Result<(), JinjaError> {
    if bytes > meter(state).work {
        return Err(too_much_work());
    }
    Ok(())
}

/// About what a value takes that is made of others: a text its bytes; a list or map by its length, since what
/// is in it is shared. One of no known length has too much.
pub(super) fn shallow(value: &Value) -> usize {
    match (value.as_bytes(), value.len()) {
        (Some(bytes), _) => bytes.len(),
        (None, Some(items)) => items.saturating_mul(VALUE_BYTES),
        (None, None) if value.kind() == ValueKind::Iterable => usize::MAX,
        (None, None) => VALUE_BYTES,
    }
}

/// About what a value takes with all that is in it, as often as it is; it fails where that is more than is
/// left.
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

/// How many bytes a value takes as text; it fails where that is more than is left.
pub(super) fn as_text(state: &mut State, value: &Value) -> Result<usize, JinjaError> {
    match value.as_bytes() {
        Some(bytes) => Ok(bytes.len()),
        None => written(state, |to| {
            io::Write::write_fmt(to, format_args!("{value}")).is_ok()
        }),
    }
}

/// How many bytes are written; it fails where that is more than is left.
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

/// Takes one from the lists and maps that may be built.
pub(super) fn built(state: &mut State) -> Result<(), JinjaError> {
    let meter = meter(state);
    let left = meter.built.checked_sub(1);
    meter.built =
        left.ok_or_else(|| refused(format!("it builds more than {BUILT_MAX} lists and maps")))?;
    Ok(())
}

/// Writes a value to the output, within what is left.
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

/// Counts what is written, up to a bound.
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

/// Passes on what is counted.
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
