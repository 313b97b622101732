//! What tasks measured by themselves, for each real machine. What an emulator measures says what emulation costs: that is all that is said of it.

use super::each::{cheapest, ends, from_to, rows, usual, values_of};
use super::verdict::{Basis, Verdict};
use super::{Sentence, is_emulated, span};
use crate::figures::{Experiment, Row};

/// Other ways than small tasks in `segment` mode, with which those are compared: client and server, isolation mode, and their name.
const OTHERS: [([&str; 3], &str); 4] = [
    (["small", "small", "page-untagged"], "small tasks in page tables, with a TLB that is flushed at each switch"),
    (["small", "small", "page"], "small tasks in page tables"),
    (["64", "64", "-"], "64-bit tasks"),
    (["small", "host", "segment"], "a small task and its arena's host"),
];

/// How small tasks in `segment` mode do against others, for each machine.
pub fn against_each(experiment: &Experiment) -> Vec<Sentence> {
    each(experiment, |platform| {
        let mut said = against(experiment, platform);
        for Sentence { about, .. } in &mut said {
            *about = format!("Measured on {platform}, {}", about.replacen('A', "a", 1));
        }
        said
    })
}

/// The same for one of them.
pub fn against(experiment: &Experiment, platform: &str) -> Vec<Sentence> {
    let others = OTHERS.iter().filter_map(|&(ends, name)| {
        let is = |row: &&Row| ["from", "to", "isolation"].iter().zip(ends).all(|(key, value)| row.is(key, value));
        let rows = || experiment.rows.iter().filter(|row| row.platform == platform).filter(is);
        let verdict = Verdict::of(rows().filter_map(|row| row.figures.get("over_segment").copied()))?;
        let percent = span(rows().filter_map(|row| row.figures.get("over_segment_percent").copied()))?;
        let tags = if ends[2] == "page-untagged" || ends[1] == "host" { "" } else { tags(platform) };
        let text = format!(
            "of {} points, segments are {}. A round takes {percent} there (medians).",
            verdict.points,
            verdict.words(Basis::Rounds)
        );
        Some(Sentence { about: format!("Against {name}{tags}"), word: Some(verdict.word(Basis::Rounds)), text })
    });
    others.collect()
}

fn tags(platform: &str) -> &'static str {
    if platform.contains("no PCID") { ", whose TLB entries have no tags" } else { ", with a tagged TLB" }
}

/// How many times the ticks of rows with one value of a key those with another take, all else being the same; for each of these keys with its value.
pub fn beside(experiment: &Experiment, keys: &[(&str, &str)]) -> Vec<Sentence> {
    each(experiment, |platform| {
        keys.iter().flat_map(|&(key, first)| ratios(experiment, platform, key, first)).collect()
    })
}

fn ratios(experiment: &Experiment, platform: &str, key: &str, first: &str) -> Vec<Sentence> {
    let here = || experiment.rows.iter().filter(|row| row.platform == platform && row.keys.contains_key(key));
    let is_first = |row: &Row| row.keys[key].to_string() == first;
    let is_known = |row: &Row| row.keys[key].to_string() != "-";
    let values = values_of(here().filter(|row| !is_first(row) && is_known(row)), key);
    let others = values.into_iter().filter_map(|value| {
        let of_value = here().filter(|row| row.keys[key].to_string() == value);
        let ratios = of_value.filter_map(|row| {
            let alike = |other: &&Row| {
                is_first(other)
                    && other.keys.iter().all(|(name, value)| name == key || row.keys.get(name) == Some(value))
            };
            Some(usual(row, "ticks")? / usual(here().find(alike)?, "ticks")?)
        });
        let ratios: Vec<_> = ratios.collect();
        let text = format!("{} times the ticks, over {}.", from_to(ends(ratios.iter().copied())?), rows(ratios.len()));
        Some(Sentence::plain(&format!("Measured on {platform}, {key}: {value} against {first}"), text))
    });
    others.collect()
}

/// Which way takes the fewest ticks for each size.
pub fn messages(experiment: &Experiment) -> Vec<Sentence> {
    let of = |platform: &str| {
        let between = |row: &Row| ["from", "to", "isolation", "arenas"].map(|key| row.keys.get(key).cloned());
        let here = || experiment.rows.iter().filter(|row| row.platform == platform);
        let mut all = Vec::new();
        here().map(between).for_each(|one| {
            if !all.contains(&one) {
                all.push(one)
            }
        });
        let said = all.iter().filter_map(|one| {
            let of_one: Vec<_> = here().filter(|row| between(row) == *one).collect();
            let [from, to, isolation, arenas] =
                one.clone().map(|key| key.map_or("-".to_owned(), |key| key.to_string()));
            let mode = if isolation == "-" { String::new() } else { format!(" in {isolation} mode") };
            let arenas = if arenas == "2" { ", of two arenas" } else { "" };
            let about = format!("Fewest ticks on {platform}, {from} to {to}{mode}{arenas}");
            Some(Sentence::plain(&about, format!("{}.", cheapest(&of_one, "way", "ticks")?)))
        });
        said.collect()
    };
    each(experiment, of)
}

/// What is said of each machine; of one that is emulated, that it is.
fn each(experiment: &Experiment, of: impl Fn(&str) -> Vec<Sentence>) -> Vec<Sentence> {
    let said = experiment.platforms().into_iter().map(|platform| match is_emulated(platform) {
        false => of(platform),
        true => {
            let text = "nothing is made of its ticks: they say what emulation costs, and nothing about a processor.";
            vec![Sentence::plain(platform, text.to_owned())]
        }
    });
    said.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::super::{in_short, sentences};
    use super::*;
    use crate::figures::{Figures, Limits};

    fn told(said: Vec<Sentence>) -> Vec<String> {
        said.into_iter().map(|said| format!("{}: {}: {}", said.about, said.word.unwrap_or("-"), said.text)).collect()
    }

    /// A log as a machine sends it, made by hand: no processor took these ticks, and its name says so. Rounds of two points in `segment` mode take 100 and 200 ticks, and in `page` mode so many.
    fn made_by_hand(platform: &str, tags: &str, page: [u32; 2]) -> Figures {
        let mut log = format!(
            "[  0.012] platform: {platform}, BIOS\r\n[  0.019] isolation: auto means segment; page-table roots {tags}\r\n"
        );
        log += "root: cycles: one way, in counts of the TSC (2000.000 MHz)\r\ncycles: processor: Made by hand\r\n";
        log += r#"@row {"name":"call","from":"small","to":"small","words":4,"isolation":"page","ticks":300,"ticks_min":290,"ticks_p90":310,"ticks_p99":400,"limits_enforced":true}"#;
        for (isolation, ticks) in [("segment", [100, 200]), ("page", page)] {
            for (batch, median) in ["000000", "016000"].into_iter().zip(ticks) {
                let [least, p90, p99] = [median - 10, median + 10, median + 900];
                log += &format!(
                    "\r\n@clock {{\"scenario\":\"crossover\",\"case\":{{\"from\":\"small\",\"to\":\"small\",\"isolation\":\"{isolation}\",\"tasks\":2}},\"batch\":\"{batch}\",\"clock\":\"ticks\",\
                     \"rounds\":64,\"nothing\":9,\"least\":{least},\"median\":{median},\"p90\":{p90},\"p99\":{p99},\"limits_enforced\":true}}"
                );
            }
        }
        Figures::parse_log(&log, Some("desk")).unwrap()
    }

    #[test]
    fn a_machine_s_log_chooses_the_first_words() {
        let (real, tagged, untagged) = ("no hypervisor known", "tagged by PCID", "not tagged: no PCID");
        let ahead = made_by_hand(real, tagged, [150, 240]);
        let machine = "desk: Made by hand, counter 2000.000 MHz";
        let against = "against small tasks in page tables, with a tagged TLB";
        assert_eq!(in_short(&ahead), [format!("Measured on {machine}: yes, {against}.")]);
        let first = format!(
            "Measured on {machine}, {against}: yes: of 2 points, segments are ahead at each, and in nine of ten rounds. A round takes 20 to 50 % more there (medians)."
        );
        let last = format!("Measured on real processors as well: -: {machine}.");
        assert_eq!(told(sentences(&ahead)), [first, last]);
        let short = |log: Figures| in_short(&log).concat();
        assert!(short(made_by_hand(real, tagged, [150, 100])).contains(": it depends, "));
        assert!(short(made_by_hand(real, tagged, [95, 150])).contains(": no, by medians, "));
        assert!(
            short(made_by_hand(real, untagged, [150, 240]))
                .contains("no PCID: yes, against small tasks in page tables, whose TLB entries have no tags.")
        );
    }

    #[test]
    fn of_an_emulator_s_ticks_nothing_is_made() {
        for emulator in ["QEMU TCG", "Bochs"] {
            let figures = made_by_hand(emulator, "tagged by PCID", [150, 240]);
            let said = told(sentences(&figures));
            assert!(in_short(&figures).is_empty() && said.len() == 2, "{said:?}");
            assert!(said[0].contains("MHz, EMULATED: -: nothing is made of its ticks"), "{said:?}");
            assert!(said[1].contains("real processor: -: no figure here"), "{said:?}");
        }
    }

    #[test]
    fn ways_are_compared_where_all_else_is_the_same() {
        let row = |to: &str, by: &str, ticks: u64| {
            Row::new("Ryzen", Limits::NotUsed).key("to", to).key("rings", by).figure("ticks", ticks)
        };
        let rows = [
            row("64", "by calls", 100),
            row("64", "by rings", 50),
            row("small", "by calls", 10),
            row("small", "by rings", 20),
            row("host", "by rings", 1),
        ];
        let experiment = Experiment::new("files-clocked", "", &["to", "rings"]).rows(rows);
        assert_eq!(
            told(beside(&experiment, &[("rings", "by calls")])),
            ["Measured on Ryzen, rings: by rings against by calls: -: 0.5 to 2 times the ticks, over 2 rows."]
        );
    }
}
