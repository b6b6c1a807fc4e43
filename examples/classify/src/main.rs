//! Classifies photos with a real network.
fn main() {}
