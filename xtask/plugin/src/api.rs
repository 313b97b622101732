//! QEMU's interface for plugins, version 1, as far as it is used here: types and functions of the emulator that loads this library.

use std::ffi::{c_char, c_int, c_uint, c_void};

/// The version of the interface.
pub const VERSION: c_int = 1;

/// A plugin, to the emulator.
pub type Id = u64;
/// An access: whether it writes, how long it is.
pub type MemoryInfo = u32;

/// A block of guest code that is being translated.
#[repr(C)]
pub struct Block {
    _opaque: [u8; 0],
}

/// An instruction of such a block.
#[repr(C)]
pub struct Instruction {
    _opaque: [u8; 0],
}

/// Where an access goes physically.
#[repr(C)]
pub struct Hardware {
    _opaque: [u8; 0],
}

/// No register is looked at or changed.
pub const NO_REGISTERS: c_int = 0;
/// Reads and writes.
pub const READ_WRITE: c_int = 3;

/// As the emulator ends.
pub type OnExit = extern "C" fn(Id, *mut c_void);
/// The operation on a counter that the emulator does without a call: it adds.
pub const ADD: c_int = 0;

/// What is called when a block is translated.
pub type OnTranslate = unsafe extern "C" fn(Id, *mut Block);
/// Before an instruction, or a block, is executed.
pub type OnExecute = unsafe extern "C" fn(c_uint, *mut c_void);
/// After an access: with its virtual address.
pub type OnAccess = unsafe extern "C" fn(c_uint, MemoryInfo, u64, *mut c_void);

unsafe extern "C" {
    pub fn qemu_plugin_register_vcpu_tb_trans_cb(id: Id, callback: OnTranslate);
    pub fn qemu_plugin_tb_n_insns(block: *const Block) -> usize;
    pub fn qemu_plugin_tb_get_insn(block: *const Block, index: usize) -> *mut Instruction;
    pub fn qemu_plugin_insn_data(instruction: *const Instruction) -> *const c_void;
    pub fn qemu_plugin_insn_size(instruction: *const Instruction) -> usize;
    pub fn qemu_plugin_insn_vaddr(instruction: *const Instruction) -> u64;
    /// In this version, where the emulator itself has the instruction's memory.
    pub fn qemu_plugin_insn_haddr(instruction: *const Instruction) -> *const c_void;
    pub fn qemu_plugin_register_atexit_cb(id: Id, callback: OnExit, data: *mut c_void);
    pub fn qemu_plugin_register_vcpu_tb_exec_cb(
        block: *mut Block,
        callback: OnExecute,
        registers: c_int,
        data: *mut c_void,
    );
    /// The counter is one of 64 bits.
    pub fn qemu_plugin_register_vcpu_tb_exec_inline(block: *mut Block, operation: c_int, counter: *mut c_void, by: u64);
    pub fn qemu_plugin_register_vcpu_insn_exec_cb(
        instruction: *mut Instruction,
        callback: OnExecute,
        registers: c_int,
        data: *mut c_void,
    );
    pub fn qemu_plugin_register_vcpu_mem_cb(
        instruction: *mut Instruction,
        callback: OnAccess,
        registers: c_int,
        accesses: c_int,
        data: *mut c_void,
    );
    pub fn qemu_plugin_mem_size_shift(info: MemoryInfo) -> c_uint;
    pub fn qemu_plugin_mem_is_store(info: MemoryInfo) -> bool;
    pub fn qemu_plugin_get_hwaddr(info: MemoryInfo, address: u64) -> *mut Hardware;
    pub fn qemu_plugin_hwaddr_phys_addr(hardware: *const Hardware) -> u64;
}

/// What the emulator asks of a plugin as it loads it.
#[repr(C)]
pub struct Info {
    _opaque: [u8; 0],
}

/// An argument of the command line: `name=value`.
pub type Argument = *const c_char;
