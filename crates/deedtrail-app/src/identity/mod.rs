//! Identity resolution and import.
