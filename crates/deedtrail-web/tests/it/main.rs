//! The HTTP surface as callers meet it, over fakes.

#[cfg(test)]
mod access;
#[cfg(test)]
mod api;
#[cfg(test)]
mod behaviour;
#[cfg(test)]
mod caller;
#[cfg(test)]
mod charter;
#[cfg(test)]
mod cloud_events;
#[cfg(test)]
mod entitlement;
#[cfg(test)]
mod exception;
#[cfg(test)]
mod feed;
#[cfg(test)]
mod feed_property;
#[cfg(test)]
mod grpc;
#[cfg(test)]
mod ingest;
#[cfg(test)]
mod insider_risk;
#[cfg(test)]
mod page;
#[cfg(test)]
mod profile;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod signal;
#[cfg(test)]
mod slow;
#[cfg(test)]
mod stalled;
#[cfg(test)]
mod wire;
#[cfg(test)]
mod witness;
