//! The private socket between the gate and tiny_http: it has no name that anybody could reach, replace or
//! clean away.
//!
//! tiny_http listens on a path or on an address of the network, which others can connect to. So the
//! socket is made in a new folder that only this user can enter, held by a file descriptor, and both are
//! removed at once: from then on it is reached through that descriptor (/proc/self/fd, proc_pid_fd(5)).
//! Where there is no /proc the folder stays as long as the socket is used.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};
use tempfile::TempDir;
use tiny_http::{ConfigListenAddr, Server, ServerConfig};

/// What the name of the folder begins with, for the moment that it is there.
const PREFIX: &str = ".hookbox-page-";

/// Where tiny_http listens.
#[derive(Debug)]
pub(super) struct Hidden {
    path: PathBuf,
    _socket: OwnedFd,
    /// `None` where nothing is left on the disk.
    _folder: Option<TempDir>,
}

impl Hidden {
    /// Makes a server on a socket of this kind: beside the database, where files can be made, or, where
    /// that file system knows no sockets, where temporary files go.
    pub(super) fn serve(beside: &Path) -> io::Result<(Server, Hidden)> {
        serve_in(beside).or_else(|_| serve_in(&std::env::temp_dir()))
    }

    pub(super) fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(&self.path)
    }
}

fn serve_in(parent: &Path) -> io::Result<(Server, Hidden)> {
    let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
    let held = |path: &Path| open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    // The name of a socket has 107 bytes at most, and a folder's may be longer.
    let entered = held(folder.path())?;
    let short = by_descriptor(&entered);
    let has_proc = short.exists();
    let place = if has_proc {
        short.as_path()
    } else {
        folder.path()
    };
    let path = place.join("socket");
    let addr = ConfigListenAddr::unix_from_path(&path);
    let server = Server::new(ServerConfig { addr, ssl: None }).map_err(io::Error::other)?;
    let socket = held(&path)?;
    let hidden = match has_proc {
        true => {
            folder.close()?;
            Hidden {
                path: by_descriptor(&socket),
                _socket: socket,
                _folder: None,
            }
        }
        false => Hidden {
            path,
            _socket: socket,
            _folder: Some(folder),
        },
    };
    Ok((server, hidden))
}

fn by_descriptor(held: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()))
}
