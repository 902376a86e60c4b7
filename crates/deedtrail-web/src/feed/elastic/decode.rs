//! From a bulk body to operations.

use serde::Deserialize;
use serde_json::Value;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Create,
    Index,
    Update,
    Delete,
}

/// One operation. Evidence is only ever added: what is not `create` or `index` has no record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Operation<'a> {
    pub(super) action: Action,
    pub(super) index: String,
    /// The client's id of the document.
    pub(super) id: Option<String>,
    pub(super) record: Option<&'a [u8]>,
}

impl Operation<'_> {
    /// What may name the source: the data set of a data stream `logs-DATASET-NAMESPACE`, and the
    /// index.
    pub(super) fn labels(&self) -> Vec<String> {
        let mut stream = self.index.splitn(3, '-');
        let dataset = match (stream.next(), stream.next(), stream.next()) {
            (Some("logs"), Some(dataset), Some(_)) => Some(dataset.to_owned()),
            _ => None,
        };
        dataset.into_iter().chain([self.index.clone()]).collect()
    }
}

/// A line that should name an operation and does not; the whole body is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Malformed action/metadata line [{line}], expected one of [create, index] with a document in \
     the next line; nothing of this request was stored"
)]
pub(super) struct Malformed {
    /// 1-based.
    pub(super) line: usize,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "_index")]
    index: Option<String>,
    /// Numbers are taken as well.
    #[serde(rename = "_id")]
    id: Option<Value>,
}

/// Reads the operations of `body`; `index` is what the address says.
pub(super) fn operations<'a>(
    body: &'a [u8],
    index: Option<&str>,
) -> Result<Vec<Operation<'a>>, Malformed> {
    let mut lines = body.split(|byte| *byte == b'\n').zip(1..);
    let mut operations = Vec::new();
    while let Some((line, number)) = lines.next() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let malformed = Malformed { line: number };
        let Some((action, meta)) = action(line) else {
            return Err(malformed);
        };
        let document = if action == Action::Delete {
            None
        } else {
            let document = lines.next().map(|(line, _)| line.trim_ascii());
            Some(document.filter(|line| !line.is_empty()).ok_or(malformed)?)
        };
        let record = document.filter(|_| matches!(action, Action::Create | Action::Index));
        operations.push(Operation {
            action,
            index: meta.index.or(index.map(str::to_owned)).unwrap_or_default(),
            id: meta.id.map(|id| match id {
                Value::String(text) => text,
                other => other.to_string(),
            }),
            record,
        });
    }
    Ok(operations)
}

/// One operation with what is said of it.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Create(Meta),
    Index(Meta),
    Update(Meta),
    Delete(Meta),
}

fn action(line: &[u8]) -> Option<(Action, Meta)> {
    Some(match serde_json::from_slice(line).ok()? {
        Line::Create(meta) => (Action::Create, meta),
        Line::Index(meta) => (Action::Index, meta),
        Line::Update(meta) => (Action::Update, meta),
        Line::Delete(meta) => (Action::Delete, meta),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"create":{"_index":"logs-okta.system-default","_id":7}}
{"a": 1.50}

{"index":{}}
{"b":2}
{"update":{"_id":"x"}}
{"doc":{}}
{"delete":{"_index":"i","_id":"y"}}
{"index":{"_index":"own"}}
not json
"#;

    #[test]
    fn operations_come_in_order_with_their_records() {
        let found = operations(BODY.as_bytes(), Some("named")).unwrap();
        let row = |one: &Operation<'_>| {
            let record = one
                .record
                .as_ref()
                .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            (one.action, one.index.clone(), one.id.clone(), record)
        };
        let text = |text: &str| Some(text.to_owned());
        let expected = [
            (
                Action::Create,
                "logs-okta.system-default",
                text("7"),
                text("{\"a\": 1.50}"),
            ),
            (Action::Index, "named", None, text("{\"b\":2}")),
            (Action::Update, "named", text("x"), None),
            (Action::Delete, "i", text("y"), None),
            (Action::Index, "own", None, text("not json")),
        ];
        let expected =
            expected.map(|(action, index, id, record)| (action, index.to_owned(), id, record));
        assert_eq!(found.iter().map(row).collect::<Vec<_>>(), expected);
        assert_eq!(
            found[0].labels(),
            ["okta.system", "logs-okta.system-default"]
        );
        assert_eq!(found[1].labels(), ["named"]);
    }

    #[test]
    fn a_line_that_names_no_operation_is_told() {
        for (body, line) in [
            ("{\"index\":{}}\n{}\n{\"x\":{}}\n{}\n", 3),
            ("{\"index\":{},\"create\":{}}\n{}\n", 1),
            ("\n{\"index\":{}}\n", 2),
            ("{\"index\":{\"_id\":{}}}", 1),
            ("{\"index\":7}\n{}\n", 1),
            ("{\"index\":{}}\n\n{\"index\":{}}\n{}\n", 1),
            ("text", 1),
        ] {
            assert_eq!(
                operations(body.as_bytes(), None),
                Err(Malformed { line }),
                "{body}"
            );
        }
        assert_eq!(operations(b"", None), Ok(vec![]));
    }
}
