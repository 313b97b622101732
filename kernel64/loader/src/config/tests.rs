use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use proptest::prelude::*;

use super::*;
use crate::mutate::{mutate, mutations, survivors};

fn problem(text: &str) -> (usize, Problem) {
    let error = Config::parse(text.as_bytes()).unwrap_err();
    (error.line, error.problem)
}

#[test]
fn a_configuration_is_read() {
    let text =
        "# boot\n\nscenario = workload + bench # both\r\n  small=200\nmask = 0xFf\ninstructions = yes\ntests = a,,b";
    let config = Config::parse(text.as_bytes()).unwrap();
    assert_eq!(config.get("scenario"), Some("workload + bench"));
    assert_eq!(config.words("scenario", '+').collect::<Vec<_>>(), ["workload", "bench"]);
    assert_eq!(config.words("tests", ',').collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(config.words("absent", ',').count(), 0);
    assert_eq!((config.number("small"), config.number("mask")), (Ok(Some(200)), Ok(Some(255))));
    assert_eq!((config.number("wide"), config.flag("wide")), (Ok(None), Ok(false)));
    assert_eq!(config.flag("instructions"), Ok(true));
    assert_eq!(config.choice("small", &["100", "200"]), Ok(Some("200")));
    assert_eq!(config.settings().count(), 5);
    assert_eq!(config.unknown(&["scenario", "small", "mask", "instructions", "tests"]), None);
    assert_eq!(config.unknown(&["scenario", "small", "tests"]), Some("mask"));
    assert_eq!(Config::parse(b"").unwrap().settings().count(), 0);
}

#[test]
fn mistakes_are_found_with_their_line() {
    assert_eq!(problem("a = 1\nb"), (2, Problem::NoEqualsSign));
    assert_eq!(problem("\n\n = 1"), (3, Problem::BadKey));
    assert_eq!(problem("A = 1"), (1, Problem::BadKey));
    assert_eq!(problem("a b = 1"), (1, Problem::BadKey));
    assert_eq!(problem("a = # nothing"), (1, Problem::NoValue));
    assert_eq!(problem("a = 1\nb = 2\na = 3"), (3, Problem::Duplicate));
    assert_eq!(Config::parse(b"a = 1\n\xff").unwrap_err().problem, Problem::NotText);
    let lines: String = (0..=MAX_KEYS).map(|n| format!("k{n} = 1\n")).collect();
    assert_eq!(problem(&lines), (MAX_KEYS + 1, Problem::TooMany));
    let error = ConfigError { line: 3, problem: Problem::NoValue };
    assert_eq!(error.to_string(), "configuration: line 3 has no value");
}

#[test]
fn values_of_the_wrong_kind_are_named() {
    let config = Config::parse(b"n = +1\nm = 0x\nl = 99999999999999999999\nk = -1\nj = 12a").unwrap();
    for key in ["n", "m", "l", "k", "j"] {
        assert_eq!(config.number(key).unwrap_err().expected, Expected::Number);
    }
    assert_eq!(config.number("n").unwrap_err().to_string(), "configuration: `n = +1`: expected a number");
    let error = config.flag("n").unwrap_err();
    assert_eq!(error.to_string(), "configuration: `n = +1`: expected one of `yes` `no`");
}

proptest! {
    #[test]
    fn random_bytes_do_no_harm(text in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(config) = Config::parse(&text) {
            for (key, value) in config.settings() {
                prop_assert_eq!(config.get(key), Some(value));
                let _ = (config.number(key), config.flag(key), config.words(key, ',').count());
            }
        }
    }

    /// Built from pieces that come near to being lines.
    #[test]
    fn near_misses_do_no_harm(pieces in proptest::collection::vec(
        prop::sample::select(vec!["a", "b", "=", " ", "\n", "#", "\r", "0x", "1", "é", "yes", "\t", ",", "\u{2003}"]), 0..80,
    )) {
        let text = pieces.concat();
        match Config::parse(text.as_bytes()) {
            Ok(config) => {
                for (key, value) in config.settings() {
                    prop_assert!(!key.is_empty() && value == value.trim() && !value.is_empty());
                    let _ = (config.number(key), config.flag(key));
                }
            }
            Err(error) => {
                let line = text.split('\n').nth(error.line - 1);
                prop_assert!(line.is_some_and(|line| !line.trim().is_empty()));
            }
        }
    }

    #[test]
    fn what_was_written_is_read(settings in proptest::collection::btree_map("[a-z0-9_-]{1,8}", "[!-\"$-~]{1,12}", 0..MAX_KEYS)) {
        let text: String = settings.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        let config = Config::parse(text.as_bytes()).unwrap();
        let read: Vec<_> = config.settings().collect();
        let written: Vec<_> = settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        prop_assert_eq!(read, written);
    }
}

const REAL: &str =
    "scenario = workload+bench\ntests = all\nisolation = auto\nunenforced = allow\nsmall = 0x40\n# end\n";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn mutated_configurations_do_no_harm(mutations in mutations()) {
        let mut text = REAL.as_bytes().to_vec();
        mutate(&mut text, &mutations);
        if let Ok(config) = Config::parse(&text) {
            for (key, value) in config.settings() {
                prop_assert_eq!(config.get(key), Some(value));
                prop_assert!(!key.is_empty() && value == value.trim() && !value.is_empty());
                let _ = (config.number(key), config.flag(key), config.words(key, '+').count());
            }
        }
    }
}

#[test]
fn mutated_configurations_are_not_all_refused() {
    let good = survivors(REAL.as_bytes(), |text| Config::parse(text).is_ok());
    assert!((50..950).contains(&good), "{good} of 1000");
}
