//! Whom a charter names that nobody is called like, and who is called nearly so.

use std::collections::BTreeSet;

use deedtrail_core::port::store::{IdentityFilter, StoreError};
use serde::Serialize;

use crate::App;
use crate::access::Principal;

/// Known names told beside one that is not.
const NEAR_MAX: usize = 3;
/// Names of a charter looked at.
const WRITTEN_MAX: usize = 16;
/// Longest name compared, characters.
const COMPARED_CHARACTERS_MAX: usize = 200;

/// A name in a charter that leads to nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unknown {
    /// As the charter has it.
    pub written: String,
    /// Aliases that are known and come close, the closest first.
    pub near: Vec<String>,
}

impl App {
    /// For each name of a charter the known ones that come close.
    pub(super) fn nearly_called(
        &self,
        principal: &Principal,
        written: &[String],
    ) -> Result<Vec<Unknown>, StoreError> {
        let store = &self.ports.store;
        let identities = store.identities(&IdentityFilter::default())?;
        let own: BTreeSet<_> = identities
            .iter()
            .filter(|identity| identity.tenant == principal.tenant)
            .map(|identity| identity.id)
            .collect();
        let aliases = store.aliases()?.into_iter();
        let aliases = aliases.filter(|alias| own.contains(&alias.identity));
        let mut known: Vec<String> = aliases
            .map(|alias| format!("{}:{}", alias.namespace, alias.value))
            .collect();
        let names = identities.iter().filter(|one| own.contains(&one.id));
        known.extend(names.map(|one| format!("identity:{}", one.name)));
        let written = written.iter().take(WRITTEN_MAX);
        let unknown = written.map(|written| Unknown {
            written: written.clone(),
            near: nearest(written, &known),
        });
        Ok(unknown.collect())
    }
}

/// The known names that come closest: the same value in another namespace, else few letters away.
fn nearest(written: &str, known: &[String]) -> Vec<String> {
    let wanted = Name::of(written);
    let mut near: Vec<(usize, &String)> = known
        .iter()
        .filter_map(|known| Some((wanted.distance(&Name::of(known))?, known)))
        .collect();
    near.sort();
    near.dedup();
    let shown = near.into_iter().take(NEAR_MAX);
    shown.map(|(_, known)| known.clone()).collect()
}

/// A name made ready to be compared.
struct Name {
    value: Vec<char>,
    whole: Vec<char>,
}

impl Name {
    fn of(text: &str) -> Self {
        let letters = |text: &str| -> Vec<char> {
            let plain = text.chars().filter(|letter| *letter != '*');
            let lower = plain.flat_map(char::to_lowercase);
            lower.take(COMPARED_CHARACTERS_MAX).collect()
        };
        let value = text.split_once(':').map_or(text, |(_, value)| value);
        Self {
            value: letters(value),
            whole: letters(text),
        }
    }

    /// How far away another name is; `None` when it is another name.
    fn distance(&self, other: &Self) -> Option<usize> {
        if self.value == other.value {
            return Some(0);
        }
        let far = (self.whole.len() / 3).clamp(2, 12);
        if self.whole.len().abs_diff(other.whole.len()) > far {
            return None;
        }
        let away = letters_apart(&self.whole, &other.whole, far)?;
        Some(away + 1)
    }
}

/// Letters to be added, taken away or replaced to make one of the other, if not more than `far`.
fn letters_apart(left: &[char], right: &[char], far: usize) -> Option<usize> {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (place, letter) in left.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = place + 1;
        for (column, other) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
        if row.iter().min().is_some_and(|least| *least > far) {
            return None;
        }
    }
    row.last().copied().filter(|away| *away <= far)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_lead_to_who_was_meant_and_strangers_to_nobody() {
        let known = [
            "aws.arn:arn:aws:iam::111122223333:role/ci-deployer",
            "email:ana@example.com",
            "github.login:ci-deployer",
            "identity:ci-deployer",
        ]
        .map(str::to_owned);
        let near = |written| nearest(written, &known);
        assert_eq!(
            near("okta.login:ana@example.com"),
            ["email:ana@example.com"]
        );
        assert_eq!(near("email:anna@example.com"), ["email:ana@example.com"]);
        assert_eq!(
            near("aws.arn:arn:aws:iam::111122223333:role/ci-deployr"),
            ["aws.arn:arn:aws:iam::111122223333:role/ci-deployer"]
        );
        assert_eq!(
            near("github.login:ci-deployer*"),
            ["github.login:ci-deployer", "identity:ci-deployer"]
        );
        assert_eq!(near("slack.id:U0123456789"), Vec::<String>::new());
        assert_eq!(near("<script>"), Vec::<String>::new());
    }
}
