//! The daemon's admin socket, from outside: what it answers, to whom, and what it does not suffer from.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::getuid;
use serde_json::{Value, json};

use crate::bench::{Bench, mode, tells_nothing};
use crate::process::{Running, until};

/// Nobody's uid on every system that these tests run on.
const NOBODY: u32 = 65534;
/// Longer than the server's patience; whatever takes longer is a hang.
const LONG: Duration = Duration::from_mins(1);

fn socket(bench: &Bench) -> PathBuf {
    bench.state().join("run/admin.sock")
}

/// A daemon that has nothing to do any more, and can be asked.
fn daemon(bench: &Bench) -> Running {
    let running = bench.start("run");
    running.says("event=\"admin-listens\"");
    running.says("event=\"next\"");
    running
}

fn ends_well(running: Running) -> String {
    running.signal(Signal::SIGTERM);
    running.finish().ends_with(0).out
}

/// What the socket answers to these bytes: everything until it hangs up.
fn answer(bench: &Bench, asked: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket(bench)).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    // It may hang up before it has read everything.
    let _ = stream.write_all(asked);
    rest(&mut stream)
}

fn rest(stream: &mut UnixStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("it neither answers nor hangs up"),
        // What was not read may reset the connection after the answer.
        _ => String::from_utf8(bytes).unwrap(),
    }
}

fn get(bench: &Bench, path: &str) -> String {
    answer(bench, format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes())
}

/// The daemon still answers, and has rotated nothing because of anything.
fn is_well(bench: &Bench) {
    assert!(get(bench, "/v1/daemon").starts_with("HTTP/1.1 200"));
}

#[test]
fn a_question_has_the_same_answer_whether_a_daemon_gives_it_or_not() {
    let bench = Bench::new();
    // Accounts that are not in use are due since now, whenever that is.
    bench.edit("\"svc-*\", \"doyun.lee\"", "\"svc-*\"");
    bench.edit("names  = [\"*\"]", "names  = [\"df001\", \"df002\", \"df003\"]");
    let running = daemon(&bench);
    for words in [
        "status",
        "status --json",
        "history svc-batch",
        "history svc-batch --json",
        "history svc-batch --json --since 2000-01-01",
        "history svc-batch --since 1s",
        "plan",
        "plan svc-batch",
        "plan nobody",
        "explain svc-batch",
        "explain nobody",
        "explain nobody --json",
        "history nobody",
        "history nobody --json",
    ] {
        let asked = bench.run(words);
        let alone = bench.run(&format!("{words} --no-daemon"));
        assert_eq!((asked.code, &asked.out), (alone.code, &alone.out), "{words}");
        assert_eq!(asked.err.lines().last(), alone.err.lines().last(), "{words}");
    }
    let told: Value = bench.run("history svc-batch --json").ends_with(0).json();
    assert!(told["events"].as_array().unwrap().iter().any(|event| event["what"] == "rotated"), "{told}");
    let lists = bench.emulator.calls("sub-accounts").len();
    bench.run("status").ends_with(0);
    assert!(bench.emulator.calls("sub-accounts").len() > lists, "a look is a fresh one");
    let said = ends_well(running);
    assert!(!said.contains("admin-refused"), "{said}");
    // Without one, the same words.
    bench.run("status --json").ends_with(0);
}

#[test]
fn a_reload_is_waited_for_and_tells_what_it_changed_or_what_is_wrong() {
    let bench = Bench::new();
    let running = daemon(&bench);
    let sends = bench.emulator.sends().len();
    bench.run("reload").ends_with(0).mentions("nothing in it has changed");
    // Without anything that the daemon hears of by itself: it does not look at what is not there.
    bench.edit("[tenants.main]", "[tenants.main]\nca_file = \"missing.pem\"");
    bench.run("reload --json").ends_with(78).mentions("missing.pem").mentions("\"code\": \"config::missing_file\"");
    bench.edit("ca_file = \"missing.pem\"\n", "");
    bench.edit("rotate_before   = \"14d\"", "rotate_before   = \"soon\"");
    bench.run("reload").ends_with(78).mentions("rotate_before");
    bench.edit("rotate_before   = \"soon\"", "rotate_before   = \"13d\"");
    // The daemon may have heard of it before it was asked; then nothing more changes.
    let told = bench.run("reload --json --reason spring").ends_with(0).json();
    assert_eq!(told["exit"], "success");
    let said = ends_well(running);
    let changed = said.lines().filter(|line| line.contains("event=\"config-changed\"") && line.contains("13d")).count();
    assert_eq!(changed, 1, "{said}");
    assert!(said.contains("event=\"reload-asked\"") && said.contains("reason=\"spring\""), "{said}");
    assert_eq!(bench.emulator.sends().len(), sends, "nothing is rotated because of a reload");
    bench.run("reload").ends_with(69).mentions("no daemon runs");
}

#[test]
fn no_answer_tells_a_secret() {
    let bench = Bench::new();
    let running = daemon(&bench);
    for path in ["/v1/daemon", "/v1/status", "/v1/history?name=svc-batch", "/v1/nothing", "/"] {
        tells_nothing(path, get(&bench, path).as_bytes(), &bench.every_password());
    }
    ends_well(running);
    bench.holds_the_promise();
}

/// Looks at whatever is in the socket's directory as often as it can, from before it is there.
fn spy(directory: &Path, seen: &AtomicU32, over: &AtomicBool) -> Vec<u32> {
    let mut wide = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
        for path in entries.chain([directory.to_owned()]) {
            let Ok(found) = fs::symlink_metadata(&path) else { continue };
            seen.fetch_add(u32::from(found.file_type().is_socket()), Ordering::Relaxed);
            let mode = found.permissions().mode() & 0o7777;
            if mode & 0o077 != 0 {
                wide.push(mode);
            }
        }
    }
    wide
}

#[test]
fn the_socket_is_its_owners_alone_from_birth_whatever_the_umask() {
    let bench = Bench::new();
    let directory = bench.state().join("run");
    let (seen, over) = (AtomicU32::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let spying = scope.spawn(|| spy(&directory, &seen, &over));
        let mut command = Command::new("sh");
        command.args(["-c", "umask 0; exec \"$0\" run", env!("CARGO_BIN_EXE_ncloud-rotator")]);
        command.env_clear().envs(bench.command(&["run"]).get_envs().filter_map(|(key, value)| Some((key, value?))));
        let running = bench.start_command(command);
        running.says("event=\"admin-listens\"");
        let modes = (mode(&directory), mode(&socket(&bench)));
        until("a look at the socket", || seen.load(Ordering::Relaxed) > 0);
        ends_well(running);
        // Before anything is held against it: the spy's thread is waited for even then.
        over.store(true, Ordering::Relaxed);
        assert_eq!(modes, (0o700, 0o600));
        assert_eq!(spying.join().unwrap(), [] as [u32; 0], "modes that let others in");
    });
    assert!(!socket(&bench).exists(), "it goes with its daemon");
}

#[test]
fn a_daemon_that_was_killed_leaves_a_socket_that_its_successor_replaces() {
    let bench = Bench::new();
    daemon(&bench).kill_9();
    assert!(socket(&bench).exists());
    bench.run("status").ends_with(0);
    let running = daemon(&bench);
    is_well(&bench);
    ends_well(running);
}

#[test]
fn a_second_daemon_leaves_the_firsts_socket_alone_and_works_without() {
    let bench = Bench::new();
    let first = daemon(&bench);
    let process = |answer: String| serde_json::from_str::<Value>(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    let greeting = process(get(&bench, "/v1/daemon"));
    assert_eq!(greeting["process"], json!(first.pid().as_raw()));
    let second = bench.start("run");
    second.says("event=\"admin-unavailable\"");
    second.says("event=\"next\"");
    ends_well(second);
    assert_eq!(process(get(&bench, "/v1/daemon")), greeting);
    ends_well(first);
}

#[test]
fn what_is_in_the_sockets_place_and_is_none_stays_and_the_daemon_works_without() {
    for make in [
        |path: &Path| fs::write(path, "precious").unwrap(),
        |path: &Path| symlink("precious", path).unwrap(),
        |path: &Path| fs::create_dir(path).unwrap(),
    ] {
        let bench = Bench::new();
        fs::create_dir_all(bench.state().join("run")).unwrap();
        fs::set_permissions(bench.state().join("run"), fs::Permissions::from_mode(0o700)).unwrap();
        make(&socket(&bench));
        let before = fs::symlink_metadata(socket(&bench)).unwrap().file_type();
        let running = bench.start("run");
        running.says("event=\"admin-unavailable\"");
        running.says("event=\"next\"");
        bench.run("status").ends_with(0);
        ends_well(running);
        assert_eq!(fs::symlink_metadata(socket(&bench)).unwrap().file_type(), before);
    }
}

#[test]
fn a_directory_that_others_can_enter_has_no_socket() {
    let bench = Bench::new();
    fs::create_dir_all(bench.path("open")).unwrap();
    fs::set_permissions(bench.path("open"), fs::Permissions::from_mode(0o755)).unwrap();
    bench.edit("[tenants.main]", "[admin]\nsocket = \"open/admin.sock\"\n\n[tenants.main]");
    let running = bench.start("run");
    running.says("mode 0755");
    running.says("event=\"next\"");
    ends_well(running);
    assert!(!bench.path("open/admin.sock").exists());
}

#[test]
fn the_configuration_says_where_the_socket_is_and_whether_there_is_one() {
    let bench = Bench::new();
    bench.edit("[tenants.main]", "[admin]\nsocket = \"private/a\"\n\n[tenants.main]");
    let running = daemon(&bench);
    assert!(!socket(&bench).exists() && bench.path("private/a").exists());
    bench.edit("socket = \"private/a\"", "socket = \"private/b\"");
    running.says("[admin] cannot be changed while the daemon runs");
    ends_well(running);
    bench.edit("socket = \"private/b\"", "enabled = false");
    let running = bench.start("run");
    running.says("event=\"next\"");
    bench.run("status").ends_with(0);
    assert!(!ends_well(running).contains("admin-"));
    assert!(!bench.path("private/b").exists());
}

#[test]
fn somebody_elses_process_is_refused_even_where_it_can_reach_the_socket() {
    if !getuid().is_root() {
        return;
    }
    let bench = Bench::new();
    let running = daemon(&bench);
    // Everything that the file system would have refused.
    for path in [bench.path(""), bench.state(), bench.state().join("run"), socket(&bench)] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let mut command = Command::new("python3");
    command.arg("-c").arg(
        "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n\
         s.sendall(b'GET /v1/status HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n')\n\
         while True:\n    part = s.recv(65536)\n    if not part: break\n    sys.stdout.write(part.decode())",
    );
    command.arg(socket(&bench)).uid(NOBODY).gid(NOBODY);
    let told = bench.run_command(command).ends_with(0).out;
    assert!(told.starts_with("HTTP/1.1 403") && told.contains("denied") && !told.contains("svc-batch"), "{told}");
    let said = ends_well(running);
    assert!(said.contains("event=\"admin-refused\"") && said.contains("uid=65534"), "{said}");
}

#[test]
fn garbage_too_much_and_too_slow_are_turned_away_and_the_daemon_goes_on() {
    let bench = Bench::new();
    let running = daemon(&bench);
    let long = "a".repeat(64 * 1024);
    for (what, asked, status) in [
        ("garbage", "\0\0garbage\r\n\r\n".to_owned(), "400"),
        ("a long line", format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), "4"),
        ("long headers", format!("GET /v1/daemon HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"), "431"),
        ("no such path", "GET /v2/status HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "404"),
        ("a wrong verb", "DELETE /v1/status HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "405"),
        ("no name", "GET /v1/history HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "400"),
    ] {
        let told = answer(&bench, asked.as_bytes());
        assert!(told.starts_with(&format!("HTTP/1.1 {status}")), "{what}: {told}");
        // What came as far as our own code is refused as everything is.
        let ours = ["no such path", "a wrong verb", "no name"].contains(&what);
        assert_eq!(ours, told.contains("\"exit\":\"usage\""), "{what}: {told}");
        is_well(&bench);
    }
    // A head that never ends, sent as slowly as it may be.
    let mut slow = UnixStream::connect(socket(&bench)).unwrap();
    slow.set_read_timeout(Some(LONG)).unwrap();
    slow.write_all(b"GET /v1/daemon HT").unwrap();
    let told = rest(&mut slow);
    assert!(told.is_empty() || told.starts_with("HTTP/1.1 408"), "{told}");
    is_well(&bench);
    ends_well(running);
}

#[test]
fn many_who_say_nothing_keep_nobody_out_for_long() {
    let bench = Bench::new();
    let running = daemon(&bench);
    let silent: Vec<_> = (0..100).map(|_| UnixStream::connect(socket(&bench)).unwrap()).collect();
    // It waits in the line, and is heard after those before it were sent away.
    is_well(&bench);
    drop(silent);
    bench.run("status").ends_with(0);
    ends_well(running);
}

#[test]
fn a_daemon_that_hangs_is_told_and_not_waited_for() {
    let bench = Bench::new();
    let running = daemon(&bench);
    running.signal(Signal::SIGSTOP);
    bench.run("status").ends_with(75).mentions("does not answer").mentions("--no-daemon");
    bench.run("status --no-daemon").ends_with(0);
    running.signal(Signal::SIGCONT);
    bench.run("status").ends_with(0);
    ends_well(running);
}

/// A program that answers every question with these words.
fn impostor(bench: &Bench, version: &str, ours: bool) -> thread::JoinHandle<()> {
    use std::os::unix::fs::MetadataExt;
    let state = fs::metadata(bench.state()).unwrap();
    let inode = if ours { state.ino() } else { state.ino() + 1 };
    let greeting = json!({
        "version": version, "process": 1,
        "config": fs::canonicalize(bench.config()).unwrap(), "state": { "device": state.dev(), "inode": inode },
    });
    let listener = UnixListener::bind(socket(bench)).unwrap();
    let body = greeting.to_string();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    })
}

#[test]
fn a_daemon_of_another_version_is_told_with_the_remedy_and_anothers_daemon_is_left_alone() {
    let bench = Bench::new();
    ends_well(daemon(&bench));
    let other = impostor(&bench, "0.0.1", true);
    bench.run("status").ends_with(69).mentions("0.0.1").mentions("start the daemon again");
    other.join().unwrap();
    fs::remove_file(socket(&bench)).unwrap();
    let other = impostor(&bench, "0.0.1", false);
    bench.run("status").ends_with(0);
    other.join().unwrap();
    until("the socket of somebody else", || socket(&bench).exists());
}

/// The document is made from types; what is really answered is held to it here.
#[test]
fn every_published_operation_is_there_and_answers_as_published() {
    let bench = Bench::new();
    let running = daemon(&bench);
    let api = ncloud_rotator::daemon::admin_api();
    let paths = api["paths"].as_object().unwrap();
    assert!(paths.len() >= 8);
    for (path, operations) in paths {
        let is_read = operations["get"].is_object();
        let (head, body) = match path.as_str() {
            "/v1/history" | "/v1/explain" => (format!("GET {path}?name=svc-batch"), ""),
            path if is_read => (format!("GET {path}"), ""),
            "/v1/rotate" => (format!("POST {path}"), r#"{"names":["svc-batch"]}"#),
            "/v1/plan" => (format!("POST {path}"), r#"{"days":180}"#),
            "/v1/reload" => (format!("POST {path}"), "{}"),
            path => (format!("POST {path}"), r#"{"of":{"names":["svc-report"]}}"#),
        };
        let length = body.len();
        let asked = format!("{head} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}");
        let told = answer(&bench, asked.as_bytes());
        let (head, told) = told.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}\n{told}");
        let operation = &operations[if is_read { "get" } else { "post" }];
        let kinds = operation["responses"]["200"]["content"].as_object().unwrap();
        let (kind, content) = kinds.iter().next().unwrap();
        assert!(head.contains(&format!("content-type: {kind}")), "{path}: {head}");
        let mut schema = content["schema"].clone();
        schema["components"] = api["components"].clone();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let documents: Vec<Value> = if kind == "application/json" {
            vec![serde_json::from_str(told).unwrap()]
        } else {
            told.lines().filter(|line| line.starts_with('{')).map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        assert!(!documents.is_empty());
        for document in documents {
            let complaints: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
            assert!(complaints.is_empty(), "{path}: {complaints:?}\n{document:#}");
        }
    }
    let refused = get(&bench, "/v1/history?name=nobody");
    assert!(refused.starts_with("HTTP/1.1 400") && refused.contains("\"exit\":\"usage\""), "{refused}");
    ends_well(running);
}
