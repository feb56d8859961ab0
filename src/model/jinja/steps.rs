//! Charged replacements for the library's operators, written as filters. Their names cannot occur in a
//! text.

use std::sync::LazyLock;

use minijinja::value::{Value, ValueKind};
use minijinja::{
    Environment, Error as JinjaError, ErrorKind, Expression, State, UndefinedBehavior, context,
};

use super::meter::{as_text, built, charge, deep, has_room, shallow};

/// `a * b`
pub(super) const TIMES: &str = "=times";
/// `a + b`
pub(super) const PLUS: &str = "=plus";
/// `a ~ b`
pub(super) const CONCAT: &str = "=concat";
/// `a in b`
pub(super) const WITHIN: &str = "=in";
/// `a == b`
pub(super) const EQUAL: &str = "=equal";
/// `a < b`
pub(super) const LESS: &str = "=less";
/// `a <= b`
pub(super) const AT_MOST: &str = "=atmost";
/// `a[b:c:d]`
pub(super) const CUT: &str = "=cut";
/// After a list or map was built.
pub(super) const BUILT: &str = "=built";

pub(super) fn add_to(environment: &mut Environment<'static>) {
    environment.add_filter(TIMES, times);
    environment.add_filter(PLUS, plus);
    environment.add_filter(CONCAT, concat);
    environment.add_filter(WITHIN, within);
    environment.add_filter(EQUAL, equal);
    environment.add_filter(LESS, less);
    environment.add_filter(AT_MOST, at_most);
    environment.add_filter(CUT, cut);
    environment.add_filter(BUILT, built_one);
}

/// The library's own operators: it has no functions for them.
static PRODUCT: LazyLock<Expression<'static, 'static>> = LazyLock::new(|| operator("a * b"));
static PIECE: LazyLock<Expression<'static, 'static>> = LazyLock::new(|| operator("a[b:c:d]"));
static SUM: LazyLock<Expression<'static, 'static>> = LazyLock::new(|| operator("a + b"));
static INSIDE: LazyLock<Expression<'static, 'static>> = LazyLock::new(|| operator("a in b"));

fn operator(text: &'static str) -> Expression<'static, 'static> {
    static PLAIN: LazyLock<Environment<'static>> = LazyLock::new(|| {
        let mut plain = Environment::empty();
        plain.set_undefined_behavior(UndefinedBehavior::Chainable);
        plain
    });
    let operator = PLAIN.compile_expression(text);
    operator.expect("an operator between two names is an expression")
}

/// A text or list repeated this many times, or a product.
fn times(state: &mut State, a: &Value, b: &Value) -> Result<Value, JinjaError> {
    let repeated = |what: &Value, times: &Value| match (what.is_number(), times.as_usize()) {
        (false, Some(times)) => shallow(what).saturating_mul(times),
        _ => 0,
    };
    charge(state, repeated(a, b).max(repeated(b, a)))?;
    PRODUCT.eval(context! { a, b })
}

fn concat(state: &mut State, a: &Value, b: &Value) -> Result<Value, JinjaError> {
    let bytes = as_text(state, a)?.saturating_add(as_text(state, b)?);
    charge(state, bytes)?;
    Ok(Value::from(format!("{a}{b}")))
}

/// This makes nothing, but may read a long value.
fn within(state: &mut State, a: &Value, b: &Value) -> Result<Value, JinjaError> {
    let bytes = deep(state, b)?.saturating_add(shallow(a));
    charge(state, bytes)?;
    INSIDE.eval(context! { a, b })
}

fn equal(state: &mut State, a: &Value, b: &Value) -> Result<bool, JinjaError> {
    compared(state, a, b)?;
    Ok(a == b)
}

fn less(state: &mut State, a: &Value, b: &Value) -> Result<bool, JinjaError> {
    compared(state, a, b)?;
    Ok(a < b)
}

fn at_most(state: &mut State, a: &Value, b: &Value) -> Result<bool, JinjaError> {
    compared(state, a, b)?;
    Ok(a <= b)
}

/// A comparison reads at most the smaller of the two values.
fn compared(state: &mut State, a: &Value, b: &Value) -> Result<(), JinjaError> {
    let is_plain = |value: &Value| value.as_bytes().is_some() || value.len().is_none();
    let bytes = match is_plain(a) || is_plain(b) {
        true => shallow(a).min(shallow(b)),
        false => deep(state, a)?,
    };
    charge(state, bytes)
}

/// The sum of numbers, or the concatenation of two texts or lists.
fn plus(state: &mut State, a: &Value, b: &Value) -> Result<Value, JinjaError> {
    /// How many lists the library concatenates without copying their items.
    const UNCOPIED: usize = 32;
    if !a.is_number() {
        let bytes = shallow(a).saturating_add(shallow(b));
        let is_list = a.kind() == ValueKind::Seq || a.kind() == ValueKind::Iterable;
        if is_list && !a.is_tuple() {
            has_room(state, bytes)?;
            charge(state, bytes / UNCOPIED)?;
        } else {
            charge(state, bytes)?;
        }
    }
    SUM.eval(context! { a, b })
}

/// A slice of a text or a list. With a negative step the library may count below zero and panic, so this
/// checks first.
fn cut(state: &mut State, a: &Value, b: &Value, c: &Value, d: &Value) -> Result<Value, JinjaError> {
    if i64::try_from(d.clone()).is_ok_and(|step| step < 0) {
        let detail = "what is cut out goes forwards; for the other way there is `|reverse`";
        return Err(JinjaError::new(ErrorKind::InvalidOperation, detail));
    }
    charge(state, shallow(a))?;
    PIECE.eval(context! { a, b, c, d })
}

fn built_one(state: &mut State, value: &Value) -> Result<Value, JinjaError> {
    built(state)?;
    charge(state, shallow(value))?;
    Ok(value.clone())
}
