//! Which path a record is about.

use lilliput_model::Record;

use crate::report::Row;

/// A path, as the guest names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path<'a> {
    /// The operation.
    pub name: &'a str,
    /// Kind of the task that it starts from.
    pub from: &'a str,
    /// Of the one that it goes to.
    pub to: &'a str,
    /// Message words.
    pub words: u32,
    /// The mode of small tasks, where there are some.
    pub isolation: Option<&'a str>,
}

impl<'a> Path<'a> {
    /// The path of a record of the scenario `bench`.
    pub fn of(record: &'a Record) -> Option<Self> {
        let case = &record.case;
        let ends = [case["from"].as_str()?, case["to"].as_str()?];
        // The second way is the answer, which goes the other way.
        let [from, to] = if record.way == 0 { ends } else { [ends[1], ends[0]] };
        let name = case["ways"][record.way].as_str()?;
        Some(Self { name, from, to, words: record.batch.parse().ok()?, isolation: case["isolation"].as_str() })
    }

    /// Whether a row is about it.
    pub fn is(&self, row: &Row) -> bool {
        let ends = (row.name.as_str(), row.from.as_str(), row.to.as_str(), row.words);
        ends == (self.name, self.from, self.to, self.words) && row.isolation.as_deref() == self.isolation
    }
}

/// A path's name for people.
pub fn name(path: &Path) -> String {
    let mode = path.isolation.map(|mode| format!(", {mode}")).unwrap_or_default();
    format!("{} {} -> {}, {} words{mode}", path.name, path.from, path.to, path.words)
}

#[cfg(test)]
pub mod tests {
    use lilliput_model::count::Counts;

    use super::*;
    use crate::report::tests::row;

    /// A record of a call of a small task to the host, of so many words.
    pub fn record(way: usize, batch: &str) -> Record {
        let case =
            serde_json::json!({"ways": ["call", "reply"], "from": "small", "to": "host", "isolation": "segment"});
        let counts = Counts::default();
        Record { case, batch: batch.to_owned(), way, rounds: 9, alike: 9, counts, modelled: Vec::new(), walk: None }
    }

    #[test]
    fn the_answer_goes_the_other_way() {
        let (call, reply) = (record(0, "04"), record(1, "04"));
        let (call, reply) = (Path::of(&call).unwrap(), Path::of(&reply).unwrap());
        assert!(call.is(&row("call", 4, Some("segment"))) && !call.is(&row("call", 1, Some("segment"))));
        assert!(!reply.is(&row("reply", 4, Some("segment"))), "that one goes from small to host");
        assert_eq!(name(&reply), "reply host -> small, 4 words, segment");
        assert_eq!(Path::of(&record(2, "04")), None);
    }
}
