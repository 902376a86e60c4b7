//! Sigma rules: public ones on vendor names, ours on canonical fields, correlations, problems.

use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, EventKind};
use deedtrail_core::finding::Severity;
use deedtrail_detect::{ProblemSeverity, RuleFile, RuleSet};

use crate::builder::{Step, at, findings, identity, kinds, rules, run_with, source};

const VENDOR: &str = r"
title: Access Key Made For Another User
id: 11111111-2222-4333-8444-555555555555
status: stable
description: An access key is made for a user other than the caller.
logsource:
    product: aws
    service: cloudtrail
detection:
    selection:
        eventSource: iam.amazonaws.com
        eventName: CreateAccessKey
    filter:
        userIdentity.arn|contains: 'terraform'
    condition: selection and not filter
falsepositives:
    - Onboarding
level: medium
tags:
    - attack.persistence
    - attack.t1098.001
";

const OURS: &str = r#"
title: Agent used an undeclared tool
id: deedtrail-agent-undeclared-tool
status: stable
logsource:
    product: deedtrail
    category: tool_call
detection:
    selection:
        actor_kind: ai_agent
        tool_declared: false
    condition: selection
level: high
deedtrail:
    finding: scope_departure
    title: "{actor_name} used {operation}, which it does not declare"
    pattern: [operation]
    reasons:
        - "declared: {declared_tools}; used: {operation}"
    confidence: 0.9
"#;

#[test]
fn public_rule_loads_unchanged_and_sees_vendor_names() {
    let rules = rules(&[("aws/key.yml", VENDOR)]);
    let alice = identity("alice@example.com", ActorKind::Human);
    let step = |json: &str| {
        Step::new(
            &alice,
            at(1, 0),
            Action::CredentialCreate,
            "iam:CreateAccessKey",
        )
        .record(json)
    };
    let drafts = run_with(
        &rules,
        vec![step(
            r#"{"eventSource":"iam.amazonaws.com","eventName":"CreateAccessKey","userIdentity":{"arn":"arn:aws:iam::1:user/alice"}}"#,
        )],
    );
    assert_eq!(kinds(&drafts), ["sigma_rule"]);
    assert_eq!(drafts[0].rule, "aws/key");
    assert_eq!(drafts[0].severity, Severity::Medium);
    assert_eq!(drafts[0].techniques, ["T1098.001"]);
    for quiet in [
        r#"{"eventSource":"iam.amazonaws.com","eventName":"CreateAccessKey","userIdentity":{"arn":"arn:aws:iam::1:role/terraform"}}"#,
        r#"{"eventName":"CreateAccessKey"}"#,
        "not json",
    ] {
        assert_eq!(
            kinds(&run_with(&rules, vec![step(quiet)])),
            [""; 0],
            "{quiet}"
        );
    }
    let mut other = step(r#"{"eventSource":"iam.amazonaws.com","eventName":"CreateAccessKey"}"#);
    other.source = source("okta.system", "okta", "okta");
    assert_eq!(
        kinds(&run_with(&rules, vec![other])),
        [""; 0],
        "another log source"
    );
}

#[test]
fn our_rule_sees_every_source_through_canonical_fields() {
    let rules = rules(&[("agent/undeclared-tool/rule.yml", OURS)]);
    let mut agent = identity("coding-agent", ActorKind::AiAgent);
    agent.declared.declared_tools = vec!["tickets.*".into(), "pr.open".into()];
    let call = |tool: &str| {
        Step::new(&agent, at(1, 0), Action::Execute, tool)
            .with(|mapped| mapped.kind = EventKind::ToolCall)
    };
    let drafts = run_with(&rules, vec![call("tickets.read"), call("pr.open")]);
    assert_eq!(kinds(&drafts), [""; 0]);
    let drafts = run_with(&rules, vec![call("vault.read")]);
    let by_rule = drafts
        .iter()
        .find(|d| d.rule == "agent/undeclared-tool")
        .unwrap();
    assert_eq!(
        by_rule.title,
        "coding-agent used vault.read, which it does not declare"
    );
    assert_eq!(
        by_rule.reasons,
        ["declared: tickets.*, pr.open; used: vault.read"]
    );
    assert!((by_rule.confidence - 0.9).abs() < 1e-9);
}

const COUNT: &str = r"
title: Failed read
name: failed_read
logsource:
    product: deedtrail
detection:
    selection:
        action: read
        outcome: denied
    condition: selection
level: low
---
title: Many refused reads
correlation:
    type: event_count
    rules: [failed_read]
    group-by: [actor_name]
    timespan: 10m
    condition:
        gte: 3
level: high
deedtrail:
    finding: refused_repeatedly
    title: '{actor_name}: {correlation_value} refused reads within {correlation_minutes} min'
";

fn refused(minute: i64) -> Step {
    let bot = identity("bot", ActorKind::ServiceAccount);
    Step::new(&bot, at(1, minute), Action::Read, "GetObject")
        .on("bucket/x")
        .ended(deedtrail_core::event::OutcomeClass::Denied)
}

#[test]
fn correlation_counts_in_event_time_whatever_the_order() {
    let rules = rules(&[("access/refused/rule.yml", COUNT)]);
    let orders = [[0, 4, 8], [8, 0, 4], [4, 8, 0]];
    for minutes in orders {
        let findings = findings(run_with(&rules, minutes.map(refused).to_vec()));
        assert_eq!(findings.len(), 1, "{minutes:?}");
        let draft = &findings[0].draft;
        assert_eq!(draft.title, "bot: 3 refused reads within 10 min");
        assert_eq!(draft.events.len(), 3);
        assert!(draft.events.is_sorted_by_key(|event| event.time));
    }
    let spread = [0, 8, 16, 24].map(refused).to_vec();
    assert_eq!(
        kinds(&run_with(&rules, spread)),
        [""; 0],
        "never three within ten minutes"
    );
    // A late event far before the others must not be counted with them.
    let late = [100, 104, 0].map(refused).to_vec();
    assert_eq!(kinds(&run_with(&rules, late)), [""; 0]);
}

const ORDERED: &str = r"
title: Config change
name: config
logsource:
    product: deedtrail
detection:
    selection:
        action: config_change
    condition: selection
---
title: Export
name: export
logsource:
    product: deedtrail
detection:
    selection:
        action: export
    condition: selection
---
title: Config change then export
correlation:
    type: temporal_ordered
    rules: [config, export]
    group-by: [actor_name]
    timespan: 1h
level: high
";

#[test]
fn ordered_correlation_needs_the_order_of_events_not_of_arrival() {
    let rules = rules(&[("x/ordered.yml", ORDERED)]);
    let bot = identity("bot", ActorKind::ServiceAccount);
    let config = |minute| Step::new(&bot, at(1, minute), Action::ConfigChange, "Modify").on("db");
    let export = |minute| Step::new(&bot, at(1, minute), Action::Export, "Export").on("db");
    let fires = |steps| findings(run_with(&rules, steps)).len() == 1;
    assert!(fires(vec![config(0), export(10)]));
    assert!(
        fires(vec![export(10), config(0)]),
        "the change arrived late"
    );
    assert!(!fires(vec![export(0), config(10)]));
    assert!(!fires(vec![config(0), export(100)]));
}

#[test]
fn temporal_correlation_without_a_condition_needs_every_rule() {
    let rules = rules(&[(
        "x/any.yml",
        &ORDERED.replace("temporal_ordered", "temporal"),
    )]);
    let bot = identity("bot", ActorKind::ServiceAccount);
    let config = |minute| Step::new(&bot, at(1, minute), Action::ConfigChange, "Modify").on("db");
    let export = |minute| Step::new(&bot, at(1, minute), Action::Export, "Export").on("db");
    let fires = |steps| findings(run_with(&rules, steps)).len() == 1;
    assert!(fires(vec![export(0), config(10)]));
    assert!(!fires(vec![export(0), export(10)]));
    assert!(!fires(vec![export(0), config(100)]));
}

#[test]
fn correlation_by_identity_keeps_namesakes_apart() {
    let by_identity = ORDERED.replace("[actor_name]", "[identity]");
    let rules = rules(&[("x/by-identity.yml", &by_identity)]);
    let one = identity("backup@one.example", ActorKind::ServiceAccount);
    let mut namesake = identity("backup@two.example", ActorKind::ServiceAccount);
    namesake.name = one.name.clone();
    let steps = |exporter| {
        vec![
            Step::new(&one, at(1, 0), Action::ConfigChange, "Modify").on("db"),
            Step::new(exporter, at(1, 10), Action::Export, "Export").on("db"),
        ]
    };
    assert_eq!(kinds(&run_with(&rules, steps(&namesake))), [""; 0]);
    let mut renamed = one.clone();
    renamed.name = "backup-2".into();
    assert_eq!(kinds(&run_with(&rules, steps(&renamed))), ["sigma_rule"]);
}

#[test]
fn filter_takes_matches_away() {
    let filter = r"
title: Not the deployer
logsource:
    product: aws
    service: cloudtrail
filter:
    rules: ['11111111-2222-4333-8444-555555555555']
    selection:
        userIdentity.arn|endswith: '/deployer'
    condition: not selection
";
    let rules = rules(&[("aws/filter.yml", filter), ("aws/key.yml", VENDOR)]);
    let alice = identity("alice@example.com", ActorKind::Human);
    let made = |who: &str| {
        let json = format!(
            r#"{{"eventSource":"iam.amazonaws.com","eventName":"CreateAccessKey","userIdentity":{{"arn":"arn:{who}"}}}}"#
        );
        vec![Step::new(&alice, at(1, 0), Action::CredentialCreate, "x").record(&json)]
    };
    assert_eq!(kinds(&run_with(&rules, made("role/deployer"))), [""; 0]);
    assert_eq!(kinds(&run_with(&rules, made("user/alice"))), ["sigma_rule"]);
}

#[test]
fn explaining_a_correlation_explains_what_it_counts() {
    let rules = rules(&[("access/refused/rule.yml", COUNT)]);
    let text = rules.explain("access/refused", &[]).unwrap();
    let place = |words: &str| {
        text.find(words)
            .unwrap_or_else(|| panic!("{words}: {text}"))
    };
    assert_eq!(place("access/refused: Many refused reads"), 0);
    assert!(place("Finding    refused_repeatedly") < place("Counts     Failed read"));
    assert!(place("Within ") < place("Fires at   at least 3 matches\n"));
    assert!(place("Fires at ") < place("Counted: Failed read"));
    assert!(place("    action: read\n    outcome: denied\n") > place("Holds when selection\n"));
    assert!(place("Counted: Failed read") < text.rfind("Compares").unwrap());
    assert!(!text.contains("sigma_rule"), "{text}");
    let listed = rules.findings().map(|rule| rule.title.as_str());
    assert_eq!(listed.collect::<Vec<_>>(), ["Many refused reads"]);
}

fn problems(text: &str) -> Vec<deedtrail_detect::RuleProblem> {
    RuleSet::load(&[RuleFile {
        path: "x/rule.yml".to_owned(),
        text: text.to_owned(),
    }])
    .1
}

#[test]
fn problems_say_where_and_what_instead() {
    let misspelt = OURS.replace("tool_declared", "tool_declard");
    let found = problems(&misspelt);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].severity, ProblemSeverity::Error);
    assert_eq!(found[0].line, 11);
    assert_eq!(
        found[0].suggestion.as_deref(),
        Some("did you mean `tool_declared`?")
    );

    let found = problems(&OURS.replace("level:", "level: hgih\nformer_level:"));
    assert_eq!(found[0].severity, ProblemSeverity::Warning, "{found:?}");
    assert!(found[0].message.contains("invalid level"), "{found:?}");

    let found = problems(&OURS.replace("finding: scope_departure", "finding: scope_depature"));
    assert_eq!(
        found[0].suggestion.as_deref(),
        Some("did you mean `scope_departure`?")
    );

    let found = problems(&OURS.replace("confidence: 0.9", "confidance: 0.9"));
    assert!(
        found[0].message.contains("confidance"),
        "{}",
        found[0].message
    );

    let found = problems(&COUNT.replace("rules: [failed_read]", "rules: [failed_reads]"));
    assert_eq!(
        found[0].suggestion.as_deref(),
        Some("did you mean `failed_read`?")
    );
    assert!(problems(VENDOR).is_empty());
}

#[test]
fn a_mistake_is_told_where_it_stands() {
    let titled = |wrong: &str| OURS.replace("Agent used", wrong);
    let line = |text: &str| problems(text)[0].line;
    // The same words stand in the title, before.
    let text = titled("ai_agnt tool_declard scope_depature").replace("used {", "{actor_nam} {");
    let agent = text.replace("actor_kind: ai_agent", "actor_kind: ai_agnt");
    assert_eq!(
        problems(&agent)[0].message,
        "`actor_kind` is never `ai_agnt`"
    );
    assert_eq!(line(&agent), 10);
    let declared = text.replace("tool_declared: false", "tool_declard: false");
    assert_eq!(line(&declared), 11);
    let finding = text.replace("finding: scope_departure", "finding: scope_depature");
    assert_eq!(line(&finding), 15);
    assert_eq!(line(&text), 16, "{:?}", problems(&text));
    // Of two rules in one file, the second.
    let second = COUNT.replace("level: high", "level: hgih");
    assert_eq!(line(&second), 21);
    let second = COUNT.replace("group-by: [actor_name]", "group-by: [outcom]");
    assert_eq!(line(&second), 17);
    let second = format!("{OURS}---{COUNT}").replace("outcome: denied", "outcome: refused");
    let second = second.replace("Agent used", "refused");
    assert_eq!(line(&second), 29);
}

#[test]
fn a_mistake_in_structure_level_or_condition_says_where_and_what_instead() {
    let told =
        |text: &str| -> Vec<String> { problems(text).iter().map(ToString::to_string).collect() };
    let rule = "title: T\nlogsource:\n  product: deedtrail\ndetection:\n  selection:\n    \
                action: read\n  condition: selection\nlevel: high\n";
    assert_eq!(told(rule), Vec::<String>::new());
    for (wrong, expected) in [
        (
            rule.replace("n: selection", "n: selektion"),
            "x/rule.yml:7: the condition names `selektion`, which is no selection of the rule; did you \
             mean `selection`?",
        ),
        (
            rule.replace("n: selection", "n: selection and not other"),
            "x/rule.yml:7: the condition names `other`, which is no selection of the rule",
        ),
        (
            rule.replace("level: high", "level: hgih"),
            "x/rule.yml:8: invalid level: 'hgih'; did you mean `high`? Until then it is `medium`",
        ),
        (
            rule.replace("level: high", "level: cataclysmic"),
            "x/rule.yml:8: invalid level: 'cataclysmic'; one of informational, low, medium, high, critical; until \
             then it is `medium`",
        ),
    ] {
        assert_eq!(told(&wrong), [expected], "{wrong}");
    }
    for (wrong, start) in [
        (
            rule.replace("selection:", " selection: ["),
            "x/rule.yml:5: YAML parse error: ",
        ),
        (
            rule.replace("n: selection", "n: selection and"),
            "x/rule.yml:7: Condition parse error ",
        ),
    ] {
        let told = told(&wrong);
        assert!(told.len() == 1 && told[0].starts_with(start), "{told:?}");
    }
}

#[test]
fn a_kind_of_telemetry_that_there_is_not_is_doubted() {
    let found = problems(&OURS.replace("category: tool_call", "category: toolcall"));
    let told: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        ["x/rule.yml:7: no kind of telemetry is called `toolcall`; did you mean `tool_call`?"]
    );
    assert_eq!(found[0].severity, ProblemSeverity::Warning);
    let file = RuleFile {
        path: "x/rule.yml".to_owned(),
        text: OURS.replace("category: tool_call", "category: firewall"),
    };
    let (set, found) = RuleSet::load(&[file]);
    assert_eq!(set.rules().len(), 1, "it stays in force");
    let suggestion = found[0].suggestion.as_deref().unwrap();
    assert!(
        suggestion.starts_with("`category` is one of click, "),
        "{suggestion}"
    );
}

#[test]
fn log_sources_that_are_not_served_are_doubted_the_rest_in_one_line() {
    let of = |product: &str, service: &str| {
        let text = VENDOR.replace("product: aws", &format!("product: {product}"));
        text.replace("service: cloudtrail", &format!("service: {service}"))
    };
    let texts = [
        of("aws", "cloudtrail"),
        of("AWS", "CloudTrail"),
        of("awss", "cloudtrail"),
        of("aws", "cloudtrial"),
        of("deedtrial", "okta"),
        of("deedtrail", "okat").replace("eventSource", "system"),
        of("windows", "sysmon"),
        of("windows", "security"),
        of("macos", "sysmon"),
    ];
    let files = texts.into_iter().enumerate().map(|(place, text)| RuleFile {
        path: format!("own/{place}.yml"),
        text: text
            .replace("eventName", "operation")
            .replace("userIdentity.arn", "actor_name")
            .replace("id: 11111111", &format!("id: 1111111{place}")),
    });
    let (set, problems) = RuleSet::load(&files.collect::<Vec<_>>());
    let errors = problems
        .iter()
        .filter(|it| it.severity == ProblemSeverity::Error);
    assert_eq!(errors.count(), 0, "{problems:?}");
    let mut sources = [
        source("aws.cloudtrail", "aws", "cloudtrail"),
        source("okta.system", "okta", "okta"),
    ];
    sources[1].system = Some("okta".to_owned());
    let told = set.check_sources(&sources, &std::collections::BTreeMap::new());
    let told: Vec<String> = told.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!("log_sources", told.join("\n"));
}

#[test]
fn hostile_files_are_problems_not_panics() {
    let deep = format!(
        "title: x\ndetection: {}1{}",
        "[".repeat(3000),
        "]".repeat(3000)
    );
    let bomb = "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c]";
    let huge = "x".repeat((1 << 20) + 1);
    for text in [
        deep.as_str(),
        bomb,
        huge.as_str(),
        "\0",
        "- 1",
        "title: [",
        "correlation: 3",
    ] {
        assert!(!problems(text).is_empty(), "{text:.40}");
    }
}

#[test]
fn explaining_a_correlation_says_when_it_has_counted_enough() {
    let check = |from: &str, to: &str, expected: &str| {
        let rules = rules(&[("x/a.yml", &COUNT.replace(from, to))]);
        let text = rules.explain("x/a", &[]).unwrap();
        assert!(
            text.contains(&format!("\nFires at   {expected}\n")),
            "{text}"
        );
    };
    let (counted, condition) = ("type: event_count", "        gte: 3");
    check(
        condition,
        "        gt: 3\n        lt: 9",
        "fewer than 9 and more than 3 matches",
    );
    let values = "        eq: 3\n        field: target_name";
    check(
        condition,
        &values.replace("eq", "gte"),
        "at least 3 matches",
    );
    let of = |kind: &str, expected: &str| {
        let text = COUNT.replace(counted, kind).replace(condition, values);
        let rules = rules(&[("x/a.yml", &text)]);
        let text = rules.explain("x/a", &[]).unwrap();
        assert!(
            text.contains(&format!("\nFires at   {expected}\n")),
            "{text}"
        );
    };
    of(
        "type: value_count",
        "exactly 3 different values of target_name",
    );
    of("type: value_sum", "exactly 3 as the sum of target_name");
    of(
        "type: value_median",
        "exactly 3 as the median of target_name",
    );
    let rules = rules(&[("x/ordered.yml", ORDERED)]);
    let text = rules.explain("x/ordered", &[]).unwrap();
    assert!(
        text.contains("Fires at   a match of each, in this order\n"),
        "{text}"
    );
}

#[test]
fn explain_names_sources_fields_finding_and_controls() {
    let rules = rules(&[
        ("aws/key.yml", VENDOR),
        ("agent/undeclared-tool/rule.yml", OURS),
    ]);
    let sources = [source("aws.cloudtrail", "aws", "cloudtrail")];
    let text = rules.explain("aws/key", &sources).unwrap();
    insta::assert_snapshot!("explain_vendor", text);
    let text = rules.explain("agent/undeclared-tool", &sources).unwrap();
    assert!(
        text.contains("every source") && text.contains("Controls"),
        "{text}"
    );
    let text = rules.explain("code/dormant", &sources).unwrap();
    assert!(
        text.contains("dormant_reactivation") && text.contains("90 days"),
        "{text}"
    );
    assert!(rules.explain("no-such-rule", &sources).is_none());
}

/// Every rule of this repository, by its path below `rules/`.
#[cfg(test)]
fn our_files(folder: &std::path::Path, below: &str, files: &mut Vec<RuleFile>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        if entry.file_type().unwrap().is_dir() {
            our_files(&entry.path(), &format!("{name}/"), files);
        } else if name.ends_with("/rule.yml") {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            files.push(RuleFile { path: name, text });
        }
    }
}

#[test]
fn rules_of_this_repository_load_without_problems() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../rules");
    let mut files = Vec::new();
    our_files(std::path::Path::new(folder), "", &mut files);
    let (set, problems) = RuleSet::load(&files);
    assert_eq!(problems, []);
    assert!(set.rules().len() >= files.len());
}

#[test]
fn code_detectors_make_registered_findings_only() {
    for detector in deedtrail_detect::detector::DETECTORS {
        assert!(detector.id.starts_with("code/"), "{}", detector.id);
        for finding in detector.findings {
            let known = deedtrail_core::finding::registry::find(finding);
            assert!(known.is_some(), "{}: {finding}", detector.id);
        }
    }
}
