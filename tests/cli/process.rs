//! Programs as children: their output as it comes, their end, and patience that is long but never endless.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// How long anything may take before a test gives up; far longer than a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(90);

/// Everything that was ever said within one test.
pub(crate) type Transcript = Arc<Mutex<String>>;

/// What a stream has brought so far.
#[derive(Default)]
struct Stream {
    said: Mutex<(String, bool)>,
    news: Condvar,
}

impl Stream {
    fn of(mut source: impl Read + Send + 'static) -> Arc<Self> {
        let stream = Arc::new(Self::default());
        let filled = Arc::clone(&stream);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            loop {
                let read = source.read(&mut bytes).unwrap_or(0);
                let mut said = filled.said.lock().unwrap();
                said.0.push_str(&String::from_utf8_lossy(&bytes[..read]));
                said.1 = read == 0;
                filled.news.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        stream
    }

    /// Waits until the stream has brought what is wanted, or has ended; says which.
    fn until(&self, wanted: impl Fn(&str) -> bool) -> bool {
        let said = self.said.lock().unwrap();
        let pending = |said: &mut (String, bool)| !said.1 && !wanted(&said.0);
        let (said, _) = self.news.wait_timeout_while(said, PATIENCE, pending).unwrap();
        wanted(&said.0)
    }

    /// Waits until the stream has ended; false when it never does.
    fn ends(&self) -> bool {
        let said = self.said.lock().unwrap();
        self.news.wait_timeout_while(said, PATIENCE, |said| !said.1).unwrap().0.1
    }

    fn text(&self) -> String {
        self.said.lock().unwrap().0.clone()
    }
}

/// A program that runs. It is killed if a test ends before it does.
pub(crate) struct Running {
    child: Child,
    out: Arc<Stream>,
    err: Arc<Stream>,
    transcript: Transcript,
}

/// A program that has ended.
#[derive(Debug, Clone)]
pub(crate) struct Finished {
    /// Its exit code; none when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Running {
    pub(crate) fn start(mut command: Command, transcript: Transcript) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let out = Stream::of(child.stdout.take().unwrap());
        let err = Stream::of(child.stderr.take().unwrap());
        Self { child, out, err, transcript }
    }

    /// Waits until standard output contains `text`.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) {
        self.says_so(|said| said.contains(text), text);
    }

    /// Waits until standard output is as wanted.
    #[track_caller]
    pub(crate) fn says_so(&self, wanted: impl Fn(&str) -> bool, what: &str) {
        assert!(self.out.until(wanted), "never said {what:?}:\n{}\n{}", self.out.text(), self.err.text());
    }

    /// Waits until standard error contains `text`.
    #[track_caller]
    pub(crate) fn complains(&self, text: &str) {
        let complained = self.err.until(|said| said.contains(text));
        assert!(complained, "never complained of {text:?}:\n{}\n{}", self.out.text(), self.err.text());
    }

    pub(crate) fn stdout(&self) -> String {
        self.out.text()
    }

    /// The words that it was started with, as everybody on the machine can see them.
    pub(crate) fn arguments(&self) -> String {
        std::fs::read_to_string(format!("/proc/{}/cmdline", self.child.id())).unwrap()
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Whether it has ended, or closed its output, which it does at its end only.
    pub(crate) fn has_ended(&self) -> bool {
        self.out.said.lock().unwrap().1
    }

    /// Ends it where it stands, as a power cut would.
    pub(crate) fn kill_9(mut self) -> Finished {
        self.child.kill().unwrap();
        self.ended()
    }

    /// Waits until it has ended by itself.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Finished {
        self.out.ends();
        assert!(self.has_ended(), "it does not end:\n{}\n{}", self.out.text(), self.err.text());
        self.ended()
    }

    fn ended(&mut self) -> Finished {
        let code = self.child.wait().unwrap().code();
        assert!(self.out.ends() && self.err.ends(), "its output does not end");
        let finished = Finished { code, out: self.out.text(), err: self.err.text() };
        self.transcript.lock().unwrap().extend([&*finished.out, "\n", &finished.err, "\n"]);
        finished
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Finished {
    /// Holds it to an exit code.
    #[track_caller]
    pub(crate) fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\nstdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Standard output as the one JSON document that it must be.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.out, self.err))
    }

    /// Both streams as running text, the frames of error messages and their line breaks taken out.
    pub(crate) fn text(&self) -> String {
        let said = format!("{} {}", self.out, self.err).replace(['│', '×', '·'], " ");
        said.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Holds it to having said something, on whichever stream.
    #[track_caller]
    pub(crate) fn mentions(self, text: &str) -> Self {
        assert!(self.text().contains(text), "nothing of {text:?} in\nstdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// What standard output tells of one account, in a row of its table.
    #[track_caller]
    pub(crate) fn row(&self, account: &str) -> String {
        let row = self.out.lines().find(|line| line.split_whitespace().next() == Some(account));
        row.unwrap_or_else(|| panic!("no row for {account}:\n{}\n{}", self.out, self.err)).to_owned()
    }
}

/// Waits until something outside is so, looking again and again.
#[track_caller]
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    const LOOKS: u32 = 6000;
    for _ in 0..LOOKS {
        if is_so() {
            return;
        }
        thread::park_timeout(Duration::from_millis(10));
    }
    panic!("never came: {what}");
}
