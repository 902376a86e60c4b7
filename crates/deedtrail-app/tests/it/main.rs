//! Tests of the use cases over the real sources and rules.

#[cfg(test)]
mod agent_call;
#[cfg(test)]
mod archive_errors;
#[cfg(test)]
mod charter;
#[cfg(test)]
mod custody;
#[cfg(test)]
mod entitlement;
#[cfg(test)]
mod exception;
#[cfg(test)]
mod handover;
#[cfg(test)]
mod installation;
#[cfg(test)]
mod mended;
#[cfg(test)]
mod odd_log;
#[cfg(test)]
mod passed_over;
#[cfg(test)]
mod pipeline;
#[cfg(test)]
mod provenance;
#[cfg(test)]
mod quarantine;
mod rebuild;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod retention;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod sensitive;
#[cfg(test)]
mod session;
#[cfg(test)]
mod shipped;
#[cfg(test)]
mod signal;
#[cfg(test)]
mod silence;
#[cfg(test)]
mod spray;
#[cfg(test)]
mod use_case;
#[cfg(test)]
mod webhook;
