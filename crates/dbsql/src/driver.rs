//! `dbsql driver`: makes the shared library known to the driver managers of this user, and shows what is known to them.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use adbc_core::options::AdbcVersion;
use adbc_driver_manager::ManagedDriver;

use crate::cli::{DriverArgs, DriverCommand};
use crate::failure::Failure;

pub(crate) mod manifest;
pub(crate) mod places;

pub(crate) fn run(args: DriverArgs) -> Result<(), Failure> {
    match args.command {
        DriverCommand::Install { library, copy } => install(library, copy),
        DriverCommand::Uninstall => uninstall(),
        DriverCommand::Status => status(),
    }
}

fn install(library: Option<PathBuf>, copy: bool) -> Result<(), Failure> {
    let mut library = match library {
        Some(given) => existing(&given)?,
        None => places::beside_this_program().ok_or_else(|| {
            Failure::Usage(format!(
                "{} is not beside this program: build it with `cargo build --release -p adbc-driver-databricks` and name it \
                 with --library",
                places::library_name()
            ))
        })?,
    };
    // Before anything is written: a manifest for what is no driver would stand in the way of one.
    if let Err(error) = ManagedDriver::load_dynamic_from_filename(&library, None, AdbcVersion::V110) {
        return Err(Failure::Usage(format!(
            "{} is no ADBC driver that can be loaded here: {}",
            library.display(),
            error.message.trim()
        )));
    }
    if copy {
        library = copied(&library)?;
    }
    let text = manifest::of(&library)?;
    ours_or_none(&of_user()?.join(places::MANIFEST))?;
    let path = replace(&of_user()?.join(places::MANIFEST), |fresh| fs::write(fresh, text))?;
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "Driver managers of this user find the driver now, as \"databricks\" and by URIs that begin with databricks://\n\n  \
         manifest  {}\n  library   {}\n\n\
         Python (pip install adbc-driver-manager pyarrow):\n  \
         from adbc_driver_manager import dbapi\n  \
         connection = dbapi.connect(\"databricks://token:TOKEN@HOST/sql/1.0/warehouses/ID\", autocommit=True)\n\n\
         Whether it works from here: dbsql doctor",
        path.display(),
        library.display()
    )?;
    Ok(())
}

/// Removes the manifest, and the library that it names if that is the copy that `install --copy` makes.
fn uninstall() -> Result<(), Failure> {
    let path = of_user()?.join(places::MANIFEST);
    ours_or_none(&path)?;
    let named_library = manifest::read(&path).ok().map(|manifest| manifest.library);
    let copy = places::of_library().map(|folder| folder.join(places::library_name()));
    for path in [Some(path), copy.filter(|copy| named_library.as_ref() == Some(copy))]
        .into_iter()
        .flatten()
    {
        match fs::remove_file(&path) {
            Ok(()) => writeln!(io::stdout(), "removed {}", path.display())?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if path.ends_with(places::MANIFEST) {
                    writeln!(io::stdout(), "there is no {}", path.display())?;
                }
            }
            Err(error) => return Err(named(&path, &error)),
        }
    }
    Ok(())
}

/// Leaves alone what another driver of this name has put there.
fn ours_or_none(path: &Path) -> Result<(), Failure> {
    match manifest::read(path) {
        Ok(manifest) if manifest.publisher.as_deref() != Some(manifest::PUBLISHER) => Err(Failure::Usage(format!(
            "{} is the manifest of another driver ({}); move it away first",
            path.display(),
            manifest.library.display()
        ))),
        // One that cannot be read is of use to nobody.
        _ => Ok(()),
    }
}

/// Each place that driver managers look into, in their order, and what is there.
fn status() -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let manifests = places::manifests();
    let works = |found: &&places::Found| found.outcome.is_ok();
    let used = manifests.iter().find(works).map(|found| found.path.clone());
    writeln!(out, "Driver managers look for {} in this order:\n", places::MANIFEST)?;
    for place in places::all() {
        let path = place.folder.join(places::MANIFEST);
        writeln!(out, "  {}  ({})", path.display(), place.because)?;
        let found = manifests.iter().find(|found| found.path == path);
        match found.map(|found| &found.outcome) {
            None => writeln!(out, "      nothing")?,
            Some(Err(reason)) => writeln!(out, "      broken: {reason}")?,
            Some(Ok(manifest)) => {
                let use_ = if used.as_ref() == Some(&path) {
                    "used"
                } else {
                    "behind the one that is used"
                };
                let version = manifest.version.as_deref().unwrap_or("?");
                writeln!(out, "      {use_}: version {version}, {}", manifest.library.display())?;
            }
        }
    }
    if used.is_none() {
        writeln!(
            out,
            "\nNone is found. To install the driver for this user: dbsql driver install"
        )?;
    }
    Ok(())
}

/// Copies the library to where no build removes it.
fn copied(library: &Path) -> Result<PathBuf, Failure> {
    let folder = places::of_library()
        .ok_or_else(|| Failure::Local("this user has no home directory to put the library into".to_owned()))?;
    let copy = folder.join(places::library_name());
    if places::is_same(library, &copy) {
        return Ok(copy);
    }
    // A process that has loaded the old one keeps it: a new file takes its name.
    replace(&copy, |fresh| fs::copy(library, fresh).map(drop))
}

/// Writes a file whole or not at all: somebody may be reading the old one.
fn replace(path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> Result<PathBuf, Failure> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(|error| named(folder, &error))?;
    let fresh = path.with_extension("new");
    write(&fresh)
        .and_then(|()| fs::rename(&fresh, path))
        .map_err(|error| named(path, &error))?;
    Ok(path.to_owned())
}

fn existing(given: &Path) -> Result<PathBuf, Failure> {
    let path = fs::canonicalize(given).map_err(|error| Failure::Usage(format!("{}: {error}", given.display())))?;
    if !path.is_file() {
        return Err(Failure::Usage(format!("{} is not a file", given.display())));
    }
    Ok(path)
}

fn of_user() -> Result<PathBuf, Failure> {
    places::of_user()
        .ok_or_else(|| Failure::Local("this user has no home directory to put the manifest into".to_owned()))
}

fn named(path: &Path, error: &io::Error) -> Failure {
    Failure::Local(format!("{}: {error}", path.display()))
}
