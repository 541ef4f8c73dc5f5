//! What can be found in the memory of the real program, and what cannot once it has done its work.
//!
//! The image is read as root reads it, past the door that is shut to everybody else. Where that is not allowed, nothing can be
//! measured, and the test says so.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use ncloud_rotator::emulator::{DEMO_ACCESS_KEY, DEMO_SECRET_KEY};
use nix::sys::signal::Signal;
use nix::unistd::{Pid, Uid};
use serde_json::json;

use crate::aws;
use crate::bench::{ACTIVE, Bench, tells_nothing};
use crate::process::{Running, until};
use crate::secrets_manager::server::Server;
use crate::vault::files;

/// A process's memory, as far as it can be written and so can hold what the process has learnt: runs of pages that are not empty.
struct Image(Vec<(String, Vec<u8>)>);

const PAGE: usize = 4096;

impl Image {
    /// None where this user may not look.
    fn of(pid: Pid) -> Option<Self> {
        let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
        let region = |line: &str| {
            let mut words = line.split_whitespace();
            let (from, to) = words.next()?.split_once('-')?;
            let is_written = words.next()?.starts_with("rw");
            let hex = |text| u64::from_str_radix(text, 16).ok();
            let (from, to) = (hex(from)?, hex(to)?);
            let mut bytes = vec![0; usize::try_from(to - from).ok()?];
            let is_read = is_written && memory.read_exact_at(&mut bytes, from).is_ok();
            is_read.then(|| runs(words.nth(3).unwrap_or("anonymous"), &bytes))
        };
        let found: Vec<_> = maps.lines().filter_map(region).flatten().collect();
        (!found.is_empty()).then_some(Self(found))
    }

    /// Where a secret stands.
    fn places(&self, secret: &[u8]) -> Vec<String> {
        let within = |(name, bytes): &(String, Vec<u8>)| {
            let found = bytes.windows(secret.len()).enumerate().filter(|(_, window)| *window == secret);
            found.map(|(at, _)| format!("{name}+{at:#x}")).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(within).collect()
    }
}

fn runs(name: &str, bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let empty = [0; PAGE];
    let pages: Vec<&[u8]> = bytes.chunks(PAGE).collect();
    let same = |one: &&[u8], other: &&[u8]| (**one == empty) == (**other == empty);
    let runs = pages.chunk_by(same).filter(|run| run[0] != empty);
    runs.map(|run| (name.to_owned(), run.concat())).collect()
}

/// The 32 bytes that an age identity stands for: what would open the vault (BIP 173).
fn scalar(identity: &str) -> Vec<u8> {
    const DIGITS: &str = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L";
    let data = identity.strip_prefix("AGE-SECRET-KEY-1").unwrap();
    let digits = data[..data.len() - 6].chars().map(|digit| DIGITS.find(digit).unwrap());
    let bits: Vec<bool> = digits.flat_map(|digit| (0..5).rev().map(move |bit| digit >> bit & 1 == 1)).collect();
    bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit))).collect()
}

fn identity(bench: &Bench) -> String {
    let text = fs::read_to_string(bench.vault.identity()).unwrap();
    text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-1")).unwrap().to_owned()
}

/// A daemon whose keys are in files, so that its environment holds none.
fn daemon(bench: &Bench) -> Running {
    for (variable, file, key) in
        [("NCLOUD_ACCESS_KEY", "access.key", DEMO_ACCESS_KEY), ("NCLOUD_SECRET_KEY", "secret.key", DEMO_SECRET_KEY)]
    {
        fs::write(bench.path(file), key).unwrap();
        bench.edit(&format!("{{ env = \"{variable}\" }}"), &format!("{{ file = \"{file}\" }}"));
    }
    let mut command = bench.command(&["run", "-vv"]);
    command.env_remove("NCLOUD_ACCESS_KEY").env_remove("NCLOUD_SECRET_KEY");
    bench.start_command(command)
}

#[test]
fn after_its_work_no_password_and_no_identity_is_left_in_it_nor_told_by_it() {
    let bench = Bench::with_short_fence();
    let mut known = bench.every_password();
    let faults = ["drop-after", "garbage-after", "success-false", "html-after", "refuse", "drop-before"];
    for (name, fault) in ACTIVE.iter().zip(faults) {
        bench.emulator.fault_once(name, &json!(fault));
    }
    bench.emulator.fault_once("df003", &json!({ "hold": {} }));
    let daemon = daemon(&bench);
    bench.emulator.until_sent("df003", 1);
    let Some(image) = Image::of(daemon.pid()) else {
        let _ = writeln!(std::io::stderr(), "skipped: this user may not look into the memory of others");
        return;
    };
    // The search finds what is there: the password that is on its way, and the key that signs.
    let pending = bench.stored("df003", "pending").unwrap();
    assert_ne!(image.places(pending.as_bytes()), [""; 0], "the password under way is not found: the search is blind");
    known.insert(pending);

    bench.emulator.release();
    let is_settled = |name: &&str| bench.stored(name, "pending").is_none() && bench.stored(name, "current").is_some();
    until("the end of every rotation", || ACTIVE.iter().all(is_settled));
    daemon.says("event=\"next\"");
    // What it is asked for by its socket passes through its memory too, and every answer is held to tell nothing at the end.
    for words in [
        "status --json",
        "history svc-batch --json",
        "rotate svc-backup df001 --json",
        "reload --json",
        "explain df001",
    ] {
        bench.run(words).ends_with(0);
    }
    daemon.says("event=\"reload-asked\"");
    known.extend(bench.every_password());
    assert!(known.len() > 18, "only {} passwords were seen", known.len());
    let left = |image: &Image| {
        let texts = known.iter().map(String::as_bytes);
        texts.flat_map(|text| image.places(text)).collect::<Vec<_>>()
    };
    let gone = || Image::of(daemon.pid()).is_some_and(|image| left(&image).is_empty());
    // What is let go with the last turn is let go a moment after it is told.
    until_or(gone, || panic!("passwords are left at {:?}", left(&Image::of(daemon.pid()).unwrap())));

    let image = Image::of(daemon.pid()).unwrap();
    let identity = identity(&bench);
    for (what, secret) in [("text", identity.as_bytes()), ("key", &scalar(&identity))] {
        assert_eq!(image.places(secret), [""; 0], "the age identity's {what} is left");
    }
    // The pair that answered last is kept, for each kind of account, and nowhere else.
    assert!((1..=2).contains(&image.places(DEMO_SECRET_KEY.as_bytes()).len()), "copies of the key");

    for file in ["cmdline", "environ"] {
        tells_nothing(file, &fs::read(format!("/proc/{}/{file}", daemon.pid())).unwrap(), &known);
    }
    daemon.signal(Signal::SIGTERM);
    daemon.finish().ends_with(0);
    bench.holds_the_promise();
    for file in files(&bench.state()) {
        tells_nothing(&file.display().to_string(), &fs::read(&file).unwrap(), &known);
    }
}

/// Waits until something is so, and says otherwise what is wrong.
fn until_or(is_so: impl Fn() -> bool, otherwise: impl Fn()) {
    for _ in 0..10 {
        if is_so() {
            return;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(500));
    }
    otherwise();
}

#[test]
fn memory_is_locked_where_that_is_allowed_and_the_program_runs_where_it_is_not() {
    let words = ["generate", "--kind", "sub-account", "-v"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_ncloud-rotator"));
    command.env_clear().args(words);
    if Uid::effective().is_root() {
        // Nobody has no right to lock more than the limit, which is never everything on a machine that sets none.
        command.uid(65534).gid(65534);
    }
    let said = command.output().unwrap();
    let text = String::from_utf8(said.stderr).unwrap();
    assert!(said.status.success(), "{text}");
    let told = ["event=\"memory-locked\"", "event=\"memory-not-locked\""];
    assert_eq!(told.iter().filter(|told| text.contains(**told)).count(), 1, "{text}");
    assert!(!text.contains("not-locked") || text.contains("LimitMEMLOCK=infinity"), "{text}");

    let bench = Bench::new();
    let running = bench.start("run -v");
    running.says("event=\"next\"");
    let status = fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap();
    let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap().trim().to_owned();
    let says_so = running.stdout().contains("event=\"memory-locked\"");
    assert_eq!(locked != "0 kB", says_so, "{locked} are locked: {}", running.stdout());
}

/// So that an ordinary rotation is one read, the AWS vault remembers what labelled versions hold. That is one copy of each, and
/// nothing of the SDK's that was sent or received.
#[test]
fn with_aws_one_copy_of_what_is_current_is_kept_and_none_of_what_was() {
    let server = Server::start();
    let bench = aws::in_aws(Bench::new(), &server.endpoint(), "");
    let first = bench.every_password();
    let daemon = bench.start_command(aws::command(&bench, "run"));
    daemon.says("event=\"next\"");
    let copies = |image: &Image| {
        let current = ACTIVE.map(|name| image.places(bench.emulator.account(name).password.as_bytes()).len());
        let past = first.iter().flat_map(|password| image.places(password.as_bytes())).count();
        (current, past)
    };
    let Some(image) = Image::of(daemon.pid()) else {
        let _ = writeln!(std::io::stderr(), "skipped: this user may not look into the memory of others");
        return;
    };
    assert_ne!(copies(&image).0, [0; 7], "the search is blind");
    let is_little = || {
        Image::of(daemon.pid())
            .is_some_and(|image| matches!(copies(&image), (current, 0) if current.iter().all(|copies| *copies <= 1)))
    };
    until_or(is_little, || panic!("copies: {:?}", copies(&Image::of(daemon.pid()).unwrap())));
}
