//! Which tools an identity may call, and who says so: a charter, else an import, else feeds.

use deedtrail_core::Text;
use deedtrail_core::charter::CharterStatus;
use deedtrail_core::port::store::Scope;
use serde::Serialize;

use super::{CharterError, Compiled, parse};
use crate::App;
use crate::access::Principal;
use crate::timeline::IdentityFile;

/// Tools that calls are compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ToolsInForce {
    pub tools: Vec<Text>,
    /// `charter NAME, version N`, `import of DAY`, or the sources that told of them, with the day.
    pub told_by: String,
}

impl App {
    /// The tools an identity declares; `None` when nobody says any.
    pub fn tools_in_force(
        &self,
        principal: &Principal,
        file: &IdentityFile,
    ) -> Result<Option<ToolsInForce>, CharterError> {
        principal.require(Scope::Read)?;
        let mut charters = Vec::new();
        let mut tools = Vec::new();
        for record in self.ports.store.charters(&principal.tenant, None)? {
            if record.status != CharterStatus::InForce {
                continue;
            }
            let Ok(written) = parse(&record.name, &record.text) else {
                continue;
            };
            let Some(charter) = Compiled::of(&written, record.version) else {
                continue;
            };
            let mut aliases = file.aliases.iter();
            let bound = aliases.any(|alias| charter.names(&alias.namespace, &alias.value))
                || charter.binds_identity(&file.identity);
            if let Some(named) = written.charter.tools.filter(|_| bound) {
                charters.push(format!(
                    "charter {}, version {}",
                    record.name, record.version
                ));
                tools.extend(named.iter().map(|tool| Text::from(tool.as_str())));
            }
        }
        if !charters.is_empty() {
            return Ok(Some(ToolsInForce {
                tools,
                told_by: charters.join("; "),
            }));
        }
        let declared = &file.identity.declared;
        Ok((!declared.tools().is_empty()).then(|| ToolsInForce {
            tools: declared.tools().to_vec(),
            told_by: declared.tools_told_by(),
        }))
    }
}
