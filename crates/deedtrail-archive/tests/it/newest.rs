//! Pages of a timeline, compared with what a look at every event gives.

use deedtrail_archive::DeltaArchive;
use deedtrail_core::action::Action;
use deedtrail_core::event::Event;
use deedtrail_core::id::AliasUid;
use deedtrail_core::port::archive::{Archive as _, Cursor, EventFilter};
use deedtrail_core::time::Timestamp;

use crate::fixture::{START_US, alias, alias_uid, archive, event_by, other_tenant};

const EVENTS: u64 = 400;

/// Numbers that look random and are the same each time (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn is_one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    /// One of few instants, less than a millisecond apart, in one of three months.
    fn instant(&mut self) -> Timestamp {
        let month = self.below(3) * 31 * 86_400_000_000;
        let micros = month + self.below(30) * 300;
        Timestamp::from_micros(START_US + i64::try_from(micros).unwrap())
    }

    fn user(&mut self) -> String {
        format!("user{}@example.com", self.below(9))
    }
}

fn event(sequence: u64, dice: &mut Dice) -> Event {
    let mut event = event_by(sequence, &dice.user());
    event.time_effective = dice.instant();
    if dice.is_one_in(4) {
        event.on_behalf_of_uid = Some(alias_uid(&dice.user()));
    }
    if dice.is_one_in(4) {
        let target = dice.user();
        event.mapped.target_aliases = vec![alias(&target)];
        event.mapped.target_ref = Some(target.as_str().into());
    }
    if dice.is_one_in(5) {
        event.mapped.action = Action::Delete;
    }
    if dice.is_one_in(9) {
        event.tenant = other_tenant();
    }
    event.mapped.src_ip = Some(format!("192.0.2.{}", dice.below(20)).as_str().into());
    event
}

/// Stored in many files, of which some were merged, and in memory.
fn filled(dice: &mut Dice) -> (tempfile::TempDir, DeltaArchive, Vec<Event>) {
    let (folder, archive) = archive();
    let all: Vec<Event> = (0..EVENTS).map(|sequence| event(sequence, dice)).collect();
    let mut stored = 0;
    for (part, some) in all.chunks(45).enumerate() {
        stored += some.len() as u64;
        archive.add(some.to_vec(), stored).unwrap();
        if stored < EVENTS {
            archive.commit().unwrap();
        }
        if part == 5 {
            archive.compact().unwrap();
        }
    }
    assert!(archive.figures().hot_rows > 0 && archive.figures().files > 3);
    (folder, archive, all)
}

fn filter(all: &[Event], dice: &mut Dice) -> EventFilter {
    let mut filter = EventFilter::default();
    if dice.is_one_in(9) {
        filter.tenant = other_tenant();
    }
    for _ in 0..dice.below(3) {
        filter.aliases.push(alias_uid(&dice.user()));
    }
    filter.acting = dice.is_one_in(3);
    if dice.is_one_in(8) {
        let place = usize::try_from(dice.below(EVENTS)).unwrap();
        filter.uids = vec![all[place].event_uid, all[0].event_uid];
    }
    if dice.is_one_in(5) {
        filter.action = Some("delete".into());
    }
    filter.from = dice.is_one_in(4).then(|| dice.instant());
    filter.to = dice.is_one_in(4).then(|| dice.instant());
    if dice.is_one_in(4) {
        filter.text = Some(
            ["USER1@", ".0.2.1", "GetObj", "nowhere"][usize::try_from(dice.below(4)).unwrap()]
                .into(),
        );
    }
    filter
}

/// Whether a filter lets an event through, read off its description.
fn lets_through(filter: &EventFilter, event: &Event) -> bool {
    let target = event.mapped.target_aliases.first();
    let target = target.map(|alias| AliasUid::of(&event.tenant, &alias.namespace, &alias.value));
    let acting = [event.actor_alias_uid, event.on_behalf_of_uid];
    let mut parties = acting.to_vec();
    if !filter.acting {
        parties.push(target);
    }
    let is_of = |uid: &Option<_>| uid.is_some_and(|uid| filter.aliases.contains(&uid));
    let mapped = &event.mapped;
    let has = |text: &str| {
        let part = text.to_lowercase();
        let optional = [
            &mapped.actor_name,
            &mapped.actor_ref,
            &mapped.target_name,
            &mapped.target_ref,
            &mapped.src_ip,
        ];
        mapped.operation.to_lowercase().contains(&part)
            || optional
                .into_iter()
                .flatten()
                .any(|text| text.to_lowercase().contains(&part))
    };
    event.tenant == filter.tenant
        && (filter.aliases.is_empty() || parties.iter().any(is_of))
        && (filter.uids.is_empty() || filter.uids.contains(&event.event_uid))
        && (filter.action.is_none() || mapped.action == Action::Delete)
        && filter.from.is_none_or(|from| event.time_effective >= from)
        && filter.to.is_none_or(|to| event.time_effective < to)
        && filter.text.as_deref().is_none_or(has)
}

#[test]
fn a_page_is_what_a_look_at_every_event_gives() {
    let (mut found, mut full) = (0, 0);
    for seed in 0..3 {
        let mut dice = Dice(seed);
        let (_folder, archive, mut all) = filled(&mut dice);
        all.sort_by_key(|event| std::cmp::Reverse((event.time_effective, event.event_uid)));
        for _ in 0..60 {
            let filter = filter(&all, &mut dice);
            let limit = usize::try_from(dice.below(30)).unwrap();
            let shown = usize::try_from(dice.below(EVENTS)).unwrap();
            let cursor = dice.is_one_in(2).then(|| Cursor {
                time_effective: all[shown].time_effective,
                event_uid: all[shown].event_uid,
            });
            let first = if cursor.is_some() { shown + 1 } else { 0 };
            let expected: Vec<&Event> = all[first..]
                .iter()
                .filter(|event| lets_through(&filter, event))
                .take(limit)
                .collect();
            let page = archive.events(&filter, cursor, limit).unwrap();
            assert_eq!(
                page.iter().collect::<Vec<_>>(),
                expected,
                "{seed} {filter:?} {cursor:?} {limit}"
            );
            found += page.len();
            full += usize::from(limit > 0 && page.len() == limit);
        }
    }
    assert!(
        found > 500 && full > 30,
        "{found} {full}: too little was asked"
    );
}
