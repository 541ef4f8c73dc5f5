//! At random: killed, and killed again, until it was often enough.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use rand::TryRng as _;
use rand::rngs::SysRng;
use serde_json::json;

use crate::dice::{Death, Dice, Process, Release, STATES, State, Turn};
use crate::process::until;
use crate::relay::{Fate, Strike};
use crate::shelf::Kind;
use crate::world::{Seat, Standing, World, copy};

/// How long a process may go on before it is killed for impatience.
const IMPATIENCE: Duration = Duration::from_millis(1500);
/// Turns in one world, before a new one is made: an account has only so many refusals in it.
const TURNS: usize = 30;

/// The word that asks for it.
pub(crate) const TORTURE: &str = "torture";

/// Kills the rotator again and again at random moments, among random faults, and counts the passwords that are lost
#[derive(Debug, Parser)]
#[command(name = "tests/torture", bin_name = "tests/torture")]
pub(crate) struct Torture {
    /// Not to be a test like the others.
    #[arg(long = TORTURE, hide = true, required = true)]
    at_random: bool,
    /// How often to kill.
    #[arg(long)]
    kills: u64,
    /// What to draw from: the same seed draws the same turns. At random when it is left out.
    #[arg(long)]
    seed: Option<u64>,
    /// Which kind of vault.
    #[arg(long, default_value = "age")]
    vault: Kind,
    /// Worlds side by side; they wait most of the time.
    #[arg(long, default_value_t = 8)]
    lanes: u64,
}

/// What was counted over all lanes.
#[derive(Default)]
struct Tally {
    moments: AtomicU64,
    times: AtomicU64,
    rotations: AtomicU64,
    ends: AtomicU64,
    lost: AtomicU64,
    broken: AtomicU64,
    /// What went wrong, in words, with the turn that it was seen in.
    said: Mutex<Vec<String>>,
}

impl Tally {
    fn kills(&self) -> u64 {
        self.moments.load(Ordering::Relaxed) + self.times.load(Ordering::Relaxed)
    }

    fn say(&self, what: String) {
        self.said.lock().unwrap().push(what);
    }
}

/// Goes on until it was often enough, or something broke, and says what came of it.
#[expect(clippy::print_stdout, reason = "its figures are what it is for")]
pub(crate) fn torture(Torture { kills, seed, vault, lanes, .. }: &Torture) -> ExitCode {
    let seed = seed.unwrap_or_else(|| SysRng.try_next_u64().unwrap() >> 32);
    println!("seed {seed}, {lanes} lanes, {}", vault.label());
    let started = now();
    let tally = Tally::default();
    // What breaks is told at the end, once.
    std::panic::set_hook(Box::new(|_| {}));
    thread::scope(|scope| {
        for number in 0..*lanes {
            let tally = &tally;
            scope.spawn(move || lane(*vault, Dice::new(*vault, seed, number), number, *kills, tally));
        }
    });
    for what in tally.said.lock().unwrap().iter() {
        println!("{what}");
    }
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    println!(
        "kills {} ({} at a moment of an exchange, {} at a time), rotations {}, passwords lost {}",
        tally.kills(),
        count(&tally.moments),
        count(&tally.times),
        count(&tally.rotations),
        count(&tally.lost),
    );
    println!("brought to an end {} times, {} of them badly, in {} s", count(&tally.ends), count(&tally.broken), {
        now().duration_since(started).as_secs()
    });
    let is_well = count(&tally.lost) == 0 && count(&tally.broken) == 0;
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// World after world, until it was often enough.
fn lane(kind: Kind, mut dice: Dice, number: u64, kills: u64, tally: &Tally) {
    let mut turns = 0;
    while tally.kills() < kills && tally.broken.load(Ordering::Relaxed) == 0 {
        let world = World::new(kind);
        let quirks = json!({ "refuse_same_password": dice.refuses_the_same() });
        world.emulator.door("POST", "/door/quirks", Some(&quirks));
        let mut late = Vec::new();
        let mut played = Vec::new();
        let ended = catch_unwind(AssertUnwindSafe(|| {
            for left in (0..TURNS).rev() {
                let mut turn = dice.turn();
                turn.settles |= left == 0 || tally.kills() >= kills;
                turns += 1;
                played.push(format!("lane {number}, turn {turns}: {turn:?}"));
                play(&world, &turn, &mut late, tally, played.last().unwrap());
                if turn.settles {
                    settle(&world, &mut late, played.last().unwrap());
                    tally.ends.fetch_add(1, Ordering::Relaxed);
                    if tally.kills() >= kills {
                        return;
                    }
                }
            }
        }));
        let lost = world.lost();
        tally.lost.fetch_add(lost.len() as u64, Ordering::Relaxed);
        tally.rotations.fetch_add(world.emulator.accounts().iter().map(|live| live.changes).sum(), Ordering::Relaxed);
        if let Err(panic) = ended {
            tally.broken.fetch_add(1, Ordering::Relaxed);
            tally.say(panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "something broke".into()));
        }
        for loss in &lost {
            tally.say(format!("lost the live password of {}: {}", loss.account, loss.at));
        }
        if !lost.is_empty() || tally.broken.load(Ordering::Relaxed) > 0 {
            tally.say(format!("{}\n{}", played.join("\n"), world.chronicle()));
        }
    }
}

/// One turn. Places whose requests are still on their way go to `late`.
fn play(world: &Arc<World>, turn: &Turn, late: &mut Vec<Seat>, tally: &Tally, at: &str) {
    for rule in &turn.faults {
        world.emulator.fault(rule);
    }
    for trouble in &turn.troubles {
        world.shelf.trouble(*trouble);
    }
    thread::scope(|scope| {
        let lives: Vec<_> = turn.processes.iter().map(|process| scope.spawn(|| live(world, process, tally))).collect();
        if turn.release == Release::During {
            let_go(world, late);
        }
        for life in lives {
            match life.join() {
                Ok(seat) => late.push(seat),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    world.look(at);
    if turn.release == Release::After {
        let_go(world, late);
    }
    for (name, state) in STATES.iter().zip(turn.states) {
        befall(world, name, state);
    }
}

/// One process, from its start to its death or its end.
fn live(world: &Arc<World>, process: &Process, tally: &Tally) -> Seat {
    let strike = match process.death {
        Death::Moment(number) => Some((number, Strike::Kill)),
        Death::After(_) | Death::Impatience => None,
    };
    let seat = world.seat(process.state, strike, process.fate);
    let running = seat.start(&process.words);
    let most = match process.death {
        Death::After(micros) => Duration::from_micros(micros),
        Death::Moment(_) | Death::Impatience => IMPATIENCE,
    };
    let started = now();
    let struck = seat.relay.until_struck(|| running.has_ended() || now().duration_since(started) >= most);
    if struck.is_none() && !running.has_ended() {
        seat.relay.kill();
    }
    if running.finish().code.is_none() {
        let counter = if struck.is_some() { &tally.moments } else { &tally.times };
        counter.fetch_add(1, Ordering::Relaxed);
    }
    seat
}

fn let_go(world: &World, late: &[Seat]) {
    world.emulator.release();
    world.shelf.release();
    for seat in late {
        seat.relay.let_go();
    }
}

/// Lets arrive what was held on its way, here or at the provider, and waits until it has.
fn release(world: &World, late: &mut Vec<Seat>) {
    let arrived = || {
        // Again and again: one fault may hold what another one has held before.
        let_go(world, late);
        late.iter().all(|seat| seat.relay.is_over()) && world.has_answered_all()
    };
    until("the end of all requests", arrived);
    for seat in late.drain(..) {
        seat.ends_well();
    }
}

fn befall(world: &World, name: &str, state: State) {
    let (directory, aside) = (world.path(name), world.path(&format!("{name}.copy")));
    match state {
        State::IsLost => world.lose_state(name),
        State::IsCopied if directory.exists() => {
            if aside.exists() {
                fs::remove_dir_all(&aside).unwrap();
            }
            copy(&directory, &aside);
        }
        State::IsRestored if aside.exists() => {
            world.lose_state(name);
            copy(&aside, &directory);
        }
        State::Stays | State::IsCopied | State::IsRestored => {}
    }
}

/// Ends all trouble; then a restart begins nothing, and what is under way ends well.
fn settle(world: &Arc<World>, late: &mut Vec<Seat>, at: &str) {
    world.emulator.clear_faults();
    world.shelf.clear_trouble();
    release(world, late);
    world.look(at);
    let before = world.standing();
    world.restart(STATES[0], &[]);
    world.began_nothing(&before, at);
    let unfinished = |standing: &Standing| !standing.held.idle;
    let names: Vec<String> =
        world.standing().into_iter().filter(unfinished).map(|standing| standing.live.name).collect();
    if !names.is_empty() {
        let seat = world.seat(STATES[0], None, Fate::Lands);
        seat.start(&format!("rotate --yes --wait 60s {}", names.join(" "))).finish().ends_with(0);
        seat.ends_well();
    }
    world.is_settled(at);
}

#[expect(clippy::disallowed_methods, reason = "processes are killed in real time")]
fn now() -> Instant {
    Instant::now()
}
