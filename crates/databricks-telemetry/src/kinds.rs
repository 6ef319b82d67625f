//! The kinds of event that leave the machine. Each has an allow-list of its own in [`tags`](crate::tags).

use activity::EventKind;

/// A session was opened.
pub const CONNECTION_OPEN: EventKind = EventKind::new(1);
/// A session was closed.
pub const CONNECTION_CLOSE: EventKind = EventKind::new(2);
/// A statement was executed.
pub const STATEMENT: EventKind = EventKind::new(3);
/// Catalogs, schemas, tables, … were listed.
pub const METADATA: EventKind = EventKind::new(4);
/// A statement was cancelled or closed.
pub const STATEMENT_CALL: EventKind = EventKind::new(5);
/// A connection failed. Nobody is authenticated then, so the event carries no id and nothing about the connection.
pub const ERROR: EventKind = EventKind::new(6);

/// Every kind with its name and what it is, for catalogues.
pub const ALL: [(EventKind, &str, &str); 6] = [
    (CONNECTION_OPEN, "connection open", "a session was opened"),
    (CONNECTION_CLOSE, "connection close", "a session was closed"),
    (
        STATEMENT,
        "statement",
        "a statement was executed, up to the end of its result",
    ),
    (METADATA, "metadata", "catalogs, schemas, tables, … were listed"),
    (STATEMENT_CALL, "statement call", "a statement was cancelled or closed"),
    (
        ERROR,
        "error",
        "a connection could not be opened; nobody is authenticated, so nothing identifies anybody",
    ),
];
