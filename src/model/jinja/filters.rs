//! Jinja's filters with a charge for their output. A filter that can make more than it is given is charged
//! before it runs.

use std::io::Write;

use minijinja::filters;
use minijinja::value::{Rest, Value, ValueOrKwargs};
use minijinja::{Environment, Error as JinjaError, ErrorKind, State};
use serde::Serialize;

use super::meter::{VALUE_BYTES, as_text, built, charge, deep, shallow, written};

/// Maximum indent of a text, and maximum digits that a number is padded to.
const WIDTH_MAX: usize = 1_000;

/// Estimates the bytes that a filter will make from its arguments.
type Cost = fn(&mut State, &[Value]) -> Result<usize, JinjaError>;

/// Replaces the library's filters by charged ones with the same names.
pub(super) fn add_to(environment: &mut Environment<'static>) {
    macro_rules! charged {
        ($cost:expr; $($filter:ident)*) => {
            $(add(environment, stringify!($filter), Value::from_function(filters::$filter), $cost);)*
        };
    }
    // These make lists of unknown length.
    for unknown in ["chain", "zip"] {
        environment.remove_filter(unknown);
    }
    charged!(texts; upper lower title capitalize trim escape safe string);
    charged!(pprint; pprint);
    charged!(lists; items reverse map select reject selectattr rejectattr);
    charged!(compared; dictsort sort unique groupby min max);
    charged!(lists; first last);
    charged!(nothing; default round abs int float attr bool);
    charged!(list; list);
    charged!(split; split);
    charged!(lines; lines);
    charged!(replace; replace);
    charged!(join; join);
    charged!(batch; batch slice);
    charged!(sum; sum);
    charged!(indent; indent);
    charged!(tojson; tojson);
    charged!(format; format);
    add(
        environment,
        "e",
        Value::from_function(filters::escape),
        texts,
    );
    add(
        environment,
        "d",
        Value::from_function(filters::default),
        nothing,
    );
}

fn add(environment: &mut Environment<'static>, name: &'static str, filter: Value, cost: Cost) {
    environment.add_filter(name, move |state: &mut State, args: Rest<ValueOrKwargs>| {
        let args = args.into_values();
        let bytes = cost(state, &args)?;
        charge(state, bytes)?;
        filter.call(state, &args)
    });
}

/// A number among the arguments: by its position, or by its name.
fn number(args: &[Value], index: usize, name: &str) -> Option<usize> {
    let given = match args.get(index) {
        Some(value) if !value.is_kwargs() => value.clone(),
        _ => named(args, name)?,
    };
    // The filter itself rejects a negative number or another type.
    Some(given.as_usize().unwrap_or(0))
}

fn named(args: &[Value], name: &str) -> Option<Value> {
    let kwargs = args.last().filter(|value| value.is_kwargs())?;
    kwargs
        .get_attr(name)
        .ok()
        .filter(|value| !value.is_undefined())
}

fn text(args: &[Value], index: usize) -> &str {
    args.get(index).and_then(Value::as_str).unwrap_or_default()
}

fn bad(detail: &str) -> JinjaError {
    JinjaError::new(ErrorKind::InvalidOperation, detail.to_owned())
}

fn nothing(_: &mut State, _: &[Value]) -> Result<usize, JinjaError> {
    Ok(0)
}

/// The size of one text made from all arguments.
fn texts(state: &mut State, args: &[Value]) -> Result<usize, JinjaError> {
    args.iter().map(|value| as_text(state, value)).sum()
}

/// The size of lists of all items in the argument lists; a text counts as a list of its characters.
fn lists(state: &mut State, args: &[Value]) -> Result<usize, JinjaError> {
    built(state)?;
    let bytes = args.iter().map(shallow);
    Ok(bytes.fold(0, usize::saturating_add))
}

fn list(state: &mut State, args: &[Value]) -> Result<usize, JinjaError> {
    pieces_of(state, args, |text| text.len())
}

fn lines(state: &mut State, args: &[Value]) -> Result<usize, JinjaError> {
    pieces_of(state, args, |text| {
        memchr::memchr_iter(b'\n', text.as_bytes()).count()
    })
}

fn split(state: &mut State, args: &[Value]) -> Result<usize, JinjaError> {
    let by = text(args, 1);
    pieces_of(state, args, |text| match by {
        "" => text.len(),
        by => text.matches(by).count(),
    })
}

/// The size of a list of the pieces of a text: one more piece than there are separators.
fn pieces_of(
    state: &mut State,
    args: &[Value],
    ends: impl Fn(&str) -> usize,
) -> Result<usize, JinjaError> {
    let bytes = lists(state, args)?;
    let pieces = args.first().and_then(Value::as_str).map_or(0, ends) + 1;
    Ok(bytes.saturating_add(pieces.saturating_mul(VALUE_BYTES)))
}

fn replace(state: &mut State, args: &[Value]) -> Result<usize, JinjaError> {
    let bytes = texts(state, args)?;
    let found = match (
        args.first().map(Value::to_string),
        args.get(1).map(Value::to_string),
    ) {
        (Some(text), Some(from)) => text.matches(&from).count(),
        _ => 0,
    };
    let with = args.get(2).map_or(Ok(0), |with| as_text(state, with))?;
    Ok(bytes.saturating_add(found.saturating_mul(with)))
}

/// The joiner may be any value: it is written between the items.
fn join(state: &mut State, args: &[Value]) -> Result<usize, JinjaError> {
    let items = args.first().and_then(Value::len).unwrap_or(0);
    let joiner = match args.get(1) {
        Some(joiner) if !joiner.is_kwargs() => Some(joiner.clone()),
        _ => named(args, "d"),
    };
    let joiner = joiner.map_or(Ok(0), |joiner| as_text(state, &joiner))?;
    Ok(texts(state, args)?.saturating_add(items.saturating_mul(joiner)))
}

/// The size of lists whose items are compared with each other.
fn compared(state: &mut State, args: &[Value]) -> Result<usize, JinjaError> {
    let whole: Result<usize, JinjaError> = args.iter().map(|value| deep(state, value)).sum();
    Ok(lists(state, args)?.saturating_add(whole?))
}

/// The size of a list of lists: as many lists as the number says, or of that length.
fn batch(state: &mut State, args: &[Value]) -> Result<usize, JinjaError> {
    let count = number(args, 1, "count").unwrap_or(0);
    Ok(lists(state, args)?.saturating_add(count.saturating_mul(VALUE_BYTES)))
}

fn sum(state: &mut State, args: &[Value]) -> Result<usize, JinjaError> {
    let start = match args.get(2) {
        Some(start) if !start.is_kwargs() => Some(start.clone()),
        _ => named(args, "start"),
    };
    match start {
        Some(start) if !start.is_number() => Err(bad("sum adds numbers")),
        _ => lists(state, args),
    }
}

fn indent(state: &mut State, args: &[Value]) -> Result<usize, JinjaError> {
    let width = number(args, 1, "width").unwrap_or(WIDTH_MAX);
    let lines = memchr::memchr_iter(b'\n', text(args, 0).as_bytes()).count() + 1;
    Ok(texts(state, args)?.saturating_add(width.saturating_mul(lines)))
}

fn tojson(state: &mut State, args: &[Value]) -> Result<usize, JinjaError> {
    let Some(value) = args.first() else {
        return Ok(0);
    };
    let indent = number(args, 1, "indent").unwrap_or(0);
    if indent > WIDTH_MAX {
        return Err(too_wide(indent));
    }
    written(state, |to| {
        let blanks = vec![b' '; indent.max(2)];
        let pretty = serde_json::ser::PrettyFormatter::with_indent(&blanks);
        let mut json = serde_json::Serializer::with_formatter(to, pretty);
        value.serialize(&mut json).is_ok()
    })
}

/// The size of the printed form; nested values are indented.
fn pprint(state: &mut State, args: &[Value]) -> Result<usize, JinjaError> {
    written(state, |to| {
        args.iter().all(|value| write!(to, "{value:#?}").is_ok())
    })
}

/// By the rules of C's `printf`: a field may have a width, and may name an argument any number of times.
fn format(state: &mut State, args: &[Value]) -> Result<usize, JinjaError> {
    let fields: Vec<&str> = text(args, 0).split('%').skip(1).collect();
    for field in &fields {
        let spec = field.rsplit_once(')').map_or(*field, |(_, spec)| spec);
        let end = spec
            .find(|c: char| c.is_ascii_alphabetic())
            .unwrap_or(spec.len());
        let spec = &spec[..end];
        if spec.contains('*') {
            return Err(bad("format knows no `*`; write the width"));
        }
        let mut numbers = spec.split(|c: char| !c.is_ascii_digit());
        if let Some(wide) = numbers.find(|digits| digits.trim_start_matches('0').len() > 3) {
            return Err(too_wide(wide));
        }
    }
    let once = texts(state, args)?;
    Ok(once
        .saturating_mul(fields.len() + 1)
        .saturating_add(fields.len() * WIDTH_MAX))
}

fn too_wide(width: impl std::fmt::Display) -> JinjaError {
    bad(&format!("{width} is too wide, limit is {WIDTH_MAX}"))
}
