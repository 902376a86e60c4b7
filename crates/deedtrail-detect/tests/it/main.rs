//! Detection as the pipeline sees it: observations in, finding drafts out.

mod behaviour;
#[cfg(test)]
mod builder;
mod click;
#[cfg(test)]
mod conduct;
#[cfg(test)]
mod determinism;
#[cfg(test)]
mod learned;
mod limits;
mod post_authentication;
#[cfg(test)]
mod quiet;
mod reference;
mod rules;
#[cfg(test)]
mod session;
#[cfg(test)]
mod source;
mod usage;
