//! The sparse months before: each part of ordinary life in its turn, so that little is new when
//! the dense days begin.

use super::{agents, apps, batch, clicks, cluster, delivery, people, workers};
use crate::chance::Chance;
use crate::day::Day;
use crate::incident;
use crate::organisation::PEOPLE;
use crate::rhythm::{HOUR, MINUTE, SECOND, arrival, weekday};

/// Every how many days a part has its turn.
const TURN_DAYS: i64 = 20;

pub(super) fn tell(day: &mut Day) {
    batch::tell(day);
    ledger_sync_at_work(day);
    incident::profile_sync_at_work(day);
    let turn = day.number.rem_euclid(TURN_DAYS);
    match turn {
        0 => agents::tell(day),
        5 => workers::tell(day),
        10 => cluster::tell(day),
        15 => apps::tell(day),
        _ => {}
    }
    if day.is_workday() {
        office(day, turn);
    }
}

/// Four people sign in; the one whose turn it is works the whole day.
fn office(day: &mut Day, turn: i64) {
    for _ in 0..4 {
        let person = day.chance.pick(&PEOPLE);
        let origin = people::whereabouts(day, person);
        let arrives = arrival(person, &mut day.chance);
        people::sign_in(day, person, &origin, arrives);
    }
    let mut pushes = Vec::new();
    let place = usize::try_from(turn).unwrap_or(0) % PEOPLE.len();
    people::work(day, &PEOPLE[place], &mut pushes);
    delivery::tell(day, &pushes);
    clicks::token_link(day, &PEOPLE[place]);
    if turn % 4 == 0 {
        clicks::tell(day);
    }
}

/// While its deployment lived, it read the ledger's password each weekday morning.
fn ledger_sync_at_work(day: &mut Day) {
    if weekday(day.number) < 5 {
        let of_day = 6 * HOUR + Chance::of(1, day.number).between(0, MINUTE);
        let login = ("update", "approle", "auth/approle/login");
        batch::vault_act(day, "svc-ledger-sync", login, None, of_day);
        let secret = ("read", "kv", "secret/data/finance/ledger");
        batch::vault_act(day, "svc-ledger-sync", secret, None, of_day + SECOND);
    }
}
