//! The shared library: whether driver managers find it, and whether it is entered as they enter it.

use std::path::{Path, PathBuf};

use adbc_core::error::Status;
use adbc_core::options::AdbcVersion;
use adbc_driver_manager::ManagedDriver;

use super::report::{Finding, Outcome};
use crate::driver::places::{self, Found};

/// A library and how it is entered.
pub(super) struct Library {
    path: PathBuf,
    entry_point: Option<String>,
}

/// The library that was named, else the one that driver managers find, else the one beside this program.
pub(super) fn find(named: Option<&Path>) -> Outcome<Library> {
    if let Some(path) = named {
        if !path.is_file() {
            return Err(Finding::failed(
                format!("{} is not a file", path.display()),
                "name the shared library with --library",
            ));
        }
        return Ok((Finding::ok(format!("{}, from --library", path.display())), at(path)));
    }
    let mut broken = Vec::new();
    for Found { path, because, outcome } in places::manifests() {
        let manifest = match outcome {
            Ok(manifest) => manifest,
            Err(reason) => {
                broken.push(format!("{}: {reason}", path.display()));
                continue;
            }
        };
        let library = Library {
            path: manifest.library,
            entry_point: manifest.entry_point,
        };
        let fact = format!("{}, by {} ({because})", library.path.display(), path.display());
        let finding = match (broken.first(), manifest.version) {
            (Some(reason), _) => Finding::warning(
                format!("{fact}; before it stands a broken manifest, {reason}"),
                "remove the broken manifest: some driver managers stop at it",
            ),
            (None, Some(version)) if version != env!("CARGO_PKG_VERSION") => Finding::warning(
                format!(
                    "{fact}, version {version}; this program is {}",
                    env!("CARGO_PKG_VERSION")
                ),
                "install the library of this version: dbsql driver install --library FILE",
            ),
            _ => Finding::ok(fact),
        };
        return Ok((finding, library));
    }
    if let Some(reason) = broken.first() {
        return Err(Finding::failed(
            format!("broken manifest, {reason}"),
            "write it anew with `dbsql driver install --library FILE --copy`, or remove it",
        ));
    }
    if let Some(path) = places::beside_this_program() {
        let finding = Finding::warning(
            format!(
                "{}, beside this program; driver managers do not find it",
                path.display()
            ),
            "to make them find it: dbsql driver install",
        );
        return Ok((finding, at(&path)));
    }
    Err(Finding::warning(
        "not installed: driver managers (Python, R, Go, C++) do not find the driver; this program has its own",
        "cargo build --release -p adbc-driver-databricks, then dbsql driver install --library FILE",
    ))
}

fn at(path: &Path) -> Library {
    Library {
        path: path.to_owned(),
        entry_point: None,
    }
}

/// Loads the library as driver managers do.
pub(super) fn load(library: Library) -> Outcome<ManagedDriver> {
    let entry_point = library.entry_point.as_deref();
    let loaded =
        ManagedDriver::load_dynamic_from_filename(&library.path, entry_point.map(str::as_bytes), AdbcVersion::V110);
    let name = entry_point.unwrap_or("the one that follows from its name");
    match loaded {
        Ok(driver) => Ok((Finding::ok(format!("loaded, ADBC 1.1.0, entry point {name}")), driver)),
        Err(error) if error.status == Status::NotImplemented => Err(Finding::failed(
            "it does not know ADBC 1.1.0: the library is too old, or another driver's",
            "install the library of this version: dbsql driver install --library FILE",
        )),
        Err(error) => Err(Finding::failed(
            format!("entry point {name}: {}", error.message.trim()),
            "the file is no ADBC driver, is for another platform, or lacks a library of the system: build it here, and install it with \
             `dbsql driver install --library FILE`",
        )),
    }
}
