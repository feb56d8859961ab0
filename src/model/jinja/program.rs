//! Compiled Jinja in which every step that makes a value is charged.
//!
//! The library counts steps, but not what they make. So this rewrites the compiled steps: a step that
//! joins, cuts or builds is followed by one that charges for it, and a step that could make much from
//! little is measured before it runs. The library gives access to its steps only through an unstable
//! interface, which may change with any release; so Cargo.toml has an exact version.

use std::collections::BTreeMap;

use minijinja::machinery::{
    CodeGenerator, Instruction, Instructions, Token, eval, make_string_output, parse, parse_expr,
    tokenize,
};
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error as JinjaError, ErrorKind};

use super::depth;
use super::meter::shallow;
use super::steps::{AT_MOST, BUILT, CONCAT, CUT, EQUAL, LESS, PLUS, TIMES, WITHIN};

/// Maximum constant, in bytes: the library computes constant expressions before the first run.
const CONSTANT_BYTES_MAX: usize = 64 * 1024;

/// No step uses the library's cache of filter lookups.
const UNCACHED: u8 = !0;

/// A program that can run on events.
pub(in crate::model) struct Program<'a>(Instructions<'a>);

impl<'a> Program<'a> {
    /// Compiles an expression, which returns a value.
    pub(in crate::model) fn expression(text: &'a str) -> Result<Program<'a>, JinjaError> {
        depth::check(text, true)?;
        let tree = parse_expr(text)?;
        let mut code = CodeGenerator::new("<expression>", text);
        code.compile_expr(&tree);
        Program::of(&code.finish().0, text)
    }

    /// Compiles a template, which writes a text.
    pub(in crate::model) fn template(text: &'a str) -> Result<Program<'a>, JinjaError> {
        depth::check(text, false)?;
        let tree = parse(text, "template", Default::default())?;
        let mut code = CodeGenerator::new("template", text);
        code.compile_stmt(&tree);
        Program::of(&code.finish().0, text)
    }

    fn of(steps: &Instructions<'a>, text: &'a str) -> Result<Program<'a>, JinjaError> {
        for index in 0.. {
            let Some(step) = steps.get(index) else { break };
            let why = match step {
                Instruction::UnpackLists(_) | Instruction::MergeKwargs(_) => {
                    "`*` and `**` before an argument are not known here"
                }
                Instruction::CompareAndPreserve(_) => {
                    "write a chain such as `a < b < c` as `a < b and b < c`"
                }
                Instruction::LoadConst(value) if shallow(value) > CONSTANT_BYTES_MAX => {
                    "it has a constant that is too large"
                }
                _ => continue,
            };
            return Err(JinjaError::new(ErrorKind::SyntaxError, why));
        }
        Ok(Program(charged(steps, text)))
    }

    /// The filters and tests that an expression uses.
    pub(in crate::model) fn asks(text: &'a str) -> Result<Asked<'a>, JinjaError> {
        let mut asked = Asked::default();
        let mut before = [None, None];
        for token in tokenize(text, true, Default::default()) {
            let (token, _) = token?;
            if let Token::Ident(name) = token {
                match before {
                    [_, Some(Token::Pipe)] => asked.filters.push(name),
                    [_, Some(Token::Ident("is"))] if name != "not" => asked.tests.push(name),
                    [Some(Token::Ident("is")), Some(Token::Ident("not"))] => asked.tests.push(name),
                    _ => {}
                }
            }
            let [_, last] = before;
            before = [last, Some(token)];
        }
        Ok(asked)
    }

    /// Runs the program and returns its value.
    pub(in crate::model) fn value(
        &self,
        environment: &Environment<'a>,
        context: Value,
    ) -> Result<Value, JinjaError> {
        self.run(environment, context, &mut String::new())
    }

    /// Runs the program and returns the text that it writes.
    pub(in crate::model) fn text(
        &self,
        environment: &Environment<'a>,
        context: Value,
    ) -> Result<String, JinjaError> {
        let mut text = String::new();
        self.run(environment, context, &mut text)?;
        Ok(text)
    }

    fn run(
        &self,
        environment: &Environment<'a>,
        context: Value,
        text: &mut String,
    ) -> Result<Value, JinjaError> {
        let (blocks, mut out) = (BTreeMap::new(), make_string_output(text));
        let left = eval(
            environment,
            &self.0,
            context,
            &blocks,
            &mut out,
            AutoEscape::None,
        )?
        .0;
        Ok(left.unwrap_or_default())
    }
}

/// The names that an expression uses.
#[derive(Debug, Default)]
pub(in crate::model) struct Asked<'a> {
    pub(in crate::model) filters: Vec<&'a str>,
    pub(in crate::model) tests: Vec<&'a str>,
}

/// A copy of the steps with the charging steps added.
fn charged<'a>(steps: &Instructions<'a>, text: &'a str) -> Instructions<'a> {
    let mut charged = Instructions::new(steps.name(), text);
    // The new position of each step, for jumps; a jump to the end is possible too.
    let mut places = vec![0];
    for index in 0.. {
        let Some(step) = steps.get(index) else { break };
        let line = steps.get_line(index).unwrap_or(1);
        let line = u16::try_from(line).unwrap_or(u16::MAX);
        let mut end = 0;
        for step in with_charge(step) {
            end = charged.add_with_line(step, line) + 1;
        }
        places.push(end);
    }
    for index in 0.. {
        match charged.get_mut(index) {
            Some(
                Instruction::Iterate(to)
                | Instruction::Jump(to)
                | Instruction::JumpIfFalse(to)
                | Instruction::JumpIfFalseOrPop(to)
                | Instruction::JumpIfTrueOrPop(to),
            ) => *to = places[*to as usize],
            Some(_) => {}
            None => break,
        }
    }
    charged
}

/// The steps that replace one step.
fn with_charge<'a>(step: &Instruction<'a>) -> Vec<Instruction<'a>> {
    let filter = |name, args| Instruction::ApplyFilter(name, Some(args), UNCACHED);
    match step {
        Instruction::Mul => vec![filter(TIMES, 2)],
        Instruction::Add => vec![filter(PLUS, 2)],
        Instruction::StringConcat => vec![filter(CONCAT, 2)],
        Instruction::In => vec![filter(WITHIN, 2)],
        Instruction::Eq => vec![filter(EQUAL, 2)],
        Instruction::Ne => vec![filter(EQUAL, 2), Instruction::Not],
        Instruction::Lt => vec![filter(LESS, 2)],
        Instruction::Lte => vec![filter(AT_MOST, 2)],
        Instruction::Gt => vec![Instruction::Swap, filter(LESS, 2)],
        Instruction::Gte => vec![Instruction::Swap, filter(AT_MOST, 2)],
        Instruction::EmitRaw(text) => {
            vec![
                Instruction::LoadConst(Value::from(*text)),
                Instruction::Emit,
            ]
        }
        Instruction::Slice => vec![filter(CUT, 4)],
        Instruction::BuildList(_) | Instruction::BuildMap(_) | Instruction::BuildTuple(_) => {
            vec![step.clone(), filter(BUILT, 1)]
        }
        _ => vec![step.clone()],
    }
}
