//! The shared library: whether driver managers find it, and whether it is entered as they enter it.

use std::path::{Path, PathBuf};

use adbc_core::LOAD_FLAG_DEFAULT;
use adbc_core::error::{Error, Status};
use adbc_core::options::AdbcVersion;
use adbc_driver_manager::ManagedDriver;

use super::report::{Finding, Outcome};
use crate::driver::places::{self, Found};

/// What driver managers know the driver by.
const NAME: &str = "databricks";

/// How a driver manager is told which library to load.
pub(super) enum Library {
    /// By the driver's name.
    Installed,
    /// By its path.
    File(PathBuf),
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
        let fact = format!("{}, from --library", path.display());
        return Ok((Finding::ok(fact), Library::File(path.to_owned())));
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
        let fact = format!("{}, by {} ({because})", manifest.library.display(), path.display());
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
        return Ok((finding, Library::Installed));
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
        return Ok((finding, Library::File(path)));
    }
    Err(Finding::warning(
        "not installed: driver managers (Python, R, Go, C++) do not find the driver; this program has its own",
        "cargo build --release -p adbc-driver-databricks, then dbsql driver install --library FILE",
    ))
}

/// Loads the library as driver managers do.
pub(super) fn load(library: Library) -> Outcome<ManagedDriver> {
    let version = AdbcVersion::V110;
    let loaded = match library {
        Library::Installed => {
            let further = places::of_environments().map(|place| place.folder).collect();
            ManagedDriver::load_from_name(NAME, None, version, LOAD_FLAG_DEFAULT, Some(further))
        }
        Library::File(path) => ManagedDriver::load_dynamic_from_filename(path, None, version),
    };
    match loaded {
        Ok(driver) => Ok((Finding::ok("loaded and entered, ADBC 1.1.0"), driver)),
        Err(error) if error.status == Status::NotImplemented => Err(Finding::failed(
            "it does not know ADBC 1.1.0: the library is too old, or another driver's",
            "install the library of this version: dbsql driver install --library FILE",
        )),
        Err(error) => Err(Finding::failed(
            reason(&error),
            "the file is no ADBC driver, is for another platform, or lacks a library of the system: build it here, and install \
             it with `dbsql driver install --library FILE`",
        )),
    }
}

/// What went wrong at the first place where something was; the error itself speaks of the last.
fn reason(error: &Error) -> String {
    let trace = error
        .details
        .iter()
        .flatten()
        .find(|(key, _)| key.ends_with("load_trace"));
    let trace = trace.map(|(_, text)| String::from_utf8_lossy(text).into_owned());
    let first = trace.as_deref().and_then(|text| text.lines().next());
    first.unwrap_or(&error.message).trim().to_owned()
}
