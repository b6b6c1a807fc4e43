//! Pictures: bars of medians on a logarithmic axis, and lines over one.

use crate::catalogue::Kind;
use crate::classes::Placement;
use crate::curves::Drawn;
use crate::figures::Table;
use crate::markdown::{human, value};
use crate::report::Report;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use std::path::Path;

const ROW: i32 = 24;
const LABELS: i32 = 440;
const WIDTH: i32 = 1000;
const TOP: i32 = 44;

fn colour(kind: Kind) -> RGBColor {
    match kind {
        Kind::Limit => RGBColor(150, 150, 150),
        Kind::Ours => RGBColor(38, 110, 180),
        Kind::Peer => RGBColor(214, 137, 60),
    }
}

/// The medians of a table, and of the machine's limits.
pub(crate) fn bars(path: &Path, report: &Report, table: Table, title: &str) -> Result<(), Box<dyn Error>> {
    let mut rows = report.table(Table::Limit, false);
    rows.extend(report.table(table, false));
    rows.sort_by_key(|row| row.p50());
    let height = TOP + ROW * rows.len() as i32 + 16;
    let root = SVGBackend::new(path, (WIDTH as u32, height as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    let font = |size: i32| ("sans-serif", size).into_font().color(&BLACK);
    let at = |style: TextStyle<'static>, side| style.pos(Pos::new(side, VPos::Center));
    let legend = "median of a call, logarithmic; blue: tensorbridge, grey: what the machine allows";
    root.draw(&Text::new(format!("{title}: {legend}"), (10, 20), at(font(14), HPos::Left)))?;
    let longest = rows.iter().map(|row| row.p50()).max().unwrap_or(1).max(1_000) as f64;
    for (index, row) in rows.iter().enumerate() {
        let top = TOP + ROW * index as i32;
        let share = (row.p50().max(100) as f64 / 100.0).log10() / (longest / 100.0).log10();
        let end = LABELS + ((share * f64::from(WIDTH - LABELS - 80)) as i32).max(2);
        root.draw(&Rectangle::new([(LABELS, top + 4), (end, top + ROW - 4)], colour(row.kind).filled()))?;
        let languages = if row.kind == Kind::Limit { String::new() } else { format!(", {}", row.pair) };
        let placement = match row.placement() {
            None | Some(Placement::Near) => String::new(),
            Some(placement) => format!(", cores: {}", placement.name()),
        };
        let label = format!("{}{languages}, {}{placement}", row.title.replace("**", ""), row.wait);
        root.draw(&Text::new(label, (LABELS - 8, top + ROW / 2), at(font(13), HPos::Right)))?;
        root.draw(&Text::new(human(row.p50()), (end + 6, top + ROW / 2), at(font(13), HPos::Left)))?;
    }
    root.present()?;
    Ok(())
}

/// Lines are told apart by their colours, and by the marks of their points.
const COLOURS: [RGBColor; 8] = [
    RGBColor(38, 110, 180),
    RGBColor(214, 137, 60),
    RGBColor(70, 150, 70),
    RGBColor(170, 80, 150),
    RGBColor(110, 110, 110),
    RGBColor(190, 50, 50),
    RGBColor(30, 170, 180),
    RGBColor(130, 90, 50),
];

/// The mark of the points of a line.
fn mark<'a, C: 'static + Clone>(
    number: usize,
    point: C,
    colour: RGBColor,
) -> DynElement<'static, SVGBackend<'a>, C> {
    match number % 4 {
        0 => Circle::new(point, 4, colour.filled()).into_dyn(),
        1 => TriangleMarker::new(point, 6, colour.filled()).into_dyn(),
        2 => Cross::new(point, 4, colour.stroke_width(2)).into_dyn(),
        _ => Circle::new(point, 4, colour.stroke_width(2)).into_dyn(),
    }
}

/// Lines over an axis, both logarithmic.
pub(crate) fn lines(path: &Path, curve: &Drawn) -> Result<(), Box<dyn Error>> {
    let places = curve.places();
    let all = || curve.lines.iter().flat_map(|line| line.values.iter().filter_map(|values| values.median()));
    let (low, high) =
        all().fold((f64::INFINITY, 0.0f64), |(low, high), value| (low.min(value), high.max(value)));
    let (Some(first), Some(last)) = (places.first(), places.last()) else { return Ok(()) };
    // The names of the lines stand to the right of them.
    let legend = (last / first).powf(0.28).max(1.1);
    let root = SVGBackend::new(path, (WIDTH as u32, 480)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(&curve.title, ("sans-serif", 14))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(72)
        .build_cartesian_2d(
            (*first * 0.9..*last * legend).log_scale(),
            (low * 0.7..high * 1.4).log_scale(),
        )?;
    let unit = curve.unit;
    chart.configure_mesh().x_desc(&curve.axis).y_label_formatter(&|number| value(unit, *number)).draw()?;
    for (number, (line, colour)) in curve.lines.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let points = line.values.iter().filter_map(|values| Some((values.x, values.median()?)));
        let stroke = colour.stroke_width(2);
        chart.draw_series(LineSeries::new(points.clone(), stroke))?.label(&line.name).legend(
            move |(x, y)| {
                EmptyElement::at((x, y))
                    + PathElement::new([(0, 0), (18, 0)], stroke)
                    + mark(number, (9, 0), *colour)
            },
        );
        chart.draw_series(points.map(|point| mark(number, point, *colour)))?;
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
    root.present()?;
    Ok(())
}
