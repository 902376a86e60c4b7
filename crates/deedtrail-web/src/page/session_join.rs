//! What a session is joined to: the sure joins one by one; the weak ones by their reason, and not
//! drawn.

use deedtrail_app::session::{SessionFile, WEAK_BELOW};
use deedtrail_core::id::SessionUid;
use deedtrail_core::session::{JoinBy, Session, SessionJoin};

use super::session_view::{Score, verdict_badge};
use crate::view::{Badge, Shown};

/// Sure joins shown, the page's own session first.
const JOINS_SHOWN_MAX: usize = 16;
/// Weak joins of one reason shown.
const WEAK_SHOWN_MAX: usize = 24;

/// A session by its actor and first system.
#[derive(Clone, Debug)]
pub(super) struct SessionLink {
    pub(super) href: String,
    pub(super) name: Shown,
}

/// A session that is joined to the one shown.
#[derive(Clone, Debug)]
pub(super) struct JoinedRow {
    pub(super) link: SessionLink,
    pub(super) badge: Badge,
    pub(super) trust: Score,
}

/// One join; `number` is the one in the picture.
#[derive(Clone, Debug)]
pub(super) struct JoinRow {
    pub(super) number: usize,
    pub(super) from: SessionLink,
    pub(super) to: SessionLink,
    pub(super) by: &'static str,
    pub(super) reason: Shown,
    pub(super) confidence: u8,
}

/// Weak joins that have their reason in common.
#[derive(Clone, Debug)]
pub(super) struct WeakJoins {
    pub(super) reason: Shown,
    pub(super) confidence: u8,
    pub(super) count: usize,
    pub(super) rows: Vec<JoinRow>,
    pub(super) more: usize,
}

/// Everything a page shows of joins.
#[derive(Clone, Debug)]
pub(super) struct Joins {
    pub(super) rows: Vec<JoinRow>,
    pub(super) more: usize,
    pub(super) weak: Vec<WeakJoins>,
    pub(super) joined: Vec<JoinedRow>,
}

impl Joins {
    pub(super) fn new(file: &SessionFile) -> Self {
        let (sure, weak): (Vec<&SessionJoin>, Vec<_>) =
            file.joins.iter().partition(|join| is_sure(join));
        let shown = drawn(file);
        Self {
            more: sure.len() - shown.len(),
            rows: rows(&shown, file),
            weak: by_reason(&weak, file),
            joined: file.joined.iter().map(joined).collect(),
        }
    }
}

/// The joins that the picture draws, in the order of the table.
pub(super) fn drawn(file: &SessionFile) -> Vec<&SessionJoin> {
    let uid = file.session.uid;
    let mut sure: Vec<&SessionJoin> = file.joins.iter().filter(|join| is_sure(join)).collect();
    sure.sort_by_key(|join| join.from != uid && join.to != uid);
    sure.truncate(JOINS_SHOWN_MAX);
    sure
}

fn is_sure(join: &SessionJoin) -> bool {
    join.confidence >= WEAK_BELOW
}

fn by_reason(weak: &[&SessionJoin], file: &SessionFile) -> Vec<WeakJoins> {
    let mut groups: Vec<Vec<&SessionJoin>> = Vec::new();
    for join in weak {
        let known = groups.iter_mut().find(|group| {
            let first = group.first();
            first.is_some_and(|it| (&it.reason, it.confidence) == (&join.reason, join.confidence))
        });
        match known {
            Some(group) => group.push(join),
            None => groups.push(vec![join]),
        }
    }
    let group = |group: &Vec<&SessionJoin>| {
        let first = group.first()?;
        let shown = group.get(..WEAK_SHOWN_MAX).unwrap_or(group);
        Some(WeakJoins {
            reason: Shown::new(&first.reason),
            confidence: first.confidence,
            count: group.len(),
            rows: rows(shown, file),
            more: group.len() - shown.len(),
        })
    };
    groups.iter().filter_map(group).collect()
}

fn rows(joins: &[&SessionJoin], file: &SessionFile) -> Vec<JoinRow> {
    let all = file.all();
    let link = |uid: SessionUid| {
        let session = all.iter().find(|session| session.uid == uid);
        session.map_or_else(
            || SessionLink {
                href: format!("/sessions/{uid}"),
                name: Shown::new("a session"),
            },
            |session| session_link(session),
        )
    };
    let numbered = joins.iter().enumerate();
    let row = |(place, join): (usize, &&SessionJoin)| JoinRow {
        number: place + 1,
        from: link(join.from),
        to: link(join.to),
        by: by_word(join.by),
        reason: Shown::new(&join.reason),
        confidence: join.confidence,
    };
    numbered.map(row).collect()
}

fn session_link(session: &Session) -> SessionLink {
    let system = session.systems.first().map_or("", |system| system);
    let name = format!(
        "{} in {}",
        Shown::brief(&session.actor),
        Shown::brief(system)
    );
    SessionLink {
        href: format!("/sessions/{}", session.uid),
        name: Shown::cut(&name, 60),
    }
}

fn joined(session: &Session) -> JoinedRow {
    JoinedRow {
        link: session_link(session),
        badge: verdict_badge(session.verdict),
        trust: Score::new(session.trust.score),
    }
}

const fn by_word(by: JoinBy) -> &'static str {
    match by {
        JoinBy::SessionId => "session id",
        JoinBy::IssuedCredential => "issued credential",
        JoinBy::Trace => "trace",
        JoinBy::Delegation => "delegation",
        JoinBy::Queue => "queue",
        JoinBy::IdentityNetwork => "identity and network",
        JoinBy::EmailNetwork => "e-mail and network",
    }
}
