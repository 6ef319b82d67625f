//! The source of all activities of the driver. Diagnostics that stay on the machine register at it too.

use activity::Source;

use crate::tags::TABLE;

/// Where the driver's activities come from.
pub static SOURCE: Source = Source::new("databricks.adbc", &TABLE);
