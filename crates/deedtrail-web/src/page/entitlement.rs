//! What an identity used of its rights: a section of an identity's page.

use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::entitlement::{Basis, Deeds, Did, EntitlementUse, May, MayNot, UsedInPart, Why};
use deedtrail_app::timeline::{IdentityFile, ReadingError};
use deedtrail_core::Text;
use deedtrail_core::event::PolicyDecision;
use deedtrail_core::port::archive::ArchiveError;
use deedtrail_core::time::Timestamp;

use crate::problem::Problem;
use crate::view::{Shown, ago, grouped};

/// Rows of each table; the API has them all.
const ROWS_MAX: usize = 10;
/// Unused permissions named in a row.
const NAMED_MAX: usize = 4;

/// What the section shows.
#[derive(Debug)]
pub(super) struct EntitlementSection {
    /// Instead of the tables, when they would say nothing.
    pub(super) empty: Option<Shown>,
    pub(super) days: i64,
    pub(super) entitlements: String,
    pub(super) complete: bool,
    pub(super) not_watched: Option<Shown>,
    pub(super) did: Vec<DeedRow>,
    pub(super) did_more: usize,
    pub(super) may: Vec<MayRow>,
    pub(super) may_more: usize,
    pub(super) may_not: Vec<DeedRow>,
    pub(super) may_not_more: usize,
}

/// Something that was done or tried.
#[derive(Debug)]
pub(super) struct DeedRow {
    pub(super) href: String,
    pub(super) what: Shown,
    /// The permission it takes, where it is called something else.
    pub(super) permission: Option<Shown>,
    /// Class of the badge, and what is in it.
    pub(super) class: &'static str,
    pub(super) verdict: &'static str,
    pub(super) by: Option<Shown>,
    pub(super) policy: Shown,
    pub(super) events: String,
    pub(super) last: String,
}

/// Something that may be done and was not.
#[derive(Debug)]
pub(super) struct MayRow {
    pub(super) system: Shown,
    pub(super) unused: Shown,
    pub(super) of: String,
    pub(super) scope: Option<Shown>,
    pub(super) via: Shown,
    pub(super) since: String,
    pub(super) watched: Shown,
}

impl EntitlementSection {
    /// Asks the archive only where something was imported to compare with.
    pub(super) fn load(
        app: &App,
        principal: &Principal,
        file: &IdentityFile,
    ) -> Result<Self, Problem> {
        let imports = app.ports.store.entitlement_imports(&principal.tenant)?;
        if imports.is_empty() {
            return Ok(Self::without(
                "Nothing has been imported yet that says what identities may do: see \
                 docs/reference/entitlement-import.md for what AWS, Entra, Kubernetes and GitHub \
                 export, and POST it to /v1/entitlements/import.",
            ));
        }
        match app.entitlement_use(principal, file, (None, None)) {
            Ok(told) => Ok(Self::of(&told, file, app.ports.clock.now())),
            Err(ReadingError::Archive(
                error @ (ArchiveError::OverTime { .. }
                | ArchiveError::OverMemory { .. }
                | ArchiveError::OverSpill { .. }),
            )) => Ok(Self::without(&format!("It cannot be told here: {error}."))),
            Err(error) => Err(error.into()),
        }
    }

    fn without(why: &str) -> Self {
        Self {
            empty: Some(Shown::new(why)),
            days: 0,
            entitlements: String::new(),
            complete: true,
            not_watched: None,
            did: Vec::new(),
            did_more: 0,
            may: Vec::new(),
            may_more: 0,
            may_not: Vec::new(),
            may_not_more: 0,
        }
    }

    fn of(told: &EntitlementUse, file: &IdentityFile, now: Timestamp) -> Self {
        let address = format!("/identities/{}", file.identity.id);
        let did = told.did.iter().take(ROWS_MAX);
        let may_not = told.may_not.iter().take(ROWS_MAX);
        let may = told.may.iter().take(ROWS_MAX);
        Self {
            empty: None,
            days: told.to.micros_since(told.from) / Timestamp::DAY_US,
            entitlements: grouped(told.entitlements),
            complete: told.complete,
            not_watched: told.not_watched_in_words().map(|it| Shown::cut(&it, 400)),
            did: did.map(|row| did_row(row, &address, now)).collect(),
            did_more: told.did.len().saturating_sub(ROWS_MAX),
            may: may.map(|row| may_row(row, now)).collect(),
            may_more: told.may.len().saturating_sub(ROWS_MAX),
            may_not: may_not.map(|row| may_not_row(row, &address, now)).collect(),
            may_not_more: told.may_not.len().saturating_sub(ROWS_MAX),
        }
    }
}

fn did_row(row: &Did, address: &str, now: Timestamp) -> DeedRow {
    let class = match row.basis {
        Basis::Granted => "ok",
        Basis::Conditional | Basis::Policy => "low",
        Basis::NoneNeeded | Basis::Uncompared => "",
    };
    let verdict = (class, row.basis.words());
    deed_row(&row.deeds, verdict, &row.by, address, now)
}

fn may_not_row(row: &MayNot, address: &str, now: Timestamp) -> DeedRow {
    let class = match row.why {
        Why::AgainstDeny => "crit",
        Why::WithoutEntitlement => "high",
        Why::Denied => "med",
    };
    let verdict = (class, row.words());
    deed_row(&row.deeds, verdict, &row.by, address, now)
}

fn deed_row(
    deeds: &Deeds,
    (class, verdict): (&'static str, &'static str),
    by: &[Text],
    address: &str,
    now: Timestamp,
) -> DeedRow {
    let renamed = deeds.permissions.iter().all(|it| *it != deeds.operation);
    let takes = (renamed && !deeds.permissions.is_empty()).then(|| deeds.permissions.join(" or "));
    DeedRow {
        href: format!("{address}?event={}", deeds.event_uid),
        what: Shown::cut(&format!("{} ({})", deeds.operation, deeds.system), 80),
        permission: takes.map(|takes| Shown::cut(&takes, 80)),
        class,
        verdict,
        by: (!by.is_empty()).then(|| Shown::cut(&by.join("; "), 120)),
        policy: policy(deeds.policy_decision.as_ref()),
        events: grouped(deeds.events),
        last: ago(now.micros_since(deeds.last)),
    }
}

fn policy(decision: Option<&PolicyDecision>) -> Shown {
    let Some(decision) = decision else {
        return Shown::new("not in the feed");
    };
    let said = if decision.allowed {
        "allowed"
    } else {
        "denied"
    };
    match &decision.policy_id {
        Some(policy) => Shown::cut(&format!("{said} by {policy}"), 60),
        None => Shown::new(said),
    }
}

fn may_row(row: &May, now: Timestamp) -> MayRow {
    let named: Vec<&str> = row
        .unused
        .iter()
        .take(NAMED_MAX)
        .map(Text::as_str)
        .collect();
    let but = if row.except { "everything but " } else { "" };
    let more = row.unused_total.saturating_sub(named.len() as u64);
    let more = if more > 0 {
        format!(" and {} more", grouped(more))
    } else {
        String::new()
    };
    let unused = (!named.is_empty()).then(|| format!("{but}{}{more}", named.join(", ")));
    let part = row.used_in_part.iter().take(NAMED_MAX);
    let mut part: Vec<String> = part.map(UsedInPart::sentence).collect();
    let more = row.used_in_part_total.saturating_sub(part.len() as u64);
    if more > 0 {
        part.push(format!("{} more used in part", grouped(more)));
    }
    let since = match row.granted {
        Some(at) => format!("granted {}", ago(now.micros_since(at))),
        None => format!("known {}", ago(now.micros_since(row.first_imported))),
    };
    let expires = row.expires.map(|at| match now.micros_since(at) {
        past @ 0.. => format!(", expired {}", ago(past)),
        ahead => format!(", expires in {} d", -ahead / Timestamp::DAY_US),
    });
    let watched = match row.watched_since {
        Some(at) => format!(
            "{}; watched since {}",
            row.use_in_words(),
            ago(now.micros_since(at))
        ),
        None => format!("unknown: {}", row.unknown),
    };
    let scope_but = if row.scope_except { "all but " } else { "" };
    let scope = (!row.scope.is_empty()).then(|| format!("{scope_but}{}", row.scope.join(", ")));
    MayRow {
        system: Shown::cut(&row.system, 40),
        unused: Shown::cut(
            &unused
                .into_iter()
                .chain(part)
                .collect::<Vec<_>>()
                .join("; "),
            300,
        ),
        of: format!(
            "{} of {}",
            grouped(row.unused_total),
            grouped(row.permissions_total)
        ),
        scope: scope.map(|scope| Shown::cut(&scope, 120)),
        via: Shown::cut(row.via.as_deref().unwrap_or("the import"), 120),
        since: format!("{since}{}", expires.unwrap_or_default()),
        watched: Shown::cut(&watched, 120),
    }
}
