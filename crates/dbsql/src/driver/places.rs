//! Where driver managers look for the driver, in their order, and what is there.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::manifest::{self, Manifest};

/// The manifest's file name: driver managers look for the driver's name with this ending.
pub(super) const MANIFEST: &str = "databricks.toml";

/// A folder that driver managers search.
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    /// Why it is searched, and by whom if not by all.
    pub(crate) because: &'static str,
}

/// A manifest that is in one of the places.
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) because: &'static str,
    /// What it says; or what is wrong with it, or with the library that it names.
    pub(crate) outcome: Result<Manifest, String>,
}

/// The folders in the order in which they are searched.
/// See <https://arrow.apache.org/adbc/current/format/driver_manifests.html>.
pub(crate) fn all() -> Vec<Place> {
    let place = |folder: PathBuf, because| Place { folder, because };
    let listed = env::var_os("ADBC_DRIVER_PATH").unwrap_or_default();
    let mut places: Vec<_> = env::split_paths(&listed)
        .filter(|folder| !folder.as_os_str().is_empty())
        .map(|folder| place(folder, "ADBC_DRIVER_PATH"))
        .collect();
    places.extend(of_environments());
    places.extend(of_user().map(|folder| place(folder, "this user")));
    if cfg!(target_os = "macos") {
        places.push(place(
            PathBuf::from("/Library/Application Support/ADBC/Drivers"),
            "this machine",
        ));
    } else if cfg!(unix) {
        places.push(place(PathBuf::from("/etc/adbc/drivers"), "this machine"));
    }
    places
}

/// The folders of Python's environments, which not every driver manager searches.
pub(crate) fn of_environments() -> impl Iterator<Item = Place> {
    let environments = [
        ("VIRTUAL_ENV", "this virtual environment; Python's manager only"),
        ("CONDA_PREFIX", "this conda environment; managers from conda only"),
    ];
    environments.into_iter().filter_map(|(name, because)| {
        let folder = variable(name)?.join("etc/adbc/drivers");
        Some(Place { folder, because })
    })
}

/// The manifests that are there, in the order in which they are found.
pub(crate) fn manifests() -> Vec<Found> {
    let mut found = Vec::new();
    for Place { folder, because } in all() {
        let path = folder.join(MANIFEST);
        if !path.is_file() {
            continue;
        }
        let outcome = manifest::read(&path).and_then(|manifest| {
            let library = &manifest.library;
            match fs::metadata(library) {
                Ok(_) if library.is_relative() => {
                    Err(format!("its library {} is not an absolute path", library.display()))
                }
                Ok(_) => Ok(manifest),
                Err(error) => Err(format!("its library {}: {error}", library.display())),
            }
        });
        found.push(Found { path, because, outcome });
    }
    found
}

/// Where this user's manifests are.
pub(super) fn of_user() -> Option<PathBuf> {
    if cfg!(target_os = "macos") {
        variable("HOME").map(|home| home.join("Library/Application Support/ADBC/Drivers"))
    } else if cfg!(windows) {
        variable("LOCALAPPDATA").map(|local| local.join("ADBC").join("Drivers"))
    } else {
        let config = variable("XDG_CONFIG_HOME").or_else(|| variable("HOME").map(|home| home.join(".config")));
        config.map(|config| config.join("adbc/drivers"))
    }
}

/// Where this user's copy of the library is put.
pub(super) fn of_library() -> Option<PathBuf> {
    if cfg!(target_os = "macos") {
        variable("HOME").map(|home| home.join("Library/Application Support/adbc-databricks"))
    } else if cfg!(windows) {
        variable("LOCALAPPDATA").map(|local| local.join("adbc-databricks"))
    } else {
        let data = variable("XDG_DATA_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/share")));
        data.map(|data| data.join("adbc-databricks"))
    }
}

/// The library's file name on this platform.
pub(crate) fn library_name() -> String {
    format!(
        "{}adbc_driver_databricks{}",
        env::consts::DLL_PREFIX,
        env::consts::DLL_SUFFIX
    )
}

/// The library that cargo put beside this program, if it did.
pub(crate) fn beside_this_program() -> Option<PathBuf> {
    let path = env::current_exe().ok()?.with_file_name(library_name());
    path.is_file().then_some(path)
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Whether both name the same file.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}
