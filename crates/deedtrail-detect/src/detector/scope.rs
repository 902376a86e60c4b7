//! An agent outside the tools it declares, or at production secrets.

use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, Environment};
use deedtrail_core::finding::{FindingDraft, Severity};

use super::{CodeDetector, Context, draft};
use crate::fact;
use crate::profile::{Profile, contains_any};

pub(super) const DETECTOR: CodeDetector = CodeDetector {
    id: "code/scope",
    findings: &["scope_departure"],
    meaning: "An agent calls a tool that is not among those it declares, or reads a production \
              secret that no declared tool covers.",
    detect,
};

fn detect(context: &Context<'_>, profile: &mut Profile) -> Vec<FindingDraft> {
    let Some(identity) = context.observation.identity else {
        return Vec::new();
    };
    let event = context.observation.event;
    let declared = &identity.declared.declared_tools;
    let agent = identity.kind == ActorKind::AiAgent || !declared.is_empty();
    let outside_tools = context.facts.tool_declared == Some(false);
    let at_secrets = agent && reads_production_secret(context);
    if !agent || !(outside_tools || at_secrets && context.facts.tool_declared != Some(true)) {
        return Vec::new();
    }
    let name = fact::actor_name(&context.observation);
    let operation = fact::cut(&event.mapped.operation, 80);
    let target = fact::target_name(event);
    let mut draft = draft::of(
        &context.observation,
        "scope_departure",
        DETECTOR.id,
        &format!("tool {operation}"),
    );
    draft.title = if at_secrets {
        format!("{name} read the production secret {target}, outside its declared scope")
    } else {
        format!("{name} used {operation}, which it does not declare")
    };
    draft.reasons = vec![
        format!("observed: {}", fact::sentence(event)),
        if declared.is_empty() {
            "declared: no tools; reading production secrets needs a declaration".to_owned()
        } else {
            let tools = declared.iter().take(12).map(|tool| fact::cut(tool, 40));
            format!("declared: {}", tools.collect::<Vec<_>>().join(", "))
        },
        match context.facts.first_time_operation {
            Some(true) => format!("never used in {} active days before", profile.active_days),
            _ => "used before".to_owned(),
        },
        match &identity.declared.owner {
            Some(owner) => format!("scope review goes to the owner, {}", fact::cut(owner, 80)),
            None => "nobody owns this agent: scope review has no addressee".to_owned(),
        },
    ];
    draft.severity = if at_secrets {
        Severity::Critical
    } else {
        draft.severity
    };
    draft.confidence = 0.9;
    vec![draft]
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
