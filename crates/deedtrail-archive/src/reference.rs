//! The page docs/reference/events.md, out of the columns.

use std::fmt::Write as _;

use crate::column::columns;
use crate::view::COMPUTED_COLUMNS;

const HEAD: &str = "\
# Events

<!-- Generated: cargo run -p deedtrail-archive --example event_reference > docs/reference/events.md -->

One row of the table `events` is one canonical event. `deedtrail query`, the API and the pages read
this table; any engine that reads Delta Lake tables can open the folder `archive/events` of the data
folder and finds the same columns.

| column | type | unit | meaning | OCSF 1.8 | ECS |
|---|---|---|---|---|---|
";

const COMPUTED: &str = "
## Computed columns

Only in SQL of ours; they are not stored.

| column | meaning |
|---|---|
";

const TAIL: &str = "
## Types

- `id`: 128 bits as 32 lower-case hex digits (text).
- `enum`: text out of a closed list; the meaning names it.
- `timestamp`: microseconds since 1970, UTC. Times outside the years 1 to 9999 are stored as the nearer end.
- `list<struct<…>>`: a list of structures of text, rather than JSON text, because every Delta reader
  can filter and unnest it with types: `SELECT event_uid, unnest(actor_aliases) FROM events`.

## Layout

The table is partitioned by `tenant` and `event_month`. Files are sorted by `actor_alias_uid`, then
`time_effective`, so that the events of one identity lie together. The Delta log keeps minima and
maxima of the first columns above; Bloom filters cover the ids and addresses that are searched for
alone. New columns are appended and are null in older rows.
";

/// Text of docs/reference/events.md.
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    let mut row = |cells: &[&str]| {
        for cell in cells {
            page.push_str("| ");
            page.push_str(cell);
            page.push_str(if cell.is_empty() { "" } else { " " });
        }
        page.push_str("|\n");
    };
    for column in columns() {
        let name = format!("`{}`", column.name);
        let kind = code(&column.kind.name());
        row(&[
            &name,
            &kind,
            column.unit,
            column.meaning,
            &code(column.ocsf),
            &code(column.ecs),
        ]);
    }
    page.push_str(COMPUTED);
    for (name, _, meaning) in COMPUTED_COLUMNS {
        // Writing to a string cannot fail.
        writeln!(page, "| `{name}` | {meaning} |").unwrap_or_default();
    }
    page.push_str(TAIL);
    page
}

fn code(path: &str) -> String {
    if path.is_empty() {
        String::new()
    } else {
        format!("`{path}`")
    }
}
