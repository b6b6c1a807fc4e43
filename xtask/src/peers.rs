//! `cargo xtask bench --peers`: prepares the other systems, in places of their own, and runs the comparison (`benches/peers`).

use crate::command::{self, heading};
use crate::failure::Failure;
use crate::python::Python;
use crate::{repository, requirements, variant};
use std::collections::BTreeMap;
use std::path::Path;

/// The peers that are Python packages, as the comparison calls them, and what each installs (`xtask/requirements/peer-NAME.txt`).
const PACKAGED: [&str; 7] = ["http", "json", "grpc", "zeromq", "iceoryx2", "mosec", "ray"];

/// Curves that call packaged peers, and which.
const CALLED: [(&str, &[&str]); 2] =
    [("clients", &["http", "json", "grpc", "zeromq", "iceoryx2", "mosec"]), ("resnet", &["http", "json"])];

#[derive(clap::Args)]
pub(crate) struct Comparison {
    /// With --peers: only this system; may be repeated
    #[arg(long, value_name = "NAME", requires = "peers")]
    only: Vec<String>,
    /// With --peers: a quarter of the time
    #[arg(long, requires = "peers")]
    quick: bool,
    /// With --peers: leave the processes to the scheduler instead of giving each side a core
    #[arg(long, requires = "peers")]
    free: bool,
}

/// Runs the comparison with `product`, the environment that has the extension.
///
/// # Errors
/// When the programs cannot be built or the comparison fails. A peer that cannot be installed is a line of the report.
pub(crate) fn run(options: &Comparison, product: &Python) -> Result<(), Failure> {
    let place = variant::target().join("peers");
    std::fs::create_dir_all(&place).map_err(|error| Failure::io("make", &place, &error))?;
    let mut python = product.beside(&place.join("venv"))?;
    let reasons = install(&mut python, &options.only);
    build(&place, &python)?;

    heading("measuring");
    let mut compare = command::cargo();
    compare.args(["run", "--quiet", "--release", "--package", "peers", "--bin", "peers", "--"]);
    compare.arg("--python").arg(&python.program).arg("--programs").arg(place.join("cargo").join("release"));
    for (peer, reason) in &reasons {
        compare.arg(format!("--unavailable={peer}={reason}"));
    }
    // Only a whole run, with a core for each side, replaces the figures that are kept.
    let whole = options.only.is_empty() && !options.quick && !options.free;
    let kept = repository::root().join("benches").join("results");
    compare.arg("--into").arg(if whole { kept } else { place.join("results") });
    for name in &options.only {
        compare.args(["--only", name]);
    }
    compare.args(options.quick.then_some("--quick")).args(options.free.then_some("--free"));
    command::check(&mut compare)
}

/// Installs the peers that are asked for; gives the reasons why some could not be.
fn install(python: &mut Python, only: &[String]) -> BTreeMap<&'static str, String> {
    let mut reasons = BTreeMap::new();
    for peer in PACKAGED.iter().filter(|peer| is_wanted(peer, only)) {
        if let Err(failure) = requirements::install(python, &format!("peer-{peer}")) {
            command::note(&format!("{peer} cannot be installed, which the report will say"));
            reasons.insert(*peer, failure.reason("cannot be installed"));
        }
    }
    reasons
}

/// Whether what `only` names takes the peer; when it names nothing, everything does.
fn is_wanted(peer: &str, only: &[String]) -> bool {
    let takes = |name: &String| {
        name == peer || CALLED.iter().any(|(curve, peers)| name == curve && peers.contains(&peer))
    };
    only.is_empty() || only.iter().any(takes)
}

/// Builds the programs that measure, in a workspace of their own.
fn build(place: &Path, python: &Python) -> Result<(), Failure> {
    heading("building the programs that measure");
    let mut build = command::cargo();
    build.args(["build", "--quiet", "--release", "--workspace", "--locked"]);
    build.current_dir(repository::root().join("benches").join("peers").join("rivals"));
    build.env("CARGO_TARGET_DIR", place.join("cargo")).env("PYO3_PYTHON", &python.program);
    command::prepare(&mut build)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packaged_peer_has_its_pins() {
        for peer in PACKAGED {
            assert!(repository::requirements().join(format!("peer-{peer}.txt")).is_file(), "{peer}");
        }
    }

    #[test]
    fn a_curve_gets_the_peers_that_it_calls() {
        let wanted = |only: &[&str]| -> Vec<&str> {
            let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
            PACKAGED.into_iter().filter(|peer| is_wanted(peer, &only)).collect()
        };
        assert_eq!(wanted(&[]), PACKAGED);
        assert_eq!(wanted(&["resnet"]), ["http", "json"]);
        assert_eq!(wanted(&["rate", "ray"]), ["ray"]);
        assert!(CALLED.iter().all(|(_, peers)| peers.iter().all(|peer| PACKAGED.contains(peer))));
    }
}
