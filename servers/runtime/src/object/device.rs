//! Devices: their interrupts, ports and memory.

use lilliput_abi::Error;
use lilliput_abi::object::{DevicesMethod, InterruptMethod, PortsMethod};

use super::{Frames, Notification, capability};
use crate::invoke::{Invoke, call};
use crate::message::{Message, WORDS, Word, pack};

capability! {
    /// Authority over devices.
    Devices
}

capability! {
    /// An interrupt.
    Interrupt
}

capability! {
    /// I/O ports.
    IoPorts
}

impl<K: Invoke> Devices<K> {
    /// The physical address of a page of frames, for a device to read and write it.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn address(self, frames: Frames<K>, page: usize) -> Result<u64, Error> {
        let words = [frames.place() as Word, page];
        call::<K>(self.place(), DevicesMethod::Address as u16, &words).map(|answer| answer.pair(0))
    }
}

impl<K: Invoke> Interrupt<K> {
    /// From now on it sets these bits of a notification. The interrupt stays as closed as it is.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn bind(self, notification: Notification<K>, bits: u32) -> Result<(), Error> {
        self.method(InterruptMethod::Bind, &[notification.place() as Word, bits as Word]).map(drop)
    }

    /// Lets the next one through, once. A driver looks after its device before or after this, not only when it is signalled the first time.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn acknowledge(self) -> Result<(), Error> {
        self.method(InterruptMethod::Acknowledge, &[]).map(drop)
    }

    /// Where a device must write to, and what, to raise it.
    ///
    /// # Errors
    /// What the kernel says; [`Error::Unsupported`] for the interrupt of a line.
    pub fn message(self) -> Result<(u64, u32), Error> {
        self.method(InterruptMethod::Message, &[]).map(|answer| (answer.words[0] as u64, answer.words[1] as u32))
    }

    /// How often it was raised.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn count(self) -> Result<u64, Error> {
        self.method(InterruptMethod::Count, &[]).map(|answer| answer.pair(0))
    }

    fn method(self, method: InterruptMethod, words: &[Word]) -> Result<Message, Error> {
        call::<K>(self.place(), method as u16, words)
    }
}

impl<K: Invoke> IoPorts<K> {
    /// Reads 1, 2 or 4 bytes.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn read(self, port: u16, bytes: usize) -> Result<u32, Error> {
        self.method(PortsMethod::Read, &[port as Word, bytes]).map(|answer| answer.words[0] as u32)
    }

    /// Writes 1, 2 or 4 bytes.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn write(self, port: u16, bytes: usize, value: u32) -> Result<(), Error> {
        self.method(PortsMethod::Write, &[port as Word, bytes, value as Word]).map(drop)
    }

    /// Writes bytes to one port, one after another.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn write_bytes(self, port: u16, bytes: &[u8]) -> Result<(), Error> {
        for piece in bytes.chunks((WORDS - 2) * size_of::<Word>()) {
            let mut words = [0; WORDS];
            words[..2].copy_from_slice(&[port as Word, piece.len()]);
            let count = 2 + pack(piece, &mut words[2..]);
            self.method(PortsMethod::WriteBytes, &words[..count])?;
        }
        Ok(())
    }

    fn method(self, method: PortsMethod, words: &[Word]) -> Result<Message, Error> {
        call::<K>(self.place(), method as u16, words)
    }
}
