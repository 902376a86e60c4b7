//! Reading exports of invented accounts, matching, and comparing.

mod comparing;
mod hostile;
mod property;
mod reading;
