//! Systematic: killed, or kept waiting, at every moment of every exchange with the provider and with the vault's server.

use std::sync::Arc;

use serde_json::json;

use crate::parallel;
use crate::process::until;
use crate::relay::{Fate, Strike};
use crate::shelf::Kind;
use crate::world::World;

/// No walk is this long: one that is does not end.
const LONGEST: usize = 200;
/// Cases side by side: most wait for a fence.
const AT_ONCE: usize = 16;

/// What a rotation meets when it is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// An account that this program never rotated.
    Adoption,
    /// One that it has rotated before.
    Again,
    /// The first password is refused: it is kept, and another one waits for the fence.
    Refusal,
    /// The first answer is lost on its way.
    Doubt,
}

impl Scenario {
    fn prepare(self, world: &World, account: &str) {
        match self {
            Self::Adoption | Self::Again => {}
            Self::Refusal => world.emulator.fault_once(account, &json!("refuse")),
            Self::Doubt => world.emulator.fault_once(account, &json!("drop-after")),
        }
    }
}

/// What else is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Company {
    Nobody,
    /// Another process rotates the same account, of this machine.
    SameState,
    /// Another one does, of another machine.
    OtherState,
}

/// One way to be struck.
#[derive(Debug, Clone, Copy)]
struct Case {
    account: &'static str,
    scenario: Scenario,
    company: Company,
    strike: Strike,
    at: usize,
    fate: Fate,
    state_is_lost: bool,
}

/// Kills at each moment, in each way, until there is no such moment any more; says how often it killed.
pub(crate) fn killed_at_every_moment(kind: Kind, account: &'static str, scenario: Scenario, company: Company) -> usize {
    let fates: &[Fate] = match (scenario, company) {
        (Scenario::Refusal | Scenario::Doubt, _) => &[Fate::Lands],
        (_, Company::Nobody) if kind == Kind::Age => &[Fate::Lost, Fate::Lands, Fate::Late],
        _ => &[Fate::Lands, Fate::Late],
    };
    let cases = |at: usize| {
        let ways = fates.iter().flat_map(|fate| [(*fate, false), (*fate, true)]).enumerate();
        // A server has more moments, and knows nothing of state directories: every other way is enough there.
        let ways = ways.filter(|(number, _)| kind == Kind::Age || (at + number + number / 2).is_multiple_of(2));
        let case = |(_, (fate, state_is_lost))| Case {
            account,
            scenario,
            company,
            strike: Strike::Kill,
            at,
            fate,
            state_is_lost,
        };
        ways.map(case).collect()
    };
    walk(kind, account, scenario, cases)
}

/// Keeps the process waiting at each moment while another one goes through a whole rotation of the same account.
pub(crate) fn stalled_at_every_moment(
    kind: Kind,
    account: &'static str,
    scenario: Scenario,
    company: Company,
) -> usize {
    let case =
        |at| Case { account, scenario, company, strike: Strike::Stall, at, fate: Fate::Lands, state_is_lost: false };
    walk(kind, account, scenario, |at| vec![case(at)])
}

/// Goes on from moment to moment until there was none in any case. A rehearsal says how many there are about.
fn walk(kind: Kind, account: &'static str, scenario: Scenario, cases: impl Fn(usize) -> Vec<Case>) -> usize {
    let before = if scenario == Scenario::Again { account } else { "" };
    let template = World::begun(kind, &format!("svc-report df002 {before}"));
    let mut strikes = 0;
    let mut moments = 0..rehearsal(&template, account, scenario) + 1;
    while moments.start < LONGEST {
        let cases: Vec<Case> = moments.clone().flat_map(&cases).collect();
        let struck = parallel::each(cases, AT_ONCE, |case| (case.at, ordeal(&template, case)));
        strikes += struck.iter().filter(|(_, struck)| *struck).count();
        if !struck.iter().any(|(at, struck)| *struck && *at + 1 == moments.end) {
            assert!(strikes > 0, "nothing was struck");
            return strikes;
        }
        moments = moments.end..moments.end + 1;
    }
    panic!("{scenario:?} of {account} has more than {LONGEST} moments");
}

/// Goes through it with nobody struck, and says how many moments passed.
fn rehearsal(template: &Arc<World>, account: &str, scenario: Scenario) -> usize {
    let world = World::like(template);
    scenario.prepare(&world, account);
    let seat = world.seat("state", None, Fate::Lands);
    seat.start(&format!("rotate {account}")).finish().ends_with(0);
    world.is_settled("after the rehearsal");
    seat.relay.passed()
}

/// Strikes one process at one moment and holds the promise through all that follows. Whether there was such a moment.
fn ordeal(template: &Arc<World>, case: Case) -> bool {
    let Case { account, scenario, company, strike, at, fate, state_is_lost } = case;
    let world = World::like(template);
    scenario.prepare(&world, account);
    let words = format!("rotate {account}");
    let seat = world.seat("state", Some((at, strike)), fate);
    let running = seat.start(&words);
    let companion = match company {
        Company::Nobody => None,
        Company::SameState => Some(world.seat("state", None, Fate::Lands)),
        Company::OtherState => Some(world.seat("elsewhere", None, Fate::Lands)),
    };
    let other = companion.as_ref().map(|companion| companion.start(&words));
    let struck = seat.relay.until_struck(|| running.has_ended());
    let what = format!("{case:?}, {struck:?}");
    world.holds_the_promise(&what);
    if let (Some(other), Some(companion)) = (other, &companion) {
        other.finish().ends_with(0);
        companion.ends_well();
        world.holds_the_promise(&what);
    }
    if strike == Strike::Stall {
        seat.relay.let_go();
    }
    match (strike, running.finish().code) {
        // The very last answer may find it at its end.
        (Strike::Kill, None) if struck.is_some() => {}
        (_, Some(0)) => world.is_settled(&what),
        // An answer that was kept for longer than clocks may differ looks like a clock that does.
        (Strike::Stall, Some(75)) => world.holds_the_promise(&what),
        (_, code) => panic!("{what}: it ended with {code:?}"),
    }
    until("the stillness after a death", || seat.relay.is_still());
    world.holds_the_promise(&what);
    if state_is_lost {
        world.lose_state("state");
    }
    // A refused one is followed by another, and so is one of a generation that a companion has ended.
    let same_password = scenario != Scenario::Refusal && company == Company::Nobody;
    let before = world.standing();
    world.restart("state", &[]);
    world.goes_on_and_begins_nothing(&before, same_password, &what);
    seat.relay.let_go();
    until("the arrival of late requests", || seat.relay.is_over());
    world.holds_the_promise(&what);
    // A password that is staged so late is found by whoever comes next.
    if fate == Fate::Late {
        world.restart("state", &[]);
    }
    world.is_settled(&what);
    seat.ends_well();
    struck.is_some()
}
