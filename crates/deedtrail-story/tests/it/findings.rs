//! The story through mapping, identity resolution and detection: every incident is found, and
//! ordinary life stays quiet.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use deedtrail_app::identity::{Place, Resolver, parse_import, seal_event};
use deedtrail_core::finding::{Finding, FindingDraft};
use deedtrail_core::id::{AliasUid, FindingId, IdentityId, SourceName, TenantId};
use deedtrail_core::port::log::{EntryKind, NewEntry, StoredEntry};
use deedtrail_core::port::mapper::{Encoding, Mapper as _, SourceFacts};
use deedtrail_core::time::Timestamp;
use deedtrail_detect::{Detector, Observation, RuleFile, RuleSet, Settings};
use deedtrail_sources::Registry;
use deedtrail_story::{Delivery, Incident, Story};

const ANCHOR: i64 = 20_778;

/// What the product makes of the story.
struct Reader {
    registry: Registry,
    facts: BTreeMap<String, SourceFacts>,
    resolver: Resolver,
    detector: Detector,
    findings: BTreeMap<FindingId, Finding>,
    sequence: u64,
}

impl Reader {
    fn new(story: &Story) -> Self {
        let registry = Registry::built_in().expect("mappings load");
        let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
        let (rules, _) = RuleSet::load(&rule_files(&rules));
        let mut resolver = Resolver::default();
        let rows = parse_import(&story.identities()).expect("every line is good");
        resolver.apply_import(&TenantId::default(), rows, Timestamp::default());
        let facts = registry.sources().into_iter();
        Self {
            facts: facts.map(|facts| (facts.name.to_string(), facts)).collect(),
            registry,
            resolver,
            detector: Detector::new(Arc::new(rules), Settings::default()),
            findings: BTreeMap::new(),
            sequence: 0,
        }
    }

    fn read(&mut self, delivery: &Delivery) {
        let source = SourceName::new(delivery.source).expect("a name");
        if !self.facts.contains_key(delivery.source) {
            return;
        }
        let framed = self
            .registry
            .frame(&source, Encoding::Identity, &delivery.body);
        for record in framed.expect("framed") {
            self.read_record(&source, delivery.at, &record.bytes);
        }
        let drafts = self.detector.advance(delivery.at);
        self.keep(drafts);
    }

    fn read_record(&mut self, source: &SourceName, received: Timestamp, bytes: &[u8]) {
        let mapped = self.registry.map(source, bytes).expect("mapped");
        self.sequence += 1;
        let entry = StoredEntry {
            sequence: self.sequence,
            entry: NewEntry {
                kind: EntryKind::Record,
                tenant: TenantId::default(),
                source: Some(source.clone()),
                received,
                idempotency_key: mapped.source_uid.clone(),
                note: "".into(),
                parts: Vec::new(),
            },
            id_conflict: false,
            revision: 0,
        };
        for (ordinal, event) in (0..).zip(mapped.events) {
            let place = Place {
                log_origin: "story",
                entry: &entry,
                source,
                source_uid: mapped.source_uid.clone(),
                mapping_version: mapped.mapping_version.clone(),
                ordinal,
            };
            let mut event = seal_event(&[7; 32], place, event);
            let resolved = self.resolver.resolve(&mut event);
            let credential = event
                .credential_uid
                .and_then(|uid| self.resolver.credential(uid));
            let observation = Observation {
                event: &event,
                identity: resolved.actor.and_then(|id| self.resolver.identity(id)),
                credential,
                record: bytes,
                source: &self.facts[source.as_str()],
            };
            let drafts = self.detector.observe(&observation);
            self.keep(drafts);
        }
    }

    fn keep(&mut self, drafts: Vec<FindingDraft>) {
        for draft in drafts {
            match self.findings.entry(draft.id()) {
                std::collections::btree_map::Entry::Occupied(mut known) => {
                    known.get_mut().absorb(draft);
                }
                std::collections::btree_map::Entry::Vacant(free) => {
                    free.insert(Finding::new(draft));
                }
            }
        }
    }

    fn identity(&self, incident: &Incident) -> Option<IdentityId> {
        let (namespace, value) = incident.alias.split_once(':').expect("an alias");
        let uid = AliasUid::of(&TenantId::default(), namespace, value);
        self.resolver.identity_of(uid).map(|identity| identity.id)
    }

    /// Findings made from that day on, in order of time, a line each.
    fn titles(&self, from_day: i64) -> Vec<String> {
        let mut titles: Vec<String> = self
            .findings
            .values()
            .filter(|finding| finding.draft.at.utc_day() >= from_day)
            .map(|finding| {
                let Finding { repeats, draft, .. } = finding;
                format!(
                    "{} {} x{repeats}: {} ({})",
                    draft.at, draft.kind, draft.title, draft.rule
                )
            })
            .collect();
        titles.sort();
        titles
    }

    /// Whether a finding of the incident's type is on its identity, on one of its days.
    fn found(&self, incident: &Incident) -> bool {
        let identity = self.identity(incident);
        let last = incident.facts.last().expect("facts").at.utc_day();
        self.findings.values().any(|finding| {
            finding.draft.kind == incident.finding_type
                && Some(finding.draft.identity) == identity
                && (finding.last_time.utc_day() - last).abs() <= 7
        })
    }
}

fn rule_files(folder: &Path) -> Vec<RuleFile> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.ends_with("rule.yml") {
                let text = std::fs::read_to_string(&path).expect("readable");
                let path = path.to_string_lossy().into_owned();
                files.push(RuleFile { path, text });
            }
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}

#[test]
fn incidents_are_found_and_ordinary_life_is_quiet() {
    let story = Story::new(ANCHOR, 7);
    let mut reader = Reader::new(&story);
    for delivery in story.deliveries() {
        reader.read(&delivery);
    }
    let missed: Vec<&str> = story
        .incidents()
        .iter()
        .filter(|incident| !reader.found(incident))
        .map(|incident| incident.id)
        .collect();
    assert_eq!(missed, Vec::<&str>::new(), "{:#?}", reader.titles(0));
    // In the first months everything is new. Then only the incidents' identities remain, and two
    // applications that sign in and do nothing.
    let involved = story
        .incidents()
        .iter()
        .map(|incident| reader.identity(incident));
    let involved: Vec<Option<IdentityId>> = involved.collect();
    reader
        .findings
        .retain(|_, finding| !involved.contains(&Some(finding.draft.identity)));
    let mut rest = reader.titles(ANCHOR - 60);
    rest.retain(|title| !title.contains(" login_only "));
    // What is learned has a budget; systems without a log are there, and said once a month each.
    let count = |kind: &str, titles: &[String]| {
        let of_kind = titles.iter().filter(|title| title.contains(kind));
        of_kind.count()
    };
    let budget = usize::try_from(60 * Settings::default().behaviour_alerts_per_day).expect("small");
    let learned = count("(code/behaviour)", &rest);
    assert!(learned <= budget, "{learned} of {budget}");
    let blind = count(" blind_session ", &rest);
    assert!((1..=30).contains(&blind), "{blind}: {rest:#?}");
    let told = ["(code/behaviour)", " blind_session "];
    rest.retain(|title| !told.iter().any(|kind| title.contains(kind)));
    assert_eq!(rest, Vec::<String>::new());
}
