//! Lays rows out as text.

use serde_json::Number;

use super::Row;

/// Headings of the columns, in two lines, and whether the column is text (left) or a number (right).
const COLUMNS: [(&str, &str, bool); 16] = [
    ("", "operation", true),
    ("", "from -> to", true),
    ("", "words", false),
    ("", "isolation", true),
    ("kernel", "instructions", false),
    ("user", "instructions", false),
    ("TSC", "ticks", false),
    ("CR3", "writes", false),
    ("segment", "loads", false),
    ("instructions", "/ page", false),
    ("ticks", "/ page", false),
    ("counted", "instructions", false),
    ("core", "cycles", false),
    ("walks", "data", false),
    ("walks", "code", false),
    ("cache", "misses", false),
];
/// The last of them are of performance counters, and left out where there are none.
const COUNTED: usize = 5;

/// Space between two columns.
const GAP: &str = "  ";

/// The rows as aligned lines under their headings.
pub fn render(rows: &[Row]) -> String {
    let mut lines = vec![COLUMNS.map(|(over, _, _)| over.to_owned()), COLUMNS.map(|(_, under, _)| under.to_owned())];
    lines.extend(rows.iter().map(|row| cells(row, rows)));
    let mut widths = [0; COLUMNS.len()];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let rule = widths.map(|width| "-".repeat(width));
    lines.insert(2, rule);
    let shown = COLUMNS.len() - if rows.iter().all(|row| row.core_cycles.is_none()) { COUNTED } else { 0 };
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().zip(widths).zip(COLUMNS).take(shown).map(|((cell, width), (_, _, left))| match left {
            true => format!("{cell:<width$}"),
            false => format!("{cell:>width$}"),
        });
        text.push_str(cells.collect::<Vec<_>>().join(GAP).trim_end());
        text.push('\n');
    }
    text
}

fn cells(row: &Row, rows: &[Row]) -> [String; COLUMNS.len()] {
    let page = rows.iter().find(|other| other.same_but_isolation(row) && other.isolation.as_deref() == Some("page"));
    let ratio = |field: fn(&Row) -> &Option<Number>| {
        let (own, base) = (field(row).as_ref()?.as_f64()?, field(page?).as_ref()?.as_f64()?);
        (base > 0.0).then(|| format!("{:.2}", own / base))
    };
    let dash = || "-".to_owned();
    [
        row.name.clone(),
        format!("{} -> {}", row.from, row.to),
        row.words.to_string(),
        isolation(row),
        number(&row.instructions),
        number(&row.user_instructions),
        number(&row.ticks),
        number(&row.cr3_writes),
        number(&row.segment_loads),
        ratio(|row| &row.instructions).unwrap_or_else(dash),
        ratio(|row| &row.ticks).unwrap_or_else(dash),
        number(&row.counted_instructions),
        number(&row.core_cycles),
        number(&row.data_walks),
        number(&row.code_walks),
        number(&row.cache_misses),
    ]
}

/// A figure of a mode that was not enforced never stands without that word.
fn isolation(row: &Row) -> String {
    match row.isolation.as_deref() {
        Some("segment") if row.limits_enforced != Some(true) => "segment UNENFORCED".to_owned(),
        Some(mode) => mode.to_owned(),
        None => "-".to_owned(),
    }
}

fn number(value: &Option<Number>) -> String {
    match value {
        Some(number) if number.is_f64() => format!("{:.1}", number.as_f64().unwrap_or_default()),
        Some(number) => number.to_string(),
        None => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::tests::row;
    use super::*;

    #[test]
    fn aligns_and_compares() {
        let rows = [
            Row {
                instructions: Some(100.into()),
                ticks: Some(50.into()),
                limits_enforced: Some(false),
                ..row("call", 4, Some("segment"))
            },
            Row { instructions: Some(125.into()), ticks: Some(200.into()), ..row("call", 4, Some("page")) },
            row("null call", 0, None),
        ];
        let text = render(&rows);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 6);
        assert!(lines[3].contains("segment UNENFORCED") && lines[3].contains("0.80") && lines[3].ends_with("0.25"));
        assert!(lines[4].ends_with("1.00"));
        let end = |line: &str, word: &str| line.find(word).map(|start| start + word.len());
        assert_eq!(end(lines[3], " 100"), end(lines[4], " 125"), "numbers are aligned to the right");
        assert!(lines[5].ends_with('-'));
    }

    #[test]
    fn performance_counters_have_columns_where_there_are_any() {
        let row = || row("call", 4, Some("page"));
        assert!(!render(&[row()]).contains("cycles"));
        let counted = Row { core_cycles: Some(190.into()), data_walks: Some(3.into()), ..row() };
        let text = render(&[counted, row()]);
        let words: Vec<_> =
            text.lines().map(|line| line.split_whitespace().rev().take(5).collect::<Vec<_>>()).collect();
        assert_eq!(words[1][..2], ["misses", "code"]);
        assert_eq!((&words[3][..], &words[4][..]), (&["-", "-", "3", "190", "-"][..], &["-"; 5][..]));
    }
}
