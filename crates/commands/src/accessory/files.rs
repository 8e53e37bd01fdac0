//! An accessory's files and directories on its hosts, and how its container sees them.

use dhow_config::{Accessory, Mount, UploadedFile};
use dhow_text::shell::Cmd;

use crate::container_args::{volume, volumes as volume_flags};
use crate::{Content, Upload};

/// `--volume …` for everything that the container sees of the host: volumes, files, directories.
pub fn volumes(accessory: &Accessory) -> Vec<String> {
    let files = accessory.files.iter().map(|file| {
        let from = file_path(accessory, file);
        volume(&from, &file.remote, file.options.as_deref())
    });
    let directories = accessory.directories.iter().map(|mount| {
        let from = mount_path(accessory, mount);
        volume(&from, &mount.remote, mount.options.as_deref())
    });
    let all: Vec<String> = accessory
        .volumes
        .iter()
        .cloned()
        .chain(files)
        .chain(directories)
        .collect();
    volume_flags(&all)
}

/// Where a file is on the host: its path in the container, below the accessory's directory.
pub fn file_path(accessory: &Accessory, file: &UploadedFile) -> String {
    format!("{}{}", accessory.service_name, file.remote)
}

/// Where a directory is on the host: below the accessory's directory, unless it is absolute.
pub fn mount_path(accessory: &Accessory, mount: &Mount) -> String {
    if mount.host_path.starts_with('/') {
        mount.host_path.clone()
    } else {
        format!("{}/{}", accessory.service_name, mount.host_path)
    }
}

/// Makes a directory, and gives it the mode and the owner that the deploy file says, if any: a command each.
pub fn make_directory(accessory: &Accessory, mount: &Mount) -> Vec<Cmd> {
    let path = absolute(&mount_path(accessory, mount));
    let make = Cmd::new("mkdir").arg("-p").arg(path.as_str());
    std::iter::once(make)
        .chain(mount.mode.iter().map(|mode| change_mode(mode, &path)))
        .chain(mount.owner.iter().map(|owner| change_owner(owner, &path)))
        .collect()
}

/// Makes the directory that a file is to be in.
pub fn make_file_directory(accessory: &Accessory, file: &UploadedFile) -> Cmd {
    let path = file_path(accessory, file);
    let directory = match path.rsplit_once('/') {
        Some((directory, _)) => directory,
        None => ".",
    };
    Cmd::new("mkdir").arg("-p").arg(directory)
}

/// A file's content. `mode` is the local file's, or `0o640` for one that was rendered; what the deploy file says comes after, by
/// [`set_permissions`].
pub fn file_upload(
    accessory: &Accessory,
    file: &UploadedFile,
    mode: u32,
    content: Content,
) -> Upload {
    Upload {
        path: file_path(accessory, file),
        mode,
        content,
    }
}

/// Gives an uploaded file its mode and, if the deploy file says one, its owner: a command each.
pub fn set_permissions(accessory: &Accessory, file: &UploadedFile) -> Vec<Cmd> {
    let path = file_path(accessory, file);
    std::iter::once(change_mode(&file.mode, &path))
        .chain(file.owner.iter().map(|owner| change_owner(owner, &path)))
        .collect()
}

/// Removes the accessory's directory with all its files and data.
pub fn remove_directory(accessory: &Accessory) -> Cmd {
    Cmd::new("rm")
        .arg("-rf")
        .arg(accessory.service_name.as_str())
}

fn change_mode(mode: &str, path: &str) -> Cmd {
    Cmd::new("chmod").arg(mode).arg(path)
}

fn change_owner(owner: &str, path: &str) -> Cmd {
    Cmd::new("chown").arg(owner).arg(path)
}

/// The path with `$PWD/` in front, unless it is absolute.
fn absolute(path: &str) -> String {
    if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("$PWD/{path}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{accessory, app};

    fn lines(commands: &[Cmd]) -> Vec<String> {
        commands.iter().map(Cmd::real).collect()
    }

    #[test]
    fn item_196_directories() {
        let config = app();
        let db = accessory(&config, "db");
        let mut mount = db.directories[0].clone();
        assert_eq!(
            lines(&make_directory(db, &mount)),
            ["mkdir -p $PWD/app-db/data"]
        );
        mount.mode = Some("0750".to_owned());
        mount.owner = Some("1000:1000".to_owned());
        assert_eq!(
            lines(&make_directory(db, &mount)),
            [
                "mkdir -p $PWD/app-db/data",
                "chmod 0750 $PWD/app-db/data",
                "chown 1000:1000 $PWD/app-db/data",
            ]
        );
        mount.host_path = "/var/data".to_owned();
        mount.mode = None;
        assert_eq!(
            lines(&make_directory(db, &mount)),
            ["mkdir -p /var/data", "chown 1000:1000 /var/data"]
        );
    }

    #[test]
    fn item_197_files() {
        let mut config = app();
        config.accessories[0].files[0].owner = Some("mysql".to_owned());
        let db = accessory(&config, "db");
        let file = &db.files[0];
        assert_eq!(make_file_directory(db, file).real(), "mkdir -p app-db/etc");
        let upload = file_upload(db, file, 0o640, Content::Public(b"x".to_vec()));
        assert_eq!(
            (upload.path.as_str(), upload.mode),
            ("app-db/etc/d.yml", 0o640)
        );
        assert_eq!(
            lines(&set_permissions(db, file)),
            ["chmod 755 app-db/etc/d.yml", "chown mysql app-db/etc/d.yml"]
        );
    }

    #[test]
    fn item_195_volumes_and_their_options() {
        let mut config = app();
        let db = &mut config.accessories[0];
        db.volumes = vec!["v:/v".to_owned()];
        db.files[0].options = Some("ro".to_owned());
        db.directories[0].host_path = "/srv/data".to_owned();
        db.directories[0].options = Some("z".to_owned());
        assert_eq!(
            volumes(db).join(" "),
            "--volume v:/v --volume $PWD/app-db/etc/d.yml:/etc/d.yml:ro --volume /srv/data:/var/lib/mysql:z"
        );
    }

    #[test]
    fn item_203_remove_directory() {
        let config = app();
        assert_eq!(
            remove_directory(accessory(&config, "db")).real(),
            "rm -rf app-db"
        );
    }
}
