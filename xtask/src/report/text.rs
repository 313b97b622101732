//! Tables as text.

/// What a table has in place of the cost of something that there is not.
pub const ABSENT: &str = "not available";

/// Lines of cells in columns, the first line being the heading: what is a number in every line but that is aligned to the right.
pub fn text_table(lines: Vec<Vec<String>>) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let cell = |line: &Vec<String>, column: usize| line.get(column).cloned().unwrap_or_default();
    let widths: Vec<_> = (0..columns)
        .map(|column| lines.iter().map(|line| cell(line, column).chars().count()).max().unwrap_or(0))
        .collect();
    let is_number = |text: String| ["-", ABSENT].contains(&&*text) || text.replace(',', "").parse::<f64>().is_ok();
    let right: Vec<_> =
        (0..columns).map(|column| lines[1..].iter().all(|line| is_number(cell(line, column)))).collect();
    let rule = widths.iter().map(|&width| "-".repeat(width)).collect();
    let (heading, rest) = lines.split_at(1.min(lines.len()));
    let mut text = String::new();
    for line in heading.iter().chain([&rule]).chain(rest) {
        let cells = (0..columns).map(|column| match right[column] {
            true => format!("{:>width$}", cell(line, column), width = widths[column]),
            false => format!("{:<width$}", cell(line, column), width = widths[column]),
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}
