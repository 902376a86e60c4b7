//! Negative controls at the source: in a copy of the checkout one safeguard of the evidence log or of
//! the pipeline is taken out at a time, and the simulation or the schedules must fail.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

use crate::process::{Tally, root, say, target};
use crate::schedules;

/// Seeds that the simulation of each lives.
const SEEDS: u64 = 400;
/// Orders of threads that are tried of each.
const ORDERS: u64 = 4_000;

/// Who must notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Simulation,
    Schedules,
    /// The simulation of the pipeline.
    Pipeline,
}

/// A safeguard, and how it is taken out.
struct Removal {
    safeguard: &'static str,
    by: By,
    /// Below the sources of the evidence log, or of the pipeline.
    file: &'static str,
    text: &'static str,
    becomes: &'static str,
}

const REMOVALS: [Removal; 17] = [
    Removal {
        safeguard: "a commit is synced",
        by: By::Simulation,
        file: "writer.rs",
        text: "            .sync()\n            .map_err(|e| Fault::Broken(format!(\"fdatasync failed: {e}\")))?;",
        becomes: "            .length()\n            .map_err(|e| Fault::Broken(format!(\"{e}\")))?;",
    },
    Removal {
        safeguard: "after a failed sync nothing is acknowledged",
        by: By::Simulation,
        file: "writer.rs",
        text: ".map_err(|e| Fault::Broken(format!(\"fdatasync failed: {e}\")))?;",
        becomes: ".unwrap_or_default();",
    },
    Removal {
        safeguard: "rows of a commit that failed leave the index",
        by: By::Simulation,
        file: "writer.rs",
        text: "            self.index.undo(&draft.rows);\n",
        becomes: "",
    },
    Removal {
        safeguard: "the watermark is written",
        by: By::Simulation,
        file: "writer.rs",
        text: "self.watermark.set(self.end.sequence)",
        becomes: "Ok::<(), io::Error>(())",
    },
    Removal {
        safeguard: "copies are told by key and content",
        by: By::Simulation,
        file: "writer.rs",
        text: "find(|hit| hit.content == content)",
        becomes: "find(|hit| hit.content == !content)",
    },
    Removal {
        safeguard: "frames that a killed process wrote are written again",
        by: By::Simulation,
        file: "segments.rs",
        text: "        file.write_at(&frames[..read], unsure.start)?;\n",
        becomes: "        frames.truncate(read);\n",
    },
    Removal {
        safeguard: "a new segment's name is synced",
        by: By::Simulation,
        file: "segments.rs",
        text: "            self.disk.sync_folder(&self.folder)?;\n            Ok(file)",
        becomes: "            Ok(file)",
    },
    Removal {
        safeguard: "check sums of frames are compared",
        by: By::Simulation,
        file: "segment.rs",
        text: " && crc32c::crc32c(body) == header.body_crc;",
        becomes: ";",
    },
    Removal {
        safeguard: "a log that was rolled back is refused",
        by: By::Simulation,
        file: "open/history.rs",
        text: "Some(signed) => self.check_signed(signed)?,",
        becomes: "Some(signed) if signed.size == u64::MAX => self.check_signed(signed)?,\n                Some(_) => {}",
    },
    Removal {
        safeguard: "a file is synced before it replaces another",
        by: By::Simulation,
        file: "disk/mod.rs",
        text: "    file.sync()?;\n    disk.rename",
        becomes: "    disk.rename",
    },
    Removal {
        safeguard: "who closes the log wakes the writer",
        by: By::Schedules,
        file: "queue.rs",
        text: "        self.filled.notify_all();\n",
        becomes: "",
    },
    Removal {
        safeguard: "an append wakes the writer",
        by: By::Schedules,
        file: "queue.rs",
        text: "        self.filled.notify_one();\n",
        becomes: "",
    },
    Removal {
        safeguard: "an append is refused under the lock it is queued under",
        by: By::Schedules,
        file: "queue.rs",
        text: "        let mut waiting = locked(&self.waiting);\n        if let Some(refusal) = &waiting.refusal {\n            return Err(refusal.to_error());\n        }\n",
        becomes: "        if let Some(refusal) = self.refusal() {\n            return Err(refusal.to_error());\n        }\n        let mut waiting = locked(&self.waiting);\n",
    },
    Removal {
        safeguard: "the index is woken under the lock it waits with",
        by: By::Schedules,
        file: "index/mod.rs",
        text: "        drop(locked(&self.view));\n",
        becomes: "",
    },
    Removal {
        safeguard: "processing goes on where its snapshot was taken",
        by: By::Pipeline,
        file: "snapshot.rs",
        text: "Loaded {\n                        position,",
        becomes: "Loaded {\n                        position: position + 1,",
    },
    Removal {
        safeguard: "results are stored once",
        by: By::Pipeline,
        file: "batch.rs",
        text: "        entry.sequence >= self.pipeline.stored",
        becomes: "        entry.sequence < Sequence::MAX && self.pipeline.stored < Sequence::MAX",
    },
    Removal {
        safeguard: "records in quarantine are part of the snapshot",
        by: By::Pipeline,
        file: "snapshot.rs",
        text: "            set_aside: unlisted(set_aside),\n",
        becomes: "            set_aside: unlisted(&set_aside[set_aside.len()..]),\n",
    },
];

pub(crate) fn run() -> anyhow::Result<Tally> {
    let folder = tempfile::tempdir()?;
    let checkout = folder.path().join("checkout");
    copy_checkout(&checkout)?;
    let build = build_folder();
    let mut tally = Tally::default();
    for by in [By::Simulation, By::Schedules, By::Pipeline] {
        tally.add(holds(&checkout, &build, by, ("nothing", true))?);
    }
    for removal in &REMOVALS {
        let path = sources(&checkout, removal.by).join(removal.file);
        let whole = std::fs::read_to_string(&path)?;
        std::fs::write(&path, without(&whole, removal)?)?;
        let what = format!("that {}", removal.safeguard);
        tally.add(holds(&checkout, &build, removal.by, (&what, false))?);
        std::fs::write(&path, whole)?;
    }
    Ok(tally)
}

fn sources(checkout: &Path, by: By) -> PathBuf {
    checkout.join(match by {
        By::Simulation | By::Schedules => "crates/deedtrail-evidence/src",
        By::Pipeline => "crates/deedtrail-app/src/pipeline",
    })
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
    target().join("controls")
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

/// Builds and runs; passes when the outcome is as expected.
fn holds(
    checkout: &Path,
    build: &Path,
    by: By,
    (what, is_expected): (&str, bool),
) -> anyhow::Result<Tally> {
    let text = match by {
        By::Schedules => {
            let orders = schedules::Plan {
                count: ORDERS,
                first: 1,
            };
            schedules::in_checkout(checkout, &build.join("schedules"), orders)?.1
        }
        By::Simulation | By::Pipeline => simulated(checkout, build, by)?,
    };
    let noticed = text.lines().find(|line| {
        ["seed ", "program ", "schedule "]
            .iter()
            .any(|it| line.starts_with(it))
    });
    say(format_args!(
        "controls: without {what}: {}",
        noticed.unwrap_or("everything held")
    ));
    Ok(Tally::one(noticed.is_none() == is_expected))
}

/// What the simulation says in a checkout.
fn simulated(checkout: &Path, build: &Path, by: By) -> anyhow::Result<String> {
    let built = Command::new("cargo")
        .args(["build", "--quiet", "--package", "xtask"])
        .current_dir(checkout)
        .env("CARGO_TARGET_DIR", build)
        // What a missing safeguard leaves unused is no matter for lints.
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .stdin(Stdio::null())
        .output()?;
    anyhow::ensure!(
        built.status.success(),
        "it does not build: {}",
        String::from_utf8_lossy(&built.stderr)
    );
    let mut simulation = Command::new(build.join("debug/xtask"));
    simulation.args(["sim", "--sweeps", "1", "--seeds", &SEEDS.to_string()]);
    if by == By::Pipeline {
        simulation.arg("--pipeline");
    }
    let output = simulation
        .current_dir(checkout)
        .stdin(Stdio::null())
        .output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_safeguard_is_found_in_the_sources() {
        for removal in &REMOVALS {
            let source =
                std::fs::read_to_string(sources(&root(), removal.by).join(removal.file)).unwrap();
            let changed = without(&source, removal).unwrap();
            assert_ne!(changed, source, "{}", removal.safeguard);
        }
    }
}
