//! Assets: what browsers that hold an old page still ask for, kept over versions.
//!
//! A version's assets are copied out of its image, then old and new ones are copied into each other's volumes, so that both
//! versions can serve both. In: a role with an asset path, a version. Out: commands for the role's hosts.

use dhow_config::{Config, Role};
use dhow_text::shell::Cmd;

use crate::{VersionRef, paths};

/// Copies the assets out of a version's image. Nothing for a role without assets.
pub fn extract(config: &Config, role: &Role, version: &str) -> Option<Cmd> {
    let (path, _) = role.assets.as_ref()?;
    let to = paths::extracted_assets(config, role, version);
    let container = format!("{}-assets", config.container_prefix(role));
    let remove = || Cmd::docker("container rm").arg(container.as_str());
    Some(
        make_directory(&to)
            .and(remove().arg("2> /dev/null"))
            .or(Cmd::new("true"))
            .and(
                Cmd::docker("container create --name")
                    .arg(container.as_str())
                    .arg(config.absolute_image(version)),
            )
            .and(
                Cmd::docker("container cp -L")
                    .arg(format!("{container}:{path}/."))
                    .arg(to),
            )
            .and(remove()),
    )
}

/// Fills a version's volume, and exchanges assets with the version before it, if there is one. Nothing for a role without assets.
pub fn sync<'v>(
    config: &Config,
    role: &Role,
    version: &str,
    old: Option<VersionRef<'v>>,
) -> Option<Cmd> {
    role.assets.as_ref()?;
    let extracted = paths::extracted_assets(config, role, version);
    let volume = paths::asset_volume(config, role, version);
    let own = make_directory(&volume).then(copy(&extracted, &volume));
    Some(match old {
        None => own,
        Some(old) => {
            let old_extracted = paths::extracted_assets(config, role, old);
            let old_volume = paths::asset_volume(config, role, old);
            own.then(copy(&extracted, &old_volume))
                .or(Cmd::new("true"))
                .then(copy(&old_extracted, &volume))
                .or(Cmd::new("true"))
        }
    })
}

/// Removes the assets of all versions but one. Nothing for a role without assets.
pub fn clean_up(config: &Config, role: &Role, version: &str) -> Option<Cmd> {
    role.assets.as_ref()?;
    let all_but = |directory: String| {
        let role = &role.name;
        Cmd::new("find").arg(directory).arg(format!(
            "-maxdepth 1 -name '{role}-*' ! -name {role}-{version} -exec rm -rf \"{{}}\" +"
        ))
    };
    let extracted = all_but(paths::extracted_assets_directory(config));
    Some(extracted.then(all_but(paths::asset_volumes_directory(config))))
}

fn make_directory(path: &str) -> Cmd {
    Cmd::new("mkdir").arg("-p").arg(path)
}

fn copy(from: &str, to: &str) -> Cmd {
    Cmd::new("cp").arg("-rnT").arg(from).arg(to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{app, role, role_mut, staged};

    fn with_assets(mut config: Config) -> Config {
        role_mut(&mut config, "web").assets = Some(("/public/assets".to_owned(), None));
        config
    }

    #[test]
    fn item_161_extract() {
        for (config, sd, prefix) in [
            (with_assets(app()), "app", "app-web"),
            (with_assets(staged()), "app-stg", "app-web-stg"),
        ] {
            let cmd = extract(&config, role(&config, "web"), "999").expect("web has assets");
            assert_eq!(
                cmd.real(),
                format!(
                    "mkdir -p .kamal/apps/{sd}/assets/extracted/web-999 && docker container rm {prefix}-assets 2> /dev/null || true && docker container create --name {prefix}-assets dhh/app:999 && docker container cp -L {prefix}-assets:/public/assets/. .kamal/apps/{sd}/assets/extracted/web-999 && docker container rm {prefix}-assets"
                )
            );
        }
    }

    #[test]
    fn item_161_sync() {
        let config = with_assets(app());
        let web = role(&config, "web");
        let line = |old| {
            sync(&config, web, "999", old)
                .expect("web has assets")
                .real()
        };
        assert_eq!(
            line(None),
            "mkdir -p .kamal/apps/app/assets/volumes/web-999 ; cp -rnT .kamal/apps/app/assets/extracted/web-999 .kamal/apps/app/assets/volumes/web-999"
        );
        assert_eq!(
            line(Some("998".into())),
            "mkdir -p .kamal/apps/app/assets/volumes/web-999 ; cp -rnT .kamal/apps/app/assets/extracted/web-999 .kamal/apps/app/assets/volumes/web-999 ; cp -rnT .kamal/apps/app/assets/extracted/web-999 .kamal/apps/app/assets/volumes/web-998 || true ; cp -rnT .kamal/apps/app/assets/extracted/web-998 .kamal/apps/app/assets/volumes/web-999 || true"
        );
        assert!(
            line(Some(VersionRef::Variable("old")))
                .ends_with(" ; cp -rnT .kamal/apps/app/assets/extracted/web-${old} .kamal/apps/app/assets/volumes/web-999 || true")
        );
    }

    #[test]
    fn item_161_clean_up() {
        let config = with_assets(staged());
        let cmd = clean_up(&config, role(&config, "web"), "999").expect("web has assets");
        assert_eq!(
            cmd.real(),
            r#"find .kamal/apps/app-stg/assets/extracted -maxdepth 1 -name 'web-*' ! -name web-999 -exec rm -rf "{}" + ; find .kamal/apps/app-stg/assets/volumes -maxdepth 1 -name 'web-*' ! -name web-999 -exec rm -rf "{}" +"#
        );
    }

    #[test]
    fn item_163_no_asset_work_without_assets() {
        let config = app();
        let workers = role(&config, "workers");
        assert_eq!(extract(&config, workers, "999"), None);
        assert_eq!(sync(&config, workers, "999", None), None);
        assert_eq!(clean_up(&config, workers, "999"), None);
    }
}
