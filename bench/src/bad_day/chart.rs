//! Curves over time as an SVG file: on white, so that it can be read on any page.

use std::fmt::Write as _;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 380.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 56.0;
const X_STEP: u32 = 5;
const Y_STEP: u32 = 50;

/// One curve.
pub(super) struct Curve {
    pub(super) name: &'static str,
    pub(super) color: &'static str,
    pub(super) points: Vec<(f64, f64)>,
}

/// Curves over time.
pub(super) struct Chart<'a> {
    pub(super) title: &'a str,
    pub(super) x: &'a str,
    pub(super) y: &'a str,
    /// From when until when something was wrong, and what.
    pub(super) shaded: (f64, f64),
    pub(super) shade: &'a str,
    /// The end of the time axis; it begins at 0.
    pub(super) end: f64,
    /// The end of the other axis.
    pub(super) top: f64,
    pub(super) curves: &'a [Curve],
}

impl Chart<'_> {
    /// The file.
    pub(super) fn draw(&self) -> String {
        let mut svg = String::new();
        // Writing to a text cannot fail.
        let _ = self.write(&mut svg);
        svg
    }

    fn at_x(&self, x: f64) -> f64 {
        LEFT + x / self.end * (WIDTH - LEFT - RIGHT)
    }

    fn at_y(&self, y: f64) -> f64 {
        HEIGHT - BOTTOM - y.min(self.top) / self.top * (HEIGHT - TOP - BOTTOM)
    }

    fn write(&self, svg: &mut String) -> std::fmt::Result {
        let Self { title, x, y, shade, .. } = self;
        let (floor, right) = (self.at_y(0.0), self.at_x(self.end));
        writeln!(
            svg,
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" font-family="system-ui, sans-serif" font-size="13" fill="#1f2937">"##
        )?;
        writeln!(svg, r##"<title>{title}</title>"##)?;
        writeln!(svg, r##"<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>"##)?;
        writeln!(svg, r##"<text x="{LEFT}" y="24" font-size="15" font-weight="600">{title}</text>"##)?;
        let (from, until) = (self.at_x(self.shaded.0), self.at_x(self.shaded.1));
        let (width, height, middle) = (until - from, floor - TOP, f64::midpoint(from, until));
        writeln!(svg, r##"<rect x="{from:.1}" y="{TOP}" width="{width:.1}" height="{height:.1}" fill="#f3e8d2"/>"##)?;
        writeln!(svg, r##"<text x="{middle:.1}" y="{:.1}" text-anchor="middle">{shade}</text>"##, TOP + 18.0)?;
        for value in (0..).map(|step| f64::from(step * Y_STEP)).take_while(|value| *value <= self.top) {
            let y = self.at_y(value);
            writeln!(svg, r##"<path d="M{LEFT} {y:.1}H{right:.1}" stroke="#d1d5db" stroke-width="1"/>"##)?;
            writeln!(svg, r##"<text x="{:.1}" y="{:.1}" text-anchor="end">{value}</text>"##, LEFT - 8.0, y + 4.0)?;
        }
        for value in (0..).map(|step| f64::from(step * X_STEP)).take_while(|value| *value <= self.end) {
            let x = self.at_x(value);
            writeln!(svg, r##"<text x="{x:.1}" y="{:.1}" text-anchor="middle">{value}</text>"##, floor + 18.0)?;
        }
        let (middle, low) = (f64::midpoint(LEFT, right), HEIGHT - 12.0);
        writeln!(svg, r##"<text x="{middle:.1}" y="{low:.1}" text-anchor="middle">{x}</text>"##)?;
        let middle = f64::midpoint(TOP, floor);
        writeln!(svg, r##"<text transform="translate(16 {middle:.1}) rotate(-90)" text-anchor="middle">{y}</text>"##)?;
        let mut legend = right;
        for Curve { name, color, points } in self.curves {
            let line: Vec<String> =
                points.iter().map(|(x, y)| format!("{:.1} {:.1}", self.at_x(*x), self.at_y(*y))).collect();
            let line = line.join("L");
            writeln!(
                svg,
                r##"<path d="M{line}" fill="none" stroke="{color}" stroke-width="2" stroke-linejoin="round"/>"##
            )?;
            writeln!(
                svg,
                r##"<text x="{legend:.1}" y="24" text-anchor="end" font-weight="600" fill="{color}">{name}</text>"##
            )?;
            legend -= 64.0;
        }
        writeln!(svg, "</svg>")
    }
}
