//! Reading `spread`: limits from a metric's own last windows.

use super::super::spread::Spread;
use super::super::yaml::Node;
use super::fields::Reader;

/// Fields of a spread.
pub const SPREAD_FIELDS: &[&str] = &["windows", "level"];
/// Greatest number of windows.
const WINDOWS_MAX: u64 = 10_000;

/// Reads it.
pub(super) fn read_spread(reader: &mut Reader<'_>, node: &Node) -> Option<Spread> {
    let map = reader.map(node, "`spread`", SPREAD_FIELDS)?;
    let windows =
        map.required(reader, "windows", "the spread", "168").and_then(|node| reader.whole(node, "`windows`", WINDOWS_MAX))?;
    let level = match map.get("level") {
        None => 0.01,
        Some(node) => {
            let text = reader.text(node, "`level`")?;
            let share = match text.trim().strip_suffix('%') {
                Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
                None => text.trim().parse(),
            };
            let Some(level) = share.ok().filter(|level| (0.0001..=0.2).contains(level)) else {
                reader.wrong(node.span, format!("`level` is {text}"), "a share from 0.01% to 20%, such as 1%");
                return None;
            };
            level
        }
    };
    let spread = Spread { windows: u32::try_from(windows).unwrap_or(u32::MAX), level };
    let needed = spread.needed();
    if (spread.windows as usize) < needed {
        let message = format!("{windows} windows cannot hold a level of {}%", level * 100.0);
        reader.wrong(map.start, message, format!("at least {needed} windows, or a greater level"));
        return None;
    }
    Some(spread)
}
