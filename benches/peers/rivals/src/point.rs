//! A point of a curve, as a line of JSON.

/// Tells that `line` has `value` at `x`, however the cores lie.
pub(crate) fn tell(line: &str, x: f64, value: f64) {
    println!("{}", serde_json::json!({"line": line, "x": x, "value": value}));
}

/// Tells what was measured on two cores from `began` to `ended`.
pub(crate) fn tell_when(line: &str, x: f64, value: f64, began: u64, ended: u64) {
    let point = serde_json::json!({"line": line, "x": x, "value": value, "began": began, "ended": ended});
    println!("{point}");
}
