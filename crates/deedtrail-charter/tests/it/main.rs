//! Charters and unsafe sequences as their users see them.

mod charter;
#[cfg(test)]
mod history;
mod learn;
mod library;
mod parse;
mod reference;
