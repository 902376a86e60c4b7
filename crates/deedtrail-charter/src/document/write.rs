//! A charter as text: the layout that people read and edit, with comments.

use std::fmt::Write as _;

use super::{ActionName, Charter, EnvironmentName, Grant, KindName, Step};

/// Comments by top-level key; those of `""` stand at the top.
pub type Comments = Vec<(&'static str, String)>;

/// The YAML of a charter.
pub fn write(charter: &Charter, comments: &Comments) -> String {
    let mut text = Text {
        text: String::new(),
        comments,
    };
    text.comment("");
    text.line("charter", &charter.charter);
    text.list("identities", &charter.identities);
    if let Some(group) = &charter.group {
        text.push("group:\n");
        text.inner("department", &group.department);
        text.inner("kind", &names(&group.kind, |kind: &KindName| kind.0.name()));
        text.inner("tag", &group.tag);
    }
    text.line("purpose", &charter.purpose);
    text.line("owner", &charter.owner);
    text.grants("allow", &charter.allow);
    text.grants("never", &charter.never);
    text.circumstances(charter);
    text.sequence(charter);
    if let Some(tools) = &charter.tools {
        text.comment("tools");
        text.push(&format!("tools: {}\n", flow(tools)));
    }
    if let Some(ticket) = &charter.change_ticket {
        text.comment("change_ticket");
        let actions = actions(&ticket.required_for);
        text.push(&format!(
            "change_ticket:\n  required_for: {}\n",
            flow(&actions)
        ));
    }
    text.text
}

struct Text<'c> {
    text: String,
    comments: &'c Comments,
}

impl Text<'_> {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn comment(&mut self, key: &str) {
        for (_, comment) in self.comments.iter().filter(|(of, _)| *of == key) {
            // One line each, whatever a hostile name contains.
            let comment = crate::subject::cut(comment, 400);
            // Writing to a string cannot fail.
            let _written = writeln!(self.text, "# {comment}");
        }
    }

    fn line(&mut self, key: &str, value: &str) {
        self.comment(key);
        self.push(&format!("{key}: {}\n", scalar(value)));
    }

    fn list(&mut self, key: &str, values: &[String]) {
        if values.is_empty() {
            return;
        }
        self.comment(key);
        self.push(&format!("{key}:\n"));
        for value in values {
            self.push(&format!("  - {}\n", scalar(value)));
        }
    }

    fn inner(&mut self, key: &str, values: &[String]) {
        if !values.is_empty() {
            self.push(&format!("  {key}: {}\n", flow(values)));
        }
    }

    fn grants(&mut self, key: &str, grants: &[Grant]) {
        if grants.is_empty() {
            return;
        }
        self.comment(key);
        self.push(&format!("{key}:\n"));
        for grant in grants {
            let mut lead = "  - ";
            for (line, values) in lines(grant) {
                self.push(&format!("{lead}{line}: {}\n", flow(&values)));
                lead = "    ";
            }
        }
    }

    fn circumstances(&mut self, charter: &Charter) {
        if let Some(when) = &charter.when {
            self.comment("when");
            self.push("when:\n");
            let texts = |values: Vec<String>| values;
            let days = when
                .days
                .iter()
                .flat_map(|days| days.iter().map(ToString::to_string));
            self.inner("days", &texts(days.collect()));
            let hours = when
                .hours
                .iter()
                .flat_map(|hours| hours.iter().map(ToString::to_string));
            self.inner("hours", &texts(hours.collect()));
            if let Some(zone) = &when.zone {
                self.push(&format!("  zone: {}\n", scalar(zone)));
            }
        }
        if let Some(from) = &charter.from {
            self.comment("from");
            self.push("from:\n");
            self.inner("networks", &from.networks);
            self.inner("workloads", &from.workloads);
            self.inner("countries", &from.countries);
        }
        if let Some(limits) = &charter.limits {
            self.comment("limits");
            self.push("limits:\n");
            let amounts = [
                (
                    "distinct_targets_per_minute",
                    limits
                        .distinct_targets_per_minute
                        .map(|value| value.to_string()),
                ),
                (
                    "events_per_hour",
                    limits.events_per_hour.map(|value| value.to_string()),
                ),
                (
                    "bytes_out_per_day",
                    limits.bytes_out_per_day.map(|value| value.to_string()),
                ),
                ("audience", limits.audience.map(|value| value.to_string())),
            ];
            for (key, amount) in amounts {
                if let Some(amount) = amount {
                    self.push(&format!("  {key}: {amount}\n"));
                }
            }
        }
    }

    fn sequence(&mut self, charter: &Charter) {
        let Some(sequence) = &charter.sequence else {
            return;
        };
        self.comment("sequence");
        self.push("sequence:\n  steps:\n");
        for step in &sequence.steps {
            match step {
                Step::Name(name) => self.push(&format!("    - {}\n", scalar(name))),
                Step::Described(step) => {
                    self.push(&format!("    - name: {}\n", scalar(&step.name)));
                    for (line, values) in lines(&step.grant()) {
                        self.push(&format!("      {line}: {}\n", flow(&values)));
                    }
                    if step.optional {
                        self.push("      optional: true\n");
                    }
                }
            }
        }
        if let Some(last) = &sequence.must_end_with {
            self.push(&format!("  must_end_with: {}\n", scalar(last)));
        }
        if sequence.strict {
            self.push("  strict: true\n");
        }
        if let Some(idle) = sequence.idle {
            self.push(&format!("  idle: {idle}\n"));
        }
    }
}

fn lines(grant: &Grant) -> impl Iterator<Item = (&'static str, Vec<String>)> {
    let environment = names(&grant.environment, |name: &EnvironmentName| name.0.name());
    let lines = [
        ("action", actions(&grant.action)),
        ("operation", grant.operation.to_vec()),
        ("target", grant.target.to_vec()),
        ("environment", environment),
        ("system", grant.system.to_vec()),
        ("tool", grant.tool.to_vec()),
    ];
    lines.into_iter().filter(|(_, values)| !values.is_empty())
}

fn actions(actions: &[ActionName]) -> Vec<String> {
    names(actions, |name| super::action_name(name.0))
}

fn names<T>(values: &[T], name: impl Fn(&T) -> &'static str) -> Vec<String> {
    values.iter().map(|value| name(value).to_owned()).collect()
}

/// A list in one line, or its only value.
fn flow(values: &[String]) -> String {
    match values {
        [only] => scalar(only),
        _ => format!(
            "[{}]",
            values
                .iter()
                .map(|value| scalar(value))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    }
}

/// A value as it is where that is safe, else in quotes: a JSON string is one of YAML too.
fn scalar(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '@');
    let first = value
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic());
    let words = value
        .split(' ')
        .all(|word| !word.is_empty() && word.chars().all(plain));
    let reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let reserved = reserved.iter().any(|word| value.eq_ignore_ascii_case(word));
    if first && words && !reserved {
        value.to_owned()
    } else {
        let quoted = serde_json::json!(value).to_string();
        // Line breaks of Unicode would be folded.
        let breaks = [
            ('\u{85}', "\\u0085"),
            ('\u{2028}', "\\u2028"),
            ('\u{2029}', "\\u2029"),
        ];
        let escape = |text: String, (from, to): &(char, &str)| text.replace(*from, to);
        breaks.iter().fold(quoted, escape)
    }
}
