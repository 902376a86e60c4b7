//! Sessions: which events belong together, what joins them, what came of them, how far they are
//! trusted, and where nothing is seen.

mod blind;
mod flood;
mod join;

use std::collections::BTreeMap;

use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, Change, DeviceTrust, Environment, OutcomeClass, Plane};
use deedtrail_core::finding::FindingDraft;
use deedtrail_core::identity::Identity;
use deedtrail_core::session::{
    BlindSession, JoinBy, KnownBy, NEXT_ACTIONS_MAX, Session, SessionJoin, SessionVerdict,
};
use deedtrail_core::time::Timestamp;
use deedtrail_detect::session::{reference_page, trust};
use deedtrail_detect::{Detector, SessionChanges, Settings};

use crate::builder::{Step, at, identity, kinds, logged, observe, routine, rules};

/// A detector with everything it said so far.
struct Watch {
    detector: Detector,
    sessions: BTreeMap<(String, u64), Session>,
    joins: Vec<SessionJoin>,
    blind: Vec<BlindSession>,
    drafts: Vec<FindingDraft>,
}

impl Watch {
    fn new() -> Self {
        Self {
            detector: Detector::new(rules(&[]), Settings::default()),
            sessions: BTreeMap::new(),
            joins: Vec::new(),
            blind: Vec::new(),
            drafts: Vec::new(),
        }
    }

    fn over(steps: Vec<Step>) -> Self {
        let mut watch = Self::new();
        for step in logged(steps) {
            watch.step(step);
        }
        watch.take();
        watch
    }

    fn step(&mut self, mut step: Step) {
        let who = step.identity.clone();
        self.detector.assign_session(&mut step.event, who.as_ref());
        self.drafts.extend(observe(&mut self.detector, &step));
    }

    fn tick(&mut self, now: Timestamp) {
        self.drafts.extend(self.detector.advance(now));
        self.take();
    }

    fn rest(&mut self) {
        self.drafts.extend(self.detector.rest());
        self.take();
    }

    fn take(&mut self) {
        let SessionChanges {
            sessions,
            joins,
            blind,
        } = self.detector.take_sessions();
        for session in sessions {
            let key = (session.uid.to_string(), session.part);
            self.sessions.insert(key, session);
        }
        self.joins.extend(joins);
        self.blind = blind.into_iter().collect();
    }

    /// Oldest first.
    fn all(&self) -> Vec<&Session> {
        let mut all: Vec<_> = self.sessions.values().collect();
        all.sort_by_key(|session| (session.started, session.part));
        all
    }

    fn only(&self) -> &Session {
        let [session] = self.all()[..] else {
            panic!("{} sessions", self.sessions.len());
        };
        session
    }

    fn joined_by(&self) -> Vec<(JoinBy, u8)> {
        let joins = self.joins.iter();
        joins.map(|join| (join.by, join.confidence)).collect()
    }
}

fn ana() -> Identity {
    identity("ana@example.com", ActorKind::Human)
}

fn robot() -> Identity {
    identity("robot@example.com", ActorKind::ServiceAccount)
}

fn signs_in(who: &Identity, time: Timestamp) -> Step {
    Step::new(who, time, Action::Authenticate, "user.session.start").with(|mapped| {
        mapped.system = "okta".into();
        mapped.plane = Plane::IdentityProvider;
    })
}

fn opens(who: &Identity, time: Timestamp, application: &str) -> Step {
    signs_in(who, time)
        .kind_of_target("application")
        .on(application)
}

fn reads(who: &Identity, time: Timestamp) -> Step {
    Step::new(who, time, Action::Read, "GetObject").on("bucket/report")
}

fn pushes(who: &Identity, time: Timestamp) -> Step {
    Step::new(who, time, Action::CodeChange, "git.push")
        .on("acme/payments")
        .with(|mapped| mapped.system = "github".into())
}

#[test]
fn a_pause_of_half_an_hour_ends_a_session() {
    let watch = Watch::over(vec![
        reads(&ana(), at(0, 0)),
        reads(&ana(), at(0, 29)),
        reads(&ana(), at(0, 58)),
        reads(&ana(), at(0, 88)),
    ]);
    let [first, second] = watch.all()[..] else {
        panic!("{} sessions", watch.sessions.len());
    };
    assert_eq!((first.events, second.events), (3, 1));
    assert_eq!(first.known_by, KnownBy::Gap);
    assert_eq!((first.started, first.last), (at(0, 0), at(0, 58)));
}

#[test]
fn another_credential_or_client_is_another_session() {
    let watch = Watch::over(vec![
        reads(&ana(), at(0, 0)),
        reads(&ana(), at(0, 1)).using("key-1", at(-9, 0)),
        reads(&ana(), at(0, 2)).with(|mapped| mapped.user_agent = Some("curl".into())),
        reads(&robot(), at(0, 3)),
        reads(&ana(), at(0, 4)),
    ]);
    assert_eq!(watch.sessions.len(), 4);
}

#[test]
fn the_vendors_session_is_one_however_long_it_rests_but_an_agents_never_alone() {
    let vendor = |who: &Identity, minute| reads(who, at(0, minute)).named_session("session-1");
    let watch = Watch::over(vec![vendor(&ana(), 0), vendor(&ana(), 300)]);
    assert_eq!(watch.only().known_by, KnownBy::VendorId);
    assert_eq!(watch.only().events, 2);
    let agent =
        |who: &Identity, minute| vendor(who, minute).with(|mapped| mapped.plane = Plane::Agent);
    let watch = Watch::over(vec![agent(&ana(), 0), agent(&robot(), 1), agent(&ana(), 2)]);
    assert_eq!(watch.sessions.len(), 2, "two clients chose the same id");
}

#[test]
fn a_vendors_session_that_rested_for_days_goes_on_as_a_further_part() {
    let vendor = |day| reads(&ana(), at(day, 0)).named_session("session-1");
    let watch = Watch::over(vec![vendor(0), vendor(1), vendor(4), vendor(5)]);
    let [first, second] = watch.all()[..] else {
        panic!("{} parts", watch.sessions.len());
    };
    assert_eq!(first.uid, second.uid);
    assert_eq!((first.events, second.events), (2, 2));
    assert_eq!((first.ended, second.ended), (Some(at(1, 0)), None));
    let acts: Vec<_> = first.next.iter().map(|act| act.times).collect();
    assert_eq!(acts, [1, 1], "what lies a day apart is two actions");
}

#[test]
fn a_late_event_goes_to_the_session_of_its_time() {
    let watch = Watch::over(vec![
        reads(&ana(), at(0, 10)),
        reads(&ana(), at(0, 100)),
        reads(&ana(), at(0, 0)).on("bucket/late"),
    ]);
    let [first, second] = watch.all()[..] else {
        panic!("{} sessions", watch.sessions.len());
    };
    assert_eq!((first.events, second.events), (2, 1));
    assert_eq!(first.started, at(0, 0));
    let targets: Vec<_> = first.next.iter().map(|act| act.target.as_deref()).collect();
    assert_eq!(targets, [Some("bucket/late"), Some("bucket/report")]);
}

#[test]
fn attempts_that_failed_begin_no_session() {
    let failed = |name: u32| {
        let who = identity(&format!("invented-{name}"), ActorKind::Human);
        signs_in(&who, at(0, 0)).ended(OutcomeClass::Failure)
    };
    let watch = Watch::over((0..50).map(failed).collect());
    assert_eq!(watch.sessions.len(), 0);
}

#[test]
fn next_actions_are_in_order_repeats_are_one_and_the_rest_is_counted() {
    let mut steps = vec![reads(&ana(), at(0, 0)); 30];
    steps.push(reads(&ana(), at(0, 1)).ended(OutcomeClass::Denied));
    let watch = Watch::over(steps);
    let next = &watch.only().next;
    assert_eq!(next.len(), 2);
    assert_eq!((next[0].times, next[1].times), (30, 1));
    assert_eq!(watch.only().refused, 1);
    let many = (0..100).map(|n| reads(&ana(), at(0, n % 20)).on(&format!("bucket/{n}")));
    let watch = Watch::over(many.collect());
    assert_eq!(watch.only().next.len(), NEXT_ACTIONS_MAX);
    assert_eq!(watch.only().next_left_out, 100 - NEXT_ACTIONS_MAX as u64);
    assert!(watch.only().next.is_sorted_by_key(|act| act.at));
}

#[test]
fn a_file_an_audience_and_a_token_are_in_the_blast_radius() {
    let push = pushes(&ana(), at(0, 0)).with(|mapped| {
        mapped.changes = vec![Change {
            path: "deploy/prod/app.yaml".into(),
            before: Some("aa11".into()),
            after: Some("bb22".into()),
        }];
    });
    let mail = Step::new(&ana(), at(0, 1), Action::NotifyPeople, "send").with(|mapped| {
        mapped.audience_count = Some(1240);
        mapped.approver = Some("lead@example.com".into());
    });
    let token = Step::new(
        &ana(),
        at(0, 2),
        Action::CredentialCreate,
        "CreateAccessKey",
    )
    .on("AKIA1");
    let grant = Step::new(&ana(), at(0, 3), Action::PrivilegeGrant, "AttachUserPolicy")
        .on("eve")
        .with(|mapped| mapped.permission = Some("AdministratorAccess".into()));
    let watch = Watch::over(vec![push, mail, token, grant]);
    let blast = &watch.only().blast;
    let file = &blast.files[0];
    assert_eq!(file.environment, Environment::Production);
    assert_eq!(
        (file.before.as_deref(), file.after.as_deref()),
        (Some("aa11"), Some("bb22"))
    );
    assert_eq!(blast.people_notified, 1240);
    assert_eq!(
        blast.notified[0].approver.as_deref(),
        Some("lead@example.com")
    );
    assert_eq!(blast.credentials_made.things[0].name, "AKIA1");
    assert_eq!(
        blast.rights_gained.things[0].name,
        "AdministratorAccess for eve"
    );
}

/// The verdict of a robot's session after twenty days of routine.
fn verdict(last: Vec<Step>) -> (SessionVerdict, Watch) {
    let mut steps = routine(&robot(), 0..20);
    steps.extend(last);
    let watch = Watch::over(steps);
    let session = *watch.all().last().unwrap();
    (session.verdict, watch)
}

#[test]
fn four_uses_of_a_token_get_four_verdicts() {
    let act = |minute: i64, action, operation: &str, target: &str| {
        Step::new(&robot(), at(20, 540 + minute), action, operation).on(target)
    };
    let (normal, watch) = verdict(vec![act(0, Action::Read, "GetObject", "bucket/report")]);
    assert_eq!(normal, SessionVerdict::InScope, "{:?}", watch.drafts);
    let key = act(0, Action::CredentialCreate, "CreateAccessKey", "backdoor");
    let (persistence, watch) = verdict(vec![key]);
    assert_eq!(persistence, SessionVerdict::Persistence);
    let reason = &watch.all().last().unwrap().reasons[0];
    assert!(
        reason.sentence.contains("done on 0 earlier days"),
        "{reason:?}"
    );
    let secrets = (0..6).map(|n| act(n, Action::SecretRead, "GetSecretValue", &format!("s{n}")));
    assert_eq!(
        verdict(secrets.collect()).0,
        SessionVerdict::SecretExtraction
    );
    let failed = act(0, Action::ConfigChange, "PutBucketPolicy", "bucket/report");
    let mut change = vec![
        failed.ended(OutcomeClass::Denied),
        act(1, Action::Write, "PutObject", "bucket/report"),
        act(2, Action::Write, "PutObject", "bucket/other"),
        act(3, Action::Write, "PutObject", "bucket/third"),
    ];
    for step in &mut change {
        step.identity.as_mut().unwrap().declared.read_only = true;
    }
    let (unauthorised, watch) = verdict(change);
    assert_eq!(
        unauthorised,
        SessionVerdict::UnauthorisedChange,
        "{:?}",
        kinds(&watch.drafts)
    );
    let delete = act(0, Action::Delete, "DeleteBucket", "bucket").kind_of_target("bucket");
    let (destructive, watch) = verdict(vec![delete]);
    assert_eq!(destructive, SessionVerdict::Destructive);
    assert!(watch.all().last().unwrap().is_destructive());
}

#[test]
fn what_is_routine_or_ticketed_is_in_scope() {
    use SessionVerdict::{InScope, Persistence};
    let make = |day: i64| {
        Step::new(
            &robot(),
            at(day, 540),
            Action::CredentialCreate,
            "CreateAccessKey",
        )
        .on("k")
    };
    let watch = Watch::over((0..5).map(make).collect());
    let verdicts: Vec<_> = watch.all().iter().map(|s| s.verdict).collect();
    assert_eq!(
        verdicts,
        [Persistence, Persistence, Persistence, InScope, InScope]
    );
    let ticketed = make(0).with(|mapped| mapped.change_ticket = Some("CHG-1".into()));
    assert_eq!(Watch::over(vec![ticketed]).only().verdict, InScope);
}

#[test]
fn permissions_say_when_they_were_first_abused() {
    let act = |minute, permission: &str, action| {
        Step::new(&robot(), at(0, minute), action, "call")
            .with(|mapped| mapped.permission = Some(permission.into()))
    };
    let watch = Watch::over(vec![
        act(0, "s3:GetObject", Action::Read),
        act(1, "iam:CreateAccessKey", Action::CredentialCreate),
    ]);
    let permissions = &watch.only().permissions;
    assert_eq!(permissions[0].first_abuse, None);
    assert_eq!(permissions[1].first_abuse, Some(at(0, 1)));
    assert_eq!(watch.only().first_abuse(), Some(at(0, 1)));
}

#[test]
fn trust_falls_with_age_and_departures_and_notes_crossings() {
    let start = |step: Step| Watch::over(vec![step]).only().trust.score;
    assert_eq!(start(reads(&ana(), at(0, 0))), 80);
    let strong = |mapped: &mut deedtrail_core::event::MappedEvent| {
        mapped.labels.insert("mfa".into(), "true".into());
        mapped.device_trust = DeviceTrust::ManagedCompliant;
    };
    assert_eq!(start(reads(&ana(), at(0, 0)).with(strong)), 100);
    let foreign = |mapped: &mut deedtrail_core::event::MappedEvent| {
        mapped.device_trust = DeviceTrust::Unmanaged;
    };
    assert_eq!(start(reads(&ana(), at(0, 0)).with(foreign)), 70);

    let within = |minute| reads(&ana(), at(0, minute)).named_session("session-1");
    let watch = Watch::over(vec![within(0), within(300)]);
    assert_eq!(watch.only().trust.score, 75, "five hours old");
    let watch = Watch::over(vec![within(0), within(690)]);
    let step = watch.only().trust.steps.last().unwrap();
    assert_eq!((step.score, step.crossed), (69, Some(70)));
    let moved = within(1).with(|mapped| mapped.src_country = Some("BR".into()));
    let watch = Watch::over(vec![within(0), moved]);
    let rows: Vec<_> = watch.only().trust.steps.iter().map(|s| &*s.row).collect();
    assert_eq!(rows, ["start_plain", "country_change", "finding_high"]);
    assert_eq!(watch.only().trust.score, 35);
    assert_eq!(kinds(&watch.drafts), ["session_change"]);
}

#[test]
fn a_tick_makes_an_open_session_older_and_ends_an_idle_one() {
    let mut watch = Watch::over(vec![reads(&ana(), at(0, 0)).named_session("session-1")]);
    for minute in 1..=130 {
        watch.tick(at(0, minute));
    }
    assert_eq!(watch.only().trust.score, 78, "{:?}", watch.only().trust);
    assert_eq!(watch.only().ended, None);
    watch.tick(at(0, 12 * 60));
    assert_eq!(watch.only().ended, Some(at(0, 0)));
    let score = watch.only().trust.score;
    watch.tick(at(1, 0));
    assert_eq!(
        watch.only().trust.score,
        score,
        "what has ended grows no older"
    );
}

#[test]
fn quiet_hours_and_signing_in_again_give_trust_back() {
    let within = |minute| reads(&ana(), at(0, minute)).named_session("session-1");
    let denied = within(1).ended(OutcomeClass::Denied);
    let watch = Watch::over(vec![within(0), denied, within(59), within(125)]);
    assert_eq!(watch.only().trust.score, 80 - 3 - 2 + 3);
    let again = signs_in(&ana(), at(0, 240)).with(|mapped| mapped.system = "aws".into());
    let watch = Watch::over(vec![
        within(0),
        within(239),
        again.named_session("session-1"),
    ]);
    assert_eq!(watch.only().trust.score, 80, "{:?}", watch.only().trust);
}

#[test]
fn trust_page_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/trust.md");
    let page = reference_page();
    assert!(trust::TABLE.iter().all(|row| page.contains(row.meaning)));
    let stored = std::fs::read_to_string(path).unwrap_or_default();
    if stored != page && std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(path, &page).unwrap();
        return;
    }
    assert!(
        stored == page,
        "run the tests with UPDATE_REFERENCE=1 to print {path} again"
    );
}
