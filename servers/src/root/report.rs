//! Tables for a person.

use lilliput_abi::object::kind;
use lilliput_runtime::object::Account;

use crate::THREAD;
use crate::failure::{Failure, context};
use crate::output::say;
use crate::supervisor::Supervisor;

/// Where the time went, by kind of task; all tasks that are not forgotten.
pub fn accounts(supervisor: &Supervisor, khz: u64) -> Result<(), Failure> {
    say!("where the time went:");
    say!("  kind     tasks    user ms  kernel ms   switches   messages     faults");
    let mut total = (0, Account::default());
    for wanted in [kind::SMALL, kind::HOST, kind::WIDE] {
        let mut sum = (0, Account::default());
        for child in supervisor.children().filter(|child| child.kind == wanted) {
            sum.0 += 1;
            sum.1 += child.account()?;
        }
        line(kind::name(wanted), sum, khz);
        total.0 += sum.0;
        total.1 += sum.1;
    }
    let root = (1, context(THREAD.account(), "the root task's account")?);
    line("root", root, khz);
    total.0 += root.0;
    total.1 += root.1;
    line("all", total, khz);
    Ok(())
}

fn line(name: &str, (tasks, account): (usize, Account), khz: u64) {
    let (user, kernel) = (account.user / khz, account.kernel / khz);
    let Account { switches, messages, faults, .. } = account;
    say!("  {name:<8} {tasks:>5} {user:>10} {kernel:>10} {switches:>10} {messages:>10} {faults:>10}");
}
