//! A plugin of QEMU's TCG that shows a [`lilliput_model::Observer`] what the guest executes, and writes what it makes of that.
//!
//! Arguments: `out=FILE` for a line of JSON for each way of each batch, `descriptors=START-END`, in hexadecimal, for where the
//! kernel's table of descriptors is, and `layout=lilliput` or `linux` for whose kernel it is. Or `passes=FILE`, for a line for each kind of the
//! kernel's long passes, and `boot=START-END` for the code that only boot executes. `cargo xtask bench --counts` and `bench stretches` build and load it.
//!
//! One processor, and one thread of the emulator that runs it: everything is called from there, the state is behind a lock that nobody
//! waits for. What goes wrong ends the emulator with a message: figures of which a part is missing are worse than none.

mod api;
mod passes;
mod state;
mod translate;

use std::ffi::{CStr, c_int};
use std::ops::Range;
use std::slice;

use anyhow::{Context, Result};
use lilliput_model::tlb::Layout;

use self::api::{Argument, Id, Info, OnTranslate};

/// What the emulator looks at before it loads a plugin.
#[unsafe(no_mangle)]
pub static qemu_plugin_version: c_int = api::VERSION;

/// Called once as the plugin is loaded. Anything but 0 ends the emulator.
///
/// # Safety
/// The emulator calls it, with `count` strings as arguments.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    id: Id,
    _info: *const Info,
    count: c_int,
    arguments: *const Argument,
) -> c_int {
    let count = usize::try_from(count).unwrap_or(0);
    let texts: Vec<_> = if count == 0 {
        Vec::new()
    } else {
        // SAFETY: the emulator's promise: so many pointers to strings that end with a zero.
        let arguments = unsafe { slice::from_raw_parts(arguments, count) };
        // SAFETY: as above.
        arguments.iter().map(|&text| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()).collect()
    };
    match install(&texts) {
        Ok(on_translate) => {
            // SAFETY: the emulator asks for just this, and the functions are ones for this purpose.
            unsafe {
                api::qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
                api::qemu_plugin_register_atexit_cb(id, passes::end, std::ptr::null_mut());
            }
            0
        }
        Err(error) => {
            eprintln!("the counting plugin: {error:#}");
            1
        }
    }
}

fn install(arguments: &[String]) -> Result<OnTranslate> {
    let given = |name: &str| {
        let value = arguments.iter().find_map(|text| text.split_once('=').filter(|(key, _)| *key == name));
        value.map(|(_, value)| value)
    };
    let value = |name: &str| given(name).with_context(|| format!("it needs `{name}=`"));
    if let Some(out) = given("passes") {
        passes::begin(out, range(value("boot")?).context("boot")?)?;
        return Ok(passes::block);
    }
    let layout = Layout::of_name(value("layout")?).context("there is no such layout")?;
    state::begin(value("out")?, range(value("descriptors")?).context("descriptors")?, layout)?;
    Ok(translate::block)
}

/// A range such as `ffff0000-ffff0040`.
fn range(text: &str) -> Result<Range<u64>> {
    let (start, end) = text.split_once('-').context("a range is START-END")?;
    Ok(u64::from_str_radix(start, 16)?..u64::from_str_radix(end, 16)?)
}
