//! A program that was put in the place of another one, as long as it is not certain that it stays there.
//!
//! The place always holds a whole program, this one or the one before: whatever is cut off, the next start finds one.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The program in its new place. The one before is kept aside until [`Installed::keep`] or [`Installed::undo`].
#[derive(Debug)]
pub(crate) struct Installed {
    place: PathBuf,
    aside: PathBuf,
}

impl Installed {
    /// Moves `program` to `place`, where there is another one.
    ///
    /// # Errors
    /// When there is none, or the folder does not permit it; all is as before then.
    pub(crate) fn new(program: &Path, place: &Path) -> io::Result<Self> {
        let place = std::path::absolute(place)?;
        let mut aside = place.clone().into_os_string();
        aside.push(".before");
        let installed = Self {
            place,
            aside: aside.into(),
        };
        // A crash may come right after the rename, and the next start with it.
        File::open(program)?.sync_all()?;
        match fs::remove_file(&installed.aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::hard_link(&installed.place, &installed.aside)?,
        }
        if let Err(error) = fs::rename(program, &installed.place) {
            fs::remove_file(&installed.aside)?;
            return Err(error);
        }
        installed.sync();
        Ok(installed)
    }

    /// Where it is.
    pub(crate) fn place(&self) -> &Path {
        &self.place
    }

    /// It stays.
    pub(crate) fn keep(self) {
        // What is left of the one before does no harm, and the next installation removes it.
        let _ = fs::remove_file(&self.aside);
    }

    /// The one before comes back, and this one is gone.
    ///
    /// # Errors
    /// When it can't be moved.
    pub(crate) fn undo(self) -> io::Result<()> {
        fs::rename(&self.aside, &self.place)?;
        self.sync();
        Ok(())
    }

    /// Not every file system can do this with a folder, and the names are right either way.
    fn sync(&self) {
        if let Some(folder) = self.place.parent().and_then(|path| File::open(path).ok()) {
            let _ = folder.sync_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        /// The program before, and the one that is to take its place.
        fn new() -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            fs::create_dir(folder.path("bin")).unwrap();
            fs::write(folder.path("bin/proxy"), "old").unwrap();
            fs::write(folder.path("new"), "new").unwrap();
            folder
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn install(&self) -> io::Result<Installed> {
            Installed::new(&self.path("new"), &self.path("bin/proxy"))
        }

        /// What is in the place, and every name beside it.
        fn found(&self) -> (String, usize) {
            let names = fs::read_dir(self.path("bin")).unwrap().count();
            (
                fs::read_to_string(self.path("bin/proxy")).unwrap(),
                names - 1,
            )
        }
    }

    #[test]
    fn it_stays_or_it_goes() {
        let folder = Folder::new();
        let installed = folder.install().unwrap();
        assert_eq!(installed.place(), folder.path("bin/proxy"));
        assert_eq!(folder.found(), ("new".to_owned(), 1));
        installed.undo().unwrap();
        assert_eq!(folder.found(), ("old".to_owned(), 0));
        assert!(!folder.path("new").exists());

        fs::write(folder.path("new"), "new").unwrap();
        // As a crash may leave it.
        fs::write(folder.path("bin/proxy.before"), "older").unwrap();
        folder.install().unwrap().keep();
        assert_eq!(folder.found(), ("new".to_owned(), 0));
    }

    #[test]
    fn what_cannot_be_moved_leaves_all_as_it_was() {
        let folder = Folder::new();
        fs::remove_file(folder.path("new")).unwrap();
        folder.install().unwrap_err();
        assert_eq!(folder.found(), ("old".to_owned(), 0));
        // A folder is no program to be replaced.
        fs::create_dir(folder.path("new")).unwrap();
        folder.install().unwrap_err();
        assert_eq!(folder.found(), ("old".to_owned(), 0));
        let nowhere = Installed::new(&folder.path("bin/proxy"), &folder.path("nowhere"));
        assert_eq!(nowhere.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
