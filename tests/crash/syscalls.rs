//! Systematic: killed before every change to a file, in the vault, beside it and in the state directory.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::boundaries::Company;
use crate::disk::Disk;
use crate::parallel;
use crate::relay::Fate;
use crate::shelf::Kind;
use crate::strace::{self, Aim, Call};
use crate::world::World;

const AT_ONCE: usize = 6;

/// Where a rotation starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// Nothing is there, neither vault nor identity nor state directory.
    Nothing,
    /// The account has been rotated before.
    Rotated,
}

impl Start {
    fn world(self) -> Arc<World> {
        match self {
            Self::Nothing => World::new(Kind::Age),
            Self::Rotated => World::begun(Kind::Age, "svc-report df002 svc-batch"),
        }
    }
}

/// What a power cut may have made of temporary files.
#[derive(Debug, Clone, Copy)]
enum Leftovers {
    Whole,
    Half,
    Empty,
}

/// Kills before each change in turn. Says how often it killed.
pub(crate) fn killed_at_every_change(start: Start, company: Company) -> usize {
    let template = start.world();
    let rehearsal = rehearsal(&template);
    let leftovers = [Leftovers::Whole, Leftovers::Half, Leftovers::Empty];
    let case = |(number, aim): (usize, Aim)| {
        let [one, other] = [leftovers[number % 3], leftovers[(number + 1) % 3]];
        let kept = Case { aim: aim.clone(), leftovers: one, company, state_is_lost: false };
        let lost = Case { aim, leftovers: other, company, state_is_lost: true };
        // A companion keeps a directory of its own, or needs this one.
        [Some(kept), (company == Company::Nobody).then_some(lost)].into_iter().flatten()
    };
    let cases = Aim::all(&rehearsal).into_iter().enumerate().flat_map(case).collect();
    let struck = parallel::each(cases, AT_ONCE, |case| ordeal(&template, &rehearsal, &case).then(|| case.aim.kind()));
    let struck: Vec<String> = struck.into_iter().flatten().collect();
    assert!(!struck.is_empty(), "nothing was struck");
    // In company somebody else may be faster.
    let mut kinds = Aim::all(&rehearsal).into_iter().map(|aim| aim.kind());
    let missed = kinds.find(|kind| company == Company::Nobody && !struck.contains(kind));
    assert_eq!(missed, None, "it was never killed there");
    struck.len()
}

/// Goes through it with nobody killed.
fn rehearsal(template: &Arc<World>) -> Vec<Call> {
    let world = World::like(template);
    let (dir, log) = (world.path(""), world.path("rehearsal.strace"));
    let mut disk = Disk::new(&dir);
    let seat = world.seat("state", None, Fate::Lands);
    seat.run(seat.command(&strace::record(&log), "rotate svc-batch")).finish().ends_with(0);
    let calls = Call::all(&log, &dir);
    assert_eq!(disk.follow(&calls, "rehearsal"), 1, "passwords that were told");
    calls
}

/// One way to be killed.
#[derive(Debug)]
struct Case {
    aim: Aim,
    leftovers: Leftovers,
    company: Company,
    state_is_lost: bool,
}

/// Kills at one call and holds the promise through all that follows. Whether there was one to kill at.
fn ordeal(template: &Arc<World>, rehearsal: &[Call], case: &Case) -> bool {
    let Case { aim, leftovers, company, state_is_lost } = case;
    let world = World::like(template);
    let (dir, logs) = (world.path(""), ["first.strace", "second.strace"].map(|name| world.path(name)));
    let mut disk = Disk::new(&dir);
    let watched = aim.watched(rehearsal);
    let seat = world.seat("state", None, Fate::Lands);
    let running = seat.run(seat.command(&aim.kill(&logs[0], &dir, &watched), "rotate svc-batch"));
    let companion = match company {
        Company::Nobody => None,
        Company::SameState => Some(world.seat("state", None, Fate::Lands)),
        Company::OtherState => Some(world.seat("elsewhere", None, Fate::Lands)),
    };
    let other = companion.as_ref().map(|seat| seat.start("rotate svc-batch"));
    let code = running.finish().code;
    let what = format!("{case:?}, ended with {code:?}");
    world.holds_the_promise(&what);
    if let Some(other) = other {
        other.finish().ends_with(0);
        world.holds_the_promise(&what);
    }
    spoil(&world.path("vault"), *leftovers);
    if *state_is_lost {
        world.lose_state("state");
    }
    let before = world.standing();
    world.restart("state", &strace::record(&logs[1]));
    world.goes_on_and_begins_nothing(&before, true, &what);
    let first = Call::all(&logs[0], &dir);
    if *company == Company::Nobody {
        disk.follow(&first, &what);
        disk.killed(&watched);
        if *state_is_lost {
            disk.lose("state");
        }
        disk.follow(&Call::all(&logs[1], &dir), &what);
    }
    code.is_none() && aim.was_hit(&first)
}

/// Does to every temporary file what a power cut may do to one.
fn spoil(dir: &Path, leftovers: Leftovers) {
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            spoil(&path, leftovers);
        } else if path.extension().is_some_and(|extension| extension == "tmp") {
            let bytes = fs::read(&path).unwrap();
            match leftovers {
                Leftovers::Whole => {}
                Leftovers::Half => fs::write(&path, &bytes[..bytes.len() / 2]).unwrap(),
                Leftovers::Empty => fs::write(&path, "").unwrap(),
            }
        }
    }
}
