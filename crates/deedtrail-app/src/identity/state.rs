//! The resolver's state as bytes: a restart goes on from where it was taken.

use std::borrow::Cow;
use std::collections::BTreeMap;

use deedtrail_core::identity::{AliasRecord, CredentialRecord, Identity, Merge};
use serde::{Deserialize, Serialize};

use super::Resolver;
use super::resolver::Touched;
use super::span::Spans;

#[derive(Serialize, Deserialize)]
struct State<'a> {
    identities: Vec<Cow<'a, Identity>>,
    aliases: Vec<Cow<'a, AliasRecord>>,
    credentials: Vec<Cow<'a, CredentialRecord>>,
    merges: Vec<Cow<'a, Merge>>,
    spans: Cow<'a, Spans>,
}

impl Resolver {
    /// Everything known, as JSON. What changed since the last save is not part of it.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&State {
            identities: self.identities.values().map(Cow::Borrowed).collect(),
            aliases: self.aliases.values().map(Cow::Borrowed).collect(),
            credentials: self.credentials.values().map(Cow::Borrowed).collect(),
            merges: self.merges.values().map(Cow::Borrowed).collect(),
            spans: Cow::Borrowed(&self.spans),
        })
    }

    /// A resolver that goes on where `bytes` were made.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let state: State<'_> = serde_json::from_slice(bytes)?;
        let credentials = owned(state.credentials);
        let mut credentials_held = BTreeMap::new();
        for credential in &credentials {
            *credentials_held.entry(credential.identity).or_insert(0) += 1;
        }
        Ok(Self {
            credentials_held,
            identities: by(owned(state.identities), |identity| identity.id),
            aliases: by(owned(state.aliases), |alias| alias.uid),
            credentials: by(credentials, |credential| credential.uid),
            merges: by(owned(state.merges), |merge| (merge.merged, merge.kept)),
            spans: state.spans.into_owned(),
            merged: Vec::new(),
            touched: Touched::default(),
        })
    }
}

fn owned<T: Clone>(values: Vec<Cow<'_, T>>) -> Vec<T> {
    values.into_iter().map(Cow::into_owned).collect()
}

fn by<K: Ord, V>(values: Vec<V>, key: impl Fn(&V) -> K) -> BTreeMap<K, V> {
    values
        .into_iter()
        .map(|value| (key(&value), value))
        .collect()
}
