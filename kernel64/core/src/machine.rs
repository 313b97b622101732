//! The objects that IPC and scheduling work on.

use crate::endpoint::{Endpoint, Notification};
use crate::slab::Slab;
use crate::task::Task;
use crate::thread::Thread;

/// The tables of threads, tasks, endpoints and notifications.
///
/// Thread 0 is no thread: while a CPU is idle its time is charged there.
pub struct Machine {
    /// Threads.
    pub threads: Slab<Thread>,
    /// Tasks.
    pub tasks: Slab<Task>,
    /// Endpoints.
    pub endpoints: Slab<Endpoint>,
    /// Notifications.
    pub notifications: Slab<Notification>,
}
