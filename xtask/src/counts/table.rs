//! Counts and modelled cycles as text.

use lilliput_model::processor::Cycles;
use lilliput_model::{Class, PROCESSORS, Record};

use super::Path;
use crate::report::text_table;

/// What is counted, a line for each path: exact.
pub fn counts(records: &[Record]) -> String {
    let heading = [
        "operation",
        "from -> to",
        "words",
        "isolation",
        "kernel",
        "user",
        "loads",
        "stores",
        "pages",
        "code k+u",
        "data k+u",
        "classes",
    ];
    let lines = records.iter().filter_map(|record| {
        let counts = &record.counts;
        let (user, kernel) = (&counts.user, &counts.kernel);
        let mut cells = path(record)?;
        cells.extend([kernel.instructions, user.instructions].map(|count| count.to_string()));
        cells.extend(
            [kernel.loads + user.loads, kernel.stores + user.stores, counts.pages].map(|count| count.to_string()),
        );
        cells.push(format!("{}+{}", kernel.code_lines, user.code_lines));
        cells.push(format!("{}+{}", kernel.data_lines, user.data_lines));
        cells.push(classes(record));
        Some(cells)
    });
    text_table([heading.map(str::to_owned).to_vec()].into_iter().chain(lines).collect())
}

/// What processors would make of them: walks of page tables and cycles, usual and range. Modelled.
pub fn modelled(records: &[Record]) -> String {
    let mut heading = ["operation", "from -> to", "words", "isolation"].map(str::to_owned).to_vec();
    heading.extend(PROCESSORS.iter().map(|processor| processor.title.to_owned()));
    let lines = records.iter().filter_map(|record| {
        let mut cells = path(record)?;
        for processor in PROCESSORS {
            let modelled = record.on(processor.name, tagged(record, processor.tags))?;
            let walks = record.walks(modelled);
            let walks = if walks > 0.0 { format!(", {walks:.1} walks") } else { String::new() };
            cells.push(format!("{}{walks}", cycles(modelled.cycles.total())));
        }
        Some(cells)
    });
    text_table([heading].into_iter().chain(lines).collect())
}

/// Whether a processor uses tags there: where it has them, and unless the mode forbids it.
pub fn tagged(record: &Record, has_tags: bool) -> bool {
    has_tags && record.case["isolation"].as_str() != Some("page-untagged")
}

/// Cycles as `usual (low-high)`.
pub fn cycles(cycles: Cycles) -> String {
    format!("{:.0} ({:.0}-{:.0})", cycles.usual, cycles.low, cycles.high)
}

fn path(record: &Record) -> Option<Vec<String>> {
    let Path { name, from, to, words, isolation } = Path::of(record)?;
    let isolation = isolation.unwrap_or("-").to_owned();
    Some(vec![name.to_owned(), format!("{from} -> {to}"), words.to_string(), isolation])
}

fn classes(record: &Record) -> String {
    let counts = &record.counts;
    let mut words: Vec<_> = Class::ALL
        .into_iter()
        .filter(|&class| counts.class(class) > 0)
        .map(|class| match counts.class(class) {
            1 => class.word().to_owned(),
            count => format!("{count} {}", class.word()),
        })
        .collect();
    if counts.descriptor_stores > 0 {
        words.push(format!("{} descriptors", counts.descriptor_stores));
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts::record::tests::record;

    #[test]
    fn classes_are_named_once() {
        let mut record = record(0, "04");
        record.counts.classes[Class::Syscall as usize] = 1;
        record.counts.classes[Class::SegmentLoad as usize] = 4;
        record.counts.descriptor_stores = 2;
        assert_eq!(classes(&record), "4 mov sreg, syscall, 2 descriptors");
        assert!(counts(&[record]).contains("call"));
    }

    #[test]
    fn a_mode_without_tags_has_none() {
        let mut record = record(0, "04");
        assert!(tagged(&record, true) && !tagged(&record, false));
        record.case["isolation"] = "page-untagged".into();
        assert!(!tagged(&record, true));
    }
}
