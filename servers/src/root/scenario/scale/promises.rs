//! Beside one who has made all objects of a type that there are: what others were promised is there.

use alloc::format;
use alloc::vec::Vec;

use lilliput_abi::Error;
use lilliput_runtime::promise::{self, Materials, THREADS};
use lilliput_runtime::{IoPorts, Task};
use lilliput_user64::Native;

use crate::failure::{Failure, context};
use crate::output::say;
use crate::{DEVICES, FACTORY, SELF};

/// A counter of the interval timer, which nobody uses.
const PORT: u16 = 0x42;

pub fn hold() -> Result<(), Failure> {
    let (tasks, ports) = context(materials(), "what objects are made of")?;
    let of = Materials { own: SELF, tasks: &tasks, ports, port: PORT };
    for (name, make) in promise::makers() {
        let outcome = context(promise::keep(FACTORY, &of, make), name)?;
        if !outcome.is_kept() {
            return Err(Failure::new(format!("a promise of {name} that was not kept: {outcome:?}")));
        }
        say!("scale: {} {name} beside {} of another", outcome.promised.0, outcome.greedy.0);
        say!("@test promise-of-{name} ok");
    }
    let places = tasks.iter().map(|task| task.place()).chain([ports.place()]);
    context(places.into_iter().try_for_each(|place| FACTORY.destroy(place)), "ending what objects were made of")
}

/// As many tasks as it takes for all threads, and ports.
fn materials() -> Result<(Vec<Task<Native>>, IoPorts<Native>), Error> {
    let tasks = (0..FACTORY.objects()?.1.div_ceil(THREADS)).map(|_| FACTORY.create_wide());
    Ok((tasks.collect::<Result<_, _>>()?, FACTORY.create_ports(DEVICES, PORT, 1)?))
}
