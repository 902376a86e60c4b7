//! What was done after the sign-in: P1 to P19.

mod detection;
mod session;
mod view;
