//! docs/reference/unsafe-sequences.md, made from the library.

use std::fmt::Write as _;

use super::form::{Binding, Clause, Follows, Outcome, SequenceStep, UnsafeSequence};
use super::{Library, shipped_fixture};
use crate::charter::words;
use crate::document::List;

const HEAD: &str = "# Unsafe sequences

Steps that are allowed one by one and unsafe together. Each sequence is a file of
`crates/deedtrail-charter/sequences`, with a history in which it fires and one in which it stays
quiet beside it; this page is made from them. A match is a finding of the type `allowed_but_unsafe`
unless its file names another; the finding lists every step, its event, and what says that it was
permitted.

They are part of the program. Files of your own are read from the folder that the setting `sequences` names
([configuration](configuration.md)), at the start and on `deedtrail rule reload`; one with the id of a shipped sequence takes its place. One
with a mistake is left out, which `deedtrail config check`, `deedtrail doctor` and the log of the server say.
A finding of one means what its `meaning` says; one of your own answers to the controls in its `references`,
where it names any, and else to those of its type.

## A file

```yaml
id: secret-read-then-sent            # lower-case letters, digits and `-`
title: a secret was read and sent out
meaning: Why the steps are unsafe together.
severity: high                       # optional: that of the type of finding
finding: allowed_but_unsafe          # optional
pattern: sent out                    # optional: findings of one type with it are one
within: 1h                           # from the first step to the last: s, m, h, d
follows: identity                    # or `target`: what the first step acted on takes the others
steps:
  - name: read
    is: { action: secret_read }      # or a list of such: any suffices
  - name: send
    is: { action: [export, share] }
    not: { target: \"*.example.com\" } # optional
    count: 1                         # so many of them
    same: session                    # as the first event
    other: network                   # than the first event
references: [T1552, ASI02]           # ids of controls.md
```

Conditions are those of `allow` in a [charter](charters.md) (`action`, `operation`, `target`,
`environment`, `system`, `tool`) and `sensitivity`, `target_kind`, `command`, `changed` (paths of changed files or
attributes), `actor` (kinds of identity), `outcome` (`permitted` unless given, `refused`, `any`),
`read_only`, `new_network`, `change_ticket`, `audience_min`. `same` and `other` name `session`,
`target`, `system`, `account`, `credential`, `network` or `operation`. Other events may lie between
the steps. Steps are put in order by the vendor's time, so that late events count; an event without
one is no step.
";

/// The page.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    let library = Library::shipped();
    push(
        &mut page,
        format_args!("\n## The {} sequences\n", library.forms().count()),
    );
    for form in library.forms() {
        sequence(&mut page, form);
    }
    page
}

/// The JSON Schema of an unsafe sequence.
pub fn sequence_schema() -> String {
    let schema = schemars::schema_for!(UnsafeSequence);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

/// One sequence as the page has it, for whoever asks for it alone.
pub(super) fn text_of(form: &UnsafeSequence) -> String {
    let mut text = String::new();
    sequence(&mut text, form);
    text.trim_start().to_owned()
}

fn push(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _written = page.write_fmt(text);
}

fn sequence(page: &mut String, form: &UnsafeSequence) {
    push(
        page,
        format_args!(
            "\n### `{}`\n\n**{}.** {}\n\n",
            form.id,
            upper(&form.title),
            form.meaning.trim()
        ),
    );
    push(page, format_args!("Within {}", form.within));
    if form.follows == Follows::Target {
        page.push_str("; the steps after the first are taken by what it acted on");
    }
    page.push_str(":\n\n");
    for (number, step) in (1..).zip(&form.steps) {
        push(
            page,
            format_args!("{number}. **{}**: {}\n", step.name, described(step)),
        );
    }
    let severity = form
        .severity
        .map_or("that of its type", |severity| severity.0.name());
    let finding = form.finding.as_deref().unwrap_or("allowed_but_unsafe");
    push(
        page,
        format_args!(
            "\nFinding `{finding}`, severity {severity}. References: {}.\n",
            form.references.join(", ")
        ),
    );
    if shipped_fixture(&format!("{}.fires.ndjson", form.id)).is_some() {
        push(
            page,
            format_args!(
                "Histories: `{0}.fires.ndjson`, `{0}.quiet.ndjson`.\n",
                form.id
            ),
        );
    }
}

fn upper(title: &str) -> String {
    let mut letters = title.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

fn described(step: &SequenceStep) -> String {
    let mut text = either(&step.is);
    if !step.not.is_empty() {
        push(&mut text, format_args!(", but not {}", either(&step.not)));
    }
    if let Some(count) = step.count.filter(|count| *count > 1) {
        push(&mut text, format_args!(", {count} times"));
    }
    for (word, bindings) in [("same", &step.same), ("other", &step.other)] {
        if !bindings.is_empty() {
            let names = bindings.iter().map(|binding: &Binding| binding.name());
            push(
                &mut text,
                format_args!(", {word} {}", names.collect::<Vec<_>>().join(" and ")),
            );
        }
    }
    text
}

fn either(clauses: &List<Clause>) -> String {
    clauses.iter().map(clause).collect::<Vec<_>>().join(", or ")
}

fn clause(clause: &Clause) -> String {
    let mut lines: Vec<String> = Vec::new();
    let grant = words(&clause.grant());
    if !grant.is_empty() {
        lines.push(grant);
    }
    let patterns = [
        ("target kind", &clause.target_kind),
        ("command", &clause.command),
        ("changed", &clause.changed),
    ];
    for (name, values) in patterns {
        if !values.is_empty() {
            lines.push(format!("{name} {}", values.join(", ")));
        }
    }
    if !clause.sensitivity.is_empty() {
        let names = clause.sensitivity.iter().map(|name| name.0.name());
        lines.push(format!(
            "sensitivity {}",
            names.collect::<Vec<_>>().join(" or ")
        ));
    }
    if !clause.actor.is_empty() {
        let kinds = clause.actor.iter().map(|kind| kind.0.name());
        lines.push(format!("by {}", kinds.collect::<Vec<_>>().join(" or ")));
    }
    let said = [
        (clause.outcome == Some(Outcome::Refused), "refused"),
        (clause.outcome == Some(Outcome::Any), "whatever came of it"),
        (clause.read_only == Some(true), "read-only identity"),
        (
            clause.new_network == Some(true),
            "from a network never seen for it",
        ),
        (
            clause.change_ticket == Some(false),
            "without a change ticket",
        ),
    ];
    lines.extend(
        said.into_iter()
            .filter(|(is, _)| *is)
            .map(|(_, words)| words.to_owned()),
    );
    if let Some(least) = clause.audience_min {
        lines.push(format!("to at least {least} people"));
    }
    format!("`{}`", lines.join("; "))
}
