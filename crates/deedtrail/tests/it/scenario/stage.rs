//! A server on a data folder of its own, the command line beside it, and its API.

use deedtrail_core::time::Timestamp;
use serde_json::Value;

use crate::command::{Folder, Server};

pub(super) struct Stage {
    pub(super) folder: Folder,
    pub(super) server: Server,
    token: String,
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::beside(Folder::new())
    }

    /// On a folder that a server ran on before.
    pub(super) fn beside(folder: Folder) -> Self {
        let server = folder.serve();
        let token = folder.ok(&["token", "create", "scenario", "--scope", "read"]);
        Self {
            token: token.trim().to_owned(),
            folder,
            server,
        }
    }

    /// Takes records in by the command line; every one must be understood.
    pub(super) fn take(&self, source: &str, records: &[Value]) {
        let lines: Vec<String> = records.iter().map(Value::to_string).collect();
        let file = self.folder.write("records.ndjson", lines.join("\n"));
        let file = file.to_str().unwrap();
        let answer = self.folder.json(&["ingest", "--source", source, file]);
        assert_eq!(answer[0]["accepted"], records.len(), "{answer:?}");
        assert_eq!(answer[0]["quarantined"], 0, "{answer:?}");
    }

    /// Declares identities from CSV.
    pub(super) fn declare(&self, csv: &str) {
        let file = self.folder.write("identities.csv", csv);
        self.folder
            .ok(&["identity", "import", file.to_str().unwrap()]);
    }

    /// What the page or endpoint answers, with status 200.
    pub(super) fn text(&self, path: &str) -> String {
        self.server.get(&self.token, path)
    }

    pub(super) fn get(&self, path: &str) -> Value {
        serde_json::from_str(&self.text(path)).unwrap()
    }

    /// By the server's clock.
    pub(super) fn now(&self) -> Timestamp {
        serde_json::from_value(self.get("/v1/today")["now"].clone()).unwrap()
    }

    /// Sessions of an identity, the oldest first.
    pub(super) fn sessions(&self, who: &str) -> Vec<Value> {
        let mut sessions = self.folder.json(&["session", "list", who]);
        sessions.sort_by_key(|session| session["started"].as_str().unwrap().to_owned());
        sessions
    }

    /// The newest session of an identity.
    pub(super) fn session(&self, who: &str) -> Value {
        self.sessions(who).pop().unwrap()
    }

    /// Findings of a type.
    pub(super) fn findings(&self, kind: &str) -> Vec<Value> {
        let all = self.folder.json(&["finding", "list", "--limit", "1000"]);
        let of_kind = all.into_iter().filter(|finding| finding["kind"] == kind);
        of_kind.collect()
    }

    /// The only finding of a type.
    pub(super) fn finding(&self, kind: &str) -> Value {
        let mut found = self.findings(kind);
        assert_eq!(found.len(), 1, "{kind}: {found:#?}");
        found.remove(0)
    }
}

/// The texts in a list of a JSON object.
pub(super) fn texts<'a>(value: &'a Value, list: &str) -> Vec<&'a str> {
    let list = value[list].as_array().unwrap();
    list.iter().map(|text| text.as_str().unwrap()).collect()
}

/// One field of every object in a list.
pub(super) fn each<'a>(list: &'a Value, field: &str) -> Vec<&'a Value> {
    let list = list.as_array().unwrap();
    list.iter().map(|object| &object[field]).collect()
}
