//! A machine that changes deployment manifests for the first time.

use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, Change, Environment};
use deedtrail_core::finding::{FindingDraft, Severity};

use super::{CodeDetector, Context, Runs, draft};
use crate::fact;
use crate::profile::{self, Profile};

pub(super) const DETECTOR: CodeDetector = CodeDetector {
    id: "code/manifest",
    findings: &["deployment_manifest_change"],
    meaning: "A machine identity changes deployment manifests it never changed before: files, \
              hashes before and after, time and environment.",
    runs: Runs::Event(detect),
};

/// Folders whose content says what is deployed.
const FOLDERS: [&str; 9] = [
    "deploy",
    "deployment",
    "deployments",
    "manifests",
    "k8s",
    "kubernetes",
    "helm",
    "charts",
    "kustomize",
];
/// Folders whose files of data say so; code may lie there too.
const DATA_FOLDERS: [&str; 4] = ["overlays", "environments", "prod", "production"];
/// Beginnings of the names of files that say so wherever they lie, with an ending of [`DATA`].
const FILES: [&str; 6] = [
    "kustomization",
    "docker-compose",
    "compose",
    "values",
    "chart",
    "helmfile",
];
const DATA: [&str; 2] = ["yaml", "yml"];

fn detect(context: &Context<'_>, profile: &mut Profile) -> Vec<FindingDraft> {
    let event = context.observation.event;
    let mapped = &event.mapped;
    let kind = context
        .observation
        .identity
        .map_or(mapped.actor_kind, |identity| identity.kind);
    if mapped.action != Action::CodeChange || kind == ActorKind::Human || profile::refused(event) {
        return Vec::new();
    }
    let files = mapped
        .changes
        .iter()
        .filter(|change| is_manifest(&change.path))
        .collect::<Vec<_>>();
    let Some(first) = files.first() else {
        return Vec::new();
    };
    let place = fact::target_name(event);
    // Remembered for longer than any feed is silent: who does it by routine fires once.
    if !profile.may_fire(&["manifest", &place], context.at(), 400) {
        return Vec::new();
    }
    let environment = environment(mapped.target_environment, &files);
    let name = fact::actor_name(&context.observation);
    let pattern = format!("manifests {place}");
    let mut draft = draft::of(
        &context.observation,
        "deployment_manifest_change",
        DETECTOR.id,
        &pattern,
    );
    draft.title = format!(
        "{name} changed {} of {} for the first time: {}",
        fact::counted(files.len(), "deployment manifest"),
        environment.name(),
        fact::cut(&first.path, 100),
    );
    draft.reasons = files
        .iter()
        .take(20)
        .map(|change| describe(change))
        .collect();
    draft.reasons.push(format!(
        "at {} in {place}, environment {}",
        context.at(),
        environment.name()
    ));
    draft.reasons.push(format!(
        "usual: {} on {} of {} active days, never manifests of {place}",
        Action::CodeChange.name(),
        profile.days_of(Action::CodeChange),
        profile.active_days,
    ));
    // What a machine does in its first days is how it is learnt, not how it departs.
    let known = context.facts.actor_active_days >= context.settings.history_days_min;
    if environment == Environment::Production && known {
        draft.severity = draft.severity.max(Severity::High);
    }
    draft.confidence = 0.7;
    vec![draft]
}

fn is_manifest(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let (folders, file) = lower.rsplit_once('/').unwrap_or(("", &lower));
    let within = |names: &[&str]| folders.split('/').any(|folder| names.contains(&folder));
    let (_, ending) = file.rsplit_once('.').unwrap_or((file, ""));
    let data = DATA.contains(&ending);
    // `values-prod.yaml` and `values.yaml`, but not `valuestore.yaml`.
    let named = |start: &str| {
        let rest = file.strip_prefix(start);
        rest.is_some_and(|rest| rest.starts_with(['.', '-', '_']))
    };
    file == "dockerfile"
        || ending == "tf"
        || data && FILES.iter().any(|start| named(start))
        || within(&FOLDERS)
        || data && (within(&DATA_FOLDERS) || folders.ends_with(".github/workflows"))
}

fn environment(declared: Environment, files: &[&Change]) -> Environment {
    if declared != Environment::Unknown {
        return declared;
    }
    let part = |names: &[&str]| {
        files
            .iter()
            .any(|f| f.path.split(['/', '-', '.']).any(|p| names.contains(&p)))
    };
    if part(&["prod", "production"]) {
        Environment::Production
    } else if part(&["staging", "stage"]) {
        Environment::Staging
    } else {
        Environment::Unknown
    }
}

fn describe(change: &Change) -> String {
    let hash = |value: &Option<deedtrail_core::Text>| {
        value
            .as_ref()
            .map_or_else(|| "nothing".to_owned(), |hash| fact::cut(hash, 64))
    };
    let path = fact::cut(&change.path, 160);
    format!(
        "{path}: from {} to {}",
        hash(&change.before),
        hash(&change.after)
    )
}
