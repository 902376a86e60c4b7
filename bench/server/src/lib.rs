//! What the benchmarks of the server share: the server as a child process, and the records it gets.

pub mod company;
pub mod server;
pub mod story;

use std::error::Error;

pub type Done<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;
