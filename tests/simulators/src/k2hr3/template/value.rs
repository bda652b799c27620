//! Values of the template language, which behave like those of JavaScript.

use std::cmp::Ordering;

use serde_json::Value;

/// A number, kept as an integer where it is one so that it prints without a fraction.
pub(super) fn number(value: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "checked by the comparison that follows")]
    let integer = value as i64;
    #[expect(clippy::cast_precision_loss, reason = "a value that does not survive is kept as it was")]
    if (integer as f64 - value).abs() < f64::EPSILON { Value::from(integer) } else { Value::from(value) }
}

/// Renders what `{{= }}` prints: nothing for null.
pub(super) fn printed(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(printed).collect::<Vec<_>>().join(","),
        Value::Object(_) => "[object Object]".to_owned(),
    }
}

pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

pub(super) fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Number against number where both are, text against text otherwise; null only equals null.
pub(super) fn compared(left: &Value, right: &Value) -> Option<Ordering> {
    match (as_number(left), as_number(right)) {
        (Some(left), Some(right)) => left.partial_cmp(&right),
        _ if left.is_null() || right.is_null() => (left == right).then_some(Ordering::Equal),
        _ => Some(printed(left).cmp(&printed(right))),
    }
}

pub(super) fn length(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::from(items.len()),
        Value::Object(members) => Value::from(members.len()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Value::Null,
    }
}

pub(super) fn member<'a>(value: &'a Value, index: &Value) -> Option<&'a Value> {
    match value {
        Value::Array(items) => items.get(printed(index).parse::<usize>().ok()?),
        Value::Object(members) => members.get(&printed(index)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}
