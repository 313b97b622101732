//! Whether everything that was sent arrived, and nothing else, and every task ended as it should.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use lilliput_abi::object::kind;
use lilliput_runtime::work::ledger::{self, Entry};
use lilliput_runtime::work::{KINDS, outcome};
use lilliput_runtime::{Word, parent};

use super::Workload;
use crate::failure::Failure;
use crate::output::say;
use crate::supervisor::{Ending, Supervisor};

/// Entries of one direction, by kind of the client and kind of the server.
type Table = [[Entry; KINDS]; KINDS];

/// Compares and says so; a failure names the first thing that is wrong.
pub fn verify(workload: &Workload, supervisor: &Supervisor) -> Result<(), Failure> {
    let mut wrong: Vec<String> = Vec::new();
    let (sent, received, checked) = collect(workload, supervisor);
    let mut total = Entry::default();
    for client in 0..KINDS {
        for server in 0..KINDS {
            let (there, here) = (sent[client][server], received[client][server]);
            let pair = format!("{} to {}", kind::name(client as u64), kind::name(server as u64));
            let verdict = if there == here && there.messages > 0 { "verified" } else { "NOT THE SAME" };
            say!("  {pair:<16} {:>8} messages sent, {:>8} received, {verdict}", there.messages, here.messages);
            if verdict != "verified" {
                wrong.push(format!("messages from {pair} differ"));
            }
            total += there;
        }
    }
    let [answers, signals, vectors] = checked;
    say!(
        "  {:<16} {:>8} messages, checksum {:#018x}; {answers} answers, {signals} signals, {vectors} vector states checked",
        "all",
        total.messages,
        total.digests
    );
    for id in workload.all() {
        let child = supervisor.child(id);
        let intruder = workload.intruders.contains(&id);
        match child.ending {
            Some(ending @ Ending::Fault(_)) if intruder => say!("  contained: {}: {ending}", child.name),
            Some(Ending::Exit(parent::SUCCESS)) if !intruder => {}
            Some(ending) => wrong.push(format!("{}: {ending} {}", child.name, child.text)),
            None => wrong.push(format!("{} has not ended", child.name)),
        }
    }
    for what in &wrong {
        say!("  WRONG: {what}");
    }
    match wrong.into_iter().next() {
        None => Ok(()),
        Some(first) => Err(Failure::new(format!("workload: {first}"))),
    }
}

fn collect(workload: &Workload, supervisor: &Supervisor) -> (Table, Table, [Word; 3]) {
    let (mut sent, mut received, mut checked) = (Table::default(), Table::default(), [0; 3]);
    for id in workload.all() {
        let child = supervisor.child(id);
        let own = child.kind as usize;
        for result in &child.results {
            match ledger::read(result) {
                Some((outcome::SENT, server, entry)) => sent[own][server] += entry,
                Some((_, client, entry)) => received[client][own] += entry,
                None => (0..3).for_each(|number| checked[number] += result[number + 1]),
            }
        }
    }
    (sent, received, checked)
}
