//! Classifies photos with a real network.

#![allow(dead_code)]

mod bars;
mod checks;
mod labels;
mod leftovers;
mod maps;
mod options;
mod peers;
mod photo;
mod preprocess;
mod report;
mod scores;
mod timing;

fn main() {}
