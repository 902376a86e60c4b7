//! Where in its text an entry of a charter stands.

/// Finds lines of a YAML text by key and place in a list, from its layout.
///
/// Block style, as charters are written, is found exactly; for a list in flow style (`[a, b]`) the
/// line is that of its key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lines<'a>(&'a str);

impl<'a> Lines<'a> {
    pub(crate) const fn of(text: &'a str) -> Self {
        Self(text)
    }

    /// Line of a top-level key, counted from 1; 1 when it is not there.
    pub(crate) fn key(self, key: &str) -> u32 {
        self.find(key).map_or(1, |(line, _)| number(line))
    }

    /// Line of a key one level below a top-level key.
    pub(crate) fn below(self, key: &str, inner: &str) -> u32 {
        let Some((line, _)) = self.find(key) else {
            return 1;
        };
        let inside = self.inside(line);
        let found = inside
            .into_iter()
            .find(|(_, text)| starts(text.trim_start(), inner));
        number(found.map_or(line, |(line, _)| line))
    }

    /// Line of an entry of the list under a top-level key.
    pub(crate) fn entry(self, key: &str, place: usize) -> u32 {
        let Some((line, _)) = self.find(key) else {
            return 1;
        };
        let inside = self.inside(line);
        let items = inside
            .iter()
            .filter(|(_, text)| text.trim_start().starts_with('-'));
        let indent = items.clone().map(|(_, text)| indent(text)).min();
        let mut items = items.filter(|(_, text)| Some(self::indent(text)) == indent);
        number(items.nth(place).map_or(line, |(line, _)| *line))
    }

    fn find(self, key: &str) -> Option<(usize, &'a str)> {
        self.0
            .lines()
            .enumerate()
            .find(|(_, line)| starts(line, key))
    }

    /// The lines that belong to the key on `line`: up to the next top-level key.
    fn inside(self, line: usize) -> Vec<(usize, &'a str)> {
        let after = self.0.lines().enumerate().skip(line + 1);
        let belongs = |(_, text): &(usize, &str)| {
            text.trim().is_empty() || text.starts_with([' ', '\t', '#', '-'])
        };
        after.take_while(belongs).collect()
    }
}

fn starts(line: &str, key: &str) -> bool {
    let rest = line.strip_prefix(key).map(str::trim_start);
    rest.is_some_and(|rest| rest.starts_with(':'))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn number(line: usize) -> u32 {
    u32::try_from(line + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_in_block_and_flow_style() {
        let text = "charter: a\nallow:\n  # two\n  - action: read\n    target:\n      - x\n      - y\n  - action: write\nnever: [{action: delete}, {action: destroy}]\nlimits:\n  audience: 0\n";
        let lines = Lines::of(text);
        assert_eq!(lines.entry("allow", 0), 4);
        assert_eq!(lines.entry("allow", 1), 8);
        assert_eq!(lines.entry("never", 1), 9);
        assert_eq!(lines.below("limits", "audience"), 11);
        assert_eq!(lines.below("limits", "events_per_hour"), 10);
        assert_eq!(lines.key("missing"), 1);
    }

    #[test]
    fn a_list_may_stand_at_the_margin() {
        let lines = Lines::of("allow:\n- action: read\n- action: write\n");
        assert_eq!(lines.entry("allow", 1), 3);
    }
}
