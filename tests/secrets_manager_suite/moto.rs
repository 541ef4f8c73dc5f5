//! moto in a process of its own, which ends with the test.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// moto's server on a free port. It ends when its standard input does, so that it outlives no test, however that ends.
const SERVE: &str = "
import os, sys, threading
def end():
    sys.stdin.read()
    os._exit(0)
threading.Thread(target=end, daemon=True).start()
from moto.server import main
main(['-H', '127.0.0.1', '-p', '0'])
";

const REMEDY: &str = "run tests/moto, which installs it; tests/run does so by itself";

pub(crate) struct Moto {
    child: Child,
    endpoint: String,
}

impl Moto {
    /// Starts it and waits until it says where it listens.
    pub(crate) fn start() -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the build's directory has a parent");
        let python = target.join("moto/bin/python");
        let mut command = Command::new(&python);
        // -I: the user's own packages and settings stay out.
        command.args(["-I", "-u", "-c", SERVE]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let started = command.spawn();
        let mut child = started.unwrap_or_else(|error| panic!("no moto at {}: {error}; {REMEDY}", python.display()));
        let mut said = String::new();
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            said.push_str(&line);
            line.split_once("Running on http://").map(|(_, address)| address.trim().to_owned())
        });
        // Whoever stops reading stops moto at the first line that finds no room.
        std::thread::spawn(move || lines.for_each(drop));
        let address = address.unwrap_or_else(|| panic!("moto did not start; {REMEDY}; it said: {said}"));
        Self { child, endpoint: format!("http://{address}") }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
