//! What reading a Parquet file will take, found from its footer and page headers before anything
//! is unpacked: what they declare is allocated by the reader without asking.
//!
//! Source: <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>

use deedtrail_core::limits::{
    RECORD_DEPTH_MAX, TABLE_COLUMNS_MAX, TABLE_ELEMENTS_MAX, TABLE_FOOTER_BYTES_MAX,
    TABLE_HELD_BYTES_MAX, TABLE_ROWS_MAX,
};
use deedtrail_core::port::table::TableError;
use deltalake::parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

use super::compact::{Compact, LIST, STRUCTURE};

/// At the beginning and the end; `PARE` at the end says that the footer is encrypted.
const MAGIC: &[u8] = b"PAR1";
const MAGIC_ENCRYPTED: &[u8] = b"PARE";
/// Length of the footer and the magic bytes.
const END_BYTES: usize = 8;

/// Fields of `FileMetaData`, `SchemaElement` and `PageHeader`.
const SCHEMA: i64 = 2;
const CHILDREN: i64 = 5;
const UNPACKED_BYTES: i64 = 2;
const PACKED_BYTES: i64 = 3;
const DATA_PAGE: i64 = 5;
const DICTIONARY_PAGE: i64 = 7;
const DATA_PAGE_2: i64 = 8;
/// In the header of each kind of page.
const VALUES: i64 = 1;

pub(super) fn damaged(what: &str) -> TableError {
    TableError::Damaged(what.to_owned())
}

fn within(what: &'static str, found: u64, limit: u64) -> Result<(), TableError> {
    if found > limit {
        return Err(TableError::OverLimit { what, limit });
    }
    Ok(())
}

/// Refuses a file whose footer is none, or whose columns are too many or nested too deeply.
pub(super) fn footer(file: &[u8]) -> Result<(), TableError> {
    let cut = || damaged("its end is missing");
    let (rest, end) = file.split_last_chunk::<END_BYTES>().ok_or_else(cut)?;
    if end.ends_with(MAGIC_ENCRYPTED) {
        return Err(TableError::Encrypted);
    }
    let length = end.strip_suffix(MAGIC).ok_or_else(cut)?;
    let length = <[u8; 4]>::try_from(length).map_err(|_| cut())?;
    let length = u32::from_le_bytes(length);
    let limit = TABLE_FOOTER_BYTES_MAX;
    within("bytes of footer", length.into(), limit.into())?;
    let begin = rest.len().checked_sub(length as usize);
    let footer = begin.and_then(|begin| rest.get(begin..)).ok_or_else(cut)?;
    let mut found = Ok(());
    let walked = Compact { rest: footer }.structure(&mut |footer, field| {
        if (field.id, field.kind) != (SCHEMA, LIST) {
            return Some(false);
        }
        found = schema(footer)?;
        found.is_ok().then_some(true)
    });
    found?;
    walked.ok_or_else(|| damaged("its footer is broken"))
}

/// Counts elements and depth of the schema, which is a tree written parents first.
fn schema(footer: &mut Compact<'_>) -> Option<Result<(), TableError>> {
    let (count, kind) = footer.list()?;
    if kind != STRUCTURE {
        return None;
    }
    if let Err(error) = within("columns", count, TABLE_COLUMNS_MAX) {
        return Some(Err(error));
    }
    // Of each ancestor, how many children are to come.
    let mut open: Vec<i64> = Vec::new();
    for _ in 0..count {
        let mut children = 0;
        footer.structure(&mut |element, field| {
            if field.id == CHILDREN {
                children = element.integer()?;
            }
            Some(field.id == CHILDREN)
        })?;
        if let Some(left) = open.last_mut() {
            *left -= 1;
        }
        open.push(children);
        while open.last().is_some_and(|left| *left <= 0) {
            open.pop();
        }
        let limit = RECORD_DEPTH_MAX as u64;
        if let Err(error) = within("levels of nesting", open.len() as u64, limit) {
            return Some(Err(error));
        }
    }
    Some(Ok(()))
}

/// Refuses a file that would take more memory than there is for one.
pub(super) fn pages(file: &[u8], metadata: &ParquetMetaData) -> Result<(), TableError> {
    let mut rows = 0_u64;
    for group in metadata.row_groups() {
        let broken = |_| damaged("a row group has a negative size");
        rows = rows.saturating_add(u64::try_from(group.num_rows()).map_err(broken)?);
        within("rows", rows, TABLE_ROWS_MAX)?;
        let (mut held, mut elements) = (0_u64, 0_u64);
        for column in group.columns() {
            let size = column_size(file, column)?;
            held = held
                .saturating_add(size.dictionary)
                .saturating_add(size.page);
            within("bytes of pages in a row group", held, TABLE_HELD_BYTES_MAX)?;
            if column.column_descr().max_rep_level() > 0 {
                elements = elements.saturating_add(size.values);
            }
            within(
                "elements of lists in a row group",
                elements,
                TABLE_ELEMENTS_MAX,
            )?;
        }
    }
    Ok(())
}

/// What the pages of one column of a row group say.
#[derive(Default)]
struct Size {
    /// Unpacked bytes of the dictionary and of the largest page.
    dictionary: u64,
    page: u64,
    values: u64,
}

fn column_size(file: &[u8], column: &ColumnChunkMetaData) -> Result<Size, TableError> {
    let broken = || damaged("a column lies outside of the file or its pages are broken");
    let from = column.dictionary_page_offset();
    let from = from.unwrap_or(column.data_page_offset());
    let from = usize::try_from(from).map_err(|_| broken())?;
    let length = usize::try_from(column.compressed_size()).map_err(|_| broken())?;
    let end = from.checked_add(length).ok_or_else(broken)?;
    let mut pages = Compact {
        rest: file.get(from..end).ok_or_else(broken)?,
    };
    let mut size = Size::default();
    while !pages.rest.is_empty() {
        page(&mut pages, &mut size).ok_or_else(broken)?;
    }
    Ok(size)
}

/// Adds one page.
fn page(pages: &mut Compact<'_>, size: &mut Size) -> Option<()> {
    let (mut unpacked, mut packed, mut values, mut is_dictionary) = (0, 0, 0, false);
    pages.structure(&mut |header, field| {
        match (field.id, field.kind) {
            (UNPACKED_BYTES, _) => unpacked = header.integer()?,
            (PACKED_BYTES, _) => packed = header.integer()?,
            (DATA_PAGE | DICTIONARY_PAGE | DATA_PAGE_2, STRUCTURE) => {
                is_dictionary = field.id == DICTIONARY_PAGE;
                header.structure(&mut |header, field| {
                    if field.id == VALUES {
                        values = header.integer()?;
                    }
                    Some(field.id == VALUES)
                })?;
            }
            _ => return Some(false),
        }
        Some(true)
    })?;
    pages.rest = pages.rest.get(usize::try_from(packed).ok()?..)?;
    let (unpacked, values) = (u64::try_from(unpacked).ok()?, u64::try_from(values).ok()?);
    if is_dictionary {
        size.dictionary = size.dictionary.max(unpacked);
    } else {
        size.page = size.page.max(unpacked);
        size.values = size.values.saturating_add(values);
    }
    Some(())
}
