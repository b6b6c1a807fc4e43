//! What the figures were measured on.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// The machine, in words.
pub(crate) fn describe() -> BTreeMap<String, String> {
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let governor = read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    let memory = read("/proc/meminfo");
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let pairs = [
        ("CPU", model.trim_start_matches([':', ' ', '\t']).to_owned()),
        ("cores", format!("{cores}{}", if is_virtual() { ", of a virtual machine" } else { "" })),
        ("governor", if governor.is_empty() { "not told".to_owned() } else { governor }),
        ("kernel", read("/proc/sys/kernel/osrelease")),
        ("memory", total.trim().to_owned()),
        ("huge pages", read("/sys/kernel/mm/transparent_hugepage/enabled")),
        ("date", date()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Whether a host decides where its cores are.
pub(crate) fn is_virtual() -> bool {
    read("/proc/cpuinfo").lines().any(|line| line.starts_with("flags") && line.contains(" hypervisor"))
}

/// The load of the last minute.
pub(crate) fn load() -> f64 {
    read("/proc/loadavg").split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(f64::NAN)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn date() -> String {
    said(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]))
}

/// What a program prints; nothing when it cannot be run.
fn said(command: &mut Command) -> String {
    let output = command.output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

/// Versions of tensorbridge, with its commit, of the compiler, of Python and of the packages of `names`, as `python` has them.
pub(crate) fn versions(python: &Path, names: &[&str]) -> BTreeMap<String, String> {
    const ASK: &str = "
import importlib.metadata, platform, sys
print('Python', platform.python_version())
for name in sys.argv[1:]:
    try: print(name, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError: print(name, 'not installed')
";
    let text = said(Command::new(python).args(["-c", ASK]).args(names));
    let pair = |line: &str| line.split_once(' ').map(|(name, version)| (name.to_owned(), version.to_owned()));
    let mut versions: BTreeMap<String, String> = text.lines().filter_map(pair).collect();
    let commit = said(Command::new("git").args(["describe", "--always", "--dirty"]));
    versions.insert("tensorbridge".to_owned(), format!("{} ({commit})", env!("CARGO_PKG_VERSION")));
    versions.insert("rustc".to_owned(), said(Command::new("rustc").arg("--version")).replace("rustc ", ""));
    versions
}
