//! Directories of our own: born 0700, and their names on the disk before anything is put into them.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use super::error::{Error, Step};

const MODE: u32 = 0o700;

/// Makes `path` and whatever is missing above it, each at 0700 and on the disk before it returns. What is found is left
/// as it is, 0755 for instance.
pub fn create_private_dir_all(path: &Path) -> Result<(), Error> {
    let missing: Vec<&Path> = path.ancestors().take_while(|dir| !is_empty(dir) && !dir.is_dir()).collect();
    for dir in missing.into_iter().rev() {
        create(dir).map_err(|error| Error::new(Step::CreateDirectory, dir, error))?;
        sync_dir(parent(dir))?;
    }
    Ok(())
}

/// Returns when every name in the directory is on the disk.
pub fn sync_dir(path: &Path) -> Result<(), Error> {
    match File::open(path).and_then(|dir| dir.sync_all()) {
        // Some network and FUSE file systems cannot do this for a directory, and do not need it.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        done => done.map_err(|error| Error::new(Step::Sync, path, error)),
    }
}

/// Finds out whether `path` can be made, or written into if it is a directory that exists, and leaves nothing behind.
pub fn probe_nearest(path: &Path) -> Result<(), Error> {
    let mut above = path.ancestors().map(|above| if is_empty(above) { Path::new(".") } else { above });
    let nearest = above.find(|above| above.symlink_metadata().is_ok()).unwrap_or(path);
    if !nearest.is_dir() {
        let in_the_way = io::ErrorKind::NotADirectory.into();
        return Err(Error::new(Step::CreateDirectory, nearest, in_the_way));
    }
    probe(nearest)
}

/// Finds out whether a file can be written into the directory, and leaves nothing behind.
pub fn probe(dir: &Path) -> Result<(), Error> {
    tempfile::Builder::new()
        .prefix(".probe.")
        .suffix(".tmp")
        .tempfile_in(dir)
        .and_then(|mut file| {
            file.write_all(&[0; 4096])?;
            file.as_file().sync_all()?;
            file.close()
        })
        .map_err(|error| Error::new(Step::Write, dir, error))
}

/// The directory that holds `path`'s name.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !is_empty(parent)).unwrap_or(Path::new("."))
}

fn is_empty(path: &Path) -> bool {
    path.as_os_str().is_empty()
}

fn create(dir: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(MODE).create(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => return Ok(()),
        done => done?,
    }
    let mode = fs::metadata(dir)?.permissions().mode();
    if mode & 0o777 != MODE {
        // A umask can only have taken rights from the owner: give them back.
        fs::set_permissions(dir, Permissions::from_mode(MODE))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_is_made_is_private_and_what_is_found_stays_as_it_is() {
        let room = tempfile::tempdir().unwrap();
        let found = room.path().join("found");
        fs::create_dir(&found).unwrap();
        fs::set_permissions(&found, Permissions::from_mode(0o755)).unwrap();
        let deep = found.join("a/b");
        create_private_dir_all(&deep).unwrap();
        create_private_dir_all(&deep).unwrap();
        assert_eq!((mode(&found), mode(&found.join("a")), mode(&deep)), (0o755, 0o700, 0o700));
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let room = tempfile::tempdir().unwrap();
        let file = room.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [file.clone(), file.join("below")] {
            let error = create_private_dir_all(&path).unwrap_err();
            assert_eq!(error.kind(), super::super::Kind::Denied, "{error}");
            assert!(error.to_string().contains("file"), "{error}");
            let probed = probe_nearest(&path).unwrap_err();
            assert_eq!(probed.kind(), error.kind(), "{probed}");
            assert!(probed.to_string().contains("file"), "{probed}");
        }
        probe_nearest(&room.path().join("not/yet/there")).unwrap();
    }

    #[test]
    fn a_probe_leaves_nothing() {
        let room = tempfile::tempdir().unwrap();
        probe(room.path()).unwrap();
        assert_eq!(fs::read_dir(room.path()).unwrap().count(), 0);
        assert!(probe(&room.path().join("missing")).is_err());
    }
}
