//! The `groundwire` program as a child: its lines, signals and exit.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::{guardian, wait};

/// What a test does to a running service.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    /// Commit what is in flight and end.
    Terminate,
    /// Read the rules again.
    Hangup,
    /// End at once, without any clean-up.
    Kill,
    /// Freeze.
    Stop,
    /// Go on.
    Continue,
}

/// A running `groundwire`, killed when dropped.
pub(crate) struct Service {
    child: Child,
    ended: Option<ExitStatus>,
    lines: Arc<Lines>,
}

#[derive(Default)]
struct Lines {
    read: Mutex<Vec<String>>,
    more: Condvar,
}

impl Service {
    /// Starts `groundwire` with these arguments.
    pub(crate) fn start<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Self {
        Self::start_with(arguments, &[])
    }

    /// Starts `groundwire` with these arguments and additional environment variables.
    pub(crate) fn start_with<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>, environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_groundwire"))
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program was built");
        guardian::kill_at_end(&child);
        let lines = Arc::new(Lines::default());
        collect(child.stdout.take().expect("the pipe was asked for"), Arc::clone(&lines));
        collect(child.stderr.take().expect("the pipe was asked for"), Arc::clone(&lines));
        Self { child, ended: None, lines }
    }

    /// The process number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All lines printed so far, on both streams.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.read.lock().expect("readers do not panic").clone()
    }

    /// Waits for a line that contains `text` and hands it back.
    pub(crate) fn wait_for(&self, text: &str) -> String {
        self.wait_where(text, |line| line.contains(text))
    }

    /// Waits for the first line that `wanted` accepts; `what` names it if it does not come.
    pub(crate) fn wait_where(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + wait::LIMIT;
        let mut seen = 0;
        let mut read = self.lines.read.lock().expect("readers do not panic");
        loop {
            if let Some(line) = read.iter().skip(seen).find(|line| wanted(line)) {
                return line.clone();
            }
            seen = read.len();
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no line with `{what}` among:\n{}", read.join("\n"));
            read = self.lines.more.wait_timeout(read, left).expect("readers do not panic").0;
        }
    }

    /// Sends a signal to the process.
    pub(crate) fn signal(&mut self, signal: Signal) {
        if self.ended.is_some() {
            return;
        }
        let name = match signal {
            Signal::Terminate => "-TERM",
            Signal::Hangup => "-HUP",
            Signal::Kill => "-KILL",
            Signal::Stop => "-STOP",
            Signal::Continue => "-CONT",
        };
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status().expect("kill exists");
        assert!(sent.success(), "kill {name} failed");
    }

    /// Waits for the end of the process, up to `limit`.
    pub(crate) fn wait_exit(&mut self, limit: Duration) -> ExitStatus {
        if let Some(status) = self.ended {
            return status;
        }
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().expect("the child is ours") {
                guardian::ended(&self.child);
                self.ended = Some(status);
                return status;
            }
            assert!(Instant::now() < deadline, "still running after {limit:?}:\n{}", self.lines().join("\n"));
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// Asks the service to end and checks that it does so within the promised 10 s and with success.
    pub(crate) fn stop(mut self) {
        self.signal(Signal::Terminate);
        let status = self.wait_exit(Duration::from_secs(12));
        assert!(status.success(), "ended with {status}:\n{}", self.lines().join("\n"));
    }

    /// Ends the service at once, as a crash does.
    pub(crate) fn kill(mut self) {
        self.signal(Signal::Kill);
        let status = self.wait_exit(wait::LIMIT);
        assert_eq!(status.signal(), Some(9), "it had ended before: {status}\n{}", self.lines().join("\n"));
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if self.ended.is_none() && self.child.kill().is_ok() && self.child.wait().is_ok() {
            guardian::ended(&self.child);
        }
    }
}

/// Runs `groundwire` to its end, for commands that do not stay.
pub(crate) fn output<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_groundwire")).args(arguments).stdin(Stdio::null()).output().expect("the program was built")
}

/// Runs `groundwire` to its end with text on its standard input.
pub(crate) fn output_with_input<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>, input: &str) -> Output {
    use std::io::Write;
    let mut child = Command::new(env!("CARGO_BIN_EXE_groundwire"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program was built");
    let mut pipe = child.stdin.take().expect("the pipe was asked for");
    std::thread::scope(|scope| {
        // A program that ends before it has read everything closes the pipe: its output says why.
        scope.spawn(move || pipe.write_all(input.as_bytes()));
        child.wait_with_output().expect("the child is ours")
    })
}

fn collect(stream: impl Read + Send + 'static, lines: Arc<Lines>) {
    std::thread::Builder::new()
        .name("service output".to_owned())
        .spawn(move || {
            for line in BufReader::new(stream).split(b'\n') {
                let Ok(line) = line else { break };
                lines.read.lock().expect("tests do not panic here").push(String::from_utf8_lossy(&line).into_owned());
                lines.more.notify_all();
            }
        })
        .expect("threads can be started");
}
