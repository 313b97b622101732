//! What a page has to be, whatever the figures are.

use lilliput_model::processor::Cycles;
use scraper::{Html, Selector};

use super::{html, poster};
use crate::figures::{Experiment, Figure, Figures, How, Limits, Plot, Row, Shape, changes, shown};

/// An experiment that nothing here knows, with lines, bars of parts, two platforms, and names that HTML has to be kept from.
fn figures() -> Figures {
    let row = |platform: &str, mode: &str, pages: u64, cycles: f64| {
        let range = Cycles { low: cycles / 2.0, usual: cycles, high: cycles * 3.0 };
        let row = Row::new(platform, Limits::of(Some(mode), false)).key("mode", mode).key("pages", pages);
        row.figure("call", range).figure("walks", pages * 7 + 1).figure("of <b>caches</b>", cycles / 3.0)
    };
    let rows = ["segment", "page & \"tags\""].into_iter().flat_map(|mode| {
        [0_u64, 16, 512].into_iter().flat_map(move |pages| {
            let cycles = 1234.5 + pages as f64 * 3.25;
            [row("QEMU 7", mode, pages, cycles), row("<script>alert(1)</script>", mode, pages, cycles / 7.0)]
        })
    });
    let lines = Plot::new("Calls <i>by</i> pages", Shape::Lines, &["pages"], &["call"]).series(&["mode"]);
    let bars = Plot::new("Parts", Shape::Bars, &["mode", "pages"], &["call", "of <b>caches</b>"]);
    Experiment::new("a new one", "Touching & calling", &["mode", "pages"])
        .about("Some <em>text</em>.", "cargo xtask bench --new --json FILE")
        .without("all that is < 1")
        .column("call", "cycles", How::Modelled)
        .column("walks", "walks", How::Counted)
        .column("of <b>caches</b>", "cycles", How::Modelled)
        .plot(lines.clone())
        .plot(lines.log())
        .plot(bars)
        .rows(rows)
        .into()
}

fn parsed(page: &str) -> Html {
    let parsed = Html::parse_document(page);
    assert!(parsed.errors.is_empty(), "{:?}", parsed.errors);
    parsed
}

fn all<'a>(page: &'a Html, selector: &str) -> Vec<scraper::ElementRef<'a>> {
    let selector = Selector::parse(selector).unwrap();
    page.select(&selector).collect()
}

/// Every figure of every row, each with the row's platform, limits and keys, in tables.
fn has_every_figure(page: &Html, figures: &Figures) {
    let sections = all(page, "section");
    assert!(sections.len() >= figures.experiments.len());
    for (experiment, section) in figures.experiments.iter().zip(sections) {
        let (lines, cells) = (Selector::parse("tbody tr").unwrap(), Selector::parse("td").unwrap());
        let lines: Vec<Vec<String>> = section
            .select(&lines)
            .map(|line| line.select(&cells).map(|cell| cell.text().collect()).collect())
            .collect();
        assert_eq!(lines.len(), experiment.rows.len());
        for (row, cells) in experiment.rows.iter().zip(lines) {
            for (key, cell) in experiment.keys.iter().zip(&cells) {
                assert_eq!(*cell, row.keys[key].to_string());
            }
            assert_eq!(cells[cells.len() - 2..], [row.limits.word().to_owned(), row.platform.clone()]);
            let columns = experiment
                .columns
                .iter()
                .filter(|column| experiment.rows.iter().any(|row| row.figures.contains_key(&column.name)));
            for (column, cell) in columns.zip(&cells[experiment.keys.len()..]) {
                assert_eq!(*cell, row.figures.get(&column.name).map_or("-".to_owned(), Figure::to_string));
            }
        }
        let text: String = section.text().collect();
        assert!(text.contains(&experiment.command) && experiment.leaves_out.iter().all(|what| text.contains(what)));
    }
}

/// Nothing that a browser would fetch, and nothing that it would run.
fn needs_nothing_else(page: &str, parsed: &Html) {
    for element in all(parsed, "*") {
        let value = element.value();
        assert!(
            !matches!(
                value.name(),
                "script" | "link" | "img" | "iframe" | "object" | "embed" | "image" | "use" | "base"
            ),
            "{}",
            value.name()
        );
        for (name, value) in value.attrs() {
            assert!(!name.starts_with("on"), "{name}");
            assert!(
                !matches!(name, "src" | "href" | "srcset" | "data" | "action") || value.starts_with('#'),
                "{name}={value}"
            );
        }
    }
    let style: String = all(parsed, "style").iter().flat_map(|style| style.text()).collect();
    assert!(!style.contains("url(") && !style.contains("@import"));
    let namespaces = page.matches("xmlns=\"http://www.w3.org/2000/svg\"").count();
    assert_eq!(page.matches("://").count(), namespaces);
}

#[test]
fn a_page_has_every_figure_and_needs_nothing_else() {
    let figures = figures();
    let page = html::page(&figures, None).unwrap();
    let parsed = parsed(&page);
    has_every_figure(&parsed, &figures);
    needs_nothing_else(&page, &parsed);
    // Two platforms, so two panels, of each of three plots; and a swatch for each name in a legend.
    assert_eq!(
        (all(&parsed, "figure").len(), all(&parsed, ".panel svg").len(), all(&parsed, ".legend svg").len()),
        (3, 6, 6)
    );
    let marks = all(&parsed, "td.unenforced").len();
    assert_eq!(marks, figures.experiments[0].rows.iter().filter(|row| row.limits == Limits::Unenforced).count());
    let drawn: String = all(&parsed, "svg text").iter().flat_map(|text| text.text()).collect();
    assert!(drawn.contains("segment, 16 pages UNENFORCED") && drawn.contains(&shown(1000.0)), "{drawn}");
}

#[test]
fn the_same_figures_give_the_same_page() {
    let figures = figures();
    let again = Figures::parse(&figures.json().unwrap()).unwrap();
    assert_eq!(again.json().unwrap(), figures.json().unwrap());
    let old = changes(&Figures::default(), &figures);
    assert_eq!(html::page(&figures, Some(&old)).unwrap(), html::page(&again, Some(&old)).unwrap());
}

#[test]
fn what_changed_is_on_the_page() {
    let (old, mut new) = (figures(), figures());
    new.experiments[0].rows[0].figures.insert("walks".into(), 99_u64.into());
    let changes = changes(&old, &new);
    let page = html::page(&new, Some(&changes)).unwrap();
    let cells: Vec<String> = all(&parsed(&page), "#changes td").iter().map(|cell| cell.text().collect()).collect();
    assert_eq!(cells, changes[0].cells());
    let unchanged = html::page(&new, Some(&[])).unwrap();
    assert!(
        all(&parsed(&unchanged), "#changes")
            .iter()
            .flat_map(|section| section.text())
            .any(|text| text.contains("as it was"))
    );
}

#[test]
fn the_main_plot_stands_by_itself() {
    let rows = ["AMD Zen 3", "Intel Skylake", "AMD Duron 800"].into_iter().flat_map(|processor| {
        [0_u64, 16].into_iter().map(move |pages| {
            let over = Cycles { low: -5.0, usual: pages as f64, high: 90.0 };
            let row =
                Row::new("QEMU", Limits::NotUsed).key("processor", processor).key("tasks", 2_u64).key("pages", pages);
            row.key("confinement", "64").figure("over", over)
        })
    });
    let plot = Plot::new("More", Shape::Lines, &["pages"], &["over"]).series(&["confinement"]).panels(&["processor"]);
    let crossover = Experiment::new("crossover", "", &["processor", "tasks", "pages", "confinement"]);
    let figures: Figures = crossover.column("over", "%", How::Modelled).plot(plot).rows(rows).into();
    for dark in [false, true] {
        let svg = poster::svg(&figures, dark).unwrap();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let texts: Vec<_> = document
            .descendants()
            .filter(|node| node.has_tag_name("text"))
            .filter_map(|node| node.text())
            .map(str::trim)
            .collect();
        for text in ["More", "64", "AMD Zen 3", "Intel Skylake", "%, modelled", "16"] {
            assert!(texts.contains(&text), "{text} in {texts:?}");
        }
        assert!(!texts.contains(&"AMD Duron 800"));
        assert_eq!(document.descendants().any(|node| node.has_tag_name("style") && node.text().is_some()), dark);
    }
    assert!(poster::svg(&Figures::default(), false).is_err());
}
