//! The page: HTML by `maud`, which escapes what comes from files.

use anyhow::Result;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::answer::{self, Sentence};
use super::panel::{self, Panel};
use super::{draw, palette};
use crate::figures::{Change, Column, Experiment, Figure, Figures, How, Limits, Plot, Row, Shape, shown};

const STYLE: &str = include_str!("style.css");

/// All of it. The same figures give the same text.
pub fn page(figures: &Figures, changes: Option<&[Change]>) -> Result<String> {
    let beside = figures.beside();
    let mut experiments: Vec<_> = figures.experiments.iter().chain(&beside).collect();
    experiments.sort_by_key(|experiment| answer::place(&experiment.name));
    let sections = experiments.iter().map(|experiment| section(experiment)).collect::<Result<Vec<_>>>()?;
    let dark = format!("@media screen and (prefers-color-scheme:dark){{{}}}", palette::dark_rules());
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Lilliput: " (answer::QUESTION) }
                style { (PreEscaped(STYLE)) (PreEscaped(dark)) }
            }
            body {
                main {
                    h1 { (answer::QUESTION) }
                    div class="answer" {
                        @for short in answer::in_short(figures) { p class="short" { (short) } }
                        ul { @for sentence in answer::sentences(figures) { (said(&sentence)) } }
                    }
                    p class="soft" {
                        "Small spaces are 32-bit tasks that share one page table, kept apart by segments, so that switching between them writes no CR3. The sentences above are made from the "
                        "figures below; a range that has one sign is one that no price within its own range could turn."
                    }
                    (words())
                    nav {
                        h3 { "Experiments" }
                        ul {
                            @for experiment in &experiments {
                                li { a href=(format!("#{}", anchor(&experiment.name))) { (experiment.title) } }
                            }
                            @if changes.is_some() { li { a href="#changes" { "What changed" } } }
                        }
                        h3 { "Platforms" }
                        ul { @for platform in figures.platforms() { li { (platform) } } }
                    }
                    @for section in &sections { (section) }
                    @if let Some(changes) = changes { (changed(changes)) }
                }
            }
        }
    };
    Ok(page.into_string() + "\n")
}

fn said(Sentence { about, word, text }: &Sentence) -> Markup {
    html! { li { (about) ": " @if let Some(word) = word { b { (word) } ": " } (text) } }
}

/// What words in tables mean.
fn words() -> Markup {
    html! {
        ul class="soft" {
            li { b { "counted" } ": exact, and the same each time; " b { "measured" } ": by a clock or a performance counter, of that platform alone; " b { "modelled" } ": made of counts by a model, not measured at all." }
            li { "Limits " b { "enforced" } ": this platform checks segment limits. " b class="unenforced" { (Limits::Unenforced.word()) } ": it checks none, so that rows in segment mode show cost and not confinement. "
                b { (Limits::NotUsed.word()) } ": nobody in the row is confined by segments." }
            li { "A figure with a range is the usual one, from the least to the most." }
        }
    }
}

fn anchor(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect()
}

fn section(experiment: &Experiment) -> Result<Markup> {
    let plots = experiment.plots.iter().map(|plot| figure(experiment, plot)).collect::<Result<Vec<_>>>()?;
    Ok(html! {
        section id=(anchor(&experiment.name)) {
            h2 { (experiment.title) }
            @if !experiment.question.is_empty() { p { b { (experiment.question) } } }
            (answered(experiment))
            p { (experiment.about) }
            p { "To do it again: " code { (experiment.command) } }
            @for plot in &plots { (plot) }
            h3 { "All figures" }
            (table(experiment))
            @if !experiment.leaves_out.is_empty() {
                h3 { "What the figures leave out" }
                ul class="soft" { @for what in &experiment.leaves_out { li { (what) } } }
            }
        }
    })
}

/// What its figures say, and what they are of.
fn answered(experiment: &Experiment) -> Markup {
    let sentences = answer::answers(experiment);
    let platforms = experiment.platforms();
    html! {
        @if !sentences.is_empty() {
            div class="answer" {
                ul { @for sentence in &sentences { (said(sentence)) } }
                p class="soft" { "Platform: " (platforms.join("; ")) @if experiment.is_unenforced() { "; in segment mode " b class="unenforced" { (Limits::Unenforced.word()) } } }
            }
        }
    }
}

/// A plot with its legend and panels; nothing where no row has what it shows.
fn figure(experiment: &Experiment, plot: &Plot) -> Result<Markup> {
    let panels = panel::panels(experiment, plot);
    let unit = unit(experiment, plot);
    let drawings = panels.iter().map(|panel| draw::svg(plot, panel, &unit)).collect::<Result<Vec<_>>>()?;
    let is_line = plot.shape == Shape::Lines;
    let legend = legend(plot, &panels).into_iter().map(|(number, name)| Ok((draw::swatch(number, is_line)?, name)));
    let legend = legend.collect::<Result<Vec<_>>>()?;
    Ok(html! {
        @if !panels.is_empty() {
            figure {
                figcaption {
                    h3 { (plot.title) }
                    span class="soft" { (unit) "; the " (if is_line { "band" } else { "line" }) " is the range, cut where it leaves the plot" }
                }
                @if !legend.is_empty() {
                    ul class="legend" { @for (swatch, name) in &legend { li { (PreEscaped(swatch)) (name) } } }
                }
                div class=(if is_line { "panels" } else { "panels wide" }) {
                    @for (panel, drawing) in panels.iter().zip(&drawings) {
                        div class="panel" {
                            @if !panel.title.is_empty() { h4 { (panel.title) } }
                            div class="drawing" role="img" aria-label=(format!("{}: {}", plot.title, panel.title)) { (PreEscaped(drawing)) }
                        }
                    }
                }
            }
        }
    })
}

/// Names with the numbers of their colours: of parts where bars have some, else of series that have points.
fn legend<'a>(plot: &'a Plot, panels: &'a [Panel]) -> Vec<(usize, &'a str)> {
    if plot.shape == Shape::Bars && plot.y.len() > 1 {
        return plot.y.iter().map(String::as_str).enumerate().collect();
    }
    let has_points = |number: usize| panels.iter().any(|panel| !panel.series[number].points.is_empty());
    let names =
        panels.first().into_iter().flat_map(|panel| panel.series.iter().map(|series| series.name.as_str()).enumerate());
    names.filter(|&(number, name)| !name.is_empty() && has_points(number)).collect()
}

/// Unit of a plot's figures, and how one comes by them.
pub fn unit(experiment: &Experiment, plot: &Plot) -> String {
    let column = experiment.columns.iter().find(|column| plot.y.contains(&column.name));
    column.map_or(String::new(), |Column { unit, how, .. }| format!("{unit}, {}", word(*how)))
}

fn word(how: How) -> &'static str {
    match how {
        How::Counted => "counted",
        How::Measured => "measured",
        How::Modelled => "modelled",
    }
}

/// All figures; columns that no row has a figure for are left out.
fn table(experiment: &Experiment) -> Markup {
    let has = |column: &&Column| experiment.rows.iter().any(|row| row.figures.contains_key(&column.name));
    let columns: Vec<_> = experiment.columns.iter().filter(has).collect();
    html! {
        div class="table" tabindex="0" {
            table {
                thead {
                    tr {
                        @for key in &experiment.keys { th { (key) } }
                        @for Column { name, unit, how } in &columns {
                            th class="figure" { (name) span { (unit) ", " (word(*how)) } }
                        }
                        th { "limits" }
                        th { "platform" }
                    }
                }
                tbody { @for row in &experiment.rows { (line(experiment, &columns, row)) } }
            }
        }
    }
}

fn line(experiment: &Experiment, columns: &[&Column], row: &Row) -> Markup {
    html! {
        tr {
            @for key in &experiment.keys { td { @if let Some(value) = row.keys.get(key) { (value) } } }
            @for column in columns {
                @match row.figures.get(&column.name) {
                    None => td class="figure" { "-" },
                    Some(Figure::Exact(number)) => td class="figure" { (shown(*number)) },
                    Some(Figure::Range { low, usual, high }) => td class="figure range" {
                        (shown(*usual)) " " span { "(" (shown(*low)) " to " (shown(*high)) ")" }
                    },
                }
            }
            @match row.limits {
                Limits::Unenforced => td class="unenforced" { (row.limits.word()) },
                _ => td { (row.limits.word()) },
            }
            td class="platform" { (row.platform) }
        }
    }
}

fn changed(changes: &[Change]) -> Markup {
    html! {
        section id="changes" {
            h2 { "What changed" }
            @if changes.is_empty() {
                p { "Nothing: every figure is as it was." }
            } @else {
                div class="table" tabindex="0" {
                    table {
                        thead { tr { @for heading in Change::HEADING { th { (heading) } } } }
                        tbody { @for change in changes { tr { @for cell in change.cells() { td { (cell) } } } } }
                    }
                }
            }
        }
    }
}
