//! Expressions: the usual precedence, assignment to a variable, counting up and down.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::k2hr3::template::Broken;
use crate::k2hr3::template::lexer::Token;
use crate::k2hr3::template::value;

#[derive(Debug)]
pub(in crate::k2hr3::template) enum Expression {
    Constant(Value),
    Variable {
        name: String,
        members: Vec<Member>,
    },
    Assign {
        name: String,
        members: Vec<Member>,
        value: Box<Expression>,
    },
    /// `%i%++`: gives the old value, as in JavaScript.
    Count {
        name: String,
        by: f64,
    },
    Not(Box<Expression>),
    Binary {
        operator: Operator,
        left: Box<Expression>,
        right: Box<Expression>,
    },
}

/// The operations behind a variable.
#[derive(Debug)]
pub(in crate::k2hr3::template) enum Member {
    /// `[i]` or `{key}`
    At(Expression),
    /// `.length`, `.size` or `.count`
    Length,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::k2hr3::template) enum Operator {
    Or,
    And,
    BitOr,
    BitAnd,
    Equal,
    Unequal,
    Less,
    Greater,
    LessOrEqual,
    GreaterOrEqual,
    ShiftLeft,
    ShiftRight,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// Loosest first.
const LEVELS: [&[(&str, Operator)]; 9] = [
    &[("||", Operator::Or)],
    &[("&&", Operator::And)],
    &[("|", Operator::BitOr)],
    &[("&", Operator::BitAnd)],
    &[("==", Operator::Equal), ("!=", Operator::Unequal)],
    &[
        ("<", Operator::Less),
        (">", Operator::Greater),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
    ],
    &[("<<", Operator::ShiftLeft), (">>", Operator::ShiftRight)],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[("*", Operator::Multiply), ("/", Operator::Divide), ("%", Operator::Remainder)],
];

/// Parses tokens that must be exactly one expression.
pub(super) fn whole(tokens: &[Token]) -> Result<Expression, Broken> {
    let mut cursor = Cursor::new(tokens);
    let expression = cursor.expression()?;
    if cursor.is_at_end() { Ok(expression) } else { Err(Broken::Syntax) }
}

impl Expression {
    pub(super) fn collect(&self, names: &mut BTreeSet<String>) {
        match self {
            Self::Constant(_) => {}
            Self::Variable { name, members } => collect_members(name, members, names),
            Self::Assign { name, members, value } => {
                collect_members(name, members, names);
                value.collect(names);
            }
            Self::Count { name, .. } => {
                names.insert(name.clone());
            }
            Self::Not(inner) => inner.collect(names),
            Self::Binary { left, right, .. } => {
                left.collect(names);
                right.collect(names);
            }
        }
    }
}

fn collect_members(name: &str, members: &[Member], names: &mut BTreeSet<String>) {
    names.insert(name.to_owned());
    for member in members {
        if let Member::At(index) = member {
            index.collect(names);
        }
    }
}

pub(super) struct Cursor<'a> {
    tokens: &'a [Token],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(tokens: &'a [Token]) -> Self {
        Self { tokens }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.tokens.is_empty()
    }

    pub(super) fn take(&mut self, sign: &str) -> bool {
        let found = matches!(self.tokens.first(), Some(Token::Sign(next)) if *next == sign);
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }

    pub(super) fn expression(&mut self) -> Result<Expression, Broken> {
        let left = self.level(&LEVELS)?;
        if !self.take("=") {
            return Ok(left);
        }
        let Expression::Variable { name, members } = left else { return Err(Broken::Syntax) };
        Ok(Expression::Assign { name, members, value: Box::new(self.expression()?) })
    }

    fn level(&mut self, levels: &[&[(&str, Operator)]]) -> Result<Expression, Broken> {
        let Some((operators, tighter)) = levels.split_first() else { return self.unary() };
        let mut left = self.level(tighter)?;
        while let Some((_, operator)) = operators.iter().find(|(sign, _)| self.take(sign)) {
            let right = self.level(tighter)?;
            left = Expression::Binary { operator: *operator, left: Box::new(left), right: Box::new(right) };
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expression, Broken> {
        if self.take("!") {
            return Ok(Expression::Not(Box::new(self.unary()?)));
        }
        if self.take("-") {
            let zero = Box::new(Expression::Constant(value::number(0.0)));
            return Ok(Expression::Binary {
                operator: Operator::Subtract,
                left: zero,
                right: Box::new(self.unary()?),
            });
        }
        self.operand()
    }

    fn operand(&mut self) -> Result<Expression, Broken> {
        if self.take("(") {
            let inner = self.expression()?;
            return if self.take(")") { Ok(inner) } else { Err(Broken::Syntax) };
        }
        let (token, rest) = self.tokens.split_first().ok_or(Broken::Syntax)?;
        self.tokens = rest;
        match token {
            Token::Variable(name) => self.variable(name.clone()),
            Token::Text(text) => Ok(Expression::Constant(Value::String(text.clone()))),
            Token::Number(number) => Ok(Expression::Constant(value::number(*number))),
            Token::Word(word) => constant(word).map(Expression::Constant).ok_or(Broken::Syntax),
            Token::Sign(_) => Err(Broken::Syntax),
        }
    }

    fn variable(&mut self, name: String) -> Result<Expression, Broken> {
        for (sign, by) in [("++", 1.0), ("--", -1.0)] {
            if self.take(sign) {
                return Ok(Expression::Count { name, by });
            }
        }
        let mut members = Vec::new();
        while let Some(member) = self.member()? {
            members.push(member);
        }
        Ok(Expression::Variable { name, members })
    }

    fn member(&mut self) -> Result<Option<Member>, Broken> {
        for (open, close) in [("[", "]"), ("{", "}")] {
            if self.take(open) {
                let index = self.expression()?;
                return if self.take(close) { Ok(Some(Member::At(index))) } else { Err(Broken::Syntax) };
            }
        }
        match self.tokens.first() {
            Some(Token::Word(word)) if [".length", ".size", ".count"].contains(&word.as_str()) => {
                self.tokens = &self.tokens[1..];
                Ok(Some(Member::Length))
            }
            _ => Ok(None),
        }
    }
}

fn constant(word: &str) -> Option<Value> {
    match word {
        "null" => Some(Value::Null),
        "true" => Some(Value::Bool(true)),
        "false" => Some(Value::Bool(false)),
        _ => None,
    }
}
