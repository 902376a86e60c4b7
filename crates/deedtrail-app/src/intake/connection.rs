//! Keys of what comes over a connection and says neither an id nor when it happened.

use std::collections::{BTreeMap, VecDeque};

use deedtrail_core::Text;

/// What keys begin with that hold a connection and a place on it.
const KIND: &str = "c:";
/// The newest keys of a connection that are remembered: more than senders hold for which they have
/// seen no answer (librelp: 128).
const MADE_MAX: usize = 1_024;

/// Tells records by the connection and their place on it: two that are alike are two. What is sent
/// again because its answer was not seen is known by the keys it got the first time.
#[derive(Clone, Debug)]
pub struct ConnectionKeys {
    /// `PEER.SESSION`
    name: String,
    position: u64,
    /// Keys of what may be sent again, by content, oldest first.
    unheard: BTreeMap<u128, VecDeque<Text>>,
    /// The newest keys, oldest first.
    made: VecDeque<Text>,
}

impl ConnectionKeys {
    /// Of the `session` of a peer, both of them letters and digits; no other session of any peer
    /// is called the same. `unheard` are keys of earlier sessions whose records may come again.
    pub fn new(peer: &str, session: u64, unheard: &[Text]) -> Self {
        let mut by_content: BTreeMap<u128, VecDeque<Text>> = BTreeMap::new();
        for key in unheard {
            if let Some(content) = content_of(key) {
                by_content
                    .entry(content)
                    .or_default()
                    .push_back(key.clone());
            }
        }
        Self {
            name: format!("{peer}.{session:016x}"),
            position: 0,
            unheard: by_content,
            made: VecDeque::new(),
        }
    }

    /// The peer in a key of this kind.
    pub fn peer_of(key: &str) -> Option<&str> {
        content_of(key)?;
        let (peer, _) = key.strip_prefix(KIND)?.split_once('.')?;
        Some(peer)
    }

    pub(super) fn made(&self) -> Vec<Text> {
        self.made.iter().cloned().collect()
    }

    /// What comes from now on is new, whatever it is like.
    pub(super) fn expect_new(&mut self) {
        self.unheard.clear();
    }

    pub(super) fn make(&mut self, content: [u8; 16]) -> Text {
        let content = u128::from_be_bytes(content);
        let again = self.unheard.get_mut(&content).and_then(VecDeque::pop_front);
        let key = again.unwrap_or_else(|| {
            // What is sent again comes first.
            self.unheard.clear();
            self.position += 1;
            format!("{KIND}{}:{}:{content:032x}", self.name, self.position).into()
        });
        if self.made.len() >= MADE_MAX {
            self.made.pop_front();
        }
        self.made.push_back(key.clone());
        key
    }
}

fn content_of(key: &str) -> Option<u128> {
    let (_, content) = key.strip_prefix(KIND)?.rsplit_once(':')?;
    u128::from_str_radix(content, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(keys: &mut ConnectionKeys, contents: &[u8]) -> Vec<Text> {
        let keys = contents.iter().map(|content| keys.make([*content; 16]));
        keys.collect()
    }

    #[test]
    fn what_is_alike_on_two_connections_is_two() {
        let mut first = ConnectionKeys::new("p", 1, &[]);
        let mut second = ConnectionKeys::new("p", 2, &[]);
        let mut all = made(&mut first, b"aab");
        all.extend(made(&mut second, b"aab"));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 6);
        assert_eq!(ConnectionKeys::peer_of(&all[0]), Some("p"));
        for other in ["v:1", "h:00:1", "c:", "c:p", "c:p.1:2:x", "s:c:p.1:2:00"] {
            assert_eq!(ConnectionKeys::peer_of(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_sent_again_first_keeps_its_keys_and_the_rest_is_new() {
        let mut first = ConnectionKeys::new("p", 1, &[]);
        let keys = made(&mut first, b"abca");
        assert_eq!(first.made(), keys);
        let mut again = ConnectionKeys::new("p", 2, &first.made());
        assert_eq!(
            made(&mut again, b"bca"),
            [1, 2, 0].map(|at| keys[at].clone())
        );
        let new = made(&mut again, b"xa");
        assert!(new.iter().all(|key| !keys.contains(key)), "{new:?}");
        let mut later = ConnectionKeys::new("p", 3, &keys);
        later.expect_new();
        assert!(!keys.contains(&made(&mut later, b"a")[0]));
    }

    #[test]
    fn no_more_is_remembered_than_the_newest() {
        let mut keys = ConnectionKeys::new("p", 1, &[]);
        for _ in 0..3 * MADE_MAX {
            made(&mut keys, b"a");
        }
        assert_eq!(keys.made().len(), MADE_MAX);
    }
}
