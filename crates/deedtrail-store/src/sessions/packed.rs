//! Bodies of sessions as they are stored: JSON in a frame of zstd, with typical sessions as the
//! dictionary. Most of a session is what all sessions say: 2 KB become a sixth.

use std::io::Read as _;
use std::sync::LazyLock;

use rusqlite::Row;
use rusqlite::types::{Type, ValueRef};
use zstd::bulk::Compressor;
use zstd::dict::{DecoderDictionary, EncoderDictionary};
use zstd::stream::read::Decoder;

use deedtrail_core::session::Session;

use crate::columns::{json, unreadable};

/// First byte of a packed body: the dictionary. What is stored is read with the one it was made
/// with, so that the file behind a number never changes.
const DICTIONARY: u8 = 1;
const TYPICAL: &[u8] = include_bytes!("typical.jsonl");
const LEVEL: i32 = 1;
/// Largest body that is read back, bytes; the lists in a session have limits far below it.
const BODY_BYTES_MAX: u64 = 16 << 20;

static PACKS: LazyLock<EncoderDictionary<'static>> =
    LazyLock::new(|| EncoderDictionary::copy(TYPICAL, LEVEL));
static UNPACKS: LazyLock<DecoderDictionary<'static>> =
    LazyLock::new(|| DecoderDictionary::copy(TYPICAL));

/// Packs one session after the other.
pub(super) struct Packer(Compressor<'static>);

impl Packer {
    pub(super) fn new() -> rusqlite::Result<Self> {
        let compressor = Compressor::with_prepared_dictionary(&PACKS).map_err(unpackable)?;
        Ok(Self(compressor))
    }

    pub(super) fn pack(&mut self, session: &Session) -> rusqlite::Result<Vec<u8>> {
        let body = json(session)?;
        let frame = self.0.compress(body.as_bytes()).map_err(unpackable)?;
        let mut packed = Vec::with_capacity(1 + frame.len());
        packed.push(DICTIONARY);
        packed.extend(frame);
        Ok(packed)
    }
}

/// A column with the body of a session; those of earlier versions are text.
pub(super) fn unpack(row: &Row<'_>, column: usize) -> rusqlite::Result<Session> {
    let read = match row.get_ref(column)? {
        ValueRef::Blob([DICTIONARY, frame @ ..]) => read(frame),
        ValueRef::Text(body) => serde_json::from_slice(body).map_err(std::io::Error::from),
        _ => Err(std::io::Error::other("not a session of this version")),
    };
    read.map_err(|error| unreadable(column, Type::Blob, error))
}

fn read(frame: &[u8]) -> std::io::Result<Session> {
    let frame = Decoder::with_prepared_dictionary(frame, &UNPACKS)?;
    let mut body = Vec::new();
    frame.take(BODY_BYTES_MAX).read_to_end(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}

fn unpackable(error: std::io::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error.into())
}

#[cfg(test)]
mod tests {
    use deedtrail_core::port::store::Progress;
    use rusqlite::params;
    use rusqlite::types::Value;

    use super::*;
    use crate::columns::integer;
    use crate::connection::Connections;
    use crate::sessions::{one as one_of, save};

    /// The second typical session with 7 as its part, as the first version that packed stored it.
    const FIRST: &[u8] = &[
        1, 40, 181, 47, 253, 96, 103, 5, 141, 0, 0, 8, 55, 3, 0, 231, 25, 231, 249, 1, 143, 204,
        232, 185, 156, 209, 9, 2,
    ];

    /// What a column with this value is read as.
    fn stored(body: impl Into<Value>) -> rusqlite::Result<Session> {
        let db = rusqlite::Connection::open_in_memory()?;
        db.query_row("SELECT ?1", [body.into()], |row| unpack(row, 0))
    }

    fn typical() -> Vec<String> {
        let lines = std::str::from_utf8(TYPICAL).unwrap().lines();
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn text_of_an_earlier_version_is_read_and_packed_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let connections = Connections::open(&folder.path().join("control.db")).unwrap();
        let text = typical().remove(2);
        let before = stored(text.clone()).unwrap();
        let after = Session {
            refused: 9,
            ..before.clone()
        };
        let sql = "INSERT INTO sessions VALUES (?1, ?2, ?3, x'00', 'in_scope', 80, 5, ?4, 0, NULL)";
        let (uid, part, tenant) = (before.uid.to_bytes(), before.part, before.tenant.as_str());
        connections
            .write(|tx| tx.execute(sql, params![uid, integer(part), tenant, text]))
            .unwrap();
        let one = || connections.read(|db| one_of(db, &before.tenant, before.uid));
        assert_eq!(one().unwrap().as_ref(), Some(&before));
        let progress = Progress {
            sessions: vec![after.clone()],
            ..Progress::default()
        };
        connections.write(|tx| save(tx, &progress)).unwrap();
        assert_eq!(one().unwrap(), Some(after));
        let sql = "SELECT count(*) FROM sessions WHERE body = '' AND packed IS NOT NULL";
        let packed = connections.read(|db| db.query_row(sql, (), |row| row.get::<_, i64>(0)));
        assert_eq!(packed.unwrap(), 1);
    }

    #[test]
    fn a_session_is_read_as_it_was() {
        let mut packer = Packer::new().unwrap();
        for body in typical() {
            let mut session = stored(body).unwrap();
            session.actor = "somebody:else".into();
            session.part = 77_123;
            let packed = packer.pack(&session).unwrap();
            assert_eq!(stored(packed).unwrap(), session);
        }
    }

    #[test]
    fn what_this_version_stored_first_is_read() {
        let mut expected = stored(typical().remove(1)).unwrap();
        expected.part = 7;
        assert_eq!(stored(FIRST.to_vec()).unwrap(), expected);
    }

    #[test]
    fn the_dictionary_of_a_number_never_changes() {
        let is = crc32fast::hash(TYPICAL);
        assert_eq!(
            (DICTIONARY, is),
            (1, 0xa910_c21b),
            "what is stored needs it"
        );
    }

    #[test]
    fn what_is_not_a_packed_session_is_an_error() {
        let session = stored(typical().remove(0)).unwrap();
        let packed = Packer::new().unwrap().pack(&session).unwrap();
        stored(packed[..packed.len() - 1].to_vec()).unwrap_err();
        let mut later = packed;
        later[0] += 1;
        let says = stored(later).unwrap_err().to_string();
        assert!(says.contains("not a session of this version"), "{says}");
        stored(Value::Null).unwrap_err();
        stored("{}".to_owned()).unwrap_err();
    }
}
