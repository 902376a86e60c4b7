//! Tools that feeds say somebody has.

use deedtrail_core::event::{ActorKind, Event};
use deedtrail_core::namespace::namespace_facts;

use super::kind;
use super::resolver::{Resolver, Sighting};
use super::seal;

impl Resolver {
    /// Learns whose tools a record lists. Whoever an inventory names is there from then on, so that
    /// already the first call is compared.
    pub(super) fn learn_tools(&mut self, event: &mut Event) {
        // Needed no longer than this.
        let Some(told) = event.mapped.tools_told.take() else {
            return;
        };
        let Some(stable) = seal::stable_alias(&told.aliases) else {
            return;
        };
        let sighting = Sighting {
            tenant: &event.tenant,
            evidence: event.source.as_str(),
            at: Some(event.time_effective),
        };
        let mut kinds = told
            .aliases
            .iter()
            .map(|alias| namespace_facts(&alias.namespace).kind);
        let said = kinds.find(|kind| *kind != ActorKind::Unknown);
        let said = kind::said(said.unwrap_or_default(), stable);
        let known = self
            .known(sighting.tenant, stable)
            .or_else(|| self.adopted(&told.aliases, said, sighting));
        let id = known.unwrap_or_else(|| self.discover(stable, said, sighting));
        let id = self.unite(id, &told.aliases, stable, said, sighting);
        if let Some(identity) = self.identities.get_mut(&id) {
            let heard = &mut identity.declared.told_tools;
            heard.hear(event.source.as_str(), &told, event.time_effective);
            self.touched.identities.insert(id);
            self.touched.declared.insert(id);
        }
    }
}
