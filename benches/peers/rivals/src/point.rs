//! A point of a curve, as a line of JSON.

/// Tells that `line` has `value` at `x`.
pub(crate) fn tell(line: &str, x: f64, value: f64) {
    println!("{}", serde_json::json!({"line": line, "x": x, "value": value}));
}
