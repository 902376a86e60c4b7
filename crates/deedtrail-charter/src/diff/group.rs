//! Whom a charter binds by what is declared.

use super::{Difference, Loosened, Other, Tightened, say};
use crate::charter::either;
use crate::document::Group;

/// Key of the charter.
const KEY: &str = "group";

/// What two groups differ in. Binding more restrains more.
pub(super) fn compare(all: &mut Vec<Difference>, (old, new): (Option<&Group>, Option<&Group>)) {
    match (old, new) {
        (None, Some(new)) => {
            let sentence = format!("group: it binds everybody of {} now", words(new));
            say(all, Tightened, KEY, sentence);
        }
        (Some(old), None) => {
            let sentence = format!("group: it no longer binds everybody of {}", words(old));
            say(all, Loosened, KEY, sentence);
        }
        (Some(old), Some(new)) => {
            for ((name, old), (_, new)) in lines(old).into_iter().zip(lines(new)) {
                line(all, name, (&old, &new));
            }
        }
        (None, None) => {}
    }
}

/// One line: any of its values suffices, and without the line everybody does.
fn line(all: &mut Vec<Difference>, name: &str, (old, new): (&[String], &[String])) {
    let (direction, sentence) = match (old.is_empty(), new.is_empty()) {
        _ if old == new => return,
        (true, _) => (Loosened, format!("group: only {name} {} now", either(new))),
        (_, true) => (
            Tightened,
            format!("group: any {name} now, was only {}", either(old)),
        ),
        _ => {
            let more = old.iter().all(|value| new.contains(value));
            let fewer = new.iter().all(|value| old.contains(value));
            let direction = match (more, fewer) {
                (true, false) => Tightened,
                (false, true) => Loosened,
                _ => Other,
            };
            let sentence = format!("group: {name} was {}, is {}", either(old), either(new));
            (direction, sentence)
        }
    };
    say(all, direction, KEY, sentence);
}

fn lines(group: &Group) -> [(&'static str, Vec<String>); 3] {
    let kinds = group.kind.iter().map(|kind| kind.0.name().to_owned());
    [
        ("department", group.department.to_vec()),
        ("kind", kinds.collect()),
        ("tag", group.tag.to_vec()),
    ]
}

fn words(group: &Group) -> String {
    let given = lines(group).into_iter();
    let given = given.filter(|(_, values)| !values.is_empty());
    let said = given.map(|(name, values)| format!("{name} {}", either(&values)));
    said.collect::<Vec<_>>().join(", ")
}
