//! What a service manager hears: readiness, reloads, the watchdog's beats, the end; and the log as a journal takes it.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::bench::{ACTIVE, Bench};
use crate::process::Running;

/// How long a message may take; far longer than a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(90);

/// The manager's end of the socket.
struct Manager(UnixDatagram);

impl Manager {
    fn of(bench: &Bench) -> Self {
        let socket = UnixDatagram::bind(bench.path("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    /// The program, as a service of this manager.
    fn command(bench: &Bench, words: &[&str]) -> Command {
        let mut command = bench.command(words);
        command.env("NOTIFY_SOCKET", bench.path("notify"));
        command
    }

    fn start(bench: &Bench, words: &[&str]) -> Running {
        bench.start_command(Self::command(bench, words))
    }

    /// The next message, as lines.
    #[track_caller]
    fn next(&self) -> Vec<String> {
        let mut bytes = [0; 8192];
        let length = self.0.recv(&mut bytes).expect("the service tells something");
        std::str::from_utf8(&bytes[..length]).unwrap().lines().map(str::to_owned).collect()
    }

    /// Waits for a message with a line that begins so, and answers with the message.
    #[track_caller]
    fn hears(&self, beginning: &str) -> Vec<String> {
        loop {
            let message = self.next();
            if message.iter().any(|line| line.starts_with(beginning)) {
                return message;
            }
        }
    }

    /// Everything that was sent and not heard yet.
    fn rest(&self) -> Vec<String> {
        self.0.set_nonblocking(true).unwrap();
        let mut bytes = [0; 8192];
        let mut all = Vec::new();
        loop {
            match self.0.recv(&mut bytes) {
                Ok(length) => all.extend(std::str::from_utf8(&bytes[..length]).unwrap().lines().map(str::to_owned)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        self.0.set_nonblocking(false).unwrap();
        all
    }
}

fn end(running: Running) {
    running.signal(Signal::SIGINT);
    running.finish().ends_with(0);
}

fn number(message: &[String], key: &str) -> u64 {
    let line =
        message.iter().find_map(|line| line.strip_prefix(key)).unwrap_or_else(|| panic!("no {key}: {message:?}"));
    line.parse().unwrap()
}

#[test]
fn it_is_ready_tells_where_it_stands_and_says_that_it_ends() {
    let bench = Bench::new();
    let manager = Manager::of(&bench);
    let running = Manager::start(&bench, &["run"]);
    manager.hears("READY=1");
    let status = manager.hears("STATUS=7 accounts; next is main/").concat();
    assert!(status.contains("+09:00"), "{status}");
    running.signal(Signal::SIGTERM);
    let message = manager.hears("STOPPING=1");
    assert!(message[1].starts_with("STATUS=ending; "), "{message:?}");
    // The answer that may be waited for, and two minutes.
    assert_eq!(number(&manager.hears("EXTEND_TIMEOUT_USEC="), "EXTEND_TIMEOUT_USEC="), 150_000_000);
    running.finish().ends_with(0);
}

#[test]
fn a_reload_is_announced_with_its_time_and_its_end_and_rotates_nothing() {
    let bench = Bench::new();
    let manager = Manager::of(&bench);
    let running = Manager::start(&bench, &["run"]);
    manager.hears("STATUS=7 accounts");
    let sends = bench.emulator.sends().len();
    running.signal(Signal::SIGHUP);
    assert!(number(&manager.hears("RELOADING=1"), "MONOTONIC_USEC=") > 0);
    let message = manager.hears("READY=1");
    assert!(message[1].starts_with("STATUS=7 accounts"), "{message:?}");

    // A changed file is a reload as well, whoever hears of it first.
    let good = fs::read_to_string(bench.config()).unwrap();
    bench.edit("length = 16", "length = 99");
    manager.hears("RELOADING=1");
    let message = manager.hears("READY=1");
    assert!(message[1].ends_with("the changed configuration file is refused, the earlier one in force"), "{message:?}");

    bench.write(&good.replace("Asia/Seoul", "UTC"));
    manager.hears("RELOADING=1");
    let message = manager.hears("READY=1");
    assert!(!message[1].contains("refused") && message[1].ends_with("+00:00"), "{message:?}");
    end(running);
    assert_eq!(bench.emulator.sends().len(), sends);
    for name in ACTIVE {
        bench.is_settled(name, 1);
    }
}

#[test]
fn an_idle_engine_feeds_the_watchdog_and_a_stopped_process_does_not() {
    let bench = Bench::new();
    let manager = Manager::of(&bench);
    let mut command = Manager::command(&bench, &["run"]);
    command.env("WATCHDOG_USEC", "300000");
    let running = bench.start_command(command);
    manager.hears("STATUS=7 accounts");
    for _ in 0..5 {
        manager.hears("WATCHDOG=1");
    }
    running.signal(Signal::SIGSTOP);
    manager.rest();
    manager.0.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    assert_eq!(manager.0.recv(&mut [0; 100]).unwrap_err().kind(), ErrorKind::WouldBlock);
    manager.0.set_read_timeout(Some(PATIENCE)).unwrap();
    running.signal(Signal::SIGCONT);
    manager.hears("WATCHDOG=1");
    end(running);
}

#[test]
fn an_engine_that_waits_for_an_answer_is_alive() {
    let bench = Bench::new();
    bench.emulator.fault_once("svc-batch", &json!({ "hold": {} }));
    let manager = Manager::of(&bench);
    let mut command = Manager::command(&bench, &["run"]);
    command.env("WATCHDOG_USEC", "300000");
    let running = bench.start_command(command);
    bench.emulator.until_sent("svc-batch", 1);
    manager.rest();
    for _ in 0..5 {
        manager.hears("WATCHDOG=1");
    }
    bench.emulator.release();
    running.says("event=\"next\"");
    end(running);
    bench.is_settled("svc-batch", 1);
}

/// The service manager kills at the end of its time: it is asked for more as long as that would lose a password.
#[test]
fn an_end_may_take_longer_while_the_only_copy_of_a_password_is_held() {
    let bench = Bench::new();
    bench.edit(
        "[[accounts]]\ntenant = \"main\"\nkind   = \"sub-account\"",
        "[policies.theirs]\npassword = \"provider\"\non_adopt = \"rotate\"\n\n[[accounts]]\ntenant = \"main\"\npolicy = \"theirs\"\nkind   = \"sub-account\"",
    );
    bench.emulator.fault_once("svc-batch", &json!({ "hold": {} }));
    let manager = Manager::of(&bench);
    let running = Manager::start(&bench, &["run"]);
    for name in ACTIVE.iter().filter(|name| **name != "svc-batch") {
        running.says_so(|said| said.lines().any(|line| line.contains("\"rotated\"") && line.contains(name)), name);
    }
    let aside = bench.path("aside");
    fs::rename(bench.vault.root(), &aside).unwrap();
    fs::write(bench.vault.root(), "in the way").unwrap();
    bench.emulator.release();
    manager.hears("STATUS=DO NOT END THIS PROCESS: no vault holds the live password of main/sub-account/svc-batch");
    running.signal(Signal::SIGTERM);
    manager.hears("EXTEND_TIMEOUT_USEC=900000000");
    manager.hears("EXTEND_TIMEOUT_USEC=900000000");
    fs::remove_file(bench.vault.root()).unwrap();
    fs::rename(&aside, bench.vault.root()).unwrap();
    running.finish().ends_with(0);
    bench.is_settled("svc-batch", 1);
}

#[test]
fn lines_for_the_journal_have_a_priority_and_no_time() {
    let bench = Bench::new();
    bench.emulator.fault_always("svc-batch", &json!({ "5xx-after": 500 }));
    let (path, mut command) = (bench.path("log"), bench.command(&["run", "--once"]));
    let file = File::create(&path).unwrap();
    let found = file.metadata().unwrap();
    command.env("JOURNAL_STREAM", format!("{}:{}", found.dev(), found.ino())).stdout(file);
    assert!(command.status().unwrap().code().is_some());
    let log = fs::read_to_string(path).unwrap();
    let priority = |event: &str| log.lines().find(|line| line.contains(event)).map(|line| line[..3].to_owned());
    assert_eq!(priority("event=\"started\"").as_deref(), Some("<6>"), "{log}");
    assert_eq!(priority("event=\"stopped\"").as_deref(), Some("<4>"), "{log}");
    assert!(log.lines().all(|line| line.starts_with('<') && !line.contains("+09:00 ")), "{log}");
}
