//! A layer of the ATT&CK Navigator (layer format 4.5,
//! <https://github.com/mitre-attack/attack-navigator/tree/master/layers/spec/v4.5>) or of the ATLAS
//! Navigator, which reads layers as its own data has them (format 4.3, domain `atlas-atlas`,
//! <https://github.com/mitre-atlas/atlas-navigator-data>).

use deedtrail_core::control::Framework;
use deedtrail_core::time::Timestamp;
use serde_json::{Value, json};

use super::{Delivery, TechniqueCoverage};

/// Rules that a technique's comment names; the others are counted.
const RULES_NAMED_MAX: usize = 12;

/// What a score stands for, its colour, and what the legend says.
const SCORES: [(u32, &str, &str); 4] = [
    (100, "#8ec843", "A rule whose source delivers"),
    (60, "#ffe766", "Rules whose sources are quiet for a day"),
    (
        30,
        "#ffb366",
        "Rules whose sources are silent or never delivered",
    ),
    (0, "#ff6666", "No rule"),
];

/// The techniques of one framework as a layer. Of any other framework there is none.
pub fn layer(
    coverage: &[TechniqueCoverage],
    framework: Framework,
    made: Timestamp,
) -> Option<Value> {
    let (domain, versions, layout) = match framework {
        Framework::MitreAttack => (
            "enterprise-attack",
            json!({ "attack": framework.version(), "navigator": "5.2.0", "layer": "4.5" }),
            json!({
                "layout": "side", "showID": true, "showName": true,
                "expandedSubtechniques": "annotated",
            }),
        ),
        Framework::MitreAtlas => (
            "atlas-atlas",
            json!({ "navigator": "4.6.4", "layer": "4.3" }),
            json!({ "layout": "side", "showID": true, "showName": true }),
        ),
        _ => return None,
    };
    let techniques = coverage.iter().filter(|one| one.framework == framework);
    let techniques: Vec<Value> = techniques.map(technique).collect();
    let legend = SCORES.map(|(_, color, label)| json!({ "label": label, "color": color }));
    let colors: Vec<&str> = SCORES.iter().rev().map(|(_, color, _)| *color).collect();
    Some(json!({
        "name": "Deedtrail detections",
        "versions": versions,
        "domain": domain,
        "description": format!(
            "Techniques that the detections in force cover, by whether their sources deliver; as of \
             {made}. Techniques without a score are in no rule and not in the control table."
        ),
        "sorting": 3,
        "layout": layout,
        "hideDisabled": false,
        "techniques": techniques,
        "gradient": { "colors": colors, "minValue": 0, "maxValue": 100 },
        "legendItems": legend,
        "metadata": [
            { "name": "publication", "value": framework.title() },
            { "name": "made", "value": made.to_string() },
        ],
    }))
}

fn technique(one: &TechniqueCoverage) -> Value {
    let (score, color, meaning) = match one.delivery {
        Some(Delivery::Delivering) => SCORES[0],
        Some(Delivery::Quiet) => SCORES[1],
        Some(Delivery::Silent | Delivery::Never) => SCORES[2],
        None => SCORES[3],
    };
    let named: Vec<&str> = one.rules.iter().map(|it| it.rule.as_str()).collect();
    let shown = &named[..named.len().min(RULES_NAMED_MAX)];
    let mut comment = meaning.to_owned();
    if !shown.is_empty() {
        comment = format!("{comment}: {}", shown.join(", "));
    }
    if named.len() > shown.len() {
        comment = format!("{comment} and {} more", named.len() - shown.len());
    }
    let delivering = one.rules.iter();
    let delivering = delivering.filter(|it| it.delivery == Delivery::Delivering);
    json!({
        "techniqueID": one.id,
        "score": score,
        "color": color,
        "comment": comment,
        "enabled": true,
        "metadata": [
            { "name": "rules", "value": one.rules.len().to_string() },
            { "name": "rules whose source delivers", "value": delivering.count().to_string() },
        ],
        // Sub-techniques of a technique have ids of their own below it.
        "showSubtechniques": !one.id.trim_start_matches("AML.").contains('.'),
    })
}
