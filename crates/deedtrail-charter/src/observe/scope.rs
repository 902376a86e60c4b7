//! `never`, `allow` and `tools`: what is done.

use deedtrail_core::action::Action;
use deedtrail_core::finding::Severity;

use super::Said;
use crate::charter::Compiled;
use crate::departure::Departure;
use crate::matcher::Unknown;
use crate::subject::{Subject, cut};

/// What does lasting harm when it goes through.
const fn is_grave(action: Action) -> bool {
    matches!(
        action,
        Action::SecretRead
            | Action::PrivilegeGrant
            | Action::CredentialCreate
            | Action::Destroy
            | Action::LoggingChange
            | Action::Export
    )
}

/// An attempt weighs less than what went through.
fn weigh(subject: &Subject<'_>, severity: Severity) -> Severity {
    if subject.refused() {
        Severity::Medium
    } else {
        severity
    }
}

impl Compiled {
    /// The first line of the charter that what is done departs from.
    pub(super) fn scope(&self, subject: &Subject<'_>) -> Option<Departure> {
        let forbids =
            |rule: &&crate::charter::Rule| rule.matcher.matches(subject, Unknown::Differs);
        if let Some((place, rule)) = (1..).zip(&self.never).find(|(_, rule)| forbids(rule)) {
            return Some(self.forbidden(subject, place, rule));
        }
        let tool = subject.tool();
        if let (Some(tool), Some((tools, line, words))) = (tool, &self.tools) {
            // A call of a listed tool needs no entry of `allow`.
            return (!tools.any(tool)).then(|| self.undeclared(subject, tool, (*line, words)));
        }
        let arrives = matches!(
            subject.event.mapped.action,
            Action::Authenticate | Action::SessionChange
        );
        if self.allow.is_empty() || arrives {
            return None;
        }
        let mut allow = self.allow.iter();
        let allowed = allow.any(|rule| rule.matcher.matches(subject, Unknown::Matches));
        (!allowed).then(|| self.outside(subject))
    }

    fn forbidden(
        &self,
        subject: &Subject<'_>,
        place: usize,
        rule: &crate::charter::Rule,
    ) -> Departure {
        let event = subject.event;
        let did = if subject.refused() { "tried" } else { "did" };
        let grave = if is_grave(event.mapped.action) {
            Severity::Critical
        } else {
            Severity::High
        };
        let sentence = (subject.describe)(event);
        self.departs(
            subject,
            Said {
                line: rule.line,
                rule: format!("never: {}", rule.words),
                pattern: format!("never {place} {}", cut(&event.mapped.operation, 60)),
                title: format!("{did} what its charter {} forbids: {sentence}", self.name),
                observed: sentence,
                expected: format!("never: {}", rule.words),
                severity: weigh(subject, grave),
            },
        )
    }

    fn outside(&self, subject: &Subject<'_>) -> Departure {
        let event = subject.event;
        let did = if subject.refused() {
            "tried to go"
        } else {
            "went"
        };
        let sentence = (subject.describe)(event);
        let entries = self.allow.iter().map(|rule| rule.words.as_str());
        let mut entries: Vec<&str> = entries.collect();
        let more = entries.len().saturating_sub(4);
        entries.truncate(4);
        let more = if more > 0 {
            format!(", and {more} more")
        } else {
            String::new()
        };
        self.departs(
            subject,
            Said {
                line: self.line_allow,
                rule: "allow: no entry covers it".to_owned(),
                pattern: format!(
                    "outside {} {}",
                    cut(&event.mapped.operation, 60),
                    event.mapped.target_environment.name()
                ),
                title: format!("{did} beyond its charter {}: {sentence}", self.name),
                observed: sentence,
                expected: format!("allowed: ({}){more}", entries.join(") or (")),
                severity: weigh(subject, Severity::High),
            },
        )
    }

    fn undeclared(&self, subject: &Subject<'_>, tool: &str, tools: (u32, &str)) -> Departure {
        let (line, words) = tools;
        let tool = cut(tool, 80);
        let severity = match subject.event.mapped.action {
            Action::SecretRead => Severity::Critical,
            _ => Severity::High,
        };
        let called = if subject.refused() {
            "tried to call"
        } else {
            "called"
        };
        self.departs(
            subject,
            Said {
                line,
                rule: format!("tools: {}", cut(words, 200)),
                pattern: format!("tool {tool}"),
                title: format!(
                    "{called} {tool}, a tool that its charter {} does not name",
                    self.name
                ),
                observed: (subject.describe)(subject.event),
                expected: format!("tools: {}", cut(words, 200)),
                severity: weigh(subject, severity),
            },
        )
    }
}
