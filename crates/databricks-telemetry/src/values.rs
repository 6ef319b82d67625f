//! The closed sets of values that tags can hold. Their names are those of the wire, where one exists.

use databricks_wire::telemetry as wire;

/// A closed enum with the names of an enum of the wire, and the way there.
macro_rules! mirrored {
    ($(#[$meta:meta])* $name:ident = $wire:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        activity::closed_enum! {
            $(#[$meta])*
            pub enum $name { $($(#[$vmeta])* $variant = $text),+ }
        }

        impl From<$name> for wire::$wire {
            fn from(value: $name) -> Self {
                match value { $($name::$variant => Self::$variant),+ }
            }
        }

        #[cfg(test)]
        impl Mirrored for $name {
            fn pairs() -> Vec<(&'static str, &'static str)> {
                $name::ALL.iter().map(|value| (value.as_str(), wire::$wire::from(*value).as_str())).collect()
            }
            fn wire_len() -> usize {
                wire::$wire::ALL.len()
            }
        }
    };
}

mirrored! {
    /// What kind of call a statement is.
    StatementKind = StatementType {
        /// A statement that returns rows.
        Query = "QUERY",
        /// Any other SQL.
        Sql = "SQL",
        /// A statement that changes rows.
        Update = "UPDATE",
        /// A metadata request.
        Metadata = "METADATA",
        /// A volume operation.
        Volume = "VOLUME",
    }
}
mirrored! {
    /// The form in which a result came.
    ResultFormat = ExecutionResult {
        /// Arrow inside the response.
        InlineArrow = "INLINE_ARROW",
        /// JSON inside the response.
        InlineJson = "INLINE_JSON",
        /// Links to cloud storage.
        ExternalLinks = "EXTERNAL_LINKS",
        /// Thrift's columnar rows.
        ColumnarInline = "COLUMNAR_INLINE",
    }
}
mirrored! {
    /// What an operation is.
    OperationType = OperationType {
        /// A session was opened.
        CreateSession = "CREATE_SESSION",
        /// A session was closed.
        DeleteSession = "DELETE_SESSION",
        /// A statement was executed, and the call waited for it.
        ExecuteStatement = "EXECUTE_STATEMENT",
        /// A statement was submitted and polled.
        ExecuteStatementAsync = "EXECUTE_STATEMENT_ASYNC",
        /// A statement was closed.
        CloseStatement = "CLOSE_STATEMENT",
        /// A statement was cancelled.
        CancelStatement = "CANCEL_STATEMENT",
        /// The server's types were listed.
        ListTypeInfo = "LIST_TYPE_INFO",
        /// Catalogs were listed.
        ListCatalogs = "LIST_CATALOGS",
        /// Schemas were listed.
        ListSchemas = "LIST_SCHEMAS",
        /// Tables were listed.
        ListTables = "LIST_TABLES",
        /// Table types were listed.
        ListTableTypes = "LIST_TABLE_TYPES",
        /// Columns were listed.
        ListColumns = "LIST_COLUMNS",
        /// Functions were listed.
        ListFunctions = "LIST_FUNCTIONS",
        /// Primary keys were listed.
        ListPrimaryKeys = "LIST_PRIMARY_KEYS",
        /// Imported keys were listed.
        ListImportedKeys = "LIST_IMPORTED_KEYS",
        /// Exported keys were listed.
        ListExportedKeys = "LIST_EXPORTED_KEYS",
        /// Cross references were listed.
        ListCrossReferences = "LIST_CROSS_REFERENCES",
    }
}
mirrored! {
    /// What was done with a volume.
    VolumeOperation = VolumeOperationType {
        /// A file was written.
        Put = "PUT",
        /// A file was read.
        Get = "GET",
        /// A file was removed.
        Delete = "DELETE",
        /// A directory was listed.
        List = "LIST",
        /// A path was asked about.
        Query = "QUERY",
    }
}

activity::closed_enum! {
    /// How a connection authenticates. From this one value come the wire's mechanism, flow and type, so that the three
    /// cannot contradict one another.
    pub enum Auth {
        /// A personal access token.
        PersonalAccessToken = "pat",
        /// OAuth client credentials (machine to machine).
        ClientCredentials = "oauth-client_credentials",
        /// OAuth in a browser (user to machine).
        Browser = "oauth-browser",
        /// An OAuth token that the caller supplied.
        SuppliedToken = "oauth-access_token",
        /// Anything else, or nothing.
        Other = "other",
    }
}

impl Auth {
    /// The kind of credential.
    pub const fn mech(self) -> wire::AuthMech {
        match self {
            Self::PersonalAccessToken => wire::AuthMech::Pat,
            Self::ClientCredentials | Self::Browser | Self::SuppliedToken => wire::AuthMech::OAuth,
            Self::Other => wire::AuthMech::Other,
        }
    }

    /// How the credential was obtained, if there is one.
    pub const fn flow(self) -> Option<wire::AuthFlow> {
        match self {
            Self::PersonalAccessToken | Self::SuppliedToken => Some(wire::AuthFlow::TokenPassthrough),
            Self::ClientCredentials => Some(wire::AuthFlow::ClientCredentials),
            Self::Browser => Some(wire::AuthFlow::BrowserBasedAuthentication),
            Self::Other => None,
        }
    }
}

activity::closed_enum! {
    /// What went wrong, as a category that is attached where the error is made. No message is ever looked at.
    pub enum ErrorCategory {
        /// A connection, or an answer, took too long.
        Timeout = "timeout",
        /// The caller cancelled.
        Cancelled = "cancelled",
        /// The server could not be reached, or failed (5xx).
        ConnectionError = "connection_error",
        /// The server did not accept the credential (401), or none could be obtained.
        AuthError = "auth_error",
        /// The server does not allow it (403).
        PermissionError = "permission_error",
        /// There is no such thing (404).
        NotFound = "not_found",
        /// The server does not understand the SQL (SQLSTATE class 42).
        SyntaxError = "syntax_error",
        /// The request makes no sense (400), or an option does not.
        InvalidRequest = "invalid_request",
        /// A chunk could not be downloaded.
        ChunkDownloadError = "chunk_download_error",
        /// A chunk could not be decompressed.
        DecompressionError = "decompression_error",
        /// A schema could not be read.
        ArrowSchemaParsingError = "arrow_schema_parsing_error",
        /// A batch of rows could not be read, or rows are missing.
        ResultSetError = "result_set_error",
        /// The driver does not do this.
        UnsupportedOperation = "unsupported_operation",
        /// The server asks for fewer requests (429).
        RateLimitExceeded = "rate_limit_exceeded",
        /// TLS could not be established.
        SslHandshakeError = "ssl_handshake_error",
        /// The statement took longer than it may.
        StatementExecutionTimeout = "statement_execution_timeout",
        /// The server could not execute the statement, for any other reason.
        ExecuteStatementFailed = "execute_statement_failed",
        /// The statement was cancelled on the server.
        ExecuteStatementCancelled = "execute_statement_cancelled",
        /// The session does not exist any more.
        SessionClosed = "session_closed",
        /// The statement does not exist any more.
        StatementClosed = "statement_closed",
        /// Anything else.
        Error = "error",
    }
}

#[cfg(test)]
trait Mirrored {
    fn pairs() -> Vec<(&'static str, &'static str)>;
    fn wire_len() -> usize;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_are_those_of_the_wire<T: Mirrored>() {
        let pairs = T::pairs();
        assert_eq!(pairs.len(), T::wire_len());
        for (here, wire) in pairs {
            assert_eq!(here, wire);
        }
    }

    #[test]
    fn mirrored_names_are_those_of_the_wire() {
        names_are_those_of_the_wire::<StatementKind>();
        names_are_those_of_the_wire::<ResultFormat>();
        names_are_those_of_the_wire::<OperationType>();
        names_are_those_of_the_wire::<VolumeOperation>();
    }

    #[test]
    fn an_oauth_type_has_the_oauth_mechanism_and_only_none_has_no_flow() {
        for auth in Auth::ALL {
            assert_eq!(
                auth.as_str().starts_with("oauth"),
                auth.mech() == wire::AuthMech::OAuth,
                "{auth}"
            );
            assert_eq!(auth.flow().is_none(), *auth == Auth::Other, "{auth}");
        }
    }
}
