//! What is called as blocks are translated and as their instructions are executed.

use std::ffi::{c_uint, c_void};
use std::slice;
use std::sync::atomic::{AtomicBool, Ordering};

use lilliput_model::observer::Access;
use lilliput_model::{Class, is_kernel, mark};
use lilliput_runtime::mark::Mark;

use crate::api::{self, Block, Id, Instruction, MemoryInfo};
use crate::state::{self, Code};

/// Whether the kernel runs: what runs before it, firmware and boot loader, is left to run fast.
static BOOTED: AtomicBool = AtomicBool::new(false);

/// A mark as it was translated.
struct MarkCode {
    mark: Mark,
    code: Code,
}

/// Looks at a block, and asks to be called for each of its instructions.
///
/// # Safety
/// The emulator calls it, with a block that stays as it is for as long as this takes.
pub unsafe extern "C" fn block(_id: Id, block: *mut Block) {
    // SAFETY: the caller's block.
    let count = unsafe { api::qemu_plugin_tb_n_insns(block) };
    for index in 0..count {
        // SAFETY: the caller's block has an instruction of this number.
        let instruction = unsafe { api::qemu_plugin_tb_get_insn(block, index) };
        // SAFETY: an instruction of a block that is being translated.
        unsafe { watch(instruction) };
    }
}

/// Asks to be called for an instruction.
///
/// # Safety
/// It must be of a block that is being translated.
unsafe fn watch(instruction: *mut Instruction) {
    // SAFETY: the caller's instruction.
    let address = unsafe { api::qemu_plugin_insn_vaddr(instruction) };
    if is_kernel(address) {
        BOOTED.store(true, Ordering::Relaxed);
    } else if !BOOTED.load(Ordering::Relaxed) {
        return;
    }
    // SAFETY: the caller's instruction has so many bytes there, which stay while its block is translated.
    let bytes = unsafe {
        let length = api::qemu_plugin_insn_size(instruction);
        slice::from_raw_parts(api::qemu_plugin_insn_data(instruction).cast::<u8>(), length)
    };
    // SAFETY: the caller's instruction.
    let host = unsafe { api::qemu_plugin_insn_haddr(instruction) } as u64;
    let code = Code { address, host, length: bytes.len() as u64, class: Class::of(bytes) };
    // What is given to the emulator for each instruction is never freed: it may throw a block away and still be about to execute it.
    if let Some(mark) = mark::of(bytes) {
        let data = Box::into_raw(Box::new(MarkCode { mark, code })).cast::<c_void>();
        // SAFETY: the function takes what is given along.
        unsafe { api::qemu_plugin_register_vcpu_insn_exec_cb(instruction, marked, api::NO_REGISTERS, data) };
        return;
    }
    let data = Box::into_raw(Box::new(code)).cast::<c_void>();
    // SAFETY: the function takes what is given along.
    unsafe { api::qemu_plugin_register_vcpu_insn_exec_cb(instruction, executed, api::NO_REGISTERS, data) };
    // SAFETY: the function takes nothing along.
    unsafe {
        api::qemu_plugin_register_vcpu_mem_cb(
            instruction,
            accessed,
            api::NO_REGISTERS,
            api::READ_WRITE,
            std::ptr::null_mut(),
        );
    }
}

/// # Safety
/// `data` must be a [`MarkCode`] that is never freed.
unsafe extern "C" fn marked(_cpu: c_uint, data: *mut c_void) {
    // SAFETY: the caller's promise.
    let MarkCode { mark, code } = unsafe { &*data.cast::<MarkCode>() };
    state::marked(*mark, code);
}

/// # Safety
/// `data` must be a [`Code`] that is never freed.
unsafe extern "C" fn executed(_cpu: c_uint, data: *mut c_void) {
    if state::is_watching() {
        // SAFETY: the caller's promise.
        state::executed(unsafe { &*data.cast::<Code>() });
    }
}

/// # Safety
/// The emulator must call it while it makes the access.
unsafe extern "C" fn accessed(_cpu: c_uint, info: MemoryInfo, address: u64, _data: *mut c_void) {
    if !state::wants_accesses() {
        return;
    }
    // SAFETY: the caller's access, which is under way.
    let access = unsafe {
        let hardware = api::qemu_plugin_get_hwaddr(info, address);
        if hardware.is_null() {
            return;
        }
        Access {
            address,
            physical: api::qemu_plugin_hwaddr_phys_addr(hardware),
            size: 1 << api::qemu_plugin_mem_size_shift(info),
            is_store: api::qemu_plugin_mem_is_store(info),
        }
    };
    state::accessed(&access);
}
