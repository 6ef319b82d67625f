//! `dbsql driver`: makes the shared library known to the driver managers of this user.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::{DriverArgs, DriverCommand};
use crate::failure::Failure;

const MANIFEST: &str = "databricks.toml";

pub(crate) fn run(args: DriverArgs) -> Result<(), Failure> {
    match args.command {
        DriverCommand::Install { library } => install(library),
        DriverCommand::Uninstall => uninstall(),
    }
}

fn install(library: Option<PathBuf>) -> Result<(), Failure> {
    let library = match library {
        Some(given) => {
            fs::canonicalize(&given).map_err(|error| Failure::Usage(format!("{}: {error}", given.display())))?
        }
        None => beside_this_program()?,
    };
    let folder = folder()?;
    fs::create_dir_all(&folder)?;
    let path = folder.join(MANIFEST);
    // Whole or not at all: a driver manager may be reading it.
    let fresh = folder.join(format!("{MANIFEST}.new"));
    fs::write(&fresh, manifest(&library)?)?;
    fs::rename(&fresh, &path)?;
    println!(
        "Driver managers of this user find the driver now, as \"databricks\" and by URIs that begin with databricks://\n\n  \
         manifest  {}\n  library   {}\n\n\
         Python (pip install adbc-driver-manager pyarrow):\n  \
         from adbc_driver_manager import dbapi\n  \
         connection = dbapi.connect(\"databricks://token:TOKEN@HOST/sql/1.0/warehouses/ID\", autocommit=True)",
        path.display(),
        library.display()
    );
    Ok(())
}

fn uninstall() -> Result<(), Failure> {
    let path = folder()?.join(MANIFEST);
    match fs::remove_file(&path) {
        Ok(()) => println!("removed {}", path.display()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("there is no {}", path.display());
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// The library that cargo put beside this program.
fn beside_this_program() -> Result<PathBuf, Failure> {
    let name = format!(
        "{}adbc_driver_databricks{}",
        env::consts::DLL_PREFIX,
        env::consts::DLL_SUFFIX
    );
    let mut path = env::current_exe()?;
    path.set_file_name(&name);
    if path.is_file() {
        return Ok(path);
    }
    Err(Failure::Usage(format!(
        "{name} is not beside this program: build it with `cargo build --release -p adbc-driver-databricks` and name it with --library"
    )))
}

/// Where driver managers look for this user's manifests, as the ADBC documentation has it.
fn folder() -> Result<PathBuf, Failure> {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = if cfg!(target_os = "macos") {
        variable("HOME").map(|home| home.join("Library/Application Support/ADBC/Drivers"))
    } else if cfg!(windows) {
        variable("LOCALAPPDATA").map(|local| local.join("ADBC").join("Drivers"))
    } else {
        let config = variable("XDG_CONFIG_HOME").or_else(|| variable("HOME").map(|home| home.join(".config")));
        config.map(|config| config.join("adbc/drivers"))
    };
    folder.ok_or_else(|| Failure::Local("this user has no home directory to put the manifest into".to_owned()))
}

fn manifest(library: &Path) -> Result<String, Failure> {
    let refusal = || {
        Failure::Usage(format!(
            "the path {} cannot be written into a manifest",
            library.display()
        ))
    };
    let path = library.to_str().ok_or_else(refusal)?;
    // A literal string of TOML: nothing in it is an escape, and it cannot hold its own quote.
    if path.contains(['\'', '\n', '\r']) {
        return Err(refusal());
    }
    Ok(format!(
        "manifest_version = 1\nname = \"Databricks\"\nversion = \"{}\"\npublisher = \"adbc-databricks\"\nlicense = \"Apache-2.0\"\n\n\
         [ADBC]\nversion = \"1.1.0\"\n\n[Driver]\nentrypoint = \"AdbcDriverDatabricksInit\"\nshared = '{path}'\n",
        env!("CARGO_PKG_VERSION")
    ))
}
