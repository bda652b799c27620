//! Runs a parsed template.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::Broken;
use super::parser::{Expression, Member, Node, Operator};
use super::value;

/// A template that needs more steps than this never ends. 1000 hosts need about 30 000.
const STEP_LIMIT: usize = 1_000_000;

pub(super) fn run(nodes: &[Node], variables: &mut Map<String, Value>) -> Result<String, Broken> {
    let mut machine = Machine { variables, output: String::new(), steps: 0 };
    machine.block(nodes)?;
    Ok(machine.output)
}

/// The end of a block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

struct Machine<'a> {
    variables: &'a mut Map<String, Value>,
    output: String,
    steps: usize,
}

impl Machine<'_> {
    fn block(&mut self, nodes: &[Node]) -> Result<Flow, Broken> {
        for node in nodes {
            let flow = self.node(node)?;
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn node(&mut self, node: &Node) -> Result<Flow, Broken> {
        self.count_step()?;
        match node {
            Node::Text(text) => self.output.push_str(text),
            Node::Print(expression) => {
                let printed = value::printed(&self.value(expression)?);
                self.output.push_str(&printed);
            }
            Node::Calculate(expression) => drop(self.value(expression)?),
            Node::If { branches, otherwise } => return self.conditional(branches, otherwise),
            Node::While { condition, body } => self.while_true(condition, body)?,
            Node::DoWhile { body, condition } => {
                if self.block(body)? != Flow::Break {
                    self.while_true(condition, body)?;
                }
            }
            Node::For { start, condition, step, body } => self.counted(start, condition, step, body)?,
            Node::ForEach { variable, source, body } => self.foreach(variable, source, body)?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    fn count_step(&mut self) -> Result<(), Broken> {
        self.steps += 1;
        if self.steps > STEP_LIMIT { Err(Broken::Execution) } else { Ok(()) }
    }

    fn conditional(
        &mut self,
        branches: &[(Expression, Vec<Node>)],
        otherwise: &[Node],
    ) -> Result<Flow, Broken> {
        for (condition, body) in branches {
            if value::is_true(&self.value(condition)?) {
                return self.block(body);
            }
        }
        self.block(otherwise)
    }

    fn while_true(&mut self, condition: &Expression, body: &[Node]) -> Result<(), Broken> {
        while value::is_true(&self.value(condition)?) {
            self.count_step()?;
            if self.block(body)? == Flow::Break {
                break;
            }
        }
        Ok(())
    }

    fn counted(
        &mut self,
        start: &Expression,
        condition: &Expression,
        step: &Expression,
        body: &[Node],
    ) -> Result<(), Broken> {
        self.value(start)?;
        while value::is_true(&self.value(condition)?) {
            self.count_step()?;
            if self.block(body)? == Flow::Break {
                break;
            }
            self.value(step)?;
        }
        Ok(())
    }

    /// Walks the keys of an object, or the positions of an array; anything else has none.
    fn foreach(&mut self, variable: &str, source: &Expression, body: &[Node]) -> Result<(), Broken> {
        let keys: Vec<String> = match self.value(source)? {
            Value::Object(members) => members.keys().cloned().collect(),
            Value::Array(items) => (0..items.len()).map(|position| position.to_string()).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        };
        for key in keys {
            self.variables.insert(variable.to_owned(), Value::String(key));
            if self.block(body)? == Flow::Break {
                break;
            }
        }
        Ok(())
    }

    fn value(&mut self, expression: &Expression) -> Result<Value, Broken> {
        match expression {
            Expression::Constant(constant) => Ok(constant.clone()),
            Expression::Variable { name, members } => self.member(name, members),
            Expression::Assign { name, members, value } => self.assign(name, members, value),
            Expression::Count { name, by } => self.count(name, *by),
            Expression::Not(inner) => Ok(Value::Bool(!value::is_true(&self.value(inner)?))),
            Expression::Binary { operator, left, right } => self.binary(*operator, left, right),
        }
    }

    /// The value behind all indexes; what is missing on the way is null, never an error (`t-missing-index`).
    fn member(&mut self, name: &str, members: &[Member]) -> Result<Value, Broken> {
        let indexes = members
            .iter()
            .map(|member| match member {
                Member::At(index) => self.value(index).map(Some),
                Member::Length => Ok(None),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut found = self.variables.get(name);
        for index in &indexes {
            match index {
                Some(index) => found = found.and_then(|value| value::member(value, index)),
                None => return Ok(found.map_or(Value::Null, value::length)),
            }
        }
        Ok(found.cloned().unwrap_or(Value::Null))
    }

    fn assign(&mut self, name: &str, members: &[Member], source: &Expression) -> Result<Value, Broken> {
        let new = self.value(source)?;
        match members {
            [] => drop(self.variables.insert(name.to_owned(), new.clone())),
            [Member::At(index)] => {
                let index = value::printed(&self.value(index)?);
                if let Some(Value::Object(object)) = self.variables.get_mut(name) {
                    object.insert(index, new.clone());
                }
            }
            _ => return Err(Broken::Execution),
        }
        Ok(new)
    }

    fn count(&mut self, name: &str, by: f64) -> Result<Value, Broken> {
        let old = self.variables.get(name).and_then(value::as_number).ok_or(Broken::Execution)?;
        self.variables.insert(name.to_owned(), value::number(old + by));
        Ok(value::number(old))
    }

    fn binary(&mut self, operator: Operator, left: &Expression, right: &Expression) -> Result<Value, Broken> {
        let left = self.value(left)?;
        match operator {
            Operator::And if !value::is_true(&left) => return Ok(Value::Bool(false)),
            Operator::Or if value::is_true(&left) => return Ok(Value::Bool(true)),
            _ => {}
        }
        let right = self.value(right)?;
        Ok(match operator {
            Operator::And | Operator::Or => Value::Bool(value::is_true(&right)),
            Operator::Equal => Value::Bool(value::compared(&left, &right) == Some(Ordering::Equal)),
            Operator::Unequal => Value::Bool(value::compared(&left, &right) != Some(Ordering::Equal)),
            Operator::Less => Value::Bool(value::compared(&left, &right).is_some_and(Ordering::is_lt)),
            Operator::Greater => Value::Bool(value::compared(&left, &right).is_some_and(Ordering::is_gt)),
            Operator::LessOrEqual => Value::Bool(value::compared(&left, &right).is_some_and(Ordering::is_le)),
            Operator::GreaterOrEqual => {
                Value::Bool(value::compared(&left, &right).is_some_and(Ordering::is_ge))
            }
            Operator::Add if left.is_string() || right.is_string() => {
                Value::String(value::printed(&left) + &value::printed(&right))
            }
            _ => value::number(calculated(operator, &left, &right)?),
        })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "bit operators of JavaScript work on 32-bit integers too"
)]
fn calculated(operator: Operator, left: &Value, right: &Value) -> Result<f64, Broken> {
    let (left, right) = value::as_number(left).zip(value::as_number(right)).ok_or(Broken::Execution)?;
    let (left_bits, right_bits) = (left as i32, right as i32);
    match operator {
        Operator::Add => Ok(left + right),
        Operator::Subtract => Ok(left - right),
        Operator::Multiply => Ok(left * right),
        Operator::Divide | Operator::Remainder if right == 0.0 => Err(Broken::Execution),
        Operator::Divide => Ok(left / right),
        Operator::Remainder => Ok(left % right),
        Operator::BitAnd => Ok(f64::from(left_bits & right_bits)),
        Operator::BitOr => Ok(f64::from(left_bits | right_bits)),
        Operator::ShiftLeft => Ok(f64::from(left_bits.wrapping_shl(right_bits.unsigned_abs()))),
        Operator::ShiftRight => Ok(f64::from(left_bits.wrapping_shr(right_bits.unsigned_abs()))),
        _ => Err(Broken::Execution),
    }
}
