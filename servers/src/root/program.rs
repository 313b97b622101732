//! Programs of the archive, loaded once: what cannot be written is shared by all tasks that run it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use lilliput_abi::Rights;
use lilliput_abi::layout::{USER_END, USER_START};
use lilliput_loader::archive::Archive;
use lilliput_loader::elf::{Machine, Plan, Segment};
use lilliput_runtime::{Frames, Task, Word};
use lilliput_user64::Native;

use crate::FACTORY;
use crate::failure::{Failure, context};
use crate::memory::{self, PAGE};

/// The programs of the boot archive.
pub struct Programs {
    archive: Archive<'static>,
    /// Pages of the archive's frames.
    pub archive_pages: usize,
    loaded: Vec<Program>,
}

impl Programs {
    /// None loaded yet.
    pub const fn new(archive: Archive<'static>, archive_pages: usize) -> Self {
        Self { archive, archive_pages, loaded: Vec::new() }
    }

    /// A file by its name in the archive.
    pub fn file(&self, name: &str) -> Result<&'static [u8], Failure> {
        self.archive.find(name).ok_or_else(|| Failure::new(format!("the boot archive has no program {name}")))
    }

    /// A program by its name in the archive; loaded if it is wanted for the first time.
    pub fn find(&mut self, name: &str) -> Result<&Program, Failure> {
        let place = match self.loaded.iter().position(|program| program.name == name) {
            Some(place) => place,
            None => {
                self.loaded.push(Program::load(name, self.file(name)?)?);
                self.loaded.len() - 1
            }
        };
        Ok(&self.loaded[place])
    }
}

/// One segment of a program, with the frames that hold it.
struct Loaded {
    segment: Segment,
    /// The frames that every task shares; none for a segment that can be written, of which every task has a copy.
    shared: Option<Frames<Native>>,
}

/// A program, ready to be mapped into tasks.
pub struct Program {
    /// Its name in the archive.
    pub name: String,
    /// Its first instruction.
    pub entry: Word,
    /// Whether it is a 32-bit program.
    pub narrow: bool,
    file: &'static [u8],
    segments: Vec<Loaded>,
}

impl Program {
    /// Reads a program and loads what can be shared.
    pub fn load(name: &str, file: &'static [u8]) -> Result<Self, Failure> {
        let plan = Plan::new(file, USER_START..USER_END);
        let plan = plan.map_err(|error| Failure::new(format!("program {name}: {error}")))?;
        let narrow = plan.machine == Machine::I386;
        let mut program =
            Self { name: name.to_string(), entry: plan.entry as Word, narrow, file, segments: Vec::new() };
        for &segment in plan.segments() {
            let writable = segment.rights.contains(Rights::WRITE);
            let shared = if writable { None } else { Some(program.filled_frames(&segment)?) };
            program.segments.push(Loaded { segment, shared });
        }
        Ok(program)
    }

    /// Maps the program into a task; the frames that only this task has are added to `own`.
    pub fn map_into(&self, task: Task<Native>, own: &mut Vec<Frames<Native>>) -> Result<(), Failure> {
        for Loaded { segment, shared } in &self.segments {
            let frames = match *shared {
                Some(frames) => frames,
                None => {
                    let frames = self.filled_frames(segment)?;
                    own.push(frames);
                    frames
                }
            };
            let (address, pages) = pages(segment);
            context(
                task.map(frames, address, 0, pages as u16, segment.rights),
                format_args!("mapping program {} at {address:#x}", self.name),
            )?;
        }
        Ok(())
    }

    fn filled_frames(&self, segment: &Segment) -> Result<Frames<Native>, Failure> {
        let (_, pages) = pages(segment);
        let frames = context(FACTORY.create_frames(pages), format_args!("{pages} pages for program {}", self.name))?;
        if segment.file_size > 0 {
            memory::with_frames(frames, pages, |bytes| segment.fill(self.file, bytes))?;
        }
        Ok(frames)
    }
}

/// First page and number of pages of a segment.
fn pages(segment: &Segment) -> (Word, usize) {
    let range = segment.pages();
    (range.start as Word, (range.end - range.start) as usize / PAGE)
}
