//! Positions near the sizes at which narrower numbers end.

use deedtrail_core::port::archive::Archive as _;
use deedtrail_core::port::log::Sequence;

use crate::fixture::{all, archive, csv, event, open};

#[test]
fn positions_around_every_width_of_a_number_come_back_as_they_were() {
    let limits = [1 << 15, 1 << 16, 1 << 31, 1 << 32, 1 << 53, (1 << 63) - 2];
    let positions: Vec<Sequence> = limits.iter().flat_map(|at| at - 1..=at + 1).collect();
    let (folder, mut archive) = archive();
    for (number, sequence) in (1..).zip(&positions) {
        let mut one = event(number);
        (one.log_seq, one.derived_at) = (*sequence, *sequence);
        archive.add(vec![one], *sequence).unwrap();
        if number % 3 == 0 {
            archive.commit().unwrap();
            drop(archive);
            archive = open(&folder);
            assert_eq!(archive.covered(), *sequence);
        }
    }
    let expected: Vec<String> = positions.iter().map(ToString::to_string).collect();
    let asked = csv(&archive, "SELECT log_seq FROM events ORDER BY log_seq");
    assert_eq!(asked.lines().skip(1).collect::<Vec<_>>(), expected);
    for sequence in &positions {
        let sql = format!("SELECT count(*) FROM events WHERE log_seq = {sequence}");
        assert_eq!(csv(&archive, &sql).lines().nth(1), Some("1"), "{sequence}");
    }
    let mut shown = archive.events(&all(), None, 100).unwrap();
    shown.reverse();
    let shown: Vec<Sequence> = shown.iter().map(|event| event.log_seq).collect();
    assert_eq!(shown, positions);
}
