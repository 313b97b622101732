//! What a plot shows: rows of an experiment, sorted into panels, series and points.

use crate::figures::{Experiment, Figure, Key, Limits, Plot, Row, Shape, bytes};

/// One of a plot's panels.
#[derive(Debug, PartialEq)]
pub struct Panel {
    /// Values of the keys that tell it from the others.
    pub title: String,
    /// What lies along the axis of `x`, in order.
    pub x: Vec<String>,
    /// What is drawn, in the order of colours: series that all panels have, some perhaps without points here.
    pub series: Vec<Series>,
}

/// A line, or bars of one colour.
#[derive(Debug, PartialEq)]
pub struct Series {
    /// Its name.
    pub name: String,
    /// Its points, in the order of `x`.
    pub points: Vec<Point>,
}

/// A point: which of `x`, and a figure for each of the plot's columns.
#[derive(Debug, PartialEq)]
pub struct Point {
    /// Place in [`Panel::x`].
    pub x: usize,
    /// Figures, in the order of the plot's columns. A column that was not measured has none.
    pub figures: Vec<Option<Figure>>,
}

/// All panels of a plot.
pub fn panels(experiment: &Experiment, plot: &Plot) -> Vec<Panel> {
    let measured = |row: &Row| plot.y.iter().any(|column| row.figures.contains_key(column));
    let wanted = |row: &&Row| chosen(plot, row) && measured(row);
    let rows: Vec<_> = experiment.rows.iter().filter(wanted).collect();
    let platforms = distinct(rows.iter().map(|row| &row.platform));
    let plain = |row: &Row| match (words(row, &plot.panels), platforms.len()) {
        (values, ..=1) => values,
        (values, _) if values.is_empty() => row.platform.clone(),
        (values, _) => format!("{values}, {}", row.platform),
    };
    // Where whole panels are of what is not enforced, they say so, and not their series, which have the same name and colour in all of them.
    let unenforced = |row: &Row| row.limits == Limits::Unenforced;
    let alike =
        |row: &&Row| rows.iter().all(|other| plain(other) != plain(row) || unenforced(other) == unenforced(row));
    let by_panel = !plot.marks_places() && rows.iter().all(alike);
    let title = |row: &Row| marked(plain(row), by_panel && unenforced(row));
    let series = |row: &Row| series(plot, row, by_panel);
    // Of all that are chosen, whether or not this plot's columns were measured of them: plots of one experiment have one colour for one name.
    let names = distinct(experiment.rows.iter().filter(|row| chosen(plot, row)).map(series));
    let panel = |panel: String| {
        let rows: Vec<_> = rows.iter().copied().filter(|row| title(row) == panel).collect();
        let mut x = distinct(rows.iter().map(|row| x_keys(plot, row)));
        // Numbers lie in their order, words in that of rows.
        if x.iter().all(|keys| keys.iter().all(|key| matches!(key, Some(Key::Number(_))))) {
            x.sort();
        }
        let of = |name: &String| {
            let rows = rows.iter().filter(|row| series(row) == *name);
            let mut points: Vec<_> = rows.filter_map(|row| point(plot, row, &x)).collect();
            points.sort_by_key(|point| point.x);
            Series { name: name.clone(), points }
        };
        let series = names.iter().map(of).collect();
        let labels = x.iter().map(|keys| label(plot, &rows, keys)).collect();
        Panel { title: panel, x: labels, series }
    };
    distinct(rows.iter().map(|row| title(row))).into_iter().map(panel).collect()
}

fn chosen(plot: &Plot, row: &Row) -> bool {
    plot.only.iter().all(|(key, values)| row.keys.get(key).is_some_and(|value| values.contains(value)))
}

fn point(plot: &Plot, row: &Row, x: &[Vec<Option<Key>>]) -> Option<Point> {
    let keys = x_keys(plot, row);
    let figures = plot.y.iter().map(|column| row.figures.get(column).copied()).collect();
    Some(Point { x: x.iter().position(|other| *other == keys)?, figures })
}

fn x_keys(plot: &Plot, row: &Row) -> Vec<Option<Key>> {
    plot.x.iter().map(|key| row.keys.get(key).cloned()).collect()
}

/// What stands at a place of `x`; where series do not say what is not enforced, this does.
fn label(plot: &Plot, rows: &[&Row], keys: &[Option<Key>]) -> String {
    let here = || rows.iter().filter(|row| x_keys(plot, row) == keys);
    let text = match keys {
        // Along an axis that has the key's name.
        [Some(Key::Number(number))] if plot.shape == Shape::Lines && plot.x == ["bytes"] => bytes(*number),
        [Some(Key::Number(number))] if plot.shape == Shape::Lines => number.to_string(),
        _ => here().next().map_or(String::new(), |row| words(row, &plot.x)),
    };
    let unenforced = plot.marks_places() && here().any(|row| row.limits == Limits::Unenforced);
    marked(text, unenforced)
}

impl Plot {
    /// Whether the places along the axis say what is not enforced: where there are no series, or where a place says the isolation mode, and series have one name and colour at all.
    fn marks_places(&self) -> bool {
        self.series.is_empty() || self.x.iter().any(|key| key == "isolation")
    }
}

fn series(plot: &Plot, row: &Row, by_panel: bool) -> String {
    let marks = !plot.marks_places() && !by_panel && row.limits == Limits::Unenforced;
    marked(words(row, &plot.series), marks)
}

/// Values of keys in a line, numbers with what they count; those that say that there is nothing to say are left out, and ends of a way have an arrow.
fn words(row: &Row, keys: &[String]) -> String {
    let mut text = String::new();
    for key in keys {
        let value = match row.keys.get(key) {
            Some(Key::Word(word)) if word != "-" => word.clone(),
            Some(Key::Number(number)) if key == "kib" => format!("{number} KiB"),
            Some(Key::Number(1)) => format!("1 {}", key.strip_suffix('s').unwrap_or(key)),
            Some(Key::Number(number)) => format!("{number} {key}"),
            _ => continue,
        };
        let gap = match (key.as_str(), text.is_empty()) {
            (_, true) => "",
            ("to", _) => " → ",
            _ => ", ",
        };
        text += gap;
        text += &value;
    }
    text
}

fn marked(text: String, unenforced: bool) -> String {
    if unenforced { format!("{text} {}", Limits::Unenforced.word()) } else { text }
}

fn distinct<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    all.fold(Vec::new(), |mut found, item| {
        if !found.contains(&item) {
            found.push(item);
        }
        found
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::How;

    fn row(platform: &str, pages: u64, mode: &str, cycles: u64) -> Row {
        let row = Row::new(platform, Limits::of(Some(mode), false)).key("pages", pages).key("mode", mode);
        row.figure("cycles", cycles)
    }

    fn experiment(rows: impl IntoIterator<Item = Row>) -> Experiment {
        Experiment::new("touch", "Touching", &["pages", "mode"]).column("cycles", "cycles", How::Counted).rows(rows)
    }

    #[test]
    fn rows_become_lines() {
        let plot =
            Plot::new("", Shape::Lines, &["pages"], &["cycles"]).series(&["mode"]).only("mode", ["segment", "page"]);
        let rows =
            [row("Q", 16, "segment", 7), row("Q", 4, "segment", 5), row("Q", 4, "page", 6), row("Q", 8, "other", 1)];
        let panels = panels(&experiment(rows), &plot);
        assert_eq!(panels.len(), 1);
        assert_eq!(panels[0].x, ["4", "16"], "in order");
        let names: Vec<_> = panels[0].series.iter().map(|series| series.name.as_str()).collect();
        assert_eq!(names, ["segment UNENFORCED", "page"]);
        let points: Vec<_> = panels[0].series[0].points.iter().map(|point| (point.x, point.figures[0])).collect();
        assert_eq!(points, [(0, Some(Figure::Exact(5.0))), (1, Some(Figure::Exact(7.0)))]);
    }

    #[test]
    fn names_and_colours_are_the_same_where_whole_panels_are_unenforced() {
        let plot = Plot::new("", Shape::Lines, &["pages"], &["cycles"]).series(&["way"]).panels(&["mode"]);
        let way = |way: &str, row: Row| row.key("way", way);
        let rows = ["segment", "page"]
            .into_iter()
            .flat_map(|mode| ["string", "ring"].map(|name| way(name, row("Q", 4, mode, 5))));
        let panels = panels(&experiment(rows), &plot);
        let titles: Vec<_> = panels.iter().map(|panel| panel.title.as_str()).collect();
        assert_eq!(titles, ["segment UNENFORCED", "page"]);
        for panel in &panels {
            let names: Vec<_> = panel.series.iter().map(|series| series.name.as_str()).collect();
            assert_eq!(names, ["string", "ring"]);
            assert!(panel.series.iter().all(|series| series.points.len() == 1));
        }
    }

    #[test]
    fn places_that_say_the_mode_say_what_is_not_enforced() {
        let plot = Plot::new("", Shape::Bars, &["isolation"], &["cycles"]).series(&["servers"]);
        let with = |servers: u64, mode: &str| row("Q", 4, mode, 5).key("isolation", mode).key("servers", servers);
        let rows = ["segment", "page"].into_iter().flat_map(|mode| [1, 2].map(|servers| with(servers, mode)));
        let panels = panels(&experiment(rows), &plot);
        let names: Vec<_> = panels[0].series.iter().map(|series| series.name.as_str()).collect();
        assert_eq!((panels.len(), names), (1, vec!["1 server", "2 servers"]));
        assert_eq!(panels[0].x, ["segment UNENFORCED", "page"]);
    }

    #[test]
    fn platforms_have_panels_of_their_own() {
        let plot = Plot::new("", Shape::Bars, &["mode"], &["cycles"]);
        let panels = panels(&experiment([row("Q", 4, "segment", 5), row("Ryzen", 4, "segment", 6)]), &plot);
        let titles: Vec<_> = panels.iter().map(|panel| (panel.title.as_str(), panel.x[0].as_str())).collect();
        assert_eq!(titles, [("Q", "segment UNENFORCED"), ("Ryzen", "segment UNENFORCED")]);
    }
}
