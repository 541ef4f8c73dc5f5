//! Years of the daemon's life in seconds: the real engine and the real protocol, with clocks, vaults and providers in memory.
//!
//! The same seed is the same story; a failure names it. `watch=WORD` prints every fact with the word in it. For a long one:
//! `SIMULATOR="seed=7 years=10 accounts=3000" cargo test --release --test simulator -- --ignored --nocapture`
#![cfg(test)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "how fast years pass, and the seed of a failure, are what it is run for"
)]

mod audit;
mod dice;
mod journal;
mod pace;
mod provider;
mod scenes;
mod story;
mod time;
mod trouble;
mod vault;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use jiff::SignedDuration;
use ncloud_rotator::engine::watch::RELIST;

use crate::story::{Figures, Setup, Story};

/// Lives through a story, and says what it came to.
fn live(setup: Setup) -> Figures {
    let mut figures = Err(Box::new(()) as _);
    let took = timed(|| figures = catch_unwind(AssertUnwindSafe(|| Story::new(setup).run())));
    let figures = figures.unwrap_or_else(|cause| {
        eprintln!("it failed in {setup:?}; that seed tells the same story again");
        resume_unwind(cause)
    });
    let years = f64::from(u32::try_from(setup.days).unwrap()) / 365.25;
    println!(
        "{} accounts, {years:.1} years in {took:.1} s ({:.2} years a second), seed {}: {figures:?}",
        setup.accounts,
        years / took,
        setup.seed,
    );
    figures
}

const SHORT: Setup = Setup {
    seed: 1,
    tenants: 4,
    accounts: 120,
    days: 2 * 365,
    relist: SignedDuration::from_hours(12),
    is_troubled: true,
    policy: "",
    apart: None,
    watched: None,
};

#[test]
fn two_years_of_every_trouble() {
    let figures = live(SHORT);
    assert!(
        figures.rotations > 500 && figures.checks > 2000 && figures.starts > 20 && figures.paced > 100,
        "{figures:?}"
    );
}

/// How a check of the moment is plugged in: here, that nothing begins in the year before its time.
#[test]
fn a_check_of_the_moment_at_which_a_rotation_begins_is_heard() {
    let mut story = Story::new(Setup { days: 200, is_troubled: false, ..SHORT });
    story.refuses_beginnings(Box::new(|begins| {
        Err(format!("{} at {}, and it expires at {}", begins.subject.kind, begins.at, begins.expires_at))
    }));
    let heard = catch_unwind(AssertUnwindSafe(|| story.run())).unwrap_err();
    let heard = heard.downcast_ref::<String>().unwrap();
    assert!(heard.contains("sub-account at 2026-06-"), "{heard}");
}

#[test]
fn a_quiet_year_rotates_each_account_when_it_is_due_and_never_else() {
    let figures = live(Setup { days: 365, is_troubled: false, ..SHORT });
    // 180 days less 14, from the first sight: twice a year, and not a third time.
    assert_eq!(figures.rotations, 2 * 120);
}

/// What the loop cost that listed and surveyed everything at each of a day's looks, beside the queue that does so when a list
/// is due and otherwise looks at one time: a ratio, since machines differ.
#[test]
#[ignore = "a measurement: --release --ignored --nocapture"]
fn a_days_looks_over_ten_thousand_accounts() {
    const LOOKS: u32 = 144;
    let setup = Setup { tenants: 20, accounts: 10_000, relist: RELIST, is_troubled: false, ..SHORT };
    let mut story = Story::new(setup);
    story.live_on(0.1);
    let new = timed(|| story.live_on(1.0));
    let old = timed(|| story.looks_at_everything()) * f64::from(LOOKS);
    assert_eq!(story.audit.rotations(), 0);
    println!(
        "a day over 10,000 accounts: {LOOKS} whole looks {old:.2} s, the queue {new:.2} s: {:.1} times less",
        old / new
    );
}

/// What thousands cost that are due and held, beside as many that are not due: a wake-up asks one of each line, and a window
/// that closes before all of them sorts them anew once.
#[test]
#[ignore = "a measurement: --release --ignored --nocapture"]
fn a_day_of_ten_thousand_accounts_that_a_cap_holds() {
    const HELD: &str = "on_adopt = \"rotate\"\nfirst_run_cap = 10";
    const WINDOWED: &str =
        "on_adopt = \"rotate\"\nfirst_run_cap = 10\nwindows = [{ cron = \"0 2 * * *\", lasts = \"2h\" }]";
    for (policy, rotations) in [("", 0), (HELD, 20), (WINDOWED, 20)] {
        let setup = Setup { tenants: 20, accounts: 10_000, relist: RELIST, is_troubled: false, policy, ..SHORT };
        let mut story = Story::new(setup);
        story.live_on(0.15);
        let begun = story.audit.rotations();
        let took = timed(|| story.live_on(1.0));
        assert_eq!(story.audit.rotations() - begun, rotations, "{policy}");
        println!("a day over 10,000 accounts in {took:.2} s, with {policy:?}");
    }
}

fn timed(what: impl FnOnce()) -> f64 {
    #[expect(clippy::disallowed_methods, reason = "how long something really takes is measured in real time")]
    let began = std::time::Instant::now();
    what();
    began.elapsed().as_secs_f64()
}

#[test]
#[ignore = "takes minutes; SIMULATOR=\"seed=1 years=10 accounts=3000\" says how long and how large"]
fn ten_years_of_thousands() {
    #[expect(clippy::disallowed_methods, reason = "a test that a person starts asks that person")]
    let asked = std::env::var("SIMULATOR").unwrap_or_default();
    let word = |name: &str| asked.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let number = |name: &str, default: u64| word(name).map_or(default, |word| word.parse().unwrap());
    live(Setup {
        seed: number("seed", 1),
        tenants: usize::try_from(number("tenants", 8)).unwrap(),
        accounts: usize::try_from(number("accounts", 3000)).unwrap(),
        days: 365 * number("years", 10) + 2,
        relist: SignedDuration::from_hours(24),
        is_troubled: true,
        policy: "",
        apart: None,
        watched: word("watch").map(|word| &*word.to_owned().leak()),
    });
}
