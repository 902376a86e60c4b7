//! How often strangers may ask for what costs a write: by address, and in all.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use deedtrail_core::time::Timestamp;

/// The other end of a connection of the network. A proxy is one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteAddress(pub IpAddr);

impl RemoteAddress {
    /// Who has one address of a network of IPv6 has all of them: its first 64 bits count.
    fn network(self) -> IpAddr {
        match self.0.to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from_bits(network))
            }
            address @ IpAddr::V4(_) => address,
        }
    }
}

/// What may be asked for within a minute.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PerMinute {
    pub(crate) per_address: u32,
    pub(crate) in_all: u32,
}

/// Addresses that are told apart within a minute; further ones count as one.
const ADDRESSES_MAX: usize = 10_000;

/// Counts requests within the current minute, and those of them that cost a write.
#[derive(Debug)]
pub(crate) struct Gate {
    limits: PerMinute,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    /// Since 1970.
    minute: i64,
    in_all: u32,
    /// `None` is who comes by no address of the network, or when the table is full.
    by_address: BTreeMap<Option<IpAddr>, u32>,
}

impl Gate {
    pub(crate) fn new(limits: PerMinute) -> Self {
        Self {
            limits,
            taken: Mutex::default(),
        }
    }

    fn taken(&self, now: Timestamp) -> MutexGuard<'_, Taken> {
        let minute = now.as_micros().div_euclid(Timestamp::MINUTE_US);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.minute != minute {
            *taken = Taken {
                minute,
                ..Taken::default()
            };
        }
        taken
    }

    /// Lets one more through, or says after how many seconds to ask again.
    pub(crate) fn admit(&self, from: Option<RemoteAddress>, now: Timestamp) -> Result<(), u32> {
        let mut taken = self.taken(now);
        let from = from.map(RemoteAddress::network);
        let is_known = taken.by_address.contains_key(&from);
        let from = from.filter(|_| is_known || taken.by_address.len() < ADDRESSES_MAX);
        let by_it = taken.by_address.get(&from).copied().unwrap_or(0);
        if by_it >= self.limits.per_address || taken.in_all >= self.limits.in_all {
            return Err(seconds_left(now));
        }
        taken.by_address.insert(from, by_it + 1);
        Ok(())
    }

    /// One that was let through did cost a write. What strangers make up does not: they cannot take
    /// what all have together.
    pub(crate) fn charge(&self, now: Timestamp) {
        self.taken(now).in_all += 1;
    }
}

/// Until the next minute begins, at least 1.
fn seconds_left(now: Timestamp) -> u32 {
    let passed_s = now
        .as_micros()
        .div_euclid(Timestamp::SECOND_US)
        .rem_euclid(60);
    u32::try_from(60 - passed_s).unwrap_or(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * Timestamp::SECOND_US)
    }

    fn from(address: &str) -> RemoteAddress {
        RemoteAddress(address.parse().unwrap())
    }

    #[test]
    fn what_costs_no_write_takes_nothing_from_others() {
        let gate = Gate::new(PerMinute {
            per_address: 2,
            in_all: 1,
        });
        for number in 0..ADDRESSES_MAX {
            let address = IpAddr::from((u32::try_from(number).unwrap()).to_be_bytes());
            assert_eq!(gate.admit(Some(RemoteAddress(address)), at(0)), Ok(()));
        }
        let beyond = || gate.admit(Some(from("192.0.2.1")), at(0));
        assert_eq!((beyond(), beyond(), beyond()), (Ok(()), Ok(()), Err(60)));
        assert!(gate.taken.lock().unwrap().by_address.len() <= ADDRESSES_MAX + 1);
        assert_eq!(gate.admit(Some(from("0.0.0.1")), at(0)), Ok(()));
        gate.charge(at(0));
        assert_eq!(gate.admit(Some(from("0.0.0.2")), at(0)), Err(60));
    }

    #[test]
    fn one_address_leaves_room_for_others_until_all_is_taken() {
        let gate = Gate::new(PerMinute {
            per_address: 2,
            in_all: 5,
        });
        let admit = |address: &str, now| {
            let admitted = gate.admit(Some(from(address)), at(now));
            admitted.inspect(|()| gate.charge(at(now)))
        };
        assert_eq!(admit("192.0.2.1", 0), Ok(()));
        assert_eq!(admit("::ffff:192.0.2.1", 10), Ok(()));
        assert_eq!(admit("192.0.2.1", 20), Err(40));
        assert_eq!(admit("2001:db8::1", 21), Ok(()));
        assert_eq!(admit("2001:db8::2:1", 22), Ok(()));
        assert_eq!(admit("2001:db8::3", 23), Err(37));
        assert_eq!(admit("2001:db8:0:1::3", 24), Ok(()));
        assert_eq!(admit("192.0.2.2", 59), Err(1), "all is taken");
        assert_eq!(gate.admit(None, at(59)), Err(1));
        assert_eq!(admit("192.0.2.1", 60), Ok(()), "the next minute");
        assert_eq!(admit("192.0.2.1", 30), Ok(()), "the clock went back");
        for _ in 0..2 {
            gate.admit(None, at(30)).unwrap();
        }
        assert_eq!(gate.admit(None, at(30)), Err(30));
        assert_eq!(gate.taken.lock().unwrap().by_address.len(), 2);
    }
}
