//! Draws a flame graph of the two sides of a call: `flame STACKS SVG TITLE`, with what `perf script` printed.

use inferno::collapse::Collapse;
use inferno::collapse::perf::{Folder, Options};
use inferno::flamegraph;
use std::collections::BTreeSet;
use std::error::Error;
use std::fs::File;
use std::io::BufReader;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [stacks, svg, title] = arguments.as_slice() else { return Err("flame STACKS SVG TITLE".into()) };
    let mut options = Options::default();
    options.include_pid = true;
    let mut folded = Vec::new();
    Folder::from(options).collapse(BufReader::new(File::open(stacks)?), &mut folded)?;
    let sides = sides(&String::from_utf8_lossy(&folded));
    if sides.is_empty() {
        return Err("nothing was recorded of the benchmark".into());
    }
    let mut options = flamegraph::Options::default();
    options.title = title.clone();
    options.count_name = "samples".to_owned();
    flamegraph::from_lines(&mut options, sides.iter().map(String::as_str), File::create(svg)?)?;
    Ok(())
}

/// The stacks of the benchmark's two processes, whose names begin with `bridge`; the older one is the client.
fn sides(folded: &str) -> Vec<String> {
    let pid = |line: &str| -> Option<u32> {
        let process = line.split(';').next()?;
        let (name, pid) = process.rsplit_once('-')?;
        name.starts_with("bridge").then(|| pid.parse().ok())?
    };
    let pids: BTreeSet<u32> = folded.lines().filter_map(pid).collect();
    let side = |line: &str| {
        let name = if pids.first() == Some(&pid(line)?) { "client" } else { "server" };
        Some(format!("{name};{}", line.split_once(';')?.1))
    };
    folded.lines().filter_map(side).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_processes_are_told_apart_and_others_left_out() {
        let folded = "bridge-1a2b-70;main;call 5\ncargo-12;main 9\nbridge-1a2b-71;main;serve 7\nbridge-1a2b-70;main 1\n";
        assert_eq!(sides(folded), ["client;main;call 5", "server;main;serve 7", "client;main 1"]);
        assert!(sides("cargo-12;main 9\n").is_empty());
    }
}
