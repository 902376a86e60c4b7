//! The form in which an import stands in the log: NDJSON, a head and a line for each grant.

use serde::{Deserialize, Serialize};

use deedtrail_core::Text;
use deedtrail_core::entitlement::{Grant, ImportName};

use super::{LOG_BYTES_MAX, Mistake, ParsedEntitlements};

/// Version of the form.
const FORMAT: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    format: u32,
    import: ImportName,
    /// Who imports.
    by: Text,
}

/// The import as it is appended.
pub(super) fn to_log(parsed: &ParsedEntitlements, by: &Text) -> Result<Vec<u8>, Vec<Mistake>> {
    let head = Head {
        format: FORMAT,
        import: parsed.import.clone(),
        by: by.clone(),
    };
    let mut text = serde_json::json!(head).to_string();
    for grant in &parsed.grants {
        text.push('\n');
        text.push_str(&serde_json::json!(grant).to_string());
        if text.len() > LOG_BYTES_MAX {
            let message = format!(
                "its grants take over {LOG_BYTES_MAX} bytes; import it in parts of an `account` each"
            );
            return Err(vec![Mistake::new("the file", message)]);
        }
    }
    Ok(text.into_bytes())
}

/// What an entry says; `None` when it is of another version or damaged.
pub(super) fn from_log(content: &[u8]) -> Option<(ImportName, Vec<Grant>)> {
    let mut lines = content.split(|byte| *byte == b'\n');
    let head: Head = serde_json::from_slice(lines.next()?).ok()?;
    if head.format != FORMAT {
        return None;
    }
    let grants = lines.map(|line| serde_json::from_slice(line).ok());
    Some((head.import, grants.collect::<Option<_>>()?))
}
