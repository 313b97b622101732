//! The other thing that the plugin does: it shows [`Passes`] each block of the kernel's code, and writes the longest as the emulator ends.

use std::ffi::{c_uint, c_void};
use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::process;
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use anyhow::{Context, Result, ensure};
use lilliput_model::is_kernel;
use lilliput_model::passes::{Block, Passes};

use crate::api::{self, Id};

/// The instruction that waits for an interrupt.
const HLT: u8 = 0xf4;

/// Blocks of user code that were executed: the emulator counts them itself, which takes a fraction of a call.
static USER_BLOCKS: AtomicU64 = AtomicU64::new(0);

struct State {
    passes: Passes,
    /// As many as there were when the kernel's last block was executed.
    user_blocks: u64,
    out: File,
}

/// The code that only boot executes.
static BOOT: OnceLock<Range<u64>> = OnceLock::new();

static STATE: Mutex<Option<State>> = Mutex::new(None);

/// Sets everything up.
pub fn begin(out: &str, boot: Range<u64>) -> Result<()> {
    BOOT.set(boot).ok().context("it is loaded twice")?;
    let out = File::create(out).with_context(|| format!("can't write {out}"))?;
    let state = State { passes: Passes::default(), user_blocks: 0, out };
    *STATE.lock().unwrap_or_else(|error| error.into_inner()) = Some(state);
    Ok(())
}

/// Looks at a block, and asks to be called when it is executed.
///
/// # Safety
/// The emulator calls it, with a block that stays as it is for as long as this takes.
pub unsafe extern "C" fn block(_id: Id, block: *mut api::Block) {
    // SAFETY: the caller's block, which has at least one instruction; the first and the last one's bytes stay while it is translated.
    let (count, address, last) = unsafe {
        let count = api::qemu_plugin_tb_n_insns(block);
        let last = api::qemu_plugin_tb_get_insn(block, count - 1);
        let bytes =
            slice::from_raw_parts(api::qemu_plugin_insn_data(last).cast::<u8>(), api::qemu_plugin_insn_size(last));
        (count, api::qemu_plugin_insn_vaddr(api::qemu_plugin_tb_get_insn(block, 0)), bytes)
    };
    if !is_kernel(address) {
        // SAFETY: the caller's block, and a counter that stays; one thread of the emulator runs the one processor.
        unsafe { api::qemu_plugin_register_vcpu_tb_exec_inline(block, api::ADD, USER_BLOCKS.as_ptr().cast(), 1) };
        return;
    }
    // It is never freed: the emulator may throw a block away and still be about to execute it.
    let boots = BOOT.get().is_some_and(|boot| boot.contains(&address));
    let data = Box::new(Block { address, instructions: count as u64, waits: last == [HLT], boots });
    let data = Box::into_raw(data).cast::<c_void>();
    // SAFETY: the caller's block, and the function takes what is given along.
    unsafe { api::qemu_plugin_register_vcpu_tb_exec_cb(block, executed, api::NO_REGISTERS, data) };
}

/// # Safety
/// `data` must be a [`Block`] that is never freed.
unsafe extern "C" fn executed(_cpu: c_uint, data: *mut c_void) {
    // SAFETY: the caller's promise.
    let block = unsafe { *data.cast::<Block>() };
    if let Some(state) = &mut *STATE.lock().unwrap_or_else(|error| error.into_inner()) {
        let user_blocks = USER_BLOCKS.load(Ordering::Relaxed);
        if std::mem::replace(&mut state.user_blocks, user_blocks) != user_blocks {
            state.passes.user();
        }
        state.passes.kernel(block);
    }
}

/// Writes a line of JSON for each kind of pass.
pub extern "C" fn end(_id: Id, _data: *mut c_void) {
    let state = STATE.lock().unwrap_or_else(|error| error.into_inner()).take();
    if let Some(Err(error)) = state.map(|State { passes, out, .. }| write(&passes, out)) {
        eprintln!("the counting plugin: {error:#}");
        process::exit(1);
    }
}

fn write(passes: &Passes, mut out: File) -> Result<()> {
    ensure!(passes.any(), "no user code ran");
    for pass in passes.longest() {
        writeln!(out, "{}", serde_json::to_string(pass)?)?;
    }
    Ok(())
}
