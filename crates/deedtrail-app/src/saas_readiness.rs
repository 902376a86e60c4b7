//! Before a service is adopted: which of its logs are understood, and what they do not tell.

use std::collections::BTreeSet;

use deedtrail_core::finding::TelemetryKind;
use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::{Mapper, SourceAccount, SourceFacts};
use serde::Serialize;

/// Fewest letters and digits of a name that are looked for in titles.
const NAME_CHARACTERS_MIN: usize = 3;

/// Whether the telemetry of a service suffices to adopt it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Its logs tell all that post-authentication, behavioural and usage telemetry need.
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

/// One kind of telemetry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KindOf {
    pub kind: &'static str,
    /// Logs that contribute to it.
    pub feeds: Vec<SourceName>,
    /// Facts it needs that none of them tells.
    pub missing: Vec<&'static str>,
}

/// What is known of the telemetry of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SaasReadiness {
    pub name: String,
    pub verdict: Verdict,
    pub feeds: Vec<Feed>,
    pub kinds: Vec<KindOf>,
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

/// What is known of the service of that name: of the vendor, or whose title has it.
pub fn saas_readiness(name: &str, mapper: &dyn Mapper) -> SaasReadiness {
    let sources = mapper.sources().into_iter();
    let known: Vec<_> = sources
        .filter(|facts| is_of(facts, name))
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
            .map(|one| format!("{}: no log says {}", one.kind, one.missing.join(", ")))
            .collect(),
    };
    let needs = known
        .iter()
        .filter(|(_, account)| !account.needs.is_empty());
    conditions.extend(needs.map(|(facts, account)| format!("{}: {}", facts.name, account.needs)));
    SaasReadiness {
        name: name.to_owned(),
        verdict,
        feeds: known.iter().map(feed).collect(),
        kinds,
        conditions,
    }
}

/// Letters and digits of a name, in lower case.
fn bare(name: &str) -> String {
    let letters = name.chars().filter(|one| one.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

fn is_of(facts: &SourceFacts, name: &str) -> bool {
    let (name, source) = (bare(name), facts.name.as_str());
    let vendor = source.split_once('.').map_or(source, |(vendor, _)| vendor);
    // A form in which many systems write is of none.
    let is_form = matches!(vendor, "generic" | "ocsf" | "otel" | "unlabelled");
    let in_title = name.len() >= NAME_CHARACTERS_MIN && bare(&facts.title).contains(&name);
    !is_form && !name.is_empty() && (bare(vendor) == name || bare(source) == name || in_title)
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
    let feeds: Vec<_> = known.iter().filter(contributes).collect();
    let told = |fact: &&Fact| feeds.iter().any(|(_, account)| tells(account, fact));
    let missing = needed(kind).iter().filter(|fact| !told(fact));
    KindOf {
        kind: kind.name(),
        missing: missing.map(|fact| fact.0).collect(),
        feeds: feeds.iter().map(|(facts, _)| facts.name.clone()).collect(),
    }
}
