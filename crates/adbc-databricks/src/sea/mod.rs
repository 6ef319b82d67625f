//! The SQL Statement Execution API: sessions and statements.

pub(crate) mod background;
mod effect;
pub(crate) mod execute;
pub(crate) mod partition;
pub(crate) mod run;
pub(crate) mod session;
pub(crate) mod statement;
pub(crate) mod tags;
