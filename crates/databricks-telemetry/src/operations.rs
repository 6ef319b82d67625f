//! The list of operations: everything the driver does that anybody may look at.
//!
//! Those with a kind are roots and become one record each when they complete. Those without are children, and their
//! tags roll up into their root.

use std::ptr;

use activity::{EventKind, Operation};

use crate::kinds;
use crate::values::OperationType;

/// Opening a connection: a session is created, or the attempt fails.
pub static CONNECTION_OPEN: Operation = Operation::new("Connection.Open", kinds::CONNECTION_OPEN);
/// Closing a connection: its session is deleted.
pub static CONNECTION_CLOSE: Operation = Operation::new("Connection.Close", kinds::CONNECTION_CLOSE);
/// Executing a statement that returns rows, up to the end of the rows.
pub static STATEMENT_EXECUTE: Operation = Operation::new("Statement.Execute", kinds::STATEMENT);
/// Executing a statement for its effect.
pub static STATEMENT_UPDATE: Operation = Operation::new("Statement.Update", kinds::STATEMENT);
/// Listing catalogs, schemas, tables, …; which of them says [`tags::OPERATION_TYPE`](crate::tags::OPERATION_TYPE).
pub static STATEMENT_METADATA: Operation = Operation::new("Statement.Metadata", kinds::METADATA);
/// Reading a partition of a result, which some statement was executed for, here or elsewhere. The wire has no name for it.
pub static PARTITION_READ: Operation = Operation::new("Partition.Read", kinds::STATEMENT);
/// Cancelling a statement.
pub static STATEMENT_CANCEL: Operation = Operation::new("Statement.Cancel", kinds::STATEMENT_CALL);
/// Closing a statement on the server.
pub static STATEMENT_CLOSE: Operation = Operation::new("Statement.Close", kinds::STATEMENT_CALL);

/// Part of a statement: handing it to the server.
pub static STATEMENT_SUBMIT: Operation = Operation::new("Statement.Submit", EventKind::NONE);
/// Part of a statement: one status request.
pub static STATEMENT_POLL: Operation = Operation::new("Statement.Poll", EventKind::NONE);
/// Part of a statement: one request for links to chunks.
pub static CLOUDFETCH_LINKS: Operation = Operation::new("CloudFetch.Links", EventKind::NONE);
/// Part of a statement: the download of one chunk.
pub static CLOUDFETCH_DOWNLOAD: Operation = Operation::new("CloudFetch.Download", EventKind::NONE);
/// Part of a statement: the request for one further chunk of an inline result.
pub static RESULTS_FETCH: Operation = Operation::new("Results.Fetch", EventKind::NONE);
/// Part of a statement: decompressing and decoding one chunk.
pub static RESULTS_DECODE: Operation = Operation::new("Results.Decode", EventKind::NONE);
/// Part of a statement: writing one file to a volume.
pub static VOLUME_PUT: Operation = Operation::new("Volume.Put", EventKind::NONE);
/// Part of a statement: reading one file from a volume.
pub static VOLUME_GET: Operation = Operation::new("Volume.Get", EventKind::NONE);
/// Part of a statement: removing one file from a volume.
pub static VOLUME_REMOVE: Operation = Operation::new("Volume.Remove", EventKind::NONE);
/// Part of a connection or a statement: obtaining or renewing a credential.
pub static AUTH_TOKEN: Operation = Operation::new("Auth.Token", EventKind::NONE);

/// Every operation.
pub static OPERATIONS: [&Operation; 18] = [
    &CONNECTION_OPEN,
    &CONNECTION_CLOSE,
    &STATEMENT_EXECUTE,
    &STATEMENT_UPDATE,
    &STATEMENT_METADATA,
    &PARTITION_READ,
    &STATEMENT_CANCEL,
    &STATEMENT_CLOSE,
    &STATEMENT_SUBMIT,
    &STATEMENT_POLL,
    &CLOUDFETCH_LINKS,
    &CLOUDFETCH_DOWNLOAD,
    &RESULTS_FETCH,
    &RESULTS_DECODE,
    &VOLUME_PUT,
    &VOLUME_GET,
    &VOLUME_REMOVE,
    &AUTH_TOKEN,
];

/// What an operation is on the wire if its record does not say; `None` for children, for metadata, and for statements,
/// where it depends on whether the statement was polled.
/// Reading a partition executes nothing, and has no type.
pub(crate) fn operation_type(operation: &Operation) -> Option<OperationType> {
    let is = |other: &'static Operation| ptr::eq(operation, other);
    if is(&CONNECTION_OPEN) {
        Some(OperationType::CreateSession)
    } else if is(&CONNECTION_CLOSE) {
        Some(OperationType::DeleteSession)
    } else if is(&STATEMENT_CANCEL) {
        Some(OperationType::CancelStatement)
    } else if is(&STATEMENT_CLOSE) {
        Some(OperationType::CloseStatement)
    } else {
        None
    }
}
