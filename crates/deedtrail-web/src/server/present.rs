//! How many connections one address has open.

use std::any::Any;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Connections of one address at a time, half of all there may be; further ones are closed at
/// once. A proxy is one address.
pub(super) const CONNECTIONS_PER_ADDRESS_MAX: usize = super::CONNECTIONS_MAX / 2;

/// Connections that are open, by address.
#[derive(Clone, Debug, Default)]
pub(super) struct Present(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

impl Present {
    /// A place for one more of whoever connects, given back when dropped; `None` if an address of
    /// the network has as many as it may.
    pub(super) fn enter(&self, from: &dyn Any) -> Option<Place> {
        let from = from.downcast_ref::<SocketAddr>();
        let address = from.map(|from| from.ip().to_canonical());
        if let Some(address) = address {
            let mut open = self.open();
            let count = open.entry(address).or_default();
            if *count >= CONNECTIONS_PER_ADDRESS_MAX {
                return None;
            }
            *count += 1;
        }
        let present = self.clone();
        Some(Place { present, address })
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's place.
#[derive(Debug)]
pub(super) struct Place {
    present: Present,
    /// None of a socket in the file system.
    address: Option<IpAddr>,
}

impl Place {
    /// Whose place it is, if the address is one of the network.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.address
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut open = self.present.open();
        if let Some(count) = open.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_leaves_room_for_others() {
        let present = Present::default();
        let from = |last: u8, port: u16| SocketAddr::from(([192, 0, 2, last], port));
        let mut places = Vec::new();
        for port in 0..600 {
            places.extend(present.enter(&from(1, port)));
        }
        assert_eq!(places.len(), CONNECTIONS_PER_ADDRESS_MAX);
        assert!(present.enter(&from(2, 1)).is_some());
        assert!((0..2_000).all(|_| present.enter(&"a path").is_some()));
        places.pop();
        assert!(present.enter(&from(1, 1)).is_some());
        drop(places);
        assert!(present.open().is_empty());
    }
}
