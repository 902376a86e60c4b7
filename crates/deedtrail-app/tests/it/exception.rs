//! Exceptions to rules are entries of the log: they hold back and count from where they stand there
//! until their day, whatever is restarted or rebuilt in between.

use std::sync::Arc;

use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::exception::{ExceptionDraft, ExceptionError};
use deedtrail_app::pipeline::Pipeline;
use deedtrail_app::rule_set::{Current, InForce};
use deedtrail_core::exception::{
    ExceptionCondition, ExceptionStatus, HELD_BACK_MAX, RuleException,
};
use deedtrail_core::finding::Finding;
use deedtrail_core::id::TenantId;
use deedtrail_core::port::log::{EvidenceLog as _, Secrets};
use deedtrail_core::port::store::{FindingFilter, Scope, Store as _};
use deedtrail_core::time::Timestamp;
use deedtrail_detect::{RuleFile, RuleSet};
use deedtrail_testkit::sample::Sample;

use crate::installation::{delete_object, pipeline_with, ports};

const RULE: &str = "title: Deleted
id: 5f1c2a53-19b1-4ce5-a1a8-0f2f0f4a7d10
logsource:
  product: deedtrail
detection:
  selection:
    action: delete
  condition: selection
level: high
deedtrail:
  finding: guardrail_removed
  title: '{actor_name} deleted {target_name}'
  pattern: [target_name]
  reasons:
    - '{operation}'
";

struct Server {
    sample: Sample,
    app: App,
    pipeline: Pipeline,
}

fn rules() -> Arc<RuleSet> {
    let (rules, problems) = RuleSet::load(&[RuleFile {
        path: "own/deleted/rule.yml".into(),
        text: RULE.into(),
    }]);
    assert_eq!(problems, []);
    Arc::new(rules)
}

fn when(field: &str, pattern: &str) -> Vec<ExceptionCondition> {
    vec![ExceptionCondition {
        field: field.into(),
        pattern: pattern.into(),
    }]
}

fn draft(
    rule: &str,
    conditions: Vec<ExceptionCondition>,
    expires: Timestamp,
) -> ExceptionDraft<'_> {
    ExceptionDraft {
        rule,
        conditions,
        owner: "lead@example.com",
        reason: "the nightly clean-up",
        expires,
    }
}

impl Server {
    fn new() -> Self {
        let sample = Sample::empty();
        Self {
            app: App {
                current: Current::new(InForce::of(rules())),
                ..App::new(ports(&sample))
            },
            pipeline: pipeline_with(&sample, rules()),
            sample,
        }
    }

    fn go_on(&mut self) {
        while self.pipeline.step().unwrap() {}
    }

    fn in_days(&self, days: i64) -> Timestamp {
        use deedtrail_core::port::Clock as _;
        let now = self.sample.clock.now();
        now.plus_micros(days * Timestamp::DAY_US)
    }

    fn except(&mut self, field: &str, pattern: &str) -> Result<(), ExceptionError> {
        let conditions = when(field, pattern);
        let draft = draft("own/deleted", conditions, self.in_days(30));
        self.app.except_rule(&Principal::local(), &draft)?;
        self.go_on();
        Ok(())
    }

    /// `who` deletes an object of `bucket` at that minute of 2026-03-02.
    fn delete(&mut self, who: &str, bucket: &str, minute: u32) {
        delete_object(&self.app, who, bucket, minute);
        self.go_on();
    }

    fn found(&self) -> Vec<Finding> {
        let all = self.sample.store.findings(&FindingFilter::default(), 99);
        let mut all = all.unwrap();
        all.retain(|finding| finding.draft.rule == "own/deleted");
        all.sort_by_key(|finding| finding.id);
        all
    }

    fn exceptions(&self) -> Vec<RuleException> {
        let all = self.app.rule_exceptions(&Principal::local(), None);
        all.unwrap()
    }

    fn restart(&mut self) {
        self.pipeline = pipeline_with(&self.sample, rules());
        self.go_on();
    }
}

#[test]
fn evidence_of_an_identity_says_what_exceptions_held_back() {
    let mut server = Server::new();
    server.except("resource", "*scratch*").unwrap();
    server.delete("ana", "reports", 0);
    server.delete("ana", "scratch", 1);
    server.delete("ana", "scratch", 2);
    server.delete("bob", "scratch", 3);
    let local = Principal::local();
    let at = |minute: u32| -> Timestamp {
        let time = format!("2026-03-02T10:{minute:02}:00Z");
        Timestamp::parse_rfc3339(&time).unwrap()
    };
    let held = |who: &str, range: (Option<Timestamp>, Option<Timestamp>)| {
        let secrets = Secrets::Withheld;
        let selected = server.app.select_evidence(&local, who, range, secrets);
        selected.unwrap().completeness.held_back
    };
    let told = held("ana", (None, None));
    let [one] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert_eq!((one.exception, one.matches, one.held_back), (1, 2, 3));
    assert_eq!(one.newest.len(), 2);
    assert_eq!((one.newest[0].at, one.newest[1].at), (at(2), at(1)));
    assert_eq!(
        (&*one.owner, &*one.reason),
        ("lead@example.com", "the nightly clean-up")
    );
    assert!(
        one.says
            .starts_with("2 matches of own/deleted were held back by exception 1")
    );
    assert_eq!(held("ana", (Some(at(2)), None))[0].matches, 1);
    assert_eq!(held("ana", (None, Some(at(1)))), []);
    assert_eq!(held("bob", (None, None))[0].matches, 1);
}

#[test]
fn what_is_only_counted_may_be_anybodys() {
    let mut server = Server::new();
    server.except("resource", "*scratch*").unwrap();
    server.delete("ana", "scratch", 0);
    for number in 0..u32::try_from(HELD_BACK_MAX).unwrap() {
        let who = format!("bob-{}", number / 50);
        server.delete(&who, "scratch", 1 + number % 50);
    }
    let local = Principal::local();
    let all = (None, None);
    let selected = server
        .app
        .select_evidence(&local, "ana", all, Secrets::Withheld);
    let told = selected.unwrap().completeness.held_back;
    assert_eq!(
        (told[0].matches, told[0].held_back, told[0].kept),
        (0, 101, 100)
    );
    assert!(
        told[0].says.contains("only counted (1)"),
        "{}",
        told[0].says
    );
}

#[test]
fn what_is_over_for_long_leaves_the_store() {
    let mut server = Server::new();
    let tick = |server: &mut Server, days: i64| {
        server.sample.clock.advance(days * Timestamp::DAY_US);
        server.app.tick().unwrap();
        server.go_on();
        server.exceptions().len()
    };
    server.except("actor", "ci-*").unwrap();
    server.delete("ci-cleaner", "reports", 0);
    assert_eq!(server.exceptions()[0].effect.held_back, 1);
    assert_eq!(tick(&mut server, 31), 1, "expired");
    assert_eq!(tick(&mut server, 398), 1, "kept");
    assert_eq!(tick(&mut server, 2), 0, "removed");
    let held = server.app.held_back(&Principal::local(), 1).unwrap_err();
    assert!(matches!(held, ExceptionError::Unknown(1)), "{held}");
    server.restart();
    assert_eq!(server.exceptions(), []);
    server.sample.store.forget_derived().unwrap();
    server.restart();
    assert_eq!(server.exceptions(), [], "after a rebuild");
    server.except("actor", "ci-*").unwrap();
    assert_eq!(server.exceptions()[0].number, 2, "numbers go on");
}

#[test]
fn what_an_exception_covers_is_counted_and_not_told() {
    let mut server = Server::new();
    server.except("actor", "CI-*").unwrap();
    server.delete("ci-cleaner", "reports", 0);
    server.delete("ana", "reports", 1);
    server.delete("ci-cleaner", "reports", 2);
    let found = server.found();
    assert_eq!(found.len(), 1);
    assert!(
        found[0].draft.title.starts_with("ana "),
        "{}",
        found[0].draft.title
    );
    let exception = &server.exceptions()[0];
    assert_eq!((exception.number, exception.effect.held_back), (1, 2));
    let minute = |minute| Timestamp::parse_rfc3339(&format!("2026-03-02T10:0{minute}:00Z"));
    assert_eq!(exception.effect.first, minute(0));
    assert_eq!(exception.effect.last, minute(2));
    assert!(exception.effect.last_event.is_some());
    // A session that only did what is excepted is trusted as before.
    let (before, exceptions) = (server.found(), server.exceptions());
    server.restart();
    assert_eq!(
        (server.found(), server.exceptions()),
        (before.clone(), exceptions.clone())
    );
    assert!(server.pipeline.rebuild(&mut |_| true).unwrap());
    assert_eq!((server.found(), server.exceptions()), (before, exceptions));
}

#[test]
fn the_same_log_in_other_cuts_holds_back_the_same() {
    let story = |restart_after: &[u32]| {
        let mut server = Server::new();
        for minute in 0..8 {
            match minute {
                2 => server.except("resource", "*scratch*").unwrap(),
                4 => server.except("actor", "ana").unwrap(),
                6 => {
                    server.app.end_exception(&Principal::local(), 2).unwrap();
                    server.go_on();
                }
                _ => {}
            }
            server.delete("ana", "reports", minute);
            server.delete("bob", "scratch", minute);
            if restart_after.contains(&minute) {
                server.pipeline.close().unwrap();
                server.restart();
            }
        }
        let whole = (server.found(), server.exceptions());
        assert!(server.pipeline.rebuild(&mut |_| true).unwrap());
        assert_eq!(whole, (server.found(), server.exceptions()), "a rebuild");
        whole
    };
    let whole = story(&[]);
    let held: Vec<u64> = whole.1.iter().map(|it| it.effect.held_back).collect();
    assert_eq!(held, [2, 6]);
    assert_eq!(story(&[1, 4]).1, whole.1);
    assert_eq!(story(&[2, 3, 5, 7]), whole);
}

#[test]
fn an_exception_ends_on_its_day_or_when_somebody_ends_it() {
    let mut server = Server::new();
    let local = Principal::local();
    server.except("actor", "ana").unwrap();
    server.delete("ana", "reports", 0);
    server.sample.clock.advance(30 * Timestamp::DAY_US);
    // The vendor's time is before the day; the record comes after it.
    server.delete("ana", "reports", 1);
    assert_eq!(server.found()[0].repeats, 1, "told again from its day on");
    let exception = &server.exceptions()[0];
    assert_eq!(
        exception.status(server.in_days(0)),
        ExceptionStatus::Expired
    );
    assert_eq!(exception.effect.held_back, 1);
    let over = server.app.end_exception(&local, 1).unwrap_err();
    assert!(over.to_string().contains("it is expired"), "{over}");

    server.except("actor", "ana").unwrap();
    server.delete("ana", "reports", 2);
    assert_eq!(server.found()[0].repeats, 1);
    server.app.end_exception(&local, 2).unwrap();
    server.go_on();
    let ended = &server.exceptions()[0];
    assert_eq!(ended.status(server.in_days(0)), ExceptionStatus::Ended);
    assert_eq!(ended.ended.as_ref().unwrap().by, local.name);
    server.delete("ana", "reports", 3);
    assert_eq!(server.found()[0].repeats, 2);
}

#[test]
fn bad_exceptions_are_refused_and_leave_nothing_in_the_log() {
    let mut server = Server::new();
    let local = Principal::local();
    let (end, day) = (server.sample.log.end(), server.in_days(1));
    let refused = |server: &Server, draft: &ExceptionDraft<'_>| {
        let refused = server.app.except_rule(&local, draft).unwrap_err();
        refused.to_string()
    };
    for (rule, says) in [
        ("own/delted", "did you mean `own/deleted`?"),
        ("code/charter", "no single event is excepted"),
        ("sequence/x", "no single event is excepted"),
        ("", "no rule is called ``"),
    ] {
        let said = refused(&server, &draft(rule, Vec::new(), day));
        assert!(said.contains(says), "{said}");
    }
    for (field, pattern, says) in [
        ("actor", "*", "`actor=*` matches everything"),
        ("tenant", "default", "matches everything"),
        ("actors", "x", "did you mean `actor`?"),
        ("CommandLine", "x", "no condition is called `CommandLine`"),
    ] {
        let said = refused(&server, &draft("own/deleted", when(field, pattern), day));
        assert!(said.contains(says), "{said}");
    }
    let past = draft("own/deleted", Vec::new(), server.in_days(0));
    assert!(refused(&server, &past).contains("has passed"));
    let far = draft("own/deleted", Vec::new(), server.in_days(367));
    assert!(refused(&server, &far).contains("366 days"));
    let nobody = ExceptionDraft {
        owner: " ",
        ..draft("own/deleted", Vec::new(), day)
    };
    assert!(refused(&server, &nobody).contains("who answers for it"));
    let unsaid = ExceptionDraft {
        reason: "",
        ..draft("own/deleted", Vec::new(), day)
    };
    assert!(refused(&server, &unsaid).contains("say why"));
    assert_eq!(server.sample.log.end(), end);
    let none = server.app.end_exception(&local, 1).unwrap_err();
    assert!(none.to_string().contains("no exception 1"), "{none}");

    server.except("actor", "ana").unwrap();
    let twice = server.except("actor", "ana").unwrap_err();
    assert!(matches!(twice, ExceptionError::Double(1)), "{twice}");
    let reader = Principal {
        scopes: vec![Scope::Read],
        ..Principal::local()
    };
    let denied = server.app.end_exception(&reader, 1).unwrap_err();
    assert!(matches!(denied, ExceptionError::Denied(_)), "{denied}");
    let other = Principal {
        tenant: TenantId::new("other").unwrap(),
        ..Principal::local()
    };
    assert_eq!(server.app.rule_exceptions(&other, None).unwrap(), []);
    let by_id = server
        .app
        .rule_exceptions(&local, Some("5f1c2a53-19b1-4ce5-a1a8-0f2f0f4a7d10"));
    assert_eq!(by_id.unwrap().len(), 1);
}
