//! `cargo xtask test`: all of it, in the order in which mistakes are cheapest to find.

use crate::process::{self, Parts, Tally, passes, say};
use crate::{crash, end_to_end, faults, packages, schedules, sim, tidy};

/// Kill cycles of one run of the suite; `cargo xtask crash` does more.
const CRASH_CYCLES: u32 = 50;
/// Records sent again in one run of the suite; `cargo xtask retries` sends more.
const RETRIES: crash::retries::Amount = crash::retries::Amount {
    count: 100_000,
    kills: 5,
    seed: 1,
};

/// Lives of a log of one run of the suite, and programs cut off at each of their steps.
const LIVES: sim::Plan = sim::Plan {
    seeds: 3_000,
    first: 1,
    sweeps: 4,
};
/// Lives of the pipeline of one run of the suite.
const PIPELINE_LIVES: sim::Plan = sim::Plan {
    seeds: 200,
    first: 1,
    sweeps: 0,
};
/// Orders of the log's threads of one run of the suite.
const ORDERS: schedules::Plan = schedules::Plan {
    count: 2_000,
    first: 1,
};
/// Damage of one run of the suite.
const DAMAGE: sim::damage::Amount = sim::damage::Amount {
    bytes: 64 << 10,
    flips: 2000,
    cuts: 512,
};
/// Faults of one run of the suite.
const FAULTS: faults::Extent = faults::Extent {
    only: None,
    is_short: true,
    calls: 200,
    fills: 1,
};

pub(crate) fn run(no_install: bool) -> anyhow::Result<Tally> {
    packages::ensure(no_install)?;
    let mut parts = Parts::default();
    let formatted = || Ok(Tally::one(passes("cargo", &["fmt", "--all", "--check"])?));
    parts.add("format", formatted);
    parts.add("tidy", tidy::run);
    let build = ["test", "--workspace", "--no-run", "--quiet"];
    parts.add("lints", || Ok(Tally::one(process::linted(&build)?)));
    parts.add("tests", unit_tests);
    parts.add("simulated lives", || Ok(sim::run(&LIVES)));
    parts.add("simulated pipeline", || {
        Ok(sim::pipeline::run(&PIPELINE_LIVES))
    });
    parts.add("schedules", || schedules::run(ORDERS));
    parts.add("damage", || Ok(sim::damage::run(DAMAGE)));
    let binary = process::binary(None)?;
    parts.add("faults", || Ok(faults::run(&binary, FAULTS)));
    parts.add("kills", || crash::run(&binary, CRASH_CYCLES, 1));
    parts.add("retries", || crash::retries::run(&binary, RETRIES));
    parts.add("browser", || end_to_end::run(&binary, None));
    Ok(parts.tally())
}

fn unit_tests() -> anyhow::Result<Tally> {
    let (ok, text) = process::tested(&["test", "--workspace", "--no-fail-fast"])?;
    let mut tally = count(&text);
    if !ok && tally.failed == 0 {
        say("the tests did not build or a test binary died");
        tally.failed = 1;
    }
    Ok(tally)
}

/// Adds up the `test result:` lines of the standard test runner.
fn count(text: &str) -> Tally {
    let mut tally = Tally::default();
    for line in text.lines().filter(|line| line.starts_with("test result:")) {
        let figure = |unit: &str| -> u64 {
            let mut words = line
                .split_whitespace()
                .rev()
                .skip_while(|w| w.trim_end_matches(';') != unit);
            words.nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
        };
        tally.add(Tally {
            passed: figure("passed"),
            failed: figure("failed"),
        });
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_added_up() {
        let text = "x\ntest result: ok. 9 passed; 0 failed; 0 ignored; 0 measured\n\
                    test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured\n";
        assert_eq!(
            count(text),
            Tally {
                passed: 12,
                failed: 2
            }
        );
    }
}
