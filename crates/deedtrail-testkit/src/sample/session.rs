//! Sessions as samples have them.

use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::event::{Environment, OutcomeClass, Plane};
use deedtrail_core::finding::Severity;
use deedtrail_core::id::{EventUid, FindingId, SessionUid, SourceName, TenantId};
use deedtrail_core::session::{
    Audience, BlastRadius, BlindSession, FileChange, JoinBy, KnownBy, NextAction, PermissionUse,
    QueueEdge, Reached, Session, SessionDeparture, SessionFinding, SessionJoin, SessionVerdict,
    ToldBy, Trust, TrustStep, VerdictReason,
};
use deedtrail_core::time::Timestamp;

use super::NOW;
use super::builder::{Builder, Person};

/// A sign-in, a push and a role session that belong together, one that stands alone, and a sign-in
/// to where nothing is seen.
pub(super) fn tell(builder: &mut Builder, [alice, deployer, admin]: [&Person; 3]) {
    let at = NOW.plus_micros(-3 * Timestamp::HOUR_US);
    let quiet = Session {
        known_by: KnownBy::VendorId,
        verdict: SessionVerdict::InScope,
        reasons: Vec::new(),
        findings: Vec::new(),
        departures: vec![SessionDeparture {
            since: at,
            at: at.plus_micros(2 * Timestamp::MINUTE_US),
            share: 0.004,
            told_by: ToldBy::Session,
            finding: None,
            reasons: vec!["`user.session.start` after `git.push`: 1 of 40 times".into()],
        }],
        blast: BlastRadius::default(),
        next_left_out: 0,
        ..session("okta", alice, "okta", at, "user.session.start")
    };
    let push = session("github", alice, "github", at, "git.push");
    let role = session("aws", admin, "aws", at, "iam:CreateAccessKey");
    let before = at.plus_micros(-Timestamp::DAY_US);
    let alone = Session {
        departures: Vec::new(),
        ..session("alone", deployer, "aws", before, "s3:GetObject")
    };
    let reason = "the same identity, both from AS64500, within an hour";
    let joins = [
        join("okta", "github", JoinBy::IdentityNetwork, reason, at),
        join(
            "github",
            "aws",
            JoinBy::Delegation,
            "assumed role: alice stands behind it",
            at,
        ),
    ];
    let progress = &mut builder.progress;
    progress.sessions.extend([quiet, push, role, alone]);
    progress.session_joins.extend(joins);
    progress.blind_sessions.push(blind(alice, "Salesforce", at));
}

/// A session of `actor` in `system` with `acts` actions two minutes apart; every text in it is
/// `text`.
pub(super) fn session(
    name: &str,
    actor: &Person,
    system: &str,
    at: Timestamp,
    text: &str,
) -> Session {
    let minute = |minutes: i64| at.plus_micros(minutes * Timestamp::MINUTE_US);
    let text = Text::new(text);
    Session {
        uid: uid(name),
        part: 1,
        tenant: TenantId::default(),
        identity: actor.id(),
        actor: actor.name.clone(),
        actor_kind: actor.kind,
        known_by: KnownBy::Gap,
        started: at,
        last: minute(38),
        ended: None,
        events: 40,
        refused: 2,
        sources: SourceName::new("github.audit").into_iter().collect(),
        systems: vec![system.into()],
        planes: vec![Plane::Control],
        credential: Some(text.clone()),
        network: Some(text.clone()),
        country: None,
        client: Some(text.clone()),
        next: (0..4)
            .map(|n| act(&text, system, n, minute(n * n * 3)))
            .collect(),
        next_left_out: 3,
        blast: blast(&text, at),
        change_tickets: vec![text.clone()],
        permissions: vec![PermissionUse {
            permission: text.clone(),
            uses: 4,
            first: at,
            first_abuse: Some(minute(2)),
        }],
        verdict: SessionVerdict::Persistence,
        reasons: vec![VerdictReason {
            class: SessionVerdict::Persistence,
            at: minute(2),
            event_uid: EventUid::derive(&[name.as_bytes()]),
            sentence: text.to_string(),
            times: 2,
        }],
        trust: trust(&text, at),
        findings: vec![SessionFinding {
            id: FindingId::derive(&[name.as_bytes()]),
            kind: "credential_planted".into(),
            severity: Severity::High,
            title: text.clone(),
            at: minute(2),
        }],
        departures: vec![departure(name, text, at)],
    }
}

fn departure(name: &str, text: Text, at: Timestamp) -> SessionDeparture {
    let finding = FindingId::derive(&[name.as_bytes()]);
    SessionDeparture {
        since: at,
        at,
        share: 0.004,
        told_by: ToldBy::OtherFinding,
        finding: Some(finding),
        reasons: vec![text],
    }
}

pub(super) fn uid(name: &str) -> SessionUid {
    SessionUid::derive(&[name.as_bytes()])
}

fn act(text: &Text, system: &str, number: i64, at: Timestamp) -> NextAction {
    let actions = [
        Action::Authenticate,
        Action::Read,
        Action::CredentialCreate,
        Action::Destroy,
    ];
    NextAction {
        event_uid: EventUid::derive(&[text.as_bytes(), &number.to_le_bytes()]),
        log_seq: number.unsigned_abs(),
        at,
        until: at,
        times: 1,
        system: system.into(),
        action: actions[usize::try_from(number).unwrap_or(0) % 4],
        operation: text.clone(),
        target: Some(text.clone()),
        environment: Environment::Production,
        outcome: OutcomeClass::Success,
    }
}

fn blast(text: &Text, at: Timestamp) -> BlastRadius {
    let mut made = Reached::default();
    for number in 0..20 {
        made.note(
            &format!("{text} {number}"),
            Some(text),
            Environment::Production,
        );
    }
    BlastRadius {
        credentials_made: made.clone(),
        secrets_read: made,
        files: vec![FileChange {
            path: text.clone(),
            before: Some(text.clone()),
            after: None,
            environment: Environment::Production,
            at,
        }],
        notified: vec![Audience {
            reference: None,
            through: text.clone(),
            count: 1_240,
            approver: Some(text.clone()),
            at,
        }],
        messages: 1,
        people_notified: 1_240,
        queues: vec![QueueEdge {
            from: uid("one"),
            from_actor: text.clone(),
            topic: text.clone(),
            to: uid("two"),
            to_actor: text.clone(),
            at,
        }],
        bytes_out: 5 << 20,
        ..BlastRadius::default()
    }
}

fn trust(text: &Text, at: Timestamp) -> Trust {
    let step = |minutes: i64, row: &str, points, score, crossed| TrustStep {
        at: at.plus_micros(minutes * Timestamp::MINUTE_US),
        points,
        row: row.into(),
        reason: text.clone(),
        score,
        crossed,
    };
    Trust {
        score: 35,
        lowest: 35,
        steps: vec![
            step(0, "start_plain", 80, 80, None),
            step(2, "finding_high", -25, 55, Some(70)),
            step(3, "departure", -20, 35, Some(40)),
        ],
        steps_left_out: 0,
    }
}

/// That `from` led to `to`.
pub(super) fn join(from: &str, to: &str, by: JoinBy, reason: &str, at: Timestamp) -> SessionJoin {
    SessionJoin {
        tenant: TenantId::default(),
        from: uid(from),
        to: uid(to),
        by,
        reason: reason.into(),
        confidence: 75,
        at,
    }
}

/// A sign-in of `actor` to a system that nobody sees.
pub(super) fn blind(actor: &Person, system: &str, at: Timestamp) -> BlindSession {
    BlindSession {
        tenant: TenantId::default(),
        identity: actor.id(),
        actor: actor.name.clone(),
        system: system.into(),
        silent_since: None,
        privilege: "named as privileged".into(),
        severity: Severity::High,
        sign_ins: 3,
        first: at,
        last: at,
    }
}
