//! Tools that feeds tell of become those of the identity they speak of.

use deedtrail_core::event::{ActorKind, MappedEvent};
use deedtrail_core::id::TenantId;
use deedtrail_core::tools::{Extent, ToolsTold};
use deedtrail_testkit::MemoryStore;

use super::events::{actor, alias, at, by, save, sealed, second};
use crate::identity::{Resolver, parse_import};

fn telling(aliases: &[&str], extent: Extent, tools: &[&str]) -> MappedEvent {
    let told = ToolsTold {
        aliases: aliases.iter().map(|text| alias(text)).collect(),
        list: "files".into(),
        extent,
        tools: tools.iter().map(|tool| (*tool).into()).collect(),
    };
    MappedEvent {
        tools_told: Some(Box::new(told)),
        ..by(&[])
    }
}

fn import(resolver: &mut Resolver, text: &str, seconds: i64) {
    let rows = parse_import(text.as_bytes()).unwrap();
    resolver.apply_import(&TenantId::default(), rows, second(seconds));
}

const AGENT: &[&str] = &["entra.object_id:o-1", "agent.id:a1"];

#[test]
fn an_inventory_makes_the_agent_known_before_its_first_call() {
    let mut resolver = Resolver::default();
    let mut told = sealed(1, telling(AGENT, Extent::Whole, &["send_mail"]));
    resolver.resolve(&mut told);
    assert_eq!(told.mapped.tools_told, None, "it is not part of the row");
    let id = actor(&mut resolver, by(&["agent.id:a1"]));
    let agent = resolver.identity(id).unwrap();
    assert_eq!(agent.kind, ActorKind::AiAgent);
    assert_eq!(agent.declared.tools(), ["send_mail"]);
    assert_eq!(agent.declared.tools_told_by(), "acme.audit, 1970-01-01");
    let store = MemoryStore::default();
    save(&mut resolver, &store);
    let bytes = resolver.to_bytes().unwrap();
    let again = Resolver::from_bytes(&bytes).unwrap();
    assert_eq!(again.identity(id), resolver.identity(id));
}

#[test]
fn what_people_declare_goes_before_what_feeds_tell() {
    let csv = "alias,declared_tools\nagent.id:a1,read_file\n";
    let says = |resolver: &mut Resolver| {
        resolver.resolve(&mut sealed(
            1,
            telling(AGENT, Extent::Whole, &["send_mail"]),
        ));
    };
    let orders: [&dyn Fn(&mut Resolver); 2] = [
        &|resolver| {
            import(resolver, csv, 86_400);
            says(resolver);
        },
        &|resolver| {
            says(resolver);
            import(resolver, csv, 86_400);
        },
    ];
    for order in orders {
        let mut resolver = Resolver::default();
        order(&mut resolver);
        let id = actor(&mut resolver, by(&["agent.id:a1"]));
        let declared = &resolver.identity(id).unwrap().declared;
        assert_eq!(declared.tools(), ["read_file"]);
        assert_eq!(declared.tools_told_by(), "import of 1970-01-02");
        assert_eq!(declared.told_tools.names, ["send_mail"]);
    }
}

#[test]
fn pages_add_up_and_two_that_become_one_keep_what_was_told_of_both() {
    let mut resolver = Resolver::default();
    let page = telling(&["agent.id:a1"], Extent::Page, &["read"]);
    resolver.resolve(&mut sealed(1, at(10, page)));
    let last = telling(&["agent.id:a1"], Extent::LastPage, &["write"]);
    resolver.resolve(&mut sealed(2, at(11, last)));
    let left = actor(&mut resolver, by(&["agent.id:a1"]));
    let tools = |resolver: &Resolver, id| resolver.identity(id).unwrap().declared.tools().to_vec();
    assert_eq!(tools(&resolver, left), ["read", "write"]);
    let right = actor(&mut resolver, at(20, by(&["agent.id:a2"])));
    let kept = resolver
        .merge(left, right, "said so".into(), second(30))
        .unwrap();
    assert_eq!(tools(&resolver, kept), ["read", "write"]);
    import(
        &mut resolver,
        "alias,owner\nagent.id:a3,ana@example.com\n",
        40,
    );
    let owned = actor(&mut resolver, at(50, by(&["agent.id:a3"])));
    let kept = resolver
        .merge(kept, owned, "said so".into(), second(60))
        .unwrap();
    let declared = &resolver.identity(kept).unwrap().declared;
    assert_eq!(declared.owner.as_deref(), Some("ana@example.com"));
    assert_eq!(declared.tools(), ["read", "write"]);
}
