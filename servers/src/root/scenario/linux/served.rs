//! The disk that a Linux server is served with: its server lives as long as that one, or dies before it.

use lilliput_abi::Rights;
use lilliput_runtime::disk::rings::PAGES;
use lilliput_runtime::linux::signal;
use lilliput_runtime::{Notification, place};
use lilliput_user64::Native;

use super::super::disk::{Client, Disk};
use crate::SELF;
use crate::failure::{Failure, context};
use crate::output::say;
use crate::settings::Settings;
use crate::supervisor::{Id, Supervisor};

/// A disk server with one client.
pub struct Served {
    disk: Disk,
    /// Signals the client that the disk server is no more, until that was done.
    gone: Option<Notification<Native>>,
}

impl Served {
    /// Starts one, whose client has this notification.
    pub fn start(
        supervisor: &mut Supervisor,
        settings: &Settings,
        bell: Notification<Native>,
    ) -> Result<Self, Failure> {
        let client = Client { bell, bits: signal::DISK as u32, last: settings.disk_last };
        let disk = Disk::start(supervisor, PAGES, Some(client))?;
        let gone =
            context(SELF.grant(bell.place(), Rights::SEND, signal::DISK_GONE as u32, 0), "a bell for the disk's end")?;
        Ok(Self { disk, gone: Some(Notification::at(gone)) })
    }

    /// Gives its client what that needs.
    pub fn give(&self, supervisor: &Supervisor, client: Id) -> Result<(), Failure> {
        let client = supervisor.child(client);
        self.disk.give_rings(client)?;
        match supervisor.child(self.disk.id).threads.first() {
            Some(thread) => client.grant(place::linux::DISK_THREAD, thread.place(), Rights::SEND, 0),
            None => Ok(()),
        }
    }

    /// Tells the client if the disk server has ended, once.
    pub fn look(&mut self, supervisor: &Supervisor) -> Result<(), Failure> {
        let child = supervisor.child(self.disk.id);
        if let (Some(ending), Some(gone)) = (child.ending, self.gone) {
            say!("linux: the disk's server died by {ending}; what is read from there is an error from here on");
            context(gone.signal(), "telling the Linux server of its disk's end")?;
            self.disk.hang_up()?;
            self.forget()?;
        }
        Ok(())
    }

    /// Ends it.
    pub fn end(mut self, supervisor: &mut Supervisor) -> Result<(), Failure> {
        self.forget()?;
        self.disk.end(supervisor)
    }

    fn forget(&mut self) -> Result<(), Failure> {
        self.gone.take().map_or(Ok(()), |gone| context(SELF.delete(gone.place()), "forgetting a bell"))
    }
}
