//! Line charts as SVG, readable on light and on dark ground.

use std::fmt::Write;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 56.0;
/// Told apart by those who see colours otherwise, too (Okabe and Ito's).
const COLOURS: [&str; 4] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];

/// A chart. The vertical axis begins at 0.
pub(crate) struct Chart<'c> {
    pub(crate) title: &'c str,
    pub(crate) across: &'c str,
    pub(crate) up: &'c str,
    /// Whether each step across is ten times the one before.
    pub(crate) by_tens: bool,
    pub(crate) lines: Vec<(&'c str, Vec<(f64, f64)>)>,
}

impl Chart<'_> {
    /// The chart as an SVG document.
    pub(crate) fn svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|(_, points)| points.iter().copied());
        let place = |x: f64| if self.by_tens { x.max(1.0).log10() } else { x };
        let first = points().map(|(x, _)| place(x)).fold(f64::INFINITY, f64::min);
        let last = points().map(|(x, _)| place(x)).fold(first, f64::max);
        let step = step(points().map(|(_, y)| y).fold(0.0, f64::max));
        let top = step * points().map(|(_, y)| (y / step).ceil()).fold(1.0, f64::max);
        let span = if last > first { last - first } else { 1.0 };
        let x = |value: f64| LEFT + (place(value) - first) / span * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM);
        let mut svg = self.opening();
        for tick in 0..=(top / step).round() as u32 {
            let value = f64::from(tick) * step;
            let (at, label) = (y(value), number(value));
            let _ = writeln!(
                svg,
                r#"<path class="grid" d="M{LEFT} {at:.1}H{:.1}"/><text x="{:.1}" y="{:.1}" text-anchor="end">{label}</text>"#,
                WIDTH - RIGHT,
                LEFT - 8.0,
                at + 4.0,
            );
        }
        let mut marks: Vec<f64> = points().map(|(x, _)| x).collect();
        marks.sort_by(f64::total_cmp);
        marks.dedup();
        for mark in marks {
            let label = number(mark);
            let _ = writeln!(
                svg,
                r#"<text x="{:.1}" y="{:.1}" text-anchor="middle">{label}</text>"#,
                x(mark).min(WIDTH - RIGHT - 20.0),
                HEIGHT - BOTTOM + 20.0,
            );
        }
        for (index, ((name, points), colour)) in self.lines.iter().zip(COLOURS).enumerate() {
            let path: Vec<_> =
                points.iter().map(|(a, b)| format!("{:.1},{:.1}", x(*a), y(*b))).collect();
            let _ = writeln!(
                svg,
                r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2.5"/>"#,
                path.join(" ")
            );
            for (a, b) in points {
                let _ = writeln!(
                    svg,
                    r#"<circle cx="{:.1}" cy="{:.1}" r="4" fill="{colour}"/>"#,
                    x(*a),
                    y(*b)
                );
            }
            let across = LEFT + 150.0 * index as f64;
            let _ = writeln!(
                svg,
                r#"<path d="M{across} 32h18" stroke="{colour}" stroke-width="2.5"/><text x="{}" y="36">{name}</text>"#,
                across + 24.0
            );
        }
        svg + "</svg>\n"
    }

    fn opening(&self) -> String {
        let Self { title, across, up, .. } = self;
        let middle = (TOP + HEIGHT - BOTTOM) / 2.0;
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">
<style>text{{font:13px sans-serif;fill:#1f2328}}.grid{{stroke:#8888;stroke-width:1}}
@media(prefers-color-scheme:dark){{text{{fill:#e6edf3}}}}</style>
<text x="{LEFT}" y="18" style="font-weight:bold">{title}</text>
<text x="{:.1}" y="{:.1}" text-anchor="middle">{across}</text>
<text transform="translate(16 {middle:.1}) rotate(-90)" text-anchor="middle">{up}</text>
"#,
            (LEFT + WIDTH - RIGHT) / 2.0,
            HEIGHT - 14.0,
        )
    }
}

/// A round distance between marks, of which there are about five up to `most`.
fn step(most: f64) -> f64 {
    let rough = (most / 5.0).max(1e-9);
    let unit = 10_f64.powf(rough.log10().floor());
    let times = [1.0, 2.0, 5.0].into_iter().find(|times| times * unit >= rough).unwrap_or(10.0);
    times * unit
}

/// `1,000,000`, or `0.25`.
fn number(value: f64) -> String {
    if value != 0.0 && value < 10.0 && value.fract() != 0.0 {
        return format!("{value:.2}").trim_end_matches('0').to_owned();
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
