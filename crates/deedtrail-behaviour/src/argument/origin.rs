//! Where one value of an argument came from.

use deedtrail_core::Text;
use deedtrail_core::entity::{Entity, EntityKind};
use deedtrail_core::event::Provenance;
use deedtrail_core::time::Timestamp;

use super::memory::Memory;
use super::session::Session;
use crate::kept::Seen;

/// Most words of one argument that are looked up; they are in the order of their hashes, so these
/// are a sample.
const WORDS_MAX: usize = 32;
/// Most references and numbers of one argument that are looked up.
const REFERENCES_MAX: usize = 256;
/// Words of a free text that make it more than a name.
const NAME_WORDS_MAX: usize = 4;
/// Share of a longer text's words that come from somewhere when the text does: four of five.
const TEXT_SHARE: (usize, usize) = (4, 5);

/// Where a value came from; earlier ones are nearer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// The user asked for it.
    Request,
    /// This identity or a peer used it in an earlier session.
    History,
    /// An earlier session of it or of a peer heard of it.
    Known,
    /// Only a tool's output in this session names it.
    Output { tool: Text, at: Timestamp },
    /// Nothing this session heard of names it.
    Nowhere,
}

impl Origin {
    pub(super) const fn provenance(&self) -> Provenance {
        match self {
            Self::Request => Provenance::Request,
            Self::History => Provenance::History,
            Self::Known => Provenance::KnownEntity,
            Self::Output { .. } => Provenance::ToolOutput,
            Self::Nowhere => Provenance::Nowhere,
        }
    }

    const fn is_new(&self) -> bool {
        matches!(self, Self::Output { .. } | Self::Nowhere)
    }
}

/// What kind of value it is: references one by one, numbers and free text as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Reference(EntityKind),
    Numbers,
    /// A word or a name.
    Name,
    /// A longer text.
    Text,
}

impl Value {
    pub(super) const fn is_reference(self) -> bool {
        matches!(self, Self::Reference(_))
    }

    const fn code(self) -> u32 {
        match self {
            Self::Reference(kind) => kind as u32,
            Self::Numbers => 13,
            Self::Name => 14,
            Self::Text => 15,
        }
    }

    /// Kind and origin as one symbol, never 0; of what only an output names also the tool.
    pub(super) fn symbol(self, origin: &Origin) -> u32 {
        let (place, tool) = match origin {
            Origin::Request => (1, 0),
            Origin::History => (2, 0),
            Origin::Known => (3, 0),
            Origin::Output { tool, .. } => (4, if self.is_reference() { name(tool) } else { 0 }),
            Origin::Nowhere => (5, 0),
        };
        tool << 8 | place << 4 | self.code()
    }

    /// What it is called in a sentence.
    pub(super) const fn noun(self) -> &'static str {
        match self {
            Self::Reference(EntityKind::Email) => "an address",
            Self::Reference(EntityKind::Url) => "a URL",
            Self::Reference(EntityKind::Arn) => "an ARN",
            Self::Reference(EntityKind::Path) => "a path",
            Self::Reference(EntityKind::Host) => "a host",
            Self::Reference(EntityKind::Iban) => "an account",
            Self::Reference(_) => "an identifier",
            Self::Numbers => "a number",
            Self::Name => "a name",
            Self::Text => "a text",
        }
    }
}

/// A name as the model counts it (FNV-1a).
pub(crate) fn name(text: &str) -> u32 {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    text.bytes().fold(0x811c_9dc5, step)
}

/// What is asked about a value's origin.
#[derive(Debug)]
pub(super) struct Sources<'a> {
    pub(super) session: &'a Session,
    pub(super) own: Option<Seen<'a, Memory>>,
    pub(super) peers: Option<&'a Memory>,
}

impl Sources<'_> {
    fn origin(&self, entity: Entity) -> Origin {
        let key = entity.key();
        let memories = || [self.own.as_deref(), self.peers].into_iter().flatten();
        if self.session.in_request(key) {
            Origin::Request
        } else if memories().any(|memory| memory.used(key)) {
            Origin::History
        } else if entity.kind().is_reference() && memories().any(|memory| memory.heard(key)) {
            Origin::Known
        } else if let Some(output) = self.session.output_with(key) {
            Origin::Output {
                tool: output.tool.clone(),
                at: output.at,
            }
        } else {
            Origin::Nowhere
        }
    }

    /// Every reference with its origin, then the numbers and the free text as a whole.
    pub(super) fn values(&self, entities: &[Entity]) -> Vec<(Value, Origin)> {
        let of = |wanted: fn(EntityKind) -> bool| {
            let fits = move |one: &&Entity| wanted(one.kind());
            entities.iter().filter(fits).copied()
        };
        let references = of(EntityKind::is_reference).take(REFERENCES_MAX);
        let mut values: Vec<_> = references
            .map(|one| (Value::Reference(one.kind()), self.origin(one)))
            .collect();
        let numbers = of(|kind| kind == EntityKind::Number).take(REFERENCES_MAX);
        let farthest = numbers.map(|one| self.origin(one)).max();
        values.extend(farthest.map(|origin| (Value::Numbers, origin)));
        let words = of(|kind| kind == EntityKind::Word);
        let origins: Vec<_> = words.take(WORDS_MAX).map(|one| self.origin(one)).collect();
        values.extend(free_text(origins));
        values
    }
}

/// A name is from where its farthest word is; a text from where most of its words are.
fn free_text(origins: Vec<Origin>) -> Option<(Value, Origin)> {
    if origins.len() <= NAME_WORDS_MAX {
        return origins
            .into_iter()
            .max()
            .map(|origin| (Value::Name, origin));
    }
    let enough = |count: usize| count * TEXT_SHARE.1 >= origins.len() * TEXT_SHARE.0;
    let familiar = origins.iter().filter(|origin| !origin.is_new()).count();
    let heard = origins
        .iter()
        .filter(|origin| **origin != Origin::Nowhere)
        .count();
    let origin = if enough(familiar) {
        origins.into_iter().filter(|origin| !origin.is_new()).max()
    } else if enough(heard) {
        let output = |origin: &Origin| matches!(origin, Origin::Output { .. });
        origins.into_iter().find(output)
    } else {
        Some(Origin::Nowhere)
    };
    origin.map(|origin| (Value::Text, origin))
}
