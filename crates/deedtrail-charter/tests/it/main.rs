//! Charters and unsafe sequences as their users see them.

#[cfg(test)]
mod charter;
#[cfg(test)]
mod history;
mod learn;
#[cfg(test)]
mod library;
mod parse;
#[cfg(test)]
mod reference;
