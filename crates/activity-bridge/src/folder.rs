//! Where do traces go? The folder that ADBC drivers share by convention.

use std::env::{self, consts};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The folder into which ADBC drivers write traces unless told otherwise; `None` without a home folder.
///
/// | system | folder |
/// |---|---|
/// | macOS | `~/Library/Application Support/ADBC/Traces` |
/// | Windows | `%LOCALAPPDATA%\ADBC\Traces` |
/// | others | `$XDG_STATE_HOME/adbc/traces`, else `~/.local/state/adbc/traces` |
pub fn default_folder() -> Option<PathBuf> {
    folder_on(consts::OS, |name| env::var_os(name).map(PathBuf::from), env::home_dir())
}

fn folder_on(system: &str, variable: impl Fn(&str) -> Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    // The XDG specification wants relative paths ignored; so do we everywhere, since a driver lives in foreign programs
    // whose working directory means nothing.
    let absolute = |path: &PathBuf| system == "windows" || path.is_absolute();
    let home = home.filter(absolute);
    match system {
        "macos" => Some(home?.join("Library/Application Support/ADBC/Traces")),
        "windows" => {
            let data = variable("LOCALAPPDATA").filter(|path| !path.as_os_str().is_empty())?;
            Some(data.join("ADBC").join("Traces"))
        }
        _ => {
            let state = variable("XDG_STATE_HOME").filter(absolute);
            Some(state.or_else(|| Some(home?.join(".local/state")))?.join("adbc/traces"))
        }
    }
}

/// Makes a folder and what is missing above it, for its owner alone. One that is there already stays as it is.
pub(crate) fn create(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(system: &str, variables: &[(&str, &str)], home: Option<&str>) -> Option<String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(candidate, _)| *candidate == name);
            found.map(|(_, value)| PathBuf::from(value))
        };
        let folder = folder_on(system, variable, home.map(PathBuf::from));
        folder.map(|path| path.display().to_string().replace('\\', "/"))
    }

    #[test]
    #[cfg(unix)]
    fn each_system_has_its_folder() {
        let home = Some("/home/me");
        let expect = |path: &str| Some(path.to_owned());
        assert_eq!(folder("linux", &[], home), expect("/home/me/.local/state/adbc/traces"));
        let state = [("XDG_STATE_HOME", "/state")];
        assert_eq!(folder("linux", &state, home), expect("/state/adbc/traces"));
        assert_eq!(folder("linux", &state, None), expect("/state/adbc/traces"));
        let relative = [("XDG_STATE_HOME", "state")];
        assert_eq!(
            folder("linux", &relative, home),
            expect("/home/me/.local/state/adbc/traces")
        );
        assert_eq!(
            folder("macos", &state, home),
            expect("/home/me/Library/Application Support/ADBC/Traces")
        );
        assert_eq!(
            folder("windows", &[("LOCALAPPDATA", "/local")], home),
            expect("/local/ADBC/Traces")
        );
    }

    #[test]
    fn without_a_home_there_is_no_folder() {
        assert_eq!(folder("linux", &[], None), None);
        assert_eq!(folder("macos", &[], None), None);
        assert_eq!(folder("windows", &[("LOCALAPPDATA", "")], None), None);
    }
}
