//! Makes the compiler know the configuration that `cargo xtask schedules` builds with.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "cargo::rerun-if-changed=build.rs")?;
    writeln!(out, "cargo::rustc-check-cfg=cfg(deedtrail_schedules)")
}
