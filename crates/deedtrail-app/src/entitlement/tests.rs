//! Imports, matching and use over exports of invented accounts.
