//! Tests of the use cases over the real sources and rules.

#[cfg(test)]
mod provenance;
#[cfg(test)]
mod pipeline;
mod rules;
#[cfg(test)]
mod spray;
