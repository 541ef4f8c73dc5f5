//! How `explain` looks: a sentence for each thing that decides.

use comfy_table::{Cell, Color};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{table, time};
use crate::engine::ahead::{Explanation, Life, Next, OwnedBy, Rotation};

/// Everything that there is to say, in the time of `zone`; the rule is one of `file`.
#[must_use]
pub fn explain_text(explanation: &Explanation, file: &str, zone: &TimeZone) -> String {
    let mut table = table(["", &explanation.account]);
    let mut row = |title: &str, text: String, colour: Color| {
        table.add_row([Cell::new(title), Cell::new(text).fg(colour)]);
    };
    for (title, text) in sentences(explanation, zone) {
        let colour = if title == LATE { Color::Red } else { Color::Reset };
        row(title, text, colour);
    }
    for held in &explanation.held {
        row("held by", held.because.clone(), Color::Yellow);
    }
    if let Some(rule) = &explanation.rule {
        for (title, text) in owned(rule, file) {
            row(title, text, Color::Reset);
        }
    }
    if let Some(standing) = &explanation.standing {
        row("at the provider", standing.clone(), Color::Reset);
    }
    table.to_string()
}

/// The title of what is wrong.
const LATE: &str = "TOO LATE";

fn sentences(explanation: &Explanation, zone: &TimeZone) -> Vec<(&'static str, String)> {
    let Explanation { due, planned, life, .. } = explanation;
    let mut told = Vec::new();
    if let Some(planned) = planned {
        told.push(("rotates", rotates(planned, zone)));
        told.extend(late(planned, zone).map(|text| (LATE, text)));
    } else if due.as_ref().is_none_or(|due| due.at.is_none()) {
        told.push(("rotates", "not by itself".to_owned()));
    }
    if let Some(due) = due {
        told.push(("because", due.because.clone()));
        told.extend(placed(due, zone).map(|text| ("due", text)));
    }
    if let Some(life) = life {
        told.extend(lived(life, zone));
    }
    told
}

fn rotates(planned: &Rotation, zone: &TimeZone) -> String {
    let Some(at) = planned.at else { return "it finds no place in the time that is planned".to_owned() };
    let held = planned.held.as_ref().map(|held| format!("; later than it is due, because of {}", held.because));
    format!("{}{}", time(at, zone), held.unwrap_or_default())
}

fn late(planned: &Rotation, zone: &TimeZone) -> Option<String> {
    let deadline = planned.deadline.filter(|_| planned.is_late())?;
    Some(format!("its deadline is {}; see `ncloud-rotator plan` for who else is late", time(deadline, zone)))
}

/// When it is due, and why at that time.
fn placed(due: &Next, zone: &TimeZone) -> Option<String> {
    let mut text = time(due.at?, zone);
    if let Some(place) = &due.place {
        text = format!("{text}, {place}");
    }
    if let (Some(window), Some(opens), Some(closes)) = (&due.window, due.opens, due.closes) {
        text = format!("{text}: {window}, open from {} to {}", time(opens, zone), time(closes, zone));
    }
    Some(text)
}

fn lived(life: &Life, zone: &TimeZone) -> Vec<(&'static str, String)> {
    let at = |at: Timestamp| time(at, zone);
    let lasts = life.lasts_days.map_or_else(|| "for ever".to_owned(), |days| format!("{days} days"));
    let mut told = vec![
        ("counted from", format!("{}: {}", at(life.counted_from), life.counted_because)),
        ("lasts", format!("{lasts}, {}", life.lasts_because)),
    ];
    told.extend(life.expires_at.map(|expires_at| ("expires", at(expires_at))));
    told.extend(life.deadline.map(|deadline| {
        let margin = length(life.margin_s);
        (
            "deadline",
            format!("{}: {margin} before it expires (`margin`), whatever windows and blackouts say", at(deadline)),
        )
    }));
    told.push(("wanted from", format!("{}: {}", at(life.ideal), wanted(life))));
    told.push(("not before", format!("{}: no window before it is taken", at(life.earliest))));
    told
}

/// Why the ideal time is what it is: a short life has no room for all that the policy asks.
fn wanted(life: &Life) -> String {
    let before = SignedDuration::from_secs(life.rotate_before_s.saturating_add(life.ahead_s));
    if life.deadline.and_then(|deadline| deadline.checked_sub(before).ok()) == Some(life.ideal) {
        return format!(
            "{} before the deadline (`rotate_before`), and {} earlier, its own part of {} (`spread`)",
            length(life.rotate_before_s),
            length(life.ahead_s),
            length(life.spread_s)
        );
    }
    if life.ideal == life.earliest {
        return "as soon as it may be".to_owned();
    }
    format!(
        "after half of its life, and {} earlier, its own part of {} (`spread`)",
        length(life.ahead_s),
        length(life.spread_s)
    )
}

fn owned(rule: &OwnedBy, file: &str) -> Vec<(&'static str, String)> {
    let list = |texts: &[String], none: &str| if texts.is_empty() { none.to_owned() } else { texts.join("; ") };
    vec![
        ("rule", format!("at line {} of {file}", rule.line)),
        ("policy", rule.policy.clone()),
        ("windows", list(&rule.windows, "none: any time will do")),
        ("blackouts", list(&rule.blackouts, "none")),
        ("vault", rule.vault.clone()),
        ("secret", rule.secret.clone()),
    ]
}

/// A length of time, in days where it has some.
fn length(seconds: i64) -> String {
    let (days, rest) = (seconds / 86_400, SignedDuration::from_secs(seconds % 86_400));
    match (days, rest.is_zero()) {
        (0, _) => format!("{rest:#}"),
        (days, true) => format!("{days}d"),
        (days, false) => format!("{days}d {rest:#}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_told_in_days_and_what_is_left() {
        for (seconds, told) in
            [(0, "0s"), (90, "1m 30s"), (86_400, "1d"), (14 * 86_400, "14d"), (86_400 + 3_600, "1d 1h")]
        {
            assert_eq!(length(seconds), told);
        }
    }
}
