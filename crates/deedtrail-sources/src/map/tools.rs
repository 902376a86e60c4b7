//! Tools that a record says somebody has.

use deedtrail_core::Text;
use deedtrail_core::tools::{Extent, TOLD_TOOL_BYTES_MAX, TOLD_TOOLS_PER_RECORD_MAX, ToolsTold};

use super::event::{aliases, text};
use super::read::Reader;
use crate::mapping::plan::ToolsPlan;
use crate::record::{Node, View};

/// What the name of a tool is called in an object.
const NAME_KEYS: [&str; 4] = ["name", "Name", "toolName", "ToolName"];

/// What one rule of the mapping finds; `None` where it does not hold, there is no list, or nobody
/// is named.
pub(super) fn told<'a>(reader: &Reader<'a>, plan: &'a ToolsPlan) -> Option<Box<ToolsTold>> {
    if !reader.wants(plan.interest) || !reader.allows(plan.when.as_ref()) {
        return None;
    }
    let tools = listed(reader.view, reader.whole(&plan.from))?;
    let aliases = aliases(reader, &plan.aliases);
    if aliases.is_empty() {
        return None;
    }
    let has = |value| text(reader, value).is_some();
    Some(Box::new(ToolsTold {
        aliases,
        list: text(reader, plan.list.as_ref()).unwrap_or_default(),
        extent: if has(plan.more.as_ref()) {
            Extent::Page
        } else if has(plan.continues.as_ref()) {
            Extent::LastPage
        } else {
            Extent::Whole
        },
        tools,
    }))
}

/// Names in a list of texts or of objects with `name`. A name that is too long is left out.
fn listed(view: View<'_>, list: Node) -> Option<Vec<Text>> {
    let Node::List { .. } = list else {
        return None;
    };
    let names = view.elements(list).filter_map(|one| match one {
        Node::Members { .. } => {
            let mut members = view.members(one);
            let (_, name) = members.find(|(key, _)| NAME_KEYS.contains(key))?;
            view.text(name)
        }
        one => view.text(one),
    });
    let fitting = names.filter(|name| !name.is_empty() && name.len() <= TOLD_TOOL_BYTES_MAX);
    let names = fitting.take(TOLD_TOOLS_PER_RECORD_MAX).map(Text::new);
    Some(names.collect())
}
