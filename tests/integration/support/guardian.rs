//! Ends what the test program started, also when the program is killed and no destructor runs.
//!
//! A small shell waits at a pipe whose other end only this program holds. When the pipe closes, for whatever reason, it
//! kills the processes and removes the folders it was told about. It kills nothing else.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock};

const SCRIPT: &str = r#"
trap '' INT TERM HUP
children=' '
while IFS= read -r line; do
    case "$line" in
        child\ *) children="$children${line#child } " ;;
        ended\ *) one="${line#ended }"; children="${children%% $one *} ${children#* $one }" ;;
        folder\ *) set -- "$@" "${line#folder }" ;;
    esac
done
for pid in $children; do kill -KILL "$pid" 2> /dev/null; done
rm -rf -- "$@"
"#;

#[expect(clippy::zombie_processes, reason = "it outlives this program, which is its purpose")]
fn tell(line: &str) {
    static PIPE: OnceLock<Mutex<ChildStdin>> = OnceLock::new();
    let pipe = PIPE.get_or_init(|| {
        let mut guardian = Command::new("sh")
            .args(["-c", SCRIPT, "guardian"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("sh can be started");
        Mutex::new(guardian.stdin.take().expect("the pipe was asked for"))
    });
    let mut pipe = pipe.lock().expect("no test panics while it writes one line");
    writeln!(pipe, "{line}").expect("the guardian reads until the end");
}

/// Kills the process when the test program ends, however it ends.
pub(crate) fn kill_at_end(child: &Child) {
    tell(&format!("child {}", child.id()));
}

/// Forgets a process that was waited for, because its number may be given to another.
pub(crate) fn ended(child: &Child) {
    tell(&format!("ended {}", child.id()));
}

/// Removes the folder when the test program ends.
pub(crate) fn remove_at_end(folder: &Path) {
    tell(&format!("folder {}", folder.display()));
}
