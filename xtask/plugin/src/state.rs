//! The plugin's state, which is one.

use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::process;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use lilliput_model::observer::Access;
use lilliput_model::tlb::Layout;
use lilliput_model::{Class, Instruction, Observer};
use lilliput_runtime::mark::Mark;

/// An instruction as it was translated.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// Where it begins, virtually.
    pub address: u64,
    /// Where the emulator has its first byte.
    pub host: u64,
    /// Its bytes.
    pub length: u64,
    /// Its kind.
    pub class: Option<Class>,
}

impl Code {
    fn instruction(&self, physical: u64) -> Instruction {
        let Self { address, length, class, .. } = *self;
        Instruction { address, physical, length, class }
    }
}

struct State {
    observer: Observer,
    out: File,
    /// Where the emulator has the guest's memory.
    memory: Option<u64>,
    /// The last access while nothing was watched: virtual and physical.
    last: (u64, u64),
}

static STATE: Mutex<Option<State>> = Mutex::new(None);
/// Whether a batch is under way: a copy, to be asked at every instruction.
static WATCHING: AtomicBool = AtomicBool::new(false);

/// Whether it is known where the emulator has the guest's memory.
static FOUND: AtomicBool = AtomicBool::new(false);

/// Sets everything up.
pub fn begin(out: &str, descriptors: Range<u64>, layout: Layout) -> Result<()> {
    let out = File::create(out).with_context(|| format!("can't write {out}"))?;
    let state = State { observer: Observer::new(descriptors, layout), out, memory: None, last: (0, 0) };
    *STATE.lock().unwrap_or_else(|error| error.into_inner()) = Some(state);
    Ok(())
}

/// Whether a batch is under way.
pub fn is_watching() -> bool {
    WATCHING.load(Ordering::Relaxed)
}

/// Whether accesses are of use: in a batch, and until the guest's memory is found.
pub fn wants_accesses() -> bool {
    is_watching() || !FOUND.load(Ordering::Relaxed)
}

/// An instruction is about to be executed, in a batch.
pub fn executed(code: &Code) {
    with(|state| {
        let memory = state.memory.context("a batch began before the guest's memory was found")?;
        state.observer.instruction(&code.instruction(code.host.wrapping_sub(memory)));
        Ok(())
    });
}

/// A mark is about to be executed.
pub fn marked(mark: Mark, code: &Code) {
    with(|state| {
        // A 64-bit program reads each mark as data right before it executes it.
        let (address, physical) = state.last;
        if address == code.address {
            let memory = code.host.wrapping_sub(physical);
            ensure!(state.memory.is_none_or(|known| known == memory), "the guest's memory is not in one piece");
            state.memory = Some(memory);
            FOUND.store(true, Ordering::Relaxed);
        }
        let physical = state.memory.map_or(0, |memory| code.host.wrapping_sub(memory));
        for record in state.observer.mark(mark, &code.instruction(physical))? {
            writeln!(state.out, "{}", serde_json::to_string(&record)?)?;
        }
        WATCHING.store(state.observer.is_watching(), Ordering::Relaxed);
        Ok(())
    });
}

/// An access was made.
pub fn accessed(access: &Access) {
    with(|state| {
        if state.observer.is_watching() {
            state.observer.access(access);
        }
        state.last = (access.address, access.physical);
        Ok(())
    });
}

/// Does something with the state; ends the emulator where that fails.
fn with(action: impl FnOnce(&mut State) -> Result<()>) {
    let mut state = STATE.lock().unwrap_or_else(|error| error.into_inner());
    if let Some(Err(error)) = state.as_mut().map(action) {
        eprintln!("the counting plugin: {error:#}");
        process::exit(1);
    }
}
