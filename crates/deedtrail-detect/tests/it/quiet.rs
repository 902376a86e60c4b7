//! Sixty days of routine: people, batches and agents. Nothing may be said after the first days,
//! and little on them.

use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, EventKind, OutcomeClass};

use crate::builder::{Step, at, identity, run};

/// A small deterministic generator, so that the days differ.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: i64) -> i64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap_or(0) % limit
    }
}

fn person(n: i64, day: i64, dice: &mut Dice) -> Vec<Step> {
    let who = identity(&format!("person-{n}@example.com"), ActorKind::Human);
    let home = dice.below(5) == 0;
    let place = |step: Step| {
        if home {
            step.from("198.51.100.20", 64510)
        } else {
            step
        }
    };
    let morning = 480 + dice.below(60);
    let mut steps = Vec::new();
    if dice.below(4) == 0 {
        steps.push(place(
            Step::new(
                &who,
                at(day, morning),
                Action::Authenticate,
                "user.session.start",
            )
            .ended(OutcomeClass::Failure),
        ));
    }
    steps.push(place(Step::new(
        &who,
        at(day, morning + 1),
        Action::Authenticate,
        "user.session.start",
    )));
    for work in 0..12 {
        let minute = morning + 10 + work * 30 + dice.below(25);
        let target = format!("acme/repo-{}", dice.below(6));
        let action = [Action::Read, Action::Write, Action::CodeChange]
            [usize::try_from(dice.below(3)).unwrap()];
        steps.push(place(
            Step::new(&who, at(day, minute), action, "git").on(&target),
        ));
    }
    if dice.below(6) == 0 {
        steps.push(place(Step::new(
            &who,
            at(day, morning + 200),
            Action::Click,
            "ClickAllowed",
        )));
        steps.push(place(Step::new(
            &who,
            at(day, morning + 203),
            Action::Authenticate,
            "user.session.start",
        )));
    }
    steps
}

fn batch(day: i64) -> Vec<Step> {
    let who = identity("nightly-backup", ActorKind::ServiceAccount);
    let copy = |n: i64| {
        Step::new(
            &who,
            at(day, 120).plus_micros(n * 500_000),
            Action::Read,
            "GetObject",
        )
        .on(&format!("bucket/part-{n}"))
        .using("backup-key", at(-20, 0))
    };
    (0..80).map(copy).collect()
}

fn rotation(day: i64) -> Vec<Step> {
    if day % 7 != 0 {
        return Vec::new();
    }
    let who = identity("rotator", ActorKind::ServiceAccount);
    let ticket = |step: Step| step.with(|m| m.change_ticket = Some(format!("CHG-{day}").into()));
    vec![
        Step::new(&who, at(day, 180), Action::SecretRead, "read").on("secret/payments"),
        ticket(Step::new(&who, at(day, 183), Action::CredentialRotate, "rotate").on("payments-db")),
    ]
}

fn agent(day: i64, dice: &mut Dice) -> Vec<Step> {
    let mut who = identity("triage-agent", ActorKind::AiAgent);
    who.declared.declared_tools = vec!["tickets.read".into(), "tickets.comment".into()];
    let call = |minute: i64, tool: &str, target: i64| {
        Step::new(&who, at(day, minute), Action::Execute, tool)
            .on(&format!("ticket-{target}"))
            .with(|mapped| mapped.kind = EventKind::ToolCall)
    };
    (0..10 + dice.below(10))
        .flat_map(|n| {
            let ticket = dice.below(10_000);
            [
                call(400 + 30 * n, "tickets.read", ticket),
                call(402 + 30 * n, "tickets.comment", ticket),
            ]
        })
        .collect()
}

fn ci(day: i64, dice: &mut Dice) -> Vec<Step> {
    let who = identity("ci-deployer", ActorKind::AutomationRunner);
    (0..3 + dice.below(6))
        .flat_map(|n| {
            let minute = 500 + 60 * n;
            [
                Step::new(&who, at(day, minute), Action::Read, "repo.clone").on("acme/payments"),
                Step::new(
                    &who,
                    at(day, minute + 5),
                    Action::SecretRead,
                    "GetSecretValue",
                )
                .on("ci/token"),
                Step::new(&who, at(day, minute + 9), Action::Deploy, "UpdateService")
                    .on("payments"),
                Step::new(
                    &who,
                    at(day, minute + 10),
                    Action::Enumerate,
                    "iam:ListRoles",
                ),
            ]
        })
        .collect()
}

#[test]
fn sixty_days_of_routine_say_next_to_nothing() {
    let mut dice = Dice(7);
    let mut steps = Vec::new();
    for day in 0..60 {
        let weekend = day % 7 >= 5;
        if !weekend {
            (0..6).for_each(|n| steps.extend(person(n, day, &mut dice)));
        }
        steps.extend(batch(day));
        steps.extend(rotation(day));
        steps.extend(agent(day, &mut dice));
        steps.extend(ci(day, &mut dice));
    }
    steps.sort_by_key(|step| step.event.time_effective);
    let count = steps.len();
    let drafts = run(steps);
    let said = drafts
        .iter()
        .map(|d| format!("{}: {}", d.at, d.title))
        .collect::<Vec<_>>();
    // CI's first read of its secret has no history to be routine in.
    assert!(said.len() <= 1, "{count} events said:\n{}", said.join("\n"));
    assert!(drafts.iter().all(|draft| draft.at < at(1, 0)), "{said:?}");
}
