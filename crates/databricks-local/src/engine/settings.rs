//! What a session has set: its place among the names, and its confs.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use arrow::array::timezone::Tz;

use super::catalog::Catalogs;
use super::error::{Class, SqlError};

/// The zone of a session that set none. A workspace says `Etc/UTC` where others say `UTC`.
const UTC: &str = "Etc/UTC";

/// The settings of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) catalog: String,
    pub(crate) schema: String,
    pub(crate) time_zone: Arc<str>,
    /// Whether arithmetic that has no result is an error (ANSI) or NULL.
    pub(crate) ansi: bool,
    /// All confs as they were given, by upper-case name.
    confs: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            catalog: "main".to_owned(),
            schema: "default".to_owned(),
            time_zone: UTC.into(),
            ansi: true,
            confs: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// # Errors
    /// `INVALID_TIMEZONE`, or `INVALID_PARAMETER_VALUE` for a value that its conf does not take.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), SqlError> {
        let name = canonical(name);
        match name.as_str() {
            "TIMEZONE" => self.time_zone = time_zone(value)?,
            "ANSI_MODE" => self.ansi = boolean(&name, value)?,
            _ => {}
        }
        self.confs.insert(name, value.to_owned());
        Ok(())
    }

    /// Undoes `set`, for one conf or all.
    pub(crate) fn reset(&mut self, name: Option<&str>) {
        let default = Self::default();
        match name.map(canonical) {
            Some(name) => {
                match name.as_str() {
                    "TIMEZONE" => self.time_zone = default.time_zone,
                    "ANSI_MODE" => self.ansi = default.ansi,
                    _ => {}
                }
                self.confs.remove(&name);
            }
            None => {
                self.time_zone = default.time_zone;
                self.ansi = default.ansi;
                self.confs.clear();
            }
        }
    }

    /// The value of a conf, the defaults of the known ones included.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let name = canonical(name);
        match name.as_str() {
            "TIMEZONE" => Some(self.time_zone.to_string()),
            "ANSI_MODE" => Some(self.ansi.to_string()),
            _ => self.confs.get(&name).cloned(),
        }
    }

    /// Names and values of all confs, in the order of their names.
    pub(crate) fn all(&self) -> BTreeMap<String, String> {
        let mut all = self.confs.clone();
        for name in ["ANSI_MODE", "TIMEZONE"] {
            all.extend(self.get(name).map(|value| (name.to_owned(), value)));
        }
        all
    }

    /// # Errors
    /// `NO_SUCH_CATALOG_EXCEPTION`.
    pub(crate) fn use_catalog(&mut self, catalogs: &Catalogs, catalog: &str) -> Result<(), SqlError> {
        self.catalog.clone_from(&catalogs.named(catalog)?.name);
        self.schema = "default".to_owned();
        Ok(())
    }

    /// # Errors
    /// `NO_SUCH_CATALOG_EXCEPTION` or `SCHEMA_NOT_FOUND`.
    pub(crate) fn use_schema(
        &mut self,
        catalogs: &Catalogs,
        catalog: Option<&str>,
        schema: &str,
    ) -> Result<(), SqlError> {
        let catalog = catalogs.named(catalog.unwrap_or(&self.catalog))?;
        self.schema.clone_from(&catalog.named(schema)?.name);
        self.catalog.clone_from(&catalog.name);
        Ok(())
    }
}

/// Confs are found in any case; Spark's name of a conf is the conf.
fn canonical(name: &str) -> String {
    let name = name.to_ascii_uppercase();
    match name.as_str() {
        "SPARK.SQL.SESSION.TIMEZONE" => "TIMEZONE".to_owned(),
        "SPARK.SQL.ANSI.ENABLED" => "ANSI_MODE".to_owned(),
        _ => name,
    }
}

fn time_zone(value: &str) -> Result<Arc<str>, SqlError> {
    let value = value.trim();
    if value.eq_ignore_ascii_case("UTC") || value.eq_ignore_ascii_case("Z") {
        return Ok(UTC.into());
    }
    match Tz::from_str(value) {
        Ok(_) => Ok(value.into()),
        Err(_) => Err(SqlError::new(
            Class::INVALID_TIMEZONE,
            format!(
                "The timezone: {value} is invalid. The timezone must be either a region-based zone ID or a zone offset."
            ),
        )),
    }
}

fn boolean(name: &str, value: &str) -> Result<bool, SqlError> {
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(SqlError::new(
            Class::INVALID_PARAMETER_VALUE,
            format!("The value {value:?} of {name} is invalid: expected true or false."),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confs_are_found_in_any_case_and_by_their_spark_names() {
        let mut settings = Settings::default();
        settings.set("timezone", "Europe/Berlin").unwrap();
        assert_eq!(
            settings.get("spark.sql.session.timeZone").as_deref(),
            Some("Europe/Berlin")
        );
        settings.reset(Some("TimeZone"));
        assert_eq!(settings.get("TIMEZONE").as_deref(), Some("Etc/UTC"));
        assert!(settings.set("TIMEZONE", "Moon/Tranquility").is_err());
        assert!(settings.set("ansi_mode", "perhaps").is_err());
    }
}
