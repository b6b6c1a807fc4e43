//! Says whether this target can connect: `cfg(connects)`.

use std::env::var;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(connects)");
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, expected: &str| var(name).is_ok_and(|found| found == expected);
    let platform = is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_POINTER_WIDTH", "64")
        && is("CARGO_CFG_TARGET_ENDIAN", "little");
    // Under loom only the lock-free steps are built; the other flag is for testing what an unsupported platform does.
    let switched_off = var("CARGO_CFG_LOOM").is_ok() || var("CARGO_CFG_TENSORBRIDGE_UNSUPPORTED").is_ok();
    if platform && !switched_off {
        println!("cargo::rustc-cfg=connects");
    }
}
