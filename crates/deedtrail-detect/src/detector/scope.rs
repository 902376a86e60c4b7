//! An agent outside the tools it declares, or at production secrets.

use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, Environment, OutcomeClass};
use deedtrail_core::finding::{FindingDraft, Severity};

use super::{CodeDetector, Context, Runs, draft};
use crate::fact;
use crate::profile::{self, Profile, contains_any};

pub(super) const DETECTOR: CodeDetector = CodeDetector {
    id: "code/scope",
    findings: &["scope_departure"],
    meaning: "An agent calls a tool that is not among those it declares, or reads a production \
              secret that no declared tool covers.",
    runs: Runs::Event(detect),
};

fn detect(context: &Context<'_>, profile: &mut Profile) -> Vec<FindingDraft> {
    let Some(identity) = context.observation.identity else {
        return Vec::new();
    };
    let event = context.observation.event;
    if !event.mapped.meaningful || context.tools_declared {
        return Vec::new();
    }
    let declared = identity.declared.tools_at(&event.mapped.system);
    let agent = identity.kind == ActorKind::AiAgent || !declared.is_empty();
    let outside_tools = context.facts.tool_declared == Some(false);
    let at_secrets = agent && reads_production_secret(context);
    if !agent || !(outside_tools || at_secrets && context.facts.tool_declared != Some(true)) {
        return Vec::new();
    }
    let operation = fact::cut(&event.mapped.operation, 80);
    let mut draft = draft::of(
        &context.observation,
        "scope_departure",
        DETECTOR.id,
        &format!("tool {operation}"),
    );
    draft.title = title(context, at_secrets, &operation);
    draft.reasons = vec![
        format!("observed: {}", fact::sentence(event)),
        if declared.is_empty() {
            "declared: no tools; reading production secrets needs a declaration".to_owned()
        } else {
            let tools = declared.iter().take(12).map(|tool| fact::cut(tool, 40));
            let tools = tools.collect::<Vec<_>>().join(", ");
            if identity.declared.declared_tools.is_empty() {
                format!("declared ({}): {tools}", identity.declared.tools_told_by())
            } else {
                format!("declared: {tools}")
            }
        },
        history(context, profile, at_secrets),
        match &identity.declared.owner {
            Some(owner) => format!("scope review goes to the owner, {}", fact::cut(owner, 80)),
            None => "nobody owns this agent: scope review has no addressee".to_owned(),
        },
    ];
    draft.severity = match event.mapped.outcome {
        OutcomeClass::Success if at_secrets => Severity::Critical,
        _ if at_secrets => Severity::High,
        _ => draft.severity,
    };
    draft.confidence = 0.9;
    vec![draft]
}

fn title(context: &Context<'_>, at_secrets: bool, operation: &str) -> String {
    let event = context.observation.event;
    let name = fact::actor_name(&context.observation);
    let target = fact::target_name(event);
    let (read, used) = if event.mapped.outcome == OutcomeClass::Success {
        ("read", "used")
    } else if profile::refused(event) {
        ("tried to read", "tried to use")
    } else {
        ("tried to read", "used")
    };
    if at_secrets && event.mapped.target_kind.as_deref() == Some("tool") {
        format!("{name} {read} production secrets by {target}, outside its declared scope")
    } else if at_secrets {
        format!("{name} {read} the production secret {target}, outside its declared scope")
    } else {
        format!("{name} {used} {operation}, which it does not declare")
    }
}

/// Whether it is new for the agent: for a secret the secret, else the tool.
fn history(context: &Context<'_>, profile: &Profile, at_secrets: bool) -> String {
    let days = usize::try_from(profile.active_days).unwrap_or(usize::MAX);
    let days = fact::counted(days, "active day");
    let (what, new) = if at_secrets {
        ("this secret was", context.facts.first_time_target)
    } else {
        ("this tool was", context.facts.first_time_operation)
    };
    match new {
        Some(true) => format!("usual: {what} never asked for in {days}"),
        Some(false) => format!("usual: {what} asked for before"),
        None => format!("usual: it uses too many different things to say whether {what} new"),
    }
}

fn reads_production_secret(context: &Context<'_>) -> bool {
    let mapped = &context.observation.event.mapped;
    let target = fact::target_name(context.observation.event);
    let secret = mapped.action == Action::SecretRead
        || contains_any(&mapped.operation, &["vault", "secret"]) && mapped.action == Action::Read;
    let named = mapped.target_environment == Environment::Unknown
        && target
            .split(['/', '-', '_', '.', ':'])
            .any(|p| matches!(p, "prod" | "production"));
    secret && (mapped.target_environment == Environment::Production || named)
}
