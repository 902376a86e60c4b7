//! Things named by their id, or by the digits it begins with.

use deedtrail_core::id::{FindingId, ID_DIGITS_MIN, Id, IdentityId, SessionUid};
use deedtrail_core::port::store::{Scope, StoreError};

use crate::App;
use crate::access::Principal;
use crate::timeline::ReadingError;

/// Candidates that an error names.
const CANDIDATES_MAX: usize = 8;

impl App {
    /// The session that an id, or the digits it begins with, stands for. A whole id is taken as it
    /// is, whether there is such a session or not.
    pub fn session_named(
        &self,
        principal: &Principal,
        text: &str,
    ) -> Result<SessionUid, ReadingError> {
        principal.require(Scope::Read)?;
        let (store, tenant) = (&self.ports.store, &principal.tenant);
        let range = range("session", text)?;
        let found = store.sessions_within(tenant, &range, CANDIDATES_MAX + 1)?;
        only("session", text, &found, |uid| {
            let session = store.session(tenant, uid)?;
            Ok(session.map(|it| format!("{} in {}", it.actor, it.systems.join(", "))))
        })
    }

    /// The finding that an id, or the digits it begins with, stands for; likewise.
    pub fn finding_named(
        &self,
        principal: &Principal,
        text: &str,
    ) -> Result<FindingId, ReadingError> {
        principal.require(Scope::Read)?;
        let store = &self.ports.store;
        let range = range("finding", text)?;
        let found = store.findings_within(&range, CANDIDATES_MAX + 1)?;
        only("finding", text, &found, |id| {
            Ok(store.finding(id)?.map(|it| it.draft.title))
        })
    }

    /// Identities whose ids begin with these digits, merges followed; none where they are no digits
    /// of an id.
    pub(crate) fn identities_beginning(&self, digits: &str) -> Result<Vec<IdentityId>, StoreError> {
        let Some(range) = IdentityId::beginning_with(digits) else {
            return Ok(Vec::new());
        };
        let store = &self.ports.store;
        let mut ids = Vec::new();
        for id in store.identities_within(&range, CANDIDATES_MAX + 1)? {
            ids.extend(store.identity(id)?.map(|identity| identity.id));
        }
        Ok(ids)
    }
}

fn range<K>(
    what: &'static str,
    text: &str,
) -> Result<std::ops::RangeInclusive<Id<K>>, ReadingError> {
    Id::beginning_with(text).ok_or_else(|| ReadingError::NotAnId {
        what,
        text: text.to_owned(),
    })
}

/// The one that was found; `describe` tells candidates apart.
fn only<K>(
    what: &'static str,
    text: &str,
    found: &[Id<K>],
    describe: impl Fn(Id<K>) -> Result<Option<String>, StoreError>,
) -> Result<Id<K>, ReadingError> {
    if let Ok(whole) = text.parse() {
        return Ok(whole);
    }
    match found {
        [] => Err(ReadingError::NoIdBegins {
            what,
            digits: text.to_owned(),
        }),
        [one] => Ok(*one),
        many => {
            let mut candidates = String::new();
            for id in many.iter().take(CANDIDATES_MAX) {
                let described = describe(*id)?.unwrap_or_default();
                candidates.push_str(&format!("\n  {id}  {described}"));
            }
            if many.len() > CANDIDATES_MAX {
                candidates.push_str("\n  and more");
            }
            Err(ReadingError::ManyIdsBegin {
                what,
                digits: text.to_owned(),
                candidates,
            })
        }
    }
}

/// Whether `text` is an id or enough digits of one.
pub(crate) fn begins(id: IdentityId, text: &str) -> bool {
    text.len() >= ID_DIGITS_MIN && id.to_string().starts_with(text)
}
