//! Volumes: directories of files that statements and the Files API share, named `/Volumes/catalog/schema/volume/…`.
//!
//! See <https://docs.databricks.com/aws/en/volumes/>. Names of catalogs, schemas and volumes are found in any case, names of
//! files as they are written. Every file lies below a temporary directory that goes away with the engine, in a directory whose
//! name nobody chose: whatever a client calls its volumes and files, nothing outside is reached.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};

use tempfile::TempDir;

use super::error::{Class, SqlError, quoted};

/// What every path of a volume begins with.
pub(crate) const PREFIX: &str = "/Volumes/";

/// The longest name of a file or directory, in bytes. The limit of common file systems.
const MAX_NAME_BYTES: usize = 255;
/// The most names in a path.
const MAX_DEPTH: usize = 64;

/// All volumes of a workspace.
#[derive(Default)]
pub(crate) struct Volumes {
    /// Made when the first volume is.
    root: OnceLock<TempDir>,
    by_name: RwLock<BTreeMap<Name, Volume>>,
    serial: AtomicU64,
}

/// Catalog, schema and volume, each in lower case.
type Name = (String, String, String);

#[derive(Clone)]
struct Volume {
    directory: PathBuf,
}

/// A path of a volume, and where its bytes are.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct VolumePath {
    /// As the client knows it, without a slash at the end.
    pub(crate) path: String,
    /// Where it is on this machine. It may not exist.
    pub(crate) local: PathBuf,
    /// Whether it is the volume itself.
    pub(crate) is_root: bool,
}

impl Volumes {
    /// Creates a volume; whether there was none of this name.
    ///
    /// # Errors
    /// When its directory cannot be made.
    pub(crate) fn create(&self, catalog: &str, schema: &str, volume: &str) -> Result<bool, SqlError> {
        let unusable = |error: io::Error| {
            SqlError::new(
                Class::INTERNAL_ERROR,
                format!("The volume's directory cannot be made: {error}"),
            )
        };
        let root = self.root().map_err(unusable)?;
        let mut volumes = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        let name = name(catalog, schema, volume);
        if volumes.contains_key(&name) {
            return Ok(false);
        }
        let directory = root.join(format!("volume-{}", self.serial.fetch_add(1, Ordering::Relaxed)));
        std::fs::create_dir(&directory).map_err(unusable)?;
        volumes.insert(name, Volume { directory });
        Ok(true)
    }

    /// Drops a volume and its files; whether there was one.
    pub(crate) fn remove(&self, catalog: &str, schema: &str, volume: &str) -> bool {
        let mut volumes = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        let removed = volumes.remove(&name(catalog, schema, volume));
        drop(volumes);
        if let Some(volume) = &removed {
            // What cannot be removed now goes away with the temporary directory.
            let _ = std::fs::remove_dir_all(&volume.directory);
        }
        removed.is_some()
    }

    /// Drops all volumes of a schema.
    pub(crate) fn remove_schema(&self, catalog: &str, schema: &str) {
        for volume in self.of_schema(catalog, schema) {
            self.remove(catalog, schema, &volume);
        }
    }

    /// The names of a schema's volumes, in order.
    pub(crate) fn of_schema(&self, catalog: &str, schema: &str) -> Vec<String> {
        let volumes = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        let (catalog, schema) = (catalog.to_lowercase(), schema.to_lowercase());
        let names = volumes.keys().filter(|name| name.0 == catalog && name.1 == schema);
        names.map(|name| name.2.clone()).collect()
    }

    /// Finds the place of a path.
    ///
    /// # Errors
    /// `INVALID_PARAMETER_VALUE` for a path that is no path of a volume, or leads upwards; `VOLUME_NOT_FOUND`.
    pub(crate) fn find(&self, path: &str) -> Result<VolumePath, SqlError> {
        let rest = path.strip_prefix("dbfs:").unwrap_or(path).strip_prefix(PREFIX);
        let names: Vec<&str> = rest.unwrap_or_default().trim_end_matches('/').split('/').collect();
        let [catalog, schema, volume, inside @ ..] = names.as_slice() else {
            return Err(invalid("A path must be /Volumes/<catalog>/<schema>/<volume>/<path>."));
        };
        if names.len() > MAX_DEPTH || !names.iter().all(|name| is_plain(name)) {
            return Err(invalid(
                "A path must not hold empty names, '.', '..', backslashes, control characters or names of more than 255 bytes.",
            ));
        }
        let volumes = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        let Some(found) = volumes.get(&name(catalog, schema, volume)) else {
            return Err(SqlError::new(
                Class::VOLUME_NOT_FOUND,
                format!("The volume {} does not exist.", quoted(&[catalog, schema, volume])),
            ));
        };
        Ok(VolumePath {
            path: format!("{PREFIX}{}", names.join("/")),
            local: inside
                .iter()
                .fold(found.directory.clone(), |place, name| place.join(name)),
            is_root: inside.is_empty(),
        })
    }

    /// A name for a file that is being written, on the same file system as the volumes and in none of them.
    ///
    /// # Errors
    /// When there is no temporary directory.
    pub(crate) fn scratch(&self) -> io::Result<PathBuf> {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        Ok(self.root()?.join(format!("upload-{serial}")))
    }

    fn root(&self) -> io::Result<&Path> {
        if let Some(root) = self.root.get() {
            return Ok(root.path());
        }
        let made = tempfile::Builder::new().prefix("databricks-local-volumes-").tempdir()?;
        // If somebody was faster, theirs is used and ours goes away.
        Ok(self.root.get_or_init(|| made).path())
    }
}

impl VolumePath {
    /// The files that a statement reads here: the file itself, or those of the directory whose names do not begin with `_` or
    /// `.`, in the order of their names.
    ///
    /// # Errors
    /// `PATH_NOT_FOUND`.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>, SqlError> {
        if self.local.is_file() {
            return Ok(vec![self.local.clone()]);
        }
        let missing = || SqlError::new(Class::PATH_NOT_FOUND, format!("Path does not exist: {}.", self.path));
        let entries = std::fs::read_dir(&self.local).map_err(|_| missing())?;
        let mut files: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.is_file() && !is_hidden(path))
            .collect();
        files.sort();
        Ok(files)
    }
}

fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("_");
    name.starts_with(['_', '.'])
}

fn is_plain(name: &str) -> bool {
    let bad = |character: char| character == '\\' || character.is_control();
    !matches!(name, "" | "." | "..") && name.len() <= MAX_NAME_BYTES && !name.contains(bad)
}

fn name(catalog: &str, schema: &str, volume: &str) -> Name {
    (catalog.to_lowercase(), schema.to_lowercase(), volume.to_lowercase())
}

fn invalid(text: &str) -> SqlError {
    SqlError::new(Class::INVALID_PARAMETER_VALUE, text)
}

impl fmt::Debug for Volumes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Volumes").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_out_of_its_volume() {
        let volumes = Volumes::default();
        assert!(volumes.create("Main", "default", "V").unwrap());
        assert!(!volumes.create("main", "default", "v").unwrap());
        let inside = volumes.find("/Volumes/main/default/v/a b/ü.parquet").unwrap();
        let root = volumes.find("/Volumes/MAIN/default/v/").unwrap();
        assert!(inside.local.starts_with(&root.local) && root.is_root && !inside.is_root);
        for path in [
            "/Volumes/main/default/v/../../etc/passwd",
            "/Volumes/main/default/v/./a",
            "/Volumes/main/default/v/a\\..\\b",
            "/Volumes/main/default/v//a",
            "/Volumes/main/default/v/a\0",
            "/Volumes/main/default",
            "/etc/passwd",
            "",
        ] {
            assert!(
                volumes.find(path).err().unwrap().is(Class::INVALID_PARAMETER_VALUE),
                "{path}"
            );
        }
        let missing = volumes.find("/Volumes/main/default/w/a").err().unwrap();
        assert!(missing.is(Class::VOLUME_NOT_FOUND));
    }
}
