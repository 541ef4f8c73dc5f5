//! How `plan` looks: first what cannot make its deadline, then the calendar.

use std::fmt::Write as _;

use comfy_table::{Cell, Color};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{table, time};
use crate::engine::ahead::{PlanReport, Rotation};

/// Rotations that are told one by one; of more, each day is told in one line.
const ONE_BY_ONE: usize = 200;
/// Lines of what cannot make its deadline, and of accounts without a plan, before the rest is only counted.
const NAMED: usize = 50;

/// The calendar for people, in the days of `zone`; `is_named` when accounts were asked for by name.
#[must_use]
pub fn plan_text(plan: &PlanReport, zone: &TimeZone, is_named: bool) -> String {
    let mut parts = Vec::new();
    if !plan.late.is_empty() {
        parts.push(late(plan, zone));
    }
    if !plan.rotations.is_empty() {
        let one_by_one = is_named || plan.rotations.len() <= ONE_BY_ONE;
        parts.push(if one_by_one { calendar(&plan.rotations, zone) } else { days(&plan.rotations, zone) });
    }
    parts.push(format!(
        "{} from {} to {}, of {}.",
        count(plan.rotations.len(), "rotation"),
        time(plan.from, zone),
        time(plan.until, zone),
        count(plan.accounts, "account"),
    ));
    parts.extend(others(plan));
    parts.join("\n\n")
}

fn late(plan: &PlanReport, zone: &TimeZone) -> String {
    let mut table = table(["ACCOUNT", "DEADLINE", "EXPIRES", "ROTATES", "HELD BY"]);
    for rotation in plan.late.iter().take(NAMED) {
        let rotates = rotation.at.map_or_else(|| "finds no place".to_owned(), |at| time(at, zone));
        table.add_row([
            Cell::new(&rotation.account),
            Cell::new(when(rotation.deadline, zone)),
            Cell::new(when(rotation.expires_at, zone)),
            Cell::new(rotates).fg(Color::Red),
            Cell::new(held(rotation).unwrap_or_else(|| "-".to_owned())),
        ]);
    }
    let mut text = format!("{} CANNOT MAKE THE DEADLINE:\n\n{table}", count(plan.late.len(), "rotation"));
    if plan.late.len() > NAMED {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "\n\nand so cannot {} more (--json tells them)", plan.late.len() - NAMED);
    }
    text
}

fn calendar(rotations: &[Rotation], zone: &TimeZone) -> String {
    let mut table = table(["DAY", "TIME", "ACCOUNT", "WHY", "WINDOW", "REMARK"]);
    let mut last = None;
    for (at, rotation) in timed(rotations) {
        let moment = at.to_zoned(zone.clone());
        let day = Some(moment.date()).filter(|day| last != Some(*day));
        last = day.or(last);
        table.add_row([
            Cell::new(day.map_or_else(String::new, name)),
            Cell::new(moment.strftime("%H:%M")),
            Cell::new(&rotation.account),
            Cell::new(rotation.reason.as_deref().unwrap_or("-")),
            Cell::new(rotation.window.as_deref().or(rotation.slot.as_deref()).unwrap_or("-")),
            Cell::new(remark(rotation)).fg(colour(rotation)),
        ]);
    }
    table.to_string()
}

/// One line for each day on which something rotates.
fn days(rotations: &[Rotation], zone: &TimeZone) -> String {
    let mut table = table(["DAY", "ROTATIONS", "FROM", "TO", "REMARK"]);
    let timed: Vec<_> =
        timed(rotations).map(|(at, rotation)| (at.to_zoned(zone.clone()).datetime(), rotation)).collect();
    for of_day in timed.chunk_by(|(one, _), (other, _)| one.date() == other.date()) {
        let (Some((first, _)), Some((last, _))) = (of_day.first(), of_day.last()) else { continue };
        let late = of_day.iter().filter(|(_, rotation)| rotation.is_late()).count();
        let forced = of_day.iter().filter(|(_, rotation)| rotation.trouble.is_some()).count() - late;
        let told = [(late, "after the deadline"), (forced, "outside of the windows or in a blackout")];
        let told = told.iter().filter(|(many, _)| *many > 0).map(|(many, words)| format!("{many} {words}"));
        table.add_row([
            Cell::new(name(first.date())),
            Cell::new(of_day.len()),
            Cell::new(first.strftime("%H:%M")),
            Cell::new(last.strftime("%H:%M")),
            Cell::new(told.collect::<Vec<_>>().join(", ")).fg(if late > 0 { Color::Red } else { Color::Yellow }),
        ]);
    }
    table.to_string()
}

/// What has no place in the calendar.
fn others(plan: &PlanReport) -> Vec<String> {
    let waiting = plan.left_out.iter().filter(|rotation| !rotation.is_late());
    let waiting = waiting.map(|rotation| {
        let held = held(rotation).unwrap_or_else(|| "its turn".to_owned());
        (rotation.account.clone(), format!("waits beyond the plan: {held}"))
    });
    let unplanned = plan.unplanned.iter().map(|unplanned| (unplanned.account.clone(), unplanned.reason.clone()));
    let rest: Vec<(String, String)> = waiting.chain(unplanned).collect();
    let mut parts = Vec::new();
    if !rest.is_empty() {
        let mut table = table(["NOT PLANNED", "WHY"]);
        table.add_rows(rest.iter().take(NAMED).map(|(account, why)| [account, why]));
        parts.push(table.to_string());
    }
    if rest.len() > NAMED {
        parts.push(format!("and so are {} more not planned (--json tells them)", rest.len() - NAMED));
    }
    parts.extend(plan.failures.iter().map(|failure| {
        format!(
            "The {} accounts of {} cannot be listed: {}. What is planned of them is what the vault tells.",
            failure.kind, failure.tenant, failure.error
        )
    }));
    parts.extend(plan.conflicts.iter().cloned());
    parts
}

fn timed(rotations: &[Rotation]) -> impl Iterator<Item = (Timestamp, &Rotation)> {
    rotations.iter().filter_map(|rotation| Some((rotation.at?, rotation)))
}

fn remark(rotation: &Rotation) -> String {
    let trouble = rotation.trouble.as_ref().map(|trouble| trouble.replace('-', " "));
    let held = held(rotation).map(|held| format!("held by {held}"));
    trouble.into_iter().chain(held).collect::<Vec<_>>().join("; ")
}

fn held(rotation: &Rotation) -> Option<String> {
    rotation.held.as_ref().map(|held| held.because.clone())
}

const fn colour(rotation: &Rotation) -> Color {
    match rotation.trouble {
        None => Color::Reset,
        Some(_) => Color::Yellow,
    }
}

fn name(day: Date) -> String {
    day.strftime("%Y-%m-%d %a").to_string()
}

fn when(at: Option<Timestamp>, zone: &TimeZone) -> String {
    at.map_or_else(|| "never".to_owned(), |at| time(at, zone))
}

fn count(many: usize, what: &str) -> String {
    if many == 1 { format!("1 {what}") } else { format!("{many} {what}s") }
}
