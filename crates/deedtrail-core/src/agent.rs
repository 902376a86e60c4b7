//! Who is behind a call of an agent: three facts of its own record, and the agents that called it.
//!
//! OpenTelemetry has no attribute for the identity an agent authenticates as, and an agent that is
//! called by another says nothing of whom it works for; the spans above it do.

use crate::event::{ActorKind, Alias, Delegation, MappedEvent};

/// Most spans gone up from a call. Beyond it the chain ends and says so.
pub const SPANS_UP_MAX: usize = 64;

/// The chain of one call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentChain<'e> {
    /// The agent that made the call.
    pub agent: Option<&'e Alias>,
    /// The workload or service it runs as.
    pub deployed_as: Option<&'e Alias>,
    /// The identity it authenticates as.
    pub acting_as: Option<&'e Alias>,
    /// Whom it works for: its record's word, else that of the nearest agent above.
    pub on_behalf_of: Option<&'e Alias>,
    /// Agents that called it, nearest first.
    pub called_by: Vec<Caller<'e>>,
    /// False where a span above is not known, or lies too far up: there may be more.
    pub complete: bool,
}

/// An agent that called the one below it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Caller<'e> {
    pub agent: &'e Alias,
    /// Its call: the tool or operation below which the other agent worked.
    pub call: &'e MappedEvent,
}

/// The chain of `event`; `span` gives the event of a span of the same trace, if it is known.
pub fn chain<'e>(
    event: &'e MappedEvent,
    span: impl Fn(&str) -> Option<&'e MappedEvent>,
) -> AgentChain<'e> {
    let mut chain = AgentChain {
        agent: agent(event),
        deployed_as: relation(event, "deployed_as"),
        acting_as: relation(event, "acting_as"),
        on_behalf_of: relation(event, "on_behalf_of"),
        called_by: Vec::new(),
        complete: false,
    };
    let mut at = event;
    let mut below = chain.agent;
    for _ in 0..SPANS_UP_MAX {
        let parent = at.parent_uid.as_deref().filter(|parent| !parent.is_empty());
        let Some(parent) = parent else {
            chain.complete = true;
            return chain;
        };
        let Some(above) = span(parent) else {
            return chain;
        };
        if let Some(caller) = agent(above).filter(|caller| Some(*caller) != below) {
            chain.called_by.push(Caller {
                agent: caller,
                call: above,
            });
            below = Some(caller);
        }
        chain.on_behalf_of = chain.on_behalf_of.or(relation(above, "on_behalf_of"));
        at = above;
    }
    chain
}

/// The agent that made an event.
fn agent(event: &MappedEvent) -> Option<&Alias> {
    let is_agent = event.actor_kind == ActorKind::AiAgent;
    event.actor_aliases.first().filter(|_| is_agent)
}

fn relation<'e>(event: &'e MappedEvent, name: &str) -> Option<&'e Alias> {
    let named = |link: &&Delegation| link.relation == name;
    event.delegation.iter().find(named).map(|link| &link.alias)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Text;

    fn alias(namespace: &str, value: &str) -> Alias {
        Alias {
            namespace: namespace.into(),
            value: value.into(),
        }
    }

    fn span(uid: &str, parent: &str, agent: &str, behind: &[(&str, &str)]) -> MappedEvent {
        let links = behind.iter().map(|(relation, value)| Delegation {
            relation: (*relation).into(),
            alias: alias("test", value),
        });
        MappedEvent {
            actor_kind: ActorKind::AiAgent,
            actor_aliases: vec![alias("agent.id", agent)],
            delegation: links.collect(),
            span_uid: Some(uid.into()),
            parent_uid: Some(Text::from(parent)),
            ..MappedEvent::default()
        }
    }

    fn of<'e>(spans: &'e [MappedEvent], uid: &str) -> AgentChain<'e> {
        let known = |uid: &str| {
            spans
                .iter()
                .find(|one| one.span_uid.as_deref() == Some(uid))
        };
        chain(known(uid).unwrap(), known)
    }

    #[test]
    fn an_agent_called_by_another_works_for_the_same_person() {
        let spans = [
            span(
                "a",
                "",
                "planner",
                &[("on_behalf_of", "ana"), ("deployed_as", "planner-pod")],
            ),
            span("b", "a", "planner", &[]),
            span(
                "c",
                "b",
                "payer",
                &[("deployed_as", "payer-pod"), ("acting_as", "sp-payer")],
            ),
            span("d", "c", "payer", &[("acting_as", "sp-payer")]),
        ];
        let chain = of(&spans, "d");
        assert_eq!(chain.agent, Some(&alias("agent.id", "payer")));
        let [caller] = chain.called_by[..] else {
            panic!("{chain:?}");
        };
        assert_eq!(caller.agent, &alias("agent.id", "planner"));
        assert_eq!(caller.call, &spans[1], "the call right above");
        assert_eq!(chain.on_behalf_of, Some(&alias("test", "ana")));
        assert_eq!(chain.acting_as, Some(&alias("test", "sp-payer")));
        // What others run as is theirs.
        assert_eq!(chain.deployed_as, None);
        assert!(chain.complete);
    }

    #[test]
    fn its_own_word_comes_first() {
        let spans = [
            span("a", "", "planner", &[("on_behalf_of", "ana")]),
            span("b", "a", "payer", &[("on_behalf_of", "jo")]),
        ];
        assert_eq!(of(&spans, "b").on_behalf_of, Some(&alias("test", "jo")));
    }

    #[test]
    fn what_is_not_known_is_said() {
        let lost = [span("b", "a", "payer", &[])];
        assert!(!of(&lost, "b").complete);
        assert!(of(&lost, "b").called_by.is_empty());
        let circle = [span("a", "b", "one", &[]), span("b", "a", "two", &[])];
        let chain = of(&circle, "a");
        assert!(!chain.complete);
        assert_eq!(chain.called_by.len(), SPANS_UP_MAX);
    }

    #[test]
    fn people_are_no_agents() {
        let mut person = span("a", "", "ana", &[]);
        person.actor_kind = ActorKind::Human;
        let spans = [person, span("b", "a", "payer", &[])];
        assert!(of(&spans, "b").called_by.is_empty());
        assert_eq!(of(&spans, "a").agent, None);
    }
}
