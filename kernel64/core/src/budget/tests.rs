use proptest::prelude::*;

use super::*;

/// A tick is a microsecond.
const CLOCK: Clock = Clock { start: 0, kilohertz: 1000 };

fn budget(time: u32, period: u32) -> Budget {
    Budget::new(Share::new(time, period).unwrap(), CLOCK, 0)
}

#[test]
fn a_share_is_neither_too_small_nor_more_than_all() {
    for (time, period) in [(0, 1000), (1000, 0), (99, 1000), (100, 999), (1001, 1000)] {
        assert_eq!(Share::new(time, period), Err(Error::BadArgument), "{time} of {period}");
    }
    assert_eq!(Share::new(0, 0), Ok(Share::ALL));
}

#[test]
fn a_share_covers_what_is_less_at_once_and_in_the_long_run() {
    let share = |time, period| Share::new(time, period).unwrap();
    let tenth = share(1000, 10_000);
    for (other, covered) in [
        (tenth, true),
        (share(1000, 10_001), true),
        (share(1000, 9_999), false),
        (share(1001, 10_010), false),
        (share(500, 5000), true),
        (share(501, 5000), false),
        (share(u32::MAX, u32::MAX), false),
        (Share::ALL, false),
    ] {
        assert_eq!((tenth.covers(other), Share::ALL.covers(other)), (covered, true), "{other:?}");
    }
}

#[test]
fn what_is_not_bounded_has_no_end() {
    let mut budget = Budget::new(Share::ALL, CLOCK, 5);
    budget.charge(1 << 62, 1 << 62);
    assert_eq!((budget.is_used_up(), budget.end(7)), (false, NEVER));
    assert_eq!(budget, Budget { over: 5, ..Budget::default() });
}

#[test]
fn a_debt_is_paid_by_the_periods_that_follow() {
    let mut budget = budget(100, 1000);
    budget.charge(40, 40);
    assert_eq!((budget.is_used_up(), budget.end(50)), (false, 110));
    budget.charge(60, 100);
    assert_eq!((budget.is_used_up(), budget.end(100), budget.renewal()), (true, 100, 1000));
    budget.charge(250, 350);
    assert_eq!(budget.renewal(), 3000);
    budget.charge(0, 2999);
    assert!(budget.is_used_up());
    budget.charge(0, 3000);
    assert_eq!((budget.is_used_up(), budget.end(3000), budget.over), (false, 3050, 4000));
}

#[test]
fn a_change_gives_back_nothing() {
    let mut changed = budget(100, 1000);
    changed.charge(300, 300);
    changed.change(Budget::new(Share::new(500, 1000).unwrap(), CLOCK, 300), 300);
    assert_eq!((changed.left, changed.time, changed.over), (-200, 500, 1300));
    let mut new = Budget::default();
    new.change(budget(100, 1000), 0);
    assert_eq!(new, budget(100, 1000));
}

#[test]
fn a_change_takes_nothing_back_that_was_due() {
    let mut changed = budget(100, 1000);
    changed.charge(100, 100);
    changed.change(Budget::new(Share::new(500, 1000).unwrap(), CLOCK, 2500), 2500);
    assert_eq!((changed.left, changed.over), (100, 3500));
}

proptest! {
    /// Whoever runs until its budget is used up, and then not until it is renewed, has its share, and nobody more.
    #[test]
    fn a_share_is_kept(
        (time, period) in (1000..20_000_u32).prop_flat_map(|period| (100..=period, Just(period))),
        overruns in proptest::collection::vec(0..50_000_u64, 1..50),
    ) {
        let (mut budget, mut now, mut used) = (budget(time, period), 0, 0);
        for overrun in overruns {
            // What is not used of a period is lost with it: so that it was not, it is used from the beginning.
            let end = budget.end(now) + overrun;
            used += end - now;
            budget.charge(end - now, end);
            now = end;
            if budget.is_used_up() {
                now = budget.renewal();
                prop_assert!(now > end);
                budget.charge(0, now);
            }
            prop_assert!(!budget.is_used_up() && budget.left <= i64::from(time));
            let periods = now / u64::from(period) + 1;
            prop_assert!(used < periods * u64::from(time), "{used} in {periods} periods");
        }
    }
}
