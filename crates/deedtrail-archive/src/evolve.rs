//! Tables of earlier versions get the columns that came since; those of later versions are refused.
//!
//! A version only appends nullable columns. So what a table lacks is added to its schema in one
//! commit, files stay as they are and read as null there; a column that is not known, or has
//! another type, is of a later version, whose rows this one would not write as meant.

use deltalake::DeltaTable;
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel as _;
use deltalake::kernel::{StructField, StructType};

use crate::column::schema;
use crate::engine::EngineError;

/// The table with every column of this version; true when it lacked some.
pub(crate) async fn evolved(table: DeltaTable) -> Result<DeltaTable, EngineError> {
    let missing = missing(table.snapshot()?.schema().as_ref())?;
    if missing.is_empty() {
        return Ok(table);
    }
    Ok(table.add_columns().with_fields(missing).await?)
}

/// Columns of this version that a table of an earlier one lacks.
fn missing(found: &StructType) -> Result<Vec<StructField>, EngineError> {
    let known: StructType = schema().as_ref().try_into_kernel()?;
    let strange = found.fields().find(|field| {
        let ours = known.field(field.name());
        ours.is_none_or(|ours| ours.data_type() != field.data_type())
    });
    if let Some(strange) = strange {
        return Err(EngineError::LaterTable {
            column: strange.name().clone(),
        });
    }
    let is_missing = |field: &&StructField| found.field(field.name()).is_none();
    Ok(known.fields().filter(is_missing).cloned().collect())
}
