//! The same fields by a VRL program, run as Vector runs it: parse, resolve, keep the event.

use std::collections::BTreeMap;
use std::error::Error;

use vrl::compiler::state::RuntimeState;
use vrl::compiler::{Context, Program as Compiled, TargetValue, TimeZone};
use vrl::value::{Secrets, Value};

use crate::{ByHand, shares};

/// Programs by source; their text is part of the binary.
const TEXTS: [(&str, &str); 4] = [
    (
        "aws.cloudtrail",
        include_str!("programs/aws.cloudtrail.vrl"),
    ),
    ("okta.system", include_str!("programs/okta.system.vrl")),
    (
        "kubernetes.audit",
        include_str!("programs/kubernetes.audit.vrl"),
    ),
    ("github.audit", include_str!("programs/github.audit.vrl")),
];

/// A compiled program.
pub(crate) struct Program(Compiled);

impl Program {
    /// The program of a source.
    pub(crate) fn new(source: &str) -> Result<Self, Box<dyn Error>> {
        let (_, text) = TEXTS
            .iter()
            .find(|(name, _)| *name == source)
            .ok_or("no VRL program is of that source")?;
        let compiled = vrl::compiler::compile(text, &vrl::stdlib::all());
        let compiled = compiled.map_err(|problems| format!("{source}: {problems:?}"))?;
        Ok(Self(compiled.program))
    }

    /// The event of a record.
    pub(crate) fn run(&self, record: &[u8]) -> Option<Value> {
        let mut target = TargetValue {
            value: serde_json::from_slice(record).ok()?,
            metadata: Value::Object(BTreeMap::new()),
            secrets: Secrets::default(),
        };
        let (mut state, timezone) = (RuntimeState::default(), TimeZone::default());
        let mut context = Context::new(&mut target, &mut state, &timezone);
        self.0.resolve(&mut context).ok()?;
        Some(target.value)
    }

    /// Prints how often the program says the same as the struct written by hand.
    pub(crate) fn agree(&self, hand: ByHand, records: &[Vec<u8>]) -> Result<(), Box<dyn Error>> {
        let mut same = [0_usize; 5];
        for record in records {
            let event = self.run(record).ok_or("the program maps every record")?;
            let hand = hand(record).ok_or("the struct reads every record")?;
            let text = |name: &str| field(&event, name).and_then(|value| value.to_str_lossy());
            let time = field(&event, "time").and_then(Value::as_timestamp);
            let first = hand.actor_aliases.first().map(|alias| alias.value.as_str());
            let aliases = field(&event, "actor_aliases").and_then(Value::as_array);
            let mut named = aliases
                .into_iter()
                .flatten()
                .map(|alias| field(alias, "value"));
            let actor = named.find_map(|value| value.filter(|value| !value.is_null()));
            let actor = actor.and_then(|value| value.to_str_lossy());
            let fields = [
                time.map(|at| at.timestamp_micros()) == hand.time.map(|at| at.as_micros()),
                text("operation").as_deref() == Some(hand.operation.as_str()),
                text("outcome").as_deref() == Some(hand.outcome.name()),
                text("src_ip").as_deref() == hand.src_ip.as_deref(),
                actor.as_deref() == first,
            ];
            for (count, field) in same.iter_mut().zip(fields) {
                *count += usize::from(field);
            }
        }
        println!(
            "  VRL is the same as by hand: {}",
            shares(same, records.len())
        );
        Ok(())
    }
}

fn field<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    value.as_object()?.get(name)
}
