//! Classifies photos with a real network.

#![allow(dead_code)]

mod bars;
mod labels;
mod maps;
mod photo;
mod preprocess;
mod scores;
mod timing;

fn main() {}
