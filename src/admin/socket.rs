//! The socket as a file: nobody else's from birth, never taken from a daemon that lives, and gone with its own.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::stat::{Mode, fchmod};
use nix::unistd::geteuid;
use tokio::net::{UnixListener, UnixSocket, UnixStream};

use crate::durable;

/// The socket's name in its directory, where the configuration names none.
pub const NAME: &str = "admin.sock";
/// Connections that may wait for their turn.
const BACKLOG: u32 = 64;
/// The longest path that a socket's address holds, with its final zero, is 108 bytes.
const LONGEST: usize = 100;

/// A socket that is listened to. The file goes when it is dropped.
#[derive(Debug)]
pub struct Listening {
    listener: UnixListener,
    path: PathBuf,
    /// Which file it is, so that another one in its place stays.
    file: (u64, u64),
    _lock: durable::Guard,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The path names nothing in a directory.
    #[error("{} is no path for a socket; let [admin] socket name a file in a directory of its own", .0.display())]
    NoName(PathBuf),
    /// Others could reach the socket, or exchange it.
    #[error(
        "the directory {} is open to others (mode {mode:04o}, uid {uid}); make it 0700 and this user's, or let [admin] socket \
         name a file in another one", .path.display()
    )]
    Open {
        /// The directory.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
        /// Its owner.
        uid: u32,
    },
    /// Another daemon serves it.
    #[error(
        "another daemon serves {}; this one works without an admin socket until it is started again after that one has ended",
        .0.display()
    )]
    Taken(PathBuf),
    /// There is something that is no socket.
    #[error("{} is there already and is no socket; take it away, or let [admin] socket name another file", .0.display())]
    InTheWay(PathBuf),
    /// A file could not be made.
    #[error(transparent)]
    File(#[from] durable::Error),
    /// The system refused.
    #[error("{} cannot be listened to: {source}", .path.display())]
    System {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Listening {
    /// Listens at `path`. Its directory is made at 0700 if it is missing, and must be this user's alone if it is there. The
    /// file is made beside its place at 0600, and then put there: nobody finds it without its permissions, or unheard.
    pub async fn bind(path: &Path) -> Result<Self, BindError> {
        let system = |source| BindError::System { path: path.to_owned(), source };
        let (Some(directory), Some(name)) = (path.parent().filter(|dir| dir.is_absolute()), path.file_name()) else {
            return Err(BindError::NoName(path.to_owned()));
        };
        durable::create_private_dir_all(directory)?;
        is_private(directory).map_err(system)??;
        let beside = |ending: &str| {
            let mut file = name.to_owned();
            file.push(ending);
            directory.join(file)
        };
        let lock = durable::lock(&beside(".lock"), Duration::ZERO)
            .map_err(|error| if error.is_taken() { BindError::Taken(path.to_owned()) } else { error.into() })?;
        is_free(path).await?;
        let newborn = beside(".new");
        remove(&newborn).map_err(system)?;
        let listener = listen(&newborn).map_err(system)?;
        fs::rename(&newborn, path).map_err(system)?;
        let found = fs::symlink_metadata(path).map_err(system)?;
        Ok(Self { listener, path: path.to_owned(), file: (found.dev(), found.ino()), _lock: lock })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) const fn listener(&self) -> &UnixListener {
        &self.listener
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let is_ours = |found: &fs::Metadata| (found.dev(), found.ino()) == self.file;
        if fs::symlink_metadata(&self.path).is_ok_and(|found| is_ours(&found)) {
            // Whoever comes next replaces what is left.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether nobody but this user can reach what is in a directory.
fn is_private(directory: &Path) -> io::Result<Result<(), BindError>> {
    let found = fs::metadata(directory)?;
    let (mode, uid) = (found.mode() & 0o7777, found.uid());
    let is_closed = mode.trailing_zeros() >= 6;
    if is_closed && uid == geteuid().as_raw() {
        return Ok(Ok(()));
    }
    Ok(Err(BindError::Open { path: directory.to_owned(), mode, uid }))
}

/// Whether nothing is in the socket's place but the socket of a daemon that has ended.
async fn is_free(path: &Path) -> Result<(), BindError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(BindError::System { path: path.to_owned(), source }),
        Ok(found) if !found.file_type().is_socket() => Err(BindError::InTheWay(path.to_owned())),
        // A daemon whose lock was taken away still listens.
        Ok(_) => match knock(path).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            _ => Err(BindError::Taken(path.to_owned())),
        },
    }
}

async fn knock(path: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(Address::of(path)?.path()).await
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    let socket = UnixSocket::new_stream()?;
    // What the socket's own mode lacks, the file that `bind` makes of it lacks as well, whatever the umask says.
    fchmod(&socket, Mode::S_IRUSR | Mode::S_IWUSR)?;
    socket.bind(Address::of(path)?.path())?;
    socket.listen(BACKLOG)
}

/// An address that fits: a directory that is too deep is gone through by its descriptor.
pub(super) struct Address {
    path: PathBuf,
    _directory: Option<File>,
}

impl Address {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        if path.as_os_str().len() <= LONGEST {
            return Ok(Self { path: path.to_owned(), _directory: None });
        }
        let directory = File::open(directory)?;
        let path = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
        Ok(Self { path, _directory: Some(directory) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("run").join(NAME);
        (room, path)
    }

    #[tokio::test]
    async fn a_socket_is_its_owners_alone_and_goes_with_its_daemon() {
        let (_room, path) = place();
        let listening = Listening::bind(&path).await.unwrap();
        let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        knock(&path).await.unwrap();
        drop(listening);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_living_daemons_socket_is_never_replaced() {
        let (_room, path) = place();
        let _living = Listening::bind(&path).await.unwrap();
        assert!(matches!(Listening::bind(&path).await, Err(BindError::Taken(_))));
        // Not even when its lock is gone.
        fs::remove_file(path.with_file_name("admin.sock.lock")).unwrap();
        assert!(matches!(Listening::bind(&path).await, Err(BindError::Taken(_))));
        knock(&path).await.unwrap();
    }

    #[tokio::test]
    async fn a_dead_daemons_socket_is_replaced_and_a_successors_is_left_alone() {
        let (_room, path) = place();
        let dead = Listening::bind(&path).await.unwrap();
        let stale = path.with_file_name("stale");
        fs::rename(&path, &stale).unwrap();
        drop(dead);
        fs::rename(&stale, &path).unwrap();
        fs::write(path.with_file_name("admin.sock.new"), "left by a crash").unwrap();
        let living = Listening::bind(&path).await.unwrap();
        knock(&path).await.unwrap();
        let other = path.with_file_name("other");
        fs::write(&other, "").unwrap();
        fs::rename(&other, &path).unwrap();
        drop(living);
        assert!(path.is_file(), "what took its place stays");
    }

    #[tokio::test]
    async fn what_is_no_socket_is_left_alone() {
        for make in [
            |path: &Path| fs::write(path, "precious").unwrap(),
            |path: &Path| symlink("elsewhere", path).unwrap(),
            |path: &Path| fs::create_dir(path).unwrap(),
        ] {
            let (_room, path) = place();
            durable::create_private_dir_all(path.parent().unwrap()).unwrap();
            make(&path);
            assert!(matches!(Listening::bind(&path).await, Err(BindError::InTheWay(_))));
            assert!(fs::symlink_metadata(&path).is_ok());
        }
    }

    #[tokio::test]
    async fn a_directory_that_is_open_to_others_is_refused() {
        let (room, path) = place();
        let open = path.parent().unwrap();
        fs::create_dir(open).unwrap();
        fs::set_permissions(open, fs::Permissions::from_mode(0o750)).unwrap();
        let refused = Listening::bind(&path).await.unwrap_err();
        assert!(refused.to_string().contains("mode 0750"), "{refused}");
        assert!(fs::read_dir(room.path().join("run")).unwrap().next().is_none());
    }

    #[tokio::test]
    async fn a_deep_directory_has_a_socket_too() {
        let (room, _) = place();
        let path = room.path().join("d".repeat(120)).join(NAME);
        let _listening = Listening::bind(&path).await.unwrap();
        knock(&path).await.unwrap();
    }
}
