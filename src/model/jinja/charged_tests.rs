//! Jinja's tests (`is defined`) with a charge for the data that each may read: `select('in', list)` runs a
//! test for every item without a step for it.

use minijinja::tests;
use minijinja::value::{Rest, Value};
use minijinja::{Environment, Error as JinjaError, State};

use super::meter::{charge, deep, shallow};

/// Replaces the library's tests by charged ones with the same names.
pub(super) fn add_to(environment: &mut Environment<'static>) {
    // It compares both sides completely, and `is eq` does the same.
    environment.remove_test("sameas");
    macro_rules! charged {
        ($($name:literal $test:ident)*) => {
            $(add(environment, $name, Value::from_function(tests::$test));)*
        };
    }
    charged! {
        "undefined" is_undefined "defined" is_defined "none" is_none "boolean" is_boolean "odd" is_odd
        "even" is_even "divisibleby" is_divisibleby "number" is_number "integer" is_integer "int" is_integer
        "float" is_float "string" is_string "sequence" is_sequence "iterable" is_iterable
        "mapping" is_mapping "startingwith" is_startingwith "endingwith" is_endingwith "lower" is_lower
        "upper" is_upper "eq" is_eq "equalto" is_eq "==" is_eq "ne" is_ne "!=" is_ne "lt" is_lt
        "lessthan" is_lt "<" is_lt "le" is_le "<=" is_le "gt" is_gt "greaterthan" is_gt ">" is_gt
        "ge" is_ge ">=" is_ge "in" is_in "true" is_true "false" is_false
    }
}

fn add(environment: &mut Environment<'static>, name: &'static str, test: Value) {
    environment.add_test(name, move |state: &mut State, args: Rest<Value>| {
        let bytes = match args.split_first() {
            // A test with an argument reads the argument completely; a test without one only looks at its
            // value.
            Some((_, others)) if !others.is_empty() => {
                let bytes: Result<usize, JinjaError> =
                    others.iter().map(|value| deep(state, value)).sum();
                bytes?
            }
            Some((text, _)) if text.as_str().is_some() => shallow(text),
            _ => 0,
        };
        charge(state, bytes)?;
        test.call(state, &args).map(|value| value.is_true())
    });
}
