//! An emulator in a process of its own, and its test door.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::process::{Running, Transcript, until};

/// The calls that set a password.
const CHANGES: [&str; 2] = ["password", "resetPassword"];

/// The provider.
pub(crate) struct Emulator {
    address: String,
    accounts: PathBuf,
    lifetime: String,
    running: Mutex<Option<Running>>,
}

impl Emulator {
    /// With its samples, kept in a file of `dir`; signatures live as long as `lifetime` says.
    pub(crate) fn start(dir: &Path, lifetime: &str) -> Self {
        let mut emulator = Self {
            address: "127.0.0.1:0".to_owned(),
            accounts: dir.join("accounts.json"),
            lifetime: lifetime.to_owned(),
            running: Mutex::default(),
        };
        let running = emulator.launch();
        let told: Value = serde_json::from_str(&running.stdout()).unwrap();
        told["sub_account"].as_str().unwrap().strip_prefix("http://").unwrap().clone_into(&mut emulator.address);
        *emulator.running.lock().unwrap() = Some(running);
        emulator
    }

    fn launch(&self) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ncloud-rotator"));
        command.env_clear().args(["emulator", "--test-door", "--json", "--listen", &self.address, "--accounts"]);
        command.arg(&self.accounts).args(["--signature-lifetime", &self.lifetime]);
        // The emulator's own output tells no passwords either, but it is not what is tested here.
        let running = Running::start(command, Transcript::default());
        running.says_so(|said| serde_json::from_str::<Value>(said).is_ok(), "where it listens");
        running
    }

    /// Takes the provider away.
    pub(crate) fn stop(&self) {
        self.running.lock().unwrap().take();
    }

    /// Brings it back, at the same address and with the same accounts.
    pub(crate) fn restart(&self) {
        self.stop();
        let running = self.launch();
        *self.running.lock().unwrap() = Some(running);
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Asks the door.
    #[track_caller]
    pub(crate) fn door(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut stream = TcpStream::connect(&self.address).expect("the door opens");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: door\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 2"), "{method} {path}: {answer}");
        if body.is_empty() { Value::Null } else { serde_json::from_str(body).unwrap() }
    }

    /// Puts a rule, or a list of them, at the end of the programme.
    #[track_caller]
    pub(crate) fn fault(&self, rules: &Value) {
        self.door("POST", "/door/faults", Some(rules));
    }

    /// One fault for the next password change of one account.
    #[track_caller]
    pub(crate) fn fault_once(&self, account: &str, fault: &Value) {
        self.fault(&json!({ "call": change_of(account), "account": account, "fault": fault }));
    }

    /// One fault for every password change of one account from now on.
    #[track_caller]
    pub(crate) fn fault_always(&self, account: &str, fault: &Value) {
        self.fault(&json!({ "call": change_of(account), "account": account, "times": "always", "fault": fault }));
    }

    pub(crate) fn clear_faults(&self) {
        self.door("DELETE", "/door/faults", None);
    }

    /// Lets held requests go on.
    pub(crate) fn release(&self) {
        self.door("POST", "/door/release", None);
    }

    /// Changes accounts by another hand.
    #[track_caller]
    pub(crate) fn change(&self, change: &Value) {
        self.door("POST", "/door/accounts", Some(change));
    }

    pub(crate) fn accounts(&self) -> Vec<Live> {
        let told = self.door("GET", "/door/accounts", None);
        told["accounts"].as_array().unwrap().iter().map(Live::of).collect()
    }

    #[track_caller]
    pub(crate) fn account(&self, name: &str) -> Live {
        self.accounts().into_iter().find(|account| account.name == name).expect("the account is there")
    }

    /// Every request so far that asked for a new password, oldest first.
    pub(crate) fn sends(&self) -> Vec<Value> {
        self.requests().into_iter().filter(|entry| CHANGES.iter().any(|call| entry["call"] == *call)).collect()
    }

    /// Every request so far, oldest first.
    pub(crate) fn requests(&self) -> Vec<Value> {
        let log = self.door("GET", "/door/log", None);
        log["requests"].as_array().unwrap().clone()
    }

    /// Every request so far to one call, by the emulator's name for it.
    pub(crate) fn calls(&self, call: &str) -> Vec<Value> {
        self.requests().into_iter().filter(|entry| entry["call"] == call).collect()
    }

    /// No request so far has changed anything, or asked to.
    #[track_caller]
    pub(crate) fn was_only_read(&self) {
        const READS: [&str; 6] =
            ["sub-accounts", "sub-account", "password-policy", "login-alias", "getList", "getDetail"];
        let requests = self.requests();
        let other = requests.iter().find(|entry| !READS.iter().any(|read| entry["call"] == *read));
        assert!(other.is_none(), "{other:?}");
        assert!(requests.iter().all(|entry| entry["changed"] == false));
    }

    /// Those of one account.
    pub(crate) fn sends_of(&self, account: &str) -> Vec<Value> {
        self.sends().into_iter().filter(|entry| entry["account"] == account).collect()
    }

    /// How many different passwords were asked for, for one account.
    pub(crate) fn passwords_tried(&self, account: &str) -> usize {
        self.sends_of(account).iter().map(|entry| entry["password_sha256"].to_string()).collect::<BTreeSet<_>>().len()
    }

    /// Waits until so many requests for new passwords of one account have arrived.
    #[track_caller]
    pub(crate) fn until_sent(&self, account: &str, times: usize) {
        until("a request for a new password", || self.sends_of(account).len() >= times);
    }
}

/// An account as the provider has it.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) password: String,
    pub(crate) past: Vec<String>,
    pub(crate) changes: u64,
}

impl Live {
    fn of(told: &Value) -> Self {
        let text = |key: &str| told[key].as_str().unwrap().to_owned();
        let past = told["past"].as_array().into_iter().flatten();
        Self {
            name: text("name"),
            kind: text("kind"),
            id: text("id"),
            password: text("password"),
            past: past.map(|password| password.as_str().unwrap().to_owned()).collect(),
            changes: told["changes"].as_u64().unwrap(),
        }
    }
}

/// The call that sets an account's password.
pub(crate) fn change_of(account: &str) -> &'static str {
    if account.starts_with("df") { "resetPassword" } else { "password" }
}
