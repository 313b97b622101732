//! Which isolation mode a new small space gets.

use lilliput_abi::{Error, Isolation};

/// Tasks that need keep no secrets from each other have the same trust domain; their creator says which.
///
/// A segment limit is not assumed to stop speculative reads of other slots that the same root maps. So spaces
/// of two domains are never in `segment` mode in one arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustDomain(pub u64);

/// Decides the mode in force, which is never [`Isolation::Auto`].
///
/// `segment` needs limits that this CPU enforces, or else the word of whoever configured the boot
/// (`unenforced_allowed`), which `auto` never takes for an invitation. `arena` is the domain of those that are in
/// `segment` mode in the arena already, `task` that of the new space.
pub fn choose(
    requested: Isolation,
    limits_enforced: bool,
    unenforced_allowed: bool,
    arena: Option<TrustDomain>,
    task: TrustDomain,
) -> Result<Isolation, Error> {
    let trusted = arena.is_none_or(|domain| domain == task);
    match requested {
        Isolation::Page | Isolation::PageUntagged => Ok(requested),
        Isolation::Auto if limits_enforced && trusted => Ok(Isolation::Segment),
        Isolation::Auto => Ok(Isolation::Page),
        Isolation::Segment if !limits_enforced && !unenforced_allowed => Err(Error::Unsupported),
        Isolation::Segment if !trusted => Err(Error::Occupied),
        Isolation::Segment => Ok(Isolation::Segment),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that can be asked: (requested, enforced, allowed, arena's domain) for a task of domain 1.
    fn all() -> impl Iterator<Item = (Isolation, bool, bool, Option<TrustDomain>)> {
        let requests = (0..4).map(|number| Isolation::from_number(number).unwrap());
        requests.flat_map(|requested| {
            (0..12).map(move |n| (requested, n & 1 != 0, n & 2 != 0, [None, Some(1), Some(2)][n / 4].map(TrustDomain)))
        })
    }

    #[test]
    fn segment_mode_only_where_it_confines_or_was_asked_for() {
        for (requested, enforced, allowed, arena) in all() {
            let chosen = choose(requested, enforced, allowed, arena, TrustDomain(1));
            assert_ne!(chosen, Ok(Isolation::Auto));
            if chosen == Ok(Isolation::Segment) {
                assert!(enforced || allowed && requested == Isolation::Segment);
                assert_ne!(arena, Some(TrustDomain(2)), "two domains in one root");
            }
        }
    }

    #[test]
    fn every_answer_is_the_one_documented() {
        for (requested, enforced, allowed, arena) in all() {
            let stranger = arena == Some(TrustDomain(2));
            let expected = match (requested, enforced || allowed, stranger) {
                (Isolation::Page | Isolation::PageUntagged, ..) => Ok(requested),
                (Isolation::Auto, _, stranger) if enforced && !stranger => Ok(Isolation::Segment),
                (Isolation::Auto, ..) => Ok(Isolation::Page),
                (Isolation::Segment, false, _) => Err(Error::Unsupported),
                (Isolation::Segment, true, true) => Err(Error::Occupied),
                (Isolation::Segment, true, false) => Ok(Isolation::Segment),
            };
            assert_eq!(choose(requested, enforced, allowed, arena, TrustDomain(1)), expected);
        }
    }
}
