//! The driver manifest: the file by which driver managers get from the driver's name to its library.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::failure::Failure;

/// The manifest as packagers find it in the repository.
const TEMPLATE: &str = include_str!("../../../adbc-driver-databricks/databricks.toml");
/// What follows this line says where the libraries are.
const LIBRARIES: &str = "[Driver.shared]\n";
/// Who made the driver, as the template has it.
pub(super) const PUBLISHER: &str = "adbc-databricks";
/// The longest manifest that is read.
const MAX_BYTES: u64 = 1 << 20;

/// The manifest for a library of this platform at `library`.
///
/// # Errors
/// For a path that is not Unicode, which TOML cannot hold.
pub(super) fn of(library: &Path) -> Result<String, Failure> {
    let path = library.to_str().ok_or_else(|| {
        Failure::Usage(format!(
            "the path {} is not Unicode: a manifest cannot hold it",
            library.display()
        ))
    })?;
    let body = TEMPLATE
        .split_once("manifest_version")
        .map_or(TEMPLATE, |(_, rest)| rest);
    let head = body.split_once(LIBRARIES).map_or(body, |(head, _)| head);
    let path = Value::String(path.to_owned());
    Ok(format!("manifest_version{head}{LIBRARIES}{} = {path}\n", platform()))
}

/// What a manifest says that a driver manager acts on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// The library for this platform.
    pub(crate) library: PathBuf,
    /// The driver's version, if it says.
    pub(crate) version: Option<String>,
    /// Who made the driver, if it says.
    pub(crate) publisher: Option<String>,
}

/// Reads a manifest as a driver manager does.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn read(path: &Path) -> Result<Manifest, String> {
    let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > MAX_BYTES {
        return Err("it is longer than a manifest can be".to_owned());
    }
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    parse(&text)
}

fn parse(text: &str) -> Result<Manifest, String> {
    let manifest: Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error
            .span()
            .map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        format!("line {line}: {}", error.message())
    })?;
    let says = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    match manifest.get("manifest_version").map_or(Some(1), Value::as_integer) {
        Some(1) => {}
        _ => return Err("its manifest_version is not 1".to_owned()),
    }
    let driver = manifest.get("Driver").and_then(Value::as_table);
    let library = match driver.and_then(|driver| driver.get("shared")) {
        Some(Value::String(path)) => path.clone(),
        Some(Value::Table(platforms)) => says(platforms.get(&platform()))
            .ok_or_else(|| format!("it has no library for this platform, {}", platform()))?,
        _ => return Err("it does not say where the library is (Driver.shared)".to_owned()),
    };
    Ok(Manifest {
        library: PathBuf::from(library),
        version: says(manifest.get("version")),
        publisher: says(manifest.get("publisher")),
    })
}

/// This platform as manifests call it.
fn platform() -> String {
    let processor = match env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let variant = if cfg!(target_env = "musl") {
        "_musl"
    } else if cfg!(all(windows, target_env = "gnu")) {
        "_mingw"
    } else {
        ""
    };
    format!("{}_{processor}{variant}", env::consts::OS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_comes_back_whatever_the_path() {
        for path in [
            "/opt/lib/libadbc.so",
            "/it's \"here\"/a\\b\nc.so",
            "C:\\drivers\\adbc.dll",
        ] {
            let manifest = parse(&of(Path::new(path)).unwrap()).unwrap();
            assert_eq!(manifest.library, Path::new(path));
            assert_eq!(manifest.version.as_deref(), Some(env!("CARGO_PKG_VERSION")));
            assert_eq!(manifest.publisher.as_deref(), Some(PUBLISHER));
        }
    }

    #[test]
    fn the_template_is_a_manifest() {
        let template: Table = TEMPLATE.parse().unwrap();
        assert_eq!(template["version"].as_str(), Some(env!("CARGO_PKG_VERSION")));
        let features = template["ADBC"]["features"].as_table().unwrap();
        assert!(features["supported"].is_array() && features["unsupported"].is_array());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, says) in [
            ("a = 1\nb = = 2\n", "line 2"),
            ("manifest_version = 2\n", "manifest_version"),
            ("[Driver]\nentrypoint = 'x'\n", "Driver.shared"),
            ("[Driver.shared]\nplan9_mips = '/x'\n", "no library for this platform"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
