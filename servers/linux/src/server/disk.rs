//! What the disk tells: those that wait for it look again.

use super::Server;
use crate::machine::Machine;
use crate::process::Channel;

impl<M: Machine> Server<M> {
    /// A buffer has been read ([`Machine::read_disk`]), or could not be.
    pub fn disk_read(&mut self, buffer: usize, well: bool) {
        if let Some(disk) = &mut self.disk {
            disk.done(buffer, well);
        }
        self.happened(Channel::Disk(buffer));
        self.react();
    }

    /// There is nobody any more who reads the disk: who waits for that is told of an error, and so is who asks.
    pub fn disk_gone(&mut self) {
        let waiting = self.disk.as_mut().map(|disk| disk.gone()).unwrap_or_default();
        waiting.into_iter().for_each(|buffer| self.happened(Channel::Disk(buffer)));
        self.react();
    }
}
