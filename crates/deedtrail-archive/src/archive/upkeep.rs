//! What keeps the live generation small, indexed and within its retention.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deedtrail_core::port::archive::{Cutoffs, Leaving};
use deltalake::kernel::Action;
use deltalake::protocol::DeltaOperation;

use super::{DeltaArchive, expect_position, held, newest};
use crate::engine::EngineError;
use crate::generation::Generation;
use crate::{compact, prune};

/// How often files that nothing refers to are looked for: that reads the table and lists them all.
const CLEAN_EVERY: Duration = Duration::from_hours(1);
/// Time in which missing indexes are made in one go, so that a stop does not wait long for it.
const INDEX_TIME_MAX: Duration = Duration::from_secs(10);
/// Most files that leave, or are rewritten because some of their rows leave, in one commit.
const PRUNED_FILES_MAX: usize = 32;

impl DeltaArchive {
    /// Compacts, makes indexes that are missing, and now and then removes old files; `cleaned` is
    /// when that was last done.
    pub(super) fn keep_up(&self, cleaned: &mut Option<Instant>) -> Result<(), EngineError> {
        while self.compact_once()? {}
        let live = self.live();
        let end = Instant::now() + INDEX_TIME_MAX;
        live.generation.needles().complete(&live.table, end);
        if cleaned.is_some_and(|at| at.elapsed() < CLEAN_EVERY) {
            return Ok(());
        }
        self.engine
            .run(async move { live.generation.clean().await })??;
        *cleaned = Some(Instant::now());
        Ok(())
    }

    /// Rewrites one set of small files of the live generation; false when there is none.
    fn compact_once(&self) -> Result<bool, EngineError> {
        let view = self.live();
        let Some(group) = compact::next_group(&view.table) else {
            return Ok(false);
        };
        let environment = self.engine.environment();
        let generation = Arc::clone(&view.generation);
        let actions = self
            .engine
            .run(async move { compact::rewrite(&view, group, environment).await })??;
        self.replace(&generation, actions, compact::operation())
    }

    /// Commits files of `generation` that replace others, with their indexes; false when it is not
    /// the live one any more.
    fn replace(
        &self,
        generation: &Arc<Generation>,
        actions: Vec<Action>,
        operation: DeltaOperation,
    ) -> Result<bool, EngineError> {
        let needles = generation.needles();
        for action in &actions {
            if let Action::Add(file) = action {
                needles.add(&file.path, file.size);
            }
        }
        let _publishing = held(&self.publishing);
        let live = self.live();
        if live.generation.folder() != generation.folder() {
            return Ok(false);
        }
        let (origin, generation) = (self.origin.clone(), Arc::clone(generation));
        let table = self.engine.run(async move {
            let covered = live.covered;
            let (base, stored) = newest(live, origin).await?;
            expect_position(stored, covered)?;
            generation.commit(&base, actions, operation, None).await
        })??;
        self.with_state(|state| state.live.table = table);
        Ok(true)
    }

    /// Removes the stored rows that are due, once `announce` has heard of them and agreed; returns
    /// how many.
    pub(super) fn remove_due(
        &self,
        cutoffs: &Cutoffs,
        announce: &mut dyn FnMut(&[Leaving]) -> bool,
    ) -> Result<u64, EngineError> {
        let Some(due) = prune::due(cutoffs) else {
            return Ok(0);
        };
        let view = self.live();
        let generation = Arc::clone(&view.generation);
        let (counted, days) = (view.clone(), cutoffs.clone());
        let environment = self.engine.environment();
        let (files, leaving) = self
            .engine
            .run(async move { prune::plan(&counted, &days, environment).await })??;
        if files.is_empty() || !announce(&leaving) {
            return Ok(0);
        }
        let mut removed = 0;
        for files in files.chunks(PRUNED_FILES_MAX) {
            let (view, files, keep) = (view.clone(), files.to_vec(), due.clone());
            let environment = self.engine.environment();
            let rows: u64 = files.iter().map(|file| file.due).sum();
            let rewritten = async move { prune::rewrite(&view, files, keep, environment).await };
            let actions = self.engine.run(rewritten)??;
            if !self.replace(&generation, actions, prune::operation(&due))? {
                break;
            }
            removed += rows;
        }
        Ok(removed)
    }
}
