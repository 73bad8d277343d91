//! Charts as SVG, without anything else: lines over a number, and stacked bars.
//!
//! Colours follow the reader's theme: text and grid are dark on light and light on dark, by a
//! media query that browsers honour in pictures, too.

use std::fmt::Write;

/// Size of every chart, in SVG units.
const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 400.0;

/// Room around the plot: left, top, right, bottom.
const MARGIN: [f64; 4] = [78.0, 52.0, 24.0, 58.0];

/// Told apart by most eyes, on light and on dark.
const COLOURS: [&str; 8] =
    ["#3b82c4", "#e07b39", "#3fa66b", "#c94f7c", "#8d6cc9", "#a08a2e", "#2fa3a3", "#8a8f98"];

/// Marks of a horizontal axis, most.
const MARKS_MOST: usize = 8;

const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#24292f}.title{font-size:16px;\
    font-weight:600}.grid{stroke:#8c959f;stroke-opacity:.3}.axis{stroke:#57606a}\
    @media(prefers-color-scheme:dark){text{fill:#d7dde4}.axis{stroke:#a5adb6}}";

/// What all charts have.
#[derive(Clone, Debug, Default)]
pub(super) struct ChartFrame {
    /// Above the chart.
    pub(super) title: String,
    /// Under the horizontal axis, unit included.
    pub(super) x: String,
    /// Beside the vertical axis, unit included.
    pub(super) y: String,
    /// Both axes show powers.
    pub(super) logarithmic: bool,
    /// Names of the places 1, 2, 3 … of a horizontal axis that is no number.
    pub(super) names: Vec<String>,
}

/// Figures over a number.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Line {
    /// For the legend.
    pub(super) name: String,
    /// From left to right.
    pub(super) points: Vec<(f64, f64)>,
    /// Not measured but wanted, or a limit.
    pub(super) dashed: bool,
}

/// One bar, of parts that lie on top of each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Bar {
    /// Under it.
    pub(super) name: String,
    /// From the bottom, in the order of the legend.
    pub(super) parts: Vec<f64>,
}

/// Lines with marks; those without figures are left out.
pub(super) fn lines(frame: &ChartFrame, lines: &[Line]) -> String {
    let lines: Vec<&Line> = lines.iter().filter(|line| !line.points.is_empty()).collect();
    let points = || lines.iter().flat_map(|line| &line.points);
    let xs = Scale::over(points().map(|point| point.0), frame.logarithmic, false);
    let ys = Scale::over(points().map(|point| point.1), frame.logarithmic, true);
    let mut svg = Svg::begin(frame);
    svg.grid_y(&ys);
    for tick in places(&lines, &xs) {
        let name = frame.names.get((tick as usize).wrapping_sub(1));
        svg.label_x(svg.x(&xs, tick), &name.cloned().unwrap_or_else(|| number(tick)));
    }
    for (at, line) in lines.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let places: Vec<(f64, f64)> =
            line.points.iter().map(|(x, y)| (svg.x(&xs, *x), svg.y(&ys, *y))).collect();
        svg.path(&places, colour, line.dashed);
    }
    svg.legend(lines.iter().map(|line| line.name.as_str()));
    svg.end()
}

/// Where the horizontal axis is marked: where figures are, or at round numbers if those are many.
fn places(lines: &[&Line], xs: &Scale) -> Vec<f64> {
    let mut places: Vec<f64> =
        lines.iter().flat_map(|line| &line.points).map(|point| point.0).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    if places.len() <= MARKS_MOST { places } else { xs.ticks() }
}

/// Bars beside each other; `parts` are the names of what they are made of.
pub(super) fn bars(frame: &ChartFrame, parts: &[&str], bars: &[Bar]) -> String {
    let sums = bars.iter().map(|bar| bar.parts.iter().sum());
    let ys = Scale::over(sums, false, true);
    let mut svg = Svg::begin(frame);
    svg.grid_y(&ys);
    let slot = (WIDTH - MARGIN[0] - MARGIN[2]) / bars.len().max(1) as f64;
    let wide = (slot * 0.6).min(90.0);
    for (at, bar) in bars.iter().enumerate() {
        let middle = MARGIN[0] + slot * (at as f64 + 0.5);
        let mut below = 0.0;
        for (part, &height) in bar.parts.iter().enumerate() {
            let (low, high) = (svg.y(&ys, below), svg.y(&ys, below + height));
            let name = parts.get(part).copied().unwrap_or_default();
            svg.rectangle([middle - wide / 2.0, high, wide, low - high], part, name, height);
            below += height;
        }
        svg.text(middle, svg.y(&ys, below) - 6.0, "middle", &number(below));
        svg.label_x(middle, &bar.name);
    }
    svg.legend(parts.iter().copied());
    svg.end()
}

/// From figures to a share of the plot.
struct Scale {
    low: f64,
    high: f64,
    logarithmic: bool,
}

impl Scale {
    fn over(figures: impl Iterator<Item = f64>, logarithmic: bool, from_zero: bool) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for figure in figures.filter(|figure| figure.is_finite()) {
            (low, high) = (low.min(figure), high.max(figure));
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        if logarithmic {
            return Self { low: low.max(1e-9) / 1.15, high: high.max(1e-9) * 1.15, logarithmic };
        }
        let low = if from_zero { low.min(0.0) } else { low - (high - low) * 0.04 };
        let high = if high > low { high + (high - low) * 0.06 } else { low + 1.0 };
        Self { low, high, logarithmic }
    }

    fn share(&self, figure: f64) -> f64 {
        let of = |figure: f64| if self.logarithmic { figure.ln() } else { figure };
        (of(figure) - of(self.low)) / (of(self.high) - of(self.low))
    }

    /// Round figures, four to ten of them.
    fn ticks(&self) -> Vec<f64> {
        if self.logarithmic {
            let decades = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
            let ticks = decades.flat_map(|power| [1.0, 2.0, 5.0].map(|f| f * 10_f64.powi(power)));
            return ticks.filter(|tick| (self.low..=self.high).contains(tick)).collect();
        }
        let rough = (self.high - self.low) / 6.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|factor| factor * power);
        let step = step.into_iter().find(|step| *step >= rough).unwrap_or(rough);
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        (first..=last).map(|at| at as f64 * step).collect()
    }
}

/// A picture being drawn.
struct Svg(String);

impl Svg {
    fn begin(frame: &ChartFrame) -> Self {
        let (left, bottom) = (MARGIN[0], HEIGHT - MARGIN[3]);
        let mut svg = Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\"><title>{0}</title>\
             <style>{STYLE}</style>\n<text class=\"title\" x=\"{left}\" y=\"22\">{0}</text>\n",
            escaped(&frame.title),
        ));
        let middle = (left + WIDTH - MARGIN[2]) / 2.0;
        svg.text(middle, HEIGHT - 14.0, "middle", &frame.x);
        let across = (MARGIN[1] + bottom) / 2.0;
        let y = escaped(&frame.y);
        let _ = writeln!(
            svg.0,
            "<text transform=\"translate(18 {across}) rotate(-90)\" text-anchor=\"middle\">{y}\
             </text>"
        );
        svg
    }

    fn end(mut self) -> String {
        let (left, top, right, bottom) =
            (MARGIN[0], MARGIN[1], WIDTH - MARGIN[2], HEIGHT - MARGIN[3]);
        let _ = writeln!(
            self.0,
            "<path class=\"axis\" fill=\"none\" d=\"M{left} {top}V{bottom}H{right}\"/>\n</svg>"
        );
        self.0
    }

    fn x(&self, scale: &Scale, figure: f64) -> f64 {
        MARGIN[0] + scale.share(figure) * (WIDTH - MARGIN[0] - MARGIN[2])
    }

    fn y(&self, scale: &Scale, figure: f64) -> f64 {
        let bottom = HEIGHT - MARGIN[3];
        bottom - scale.share(figure) * (bottom - MARGIN[1])
    }

    fn text(&mut self, x: f64, y: f64, anchor: &str, text: &str) {
        let text = escaped(text);
        let _ = writeln!(
            self.0,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
        );
    }

    fn label_x(&mut self, x: f64, text: &str) {
        self.text(x, HEIGHT - MARGIN[3] + 19.0, "middle", text);
    }

    fn grid_y(&mut self, ys: &Scale) {
        let (left, right) = (MARGIN[0], WIDTH - MARGIN[2]);
        for tick in ys.ticks() {
            let y = self.y(ys, tick);
            let _ = writeln!(self.0, "<path class=\"grid\" d=\"M{left} {y:.1}H{right}\"/>");
            self.text(left - 8.0, y + 4.5, "end", &number(tick));
        }
    }

    fn path(&mut self, places: &[(f64, f64)], colour: &str, dashed: bool) {
        let mut path = String::new();
        for (at, (x, y)) in places.iter().enumerate() {
            let _ = write!(path, "{}{x:.1} {y:.1}", if at == 0 { 'M' } else { 'L' });
        }
        let dashes = if dashed { " stroke-dasharray=\"6 5\"" } else { "" };
        let _ = writeln!(
            self.0,
            "<path fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.2\"{dashes} d=\"{path}\"/>"
        );
        for (x, y) in places.iter().filter(|_| !dashed) {
            let _ = writeln!(
                self.0,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.4\" fill=\"{colour}\"/>"
            );
        }
    }

    fn rectangle(&mut self, [x, y, wide, high]: [f64; 4], part: usize, name: &str, figure: f64) {
        let colour = COLOURS[part % COLOURS.len()];
        let (name, figure) = (escaped(name), number(figure));
        let _ = writeln!(
            self.0,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{high:.1}\" \
             fill=\"{colour}\"><title>{name}: {figure}</title></rect>"
        );
    }

    fn legend<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let (mut x, y) = (MARGIN[0], 40.0);
        for (at, name) in names.enumerate() {
            let colour = COLOURS[at % COLOURS.len()];
            let _ = writeln!(
                self.0,
                "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"11\" height=\"11\" fill=\"{colour}\"/>",
                y - 10.0
            );
            self.text(x + 16.0, y, "start", name);
            x += 36.0 + 7.2 * name.chars().count() as f64;
        }
    }
}

/// As few digits as tell it.
fn number(figure: f64) -> String {
    let text = match figure.abs() {
        size if size >= 10_000.0 => return format!("{}k", number(figure / 1_000.0)),
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    };
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        let scale = Scale::over([0.0, 17.3].into_iter(), false, true);
        assert_eq!(scale.ticks(), [0.0, 5.0, 10.0, 15.0]);
        let scale = Scale::over([125.0, 4_000.0].into_iter(), true, false);
        assert_eq!(scale.ticks(), [200.0, 500.0, 1_000.0, 2_000.0]);
    }

    #[test]
    fn numbers_are_short() {
        let texts = [0.0, 0.25, 3.1, 12.34, 1_234.0, 23_340.0, 10_000.0].map(number);
        assert_eq!(texts, ["0", "0.25", "3.1", "12.3", "1234", "23.3k", "10k"]);
    }

    #[test]
    fn a_chart_is_whole_even_without_figures() {
        let frame = ChartFrame { title: "a < b".to_owned(), ..ChartFrame::default() };
        let line = Line { name: "x & y".to_owned(), points: vec![(1.0, 2.0)], dashed: false };
        let bar = Bar { name: "n".to_owned(), parts: vec![1.0, 2.0] };
        for svg in [
            lines(&frame, &[]),
            lines(&frame, &[line]),
            bars(&frame, &[], &[]),
            bars(&frame, &["a", "b"], &[bar]),
        ] {
            assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{svg}");
            assert!(svg.contains("a &lt; b") && !svg.contains("NaN"), "{svg}");
            let opened = svg.matches("<text").count();
            assert_eq!(opened, svg.matches("</text>").count());
        }
    }
}
