use adbc_core::error::Result;
use adbc_core::options::{OptionDatabase, OptionValue};

use crate::database::Database;

/// The driver: where databases come from. Has no state of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Driver;

impl adbc_core::sync::Driver for Driver {
    type DatabaseType = Database;

    fn new_database(&mut self) -> Result<Database> {
        Ok(Database::new())
    }

    fn new_database_with_opts(
        &mut self,
        opts: impl IntoIterator<Item = (OptionDatabase, OptionValue)>,
    ) -> Result<Database> {
        let mut database = Database::new();
        for (key, value) in opts {
            database.set(key.as_ref(), &value)?;
        }
        Ok(database)
    }
}
