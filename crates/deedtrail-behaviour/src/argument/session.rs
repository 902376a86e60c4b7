//! What an open session heard of and used so far.

use deedtrail_core::Text;
use deedtrail_core::entity::{Entity, EntityKind, Mention, Place};
use deedtrail_core::id::IdentityId;
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::limits::GROUP_BYTES_MAX;

/// Most entities of requests and outputs held for one session. Beyond it only references are, and
/// beyond twice as many nothing is: what comes later has no known origin.
const HEARD_MAX: usize = 16_384;
/// Most outputs held apart; the last one takes what comes beyond.
const OUTPUTS_MAX: usize = 256;
/// Most values of arguments of one session that are learned, and most entities of them.
const LESSONS_MAX: usize = 4_096;
const USED_MAX: usize = 16_384;

/// What one tool answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Output {
    /// Empty if the record does not tell.
    pub(super) tool: Text,
    pub(super) at: Timestamp,
    keys: Vec<u64>,
}

/// Names of a place for an argument's value, as the model counts it: tool, argument, whether the
/// job was done before; and the symbol of kind and origin.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Lesson {
    pub(super) tool: u32,
    pub(super) argument: u32,
    pub(super) job: u32,
    pub(super) symbol: u32,
}

/// An open session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Session {
    pub(super) identity: IdentityId,
    pub(super) group: Text,
    pub(super) day: u16,
    /// Calls so far.
    pub(super) calls: u32,
    /// What was asked for, without the numbers and references in it.
    pub(super) job: Option<u64>,
    request: Vec<u64>,
    outputs: Vec<Output>,
    heard: usize,
    used: Vec<u64>,
    lessons: Vec<Lesson>,
}

impl Session {
    pub(super) fn new(identity: IdentityId, group: &str) -> Self {
        Self {
            identity,
            group: group_name(group),
            day: 0,
            calls: 0,
            job: None,
            request: Vec::new(),
            outputs: Vec::new(),
            heard: 0,
            used: Vec::new(),
            lessons: Vec::new(),
        }
    }

    pub(super) fn asked(&self) -> bool {
        !self.request.is_empty()
    }

    pub(super) fn in_request(&self, key: u64) -> bool {
        self.request.binary_search(&key).is_ok()
    }

    /// The first output that names a key.
    pub(super) fn output_with(&self, key: u64) -> Option<&Output> {
        let names = |output: &&Output| output.keys.binary_search(&key).is_ok();
        self.outputs.iter().find(names)
    }

    /// Entities held.
    pub(super) fn entities(&self) -> usize {
        self.heard + self.used.len()
    }

    /// Takes in what an event's texts name, as far as there is `room` for entities.
    pub(super) fn hear(&mut self, mentions: &[Mention], at: Timestamp, room: usize) {
        for mention in mentions {
            match mention.place {
                Place::Request => self.request(&mention.entities, room),
                Place::ToolOutput => self.output(mention, at, room),
                Place::Argument => {}
            }
        }
    }

    fn request(&mut self, entities: &[Entity], room: usize) {
        self.job = self.job.or_else(|| job(entities));
        let new = self.kept(entities, room);
        self.request.extend(new);
        self.request.sort_unstable();
        self.request.dedup();
    }

    fn output(&mut self, mention: &Mention, at: Timestamp, room: usize) {
        let keys = self.kept(&mention.entities, room);
        let full = self.outputs.len() >= OUTPUTS_MAX;
        match self.outputs.last_mut() {
            Some(last) if full => {
                last.keys.extend(keys);
                last.keys.sort_unstable();
            }
            _ => self.outputs.push(Output {
                tool: mention.name.clone(),
                at,
                keys,
            }),
        }
    }

    /// The keys there is room for.
    fn kept(&mut self, entities: &[Entity], room: usize) -> Vec<u64> {
        let all = self.heard < room.min(HEARD_MAX);
        let references = self.heard < 2 * room.min(HEARD_MAX);
        let fits = |one: &&Entity| all || references && one.kind().is_reference();
        let keys: Vec<u64> = entities.iter().filter(fits).map(|one| one.key()).collect();
        self.heard += keys.len();
        keys
    }

    /// Notes an argument's value.
    pub(super) fn note(&mut self, entities: &[Entity], lessons: &[Lesson]) {
        if self.lessons.len() < LESSONS_MAX && self.used.len() < USED_MAX {
            self.used.extend(entities.iter().map(|one| one.key()));
            self.lessons.extend_from_slice(lessons);
        }
    }

    pub(super) fn lessons(&self) -> &[Lesson] {
        &self.lessons
    }

    /// What was an argument, sorted and distinct.
    pub(super) fn take_used(&mut self) -> Vec<u64> {
        distinct(std::mem::take(&mut self.used))
    }

    /// The references and the job it heard of, sorted and distinct.
    pub(super) fn take_heard(&mut self) -> Vec<u64> {
        let outputs = self.outputs.iter().flat_map(|output| &output.keys);
        let all = self.request.iter().chain(outputs).copied();
        let references = all.filter(|key| is_reference(*key));
        distinct(references.chain(self.job).collect())
    }
}

/// The name peers are kept under, cut where it is too long.
pub(crate) fn group_name(name: &str) -> Text {
    let cut = name.floor_char_boundary(GROUP_BYTES_MAX);
    Text::new(name.get(..cut).unwrap_or_default())
}

fn distinct(mut keys: Vec<u64>) -> Vec<u64> {
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Whether a key is that of a reference: [`Entity::key`] has the kind in its lowest bits.
fn is_reference(key: u64) -> bool {
    let kind = usize::try_from(key & 0xf).unwrap_or_default();
    EntityKind::ALL
        .get(kind)
        .is_some_and(|kind| kind.is_reference())
}

/// Marks the key of a job: no kind of entity has these bits.
const JOB: u64 = 0xf;

/// What a request asks for, whatever it is asked about: its words, without numbers and references.
pub(crate) fn job(entities: &[Entity]) -> Option<u64> {
    let words = entities.iter().filter(|one| one.kind() == EntityKind::Word);
    let mix = |hash: u64, one: &Entity| {
        let next = (hash ^ one.key()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        next ^ (next >> 29)
    };
    let mut words = words.peekable();
    words.peek()?;
    Some(words.fold(0x243f_6a88_85a3_08d3, mix) | JOB)
}
