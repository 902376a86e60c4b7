//! What a completeness statement says for people. It is the exporter's: signed with the manifest, and
//! not in the tree.

use serde_json::Value;

/// What exceptions to rules held back, in the words of a statement; nothing where these cannot be read.
pub fn held_back(statement: &[u8]) -> Vec<String> {
    let statement: Option<Value> = serde_json::from_slice(statement).ok();
    let held = statement
        .as_ref()
        .and_then(|all| all["held_back"].as_array());
    let said = held.into_iter().flatten();
    let said = said.filter_map(|one| one["says"].as_str());
    said.map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_says_nothing() {
        let check = |statement: &str, expected: &[&str]| {
            assert_eq!(held_back(statement.as_bytes()), expected, "{statement}");
        };
        check(
            r#"{"held_back":[{"says":"2 matches"},{"says":1},7]}"#,
            &["2 matches"],
        );
        for nothing in ["", "{}", "[]", "7", "{", r#"{"held_back":{"says":"x"}}"#] {
            check(nothing, &[]);
        }
    }
}
