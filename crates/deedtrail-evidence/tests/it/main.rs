//! Integration tests of the evidence log.

#[cfg(test)]
mod append;
#[cfg(test)]
mod bundle;
#[cfg(test)]
mod copy;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod dedupe;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod support;
#[cfg(test)]
mod timestamp;
#[cfg(test)]
mod trees;
