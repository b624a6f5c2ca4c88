//! How the page writes values, and the filters of its templates.

use crate::report::{bytes, number};
use crate::text::Printable;
use minijinja::{Environment, HtmlEscape, Value};
use std::time::Duration;

/// How much of an item's input is shown, in characters.
const EXCERPT: usize = 200;

/// Adds the filters. minijinja escapes what they return, except what they have escaped themselves.
pub(super) fn add_filters(environment: &mut Environment<'_>) {
    environment.add_filter("shown", |text: &str| Printable::lines(text).to_string());
    environment.add_filter("excerpt", |text: &str| Printable::excerpt(text, EXCERPT).to_string());
    // Our own words, with code in backticks.
    environment.add_filter("marked", |text: &str| {
        let parts = text.split('`').enumerate().map(|(at, part)| match (at % 2, HtmlEscape(part)) {
            (0, part) => part.to_string(),
            (_, part) => format!("<code>{part}</code>"),
        });
        Value::from_safe_string(parts.collect::<String>())
    });
    environment.add_filter("command", |text: &str| {
        let text = HtmlEscape(text);
        let copy = format!(r#"<button type="button" data-copy aria-label="Copy {text}">copy</button>"#);
        Value::from_safe_string(format!(r#"<span class="cmd"><code>{text}</code>{copy}</span>"#))
    });
    environment.add_filter("number", number);
    environment.add_filter("bytes", bytes);
    environment.add_filter("time", |seconds: Option<f64>| seconds.map_or_else(|| "-".to_owned(), time));
    environment.add_filter("rate", rate);
    environment.add_filter("percent", |share: f64| format!("{:.0}%", 100.0 * share));
    environment.add_filter("change", |pair: Vec<f64>| change(&pair));
    environment.add_filter("change_class", |pair: Vec<f64>| if pair[1] > pair[0] { "worse" } else { "better" });
}

fn change(pair: &[f64]) -> String {
    if pair[0] > 0.0 { format!("{:+.0}%", 100.0 * (pair[1] / pair[0] - 1.0)) } else { String::new() }
}

/// A time with three digits that matter.
pub(super) fn time(seconds: f64) -> String {
    let digits = |value: f64, unit: &str| match value {
        100.0.. => format!("{value:.0} {unit}"),
        10.0.. => format!("{value:.1} {unit}"),
        _ => format!("{value:.2} {unit}"),
    };
    match seconds {
        0.0 => "0 s".to_owned(),
        ..1e-6 => format!("{:.0} ns", seconds * 1e9),
        ..1e-3 => digits(seconds * 1e6, "µs"),
        ..1.0 => digits(seconds * 1e3, "ms"),
        ..60.0 => digits(seconds, "s"),
        _ => crate::report::duration(Duration::from_secs_f64(seconds)),
    }
}

pub(super) fn rate(per_second: f64) -> String {
    match per_second {
        0.0 => "0".to_owned(),
        ..1.0 => format!("{per_second:.3}"),
        ..100.0 => format!("{per_second:.1}"),
        _ => number(per_second.round() as u64),
    }
}
