//! A picture of the medians: one bar a row, on a logarithmic axis.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::stats::{Measured, human};

const ROW: i32 = 26;
const LABELS: i32 = 430;
const WIDTH: i32 = 1000;
const TOP: i32 = 40;

/// What the limits of the machine are drawn in, and what the bridge is.
const LIMIT: RGBColor = RGBColor(150, 150, 150);
const OURS: RGBColor = RGBColor(38, 110, 180);

/// Draws `rows` into an SVG file. Rows whose name begins with `bare` or `memcpy` are limits of the machine.
pub(crate) fn draw(path: &Path, rows: &[Measured]) -> Result<(), Box<dyn std::error::Error>> {
    let height = TOP + ROW * rows.len() as i32 + 30;
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
    root.present()?;
    Ok(())
}
