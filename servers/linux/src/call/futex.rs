//! `futex`: waiting at a word, waking those that do, moving them.

use linux_raw_sys::general::{
    FUTEX_CLOCK_REALTIME, FUTEX_CMP_REQUEUE, FUTEX_OP_ADD, FUTEX_OP_ANDN, FUTEX_OP_CMP_EQ, FUTEX_OP_CMP_GE,
    FUTEX_OP_CMP_GT, FUTEX_OP_CMP_LE, FUTEX_OP_CMP_LT, FUTEX_OP_CMP_NE, FUTEX_OP_OR, FUTEX_OP_SET, FUTEX_OP_XOR,
    FUTEX_PRIVATE_FLAG, FUTEX_REQUEUE, FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_WAKE, FUTEX_WAKE_BITSET, FUTEX_WAKE_OP,
};
use syscalls::Errno;

use crate::machine::Machine;
use crate::server::futex::ALL;
use crate::server::{Outcome, Result, Server};

/// The operand is the number of a bit.
const OPERAND_SHIFTS: u32 = 8;

impl<M: Machine> Server<M> {
    pub(super) fn futex(&mut self, arguments: &[u64; 6]) -> Result {
        let width = self.thread().arch.word();
        self.at_futex(arguments, width)
    }

    pub(super) fn futex64(&mut self, arguments: &[u64; 6]) -> Result {
        self.at_futex(arguments, 8)
    }

    /// `width` of the two words of a time.
    fn at_futex(&mut self, &[address, what, value, time, other, last]: &[u64; 6], width: u64) -> Result {
        // Whether others can reach the word is found out anyway.
        let what = what as u32 & !FUTEX_PRIVATE_FLAG;
        let (operation, value, last) = (what & !FUTEX_CLOCK_REALTIME, value as u32, last as u32);
        match operation {
            FUTEX_WAIT | FUTEX_WAIT_BITSET => {
                let mask = if operation == FUTEX_WAIT { ALL } else { last };
                let by_date = what & FUTEX_CLOCK_REALTIME != 0;
                let deadline = self.futex_deadline(time, width, operation == FUTEX_WAIT_BITSET, by_date)?;
                self.wait_at(address, value, mask, deadline)
            }
            FUTEX_WAKE | FUTEX_WAKE_BITSET => {
                let mask = if operation == FUTEX_WAKE { ALL } else { last };
                if mask == 0 {
                    return Err(Errno::EINVAL);
                }
                let word = self.word_at(address)?;
                Ok(Outcome::Done(self.wake_at(word, value, mask)))
            }
            FUTEX_REQUEUE | FUTEX_CMP_REQUEUE => {
                let (from, to) = (self.word_at(address)?, self.word_at(other)?);
                let compares = operation == FUTEX_CMP_REQUEUE;
                if compares && self.user().u32(address)? != last {
                    return Err(Errno::EAGAIN);
                }
                let woken = self.wake_at(from, value, ALL);
                let moved = self.move_to(from, time as u32, to);
                Ok(Outcome::Done(if compares { woken + moved } else { woken }))
            }
            FUTEX_WAKE_OP => {
                let (first, second) = (self.word_at(address)?, self.word_at(other)?);
                let old = self.user().u32(other)?;
                let (new, holds) = operate(last, old)?;
                self.user().write(other, &new.to_le_bytes())?;
                let mut woken = self.wake_at(first, value, ALL);
                if holds {
                    woken += self.wake_at(second, time as u32, ALL);
                }
                Ok(Outcome::Done(woken))
            }
            // Locks that lend their owner the priority of who waits.
            _ => Err(Errno::ENOSYS),
        }
    }

    /// When a wait ends, by the clock since the boot.
    fn futex_deadline(&mut self, place: u64, width: u64, is_point: bool, by_date: bool) -> Result<Option<u64>> {
        if place == 0 {
            return Ok(None);
        }
        let time = self.get_time(place, width)?;
        let now = self.machine.now();
        Ok(Some(match (is_point, by_date) {
            (false, _) => now.saturating_add(time),
            (true, false) => time,
            (true, true) => time.saturating_sub(self.wall_clock() - now),
        }))
    }
}

/// The operation of `FUTEX_WAKE_OP` on a word: what it holds then, and whether the comparison with what it held is true.
fn operate(code: u32, old: u32) -> Result<(u32, bool)> {
    // Twelve bits each, with a sign.
    let signed = |value: u32| ((value << 20) as i32) >> 20;
    let (operation, comparison) = (code >> 28, code >> 24 & 15);
    let (mut operand, compared) = (signed(code >> 12), signed(code));
    if operation & OPERAND_SHIFTS != 0 {
        operand = 1 << (operand & 31);
    }
    let operand = operand as u32;
    let new = match operation & !OPERAND_SHIFTS {
        FUTEX_OP_SET => operand,
        FUTEX_OP_ADD => old.wrapping_add(operand),
        FUTEX_OP_OR => old | operand,
        FUTEX_OP_ANDN => old & !operand,
        FUTEX_OP_XOR => old ^ operand,
        _ => return Err(Errno::ENOSYS),
    };
    let held = old as i32;
    let holds = match comparison {
        FUTEX_OP_CMP_EQ => held == compared,
        FUTEX_OP_CMP_NE => held != compared,
        FUTEX_OP_CMP_LT => held < compared,
        FUTEX_OP_CMP_LE => held <= compared,
        FUTEX_OP_CMP_GT => held > compared,
        FUTEX_OP_CMP_GE => held >= compared,
        _ => return Err(Errno::ENOSYS),
    };
    Ok((new, holds))
}
