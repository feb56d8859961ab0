//! Lets the alerts look now and then, and gives their messages to a program besides.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

use super::worker::{Stop, Worker};
use crate::error::Result;
use crate::store::Store;
use crate::time::Clock;

/// How often alerts look.
const PERIOD: Duration = Duration::from_secs(10);

/// How long the program may take.
const PROGRAM_MAX: Duration = Duration::from_secs(60);

/// How often it is looked whether the program has ended.
const PROGRAM_PERIOD: Duration = Duration::from_millis(100);

pub(super) fn start(
    store: Store,
    clock: Arc<dyn Clock>,
    program: Option<String>,
) -> Result<Worker> {
    Worker::start("alert_worker", move |stop| {
        let mut was_away = false;
        loop {
            // One of several nodes is enough.
            if store.is_first_node() {
                match store.look_for_alerts(clock.now()) {
                    Ok(told) => {
                        was_away = false;
                        for message in &told {
                            tracing::warn!(
                                alert = message["alert"].as_str(),
                                headline = message["headline"].as_str(),
                                "alert.told"
                            );
                            if let Some(program) = &program {
                                tell(program, message, &stop);
                            }
                        }
                    }
                    Err(error) if was_away => {
                        tracing::debug!(error = error.chain(), "alerts cannot look yet");
                    }
                    Err(error) => {
                        was_away = true;
                        tracing::warn!(error = error.chain(), "alerts cannot look");
                    }
                }
            }
            if stop.rest(PERIOD) {
                return;
            }
        }
    })
}

/// Gives a message to the program, as JSON on its standard input.
fn tell(program: &str, message: &Value, stop: &Stop) {
    if let Err(error) = try_to_tell(program, message, stop) {
        tracing::warn!(program, %error, "alert.program_failed");
    }
}

fn try_to_tell(program: &str, message: &Value, stop: &Stop) -> std::io::Result<()> {
    let mut child = Command::new("/bin/sh")
        .args(["-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        // What the shell starts ends with it.
        .process_group(0)
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // A program need not read it. A message is less than what a pipe holds (64 KiB, pipe(7)).
        let _ = input.write_all(format!("{message}\n").as_bytes());
    }
    let mut waited = Duration::ZERO;
    loop {
        if let Some(status) = child.try_wait()? {
            return match status.success() {
                true => Ok(()),
                false => Err(std::io::Error::other(status.to_string())),
            };
        }
        let must_stop = stop.rest(PROGRAM_PERIOD);
        if must_stop || waited >= PROGRAM_MAX {
            kill_process_group(Pid::from_child(&child), Signal::KILL)?;
            child.wait()?;
            return Err(std::io::Error::other(match must_stop {
                true => "it was ended, since hookbox stops",
                false => "it took more than a minute and was ended",
            }));
        }
        waited += PROGRAM_PERIOD;
    }
}
