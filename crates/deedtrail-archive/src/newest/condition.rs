//! What a filter asks of the columns of text.

use datafusion::arrow::array::{Array as _, ArrayRef, AsArray as _, BooleanArray, RecordBatch};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int32Type};
use datafusion::arrow::error::ArrowError;
use deedtrail_core::port::archive::EventFilter;

use crate::column::{ACTING_COLUMNS, ALIAS_COLUMNS};
use crate::needle::Needles;

/// Columns the free-text filter looks in.
pub(crate) const TEXT_COLUMNS: [&str; 6] = [
    "operation",
    "actor_name",
    "actor_ref",
    "target_name",
    "target_ref",
    "src_ip",
];

/// One of some columns has to have a certain text.
#[derive(Debug)]
pub(super) struct Condition {
    columns: Vec<&'static str>,
    test: Test,
}

#[derive(Debug)]
enum Test {
    /// It is one of these, which are in order.
    OneOf(Vec<String>),
    /// In lower case it has this part.
    Has(String),
}

/// Everything a filter asks for but tenant and times.
pub(super) fn conditions(filter: &EventFilter) -> Vec<Condition> {
    let mut conditions = Vec::new();
    if !filter.uids.is_empty() {
        let uids = filter.uids.iter().map(ToString::to_string).collect();
        conditions.push(Condition::one_of(&["event_uid"], uids));
    }
    if !filter.aliases.is_empty() {
        let aliases = filter.aliases.iter().map(ToString::to_string).collect();
        let columns = if filter.acting {
            &ALIAS_COLUMNS[..ACTING_COLUMNS]
        } else {
            &ALIAS_COLUMNS[..]
        };
        conditions.push(Condition::one_of(columns, aliases));
    }
    for (column, value) in [("source", &filter.source), ("action", &filter.action)] {
        let equal = value
            .iter()
            .map(|value| Condition::one_of(&[column], vec![value.clone()]));
        conditions.extend(equal);
    }
    if let Some(text) = filter.text.as_ref().filter(|text| !text.is_empty()) {
        conditions.push(Condition {
            columns: TEXT_COLUMNS.to_vec(),
            test: Test::Has(text.to_lowercase()),
        });
    }
    conditions
}

impl Condition {
    pub(super) fn one_of(columns: &[&'static str], mut values: Vec<String>) -> Self {
        values.sort_unstable();
        Self {
            columns: columns.to_vec(),
            test: Test::OneOf(values),
        }
    }

    /// The values one of which a row has to have, in order; `None` when they are too many to say.
    pub(super) fn values(&self) -> Option<&[String]> {
        match &self.test {
            Test::OneOf(values) => Some(values),
            Test::Has(_) => None,
        }
    }

    #[cfg(test)]
    pub(super) fn columns(&self) -> &[&'static str] {
        &self.columns
    }

    /// The columns of a data file that may have what is asked, as far as its index knows.
    pub(super) fn columns_of(&self, needles: &Needles, file: (&str, i64)) -> Vec<&'static str> {
        match &self.test {
            Test::OneOf(values) => needles.columns_holding(file, &self.columns, values),
            Test::Has(_) => self.columns.clone(),
        }
    }

    fn is_met_by(&self, text: &str) -> bool {
        match &self.test {
            Test::OneOf(values) => values
                .binary_search_by(|value| value.as_str().cmp(text))
                .is_ok(),
            Test::Has(part) => text.to_lowercase().contains(part),
        }
    }

    /// The rows of `batch` that fulfil it, out of those in `mask`; columns that are not in the
    /// batch have nothing. `None` for `mask` is all of them.
    pub(super) fn narrowed(
        &self,
        mask: Option<BooleanBuffer>,
        batch: &RecordBatch,
    ) -> Result<Option<BooleanBuffer>, ArrowError> {
        let mut met = BooleanBuffer::new_unset(batch.num_rows());
        for name in &self.columns {
            if let Some(column) = batch.column_by_name(name) {
                met = &met | &self.met(column)?;
            }
        }
        Ok(Some(match mask {
            Some(mask) => &mask & &met,
            None => met,
        }))
    }

    /// The rows of a column whose text fulfils it. Of a column with a dictionary each different
    /// text is looked at once.
    fn met(&self, column: &ArrayRef) -> Result<BooleanBuffer, ArrowError> {
        if let DataType::Dictionary(keys, _) = column.data_type()
            && **keys == DataType::Int32
        {
            let column = column.as_dictionary::<Int32Type>();
            let values = self.met(column.values())?;
            if values.count_set_bits() == 0 {
                return Ok(BooleanBuffer::new_unset(column.len()));
            }
            let is_met = |key: Option<usize>| key.is_some_and(|key| values.value(key));
            return Ok(column.keys_iter().map(is_met).collect());
        }
        let texts = cast(column, &DataType::Utf8)?;
        let texts = texts.as_string::<i32>().iter();
        let met: BooleanArray = texts
            .map(|text| Some(text.is_some_and(|text| self.is_met_by(text))))
            .collect();
        Ok(met.values().clone())
    }
}
