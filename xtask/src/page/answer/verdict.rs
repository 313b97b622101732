//! How two compare over many points.

use crate::figures::Figure;

/// What usual figures and ranges are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Prices of a model.
    Prices,
    /// Rounds that a clock measured: medians, and what nine in ten rounds of both sides allow.
    Rounds,
}

impl Basis {
    const fn usual(self) -> &'static str {
        match self {
            Self::Prices => "usual prices",
            Self::Rounds => "medians",
        }
    }
}

/// Points counted by sign, of figures that are more than zero where the one in question is ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// All points.
    pub points: usize,
    /// Where the usual figure is more than zero, and where the whole range is.
    ahead: [usize; 2],
    /// The same of less than zero.
    behind: [usize; 2],
}

impl Verdict {
    /// Of these, if there are any.
    pub fn of(figures: impl Iterator<Item = Figure>) -> Option<Self> {
        let mut verdict = Self { points: 0, ahead: [0; 2], behind: [0; 2] };
        for figure in figures {
            verdict.points += 1;
            let (low, usual, high) = (figure.low(), figure.usual(), figure.high());
            let ahead = [usual > 0.0, low > 0.0];
            let behind = [usual < 0.0, high < 0.0];
            for (count, is) in verdict.ahead.iter_mut().chain(&mut verdict.behind).zip(ahead.into_iter().chain(behind))
            {
                *count += usize::from(is);
            }
        }
        (verdict.points > 0).then_some(verdict)
    }

    /// The answer in a word or two.
    pub fn word(&self, basis: Basis) -> &'static str {
        let Self { points, ahead: [ahead, surely_ahead], behind: [behind, surely_behind] } = *self;
        if surely_ahead == points {
            "yes"
        } else if surely_behind == points {
            "no"
        } else if surely_ahead + surely_behind == 0 {
            "not shown"
        } else if ahead == points {
            if basis == Basis::Prices { "yes, by usual prices" } else { "yes, by medians" }
        } else if behind == points {
            if basis == Basis::Prices { "no, by usual prices" } else { "no, by medians" }
        } else {
            "it depends"
        }
    }

    /// The same, as it was counted.
    pub fn words(&self, basis: Basis) -> String {
        let Self { points, ahead, behind } = *self;
        let by = basis.usual();
        let side = |word: &str, [usual, surely]: [usize; 2]| match (usual, surely) {
            (0, _) => None,
            (_, surely) if surely == points => Some(match basis {
                Basis::Prices => format!("{word} at each, whatever the prices are within their ranges"),
                Basis::Rounds => format!("{word} at each, and in nine of ten rounds"),
            }),
            (usual, surely) => {
                let at = if usual == points { format!("at each by {by}") } else { format!("at {usual} by {by}") };
                let sure = match surely {
                    0 => "at none of them with its whole range".to_owned(),
                    surely => format!("at {surely} of them with its whole range"),
                };
                Some(format!("{word} {at}, {sure}"))
            }
        };
        let sides: Vec<_> = [side("ahead", ahead), side("behind", behind)].into_iter().flatten().collect();
        if sides.is_empty() { "even with it".to_owned() } else { sides.join("; ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(figures: &[(f64, f64, f64)]) -> Verdict {
        Verdict::of(figures.iter().map(|&(low, usual, high)| Figure::Range { low, usual, high })).unwrap()
    }

    #[test]
    fn words_follow_the_ranges() {
        let (sure, likely, even) = ((1.0, 2.0, 3.0), (-1.0, 2.0, 3.0), (0.0, 0.0, 0.0));
        let (unlikely, never) = ((-3.0, -2.0, 1.0), (-3.0, -2.0, -1.0));
        let word = |figures: &[(f64, f64, f64)]| verdict(figures).word(Basis::Prices);
        assert_eq!((word(&[sure, sure]), word(&[never, never])), ("yes", "no"));
        assert_eq!((word(&[sure, likely]), word(&[never, unlikely])), ("yes, by usual prices", "no, by usual prices"));
        assert_eq!([word(&[likely, likely]), word(&[unlikely, likely]), word(&[even])], ["not shown"; 3]);
        assert_eq!([word(&[sure, never]), word(&[sure, unlikely]), word(&[sure, even])], ["it depends"; 3]);
        assert_eq!(verdict(&[sure, likely]).word(Basis::Rounds), "yes, by medians");
        assert_eq!(Verdict::of(std::iter::empty()), None);
    }

    #[test]
    fn counts_are_told() {
        let words = verdict(&[(1.0, 2.0, 3.0), (-1.0, 2.0, 3.0), (-3.0, -2.0, -1.0)]).words(Basis::Prices);
        assert_eq!(
            words,
            "ahead at 2 by usual prices, at 1 of them with its whole range; behind at 1 by usual prices, at 1 of them with its whole range"
        );
        assert_eq!(verdict(&[(0.0, 0.0, 0.0)]).words(Basis::Prices), "even with it");
        assert_eq!(
            verdict(&[(-1.0, 2.0, 3.0); 2]).words(Basis::Prices),
            "ahead at each by usual prices, at none of them with its whole range"
        );
        assert_eq!(verdict(&[(1.0, 2.0, 3.0)]).words(Basis::Rounds), "ahead at each, and in nine of ten rounds");
        assert_eq!(
            verdict(&[(-3.0, -2.0, 1.0)]).words(Basis::Rounds),
            "behind at each by medians, at none of them with its whole range"
        );
    }
}
