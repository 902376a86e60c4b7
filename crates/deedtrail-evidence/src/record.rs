//! How one entry is stored and what its leaf commits to.
//!
//! A stored record is `head ‖ part bytes`. The leaf is the RFC 6962 leaf hash over
//! `head ‖ SHA-256(part 1) ‖ SHA-256(part 2) …`, so a part can be withheld or sealed without the
//! leaf changing. All integers are big-endian. The layout is specified in
//! `docs/reference/evidence-format.md`.

use deedtrail_core::Text;
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::limits::RECORD_BYTES_MAX;
use deedtrail_core::port::log::{EntryKind, NewEntry, Part, PartClass, StoredEntry};
use deedtrail_core::time::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::limits::{KEY_BYTES_MAX, NOTE_BYTES_MAX, PARTS_MAX};
use crate::merkle::Hash;

/// Version of the record layout.
pub const RECORD_VERSION: u8 = 1;
const HAS_SOURCE: u8 = 1;
const HAS_KEY: u8 = 2;
const ID_CONFLICT: u8 = 4;
/// Offset of the flags byte within a record; the revision follows it.
const FLAGS_AT: usize = 2;
const REVISION_AT: usize = 3;
/// Bytes of one row of the part table: class, key id, length.
const PART_ROW: usize = 9;

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a record: {0}")]
pub struct RecordError(pub &'static str);

/// A record taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    pub entry: NewEntry,
    pub id_conflict: bool,
    pub revision: u32,
}

/// The 128-bit print under which the idempotency index finds an entry.
pub(crate) fn key_print(tenant: &TenantId, source: Option<&SourceName>, key: &str) -> u128 {
    let source = source.map_or("", SourceName::as_str);
    let mut hash = Sha256::new();
    for field in [tenant.as_str(), source, key] {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field);
    }
    first_16(&hash.finalize().into())
}

/// The 128-bit print of the joined bytes of the parts.
fn content_print(parts: &[Part], part_hashes: &[Hash]) -> u128 {
    if let [only] = part_hashes {
        return first_16(only);
    }
    let joined = parts
        .iter()
        .fold(Sha256::new(), |hash, part| hash.chain_update(&part.bytes));
    first_16(&joined.finalize().into())
}

fn first_16(hash: &Hash) -> u128 {
    let mut first = [0; 16];
    first.copy_from_slice(&hash[..16]);
    u128::from_be_bytes(first)
}

/// What encoding an entry yields besides its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encoded {
    pub leaf: Hash,
    pub content: u128,
}

/// Appends the record of `entry` (revision 0, no conflict) to `out`.
pub(crate) fn encode(entry: &NewEntry, out: &mut Vec<u8>) -> Result<Encoded, String> {
    check_limits(entry)?;
    let start = out.len();
    let source = entry.source.as_ref().map_or("", SourceName::as_str);
    let key = entry.idempotency_key.as_deref().unwrap_or("");
    let has_source = if entry.source.is_some() {
        HAS_SOURCE
    } else {
        0
    };
    let has_key = if entry.idempotency_key.is_some() {
        HAS_KEY
    } else {
        0
    };
    out.extend_from_slice(&[RECORD_VERSION, entry.kind as u8, has_source | has_key]);
    out.extend_from_slice(&0_u32.to_be_bytes());
    out.extend_from_slice(&entry.received.as_micros().to_be_bytes());
    for text in [entry.tenant.as_str(), source, key, entry.note.as_str()] {
        out.extend_from_slice(&length_u16(text.len())?);
        out.extend_from_slice(text.as_bytes());
    }
    out.extend_from_slice(&length_u16(entry.parts.len())?);
    for part in &entry.parts {
        out.push(part.class as u8);
        out.extend_from_slice(&part.key_id.to_be_bytes());
        let length = u32::try_from(part.bytes.len()).map_err(|_| "a part is too long")?;
        out.extend_from_slice(&length.to_be_bytes());
    }
    let part_hashes: Vec<Hash> = entry
        .parts
        .iter()
        .map(|part| Sha256::digest(&part.bytes).into())
        .collect();
    let leaf = leaf_of(&out[start..], &part_hashes);
    entry
        .parts
        .iter()
        .for_each(|part| out.extend_from_slice(&part.bytes));
    Ok(Encoded {
        leaf,
        content: content_print(&entry.parts, &part_hashes),
    })
}

fn length_u16(length: usize) -> Result<[u8; 2], String> {
    u16::try_from(length)
        .map(u16::to_be_bytes)
        .map_err(|_| "a field is too long".to_owned())
}

fn check_limits(entry: &NewEntry) -> Result<(), String> {
    let bytes: usize = entry.parts.iter().map(|part| part.bytes.len()).sum();
    let key = entry.idempotency_key.as_ref().map_or(0, Text::len);
    let checks = [
        (bytes, RECORD_BYTES_MAX, "record bytes"),
        (key, KEY_BYTES_MAX, "idempotency key bytes"),
        (entry.note.len(), NOTE_BYTES_MAX, "note bytes"),
        (entry.parts.len(), PARTS_MAX, "parts"),
    ];
    if let Some((is, most, what)) = checks.into_iter().find(|(is, most, _)| is > most) {
        return Err(format!("{is} {what}, at most {most} are allowed"));
    }
    if entry.parts.iter().any(|part| part.key_id != 0) {
        return Err("sealed parts need record version 2".to_owned());
    }
    Ok(())
}

/// Leaf over a head and the hashes of its parts.
pub(crate) fn leaf_of(head: &[u8], part_hashes: &[Hash]) -> Hash {
    let hash = Sha256::new_with_prefix([0]).chain_update(head);
    part_hashes
        .iter()
        .fold(hash, Sha256::chain_update)
        .finalize()
        .into()
}

/// The leaf hash of an entry as the log stores it.
pub fn stored_leaf(stored: &StoredEntry) -> Result<Hash, RecordError> {
    let mut bytes = Vec::new();
    let encoded = encode(&stored.entry, &mut bytes);
    let encoded = encoded.map_err(|_| RecordError("the entry is over a limit"))?;
    if !stored.id_conflict && stored.revision == 0 {
        return Ok(encoded.leaf);
    }
    mark_conflict(&mut bytes, stored.revision);
    Ok(view(&bytes)?.leaf())
}

/// Marks an encoded record as a conflicting revision; its leaf changes with it.
pub(crate) fn mark_conflict(record: &mut [u8], revision: u32) {
    record[FLAGS_AT] |= ID_CONFLICT;
    record[REVISION_AT..REVISION_AT + 4].copy_from_slice(&revision.to_be_bytes());
}

/// Borrowed view of a record's fields.
#[derive(Clone, Debug)]
pub(crate) struct View<'a> {
    pub head: &'a [u8],
    kind: EntryKind,
    flags: u8,
    revision: u32,
    received: i64,
    texts: [&'a str; 4],
    parts: Vec<(PartClass, u32, usize)>,
    body: &'a [u8],
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], RecordError> {
        let end = self.at.checked_add(count).ok_or(RecordError("length"))?;
        let taken = self
            .bytes
            .get(self.at..end)
            .ok_or(RecordError("it ends early"))?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        self.take(N)?.try_into().map_err(|_| RecordError("length"))
    }

    fn text(&mut self) -> Result<&'a str, RecordError> {
        let length = usize::from(u16::from_be_bytes(self.array()?));
        std::str::from_utf8(self.take(length)?).map_err(|_| RecordError("text is not UTF-8"))
    }
}

/// Parses a whole record: head and part bytes, nothing after them.
pub(crate) fn view(record: &[u8]) -> Result<View<'_>, RecordError> {
    let view = view_head(record)?;
    let expected: usize = view.parts.iter().map(|(_, _, length)| length).sum();
    if view.body.len() == expected {
        Ok(view)
    } else {
        Err(RecordError("length of the parts"))
    }
}

/// Parses a head; what follows it is the view's body, unchecked.
pub(crate) fn view_head(bytes: &[u8]) -> Result<View<'_>, RecordError> {
    let mut reader = Reader { bytes, at: 0 };
    let [version, kind, flags] = reader.array()?;
    if version != RECORD_VERSION {
        return Err(RecordError("unknown version"));
    }
    if flags & !(HAS_SOURCE | HAS_KEY | ID_CONFLICT) != 0 {
        return Err(RecordError("unknown flag"));
    }
    let kind = kind_of(kind)?;
    let revision = u32::from_be_bytes(reader.array()?);
    let received = i64::from_be_bytes(reader.array()?);
    let texts = [
        reader.text()?,
        reader.text()?,
        reader.text()?,
        reader.text()?,
    ];
    let count = usize::from(u16::from_be_bytes(reader.array()?));
    let table = reader.take(count * PART_ROW)?;
    let parts = table
        .chunks_exact(PART_ROW)
        .map(part_row)
        .collect::<Result<_, _>>()?;
    let (head, body) = bytes.split_at(reader.at);
    Ok(View {
        head,
        kind,
        flags,
        revision,
        received,
        texts,
        parts,
        body,
    })
}

fn part_row(row: &[u8]) -> Result<(PartClass, u32, usize), RecordError> {
    let key_id = u32::from_be_bytes([row[1], row[2], row[3], row[4]]);
    let length = u32::from_be_bytes([row[5], row[6], row[7], row[8]]);
    if key_id != 0 {
        return Err(RecordError("a sealed part in record version 1"));
    }
    let class = match row[0] {
        0 => PartClass::Plain,
        1 => PartClass::Personal,
        2 => PartClass::Url,
        3 => PartClass::Secret,
        4 => PartClass::ToolArguments,
        _ => return Err(RecordError("unknown part class")),
    };
    Ok((class, key_id, length as usize))
}

fn kind_of(code: u8) -> Result<EntryKind, RecordError> {
    Ok(match code {
        1 => EntryKind::Record,
        2 => EntryKind::Quarantined,
        3 => EntryKind::Tick,
        4 => EntryKind::Configuration,
        5 => EntryKind::Remap,
        6 => EntryKind::Audit,
        _ => return Err(RecordError("unknown kind")),
    })
}

impl<'a> View<'a> {
    /// Bytes of each part, in order.
    fn part_bytes(&self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.body;
        self.parts.iter().map(move |(_, _, length)| {
            let (part, after) = rest.split_at(*length);
            rest = after;
            part
        })
    }

    /// The RFC 6962 leaf hash of the record.
    pub(crate) fn leaf(&self) -> Hash {
        let hashes: Vec<Hash> = self
            .part_bytes()
            .map(|part| Sha256::digest(part).into())
            .collect();
        leaf_of(self.head, &hashes)
    }

    pub(crate) fn kind(&self) -> EntryKind {
        self.kind
    }

    /// Class and bytes of each part, in order.
    pub(crate) fn classed_parts(&self) -> impl Iterator<Item = (PartClass, &'a [u8])> {
        let classes = self.parts.iter().map(|(class, _, _)| *class);
        classes.zip(self.part_bytes())
    }

    /// Class and length of each part, as the head says.
    pub(crate) fn part_lengths(&self) -> impl Iterator<Item = (PartClass, usize)> {
        self.parts
            .iter()
            .map(|(class, _, length)| (*class, *length))
    }

    /// Bytes of all parts, joined.
    pub(crate) fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Key and content print for the idempotency index; `None` when the entry has no key.
    pub(crate) fn prints(&self) -> Result<Option<(u128, u128)>, RecordError> {
        let [tenant, source, key, _] = self.texts;
        if self.flags & HAS_KEY == 0 {
            return Ok(None);
        }
        let tenant = TenantId::new(tenant).map_err(|_| RecordError("tenant"))?;
        let source = self.source_name(source)?;
        // The print of the joined bytes: the parts lie one after the other.
        let content = first_16(&Sha256::digest(self.body).into());
        Ok(Some((key_print(&tenant, source.as_ref(), key), content)))
    }

    fn source_name(&self, source: &str) -> Result<Option<SourceName>, RecordError> {
        if self.flags & HAS_SOURCE == 0 {
            return Ok(None);
        }
        SourceName::new(source)
            .map(Some)
            .map_err(|_| RecordError("source"))
    }

    /// The entry, owned.
    pub(crate) fn decode(&self) -> Result<Decoded, RecordError> {
        let [tenant, source, key, note] = self.texts;
        let rows = self.parts.iter().zip(self.part_bytes());
        let parts = rows.map(|(&(class, key_id, _), bytes)| Part {
            class,
            key_id,
            bytes: bytes.to_vec(),
        });
        let entry = NewEntry {
            kind: self.kind,
            tenant: TenantId::new(tenant).map_err(|_| RecordError("tenant"))?,
            source: self.source_name(source)?,
            received: Timestamp::from_micros(self.received),
            idempotency_key: (self.flags & HAS_KEY != 0).then(|| Text::new(key)),
            note: Text::new(note),
            parts: parts.collect(),
        };
        let id_conflict = self.flags & ID_CONFLICT != 0;
        Ok(Decoded {
            entry,
            id_conflict,
            revision: self.revision,
        })
    }
}

/// Decodes a whole record. Public for the fuzz targets.
pub fn decode(record: &[u8]) -> Result<Decoded, RecordError> {
    view(record)?.decode()
}
