//! The machine and the driver, as far as usage telemetry says: nothing that names a person, a process or a machine.

use std::borrow::Cow;
use std::sync::OnceLock;

use activity::Version;
use databricks_wire::telemetry::SystemConfiguration;

/// The driver's name in every record. Dashboards are keyed by it: it never changes.
pub const DRIVER_NAME: &str = "adbc-databricks-rust";
/// The driver's version.
pub const DRIVER_VERSION: &str = env!("CARGO_PKG_VERSION");
/// The product's user agent, without the user's own entry.
pub const USER_AGENT: &str = concat!("adbc-databricks-rust/", env!("CARGO_PKG_VERSION"));

/// The version of the compiler that built it, and with it of the runtime; from the build script.
const RUNTIME_VERSION: &str = env!("RUSTC_VERSION");

/// The facts, read once per process. `client_app_name` is left to the connection.
pub(crate) fn configuration() -> &'static SystemConfiguration<'static> {
    static CONFIGURATION: OnceLock<SystemConfiguration<'static>> = OnceLock::new();
    CONFIGURATION.get_or_init(|| {
        let os_release = ["/etc/os-release", "/usr/lib/os-release"]
            .iter()
            .find_map(|path| std::fs::read_to_string(path).ok());
        describe(os_release.as_deref(), |name| std::env::var(name).ok())
    })
}

fn describe(os_release: Option<&str>, environment: impl Fn(&str) -> Option<String>) -> SystemConfiguration<'static> {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| environment(name).filter(|value| !value.is_empty()));
    SystemConfiguration {
        driver_version: Some(DRIVER_VERSION.into()),
        runtime_name: Some("Rust".into()),
        runtime_version: Version::new(RUNTIME_VERSION)
            .ok()
            .map(|version| version.as_str().to_owned().into()),
        runtime_vendor: Some("rust-lang".into()),
        os_name: Some(os_name(std::env::consts::OS).into()),
        os_version: os_release.and_then(pretty_name).map(Cow::Owned),
        os_arch: Some(std::env::consts::ARCH.into()),
        driver_name: Some(DRIVER_NAME.into()),
        client_app_name: None,
        locale_name: locale.as_deref().and_then(language_and_country).map(Cow::Owned),
        // Text is UTF-8 in Rust and in Arrow, whatever the locale says.
        char_set_encoding: Some("UTF-8".into()),
    }
}

fn os_name(os: &'static str) -> &'static str {
    match os {
        "linux" => "Linux",
        "macos" => "macOS",
        "windows" => "Windows",
        "freebsd" => "FreeBSD",
        other => other,
    }
}

/// `PRETTY_NAME` of an os-release file, if it looks like the name of a release: short, and made of plain characters.
fn pretty_name(os_release: &str) -> Option<String> {
    let value = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    let name = value.trim().trim_matches(['"', '\'']);
    let plain = |c: char| c.is_ascii_alphanumeric() || " ._:/()+-".contains(c);
    (!name.is_empty() && name.len() <= 64 && name.chars().all(plain)).then(|| name.to_owned())
}

/// The `xx_YY` in front of a locale such as `en_US.UTF-8@euro`.
fn language_and_country(locale: &str) -> Option<String> {
    let name = locale.split(['.', '@']).next()?;
    let (language, country) = name.split_once('_')?;
    let lower = |text: &str| (2..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase());
    let upper = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    (lower(language) && upper(country)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_named_by_its_pretty_name() {
        let file = "NAME=\"Ubuntu\"\nPRETTY_NAME=\"Ubuntu 24.04.1 LTS\"\nID=ubuntu\n";
        let facts = describe(Some(file), |name| (name == "LANG").then(|| "de_AT.UTF-8".to_owned()));
        assert_eq!(facts.os_version.as_deref(), Some("Ubuntu 24.04.1 LTS"));
        assert_eq!(facts.locale_name.as_deref(), Some("de_AT"));
        assert_eq!(facts.driver_name.as_deref(), Some("adbc-databricks-rust"));
        assert_eq!(facts.client_app_name, None);
    }

    #[test]
    fn the_runtime_is_the_compilers() {
        let version = describe(None, |_| None).runtime_version.unwrap();
        assert!(version.starts_with("1."), "{version}");
    }

    #[test]
    fn what_is_not_the_name_of_a_release_or_locale_is_left_out() {
        for line in [
            "PRETTY_NAME=\"<script>\"",
            "PRETTY_NAME=\"\"",
            "NAME=x",
            &format!("PRETTY_NAME={}", "x".repeat(65)),
        ] {
            assert_eq!(describe(Some(line), |_| None).os_version, None, "{line}");
        }
        for locale in ["C", "POSIX", "C.UTF-8", "en", "/home/jane/locale_XX", "en_US/../x"] {
            assert_eq!(
                describe(None, |_| Some(locale.to_owned())).locale_name,
                None,
                "{locale}"
            );
        }
    }

    #[test]
    fn the_user_agent_is_name_and_version() {
        assert_eq!(USER_AGENT, format!("{DRIVER_NAME}/{DRIVER_VERSION}"));
    }
}
