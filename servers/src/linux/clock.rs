//! The clock: a thread that waits for the next deadline in the server's place. A wait with a deadline takes the kernel's general path, and so does every call that ends one.
//! So the server waits without, and hears that a time has come by a signal, where it receives messages.

use alloc::vec;
use core::arch::naked_asm;
use core::sync::atomic::{AtomicU64, Ordering};

use lilliput_abi::{Error, Rights};
use lilliput_runtime::linux::SERVER_PRIORITY;
use lilliput_runtime::place::linux::{FACTORY, TIME_CAME};
use lilliput_runtime::time::Deadline;
use lilliput_runtime::{Factory, Notification, Task, Word, place};
use lilliput_user64::{Native, end};

/// A time that never comes.
const NEVER: u64 = u64::MAX;
/// Words of the thread's stack.
const STACK: usize = 512;

/// For when it is set, in nanoseconds since the boot.
static SET: AtomicU64 = AtomicU64::new(NEVER);

/// The server's side of it.
pub struct Clock {
    /// Signalled when it is set for an earlier time.
    changed: Notification<Native>,
}

impl Clock {
    /// A clock that is not set.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn new() -> Result<Self, Error> {
        let (maker, task) = (Factory::<Native>::at(FACTORY), Task::<Native>::at(place::TASK));
        let changes = maker.create_notification()?;
        let changed = Notification::at(task.grant(changes.place(), Rights::SEND, 1, 0)?);
        let stack = vec![0_u64; STACK].leak().as_mut_ptr_range();
        let thread = maker.create_thread(task, SERVER_PRIORITY)?;
        thread.start(begin as *const () as Word, stack.end as Word, [changes.place() as Word, 0])?;
        Ok(Self { changed })
    }

    /// Sets it to this time, unless it is set to an earlier one: then the server sets it again when that has come.
    pub fn set(&self, time: u64) {
        if time < SET.load(Ordering::Relaxed) {
            SET.store(time, Ordering::Relaxed);
            // Without it the clock is late: it has been made with it.
            let _ = self.changed.signal();
        }
    }
}

/// Where the thread begins: with word 0 in RBX.
#[unsafe(naked)]
extern "C" fn begin() -> ! {
    naked_asm!("mov edi, ebx", "and rsp, -16", "call {run}", "ud2", run = sym run)
}

extern "C" fn run(changes: u32) -> ! {
    let (changes, came) = (Notification::<Native>::at(changes), Notification::<Native>::at(TIME_CAME));
    loop {
        let time = SET.load(Ordering::Relaxed);
        let waited = if time == NEVER { changes.wait() } else { changes.wait_until(Deadline::SinceBoot(time)) };
        match waited {
            Ok(_) => {}
            Err(Error::TimedOut) => {
                // Unless it was set to another time just now.
                let _ = SET.compare_exchange(time, NEVER, Ordering::Relaxed, Ordering::Relaxed);
                let _ = came.signal();
            }
            // There is no more to be waited for.
            Err(_) => end(1),
        }
    }
}
