//! One door for every task.
fn main() {}
