//! Under which key a record is known when it comes again.

use std::collections::BTreeMap;

use deedtrail_core::Text;
use deedtrail_core::mapping::MappedRecord;

use super::ConnectionKeys;

/// Longest id used as an idempotency key as it is, bytes; longer ones are hashed.
const ID_BYTES_MAX: usize = 256;
/// Most different contents whose copies within a delivery are counted. Beyond it the copies of
/// further contents are taken for duplicates.
const CONTENTS_MAX: usize = 4_000_000;

/// Different contents of one file whose copies are told from repetitions: this many, and as many
/// before them. A copy of an older one is taken for a duplicate.
const FILE_CONTENTS: usize = 1 << 18;

/// Makes idempotency keys: the vendor's id, else the shipper's, else content hash + occurrence
/// within the delivery.
#[derive(Clone, Debug, Default)]
pub struct KeyMaker {
    seen: BTreeMap<[u8; 16], u32>,
    /// What was seen before that, where not everything is remembered.
    before: BTreeMap<[u8; 16], u32>,
    /// After this many contents those before them are forgotten.
    window: Option<usize>,
    /// Of a file: what tells records apart that say no time, which is what was before them.
    context: Option<[u8; 32]>,
    /// Of a connection: what tells such records apart there.
    connection: Option<ConnectionKeys>,
}

impl KeyMaker {
    /// For a delivery without an end: remembers the newest `window` different contents, and at
    /// most as many before them. A copy of an older one is taken for a duplicate.
    pub fn over_window(window: usize) -> Self {
        Self {
            window: Some(window),
            ..Self::default()
        }
    }

    /// As [`Self::over_window`], for a connection: records without id and time are those of another
    /// one only if they are sent again.
    pub fn of_connection(window: usize, connection: ConnectionKeys) -> Self {
        Self {
            window: Some(window),
            connection: Some(connection),
            ..Self::default()
        }
    }

    /// For a file that is taken in parts, however it is cut. Records without id and time are those
    /// of another file only if `beginning` is alike, and all such records before them.
    pub fn of_file(beginning: &[u8]) -> Self {
        Self {
            window: Some(FILE_CONTENTS),
            context: Some(*blake3::hash(beginning).as_bytes()),
            ..Self::default()
        }
    }

    /// How many different contents are remembered: keys of records without an id depend on them.
    pub fn remembered(&self) -> usize {
        self.seen.len() + self.before.len()
    }

    /// The newest keys of a connection's records without id and time, oldest first.
    pub fn made(&self) -> Vec<Text> {
        let connection = self.connection.as_ref();
        connection.map_or_else(Vec::new, ConnectionKeys::made)
    }

    /// From now on the peer sends nothing again.
    pub fn expect_new(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.expect_new();
        }
    }

    pub(super) fn make(
        &mut self,
        mapped: Option<&MappedRecord>,
        shipper_id: Option<&str>,
        bytes: &[u8],
    ) -> Text {
        self.make_within(mapped, shipper_id, (bytes, None))
    }

    /// As [`Self::make`], of a record with the document around it. Two records that are alike but
    /// for what is around them are one only if they say themselves when they happened.
    pub(super) fn make_within(
        &mut self,
        mapped: Option<&MappedRecord>,
        shipper_id: Option<&str>,
        (bytes, document): (&[u8], Option<&[u8]>),
    ) -> Text {
        let is_timed = mapped.is_some_and(MappedRecord::is_timed);
        let document = document.filter(|_| !is_timed);
        let bytes = document.unwrap_or(bytes);
        // What is before a record in its file counts whether it has an id or not: a mending of the
        // mapping is not to change the keys of those behind it.
        let in_file = self
            .context
            .is_some()
            .then(|| self.content(bytes, is_timed));
        if let Some(key) = mapped.and_then(vendor_key) {
            return key;
        }
        if let Some(id) = shipper_id {
            return key_of("s", id);
        }
        let short = short(in_file.unwrap_or_else(|| blake3::hash(bytes)));
        if let Some(connection) = self.connection.as_mut().filter(|_| !is_timed) {
            return connection.make(short);
        }
        // As long as nothing understood it, the document itself was kept under its `h`.
        let kind = if document.is_some() { "d" } else { "h" };
        self.counted(kind, short)
    }

    fn counted(&mut self, kind: &str, short: [u8; 16]) -> Text {
        let occurrence = self.occurrence(short);
        format!("{}{occurrence}", of_content(kind, short)).into()
    }

    /// For records that waited under keys of their `own` until their mapping was mended: the key
    /// each would come under today, if that is another. What is sent again is then known.
    pub(crate) fn of_waiting(
        &mut self,
        mapped: &MappedRecord,
        (bytes, document): (&[u8], Option<&[u8]>),
        own: Option<&str>,
    ) -> Option<Text> {
        let own = own.unwrap_or_default();
        if let Some(key) = vendor_key(mapped) {
            return (key != own).then_some(key);
        }
        // With the shipper's id it comes under its own key again, and so it does without an id and
        // a time, unless it was taken out of a document.
        if own.starts_with("s:") || own.starts_with("sh:") {
            return None;
        }
        if !mapped.is_timed() {
            let document = document.filter(|_| own.starts_with("h:"));
            return document.map(|document| self.counted("d", short(blake3::hash(document))));
        }
        let short = short(blake3::hash(bytes));
        let is_own = own.starts_with(&of_content("h", short));
        (!is_own).then(|| self.counted("h", short))
    }

    /// What tells a record in a file, and counts it.
    fn content(&mut self, bytes: &[u8], is_timed: bool) -> blake3::Hash {
        let content = blake3::hash(bytes);
        let Some(context) = &mut self.context else {
            return content;
        };
        let with_context = blake3::keyed_hash(context, content.as_bytes());
        *context = *with_context.as_bytes();
        if is_timed { content } else { with_context }
    }

    fn occurrence(&mut self, content: [u8; 16]) -> u32 {
        if self.seen.len() >= CONTENTS_MAX && !self.seen.contains_key(&content) {
            return 1;
        }
        if self.window.is_some_and(|window| self.seen.len() >= window) {
            self.before = std::mem::take(&mut self.seen);
        }
        let before = &self.before;
        let occurrence = self.seen.entry(content);
        let occurrence = occurrence.or_insert_with(|| before.get(&content).copied().unwrap_or(0));
        *occurrence += 1;
        *occurrence
    }
}

fn short(hash: blake3::Hash) -> [u8; 16] {
    let mut short = [0_u8; 16];
    short.copy_from_slice(&hash.as_bytes()[..16]);
    short
}

/// What the key of a content begins with; the number of its occurrence follows.
fn of_content(kind: &str, short: [u8; 16]) -> String {
    format!("{kind}:{:032x}:", u128::from_be_bytes(short))
}

/// The key of a record that has an id of its vendor.
fn vendor_key(record: &MappedRecord) -> Option<Text> {
    Some(key_of("v", record.source_uid.as_ref()?))
}

/// Ids of vendors (`v`) and shippers (`s`) never meet.
fn key_of(kind: &str, id: &str) -> Text {
    if id.len() <= ID_BYTES_MAX {
        format!("{kind}:{id}").into()
    } else {
        format!("{kind}h:{}", blake3::hash(id.as_bytes()).to_hex()).into()
    }
}

#[cfg(test)]
mod tests {
    use deedtrail_core::event::MappedEvent;
    use deedtrail_core::time::Timestamp;

    use super::*;

    #[test]
    fn twins_in_one_delivery_get_their_own_keys_and_a_retry_gets_the_same() {
        let mut first = KeyMaker::default();
        let keys = [
            first.make(None, None, b"a"),
            first.make(None, None, b"a"),
            first.make(None, None, b"b"),
        ];
        assert_ne!(keys[0], keys[1]);
        let mut retry = KeyMaker::default();
        assert_eq!(
            keys,
            [
                retry.make(None, None, b"a"),
                retry.make(None, None, b"a"),
                retry.make(None, None, b"b")
            ]
        );
    }

    #[test]
    fn a_delivery_without_an_end_forgets_what_was_long_ago() {
        let mut keys = KeyMaker::over_window(2);
        let mut make = |bytes: &[u8]| keys.make(None, None, bytes);
        let first = make(b"a");
        make(b"b");
        make(b"c");
        let second = make(b"a");
        assert!(first.ends_with(":1") && second.ends_with(":2"));
        for other in [b"d", b"e", b"f", b"g"] {
            make(other);
        }
        assert_eq!(make(b"a"), first);
    }

    #[test]
    fn a_file_that_is_read_again_gives_the_same_keys_and_twins_stay_two() {
        let timed = MappedRecord {
            events: vec![MappedEvent {
                time: Some(Timestamp::from_micros(1)),
                ..MappedEvent::default()
            }],
            ..MappedRecord::default()
        };
        let file = |beginning: &[u8], lines: &[&[u8]]| -> Vec<(Text, Text)> {
            let (mut with_time, mut without) =
                (KeyMaker::of_file(beginning), KeyMaker::of_file(beginning));
            let key = |line: &&[u8]| {
                let timed = with_time.make(Some(&timed), None, line);
                (timed, without.make(None, None, line))
            };
            lines.iter().map(key).collect()
        };
        let keys = file(b"x", &[b"a", b"b", b"a"]);
        assert_eq!(keys, file(b"x", &[b"a", b"b", b"a"]));
        assert!(keys[0].0 != keys[2].0 && keys[0].1 != keys[2].1);
        // What says when it happened is the same record in another file, and by another way.
        let other = file(b"y", &[b"b", b"a"]);
        assert_eq!(keys[0].0, other[1].0);
        let delivered = KeyMaker::default().make(Some(&timed), None, b"a");
        assert_eq!(keys[0].0, delivered);
        // What does not is another one unless everything before it is alike too.
        assert_ne!(keys[0].1, file(b"y", &[b"a"])[0].1);
        assert_ne!(keys[2].1, file(b"x", &[b"c", b"b", b"a"])[2].1);
    }

    #[test]
    fn the_vendors_id_is_the_key_whatever_the_content() {
        let record = MappedRecord {
            source_uid: Some("e-1".into()),
            ..MappedRecord::default()
        };
        let mut keys = KeyMaker::default();
        assert_eq!(
            keys.make(Some(&record), Some("other"), b"a"),
            keys.make(Some(&record), Some("other"), b"b")
        );
        let long = MappedRecord {
            source_uid: Some("x".repeat(999).into()),
            ..record
        };
        assert!(keys.make(Some(&long), None, b"a").len() < 100);
    }

    #[test]
    fn the_shippers_id_is_the_key_where_the_vendor_gives_none() {
        let mut keys = KeyMaker::default();
        assert_eq!(keys.make(None, Some("1"), b"a"), "s:1");
        assert_eq!(keys.make(None, Some("1"), b"b"), "s:1");
        let record = MappedRecord {
            source_uid: Some("1".into()),
            ..MappedRecord::default()
        };
        assert_eq!(keys.make(Some(&record), Some("2"), b"b"), "v:1");
    }
}
