//! Larkfield Supply, the invented company the story is about: its people, machines and networks.

mod csv;
mod machine;
mod machines;
mod network;
mod people;

pub(crate) use csv::identities_csv;
pub(crate) use machine::Machine;
pub(crate) use machines::{MACHINES, machine};
pub(crate) use network::{BRIGHTMOOR, Origin, QUAYMARK, VELLUM, private_ip};
pub(crate) use people::{PEOPLE, Person, person};

/// Mail and identity-provider domain (RFC 2606 reserves `.example`).
pub(crate) const DOMAIN: &str = "larkfield.example";
/// The production account (a documentation account id of AWS).
pub(crate) const AWS_PRODUCTION: &str = "111122223333";
pub(crate) const AWS_REGION: &str = "eu-central-1";
/// GitHub organisation on the company's own GitHub Enterprise host.
pub(crate) const GITHUB_ORG: &str = "larkfield";
/// Microsoft tenant id.
pub(crate) const ENTRA_TENANT: &str = "7c1de2a0-3f4b-4c55-9d10-0a1b2c3d4e5f";

/// A stable pseudo-random id of `digits` hex digits for a name (FNV-1a, then mixed).
pub(crate) fn stable_hex(name: &str, digits: usize) -> String {
    crate::chance::Chance::of(fnv1a(name), 0).hex(digits)
}

/// A stable UUID for a name.
pub(crate) fn stable_uuid(name: &str) -> String {
    crate::chance::Chance::of(fnv1a(name), 1).uuid()
}

/// A stable number below 10^8 for a name, as vendors number accounts.
pub(crate) fn stable_number(name: &str) -> u64 {
    fnv1a(name) % 100_000_000
}

fn fnv1a(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
