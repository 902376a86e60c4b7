//! Which of the rows that were found make up the page.

use deedtrail_core::port::archive::Cursor;

/// A row that the filter lets through, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    pub(super) part: usize,
    pub(super) group: usize,
    /// Its number in its row group.
    pub(super) row: usize,
    /// `time_effective`, µs.
    pub(super) time: i64,
}

/// The newest rows so far: as many as the page takes, and those of the same instants, among which
/// the event ids decide.
#[derive(Debug)]
pub(super) struct Page {
    limit: usize,
    /// Instant and id of the last event before the page, which has none later.
    after: Option<(i64, String)>,
    found: Vec<Found>,
    /// Rows before this instant are not on the page, µs.
    oldest: i64,
}

impl Page {
    pub(super) fn new(limit: usize, cursor: Option<Cursor>) -> Self {
        let after = |cursor: Cursor| {
            (
                cursor.time_effective.as_micros(),
                cursor.event_uid.to_string(),
            )
        };
        Self {
            limit,
            after: cursor.map(after),
            found: Vec::new(),
            oldest: if limit == 0 { i64::MAX } else { i64::MIN },
        }
    }

    /// Rows before this instant are not on the page, µs.
    pub(super) const fn oldest(&self) -> i64 {
        self.oldest
    }

    /// The rows, in the order they lie in.
    pub(super) fn found(&self) -> &[Found] {
        &self.found
    }

    pub(super) fn add(&mut self, found: Vec<Found>) {
        let oldest = self.oldest;
        self.found
            .extend(found.into_iter().filter(|row| row.time >= oldest));
        // Of the cursor's own instant the ids say what is on the page: it is filled without them.
        let own = self.after.as_ref().map(|(time, _)| *time);
        let mut times: Vec<i64> = self.found.iter().map(|row| row.time).collect();
        times.retain(|time| Some(*time) != own);
        if self.limit > 0 && times.len() >= self.limit {
            let place = times.len() - self.limit;
            let (_, time, _) = times.select_nth_unstable(place);
            self.oldest = self.oldest.max(*time);
            let oldest = self.oldest;
            self.found.retain(|row| row.time >= oldest);
        }
        self.found.sort_unstable();
    }

    /// Whether the ids have to say which of the rows are on the page.
    pub(super) fn is_ambiguous(&self) -> bool {
        let own = self.after.as_ref().map(|(time, _)| *time);
        self.found.len() > self.limit || self.found.iter().any(|row| Some(row.time) == own)
    }

    /// Leaves the rows of the page; `uids` are those of the rows, in their order.
    pub(super) fn narrow(&mut self, uids: &[String]) {
        let mut rows: Vec<(i64, &String, Found)> = std::mem::take(&mut self.found)
            .into_iter()
            .zip(uids)
            .map(|(row, uid)| (row.time, uid, row))
            .collect();
        if let Some((time, uid)) = &self.after {
            rows.retain(|row| (row.0, row.1) < (*time, uid));
        }
        rows.sort_unstable_by(|one, other| other.cmp(one));
        rows.truncate(self.limit);
        self.found = rows.into_iter().map(|(_, _, row)| row).collect();
        self.found.sort_unstable();
    }
}
