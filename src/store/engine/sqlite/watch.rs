//! Hears from the system when somebody writes to the file or its log (inotify(7)), so that a process that has
//! nothing to do need not look for that twenty times a second.
//!
//! What it hears is a hint. The last write of a commit is heard before the commit is done, and some file systems
//! tell nothing: the writer looks for a while after each hint, and now and then without one.

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

use crate::error::{Error, Result};
use crate::store::engine::published::Published;
use crate::store::engine::sqlite::place::{beside, folder_of};

/// Shortest time between two hints: under load each commit would be one.
const REST: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};

/// What is written to the file, and what may put another one in its place.
const HEARD: WatchFlags = WatchFlags::MODIFY
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE);

/// The thread that listens. Dropping this ends it.
#[derive(Debug)]
pub(crate) struct Watch {
    stop: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Listens to what happens to a file; `look` is called then.
    ///
    /// # Errors
    /// [`Error::Io`] when the system has no room for one more listener.
    pub(crate) fn start(
        database: &Path,
        published: &Arc<Published>,
        look: impl Fn() + Send + 'static,
    ) -> Result<Watch> {
        let cannot = |error: Errno| Error::io("watch the file", error.into());
        let heard = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(cannot)?;
        // The folder, as the log is made and removed, and the file may be replaced.
        inotify::add_watch(&heard, folder_of(database), HEARD).map_err(cannot)?;
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC).map_err(cannot)?);
        let names = [database.to_owned(), beside(database, "-wal")].map(|path| {
            let name = path.file_name().map(|name| name.as_bytes().to_vec());
            CString::new(name.unwrap_or_default()).unwrap_or_default()
        });
        let listener = Listener {
            heard,
            stop: stop.clone(),
            names,
        };
        let watched = published.clone();
        let thread = std::thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || {
                watched.is_watched.store(true, Ordering::Relaxed);
                listener.listen(look);
                watched.is_watched.store(false, Ordering::Relaxed);
            })
            .map_err(|error| Error::io("start the thread that watches the file", error))?;
        Ok(Watch {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = rustix::io::write(&self.stop, &1_u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Listener {
    heard: OwnedFd,
    stop: Arc<OwnedFd>,
    names: [CString; 2],
}

impl Listener {
    /// Listens until it is told to stop, or cannot hear any more.
    fn listen(&self, look: impl Fn()) {
        let mut buffer = [MaybeUninit::uninit(); 4 * 1024];
        loop {
            let mut both = [
                PollFd::new(&self.heard, PollFlags::IN),
                PollFd::new(&self.stop, PollFlags::IN),
            ];
            match poll(&mut both, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return,
            }
            if !both[1].revents().is_empty() {
                return;
            }
            match self.is_of_file(&mut buffer) {
                Ok(true) => look(),
                Ok(false) => {}
                Err(_) => return,
            }
            let mut stop = [PollFd::new(&self.stop, PollFlags::IN)];
            if !matches!(poll(&mut stop, Some(&REST)), Ok(0) | Err(Errno::INTR)) {
                return;
            }
        }
    }

    /// Reads all that was heard; whether something of it was about the file.
    fn is_of_file(&self, buffer: &mut [MaybeUninit<u8>]) -> rustix::io::Result<bool> {
        let mut reader = Reader::new(self.heard.as_fd(), buffer);
        let mut is_of_file = false;
        loop {
            match reader.next() {
                Ok(event) if event.events().contains(ReadFlags::IGNORED) => {
                    // The folder is gone: nothing is heard of it any more.
                    return Err(Errno::NOENT);
                }
                Ok(event) => {
                    let named = event.file_name();
                    is_of_file |= event.events().contains(ReadFlags::QUEUE_OVERFLOW)
                        || self.names.iter().any(|name| Some(name.as_c_str()) == named);
                }
                Err(Errno::AGAIN) => return Ok(is_of_file),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
