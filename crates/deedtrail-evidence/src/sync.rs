//! Locks, channels and threads of the log. Built with `--cfg deedtrail_schedules` they are those of
//! a scheduler that runs the same code in an order that a seed draws (`cargo xtask schedules`).

pub(crate) use std::sync::{Arc, OnceLock, PoisonError};

#[cfg(deedtrail_schedules)]
pub(crate) use shuttle::{
    sync::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic, mpsc},
    thread,
};
#[cfg(not(deedtrail_schedules))]
pub(crate) use std::{
    sync::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic, mpsc},
    thread,
};
