//! What the operator says of targets: `[targets]`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Environment and sensitivity of targets; what stands here wins over what a mapping says.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(inline)]
pub(crate) struct TargetsConfig {
    /// CSV with a header: `target` (a reference, name or alias), `environment`, `sensitivity`;
    /// further columns are not looked at. It wins over the rules. A relative path starts at the
    /// folder of the configuration file.
    pub(crate) inventory: Option<PathBuf>,
    /// Rules `[[targets.rules]]`, in order: the first that holds and says something is taken.
    pub(crate) rules: Vec<TargetRuleConfig>,
}

/// Targets of which something is said: all that is given has to hold. `*` and `?` stand for any text
/// and any character.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TargetRuleConfig {
    /// System of the event, such as `aws`.
    pub(crate) system: Option<String>,
    /// Account, project or organisation of the event.
    pub(crate) account: Option<String>,
    /// Kind of the target, such as `bucket`.
    pub(crate) kind: Option<String>,
    /// Any of them, of the target's reference, name or aliases.
    #[serde(default)]
    #[schemars(example = ["prod-*"])]
    pub(crate) names: Vec<String>,
    /// `production`, `staging` or `development`.
    #[schemars(example = &"production")]
    pub(crate) environment: Option<String>,
    /// `public`, `internal`, `confidential` or `secret`.
    #[schemars(example = &"confidential")]
    pub(crate) sensitivity: Option<String>,
}
