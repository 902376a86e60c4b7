//! Negative controls at the source: in a copy of the checkout one safeguard of the evidence log is
//! taken out at a time, and the simulation must fail.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

use crate::process::{Tally, root, say};

/// Seeds that the simulation of each lives.
const SEEDS: u64 = 400;

/// A safeguard, and how it is taken out.
struct Removal {
    safeguard: &'static str,
    /// Below the sources of the evidence log.
    file: &'static str,
    text: &'static str,
    becomes: &'static str,
}

const REMOVALS: [Removal; 10] = [
    Removal {
        safeguard: "a commit is synced",
        file: "writer.rs",
        text: "            .sync()\n            .map_err(|e| Fault::Broken(format!(\"fdatasync failed: {e}\")))?;",
        becomes: "            .length()\n            .map_err(|e| Fault::Broken(format!(\"{e}\")))?;",
    },
    Removal {
        safeguard: "after a failed sync nothing is acknowledged",
        file: "writer.rs",
        text: ".map_err(|e| Fault::Broken(format!(\"fdatasync failed: {e}\")))?;",
        becomes: ".unwrap_or_default();",
    },
    Removal {
        safeguard: "rows of a commit that failed leave the index",
        file: "writer.rs",
        text: "            self.index.undo(&draft.rows);\n",
        becomes: "",
    },
    Removal {
        safeguard: "the watermark is written",
        file: "writer.rs",
        text: "self.watermark.set(self.end.sequence)",
        becomes: "Ok::<(), io::Error>(())",
    },
    Removal {
        safeguard: "copies are told by key and content",
        file: "writer.rs",
        text: "find(|hit| hit.content == content)",
        becomes: "find(|hit| hit.content == !content)",
    },
    Removal {
        safeguard: "frames that a killed process wrote are written again",
        file: "segments.rs",
        text: "        file.write_at(&frames[..read], unsure.start)?;\n",
        becomes: "        frames.truncate(read);\n",
    },
    Removal {
        safeguard: "a new segment's name is synced",
        file: "segments.rs",
        text: "            self.disk.sync_folder(&self.folder)?;\n            Ok(file)",
        becomes: "            Ok(file)",
    },
    Removal {
        safeguard: "check sums of frames are compared",
        file: "segment.rs",
        text: " && crc32c::crc32c(body) == header.body_crc;",
        becomes: ";",
    },
    Removal {
        safeguard: "a log that was rolled back is refused",
        file: "open/history.rs",
        text: "Some(signed) => self.check_signed(signed)?,",
        becomes: "Some(signed) if signed.size == u64::MAX => self.check_signed(signed)?,\n                Some(_) => {}",
    },
    Removal {
        safeguard: "a file is synced before it replaces another",
        file: "disk/mod.rs",
        text: "    file.sync()?;\n    disk.rename",
        becomes: "    disk.rename",
    },
];

pub(crate) fn run() -> anyhow::Result<Tally> {
    let folder = tempfile::tempdir()?;
    let checkout = folder.path().join("checkout");
    copy_checkout(&checkout)?;
    let build = build_folder();
    let mut tally = Tally::default();
    tally.add(holds(&checkout, &build, "nothing", true)?);
    for removal in &REMOVALS {
        let path = sources(&checkout).join(removal.file);
        let whole = std::fs::read_to_string(&path)?;
        std::fs::write(&path, without(&whole, removal)?)?;
        let what = format!("that {}", removal.safeguard);
        tally.add(holds(&checkout, &build, &what, false)?);
        std::fs::write(&path, whole)?;
    }
    Ok(tally)
}

fn sources(checkout: &Path) -> PathBuf {
    checkout.join("crates/deedtrail-evidence/src")
}

/// The source without a safeguard; it must be there exactly once.
fn without(source: &str, removal: &Removal) -> anyhow::Result<String> {
    let found = source.matches(removal.text).count();
    anyhow::ensure!(
        found == 1,
        "`{}`: its text is {found} times in {}",
        removal.safeguard,
        removal.file
    );
    Ok(source.replace(removal.text, removal.becomes))
}

/// Builds are kept apart, below the folder of the others.
fn build_folder() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("controls")
}

/// Copies what git knows of.
fn copy_checkout(to: &Path) -> anyhow::Result<()> {
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root())
        .output()?;
    anyhow::ensure!(listed.status.success(), "not a checkout of git");
    for name in String::from_utf8(listed.stdout)?.split_terminator('\0') {
        let (from, to) = (root().join(name), to.join(name));
        std::fs::create_dir_all(to.parent().context("no parent")?)?;
        // What was deleted and not committed is not there.
        if from.is_file() {
            std::fs::copy(from, to)?;
        }
    }
    Ok(())
}

/// Builds and simulates; passes when the outcome is as expected.
fn holds(checkout: &Path, build: &Path, what: &str, is_expected: bool) -> anyhow::Result<Tally> {
    let cargo = |arguments: &[&str]| {
        Command::new("cargo")
            .args(arguments)
            .current_dir(checkout)
            .env("CARGO_TARGET_DIR", build)
            .stdin(Stdio::null())
            .output()
    };
    let built = cargo(&["build", "--quiet", "--package", "xtask"])?;
    anyhow::ensure!(
        built.status.success(),
        "without {what}: {}",
        String::from_utf8_lossy(&built.stderr)
    );
    let output = Command::new(build.join("debug/xtask"))
        .args(["sim", "--seeds", &SEEDS.to_string(), "--sweeps", "1"])
        .stdin(Stdio::null())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let noticed = text
        .lines()
        .find(|line| line.starts_with("seed ") || line.starts_with("program "));
    say(format_args!(
        "controls: without {what}: {}",
        noticed.unwrap_or("everything held")
    ));
    Ok(Tally::one(noticed.is_none() == is_expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_safeguard_is_found_in_the_sources() {
        for removal in &REMOVALS {
            let source = std::fs::read_to_string(sources(&root()).join(removal.file)).unwrap();
            let changed = without(&source, removal).unwrap();
            assert_ne!(changed, source, "{}", removal.safeguard);
        }
    }
}
