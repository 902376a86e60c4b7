//! Whether records of a source are behavioural telemetry: who acted is named, what is expected is
//! known, and there is a threshold.

use std::collections::BTreeMap;

use deedtrail_core::behaviour::IdentityBehaviour;
use deedtrail_core::health::SourceHealth;
use deedtrail_core::id::SourceName;
use deedtrail_core::port::store::{BehaviourOrder, Scope};
use deedtrail_detect::fact;
use serde::Serialize;

use crate::App;
use crate::access::Principal;
use crate::timeline::ReadingError;

/// Identities looked at, the latest active.
const IDENTITIES_MAX: usize = 20_000;
/// Share of events that must name who acted.
const ACTOR_SHARE_MIN: f64 = 0.9;
/// Share of identities of which what is expected must be known, and that must have a threshold.
const IDENTITY_SHARE_MIN: f64 = 0.5;

/// What a source lacks to be behavioural.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lack {
    /// Its events do not say who acted.
    Actor,
    /// Of those who act there, neither a charter nor enough learned sessions say what is expected.
    Sequence,
    /// There are too few judged sessions to say what is rare.
    Threshold,
}

impl Lack {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Actor => "actor",
            Self::Sequence => "sequence",
            Self::Threshold => "threshold",
        }
    }

    /// What is missing, and what helps.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Actor => {
                "who acted is missing in more than a tenth of its events: see its mapping, or what \
                 the vendor can be told to log"
            }
            Self::Sequence => {
                "of most identities there nobody knows what is expected: approve a charter, or let \
                 20 sessions of each be learned"
            }
            Self::Threshold => {
                "most identities there have no threshold yet: 50 sessions have to be judged first"
            }
        }
    }
}

/// One source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceReadiness {
    pub source: SourceName,
    pub events: u64,
    /// Share of events that name who acted, 0 to 1.
    pub actor_share: f64,
    /// Identities that acted there.
    pub identities: usize,
    /// Of them, those of which what is expected is known.
    pub with_sequence: usize,
    /// Of them, those with a threshold.
    pub with_threshold: usize,
    /// Empty: its records are behavioural telemetry.
    pub lacks: Vec<Lack>,
}

impl SourceReadiness {
    fn of(health: &SourceHealth, identities: &[&IdentityBehaviour]) -> Self {
        let unnamed = health.missing.get("actor").copied().unwrap_or(0);
        let named = health.events.saturating_sub(unnamed);
        let expected = |known: &&&IdentityBehaviour| known.chartered || known.readiness.sequence;
        let mut it = Self {
            source: health.source.clone(),
            events: health.events,
            actor_share: share(named, health.events),
            identities: identities.len(),
            with_sequence: identities.iter().filter(expected).count(),
            with_threshold: identities
                .iter()
                .filter(|known| known.readiness.threshold)
                .count(),
            lacks: Vec::new(),
        };
        let of_identities = |some: usize| share(some as u64, it.identities as u64);
        let enough = [
            (Lack::Actor, it.actor_share, ACTOR_SHARE_MIN),
            (
                Lack::Sequence,
                of_identities(it.with_sequence),
                IDENTITY_SHARE_MIN,
            ),
            (
                Lack::Threshold,
                of_identities(it.with_threshold),
                IDENTITY_SHARE_MIN,
            ),
        ];
        let lacks = enough.into_iter().filter(|(_, is, needed)| is < needed);
        it.lacks = lacks.map(|(lack, ..)| lack).collect();
        it
    }

    /// Whether its records are behavioural telemetry.
    pub fn behavioural(&self) -> bool {
        self.lacks.is_empty()
    }
}

/// Whether sessions of an identity are judged, by what, and what is lacking.
pub fn readiness_in_words(known: &IdentityBehaviour) -> String {
    let ready = &known.readiness;
    let learned = format!(
        "{} sessions learned of its own ({} needed), {} of its peers ({})",
        ready.sessions,
        ready.sessions_needed,
        ready.peer_sessions,
        fact::cut(&known.peer_group, 60)
    );
    if ready.ready() {
        return format!("Its sessions are judged: {learned}.");
    }
    let lacks = if ready.sequence {
        "there is no threshold yet"
    } else {
        "too few sessions are learned"
    };
    let charter = if known.chartered {
        " Its charter is watched all the same."
    } else {
        ""
    };
    format!("Its sessions are not judged yet, {lacks}: {learned}.{charter}")
}

#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

impl App {
    /// Every source that delivered events, those that lack most first.
    pub fn source_readiness(
        &self,
        principal: &Principal,
    ) -> Result<Vec<SourceReadiness>, ReadingError> {
        principal.require(Scope::Read)?;
        let (store, tenant) = (&self.ports.store, &principal.tenant);
        let known = store.behaviours(tenant, BehaviourOrder::Newest, IDENTITIES_MAX)?;
        let mut of_source: BTreeMap<&SourceName, Vec<&IdentityBehaviour>> = BTreeMap::new();
        for identity in &known {
            for source in &identity.sources {
                of_source.entry(source).or_default().push(identity);
            }
        }
        let health = store.source_health()?;
        let theirs = health
            .iter()
            .filter(|it| it.tenant == *tenant && it.events > 0);
        let mut all: Vec<SourceReadiness> = theirs
            .map(|health| {
                let identities = of_source.get(&health.source);
                SourceReadiness::of(health, identities.map_or(&[], Vec::as_slice))
            })
            .collect();
        all.sort_by_key(|it| std::cmp::Reverse((it.lacks.len(), it.events)));
        Ok(all)
    }
}
