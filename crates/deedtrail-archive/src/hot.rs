//! Rows that are not stored yet, as record batches.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::error::ArrowError;
use deedtrail_core::port::log::Sequence;

use crate::column::schema;

/// Rows of a batch from which on it is joined with no other.
const JOINED_ROWS_MAX: usize = 8_192;

/// Rows after what the table covers. A clone shares the rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hot {
    /// Rows a commit is storing; they leave with its success and stay when it fails.
    sealed: Vec<RecordBatch>,
    /// One past the newest sequence of the sealed rows.
    sealed_through: Sequence,
    /// Rows added since.
    open: Vec<RecordBatch>,
    /// One past the newest sequence the rows cover.
    through: Sequence,
}

impl Hot {
    pub(crate) fn after(covered: Sequence) -> Self {
        Self {
            through: covered,
            ..Self::default()
        }
    }

    pub(crate) const fn through(&self) -> Sequence {
        self.through
    }

    pub(crate) fn rows(&self) -> usize {
        self.batches().map(RecordBatch::num_rows).sum()
    }

    pub(crate) fn batches(&self) -> impl Iterator<Item = &RecordBatch> {
        self.sealed.iter().chain(&self.open)
    }

    /// Adds rows. Neighbours of like size are joined until they are large enough, so that many small
    /// additions stay few batches and each row is copied a logarithmic number of times. After an error
    /// nothing changed.
    pub(crate) fn add(&mut self, batch: RecordBatch, through: Sequence) -> Result<(), ArrowError> {
        let mut newest = batch;
        let mut kept = self.open.as_slice();
        while let [before @ .., last] = kept
            && last.num_rows() <= newest.num_rows()
            && newest.num_rows() < JOINED_ROWS_MAX
        {
            newest = concat_batches(&schema(), [last, &newest])?;
            kept = before;
        }
        let kept = kept.len();
        self.open.truncate(kept);
        if newest.num_rows() > 0 {
            self.open.push(newest);
        }
        self.through = self.through.max(through);
        Ok(())
    }

    /// Marks all rows as being stored and returns them.
    pub(crate) fn seal(&mut self) -> Vec<RecordBatch> {
        self.sealed.append(&mut self.open);
        self.sealed_through = self.through;
        self.sealed.clone()
    }

    /// Position the table has if the commit that sealed rows was stored, while nobody knows yet.
    pub(crate) fn unsettled(&self) -> Option<Sequence> {
        (self.sealed_through > 0).then_some(self.sealed_through)
    }

    /// Lets the sealed rows go: the table has them.
    pub(crate) fn release(&mut self) {
        self.sealed.clear();
        self.sealed_through = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{ArrayRef, Int64Array};

    use super::*;
    use crate::rows::{blank_event, to_batch};

    #[test]
    fn rows_that_do_not_fit_leave_the_others_where_they_are() {
        let mut hot = Hot::after(7);
        hot.add(to_batch(&[blank_event()]).unwrap(), 8).unwrap();
        let strange: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let strange = RecordBatch::try_from_iter([("strange", strange)]).unwrap();
        hot.add(strange, 9).unwrap_err();
        assert_eq!((hot.rows(), hot.through()), (1, 8));
    }
}
