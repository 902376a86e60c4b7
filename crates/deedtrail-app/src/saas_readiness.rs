//! Before a service is adopted: which of its logs are understood, and what they do not tell.

use std::collections::BTreeSet;

use deedtrail_core::finding::TelemetryKind;
use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::{Mapper, SourceAccount, SourceFacts};
use serde::Serialize;

use crate::source_name::{did_you_mean, nearest};

/// Fewest letters and digits of a name that are looked for in titles.
const NAME_CHARACTERS_MIN: usize = 3;

/// Whether the telemetry of a service suffices to adopt it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// For each of post-authentication, behavioural and usage telemetry one of its logs tells all.
    Adopt,
    /// They lack something of it: adopt it when that is acceptable, or made up for.
    AdoptWithConditions,
    /// No log of it is known.
    Unknown,
}

impl Verdict {
    pub const fn words(self) -> &'static str {
        match self {
            Self::Adopt => "adopt",
            Self::AdoptWithConditions => "adopt with conditions",
            Self::Unknown => "unknown",
        }
    }
}

/// A log of the service that is understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Feed {
    pub source: SourceName,
    pub title: String,
    pub planes: Vec<String>,
    /// Facts it does not tell.
    pub missing: Vec<&'static str>,
    /// What the vendor asks for it; empty when nothing is known of that.
    pub needs: String,
    /// What it lacks besides, in words.
    pub lacks: String,
}

/// One kind of telemetry. Logs tell of different things done: what one lacks, another does not make
/// up for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KindOf {
    pub kind: &'static str,
    /// Logs that contribute to it, those that lack least first.
    pub feeds: Vec<Contribution>,
    /// Facts it needs that the first of them does not tell; all of them when there is none.
    pub missing: Vec<&'static str>,
}

/// What one log contributes to a kind of telemetry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Contribution {
    pub source: SourceName,
    /// Facts the kind needs that this log does not tell.
    pub missing: Vec<&'static str>,
}

impl KindOf {
    /// What the log does not tell that lacks least.
    fn condition(&self) -> String {
        let (kind, missing) = (self.kind, self.missing.join(", "));
        match self.feeds.first() {
            Some(fullest) => {
                let source = &fullest.source;
                format!("{kind}: {source}, which says most, does not say {missing}")
            }
            None => format!("{kind}: no log of it is known"),
        }
    }
}

/// What is known of the telemetry of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SaasReadiness {
    pub name: String,
    pub verdict: Verdict,
    pub feeds: Vec<Feed>,
    pub kinds: Vec<KindOf>,
    /// Names that come close, where no log is known of this one.
    pub did_you_mean: Vec<String>,
    /// What to settle before it is adopted.
    pub conditions: Vec<String>,
}

/// A fact, and the fields any of which tell it.
struct Fact(&'static str, &'static [&'static str]);

const WHO: Fact = Fact("who acted", &["actor"]);
const WHEN: Fact = Fact("when", &["time"]);
const OUTCOME: Fact = Fact("how it ended", &["outcome"]);
const TARGET: Fact = Fact("on what", &["target"]);
const SESSION: Fact = Fact("in which session", &["session_ref", "trace_uid"]);
const ORIGIN: Fact = Fact("from where", &["src_ip"]);
const ADDRESS: Fact = Fact("which address was opened", &["url_domain", "url_hash"]);
const LINK_VERDICT: Fact = Fact("what link protection said", &["verdict"]);

/// What a kind of telemetry needs.
const fn needed(kind: TelemetryKind) -> &'static [Fact] {
    match kind {
        TelemetryKind::Click => &[WHO, WHEN, ADDRESS, LINK_VERDICT],
        TelemetryKind::PostAuthentication => &[WHO, WHEN, TARGET, OUTCOME, SESSION, ORIGIN],
        TelemetryKind::Behavioural => &[WHO, WHEN, TARGET, OUTCOME, SESSION],
        TelemetryKind::Usage => &[WHO, WHEN, OUTCOME],
    }
}

const KINDS: [TelemetryKind; 4] = [
    TelemetryKind::Click,
    TelemetryKind::PostAuthentication,
    TelemetryKind::Behavioural,
    TelemetryKind::Usage,
];

/// All facts, each once.
const FACTS: [Fact; 8] = [
    WHO,
    WHEN,
    TARGET,
    OUTCOME,
    SESSION,
    ORIGIN,
    ADDRESS,
    LINK_VERDICT,
];

impl SaasReadiness {
    /// The name and the verdict; of an unknown name those that come close.
    pub fn headline(&self) -> String {
        let near = did_you_mean(&self.did_you_mean);
        format!("{}: {}{near}", self.name, self.verdict.words())
    }
}

/// What is known of the service of that name: of the vendor, or whose title has it.
pub fn saas_readiness(name: &str, mapper: &dyn Mapper) -> SaasReadiness {
    let sources = mapper.sources();
    let of_it = sources.iter().filter(|facts| is_of(facts, name));
    let known: Vec<_> = of_it
        .cloned()
        .map(|facts| {
            let account = mapper.account_of(&facts.name).unwrap_or_default();
            (facts, account)
        })
        .collect();
    let kinds: Vec<KindOf> = KINDS.map(|kind| of_kind(kind, &known)).into();
    // Not every SaaS has links that are clicked.
    let wanted = || {
        let click = TelemetryKind::Click.name();
        kinds.iter().filter(move |one| one.kind != click)
    };
    let verdict = if known.is_empty() {
        Verdict::Unknown
    } else if wanted().all(|one| one.missing.is_empty()) {
        Verdict::Adopt
    } else {
        Verdict::AdoptWithConditions
    };
    let mut conditions: Vec<String> = match verdict {
        Verdict::Unknown => vec![
            "ask the vendor for an audit log with actor, time, action, target, outcome and session"
                .to_owned(),
        ],
        _ => wanted()
            .filter(|one| !one.missing.is_empty())
            .map(KindOf::condition)
            .collect(),
    };
    if known.len() > 1 {
        conditions.extend(wanted().flat_map(apart));
    }
    let needs = known
        .iter()
        .filter(|(_, account)| !account.needs.is_empty());
    conditions.extend(needs.map(|(facts, account)| format!("{}: {}", facts.name, account.needs)));
    SaasReadiness {
        name: name.to_owned(),
        verdict,
        feeds: known.iter().map(feed).collect(),
        kinds,
        did_you_mean: match verdict {
            Verdict::Unknown => near(name, &sources),
            Verdict::Adopt | Verdict::AdoptWithConditions => Vec::new(),
        },
        conditions,
    }
}

/// What logs beside the fullest tell less: it is not made up for where only they tell of something.
fn apart(kind: &KindOf) -> Vec<String> {
    let feeds = kind.feeds.iter().skip(1);
    let lacking = feeds.filter(|feed| feed.missing != kind.missing);
    lacking
        .map(|feed| {
            let (source, missing) = (&feed.source, feed.missing.join(", "));
            format!(
                "{}: what only {source} tells comes without: {missing}",
                kind.kind
            )
        })
        .collect()
}

/// Vendors whose name comes close.
fn near(name: &str, sources: &[SourceFacts]) -> Vec<String> {
    let vendors = sources.iter().map(|facts| vendor(facts.name.as_str()));
    let vendors: BTreeSet<&str> = vendors.filter(|vendor| !is_form(vendor)).collect();
    let typed = name.replace(' ', "_");
    let near = nearest(&typed, vendors, |vendor| vendor);
    near.into_iter().map(str::to_owned).collect()
}

fn vendor(source: &str) -> &str {
    source.split_once('.').map_or(source, |(vendor, _)| vendor)
}

/// Whether it is a form in which many systems write, which is of none.
fn is_form(vendor: &str) -> bool {
    matches!(vendor, "generic" | "ocsf" | "otel" | "unlabelled")
}

/// Letters and digits of a name, in lower case.
fn bare(name: &str) -> String {
    let letters = name.chars().filter(|one| one.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

fn is_of(facts: &SourceFacts, name: &str) -> bool {
    let (name, source) = (bare(name), facts.name.as_str());
    let vendor = vendor(source);
    let in_title = name.len() >= NAME_CHARACTERS_MIN && bare(&facts.title).contains(&name);
    !is_form(vendor)
        && !name.is_empty()
        && (bare(vendor) == name || bare(source) == name || in_title)
}

fn tells(account: &SourceAccount, fact: &Fact) -> bool {
    fact.1.iter().any(|field| account.fields.contains(*field))
}

fn missing_of(account: &SourceAccount) -> Vec<&'static str> {
    let of_clicks: BTreeSet<&str> = [ADDRESS.0, LINK_VERDICT.0].into();
    let missing = FACTS.iter().filter(|fact| !tells(account, fact));
    let missing = missing.map(|fact| fact.0);
    missing.filter(|name| !of_clicks.contains(name)).collect()
}

fn feed((facts, account): &(SourceFacts, SourceAccount)) -> Feed {
    Feed {
        source: facts.name.clone(),
        title: facts.title.clone(),
        planes: facts.planes.clone(),
        missing: missing_of(account),
        needs: account.needs.clone(),
        lacks: account.lacks.clone(),
    }
}

fn of_kind(kind: TelemetryKind, known: &[(SourceFacts, SourceAccount)]) -> KindOf {
    // What happens before and at the sign-in says nothing of what follows it.
    let only_sign_ins = |facts: &SourceFacts| {
        let mut planes = facts.planes.iter();
        planes.all(|plane| plane == "identity_provider")
    };
    let contributes = |(facts, account): &&(SourceFacts, SourceAccount)| match kind {
        TelemetryKind::Click => tells(account, &LINK_VERDICT),
        TelemetryKind::PostAuthentication | TelemetryKind::Behavioural => !only_sign_ins(facts),
        TelemetryKind::Usage => true,
    };
    let contribution = |(facts, account): &(SourceFacts, SourceAccount)| {
        let missing = needed(kind).iter().filter(|fact| !tells(account, fact));
        Contribution {
            source: facts.name.clone(),
            missing: missing.map(|fact| fact.0).collect(),
        }
    };
    let contributing = known.iter().filter(contributes);
    let mut feeds: Vec<Contribution> = contributing.map(contribution).collect();
    feeds.sort_by_key(|feed| feed.missing.len());
    let missing = feeds.first().map(|feed| feed.missing.clone());
    KindOf {
        kind: kind.name(),
        missing: missing.unwrap_or_else(|| needed(kind).iter().map(|fact| fact.0).collect()),
        feeds,
    }
}
