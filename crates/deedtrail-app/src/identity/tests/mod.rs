//! Resolution as a function of the log.

mod events;
mod importing;
mod resolving;
mod sealing;
mod spans;
mod tools;
