//! The state file on disk: written whole beside the old one and renamed over it, so that a reader or a crash
//! never meets half a file.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use dhow_proxy_api::{ProxyEnv, ServiceState, StateEntry, StateError, read_state, write_state};

/// Where the state is kept.
#[derive(Clone, Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
}

/// Why the state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateFileError {
    /// The file system.
    #[error("{}", crate::process::system_error::text(.0))]
    Io(#[from] io::Error),
    /// The content.
    #[error(transparent)]
    State(#[from] StateError),
}

impl StateFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The file's path as text, for the log.
    pub(crate) fn shown(&self) -> String {
        self.path.display().to_string()
    }

    /// Reads it; `None` if there is none.
    ///
    /// # Errors
    /// A file that cannot be read or is no state at all.
    pub(crate) fn read(&self) -> Result<Option<Vec<StateEntry>>, StateFileError> {
        match fs::read(&self.path) {
            Ok(bytes) => Ok(Some(read_state(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Puts a file that cannot be used out of the way, so that the next save does not destroy it.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub(crate) fn set_aside(&self) -> io::Result<PathBuf> {
        let aside = self.path.with_extension("state.damaged");
        fs::rename(&self.path, &aside)?;
        Ok(aside)
    }

    /// Replaces it.
    ///
    /// # Errors
    /// The old file is untouched then.
    pub(crate) fn write(&self, services: &[ServiceState]) -> Result<(), StateFileError> {
        let bytes = write_state(services)?;
        let folder = self.path.parent().unwrap_or_else(|| Path::new("."));
        let mut file = tempfile::Builder::new()
            .prefix(".kamal-proxy.state-")
            .tempfile_in(folder)?;
        file.write_all(&bytes)?;
        file.as_file()
            .set_permissions(fs::Permissions::from_mode(0o644))?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()?;
        Ok(())
    }
}

/// The data folder, created with mode 0700 if needed; the temporary folder if that is impossible.
pub(crate) fn data_dir(env: &ProxyEnv) -> PathBuf {
    let folder = env.data_dir();
    match fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
    {
        Ok(()) => folder,
        Err(_) => env.tmp.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// parity: proxy D7
    #[test]
    fn written_whole_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = StateFile::new(folder.path().join("kamal-proxy.state"));
        assert!(file.read().unwrap().is_none());
        let service = ServiceState {
            name: "web".into(),
            ..ServiceState::default()
        };
        file.write(std::slice::from_ref(&service)).unwrap();
        file.write(&[service.clone(), service]).unwrap();
        assert_eq!(file.read().unwrap().unwrap().len(), 2);
        let names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(names, ["kamal-proxy.state"]);
        let mode = fs::metadata(folder.path().join("kamal-proxy.state"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o644);
        fs::write(folder.path().join("kamal-proxy.state"), "{}").unwrap();
        assert!(file.read().is_err());
        file.set_aside().unwrap();
        assert!(file.read().unwrap().is_none());
    }
}
