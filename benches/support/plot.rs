//! A picture of the medians, one bar a row on a logarithmic axis, and of the curves below them.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::stats::{Measured, human};

const ROW: i32 = 26;
const LABELS: i32 = 430;
const WIDTH: i32 = 1000;
const TOP: i32 = 40;
/// The height of a curve.
const CURVE: i32 = 260;

/// What the limits of the machine are drawn in, and what the bridge is.
const LIMIT: RGBColor = RGBColor(150, 150, 150);
const OURS: RGBColor = RGBColor(38, 110, 180);

/// Draws `rows` into an SVG file. Rows whose name begins with `bare` or `memcpy` are limits of the machine.
pub(crate) fn draw(
    path: &Path,
    rows: &[Measured],
    curves: &[Curve],
) -> Result<(), Box<dyn std::error::Error>> {
    let bars = TOP + ROW * rows.len() as i32 + 30;
    let height = bars + CURVE * curves.len() as i32;
    let root = SVGBackend::new(path, (WIDTH as u32, height as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    let font = |size: i32| ("sans-serif", size).into_font().color(&BLACK);
    let left = |style: TextStyle<'static>| style.pos(Pos::new(HPos::Left, VPos::Center));
    root.draw(&Text::new(
        "median of 3 runs, logarithmic; grey: what the machine allows",
        (10, 18),
        left(font(14)),
    ))?;

    let longest = rows.iter().map(Measured::p50).max().unwrap_or(1).max(10) as f64;
    let scale = |nanoseconds: u64| {
        let share = (nanoseconds.max(10) as f64 / 10.0).log10() / (longest / 10.0).log10();
        (share * f64::from(WIDTH - LABELS - 90)) as i32
    };
    for (index, row) in rows.iter().enumerate() {
        let y = TOP + ROW * index as i32;
        let middle = y + ROW / 2;
        let limit = row.name.starts_with("bare") || row.name.starts_with("memcpy");
        let end = LABELS + scale(row.p50()).max(2);
        let bar =
            Rectangle::new([(LABELS, y + 5), (end, y + ROW - 5)], if limit { LIMIT } else { OURS }.filled());
        root.draw(&bar)?;
        let right = font(13).pos(Pos::new(HPos::Right, VPos::Center));
        root.draw(&Text::new(row.name.clone(), (LABELS - 8, middle), right))?;
        root.draw(&Text::new(human(row.p50()), (end + 6, middle), left(font(13))))?;
    }
    let (_, below) = root.split_vertically(bars);
    for (area, curve) in below.split_evenly((curves.len().max(1), 1)).iter().zip(curves) {
        curve.draw(area)?;
    }
    root.present()?;
    Ok(())
}

/// Lines over one axis, which is logarithmic: each line has a name, and values at places of the axis.
pub(crate) struct Curve {
    pub(crate) title: String,
    pub(crate) lines: Vec<(&'static str, Vec<(f64, f64)>)>,
}

impl Curve {
    fn draw(&self, area: &DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), Box<dyn std::error::Error>> {
        let points = || self.lines.iter().flat_map(|(_, points)| points);
        let (first, last) =
            points().fold((f64::INFINITY, 0.0f64), |(low, high), (x, _)| (low.min(*x), high.max(*x)));
        let highest = points().fold(f64::MIN_POSITIVE, |high, (_, y)| high.max(*y));
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, ("sans-serif", 14))
            .margin(10)
            .margin_right(90)
            .x_label_area_size(25)
            .y_label_area_size(70)
            .build_cartesian_2d((first..last * 1.01).log_scale(), 0.0..highest * 1.1)?;
        chart.configure_mesh().light_line_style(WHITE).draw()?;
        for (index, (name, points)) in self.lines.iter().enumerate() {
            // The first of two is what the other one is compared with.
            let colour = if index + 1 < self.lines.len() { LIMIT } else { OURS };
            let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2)).point_size(3);
            chart
                .draw_series(line)?
                .label(*name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .border_style(BLACK)
            .draw()?;
        Ok(())
    }
}
