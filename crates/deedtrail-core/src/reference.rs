//! Reference pages made from the code: findings.md, controls.md and actions.md of docs/reference.
//! `cargo run -p deedtrail-core --example reference` writes them; a test compares them.

use std::fmt::Write as _;

use crate::action::ACTIONS;
use crate::control::{self, CROSSWALK, Framework};
use crate::event::{
    ActorKind, CredentialKind, DeviceTrust, Environment, EventKind, OutcomeClass, Plane,
    Sensitivity, Verdict,
};
use crate::finding::{FindingType, TelemetryKind, registry};

const KINDS: [TelemetryKind; 4] = [
    TelemetryKind::Click,
    TelemetryKind::PostAuthentication,
    TelemetryKind::Behavioural,
    TelemetryKind::Usage,
];

/// The page on finding types.
pub fn findings_page() -> String {
    let mut page = String::from(
        "# Findings\n\nEvery type of finding: what it means, what to do first, and the controls it \
         answers. This page is made from the registry \
         (`crates/deedtrail-core/src/finding/registry.rs`). References as first printed differ \
         from the checked ones; [controls](controls.md) says why.\n",
    );
    for telemetry in KINDS {
        push(&mut page, format_args!("\n## {}\n", heading(telemetry)));
        for kind in registry::all().filter(|kind| kind.telemetry == telemetry) {
            finding(&mut page, kind);
        }
    }
    page
}

/// The page on control references.
pub fn controls_page() -> String {
    let mut page = String::from(
        "# Controls\n\nThe references that findings carry. This page is made from the control \
         table (`crates/deedtrail-core/src/control.rs`).\n\n## Crosswalk\n\nEach finding shows two \
         sets of references: as first printed for its kind of telemetry (`seed_ref`), and as \
         checked against the publications (`mapped_ref`).\n\n| telemetry | printed | checked | \
         why |\n|---|---|---|---|\n",
    );
    for row in CROSSWALK {
        push(
            &mut page,
            format_args!(
                "| {} | {} | {} | {} |\n",
                row.telemetry.name(),
                row.seed_ref,
                row.mapped_ref.join(", "),
                row.reason
            ),
        );
    }
    for framework in Framework::ALL {
        push(
            &mut page,
            format_args!("\n## {}\n\n| id | title |\n|---|---|\n", framework.title()),
        );
        for control in control::CONTROLS {
            if control.framework == framework {
                push(
                    &mut page,
                    format_args!("| {} | {} |\n", control.id, control.title),
                );
            }
        }
    }
    page
}

fn finding(page: &mut String, kind: &FindingType) {
    push(
        page,
        format_args!(
            "\n### `{}`\n\n**{}** ({}). {}\n\n",
            kind.id,
            kind.title,
            kind.severity.name(),
            kind.meaning
        ),
    );
    for (step, text) in kind.response.iter().enumerate() {
        push(page, format_args!("{}. {text}\n", step + 1));
    }
    push(
        page,
        format_args!(
            "\nPrinted: {}. Checked: {}.\n",
            kind.seed_ref.join(", "),
            kind.mapped_ref.join(", ")
        ),
    );
}

/// The page on closed lists of values: actions, kinds, planes and the like.
pub fn actions_page() -> String {
    let mut page = String::from(
        "# Actions, kinds and planes\n\nThe closed lists of values an event has, which a mapping answers \
         with. This page is made from `crates/deedtrail-core/src/action.rs` and `event.rs`.\n\n## Actions\n\n\
         What an operation does, in security terms; one list for all vendors. OCSF 1.8 class and activity \
         in brackets.\n\n| action | meaning | examples | OCSF |\n|---|---|---|---|\n",
    );
    for facts in ACTIONS {
        push(
            &mut page,
            format_args!(
                "| `{}` | {} | {} | {} ({}) |\n",
                facts.name, facts.meaning, facts.examples, facts.class_uid, facts.activity_id
            ),
        );
    }
    page.push_str("\n## Other lists\n\n| field | values |\n|---|---|\n");
    list(&mut page, "kind", EventKind::ALL, EventKind::name);
    list(&mut page, "plane", Plane::ALL, Plane::name);
    list(
        &mut page,
        "kind of an actor",
        ActorKind::ALL,
        ActorKind::name,
    );
    list(&mut page, "outcome", OutcomeClass::ALL, OutcomeClass::name);
    list(
        &mut page,
        "credential_kind",
        CredentialKind::ALL,
        CredentialKind::name,
    );
    list(
        &mut page,
        "device_trust",
        DeviceTrust::ALL,
        DeviceTrust::name,
    );
    list(&mut page, "verdict", Verdict::ALL, Verdict::name);
    list(
        &mut page,
        "environment of a target",
        Environment::ALL,
        Environment::name,
    );
    list(
        &mut page,
        "sensitivity of a target",
        Sensitivity::ALL,
        Sensitivity::name,
    );
    page
}

fn list<T: Copy>(page: &mut String, field: &str, values: &[T], name: fn(T) -> &'static str) {
    let values: Vec<String> = values
        .iter()
        .map(|value| format!("`{}`", name(*value)))
        .collect();
    push(page, format_args!("| {field} | {} |\n", values.join(", ")));
}

const fn heading(telemetry: TelemetryKind) -> &'static str {
    match telemetry {
        TelemetryKind::Click => "Click",
        TelemetryKind::PostAuthentication => "Post-authentication",
        TelemetryKind::Behavioural => "Behavioural",
        TelemetryKind::Usage => "Usage",
    }
}

/// Writing to a string cannot fail.
fn push(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("a string takes any text");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_up_to_date() {
        let again = "run `cargo run -p deedtrail-core --example reference`";
        let findings = include_str!("../../../docs/reference/findings.md");
        assert!(findings == findings_page(), "findings.md: {again}");
        let controls = include_str!("../../../docs/reference/controls.md");
        assert!(controls == controls_page(), "controls.md: {again}");
        let actions = include_str!("../../../docs/reference/actions.md");
        assert!(actions == actions_page(), "actions.md: {again}");
    }
}
