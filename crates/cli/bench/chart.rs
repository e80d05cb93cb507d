//! The chart of a bench: a bar for each contestant, as long as it is fast.

/// Bars by their names, in millions of events a second.
pub(crate) fn svg(title: &str, bars: &[(String, f64)]) -> String {
    const ROW: usize = 26;
    const LEFT: usize = 330;
    const WIDTH: usize = 560;
    let most = bars.iter().map(|(_, rate)| *rate).fold(f64::MIN_POSITIVE, f64::max);
    let height = ROW * (bars.len() + 2);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"10\" y=\"19\" font-weight=\"bold\">{}</text>\n",
        LEFT + WIDTH + 80,
        escaped(title)
    );
    for (i, (name, rate)) in bars.iter().enumerate() {
        let (y, ours) = (ROW * (i + 1) + 6, name.starts_with("Throng"));
        let width = (rate / most * WIDTH as f64).max(1.0);
        let colour = if ours { "#1b6ca8" } else { "#b8c4cc" };
        svg.push_str(&format!(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n\
             <rect x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"18\" fill=\"{colour}\"/>\n\
             <text x=\"{:.1}\" y=\"{}\">{rate:.1}</text>\n",
            LEFT - 8,
            y + 14,
            escaped(name),
            LEFT as f64 + width + 6.0,
            y + 14,
        ));
    }
    svg.push_str(&format!(
        "<text x=\"{LEFT}\" y=\"{}\" fill=\"#666\">million events a second</text>\n</svg>\n",
        height - 8
    ));
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_has_the_longest_bar_and_names_are_escaped() {
        let svg = svg("a & b", &[("Throng <1>".to_owned(), 4.0), ("other".to_owned(), 2.0)]);
        assert!(svg.contains("a &amp; b") && svg.contains("Throng &lt;1&gt;"));
        assert!(svg.contains("width=\"560.0\"") && svg.contains("width=\"280.0\""));
    }
}
