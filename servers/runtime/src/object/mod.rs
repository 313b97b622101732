//! Capabilities with their type: one small file per kind of object.

mod arena;
mod device;
mod endpoint;
mod factory;
mod notification;
mod parcel;
mod reply;
mod system;
mod task;
mod thread;

pub use arena::{Arena, Compacted};
pub use device::{Devices, Interrupt, IoPorts};
pub use endpoint::{Endpoint, Received, reply};
pub use factory::Factory;
pub use notification::{Notification, unbind};
pub use parcel::{Parcel, accept};
pub use reply::Reply;
pub use system::System;
pub use task::{MapStopped, Resized, Task, TaskInfo};
pub use thread::{Account, Thread};

/// Defines a capability of one type: a place in the caller's table, and the kernel it is used with.
macro_rules! capability {
    ($(#[doc = $doc:literal])+ $name:ident) => {
        $(#[doc = $doc])+
        #[derive(Debug)]
        pub struct $name<K> {
            place: u32,
            kernel: core::marker::PhantomData<K>,
        }

        impl<K> Clone for $name<K> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<K> Copy for $name<K> {}

        impl<K> $name<K> {
            /// The capability at a place of the caller's table, whatever is there.
            pub const fn at(place: u32) -> Self {
                Self { place, kernel: core::marker::PhantomData }
            }

            /// Its place.
            pub const fn place(self) -> u32 {
                self.place
            }
        }
    };
}
use capability;

capability! {
    /// A run of page frames: no method, an argument of [`Task::map`].
    Frames
}
