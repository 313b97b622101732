//! What the root task prints, on a screen as well: for machines without a serial port.
//!
//! In columns from left to right, as many as there is room for; when the screen is full it stays so for a while, and is begun anew.

use alloc::string::String;
use core::fmt::{self, Write};
use core::{mem, ptr};

use lilliput_abi::boot::{SCREEN_ADDRESS, Screen};
use lilliput_abi::object::fact;
use lilliput_abi::{Rights, boot};
use lilliput_runtime::Word;
use lilliput_runtime::time::{Deadline, MILLISECOND, sleep};
use lilliput_user64::Native;
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};
use spin::Mutex;

use crate::failure::{Failure, context};
use crate::memory::PAGE;
use crate::{DEVICES, FACTORY, SELF, SYSTEM};

/// Where it is mapped.
const WINDOW: Word = 0x40_0000_0000;
/// Characters of a line, and of a column: there is a gap between two.
const LINE: usize = 90;
const COLUMN: usize = LINE + 1;
/// How long a full screen stays.
const STAYS: Deadline = Deadline::FromNow(20_000 * MILLISECOND);

const WEIGHT: FontWeight = FontWeight::Regular;
const HEIGHT: RasterHeight = RasterHeight::Size16;
const WIDTH: usize = get_raster_width(WEIGHT, HEIGHT);

static PAPER: Mutex<Option<Paper>> = Mutex::new(None);

/// From now on everything is printed there too, if the boot loader found a screen.
pub fn start() -> Result<(), Failure> {
    // SAFETY: the kernel mapped it there, for as long as the root task lives, and nobody writes it.
    let screen = unsafe { ptr::read(SCREEN_ADDRESS as *const Screen) };
    let (first, end) = (screen.address / PAGE as u64, (screen.address + screen.bytes()).div_ceil(PAGE as u64));
    let pages = (end - first) as usize;
    if pages == 0 {
        return Ok(());
    }
    let count = u16::try_from(pages).map_err(|_| Failure::new("the screen is too large"))?;
    let frames = context(FACTORY.create_device_frames(DEVICES, first as Word, pages), "the screen's memory")?;
    context(SELF.map(frames, WINDOW, 0, count, Rights::READ | Rights::WRITE), "mapping the screen")?;
    let lines = screen.height as usize / HEIGHT.val();
    let columns = screen.width as usize / (COLUMN * WIDTH);
    if lines < 2 || columns == 0 {
        return Ok(());
    }
    let pixels = (WINDOW + screen.address as usize % PAGE) as *mut u8;
    let mut paper = Paper { screen, pixels, lines: lines - 1, columns, next: 0, line: String::new() };
    paper.clear();
    *PAPER.lock() = Some(paper);
    Ok(())
}

/// Prints text there, if there is a screen. Records for programs are left out.
pub fn print(arguments: fmt::Arguments) {
    if let Some(paper) = &mut *PAPER.lock() {
        // Nothing of it can fail.
        let _ = paper.write_fmt(arguments);
    }
}

struct Paper {
    screen: Screen,
    pixels: *mut u8,
    /// Lines of a column; below them is one for what is to be said of the screen itself.
    lines: usize,
    columns: usize,
    /// Where the next line goes, counted from the top of the first column.
    next: usize,
    /// What has come of it so far.
    line: String,
}

// SAFETY: the memory that it points to is its own, whoever has it.
unsafe impl Send for Paper {}

impl Write for Paper {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '\n' => self.end_line(),
                _ => self.line.push(character),
            }
        }
        Ok(())
    }
}

impl Paper {
    fn end_line(&mut self) {
        let mut line = mem::take(&mut self.line);
        if line.starts_with('@') {
            return;
        }
        if SYSTEM.fact(fact::UNENFORCED) == Ok(1) {
            line.push(' ');
            line.push_str(boot::UNENFORCED);
        }
        let mut rest = line.as_str();
        loop {
            let cut = rest.char_indices().nth(LINE).map_or(rest.len(), |(at, _)| at);
            let (part, others) = rest.split_at(cut);
            self.draw_next(part);
            rest = others;
            if rest.is_empty() {
                return;
            }
        }
    }

    fn draw_next(&mut self, line: &str) {
        if self.next == self.lines * self.columns {
            self.draw(self.lines, 0, "The screen is full: it goes on in 20 seconds.");
            // It can end early only where somebody stops this thread, which nobody can.
            let _ = sleep::<Native>(STAYS);
            self.clear();
            self.next = 0;
        }
        self.draw(self.next % self.lines, self.next / self.lines, line);
        self.next += 1;
    }

    /// Draws text that is no longer than a column.
    fn draw(&mut self, line: usize, column: usize, text: &str) {
        for (place, character) in text.chars().enumerate() {
            let Some(raster) = get_raster(character, WEIGHT, HEIGHT).or_else(|| get_raster('?', WEIGHT, HEIGHT)) else {
                continue;
            };
            for (y, row) in raster.raster().iter().enumerate() {
                for (x, &grey) in row.iter().enumerate() {
                    self.set((column * COLUMN + place) * WIDTH + x, line * HEIGHT.val() + y, grey);
                }
            }
        }
    }

    fn clear(&mut self) {
        // SAFETY: all of its lines are mapped, and this program's own.
        unsafe { ptr::write_bytes(self.pixels, 0, self.screen.bytes() as usize) };
    }

    fn set(&mut self, x: usize, y: usize, grey: u8) {
        let Screen { width, height, line_bytes, pixel_bytes, .. } = self.screen;
        if x >= width as usize || y >= height as usize {
            return;
        }
        for byte in 0..pixel_bytes as usize {
            // SAFETY: the pixel is one of the screen's, whose lines are mapped, and this program's own.
            unsafe { self.pixels.add(y * line_bytes as usize + x * pixel_bytes as usize + byte).write_volatile(grey) };
        }
    }
}
