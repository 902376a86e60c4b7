//! What is learned and what is tested: held-out model families, held-out tasks.

use std::collections::BTreeSet;

use crate::runs::Run;
use deedtrail_bench_learned::measure::Seeded;

/// Parts the tasks are cut into.
const FOLDS: usize = 5;

/// Which runs are held out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// All runs of one family of models: the jobs recur, the agent is new.
    Family,
    /// All runs of a fifth of the tasks: the agent and its peers are known, the job is new.
    Task,
}

/// Runs to learn, in order, and runs to test.
#[derive(Debug, Default)]
pub struct Fold {
    pub learned: Vec<usize>,
    pub tested: Vec<usize>,
}

/// Every run is tested once; only benign ones are learned.
pub fn folds(runs: &[Run], held: Held, seed: u64) -> Vec<Fold> {
    let mut seeded = Seeded(seed);
    let groups: Vec<Vec<usize>> = match held {
        Held::Family => {
            let families: BTreeSet<_> = runs.iter().map(|run| run.family).collect();
            let of = |family| (0..runs.len()).filter(move |at| runs[*at].family == family);
            families
                .into_iter()
                .map(|family| of(family).collect())
                .collect()
        }
        Held::Task => {
            let jobs: BTreeSet<_> = runs.iter().map(Run::job).collect();
            let mut jobs: Vec<_> = jobs.into_iter().collect();
            seeded.shuffle(&mut jobs);
            let parts = (0..FOLDS).map(|part| {
                let part: BTreeSet<_> = jobs.iter().skip(part).step_by(FOLDS).collect();
                (0..runs.len())
                    .filter(|at| part.contains(&runs[*at].job()))
                    .collect()
            });
            parts.collect()
        }
    };
    let fold = |tested: Vec<usize>| {
        let held: BTreeSet<_> = tested.iter().copied().collect();
        let benign = |at: &usize| !held.contains(at) && !runs[*at].attacked;
        let mut learned: Vec<usize> = (0..runs.len()).filter(benign).collect();
        seeded.shuffle(&mut learned);
        Fold { learned, tested }
    };
    groups.into_iter().map(fold).collect()
}
