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
        let found = store.findings_within(&principal.tenant, &range, CANDIDATES_MAX + 1)?;
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
                candidates.extend(["\n  ", &id.to_string(), "  ", &described]);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> SessionUid {
        text.parse().unwrap()
    }

    fn named(text: &str, found: &[SessionUid]) -> Result<SessionUid, ReadingError> {
        only("session", text, found, |uid| {
            let digits: String = uid.to_string().chars().take(8).collect();
            Ok(Some(format!("about {digits}")))
        })
    }

    #[test]
    fn enough_digits_name_one_and_too_few_name_the_candidates() {
        let one = id("abcdef00000000000000000000000000");
        let other = id("abcdef11111111111111111111111111");
        assert_eq!(named("abcdef0", &[one]).unwrap(), one);
        assert_eq!(named(&one.to_string(), &[]).unwrap(), one, "a whole id");
        let error = named("abcdef", &[one, other]).unwrap_err().to_string();
        assert!(error.contains("more than one id of a session"), "{error}");
        assert!(
            error.contains(&format!("\n  {one}  about abcdef00")),
            "{error}"
        );
        assert!(error.contains(&other.to_string()), "{error}");
        assert!(!error.contains("and more"), "{error}");
        let none = named("abcdef", &[]).unwrap_err().to_string();
        assert!(none.contains("deedtrail session list"), "{none}");
    }

    #[test]
    fn an_error_names_no_more_than_it_can_show() {
        let many: Vec<SessionUid> = (0..=CANDIDATES_MAX)
            .map(|number| id(&format!("abcdef{number:026x}")))
            .collect();
        let error = named("abcdef", &many).unwrap_err().to_string();
        assert_eq!(error.lines().count(), 1 + CANDIDATES_MAX + 1, "{error}");
        assert!(error.ends_with("and more"), "{error}");
    }

    #[test]
    fn what_is_no_beginning_of_an_id_is_said() {
        for text in ["", "abc", "abcdeG", "ABCDEF", "\u{202e}abcdef"] {
            let error = range::<deedtrail_core::id::kind::Session>("finding", text);
            let error = error.unwrap_err().to_string();
            assert!(error.contains("the first 6 or more"), "{error}");
        }
    }
}
