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
    options.count_name = "ns".to_owned();
    flamegraph::from_lines(&mut options, sides.iter().map(String::as_str), File::create(svg)?)?;
    Ok(())
}

/// The stacks of the benchmark's two processes: the oldest of its name is the client, and the server is another one or an interpreter.
/// Whichever name a thread of theirs has, its process decides.
fn sides(folded: &str) -> Vec<String> {
    let process = |line: &str| -> Option<(String, u32)> {
        let (name, pid) = line.split(';').next()?.rsplit_once('-')?;
        Some((name.to_owned(), pid.parse().ok()?))
    };
    let named = |beginning: &str| -> BTreeSet<u32> {
        let of_name = |(name, pid): (String, u32)| name.starts_with(beginning).then_some(pid);
        folded.lines().filter_map(process).filter_map(of_name).collect()
    };
    let (benchmark, interpreters) = (named("bridge"), named("python"));
    let side = |line: &str| {
        let (_, pid) = process(line)?;
        let side = match benchmark.first() {
            Some(first) if *first == pid => "client",
            _ if benchmark.contains(&pid) || interpreters.contains(&pid) => "server",
            _ => return None,
        };
        Some(format!("{side};{}", line.split_once(';')?.1))
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

    #[test]
    fn a_server_in_python_is_the_other_side_with_all_its_threads() {
        let folded = "bridge-1a2b-70;call 5\ntensorbridge-70;host 2\npython3-71;eval 7\nworker-71;parse 1\n";
        assert_eq!(sides(folded), ["client;call 5", "client;host 2", "server;eval 7", "server;parse 1"]);
    }
}
