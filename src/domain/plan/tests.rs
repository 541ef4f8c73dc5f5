use std::num::NonZeroU32;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::domain::account::Kind;
use crate::domain::due::tests::{spread, steady};
use crate::domain::due::{Dates, Reason};
use crate::domain::policy::tests::plain;
use crate::domain::policy::{OnAdopt, Per, Policy, Rate};
use crate::domain::schedule::calendar::Calendar;
use crate::domain::schedule::calendar::tests::any_calendar;
use crate::domain::schedule::pause::{Pause, Scope};
use crate::domain::schedule::window::Window;

fn day(day: i64) -> Timestamp {
    Timestamp::from_second(day * 86_400).unwrap()
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

fn rate(count: u32, per: Per) -> Rate {
    Rate { count: NonZeroU32::new(count).unwrap(), per }
}

fn names(tenant: &str, count: usize) -> Vec<AccountName> {
    let name = |number| AccountName { tenant: tenant.into(), kind: Kind::SubAccount, name: format!("svc-{number:03}") };
    (0..count).map(name).collect()
}

/// Candidates of one policy, changed on day 100; ideal is day 176, and day 190 the deadline.
fn candidates<'a>(names: &'a [AccountName], policy: &'a Policy) -> Vec<Candidate<'a>> {
    let facts = |name: &AccountName| Facts { spread: spread(&name.name), ..steady(policy) };
    names.iter().map(|account| Candidate { account, vault: "local", facts: facts(account) }).collect()
}

fn mondays() -> Policy {
    let window = Window::new("0 2 * * Mon", hours(3), TimeZone::UTC).unwrap();
    Policy { calendar: Calendar::new(vec![window], Vec::new()).unwrap(), ..plain() }
}

fn planned<'a>(now: i64, until: i64, accounts: &[Candidate<'a>], limits: &Limits) -> Plan<'a> {
    plan(day(now), day(until), accounts, Pace::new(limits.clone()))
}

fn tenant_rate(rate: Rate) -> Limits {
    Limits { tenants: [("main".to_owned(), rate.interval())].into(), ..Limits::default() }
}

fn told(plan: &Plan<'_>) -> Vec<(String, Timestamp)> {
    plan.entries.iter().map(|entry| (entry.account.name.clone(), entry.at)).collect()
}

#[test]
fn every_life_within_its_time_is_planned() {
    let (policy, names, limits) = (plain(), names("main", 1), Limits::default());
    let plan = planned(150, 340, &candidates(&names, &policy), &limits);
    let times: Vec<Timestamp> = plan.entries.iter().map(|entry| entry.at).collect();
    assert_eq!(times, [day(176), day(252), day(328)]);
    assert!(plan.entries.iter().all(|entry| entry.trouble().is_none() && entry.held.is_none()));
    assert!(planned(150, 176, &candidates(&names, &policy), &limits).entries.is_empty());
}

#[test]
fn under_a_rate_the_earliest_deadline_comes_first() {
    let (policy, names, limits) = (plain(), names("main", 3), tenant_rate(rate(1, Per::Hour)));
    let mut accounts = candidates(&names, &policy);
    for (candidate, changed) in accounts.iter_mut().zip([100, 98, 99]) {
        candidate.facts.last_changed = Some(day(changed));
    }
    let plan = planned(180, 200, &accounts, &limits);
    let at = |number: i64| day(180) + hours(number);
    let expected = [("svc-001", at(0)), ("svc-002", at(1)), ("svc-000", at(2))].map(|(name, at)| (name.to_owned(), at));
    assert_eq!(told(&plan), expected);
    let held: Vec<_> = plan.entries.iter().map(|entry| entry.held.clone()).collect();
    assert_eq!(held, [None, Some(Hold::Tenant), Some(Hold::Tenant)]);
}

#[test]
fn a_slow_tenant_and_a_slow_vault_hold_nobody_else() {
    let (policy, slow, quick) = (plain(), names("main", 3), names("other", 3));
    let mut limits = tenant_rate(rate(1, Per::Hour));
    let both: Vec<AccountName> = slow.iter().chain(&quick).cloned().collect();
    let plan = planned(180, 190, &candidates(&both, &policy), &limits);
    assert!(
        plan.entries
            .iter()
            .all(|entry| (entry.at == day(180)) == (entry.account.tenant == "other" || entry.account == &both[0]))
    );

    limits = Limits { vaults: [("far".to_owned(), hours(1))].into(), ..Limits::default() };
    let mut accounts = candidates(&both, &policy);
    accounts.iter_mut().take(3).for_each(|candidate| candidate.vault = "far");
    let plan = planned(180, 190, &accounts, &limits);
    let last = plan.entries.last().unwrap();
    assert_eq!((last.at, last.held.clone()), (day(180) + hours(2), Some(Hold::Vault)));
    assert_eq!(plan.entries.iter().filter(|entry| entry.at == day(180)).count(), 4);
}

#[test]
fn windows_that_are_too_short_for_the_rate_are_told_months_ahead() {
    let policy = Policy { margin: hours(24), ..mondays() };
    let (names, limits) = (names("main", 10), tenant_rate(rate(1, Per::Hour)));
    let plan = planned(150, 195, &candidates(&names, &policy), &limits);
    let in_window =
        |monday: i64| plan.entries.iter().filter(|entry| day(monday) <= entry.at && entry.at < day(monday + 1)).count();
    assert_eq!([in_window(179), in_window(186)], [3, 3]);
    let rest: Vec<_> = plan.entries.iter().skip(6).collect();
    let told: Vec<_> = rest.iter().map(|entry| (entry.at, entry.trouble())).collect();
    let at = |number: i64, trouble| (day(188) + hours(23 + number), Some(trouble));
    let (outside, late) = (Trouble::OutsideWindows, Trouble::Late);
    assert_eq!(told, [at(0, outside), at(1, outside), at(2, late), at(3, late)]);
    assert!(rest.iter().all(|entry| entry.held == Some(Hold::Tenant)));
}

#[test]
fn a_policy_that_was_shortened_overnight_is_caught_up_with_at_its_rate() {
    let policy = Policy { catch_up: rate(10, Per::Hour), ..mondays() };
    let (names, limits) = (names("main", 60), Limits::default());
    let mut accounts = candidates(&names, &policy);
    for (number, candidate) in (0..).zip(&mut accounts) {
        candidate.facts.lasts = Some(SignedDuration::from_hours(24 * 60));
        candidate.facts.last_changed = Some(day(160 - number));
    }
    let now = day(200);
    let plan = planned(200, 240, &accounts, &limits);
    // Those of up to 59 days are not overdue, and wait for their windows; the others begin at once, the oldest first.
    let overdue: Vec<_> =
        plan.entries.iter().filter(|entry| entry.deadline.is_some_and(|deadline| deadline <= now)).collect();
    assert_eq!(overdue.len(), 40);
    for (number, entry) in (0..).zip(&overdue) {
        assert_eq!(entry.at, now + SignedDuration::from_mins(6 * number));
        assert_eq!(entry.trouble(), Some(Trouble::Expired));
        assert_eq!(entry.held, (number > 0).then_some(Hold::CatchUp));
    }
    assert!(overdue.windows(2).all(|pair| pair[0].deadline < pair[1].deadline), "most urgent first");
    let others = plan.entries.iter().filter(|entry| entry.deadline.is_some_and(|deadline| deadline > now));
    assert!(others.clone().count() >= 20 && others.clone().all(|entry| entry.deadline >= Some(entry.at)));
}

#[test]
fn no_more_accounts_are_taken_over_in_a_day_than_the_cap_says() {
    let policy = Policy { on_adopt: OnAdopt::Rotate, first_run_cap: NonZeroU32::new(4).unwrap(), ..plain() };
    let (names, limits) = (names("main", 10), Limits::default());
    let fresh = |candidate| {
        let Candidate { facts, .. } = candidate;
        Candidate { facts: Facts { last_changed: None, first_seen: day(10), ..facts }, ..candidate }
    };
    let accounts: Vec<_> = candidates(&names, &policy).into_iter().map(fresh).collect();
    let mut pace = Pace::new(limits.clone());
    let before = AccountName { name: "before".to_owned(), ..names[0].clone() };
    pace.taken_over("default", &before, day(10) - hours(6));
    let plan = plan(day(10), day(60), &accounts, pace);
    let times: Vec<Timestamp> = plan.entries.iter().map(|entry| entry.at).collect();
    let (first, later, next) = (day(10), day(11) - hours(6), day(11));
    assert_eq!(times, [first, first, first, later, next, next, next, day(12) - hours(6), day(12), day(12)]);
    assert!(
        plan.entries
            .iter()
            .skip(3)
            .all(|entry| entry.held == Some(Hold::FirstRun) && entry.why.reason == Reason::Adopted)
    );
    let slow = Policy { on_adopt: OnAdopt::Rotate, first_run_cap: NonZeroU32::new(1).unwrap(), ..plain() };
    let accounts: Vec<_> = candidates(&names, &slow).into_iter().map(fresh).collect();
    let plan = planned(10, 15, &accounts, &limits);
    assert_eq!((plan.entries.len(), plan.left_out.len()), (5, 5));
    assert!(
        plan.left_out.iter().all(|left_out| left_out.held == Hold::FirstRun && left_out.deadline == Some(day(100)))
    );
}

#[test]
fn accounts_are_kept_apart_until_the_deadline() {
    let (policy, names) = (plain(), names("main", 3));
    for (by, expected) in [(24, [176, 177]), (24 * 30, [176, 190])] {
        let pair = Apart { names: ["svc-000".to_owned(), "main/sub-account/svc-001".to_owned()].into(), by: hours(by) };
        let limits = Limits { apart: vec![pair], ..Limits::default() };
        let plan = planned(150, 200, &candidates(&names, &policy), &limits);
        let times: Vec<_> =
            plan.entries.iter().map(|entry| (entry.account.name.as_str(), entry.at, entry.held.clone())).collect();
        let [first, second] = expected.map(day);
        let held = Some(Hold::Apart(names[0].clone()));
        assert_eq!(
            times,
            [("svc-000", first, None), ("svc-002", first, None), ("svc-001", second, held.clone())],
            "{by} hours"
        );
    }
    let pair = Apart { names: ["svc-000".to_owned(), "svc-001".to_owned()].into(), by: hours(48) };
    let limits = Limits { apart: vec![pair], ..Limits::default() };
    let mut accounts = candidates(&names[..2], &policy);
    accounts[1].facts.last_changed = Some(day(175));
    let plan = planned(175, 180, &accounts, &limits);
    assert_eq!(told(&plan), [("svc-000".to_owned(), day(177))], "a rotation before the plan counts as well");
}

#[test]
fn a_pause_is_told_and_ends() {
    let (policy, names, limits) = (plain(), names("main", 2), Limits::default());
    let mut accounts = candidates(&names, &policy);
    accounts[0].facts.paused = Some(Pause { scope: Scope::Account, until: None });
    accounts[1].facts.paused = Some(Pause { scope: Scope::Tenant, until: Some(day(191)) });
    let plan = planned(150, 200, &accounts, &limits);
    let [left_out] = plan.left_out.as_slice() else { panic!("{plan:?}") };
    assert_eq!((left_out.account, left_out.held.clone()), (&names[0], Hold::Paused(Scope::Account)));
    let [entry] = plan.entries.as_slice() else { panic!("{plan:?}") };
    assert_eq!(
        (entry.at, entry.held.clone(), entry.trouble()),
        (day(191), Some(Hold::Paused(Scope::Tenant)), Some(Trouble::Expired))
    );
    assert_eq!(planned(150, 170, &accounts, &limits), Plan::default(), "nothing was due");
}

#[test]
fn what_is_unfinished_keeps_to_rates_alone() {
    let policy = Policy { on_adopt: OnAdopt::Rotate, first_run_cap: NonZeroU32::new(1).unwrap(), ..mondays() };
    let names = names("main", 3);
    let mut limits = tenant_rate(rate(1, Per::Minute));
    limits.apart.push(Apart { names: names.iter().map(|name| name.name.clone()).collect(), by: hours(1) });
    let mut accounts = candidates(&names, &policy);
    for candidate in &mut accounts {
        let paused = Some(Pause { scope: Scope::Everything, until: None });
        candidate.facts = Facts { last_changed: None, unfinished: true, paused, ..candidate.facts };
    }
    let plan = planned(11, 12, &accounts, &limits);
    let times: Vec<_> = plan.entries.iter().map(|entry| entry.at.duration_since(day(11)).as_secs()).collect();
    assert_eq!(times, [0, 60, 120]);
}

/// Some 24,000 rotations each time: one second without optimisation, and four where most of them are held for weeks.
#[test]
fn ten_thousand_accounts_are_planned_half_a_year_ahead() {
    let window = Window::new("0 2 * * Tue-Thu", hours(3), TimeZone::get("Asia/Seoul").unwrap()).unwrap();
    let calendar = Calendar::new(vec![window], Vec::new()).unwrap();
    let policy = Policy { calendar, spread: hours(24), margin: hours(48), ..plain() };
    let tenants = ["a", "b", "c"];
    let names: Vec<AccountName> = tenants.iter().flat_map(|tenant| names(tenant, 3334)).collect();
    let start = Timestamp::from_second(1_767_225_600).unwrap();
    let mut accounts = candidates(&names, &policy);
    for (number, candidate) in (0..).zip(&mut accounts) {
        candidate.facts.last_changed = Some(start - hours(number % (75 * 24)));
    }
    for (count, per, makes_it) in [(5, Per::Second, true), (40, Per::Hour, false)] {
        let limits = Limits {
            tenants: tenants.map(|tenant| (tenant.to_owned(), rate(count, per).interval())).into(),
            ..Limits::default()
        };
        let plan = plan(start, start + hours(180 * 24), &accounts, Pace::new(limits));
        assert!(plan.entries.len() > 20_000, "{}", plan.entries.len());
        let late =
            plan.entries.iter().filter(|entry| entry.trouble() <= Some(Trouble::Late) && entry.trouble().is_some());
        assert_eq!(late.count() == 0, makes_it, "{count}/{}", per.label());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_plan_keeps_to_everything_it_was_given(
        calendar in any_calendar(),
        changed in prop::collection::vec((0..120_i64, any::<bool>()), 1..40),
        (per_hour, catch_up, cap) in (1..30_u32, 1..30_u32, 1..5_u32),
        adopt in any::<bool>(),
    ) {
        let policy = Policy {
            calendar,
            margin: hours(48),
            spread: hours(24),
            on_adopt: if adopt { OnAdopt::Rotate } else { OnAdopt::Defer },
            catch_up: rate(catch_up, Per::Hour),
            first_run_cap: NonZeroU32::new(cap).unwrap(),
            ..plain()
        };
        let start = Timestamp::from_second(1_710_000_000).unwrap();
        let names = names("main", changed.len());
        let apart = Apart { names: names.iter().take(2).map(|name| name.name.clone()).collect(), by: hours(36) };
        let limits = Limits { apart: vec![apart.clone()], ..tenant_rate(rate(per_hour, Per::Hour)) };
        let accounts: Vec<Candidate<'_>> = candidates(&names, &policy).into_iter().zip(&changed).map(|(candidate, (ago, ours))| {
            let changed = start - hours(24 * ago);
            let facts = Facts { last_changed: ours.then_some(changed), first_seen: changed, ..candidate.facts };
            Candidate { facts, ..candidate }
        }).collect();
        let horizon = start + hours(24 * 120);
        let made = plan(start, horizon, &accounts, Pace::new(limits.clone()));
        prop_assert_eq!(&made, &plan(start, horizon, &accounts, Pace::new(limits.clone())));

        let interval = rate(per_hour, Per::Hour).interval();
        for pair in made.entries.windows(2) {
            prop_assert!(pair[1].at.duration_since(pair[0].at) >= interval, "a burst above the rate");
        }
        let overdue: Vec<_> = made.entries.iter().filter(|entry| entry.deadline <= Some(entry.at)).collect();
        for pair in overdue.windows(2) {
            prop_assert!(pair[1].at.duration_since(pair[0].at) >= rate(catch_up, Per::Hour).interval());
        }
        let adopted: Vec<_> = made.entries.iter().filter(|entry| entry.why.reason == Reason::Adopted).collect();
        for many in adopted.windows(usize::try_from(cap).unwrap() + 1) {
            prop_assert!(many.last().unwrap().at.duration_since(many[0].at) >= hours(24), "more than the cap in a day");
        }
        let near: Vec<_> = made.entries.iter().filter(|entry| apart.contains(entry.account)).collect();
        for pair in near.windows(2).filter(|pair| pair[0].account != pair[1].account) {
            let distance = pair[1].at.duration_since(pair[0].at);
            prop_assert!(distance >= hours(36) || pair[1].deadline <= Some(pair[1].at), "{} apart", distance);
        }
        for entry in &made.entries {
            prop_assert!(start <= entry.at && entry.at < horizon);
            if let Slot::Open(piece) = entry.why.slot {
                prop_assert!(piece.span.contains(entry.at) && policy.calendar.open_at(entry.at).is_some());
            }
            prop_assert!(entry.held.is_some() || entry.trouble().is_none_or(|trouble| trouble > Trouble::Late) || entry.at == start);
        }
        // Nobody is forgotten: who is due in time rotates, or is left out with the reason.
        for candidate in &accounts {
            let Dates { deadline, .. } = candidate.facts.dates().unwrap();
            let planned = made.entries.iter().any(|entry| entry.account == candidate.account);
            let left_out = made.left_out.iter().any(|left_out| left_out.account == candidate.account);
            prop_assert!(planned || left_out || deadline.unwrap() >= horizon, "{}", candidate.account);
        }
    }
}
