//! Identities, their aliases, credentials and owners.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Text;
use crate::event::{ActorKind, CredentialKind, Environment};
use crate::id::{AliasUid, CredentialUid, IdentityId, TenantId};
use crate::time::Timestamp;
use crate::tools::ToldTools;

/// State of an identity's account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityStatus {
    #[default]
    Active,
    Disabled,
    Deleted,
}

/// A human or non-human identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    pub id: IdentityId,
    pub tenant: TenantId,
    pub kind: ActorKind,
    pub name: Text,
    pub status: IdentityStatus,
    /// First seen in events only; nobody has declared it.
    pub discovered: bool,
    /// The alias whose hash the id is.
    pub first_alias: AliasUid,
    pub created: Option<Timestamp>,
    pub first_seen: Option<Timestamp>,
    pub last_seen: Option<Timestamp>,
    #[serde(flatten)]
    pub declared: Declared,
}

/// What is declared of an identity: by people (import), and, where it says so, by an inventory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Declared {
    /// Kind and name by declaration; they win over what events say.
    pub declared_kind: Option<ActorKind>,
    pub declared_name: Option<Text>,
    pub owner: Option<Text>,
    pub backup_owner: Option<Text>,
    pub owner_since: Option<Timestamp>,
    /// Set when the owner left; the identity is orphaned since then.
    pub orphaned_since: Option<Timestamp>,
    pub department: Option<Text>,
    pub environment: Environment,
    /// What it is for, one sentence.
    pub purpose: Option<Text>,
    /// `employee`, `contractor`, `vendor` …
    pub employment: Option<Text>,
    pub manager: Option<Text>,
    /// Tools an agent may call, as people say; see [`Declared::tools`].
    pub declared_tools: Vec<Text>,
    /// When an import said so.
    pub declared_tools_since: Option<Timestamp>,
    /// Tools an agent has by what feeds say (Defender `AgentsInfo`, MCP tool lists).
    #[serde(skip_serializing_if = "ToldTools::is_empty")]
    pub told_tools: ToldTools,
    /// Read-only by declaration: writes are departures.
    pub read_only: bool,
    /// Workload the identity serves, and since when that workload is gone.
    pub workload: Option<Text>,
    pub workload_gone_since: Option<Timestamp>,
    pub tags: BTreeMap<Text, Text>,
}

impl Declared {
    /// The tools that count as declared: those that people name, else those that feeds tell of.
    /// A charter with `tools` goes before both.
    pub fn tools(&self) -> &[Text] {
        if self.declared_tools.is_empty() {
            &self.told_tools.names
        } else {
            &self.declared_tools
        }
    }

    /// The tools that a call in `system` is compared with: [`Declared::tools`], but of those that feeds
    /// tell of none unless they speak for that system. The list of one server says nothing of another.
    pub fn tools_at(&self, system: &str) -> &[Text] {
        if self.declared_tools.is_empty() && !self.told_tools.speak_for(system) {
            return &[];
        }
        self.tools()
    }

    /// Who says which tools are declared, and when: an import, or feeds. Empty without any.
    pub fn tools_told_by(&self) -> String {
        let day = |at: Timestamp| at.to_string().chars().take(10).collect::<String>();
        if !self.declared_tools.is_empty() {
            let since = self.declared_tools_since.map(day);
            return since.map_or_else(|| "import".to_owned(), |day| format!("import of {day}"));
        }
        let mut sources: BTreeMap<&Text, (usize, Timestamp)> = BTreeMap::new();
        for list in &self.told_tools.lists {
            let known = sources.entry(&list.source).or_insert((0, list.told));
            *known = (known.0 + 1, known.1.max(list.told));
        }
        let said = sources
            .into_iter()
            .map(|(source, (lists, told))| match lists {
                1 => format!("{source}, {}", day(told)),
                lists => format!("{source}, {lists} lists, the last {}", day(told)),
            });
        said.collect::<Vec<_>>().join("; ")
    }

    /// Whether people have said anything.
    pub fn is_blank(&self) -> bool {
        let told = Self {
            told_tools: self.told_tools.clone(),
            ..Self::default()
        };
        *self == told
    }
}

/// A reference that leads to an identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasRecord {
    pub uid: AliasUid,
    pub identity: IdentityId,
    pub namespace: Text,
    pub value: Text,
    /// Why it leads there: `first seen in okta.system`, `same record as email:…`, `import`.
    pub evidence: Text,
    pub first_seen: Option<Timestamp>,
    pub last_seen: Option<Timestamp>,
}

/// A key, token, certificate or grant; its value is never known here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialRecord {
    pub uid: CredentialUid,
    pub identity: IdentityId,
    pub kind: CredentialKind,
    /// The vendor's public id, e.g. an access key id.
    pub reference: Text,
    pub system: Text,
    pub created: Option<Timestamp>,
    pub last_rotated: Option<Timestamp>,
    pub expires: Option<Timestamp>,
    pub revoked: Option<Timestamp>,
    pub first_used: Option<Timestamp>,
    pub last_used: Option<Timestamp>,
    pub uses: u64,
    /// Workloads and networks it was used from (at most 32).
    pub used_from: Vec<Text>,
}

/// A merge of two identities: recorded, reversible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merge {
    pub kept: IdentityId,
    pub merged: IdentityId,
    /// The rule that said so, in words.
    pub reason: Text,
    pub at: Timestamp,
    /// What moved to `kept`, and moves back when the merge is undone.
    pub aliases: Vec<AliasUid>,
    pub credentials: Vec<CredentialUid>,
    /// Set when the merge was undone; the two are then never merged by rule again.
    pub undone: Option<Timestamp>,
}
