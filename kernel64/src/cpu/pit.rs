//! The legacy interval timer, used for one thing: measuring the time-stamp counter at boot.

use core::hint::black_box;

use x86_64::instructions::port::{Port, PortWriteOnly};

use super::clock::ticks;
use super::measure::{self, Measurement};

/// The timer's input clock.
const HERTZ: u64 = 1_193_182;
/// Length of one measurement in input clocks: about 3 ms.
const CLOCKS: u16 = 3580;
/// Give up after this many ticks: there is no timer, or it stands still.
const PATIENCE: u64 = 1 << 32;
/// No time-stamp counter is slower: a timer whose output is stuck ends each measurement at once.
const LEAST_KILOHERTZ: u64 = 10_000;

/// Port 0x61: gate of channel 2, the speaker, and channel 2's output.
const GATE: u8 = 1 << 0;
const SPEAKER: u8 = 1 << 1;
const OUTPUT: u8 = 1 << 5;
/// Channel 2, both bytes of the count, mode 0: the output rises when the count is done.
const CHANNEL_2_ONE_SHOT: u8 = 0b1011_0000;

/// Measures the rate of the time-stamp counter in kHz, or `None` where the timer does not work.
pub fn tsc_kilohertz() -> Option<u64> {
    let ticks = measure::best(count_once)?;
    Some(ticks * HERTZ / (u64::from(CLOCKS) * 1000)).filter(|&kilohertz| kilohertz >= LEAST_KILOHERTZ)
}

/// Ticks that go by while the timer counts down once.
fn count_once() -> Option<Measurement> {
    let mut control = Port::<u8>::new(0x61);
    let mut command = PortWriteOnly::<u8>::new(0x43);
    let mut channel = PortWriteOnly::<u8>::new(0x42);
    // SAFETY: channel 2 drives the speaker only, which is off, and nothing else in the kernel uses it.
    let begin = unsafe {
        let idle = control.read() & !(GATE | SPEAKER);
        control.write(idle | GATE);
        command.write(CHANNEL_2_ONE_SHOT);
        channel.write(CLOCKS.to_le_bytes()[0]);
        let before = ticks();
        channel.write(CLOCKS.to_le_bytes()[1]);
        before..ticks()
    };
    let mut previous = begin.end;
    loop {
        // SAFETY: reading port 0x61 changes nothing.
        let done = unsafe { control.read() } & OUTPUT != 0;
        let now = ticks();
        let length = now - begin.end;
        if done {
            let doubt = (begin.end - begin.start) + (now - previous);
            return Some(Measurement { value: length, doubt, length });
        }
        if length > PATIENCE {
            return None;
        }
        previous = now;
        // Port reads are what an emulator is slowest at: look now and then only.
        for pass in 0..64 {
            black_box(pass);
        }
    }
}
