//! Tests of the use cases over the real sources and rules.

#[cfg(test)]
mod provenance;
mod rules;
#[cfg(test)]
mod spray;
