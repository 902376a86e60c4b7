//! Text that tries to break out of a page, everywhere text goes.

use deedtrail_core::action::Action;
use deedtrail_core::entitlement::Grant;
use deedtrail_core::event::{ActorKind, OutcomeClass};
use deedtrail_core::finding::{Hypothesis, Severity};
use deedtrail_core::identity::Declared;
use deedtrail_core::session::JoinBy;
use deedtrail_core::time::Timestamp;

use super::builder::{Builder, Deed, Person, Target, draft};
use super::{NOW, Sample, session};

/// Markup, template syntax, an attribute break-out, direction and control characters, a URL.
pub(super) const TEXTS: [&str; 6] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "{{ 7*7 }} {% include \"x\" %}",
    "invoice\u{202e}fdp.exe\u{0}\u{7}\u{1b}[31m\u{200b}",
    "javascript:alert(1)//'`\\",
    "مدير النظام שלום ﷽ 👩\u{200d}👩\u{200d}👧 Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!",
];

pub(super) fn tell() -> Sample {
    let mut builder = Builder::new();
    let mut grants = Vec::new();
    let long = "Wf".repeat(5_000);
    let piled = format!("Z{}", "\u{337}".repeat(300));
    let texts = TEXTS.iter().copied();
    let texts = texts.chain([long.as_str(), piled.as_str(), ""]);
    for (number, text) in (0..).zip(texts) {
        grants.push(villain(&mut builder, number, text));
    }
    let grants = grants.iter().map(|(person, grant)| (person, grant.clone()));
    builder.entitle("list", grants.collect());
    builder.finish()
}

fn villain(builder: &mut Builder, number: i64, text: &str) -> (Person, Grant) {
    let person = Person {
        namespace: "email",
        value: format!("{number}{text}").into(),
        kind: ActorKind::Human,
        name: text.into(),
    };
    let said = Some(text.into());
    let declared = Declared {
        owner: said.clone(),
        department: said.clone(),
        purpose: said.clone(),
        manager: said,
        declared_tools: vec![text.into()],
        ..Declared::default()
    };
    builder.person(&person, declared);
    builder.alias(&person, "okta.id", &format!("a{number}{text}"), text);
    builder.credential(&person, text, number);
    let deed = Deed {
        at: NOW.plus_micros(-number * Timestamp::HOUR_US),
        source: "okta.system",
        actor: &person,
        operation: text,
        action: Action::Other,
        target: Some(Target::Thing(text, text)),
        outcome: OutcomeClass::Unknown,
        from: Some((text, number)),
    };
    let mut record = text.as_bytes().to_vec();
    if number % 2 == 1 {
        record.extend([0xff, 0xc0, 0x00]);
    }
    let mut event = builder.deed_with_record(&deed, record);
    text.clone_into(&mut event.fact);
    let mut finding = draft("off_hours", &person, Severity::Critical, text, vec![event]);
    finding.rule = text.into();
    finding.pattern = text.into();
    finding.reasons = vec![text.to_owned(); 3];
    finding.allowed = vec![text.to_owned()];
    finding.refused = vec![text.to_owned()];
    finding.techniques = vec![text.into()];
    finding.confidence = f64::NAN;
    finding.hypotheses = vec![Hypothesis {
        name: text.into(),
        score: f64::INFINITY,
        facts_for: vec![text.to_owned()],
        facts_against: vec![text.to_owned()],
    }];
    builder.finding(finding);
    builder.quarantined("okta.system", text, text);
    let name = number.to_string();
    let hostile = session::session(&name, &person, text, deed.at, text);
    let before = (number - 1).to_string();
    let join = session::join(&before, &name, JoinBy::Trace, text, deed.at);
    let blind = session::blind(&person, text, deed.at);
    builder.progress.sessions.push(hostile);
    builder.progress.session_joins.push(join);
    builder.progress.blind_sessions.push(blind);
    (person, grant(number, text))
}

fn grant(number: i64, text: &str) -> Grant {
    Grant {
        key: format!("{number}{text}").into(),
        system: if number % 2 == 1 { text } else { "okta" }.into(),
        permissions: vec![text.into(), "*".into(), "no such".into()],
        scope: vec!["*".into(), text.into()],
        conditions: vec![text.into()],
        via: Some(text.into()),
        granted_by: Some(text.into()),
        justification: Some(text.into()),
        expires: Some(Timestamp::from_micros(i64::MAX)),
        ..Grant::default()
    }
}
