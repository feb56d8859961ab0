//! The private socket between the gate and tiny_http.
//!
//! It has no name that another program could connect to, replace or delete.
//!
//! tiny_http listens on a path or on a network address, which others can connect to. So the socket is made
//! in a new folder that only this user can enter. The folder is held open by a file descriptor, and folder
//! and socket are removed at once. From then on the socket is reached through that descriptor
//! (/proc/self/fd, proc_pid_fd(5)). Without /proc the folder stays as long as the socket is used.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};
use tempfile::TempDir;
use tiny_http::{ConfigListenAddr, Server, ServerConfig};

/// Prefix of the folder's name, while the folder exists.
const PREFIX: &str = ".hookbox-page-";

/// The socket that tiny_http listens on.
#[derive(Debug)]
pub(super) struct PrivateSocket {
    path: PathBuf,
    _socket: OwnedFd,
    /// `None` if nothing is left on the disk.
    _folder: Option<TempDir>,
}

impl PrivateSocket {
    /// Creates a server on such a socket.
    ///
    /// The folder is made beside the database, where files can be created. If that file system does not
    /// support sockets, it is made in the folder for temporary files.
    pub(super) fn serve(beside: &Path) -> io::Result<(Server, PrivateSocket)> {
        serve_in(beside).or_else(|_| serve_in(&std::env::temp_dir()))
    }

    pub(super) fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(&self.path)
    }
}

fn serve_in(parent: &Path) -> io::Result<(Server, PrivateSocket)> {
    let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
    let held = |path: &Path| open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    // A socket's path has at most 107 bytes, and a folder's path may be longer.
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
            PrivateSocket {
                path: by_descriptor(&socket),
                _socket: socket,
                _folder: None,
            }
        }
        false => PrivateSocket {
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
