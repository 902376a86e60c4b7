//! What rules are called: each by its path below the folder of rules, and what may have been meant by
//! a name that is no rule's.

use std::fmt;

use deedtrail_core::Text;

use crate::fact;
use crate::field::edits;

/// Most names that are told instead of one that is not known.
const NEAR_NAMES_MAX: usize = 3;
/// Longest name of a rule, bytes; of a longer path the beginning counts.
const NAME_BYTES_MAX: usize = 200;
/// Shortest part of a name that is looked for within others, bytes.
const PART_BYTES_MIN: usize = 3;

/// The name of the rules in a file, by its path below the folder of rules:
/// `agent/scope-departure/rule.yml` and `agent/scope-departure.yml` are `agent/scope-departure`.
pub fn rule_name(path: &str) -> Text {
    let path = path
        .strip_suffix(".yml")
        .or_else(|| path.strip_suffix(".yaml"))
        .unwrap_or(path);
    let path = path.strip_suffix("/rule").unwrap_or(path);
    Text::from(fact::cut(path, NAME_BYTES_MAX))
}

/// Names that may have been meant, the likeliest first. Displayed as what follows "no rule is called
/// `…`", which is nothing when there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NearNames(Vec<String>);

impl NearNames {
    /// Those of `known` that `wanted` may stand for: the same but for case, `-` or `_`, a path that
    /// leads to it, its last part alone, at most three edits away, or with `wanted` in it.
    pub fn of<'c>(wanted: &str, known: impl Iterator<Item = &'c str>) -> Self {
        let wanted = plain(&rule_name(wanted.trim()));
        let ranked = known.filter_map(|name| Some((rank(&wanted, &plain(name))?, name)));
        let mut ranked: Vec<((u8, usize), &str)> = ranked.collect();
        ranked.sort_unstable();
        ranked.dedup();
        let names = ranked.into_iter().take(NEAR_NAMES_MAX);
        Self(names.map(|(_, name)| name.to_owned()).collect())
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for NearNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, name) in self.0.iter().enumerate() {
            let before = match place {
                0 => "; did you mean ",
                _ if place + 1 == self.0.len() => " or ",
                _ => ", ",
            };
            write!(f, "{before}`{name}`")?;
        }
        f.write_str(if self.0.is_empty() { "" } else { "?" })
    }
}

/// How near a name is, the nearest least; `None` for one that is not.
fn rank(wanted: &str, name: &str) -> Option<(u8, usize)> {
    let far = 3.min(wanted.len() / 2);
    let distance = edits(wanted, name);
    let (last, last_wanted) = (last_part(name), last_part(wanted));
    if distance == 0 || (!name.is_empty() && wanted.ends_with(&format!("/{name}"))) {
        Some((0, 0))
    } else if last == last_wanted && !last.is_empty() {
        Some((1, 0))
    } else if distance <= far {
        Some((2, distance))
    } else if edits(last_wanted, last) <= 3.min(last_wanted.len() / 2).min(last.len() / 2) {
        Some((3, edits(last_wanted, last)))
    } else if wanted.len() >= PART_BYTES_MIN && name.contains(wanted) {
        Some((4, name.len()))
    } else {
        None
    }
}

fn last_part(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn plain(name: &str) -> String {
    name.to_lowercase().replace(['-', ' '], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_path_below_the_folder_of_rules() {
        for (path, name) in [
            ("agent/scope-departure/rule.yml", "agent/scope-departure"),
            ("agent/scope-departure.yaml", "agent/scope-departure"),
            ("agent/scope-departure", "agent/scope-departure"),
            ("root.yml", "root"),
            ("rule.yml", "rule"),
        ] {
            assert_eq!(rule_name(path), name, "{path}");
        }
    }

    #[test]
    fn near_names_are_told_the_likeliest_first() {
        let known = [
            "own/root",
            "own/made",
            "cloud/root_used",
            "code/dormant",
            "code/burst",
        ];
        let check = |wanted: &str, expected: &str| {
            let near = NearNames::of(wanted, known.into_iter());
            assert_eq!(near.to_string(), expected, "{wanted}");
        };
        check("root", "; did you mean `own/root` or `cloud/root_used`?");
        check(
            "root.yml",
            "; did you mean `own/root` or `cloud/root_used`?",
        );
        check("/etc/rules/own/made/rule.yml", "; did you mean `own/made`?");
        check("Own/Made", "; did you mean `own/made`?");
        check("code/dormnat", "; did you mean `code/dormant`?");
        check("ROOT-used", "; did you mean `cloud/root_used`?");
        check("mad", "; did you mean `own/made`?");
        check("", "");
        check("nothing of the kind", "");
        check(&"é/".repeat(4_000), "");
    }
}
