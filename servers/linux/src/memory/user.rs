//! The server's own access to a process's memory, checked page by page.

use alloc::vec::Vec;

use syscalls::Errno;

use super::{Access, Memory, PAGE, Pool};
use crate::arch::Arch;
use crate::machine::Machine;

/// The longest string that a program may name: a path, an argument.
const LONGEST: usize = 128 << 10;
/// Bytes of a list of strings, at most, where each counts for what the server notes of it as well.
const LONGEST_LIST: usize = 2 << 20;
const NOTE: usize = 32;

/// A process's memory, with all that it takes to bring pages there.
pub struct User<'a, M: Machine> {
    /// Whose words are so wide.
    pub arch: Arch,
    /// The memory.
    pub memory: &'a mut Memory<M::Space>,
    /// Where frames come from.
    pub pool: &'a mut Pool,
    /// Who maps them.
    pub machine: &'a mut M,
}

impl<M: Machine> User<'_, M> {
    /// Calls `each` with the pieces of a range, page by page.
    ///
    /// # Errors
    /// `EFAULT` at the first page that the process may not access so; pieces before it were seen.
    pub fn pieces(
        &mut self,
        address: u64,
        length: usize,
        access: Access,
        mut each: impl FnMut(&mut [u8]),
    ) -> Result<(), Errno> {
        let end = address.checked_add(length as u64).ok_or(Errno::EFAULT)?;
        let mut at = address;
        while at < end {
            let page = at - at % PAGE;
            let brought = self.memory.bring(page, access, self.pool, self.machine);
            // Behind the end of a file nothing can be read or written either.
            let (frame, _) = brought.map_err(|error| if error == Errno::ENXIO { Errno::EFAULT } else { error })?;
            let stop = end.min(page + PAGE);
            each(&mut self.pool.bytes_mut(frame)[(at - page) as usize..(stop - page) as usize]);
            at = stop;
        }
        Ok(())
    }

    /// Reads bytes into `to`.
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn read(&mut self, address: u64, to: &mut [u8]) -> Result<(), Errno> {
        let mut done = 0;
        self.pieces(address, to.len(), Access::Read, |piece| {
            to[done..done + piece.len()].copy_from_slice(piece);
            done += piece.len();
        })
    }

    /// Writes bytes.
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn write(&mut self, address: u64, from: &[u8]) -> Result<(), Errno> {
        let mut done = 0;
        self.pieces(address, from.len(), Access::Write, |piece| {
            piece.copy_from_slice(&from[done..done + piece.len()]);
            done += piece.len();
        })
    }

    /// Reads bytes.
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn bytes(&mut self, address: u64, length: usize) -> Result<Vec<u8>, Errno> {
        let mut bytes = Vec::new();
        self.pieces(address, length, Access::Read, |piece| bytes.extend_from_slice(piece))?;
        Ok(bytes)
    }

    /// A 32-bit number.
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn u32(&mut self, address: u64) -> Result<u32, Errno> {
        let mut bytes = [0; 4];
        self.read(address, &mut bytes).map(|()| u32::from_le_bytes(bytes))
    }

    /// A 64-bit number.
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn u64(&mut self, address: u64) -> Result<u64, Errno> {
        let mut bytes = [0; 8];
        self.read(address, &mut bytes).map(|()| u64::from_le_bytes(bytes))
    }

    /// A word of the process's width.
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn word(&mut self, address: u64) -> Result<u64, Errno> {
        match self.arch {
            Arch::I386 => self.u32(address).map(u64::from),
            Arch::Amd64 => self.u64(address),
        }
    }

    /// A string that ends with a zero, without it.
    ///
    /// # Errors
    /// `EFAULT`, and `ENAMETOOLONG` if it does not end.
    pub fn string(&mut self, address: u64) -> Result<Vec<u8>, Errno> {
        let (mut string, mut at) = (Vec::new(), address);
        while string.len() < LONGEST {
            let length = (PAGE - at % PAGE) as usize;
            let mut ended = false;
            self.pieces(at, length, Access::Read, |piece| {
                let end = piece.iter().position(|&byte| byte == 0);
                ended = end.is_some();
                string.extend_from_slice(&piece[..end.unwrap_or(piece.len())]);
            })?;
            if ended {
                return Ok(string);
            }
            at += length as u64;
        }
        Err(Errno::ENAMETOOLONG)
    }

    /// A list of strings that a null pointer ends.
    ///
    /// # Errors
    /// `EFAULT`, `E2BIG`.
    pub fn strings(&mut self, address: u64) -> Result<Vec<Vec<u8>>, Errno> {
        let (mut strings, mut total) = (Vec::new(), 0);
        if address == 0 {
            return Ok(strings);
        }
        let mut at = address;
        loop {
            let pointer = self.word(at)?;
            if pointer == 0 {
                return Ok(strings);
            }
            let too_long = |error| if error == Errno::ENAMETOOLONG { Errno::E2BIG } else { error };
            let string = self.string(pointer).map_err(too_long)?;
            total += string.len() + NOTE;
            if total > LONGEST_LIST {
                return Err(Errno::E2BIG);
            }
            strings.push(string);
            at += self.arch.word();
        }
    }
}
