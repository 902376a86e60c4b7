//! Sessions: which events belong together, what joins them, what came of them, how far they are
//! trusted, and where nothing is seen.

use std::collections::BTreeMap;
use std::sync::Arc;

use deedtrail_core::action::Action;
use deedtrail_core::event::{
    ActorKind, Alias, Change, DeviceTrust, Environment, OutcomeClass, Plane,
};
use deedtrail_core::finding::{FindingDraft, Severity};
use deedtrail_core::identity::Identity;
use deedtrail_core::session::{
    BlindSession, JoinBy, KnownBy, NEXT_ACTIONS_MAX, Session, SessionJoin, SessionVerdict,
};
use deedtrail_core::time::Timestamp;
use deedtrail_detect::limits::{SESSION_BYTES_MAX, TRACKED_SESSIONS_MAX};
use deedtrail_detect::session::{reference_page, trust};
use deedtrail_detect::{Detector, SessionChanges, Settings};
use proptest::prelude::*;

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
fn okta_github_and_aws_of_one_person_are_one_timeline() {
    let role = identity("arn:aws:iam::1:role/deploy", ActorKind::ServiceAccount);
    let behind = |mapped: &mut deedtrail_core::event::MappedEvent| {
        mapped.actor_aliases.clear();
        mapped.delegation = vec![deedtrail_core::event::Delegation {
            relation: "assumed_role".into(),
            alias: Alias {
                namespace: "email".into(),
                value: "Ana@example.com".into(),
            },
        }];
    };
    let watch = Watch::over(vec![
        signs_in(&ana(), at(0, 0)).named_session("okta-session-1"),
        pushes(&ana(), at(0, 4)).with(|mapped| mapped.user_agent = Some("git/2.45".into())),
        reads(&role, at(0, 9)).with(behind).named_session("ASIA1"),
        reads(&robot(), at(0, 9)).from("198.51.100.9", 64999),
    ]);
    let [okta, github, aws, other] = watch.all()[..] else {
        panic!("{} sessions", watch.sessions.len());
    };
    let links: Vec<_> = watch.joins.iter().map(|j| (j.from, j.to, j.by)).collect();
    assert_eq!(
        links,
        [
            (okta.uid, github.uid, JoinBy::IdentityNetwork),
            (github.uid, aws.uid, JoinBy::Delegation),
        ],
        "{other:?}"
    );
    assert!(watch.joins[1].reason.contains("ana@example.com"));
}

#[test]
fn a_role_session_is_joined_to_the_one_that_assumed_it_even_when_it_comes_first() {
    let assume = |time| {
        Step::new(&robot(), time, Action::Authenticate, "sts:AssumeRole")
            .on("arn:aws:iam::1:role/admin")
            .with(|mapped| {
                mapped
                    .labels
                    .insert("issued_credential".into(), "ASIAX".into());
            })
    };
    let role = identity("role/admin", ActorKind::ServiceAccount);
    let used = |time| {
        reads(&role, time)
            .using("ASIAX", at(0, 0))
            .named_session("ASIAX")
    };
    let forth = Watch::over(vec![assume(at(0, 0)), used(at(0, 5))]);
    let back = Watch::over(vec![used(at(0, 5)), assume(at(0, 0))]);
    for watch in [forth, back] {
        let [first, second] = watch.all()[..] else {
            panic!("{} sessions", watch.sessions.len());
        };
        assert_eq!(watch.joined_by(), [(JoinBy::IssuedCredential, 98)]);
        let join = &watch.joins[0];
        assert_eq!((join.from, join.to), (first.uid, second.uid));
        let gained = &first.blast.rights_gained.things;
        assert!(gained[0].name.contains("role/admin"), "{gained:?}");
    }
}

#[test]
fn what_one_publishes_and_another_consumes_is_an_edge() {
    let queue = |who: &Identity, minute, action, operation: &str| {
        Step::new(who, at(0, minute), action, operation)
            .on("orders")
            .with(|mapped| {
                mapped.system = "kafka".into();
                mapped.src_asn = None;
                mapped.src_ip = None;
            })
    };
    let watch = Watch::over(vec![
        queue(&ana(), 0, Action::MessagePublish, "Produce"),
        queue(&robot(), 3, Action::MessageConsume, "Fetch"),
        queue(&robot(), 4, Action::MessageConsume, "Fetch"),
    ]);
    assert_eq!(watch.joined_by(), [(JoinBy::Queue, 60)]);
    for session in watch.all() {
        let [edge] = &session.blast.queues[..] else {
            panic!("{:?}", session.blast.queues);
        };
        let words = (&*edge.from_actor, &*edge.topic, &*edge.to_actor);
        assert_eq!(words, ("ana@example.com", "orders", "robot@example.com"));
    }
    let apart = Watch::over(vec![
        queue(&ana(), 0, Action::MessagePublish, "Produce"),
        queue(&robot(), 200, Action::MessageConsume, "Fetch"),
    ]);
    assert_eq!(apart.joins, []);
}

#[test]
fn a_trace_joins_and_unrelated_sessions_are_not_joined() {
    let traced = |who: &Identity, minute, trace: &str| {
        reads(who, at(0, minute)).with(|mapped| mapped.trace_uid = Some(trace.into()))
    };
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let watch = Watch::over(vec![traced(&ana(), 0, trace), traced(&robot(), 1, trace)]);
    assert_eq!(watch.joined_by(), [(JoinBy::Trace, 95)]);
    let watch = Watch::over(vec![traced(&ana(), 0, "1"), traced(&robot(), 1, "1")]);
    assert_eq!(watch.joins, [], "not an id of a trace");
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
    assert_eq!(watch.only().trust.score, 70, "five hours old");
    let watch = Watch::over(vec![within(0), within(390)]);
    let step = watch.only().trust.steps.last().unwrap();
    assert_eq!((step.score, step.crossed), (68, Some(70)));
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
    assert_eq!(watch.only().trust.score, 76, "{:?}", watch.only().trust);
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
    assert_eq!(watch.only().trust.score, 80 - 3 - 2 * 2 + 3);
    let again = signs_in(&ana(), at(0, 240)).with(|mapped| mapped.system = "aws".into());
    let watch = Watch::over(vec![
        within(0),
        within(239),
        again.named_session("session-1"),
    ]);
    assert_eq!(watch.only().trust.score, 80, "{:?}", watch.only().trust);
}

#[test]
fn a_sign_in_into_a_system_without_a_feed_is_blind() {
    let mut watch = Watch::over(vec![opens(&ana(), at(0, 0), "Salesforce")]);
    assert_eq!(kinds(&watch.drafts), [""; 0]);
    watch.tick(at(0, 3));
    assert_eq!(kinds(&watch.drafts), ["blind_session"]);
    assert_eq!(watch.drafts[0].severity, Severity::Low);
    assert!(
        watch.drafts[0].title.contains("Salesforce"),
        "{:?}",
        watch.drafts
    );
    let [row] = &watch.blind[..] else {
        panic!("{:?}", watch.blind);
    };
    assert_eq!((row.sign_ins, row.silent_since), (1, None));
    watch.step(opens(&ana(), at(1, 0), "Salesforce"));
    watch.tick(at(1, 3));
    assert_eq!(watch.drafts.len(), 1, "said once in 30 days");
    assert_eq!(watch.blind[0].sign_ins, 2);
    watch.step(opens(&ana(), at(40, 0), "Salesforce"));
    watch.tick(at(40, 3));
    assert_eq!(watch.drafts.len(), 2);
}

#[test]
fn a_system_whose_feed_speaks_is_not_blind_until_it_falls_silent() {
    let mut watch = Watch::over(vec![
        opens(&ana(), at(0, 0), "GitHub Enterprise Cloud"),
        pushes(&robot(), at(0, 1)),
    ]);
    watch.tick(at(0, 3));
    assert_eq!(
        kinds(&watch.drafts),
        [""; 0],
        "it speaks while the sign-in waits"
    );
    watch.step(opens(&ana(), at(3, 0), "GitHub Enterprise Cloud"));
    watch.tick(at(3, 3));
    assert_eq!(kinds(&watch.drafts), ["blind_session"]);
    assert_eq!(watch.blind[0].silent_since, Some(at(0, 1)));
    let mut watch = Watch::over(vec![
        pushes(&robot(), at(0, 0)),
        opens(&ana(), at(0, 5), "github").ended(OutcomeClass::Denied),
        signs_in(&ana(), at(0, 6)),
        opens(&ana(), at(0, 7), "Okta Admin Console"),
    ]);
    watch.tick(at(0, 30));
    assert_eq!(kinds(&watch.drafts), [""; 0]);
}

#[test]
fn a_role_in_an_account_without_a_feed_is_blind_and_weighs_by_its_name() {
    let assume = |account: &str| {
        Step::new(&robot(), at(0, 0), Action::Authenticate, "sts:AssumeRole").with(|mapped| {
            mapped.account = Some("111111111111".into());
            mapped.target_ref = Some(format!("arn:aws:iam::{account}:role/OrgAdmin").into());
        })
    };
    let mut watch = Watch::over(vec![assume("222222222222"), assume("111111111111")]);
    watch.tick(at(0, 3));
    assert_eq!(kinds(&watch.drafts), ["blind_session"]);
    assert_eq!(watch.drafts[0].severity, Severity::High);
    assert!(watch.drafts[0].title.contains("222222222222"));
}

#[test]
fn a_role_session_named_with_an_address_is_joined_to_that_person() {
    let role = identity("role/deploy", ActorKind::ServiceAccount);
    let named = reads(&role, at(0, 9)).with(|mapped| {
        mapped.actor_aliases.clear();
        let name = "ana@example.com".into();
        mapped.labels.insert("role_session".into(), name);
    });
    let watch = Watch::over(vec![signs_in(&ana(), at(0, 0)), named]);
    assert_eq!(watch.joined_by(), [(JoinBy::Delegation, 80)]);
}

/// Larger than anything a mapping lets through.
fn monster(number: i64) -> Step {
    let long = |text: &str| format!("{text}-{number}-{}", "x".repeat(8_000));
    let actions = [
        Action::CredentialCreate,
        Action::PrivilegeGrant,
        Action::SecretRead,
        Action::CodeChange,
        Action::Destroy,
        Action::NotifyPeople,
        Action::IdentityCreate,
        Action::MessagePublish,
    ];
    let action = actions[usize::try_from(number).unwrap() % actions.len()];
    Step::new(&ana(), at(0, number % 25), action, &long("operation"))
        .on(&long("target"))
        .with(|mapped| {
            mapped.permission = Some(long("permission").into());
            mapped.approver = Some(long("approver").into());
            mapped.audience_count = Some(i64::MAX);
            mapped.bytes_out = Some(i64::MAX);
            mapped.object_count = Some(-1);
            mapped.src_country = Some(long("country").into());
            mapped.system = long("system").into();
            mapped.changes = (0..50)
                .map(|_| Change {
                    path: long("path").into(),
                    before: Some(long("before").into()),
                    after: None,
                })
                .collect();
        })
        .named_session("one")
}

#[test]
fn a_session_stays_small_whatever_is_in_it() {
    let uid = deedtrail_core::id::SessionUid::derive(&[b"one"]);
    let steps = logged((0..400).map(monster).collect());
    let size = |count: usize| {
        let mut watch = Watch::new();
        for mut step in steps.iter().take(count).cloned() {
            step.event.session_uid = Some(uid);
            watch.step(step);
        }
        watch.take();
        assert_eq!(watch.only().events, count as u64);
        serde_json::to_vec(watch.only()).unwrap().len()
    };
    let full = size(400);
    assert!(full < SESSION_BYTES_MAX, "{full} bytes");
    assert!(size(400) == full && size(8) < full);
}

#[test]
fn a_flood_of_sessions_forgets_the_idle_ones_and_keeps_the_newest() {
    let flood = i64::try_from(TRACKED_SESSIONS_MAX).unwrap() + 500;
    let mut watch = Watch::new();
    let steps = (0..flood).map(|number| {
        let client = format!("client {number}");
        reads(&ana(), at(0, 0).plus_micros(number)).with(|mapped| {
            mapped.user_agent = Some(client.into());
        })
    });
    for step in logged(steps.collect()) {
        watch.step(step);
    }
    watch.take();
    let stored = i64::try_from(watch.sessions.len()).unwrap();
    assert_eq!(stored, flood, "each is stored once");
    let small = watch.detector.snapshot().len() / TRACKED_SESSIONS_MAX;
    assert!(small < 4_096, "{small} bytes each");
    watch.sessions.clear();
    watch.tick(at(3, 0));
    assert!(watch.sessions.len() <= TRACKED_SESSIONS_MAX);
    watch.tick(at(9, 0));
    let left = watch.detector.snapshot().len();
    assert!(left < 16 << 20, "{left} bytes after all were forgotten");
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

/// A step out of small numbers, so that sessions meet.
fn any_step() -> impl Strategy<Value = Step> {
    (
        0..3_usize,
        0..9_usize,
        0..4_000_i64,
        0..4_u8,
        0..3_u8,
        0..3_u8,
    )
        .prop_map(|(who, action, minute, thing, network, outcome)| {
            let kinds = [ActorKind::Human, ActorKind::AiAgent, ActorKind::Workload];
            let actions = [
                Action::Authenticate,
                Action::Read,
                Action::MessagePublish,
                Action::MessageConsume,
                Action::CredentialCreate,
                Action::SecretRead,
                Action::Destroy,
                Action::CodeChange,
                Action::SessionChange,
            ];
            let outcomes = [
                OutcomeClass::Success,
                OutcomeClass::Failure,
                OutcomeClass::Denied,
            ];
            let who = identity(&format!("actor-{who}"), kinds[who]);
            let step = Step::new(&who, at(0, minute), actions[action], "user.session.end")
                .on(&format!("thing-{thing}"))
                .kind_of_target("app")
                .ended(outcomes[usize::from(outcome)])
                .from(&format!("192.0.{network}.1"), 64500 + i64::from(network))
                .with(|mapped| {
                    mapped.system = ["okta", "aws", "kafka"][usize::from(network)].into();
                    if network == 0 {
                        mapped.plane = Plane::IdentityProvider;
                    }
                    if thing == 1 {
                        mapped.trace_uid = Some("0af7651916cd43dd8448eb211c80319c".into());
                    }
                    if thing == 2 {
                        mapped
                            .labels
                            .insert("issued_credential".into(), "key-3".into());
                    }
                });
            let step = step.using(&format!("key-{thing}"), at(-9, 0));
            if thing == 0 {
                step.named_session("session-0000")
            } else {
                step
            }
        })
}

/// Sessions, joins, findings and the state at the end.
type Said = (
    BTreeMap<(String, u64), Session>,
    Vec<SessionJoin>,
    Vec<FindingDraft>,
    Vec<u8>,
);

/// Everything said over a log that is cut at `cuts` into snapshots and at `takes` into steps of the
/// pipeline.
fn said(steps: &[Step], cuts: &[usize], takes: &[usize]) -> Said {
    let none = rules(&[]);
    let mut watch = Watch::new();
    for (place, step) in steps.iter().enumerate() {
        if takes.contains(&place) {
            watch.take();
        }
        if cuts.contains(&place) {
            watch.take();
            let bytes = watch.detector.snapshot();
            watch.detector =
                Detector::restore(Arc::clone(&none), Settings::default(), &bytes).unwrap();
        }
        watch.step(step.clone());
        if place % 7 == 6 {
            let now = steps[..=place]
                .iter()
                .map(|s| s.event.time_effective)
                .max()
                .unwrap();
            watch
                .drafts
                .extend(watch.detector.advance(now.plus_micros(Timestamp::HOUR_US)));
        }
    }
    watch.take();
    let snapshot = watch.detector.snapshot();
    (watch.sessions, watch.joins, watch.drafts, snapshot)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn cuts_and_restarts_change_nothing(
        steps in proptest::collection::vec(any_step(), 1..100),
        cuts in proptest::collection::vec(0..100_usize, 0..5),
        takes in proptest::collection::vec(0..100_usize, 0..20),
    ) {
        let steps = logged(steps);
        let whole = said(&steps, &[], &[]);
        let cut = said(&steps, &cuts, &takes);
        prop_assert_eq!(&whole, &cut);
        let events: u64 = whole.0.values().map(|session| session.events).sum();
        prop_assert!(events <= steps.len() as u64);
        for session in whole.0.values() {
            prop_assert!(session.started <= session.last);
            prop_assert!(session.trust.lowest <= session.trust.score);
            prop_assert!(session.trust.score <= 100);
            prop_assert_eq!(session.trust.steps.last().unwrap().score, session.trust.score);
        }
    }
}
