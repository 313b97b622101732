//! What Linux's system calls cost here, held against the limits in `tests/linux-bench/budgets.txt`.

use std::time::Duration;

use super::tally::Tally;
use crate::bench::linux::{Budgets, CALLS, Scope, Side};
use crate::boot::Outcome;
use crate::prepare::Prepared;

/// A boot of it.
#[derive(Debug)]
pub struct CostBoot {
    /// Its name, under which its tests are counted.
    pub name: &'static str,
    side: Side,
}

/// All of them. `page-untagged` is not among them: without PCIDs, which QEMU has not, it does what `page` does.
pub const BOOTS: [CostBoot; 5] = [
    CostBoot { name: "linux-costs-i386-unenforced", side: Side::SEGMENT },
    CostBoot { name: "linux-costs-i386", side: Side::PAGE },
    CostBoot { name: "linux-costs-i386-further", side: Side::FURTHER },
    CostBoot { name: "linux-costs-i386-large", side: Side::LARGE },
    CostBoot { name: "linux-costs-amd64", side: Side::WIDE },
];

impl CostBoot {
    /// Boots and counts.
    pub fn run(&self, prepared: &Prepared, limit: Duration, tally: &mut Tally) {
        tally.suite(self.name, |tally| {
            let budgets = Budgets::read(&prepared.workspace.root, CALLS);
            let judged = budgets.and_then(|budgets| {
                let figures = self.side.measure(prepared, self.name, &Scope::Calls, limit)?;
                Ok(budgets.judge(self.side, &figures))
            });
            match judged {
                Ok(outcomes) => outcomes.iter().for_each(|(name, outcome)| tally.count(self.name, name, outcome)),
                Err(error) => tally.count(self.name, "boot", &Outcome::Failed(format!("{error:#}"))),
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::linux::LILLIPUT;
    use crate::options::Isolation;

    #[test]
    fn all_sides_but_one_are_there() {
        let missing: Vec<_> = LILLIPUT.iter().filter(|&&side| BOOTS.iter().all(|boot| boot.side != side)).collect();
        assert_eq!(missing.len(), 1);
        assert_eq!(missing[0].isolation, Some(Isolation::PageUntagged));
        assert!(BOOTS.iter().all(|boot| boot.name.contains(boot.side.architecture.word())));
    }
}
