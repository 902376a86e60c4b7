//! From a table in a file (Apache Parquet) to records.

use std::io::{self, BufRead};

/// First bytes of a Parquet file: `PAR1`, and with an encrypted footer `PARE`.
const MAGIC: [&[u8]; 2] = [b"PAR1", b"PARE"];

/// Whether something is a Parquet file, by its first bytes. A line of text that begins alike is none.
pub fn is_table(beginning: &[u8]) -> bool {
    let is_text = |byte: &u8| !byte.is_ascii_control() || byte.is_ascii_whitespace();
    let rest = MAGIC
        .iter()
        .find_map(|magic| beginning.strip_prefix(*magic));
    rest.is_some_and(|rest| !rest.first().is_some_and(is_text))
}

/// A table that cannot be read, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    #[error("it is no whole Parquet file ({0}); fetch or write it again")]
    Damaged(String),
    #[error("it is Parquet that is encrypted; put or send it unencrypted")]
    Encrypted,
    #[error("it is Parquet of a kind that is not read ({0}); put or send it as lines of JSON")]
    Unsupported(String),
    #[error("it is Parquet with more than {limit} {what}; put or send it in smaller files")]
    OverLimit { what: &'static str, limit: u64 },
}

impl From<TableError> for io::Error {
    fn from(error: TableError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// Reads tables.
pub trait Tables: Send + Sync + std::fmt::Debug {
    /// The rows of a file in their order, each as one line of JSON: columns in the order of the
    /// schema, nulls left out, times as RFC 3339 in UTC, bytes as Base64. The same file gives the
    /// same bytes. What is wrong further on is an error of reading, after the rows before it.
    fn lines(&self, file: Vec<u8>) -> Result<Box<dyn BufRead + Send>, TableError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_told_from_text() {
        for table in [&b"PAR1\x15\x04"[..], b"PAR1", b"PARE\x15"] {
            assert!(is_table(table));
        }
        for text in ["", "PAR", "PAR1 link down", "PAR1\n", "{\"PAR1\":1}"] {
            assert!(!is_table(text.as_bytes()), "{text}");
        }
    }
}
