//! A bar picture made of text.

/// One bar.
pub(crate) struct Bar {
    /// Left of the bar.
    pub(crate) label: String,
    /// Its length, on whatever scale.
    pub(crate) value: f64,
    /// Right of the bar.
    pub(crate) note: String,
}

/// Bars whose lengths are proportional to their values, the greatest `width` cells long.
pub(crate) fn linear(bars: &[Bar], width: usize, unicode: bool) -> Vec<String> {
    let greatest = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
    draw(bars, unicode, |value| if greatest > 0.0 { value / greatest * width as f64 } else { 0.0 })
}

/// Bars for values that differ by orders of magnitude: `decade` cells for every factor of ten, and one decade
/// for the smallest value.
pub(crate) fn logarithmic(bars: &[Bar], decade: usize, unicode: bool) -> Vec<String> {
    let least = bars.iter().map(|bar| bar.value).filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min);
    draw(
        bars,
        unicode,
        |value| {
            if value > 0.0 { (1.0 + (value / least).log10()) * decade as f64 } else { 0.0 }
        },
    )
}

fn draw(bars: &[Bar], unicode: bool, cells: impl Fn(f64) -> f64) -> Vec<String> {
    let drawn: Vec<String> = bars.iter().map(|bar| cells_of(cells(bar.value), unicode)).collect();
    let labels = bars.iter().map(|bar| bar.label.chars().count()).max().unwrap_or(0);
    let lengths = drawn.iter().map(|bar| bar.chars().count()).max().unwrap_or(0);
    bars.iter()
        .zip(&drawn)
        .map(|(bar, drawn)| {
            let line = format!("{:<labels$}  {drawn:<lengths$}  {}", bar.label, bar.note);
            line.trim_end().to_owned()
        })
        .collect()
}

/// A bar of `length` cells; in Unicode to an eighth of a cell, else to a whole one. No value is invisible.
fn cells_of(length: f64, unicode: bool) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if length <= 0.0 {
        return String::new();
    }
    if !unicode {
        return "#".repeat((length.round() as usize).max(1));
    }
    let eighths = ((length * 8.0).round() as usize).max(1);
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(label: &str, value: f64) -> Bar {
        Bar { label: label.to_owned(), value, note: format!("{value}") }
    }

    #[test]
    fn linear_bars_line_up() {
        let lines = linear(&[bar("a", 1.0), bar("long", 4.0), bar("c", 0.0)], 8, false);
        assert_eq!(lines, ["a     ##        1", "long  ########  4", "c               0"]);
    }

    #[test]
    fn logarithmic_bars_grow_by_one_decade_for_a_factor_of_ten() {
        let lengths: Vec<usize> = logarithmic(&[bar("", 3.0), bar("", 30.0), bar("", 3000.0)], 5, false)
            .iter()
            .map(|line| line.matches('#').count())
            .collect();
        assert_eq!(lengths, [5, 10, 20]);
    }

    #[test]
    fn unicode_bars_have_eighths_and_never_vanish() {
        assert_eq!(cells_of(2.5, true), "██▌");
        assert_eq!(cells_of(0.001, true), "▏");
        assert_eq!(cells_of(0.001, false), "#");
        assert_eq!(cells_of(0.0, true), "");
    }
}
