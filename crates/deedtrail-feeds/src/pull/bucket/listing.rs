//! Which prefixes of a bucket are listed.

use object_store::path::Path;
use object_store::{ObjectStore, Result};

/// Folders below which `CloudTrail/REGION` stands are named like this.
fn leads_on(name: &str) -> bool {
    let is_account = name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit());
    is_account || name == "AWSLogs" || name.starts_with("o-") || name == TRAIL
}

/// The folder of the regions. `CloudTrail-Digest` and `CloudTrail-Insight` stand beside it.
const TRAIL: &str = "CloudTrail";

/// Every `…/CloudTrail/REGION` at or below `prefix`.
pub(super) async fn regions(store: &dyn ObjectStore, prefix: &Path) -> Result<Vec<Path>> {
    let names: Vec<_> = prefix.parts().collect();
    let below = |name: &str| names.iter().rev().skip(1).any(|part| part.as_ref() == name);
    if below(TRAIL) {
        return Ok(vec![prefix.clone()]);
    }
    let mut open = vec![prefix.clone()];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        let is_trail = last(&folder) == TRAIL;
        let inner = store.list_with_delimiter(Some(&folder)).await?;
        let folders = inner.common_prefixes.into_iter();
        if is_trail {
            found.extend(folders);
        } else {
            open.extend(folders.filter(|folder| leads_on(&last(folder))));
        }
    }
    found.sort();
    Ok(found)
}

fn last(path: &Path) -> String {
    let last = path.parts().next_back();
    last.map_or_else(String::new, |part| part.as_ref().to_owned())
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt as _;
    use object_store::memory::InMemory;

    use super::*;

    #[test]
    fn regions_are_found_from_anywhere_above_and_digests_are_not() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let store = InMemory::new();
            let trail = "logs/AWSLogs/111122223333/CloudTrail";
            let all = "logs/AWSLogs/o-abc/444455556666/CloudTrail/us-east-1";
            for key in [
                format!("{trail}/eu-central-1/2026/11/01/a.json.gz"),
                format!("{trail}/us-east-1/2026/11/01/a.json.gz"),
                format!("{trail}-Digest/us-east-1/2026/11/01/a.json.gz"),
                format!("{all}/2026/11/01/a.json.gz"),
                "logs/other/a.json".to_owned(),
            ] {
                store.put(&Path::from(key), "{}".into()).await.unwrap();
            }
            let from = async |prefix: &str| -> Vec<String> {
                let found = regions(&store, &Path::from(prefix)).await.unwrap();
                found.iter().map(ToString::to_string).collect()
            };
            let regions = [
                format!("{trail}/eu-central-1"),
                format!("{trail}/us-east-1"),
            ];
            let every = [&regions[..], &[all.to_owned()]].concat();
            assert_eq!(from("logs").await, every);
            assert_eq!(from("logs/AWSLogs").await, every);
            assert_eq!(from(trail).await, regions);
            assert_eq!(from(all).await, [all]);
            assert!(from("logs/other").await.is_empty());
        });
    }
}
