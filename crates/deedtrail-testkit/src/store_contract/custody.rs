//! What audit entries are about.

use deedtrail_core::custody::{Act, CustodyEntry, CustodyQuery, Subject, SubjectKind};
use deedtrail_core::id::TenantId;
use deedtrail_core::port::store::{Progress, Store};

use super::progress::{HOSTILE, other};
use super::{Outcome, second};

pub(super) fn custody_comes_back(store: &dyn Store) -> Outcome {
    let finding = |id: &str| Subject::new(SubjectKind::Finding, id);
    let entry = |tenant: TenantId, subject: Subject, act, sequence| CustodyEntry {
        tenant,
        subject,
        act,
        sequence,
        who: "ana".into(),
        at: second(0),
    };
    let ours = TenantId::default;
    for through in [5, 10] {
        // The same again, as after a restart.
        store.save(Progress {
            through,
            custody: vec![
                entry(ours(), finding("a"), Act::Export, 4),
                entry(ours(), finding("b"), Act::Export, 4),
                entry(ours(), finding("a"), Act::View, 2),
                entry(ours(), finding(HOSTILE), Act::Decision, 1),
                entry(ours(), finding("a"), Act::Decision, through - 1),
                entry(other(), finding("a"), Act::Export, 3),
                entry(
                    ours(),
                    Subject::new(SubjectKind::Event, "a"),
                    Act::Reveal,
                    6,
                ),
            ],
            ..Progress::default()
        })?;
    }
    let of = |tenant: &TenantId, ids: &[&str], acts: &[Act], limit| {
        let subjects: Vec<Subject> = ids.iter().map(|id| finding(id)).collect();
        store.custody(&CustodyQuery {
            tenant,
            subjects: &subjects,
            acts,
            limit,
        })
    };
    let (all, deeds, none) = (&Act::ALL, &Act::DEEDS, [0_u64; 0]);
    assert_eq!(of(&ours(), &["a"], all, 10)?, [9, 4, 2]);
    assert_eq!(of(&ours(), &["a"], deeds, 10)?, [9, 4]);
    assert_eq!(of(&ours(), &["a"], &[Act::View], 10)?, [2]);
    assert_eq!(of(&ours(), &["a", "b"], all, 2)?, [9, 4]);
    assert_eq!(of(&ours(), &["b"], all, 10)?, [4]);
    assert_eq!(of(&other(), &["a"], all, 10)?, [3]);
    assert_eq!(of(&ours(), &[HOSTILE], all, 10)?, [1]);
    assert_eq!(of(&ours(), &[], all, 10)?, none);
    assert_eq!(of(&ours(), &["a"], &[], 10)?, none);
    assert_eq!(store.custody_due(0, 10)?, none);
    store.forget_derived()?;
    assert_eq!(of(&ours(), &["a"], all, 10)?, none);
    Ok(())
}

pub(super) fn views_are_found_by_who(store: &dyn Store) -> Outcome {
    let tenant = TenantId::default();
    let subject = Subject::new(SubjectKind::Session, "s");
    let view = |who: &str, sequence, seconds| CustodyEntry {
        tenant: tenant.clone(),
        subject: subject.clone(),
        act: Act::View,
        sequence,
        who: who.into(),
        at: second(seconds),
    };
    let export = CustodyEntry {
        act: Act::Export,
        ..view("bo", 9, 99)
    };
    store.save(Progress {
        through: 10,
        custody: vec![
            view("ana", 1, 10),
            // The clock went back.
            view("ana", 3, 5),
            view("bo", 4, 40),
            export,
        ],
        ..Progress::default()
    })?;
    let last = |subject: &Subject, who: &str| store.last_view(&tenant, subject, who);
    assert_eq!(last(&subject, "ana")?, Some(second(5)));
    assert_eq!(last(&subject, "bo")?, Some(second(40)));
    assert_eq!(last(&subject, HOSTILE)?, None);
    let event = Subject::new(SubjectKind::Event, "s");
    assert_eq!(last(&event, "ana")?, None);
    assert_eq!(store.last_view(&other(), &subject, "ana")?, None);
    Ok(())
}
