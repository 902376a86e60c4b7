//! Tools that feeds say somebody has: an inventory of agents, the answer of an MCP server.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::Text;
use crate::event::Alias;
use crate::time::Timestamp;

/// Longest name of a tool, bytes. A longer one is left out: a call of it counts as not declared.
pub const TOLD_TOOL_BYTES_MAX: usize = 256;
/// Most tools taken from one record; further ones are left out.
pub const TOLD_TOOLS_PER_RECORD_MAX: usize = 1_024;
/// Most tools of all lists of an identity; further ones are left out.
pub const TOLD_TOOLS_MAX: usize = 2_048;
/// Most lists of an identity; beyond it the one told longest ago goes.
pub const TOLD_LISTS_MAX: usize = 64;
/// Pages of one list come within this time, µs. A tool that was told longer ago than this when a
/// list ends is no longer in it.
pub const LIST_PAGES_WITHIN_US: i64 = Timestamp::HOUR_US;

/// How much of a list a record holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// All of it.
    #[default]
    Whole,
    /// A page that others follow.
    Page,
    /// The last page, or a list of which nobody says whether it is all.
    LastPage,
}

/// What one record says of somebody's tools. For identities only: not written to the archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolsTold {
    /// Whose they are; the first alias is the stable one.
    pub aliases: Vec<Alias>,
    /// Which of their lists: the server that offers the tools. Lists of other names add up.
    pub list: Text,
    pub extent: Extent,
    pub tools: Vec<Text>,
}

/// One list as told so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldList {
    /// The source that said so.
    pub source: Text,
    /// The server that offers the tools; empty where the source has one list of an identity.
    pub list: Text,
    /// When it was said last.
    pub told: Timestamp,
    /// Each tool, and when it was told last.
    pub tools: BTreeMap<Text, Timestamp>,
}

/// All lists of an identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldTools {
    /// The tools of all lists, by name.
    pub names: Vec<Text>,
    /// By source and name.
    pub lists: Vec<ToldList>,
}

impl ToldTools {
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// Whether a list is of that system, or an inventory of all that an identity has.
    pub fn speak_for(&self, system: &str) -> bool {
        let mut lists = self.lists.iter();
        lists.any(|one| one.list.is_empty() || one.list == system)
    }

    /// Takes over what a record of `source` says. What is older than what is known changes nothing.
    pub fn hear(&mut self, source: &str, said: &ToolsTold, at: Timestamp) {
        let place = self.place(source, &said.list, at);
        let list = &mut self.lists[place];
        let is_older = match said.extent {
            Extent::Whole => at < list.told,
            _ => list.told.micros_since(at) > LIST_PAGES_WITHIN_US,
        };
        if is_older {
            return;
        }
        if said.extent == Extent::Whole {
            let kept: BTreeSet<&Text> = said.tools.iter().collect();
            list.tools.retain(|tool, _| kept.contains(tool));
        }
        let held: usize = self.lists.iter().map(|list| list.tools.len()).sum();
        self.lists[place].add(&said.tools, at, TOLD_TOOLS_MAX.saturating_sub(held));
        if said.extent == Extent::LastPage {
            self.lists[place].drop_stale();
        }
        self.count();
    }

    /// Takes over the lists of an identity that turns out to be the same; of a list that both have,
    /// the one told last stays.
    pub fn absorb(&mut self, other: &Self) {
        for theirs in &other.lists {
            let place = self.place(&theirs.source, &theirs.list, theirs.told);
            let list = &mut self.lists[place];
            if list.told <= theirs.told {
                *list = theirs.clone();
            }
        }
        self.count();
    }

    /// Where a list is, or is from now on.
    fn place(&mut self, source: &str, list: &str, at: Timestamp) -> usize {
        let known = |lists: &[ToldList]| {
            lists.binary_search_by(|one| {
                (one.source.as_str(), one.list.as_str()).cmp(&(source, list))
            })
        };
        if known(&self.lists).is_err() && self.lists.len() >= TOLD_LISTS_MAX {
            let oldest = (0..self.lists.len()).min_by_key(|place| self.lists[*place].told);
            oldest.map(|place| self.lists.remove(place));
            self.count();
        }
        known(&self.lists).unwrap_or_else(|place| {
            let new = ToldList {
                source: source.into(),
                list: list.into(),
                told: at,
                tools: BTreeMap::new(),
            };
            self.lists.insert(place, new);
            place
        })
    }

    fn count(&mut self) {
        let all = self.lists.iter().flat_map(|list| list.tools.keys());
        let all: BTreeSet<&Text> = all.take(TOLD_TOOLS_MAX).collect();
        self.names = all.into_iter().cloned().collect();
    }
}

impl ToldList {
    /// Notes that tools were told; of those not known yet at most `spare`.
    fn add(&mut self, tools: &[Text], at: Timestamp, mut spare: usize) {
        self.told = self.told.max(at);
        for tool in tools {
            if let Some(told) = self.tools.get_mut(tool) {
                *told = at.max(*told);
            } else if spare > 0 && is_name(tool) {
                spare -= 1;
                self.tools.insert(tool.clone(), at);
            }
        }
    }

    /// The list has ended: what none of its pages named is no longer in it.
    fn drop_stale(&mut self) {
        let newest = self.told;
        self.tools
            .retain(|_, told| newest.micros_since(*told) <= LIST_PAGES_WITHIN_US);
    }
}

/// Whether a text can be a tool's name. `*` stands for anything where people declare tools, and a
/// feed is not to declare everything.
fn is_name(tool: &str) -> bool {
    !tool.is_empty() && tool.len() <= TOLD_TOOL_BYTES_MAX && !tool.contains('*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(minutes: i64) -> Timestamp {
        Timestamp::from_micros((10_000 + minutes) * Timestamp::MINUTE_US)
    }

    fn said(list: &str, extent: Extent, tools: &[&str]) -> ToolsTold {
        ToolsTold {
            aliases: Vec::new(),
            list: list.into(),
            extent,
            tools: tools.iter().map(|tool| Text::from(*tool)).collect(),
        }
    }

    fn heard(all: &[(i64, ToolsTold)]) -> ToldTools {
        let mut told = ToldTools::default();
        for (at, said) in all {
            told.hear("mcp.message", said, minute(*at));
        }
        told
    }

    #[test]
    fn the_list_of_one_server_says_nothing_of_another_and_an_inventory_speaks_for_all() {
        let one = heard(&[(0, said("files", Extent::Whole, &["read"]))]);
        assert!(one.speak_for("files") && !one.speak_for("mail"));
        let all = heard(&[(0, said("", Extent::Whole, &["read"]))]);
        assert!(all.speak_for("files") && all.speak_for("mail"));
        assert!(!ToldTools::default().speak_for("files"));
    }

    #[test]
    fn pages_add_up_and_a_tool_that_is_told_no_more_goes_when_the_list_ends() {
        let first = [
            (0, said("files", Extent::Page, &["read", "write"])),
            (1, said("files", Extent::LastPage, &["remove"])),
        ];
        assert_eq!(heard(&first).names, ["read", "remove", "write"]);
        let mut again = first.to_vec();
        again.push((600, said("files", Extent::Page, &["read", "stat"])));
        let between = heard(&again).names;
        assert_eq!(
            between,
            ["read", "remove", "stat", "write"],
            "page 2 is still to come"
        );
        again.push((601, said("files", Extent::LastPage, &["remove"])));
        assert_eq!(heard(&again).names, ["read", "remove", "stat"]);
    }

    #[test]
    fn a_whole_list_replaces_its_own_and_no_other() {
        let told = heard(&[
            (0, said("files", Extent::Whole, &["read", "write"])),
            (1, said("mail", Extent::Whole, &["send"])),
            (2, said("files", Extent::Whole, &["read"])),
        ]);
        assert_eq!(told.names, ["read", "send"]);
        let late = heard(&[
            (9, said("files", Extent::Whole, &["read"])),
            (2, said("files", Extent::Whole, &["read", "write"])),
        ]);
        assert_eq!(late.names, ["read"], "what comes late says what was");
        assert_eq!(late.lists[0].told, minute(9));
    }

    #[test]
    fn a_feed_declares_neither_everything_nor_without_end() {
        let long = "x".repeat(TOLD_TOOL_BYTES_MAX + 1);
        let names = ["", "*", "send*", &long, "<script>"];
        assert_eq!(
            heard(&[(0, said("a", Extent::Whole, &names))]).names,
            ["<script>"]
        );
        let many: Vec<String> = (0..1_500).map(|n| format!("tool-{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let lists = (0..100).map(|n| (n, said(&format!("s{n}"), Extent::Whole, &many)));
        let told = heard(&lists.collect::<Vec<_>>());
        assert!(told.names.len() <= TOLD_TOOLS_MAX);
        assert_eq!(told.lists.len(), TOLD_LISTS_MAX);
        assert!(told.lists.iter().any(|list| list.list == "s99"));
        assert!(told.lists.iter().all(|list| list.list != "s0"));
    }

    #[test]
    fn one_identity_has_the_lists_of_both() {
        let mut left = heard(&[(0, said("files", Extent::Whole, &["read"]))]);
        let right = heard(&[
            (5, said("files", Extent::Whole, &["write"])),
            (5, said("mail", Extent::Whole, &["send"])),
        ]);
        left.absorb(&right);
        assert_eq!(left.names, ["send", "write"]);
    }
}
