//! How the log is written, and its last line.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;

use jiff::Timestamp;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::bench::{ACTIVE, Bench};

/// Every line as the JSON object that it must be.
#[track_caller]
fn objects(log: &str) -> Vec<Value> {
    log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[test]
fn as_json_each_line_is_an_object_with_its_time_level_words_and_event() {
    let bench = Bench::new();
    let daemon = bench.start("run --log-format json -v");
    daemon.says("\"event\":\"next\"");
    daemon.signal(Signal::SIGTERM);
    let lines = objects(&daemon.finish().ends_with(0).out);
    for line in &lines {
        let time = line["timestamp"].as_str().unwrap();
        assert!(time.parse::<Timestamp>().is_ok(), "{line}");
        assert!(["level", "message", "event"].iter().all(|key| line[key].is_string()), "{line}");
    }
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).collect::<Vec<_>>();
    assert_eq!(of("rotated").len(), ACTIVE.len());
    let first = of("rotated")[0];
    assert_eq!(first["level"], "INFO");
    assert!(first["timestamp"].as_str().unwrap().ends_with("+09:00"), "the configuration's zone: {first}");
    let accounts: Vec<&str> = of("rotated").iter().map(|line| line["account"].as_str().unwrap()).collect();
    assert!(accounts.contains(&"main/sub-account/svc-batch"), "{accounts:?}");
    let matched: u64 = of("discovered").iter().map(|line| line["matched"].as_u64().unwrap()).sum();
    assert_eq!((matched, of("staged")[0]["level"].as_str()), (9, Some("DEBUG")));
    assert_eq!(lines.last().unwrap()["event"], "stopped");
    bench.has_told_no_secret();
}

#[test]
fn for_systemds_journal_a_priority_stands_before_each_object() {
    let bench = Bench::new();
    let (path, mut command) = (bench.path("log"), bench.command(&["run", "--once", "--log-format", "json"]));
    let file = File::create(&path).unwrap();
    let found = file.metadata().unwrap();
    command.env("JOURNAL_STREAM", format!("{}:{}", found.dev(), found.ino())).stdout(file);
    assert!(command.status().unwrap().success());
    let log = fs::read_to_string(path).unwrap();
    let objects = objects(&log.lines().map(|line| line.split_at(3).1.to_owned() + "\n").collect::<String>());
    for (line, object) in log.lines().zip(&objects) {
        let priority = if object["level"] == "INFO" { "<6>" } else { "<4>" };
        assert!(line.starts_with(priority), "{line}");
    }
    assert!(objects.iter().any(|object| object["event"] == "started"), "{log}");
}

#[test]
fn the_command_line_wins_over_the_environment_and_that_over_the_configuration() {
    let bench = Bench::new();
    bench.edit("state_dir = \"state\"", "state_dir = \"state\"\nlog_format = \"json\"");
    let log = |words: &[&str], variable: Option<&str>| {
        let mut command = bench.command(&[&["rotate", "svc-batch"], words].concat());
        command.envs(variable.map(|value| ("NCLOUD_ROTATOR_LOG_FORMAT", value)));
        bench.run_command(command).ends_with(0).err
    };
    assert!(objects(&log(&[], None)).iter().any(|line| line["event"] == "rotated"));
    assert!(log(&[], Some("human")).contains("event=\"rotated\""));
    assert!(log(&["--log-format", "human"], Some("json")).contains("event=\"rotated\""));
    assert!(!objects(&log(&["--log-format", "json"], Some("human"))).is_empty());
    bench.run("rotate svc-batch --log-format xml").ends_with(64).mentions("human, json");
}

#[test]
fn a_reload_changes_it() {
    let bench = Bench::new();
    let daemon = bench.start("run");
    daemon.says("event=\"next\"");
    bench.edit("state_dir = \"state\"", "state_dir = \"state\"\nlog_format = \"json\"");
    daemon.says("\"event\":\"reloaded\"");
    daemon.signal(Signal::SIGTERM);
    daemon.finish().ends_with(0).mentions("\"event\":\"stopped\"");
}

#[test]
fn the_second_signal_ends_it_in_one_line_that_names_what_is_unfinished() {
    for (format, line) in [
        ("human", "event=\"ended-at-once\" unfinished=\"main/sub-account/svc-batch\""),
        ("json", "\"unfinished\":\"main/sub-account/svc-batch\""),
    ] {
        let bench = Bench::new();
        bench.emulator.fault_once("svc-batch", &json!({ "hold": {} }));
        let daemon = bench.start(&format!("run --log-format {format}"));
        bench.emulator.until_sent("svc-batch", 1);
        let others = |said: &str| said.matches("the new password is stored and current").count() == ACTIVE.len() - 1;
        daemon.says_so(others, "the other rotations");
        daemon.signal(Signal::SIGTERM);
        daemon.says("asked to end");
        daemon.signal(Signal::SIGTERM);
        let said = daemon.finish().ends_with(143);
        assert_eq!(said.err.lines().count(), 1, "{}", said.err);
        assert!(said.err.contains(line) && said.err.contains("nothing is lost"), "{}", said.err);
        bench.holds_the_promise();
        bench.emulator.release();
        bench.run("rotate svc-batch").ends_with(0);
        bench.is_settled("svc-batch", bench.emulator.account("svc-batch").changes);
    }
}

#[test]
fn a_daemon_that_cannot_work_says_so_in_its_last_line() {
    let bench = Bench::new();
    bench.edit("kind   = \"data-forest\"", "kind   = \"data-frost\"");
    let said = bench.run("run").ends_with(78);
    let last = said.err.lines().last().unwrap();
    assert!(last.contains("event=\"fatal\"") && last.contains("ends with 78"), "{}", said.err);
    let said = bench.run("rotate svc-batch").ends_with(78);
    assert!(!said.err.contains("fatal"), "{}", said.err);
}
