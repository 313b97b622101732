//! Trials: guest tests, each a program that checks itself.
//!
//! A trial is a line of [`list::TRIALS`] and a function of that name: here, where it is the same for
//! both widths, or in `user32` or `user64`. The root task starts it with the [`kit`] of capabilities
//! and, if the line says so, a [`partner`] of each kind in turn. It passes if the task ends as the
//! line says; a failed assertion is a panic, whose text is the reason of the failure.

pub mod kit;
pub mod list;
pub mod partner;

mod carrying;
mod control;
mod crowd;
mod death;
mod devices;
mod errors;
mod factories;
pub mod foreign;
mod growth;
mod keeping;
mod marks;
mod memory;
mod messages;
mod objects;
mod revoking;
mod rights;
mod schedule;
mod shared;
mod spaces;
mod storage;
mod time;
mod waiting;

use lilliput_abi::Error;

use crate::machine::Machine;
use crate::message::Word;

/// What a trial comes to: an error of the kernel that it did not expect is a failure.
pub type Outcome = Result<(), Error>;

/// Runs a trial that is the same for both widths; `None` if there is none of this name.
pub fn run<K: Machine>(name: &str) -> Option<Outcome> {
    let trial: fn() -> Outcome = match name {
        "bad-capability" => errors::bad_capability::<K>,
        "bad-operation" => errors::bad_operation::<K>,
        "wrong-type" => errors::wrong_type::<K>,
        "bad-message" => errors::bad_message::<K>,
        "bad-argument" => errors::bad_argument::<K>,
        "no-performance-counters" => errors::no_performance_counters::<K>,
        "missing-right" => rights::missing_right::<K>,
        "grant-takes-away" => rights::grant_takes_away::<K>,
        "ceilings" => rights::ceilings::<K>,
        "budget-ceilings" => rights::budget_ceilings::<K>,
        "all-lengths" => messages::all_lengths::<K>,
        "badges" => messages::badges::<K>,
        "word-too-wide" => messages::word_too_wide::<K>,
        "reply-too-wide" => messages::reply_too_wide::<K>,
        "parameter-too-wide" => messages::parameter_too_wide::<K>,
        "reply-of-host-is-cut" => messages::reply_of_host_is_cut::<K>,
        "zero-extension" => messages::zero_extension::<K>,
        "one-reply" => messages::one_reply::<K>,
        "capability-returns" => carrying::capability_returns::<K>,
        "capability-refusals" => carrying::capability_refusals::<K>,
        "string-lengths" => carrying::string_lengths::<K>,
        "string-refusals" => carrying::string_refusals::<K>,
        "string-faults" => carrying::string_faults::<K>,
        "string-interrupted" => carrying::string_interrupted::<K>,
        "string-into-gaps" => carrying::string_into_gaps::<K>,
        "prints" => messages::prints::<K>,
        "rude" => messages::rude::<K>,
        "non-blocking" => waiting::non_blocking::<K>,
        "unanswered" => waiting::unanswered::<K>,
        "server-death" => waiting::server_death::<K>,
        "destroyed-while-waiting" => waiting::destroyed_while_waiting::<K>,
        "queue-order" => waiting::queue_order::<K>,
        "kept-out-of-order" => keeping::out_of_order::<K>,
        "kept-refusals" => keeping::refusals::<K>,
        "kept-ends" => keeping::ends::<K>,
        "kept-by-partner" => keeping::by_partner::<K>,
        "foreign-kept" => foreign::kept::<K>,
        "foreign-calls" => foreign::calls::<K>,
        "foreign-storage" => foreign::storage::<K>,
        "foreign-control" => foreign::control::<K>,
        "foreign-unanswered" => foreign::unanswered::<K>,
        "foreign-narrow-handler" => foreign::narrow_handler::<K>,
        "foreign-refusals" => foreign::refusals::<K>,
        "foreign-at-end-of-space" => foreign::at_end_of_space::<K>,
        "fault-message" => waiting::fault_message::<K>,
        "signal-bits" => waiting::signal_bits::<K>,
        "bound-notification" => waiting::bound_notification::<K>,
        "stale-capability" => objects::stale_capability::<K>,
        "table-full" => objects::table_full::<K>,
        "usage-returns" => objects::usage_returns::<K>,
        "factory-quotas" => factories::quotas::<K>,
        "factory-promises" => factories::promises::<K>,
        "factory-threads" => factories::threads_of_a_task::<K>,
        "crowd-loses-capability" => crowd::capability_lost::<K>,
        "crowd-moves" => crowd::space_changes::<K>,
        "factory-takes-all" => factories::takes_all::<K>,
        "factory-refusals" => factories::refusals::<K>,
        "factories-balance" => factories::balance::<K>,
        "revoke-lineage" => revoking::lineage::<K>,
        "revoke-ends-waits" => revoking::ends_waits::<K>,
        "thread-methods" => objects::thread_methods::<K>,
        "frames-are-zero" => spaces::frames_are_zero::<K>,
        "map-refusals" => spaces::map_refusals::<K>,
        "unmapped-faults" => spaces::unmapped_faults::<K>,
        "read-only-faults" => spaces::read_only_faults::<K>,
        "many-pages" => memory::many_pages::<K>,
        "long-calls-let-others-run" => memory::long_calls_let_others_run::<K>,
        "mapping-stops-where-it-must" => memory::mapping_stops_where_it_must::<K>,
        "replacing" => memory::replacing::<K>,
        "large-pages" => memory::large_pages::<K>,
        "no-large-pages" => memory::no_large_pages::<K>,
        "moving" => memory::moving::<K>,
        "coloured-frames" => memory::coloured_frames::<K>,
        "destroyed-in-steps" => memory::destroyed_in_steps::<K>,
        "many-arenas" => factories::many_arenas::<K>,
        "thread-exits" => death::thread_exits::<K>,
        "task-exits" => death::task_exits::<K>,
        "server-restarts" => death::server_restarts::<K>,
        "pager-dies" => death::pager_dies::<K>,
        "revoked-while-derived" => death::revoked_while_derived::<K>,
        "places" => death::places::<K>,
        "interrupt-delivery" => devices::interrupt_delivery::<K>,
        "interrupt-noted" => devices::interrupt_noted::<K>,
        "interrupt-storm" => devices::interrupt_storm::<K>,
        "interrupt-refusals" => devices::interrupt_refusals::<K>,
        "device-rights" => devices::device_rights::<K>,
        "ports" => devices::ports::<K>,
        "device-memory" => devices::device_memory::<K>,
        "device-memory-dies-with-its-task" => devices::device_memory_dies_with_its_task::<K>,
        "frame-addresses" => devices::frame_addresses::<K>,
        "stop-and-resume" => control::stop_and_resume::<K>,
        "stopped-with-vectors" => control::stopped_with_vectors::<K>,
        "vectors-of-another" => control::vectors_of_another::<K>,
        "fault-registers" => control::fault_registers::<K>,
        "thread-fault-handler" => control::thread_fault_handler::<K>,
        "narrow-registers" => control::narrow_registers::<K>,
        "grows-by-faults" => growth::grows_by_faults::<K>,
        "changed-in-call" => growth::changed_in_call::<K>,
        "changed-while-preempted" => growth::changed_while_preempted::<K>,
        "isolation-changes" => growth::isolation_changes::<K>,
        "large-and-back" => growth::large_and_back::<K>,
        "another-arena" => growth::another_arena::<K>,
        "shared-host" => shared::shared_host::<K>,
        "shared-host-ends" => shared::shared_host_ends::<K>,
        "shrinking-unmaps" => growth::shrinking_unmaps::<K>,
        "moved-over-itself" => growth::moved_over_itself::<K>,
        "compaction" => growth::compaction::<K>,
        "old-slot-is-lost" | "limit-old-slot" => growth::old_slot_is_lost::<K>,
        "resize-refusals" => growth::resize_refusals::<K>,
        "preemption" => schedule::preemption::<K>,
        "priorities" => schedule::priorities::<K>,
        "yielding" => schedule::yielding::<K>,
        "budgets" => schedule::budgets::<K>,
        "donated-time" => schedule::donated_time::<K>,
        "time-is-charged" => schedule::time_is_charged::<K>,
        "clock" => time::clock::<K>,
        "sleep" => time::sleep::<K>,
        "sleep-order" => time::sleep_order::<K>,
        "many-sleepers" => time::many_sleepers::<K>,
        "timeouts" => time::timeouts::<K>,
        "timed-calls" => time::timed_calls::<K>,
        "caller-gives-up" => time::caller_gives_up::<K>,
        "deadline-passed" => time::deadline_passed::<K>,
        "deadline-refusals" => time::deadline_refusals::<K>,
        "ends-before-deadline" => time::ends_before_deadline::<K>,
        "storage-of-threads" => storage::storage_of_threads::<K>,
        "storage-in-calls" => storage::storage_in_calls::<K>,
        "storage-moves" => storage::storage_moves::<K>,
        "storage-refusals" => storage::storage_refusals::<K>,
        "storage-is-turned" => storage::storage_is_turned::<K>,
        "vector-state" => schedule::vector_state::<K>,
        _ => return None,
    };
    Some(trial())
}

/// What a further thread of a trial does: word 1 of its start names it.
pub fn thread<K: Machine>(work: Word) {
    kit::Work::from_number(work).run::<K>();
}
