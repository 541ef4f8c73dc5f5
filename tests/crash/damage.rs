//! What a power cut, a person or a bad disk left of the vault's files, and what the program then does: it says what is wrong
//! and where, writes nothing over it, asks for no password, and goes on when the file is good again.

use std::fs::{self, FileType};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use crate::parallel;
use crate::process::until;
use crate::relay::Fate;
use crate::shelf::Kind;
use crate::world::{World, secret};

const ACCOUNT: &str = "svc-batch";

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damage {
    /// Its bytes never came to the disk.
    Empty,
    Half,
    /// All but the last one.
    Short,
    Zeroes,
    /// A link to nothing.
    Dangling,
    /// Something else has its name.
    Directory,
}

/// Where the account's rotation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    Idle,
    /// Applied and not promoted: the pending password is the live one.
    Applied,
}

/// Tries each damage in each state. Says how many there were.
pub(crate) fn damaged_files_are_reported_and_left_alone() -> usize {
    use Damage::{Dangling, Directory, Empty, Half, Short, Zeroes};
    let damages = [Empty, Half, Short, Zeroes, Dangling, Directory];
    let cases: Vec<_> = damages.iter().flat_map(|damage| [(*damage, Stand::Idle), (*damage, Stand::Applied)]).collect();
    let template = World::begun(Kind::Age, &format!("svc-report {ACCOUNT}"));
    parallel::each(cases, 4, |(damage, stand)| endure(&template, damage, stand)).len()
}

fn endure(template: &World, damage: Damage, stand: Stand) {
    let world = World::like(template);
    if stand == Stand::Applied {
        world.emulator.fault_always(ACCOUNT, &json!("drop-after"));
        let seat = world.seat("state", None, Fate::Lands);
        let running = seat.start(&format!("rotate {ACCOUNT}"));
        until("a change that was not answered", || world.emulator.account(ACCOUNT).changes > 1);
        running.kill_9();
        world.emulator.clear_faults();
    }
    let what = format!("{damage:?}, {stand:?}");
    world.holds_the_promise(&what);
    let file = world.path("vault").join(format!("{}.age", secret(ACCOUNT)));
    let good = fs::read(&file).unwrap();
    world.blindly(|| {
        spoil(&file, &good, damage);
        is_reported_and_left_alone(&world, &file, &what);
        repair(&file, &good);
    });
    let before = world.standing();
    world.restart("state", &[]);
    world.goes_on_and_begins_nothing(&before, true, &what);
}

fn is_reported_and_left_alone(world: &Arc<World>, file: &Path, what: &str) {
    let (before, sends) = (look(file), world.emulator.sends_of(ACCOUNT).len());
    for state_is_lost in [false, true] {
        if state_is_lost {
            world.lose_state("state");
        }
        let seat = world.seat("state", None, Fate::Lands);
        let ended = seat.start(&format!("rotate --wait 1s {ACCOUNT}")).finish();
        assert!(matches!(ended.code, Some(69 | 75)), "{what}: {ended:?}");
        let ended = ended.mentions(&format!("{ACCOUNT}.age"));
        assert!(!ended.text().contains("rotated;"), "{what}: {ended:?}");
        assert_eq!(look(file), before, "{what}: the file was touched");
        assert_eq!(world.emulator.sends_of(ACCOUNT).len(), sends, "{what}: a password was sent");
        seat.ends_well();
    }
}

/// What has this name, and what is in it.
fn look(file: &Path) -> (FileType, Option<Vec<u8>>) {
    (fs::symlink_metadata(file).unwrap().file_type(), fs::read(file).ok())
}

fn spoil(file: &Path, good: &[u8], damage: Damage) {
    fs::remove_file(file).unwrap();
    match damage {
        Damage::Empty => fs::write(file, "").unwrap(),
        Damage::Half => fs::write(file, &good[..good.len() / 2]).unwrap(),
        Damage::Short => fs::write(file, &good[..good.len() - 1]).unwrap(),
        Damage::Zeroes => fs::write(file, vec![0; good.len()]).unwrap(),
        Damage::Dangling => symlink(file.with_extension("elsewhere"), file).unwrap(),
        Damage::Directory => fs::create_dir(file).unwrap(),
    }
}

fn repair(file: &Path, good: &[u8]) {
    if file.is_dir() {
        fs::remove_dir(file).unwrap();
    } else {
        fs::remove_file(file).unwrap();
    }
    fs::write(file, good).unwrap();
}
