//! Reading: one identity's trail, one event with its raw record and proof.

use deedtrail_core::Text;
use deedtrail_core::custody::{Act, Subject, SubjectKind};
use deedtrail_core::event::Event;
use deedtrail_core::id::{AliasUid, EventUid, FindingId, ID_DIGITS_MIN, IdentityId, SessionUid};
use deedtrail_core::identity::{AliasRecord, CredentialRecord, Identity};
use deedtrail_core::limits::NOTE_CHARACTERS_MAX;
use deedtrail_core::port::archive::{ArchiveError, Cursor, EventFilter};
use deedtrail_core::port::log::{AppendError, EntryProof, PartClass, ReadError, Sequence};
use deedtrail_core::port::store::{IdentityFilter, Scope, StoreError};
use deedtrail_core::time::Timestamp;

use crate::App;
use crate::access::{Denied, Principal};
use crate::custody::Deed;
use crate::source_name::{did_you_mean, nearest};

/// Most identities that are named when several are meant; the others are counted.
const NAMED_MAX: usize = 10;
/// Identities whose names and aliases are compared with a name that nobody has.
const NEAR_LOOKED_AT_MAX: usize = 1_000;

/// What may be the reason that there are no events.
fn left_out(at: Option<Timestamp>) -> String {
    at.map_or_else(String::new, |at| {
        format!(
            "; older ones left the archive on {at} by its retention, and the log still has them: raise \
             `[retention]`, restart, run `deedtrail rebuild`"
        )
    })
}

#[derive(Debug, thiserror::Error)]
pub enum ReadingError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Log(#[from] ReadError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(
        "nobody is called `{who}`; try an e-mail, ARN, login or id from `deedtrail identity list`{}",
        did_you_mean(near)
    )]
    Nobody {
        who: String,
        /// Names that come close, the nearest first.
        near: Vec<Text>,
    },
    #[error("say who: an e-mail, ARN, login, name or id")]
    Unnamed,
    #[error("`{who}` may be {count} identities: {names}; use one of these names or ids")]
    Ambiguous {
        who: String,
        count: usize,
        names: String,
    },
    #[error(
        "nobody is called exactly `{who}`, and what is recorded of somebody takes no part of a name; \
         did you mean {found}? Use a whole name, alias or id"
    )]
    PartOfName { who: String, found: String },
    #[error(
        "there are more than {limit} events; the newest {limit} are those `--from {from}`, and \
         `--to {from}` asks for what is older"
    )]
    TooMany { limit: usize, from: Timestamp },
    #[error("{title}: no events in range{}", left_out(*.left))]
    NoEvents {
        title: String,
        /// When events last left the archive by its retention, if they ever did.
        left: Option<Timestamp>,
    },
    #[error(
        "entry {0} is no quarantined record; `deedtrail quarantine list` names those there are"
    )]
    NotQuarantined(Sequence),
    #[error(
        "`{text}` is no id of a {what}: 32 hex digits, or the first {ID_DIGITS_MIN} or more of them; \
         `deedtrail {what} list` shows them"
    )]
    NotAnId { what: &'static str, text: String },
    #[error("no id of a {what} begins with {digits}; `deedtrail {what} list` shows them")]
    NoIdBegins { what: &'static str, digits: String },
    #[error("{digits} begins more than one id of a {what}; give more digits:{candidates}")]
    ManyIdsBegin {
        what: &'static str,
        digits: String,
        /// One on each line.
        candidates: String,
    },
    #[error("no event has the id {0}")]
    NoEvent(EventUid),
    #[error(
        "no session has the id {id}; `deedtrail session list` shows them{}",
        did_you_mean(near)
    )]
    NoSession {
        id: SessionUid,
        /// Ids that come close, the nearest first.
        near: Vec<SessionUid>,
    },
    #[error("no finding has the id {0}")]
    NoFinding(FindingId),
    #[error(
        "`{0}` is no disposition; use one of benign, coerced, intrusion, misuse, drift, control_gap"
    )]
    UnknownDisposition(String),
    #[error(
        "say what it was to close a finding: its disposition is benign, coerced, intrusion, misuse, \
         drift or control_gap"
    )]
    NoDisposition,
    #[error(
        "nobody in the list of insider risk is called `{0}`; who has no open departure left is no longer in it"
    )]
    NoPerson(String),
    #[error("say why, in 1 to {NOTE_CHARACTERS_MAX} characters: it is recorded with your name")]
    NoReason,
    #[error(
        "the note is over {NOTE_CHARACTERS_MAX} characters; write the rest elsewhere and name it here"
    )]
    LongNote,
}

/// An identity with all that leads to it.
#[derive(Clone, Debug)]
pub struct IdentityFile {
    pub identity: Identity,
    pub aliases: Vec<AliasRecord>,
    pub credentials: Vec<CredentialRecord>,
}

impl IdentityFile {
    /// Whether `who` is its id, its name or a whole alias, not just a part of one.
    pub fn is_called(&self, who: &str) -> bool {
        let folded = who.to_lowercase();
        let is = |text: &str| text.to_lowercase() == folded;
        crate::named::begins(self.identity.id, &folded)
            || is(&self.identity.name)
            || self.aliases.iter().any(|alias| {
                is(&alias.value) || is(&format!("{}:{}", alias.namespace, alias.value))
            })
    }
}

/// An event with the record it was made from.
#[derive(Clone, Debug)]
pub struct EventFile {
    pub event: Event,
    pub record: Vec<u8>,
    /// `None` while the entry is newer than the newest checkpoint.
    pub proof: Option<EntryProof>,
}

impl App {
    /// Finds one identity by id, alias value, name, or the digits its id begins with.
    pub fn find_identity(
        &self,
        principal: &Principal,
        who: &str,
    ) -> Result<IdentityFile, ReadingError> {
        principal.require(Scope::Read)?;
        if who.trim().is_empty() {
            return Err(ReadingError::Unnamed);
        }
        let store = &self.ports.store;
        if let Ok(id) = who.parse::<IdentityId>()
            && let Some(identity) = store.identity(id)?
            && identity.tenant == principal.tenant
        {
            return self.identity_file(identity);
        }
        let named = who.split_once(':').filter(|(n, _)| is_namespace(n));
        let (namespace, value) = named.map_or((None, who), |(n, value)| (Some(n), value));
        let mut aliases = store.find_alias(value)?;
        if aliases.iter().any(|a| Some(&*a.namespace) == namespace) {
            aliases.retain(|a| Some(&*a.namespace) == namespace);
        }
        let ids = aliases.iter().map(|alias| alias.identity).collect();
        let mut ids = self.own_identities(principal, ids)?;
        if ids.is_empty() {
            let (exact, like) = self.called_like(principal, who)?;
            if !exact {
                ids = self.own_identities(principal, self.identities_beginning(who)?)?;
            }
            if ids.is_empty() {
                ids = like;
            }
        }
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            let near = self.called_nearly(principal, who)?;
            let who = who.to_owned();
            return Err(ReadingError::Nobody { who, near });
        }
        self.only_identity(who, &ids)
    }

    /// As [`App::find_identity`], for what is recorded of somebody: a part of a name is not enough,
    /// even where only one has it.
    pub fn find_identity_called(
        &self,
        principal: &Principal,
        who: &str,
    ) -> Result<IdentityFile, ReadingError> {
        let file = self.find_identity(principal, who)?;
        if file.is_called(who) {
            return Ok(file);
        }
        let found = format!("{} ({})", file.identity.name, file.identity.id);
        let who = who.to_owned();
        Err(ReadingError::PartOfName { who, found })
    }

    /// Those of the principal's tenant: of others it is not said that they are there.
    fn own_identities(
        &self,
        principal: &Principal,
        ids: Vec<IdentityId>,
    ) -> Result<Vec<IdentityId>, StoreError> {
        let mut own = Vec::with_capacity(ids.len());
        for id in ids {
            let identity = self.ports.store.identity(id)?;
            own.extend(identity.filter(|it| it.tenant == principal.tenant));
        }
        Ok(own.into_iter().map(|identity| identity.id).collect())
    }

    /// Names and aliases that come close, of those who acted last.
    fn called_nearly(&self, principal: &Principal, who: &str) -> Result<Vec<Text>, StoreError> {
        let store = &self.ports.store;
        let mut known = store.identities(&IdentityFilter {
            limit: Some(NEAR_LOOKED_AT_MAX),
            ..IdentityFilter::default()
        })?;
        known.retain(|identity| identity.tenant == principal.tenant);
        let mut names = Vec::new();
        for identity in known {
            let aliases = store.aliases_of(identity.id)?.into_iter();
            names.extend(aliases.map(|alias| alias.value));
            names.push(identity.name);
        }
        names.sort_unstable();
        names.dedup();
        Ok(nearest(who, names, |name| name.as_str()))
    }

    /// Those with exactly this name, else those with it in their name or an alias; and which of the
    /// two they are. Whose owner has it is somebody else.
    fn called_like(
        &self,
        principal: &Principal,
        who: &str,
    ) -> Result<(bool, Vec<IdentityId>), StoreError> {
        let filter = IdentityFilter {
            text: Some(who.to_owned()),
            ..IdentityFilter::default()
        };
        let mut found = self.ports.store.identities(&filter)?;
        found.retain(|identity| identity.tenant == principal.tenant);
        let folded = who.to_lowercase();
        let exact = found.iter().any(|one| one.name.to_lowercase() == folded);
        if exact {
            found.retain(|one| one.name.to_lowercase() == folded);
        }
        let mut ids = Vec::with_capacity(found.len());
        for identity in found {
            if identity.name.to_lowercase().contains(&folded)
                || self.has_alias_like(identity.id, &folded)?
            {
                ids.push(identity.id);
            }
        }
        Ok((exact, ids))
    }

    fn has_alias_like(&self, id: IdentityId, folded: &str) -> Result<bool, StoreError> {
        let aliases = self.ports.store.aliases_of(id)?;
        let mut values = aliases.iter().map(|alias| alias.value.to_lowercase());
        Ok(values.any(|value| value.contains(folded)))
    }

    fn only_identity(&self, who: &str, ids: &[IdentityId]) -> Result<IdentityFile, ReadingError> {
        let mut found = Vec::new();
        for id in ids.iter().take(NAMED_MAX) {
            found.extend(self.ports.store.identity(*id)?);
        }
        match found.len() {
            0 => Err(ReadingError::Nobody {
                who: who.to_owned(),
                near: Vec::new(),
            }),
            1 => self.identity_file(found.remove(0)),
            shown => {
                let mut names = Vec::new();
                for identity in &found {
                    names.push(self.told_apart(identity)?);
                }
                if ids.len() > shown {
                    names.push(format!("and {} more", ids.len() - shown));
                }
                Err(ReadingError::Ambiguous {
                    who: who.to_owned(),
                    count: ids.len(),
                    names: names.join(", "),
                })
            }
        }
    }

    /// The alias an identity was found by, and its id: names may be shared.
    fn told_apart(&self, identity: &Identity) -> Result<String, StoreError> {
        let alias = self.ports.store.alias(identity.first_alias)?;
        Ok(match alias {
            Some(alias) => format!("{}:{} ({})", alias.namespace, alias.value, identity.id),
            None => format!("{} ({})", identity.name, identity.id),
        })
    }

    pub(crate) fn identity_file(&self, identity: Identity) -> Result<IdentityFile, ReadingError> {
        Ok(IdentityFile {
            aliases: self.ports.store.aliases_of(identity.id)?,
            credentials: self.ports.store.credentials_of(identity.id)?,
            identity,
        })
    }

    /// Events of one identity, newest first.
    pub fn timeline(
        &self,
        principal: &Principal,
        file: &IdentityFile,
        (from, to): (Option<Timestamp>, Option<Timestamp>),
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Vec<Event>, ReadingError> {
        principal.require(Scope::Read)?;
        let filter = EventFilter {
            tenant: principal.tenant.clone(),
            aliases: alias_uids(file),
            from,
            to,
            ..EventFilter::default()
        };
        Ok(self.ports.archive.events(&filter, cursor, limit)?)
    }

    /// One event, secrets taken out, with its raw record and, once checkpointed, its proof. The
    /// record is for reading by programs: [`App::masked`] is what is shown of it. It is taken down
    /// who opened it.
    pub fn event_file(
        &self,
        principal: &Principal,
        uid: EventUid,
    ) -> Result<EventFile, ReadingError> {
        principal.require(Scope::Read)?;
        let filter = EventFilter {
            tenant: principal.tenant.clone(),
            uids: vec![uid],
            ..EventFilter::default()
        };
        let event = self.ports.archive.events(&filter, None, 1)?.pop();
        let event = event.ok_or(ReadingError::NoEvent(uid))?;
        let stored = self.ports.log.read(event.log_seq, 1)?;
        let record = stored.first().map(|entry| entry.bytes().into_owned());
        let record = record.ok_or(ReadError::Missing(event.log_seq))?;
        let event = self.without_sensitive(event, &record, &[PartClass::Secret]);
        let proof = self.ports.log.prove(event.log_seq).ok();
        self.viewed(principal, Subject::new(SubjectKind::Event, uid));
        Ok(EventFile {
            event,
            record,
            proof,
        })
    }
}

impl App {
    /// The record of an event with its secrets, for administrators; it is recorded who saw it.
    pub fn reveal<'a>(
        &self,
        principal: &Principal,
        file: &'a EventFile,
    ) -> Result<&'a [u8], ReadingError> {
        principal.require(Scope::Admin)?;
        let event = Subject::new(SubjectKind::Event, file.event.event_uid);
        let deed = Deed {
            act: Act::Reveal,
            what: "secrets revealed",
            on: &event.id,
            about: std::slice::from_ref(&event),
        };
        self.audit(principal, &deed)?;
        Ok(&file.record)
    }
}

/// Every alias of an identity, for an [`EventFilter`]. Never empty, which would mean everyone: an
/// identity without aliases gets one that nobody has.
pub fn alias_uids(file: &IdentityFile) -> Vec<AliasUid> {
    if file.aliases.is_empty() {
        return vec![AliasUid::from_bytes([0; 16])];
    }
    file.aliases.iter().map(|alias| alias.uid).collect()
}

fn is_namespace(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.'))
}
