//! The SQL Statement Execution API: sessions and statements.

pub(crate) mod background;
pub(crate) mod execute;
pub(crate) mod run;
pub(crate) mod session;
pub(crate) mod statement;
