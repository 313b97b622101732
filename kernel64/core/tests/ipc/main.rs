//! Tests of IPC and scheduling against the documents: a model that knows nothing of the code, the fast path against the
//! general one, and the named rules one by one.

mod agree;
mod clock;
mod memory;
mod model;
mod rules;
mod step;
mod trace;
mod world;
