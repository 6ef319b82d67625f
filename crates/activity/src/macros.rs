//! The two macros with which a program declares what it knows: tables of tags, and closed enums.

/// Declares a table of tags and a typed handle for each.
///
/// Every tag has a doc comment (its description in catalogues), a handle, a type, a name on the wire, a scope
/// ([`Scope`](crate::Scope)) and a merge rule ([`Merge`](crate::Merge)). A tag with a remote scope lists the kinds of
/// event with which it is exported, and optionally those that are incomplete without it.
///
/// ```
/// use std::time::Duration;
/// use activity::{ByteCount, EventKind, LocalText};
///
/// const STATEMENT: EventKind = EventKind::new(1);
///
/// activity::tags! {
///     /// Everything we know about a statement.
///     pub static TAGS;
///
///     /// How often the status was asked for.
///     pub const POLL_COUNT: u64 = "poll.count", scope: All, merge: Sum, kinds: [STATEMENT], required: [STATEMENT];
///     /// The slowest download of a chunk.
///     pub const SLOWEST_CHUNK: Duration = "chunk.slowest", scope: Databricks, merge: Max, kinds: [STATEMENT];
///     /// The statement's text.
///     pub const SQL: LocalText = "db.query.text", scope: Local, merge: Keep;
/// }
///
/// assert_eq!(POLL_COUNT.name(), "poll.count");
/// assert!(TAGS.is_exported(STATEMENT, "poll.count"));
/// assert!(!TAGS.is_exported(STATEMENT, "db.query.text"));
/// ```
///
/// # Free text does not leave the machine
///
/// This is the table above with one word changed: `Local` became `Databricks`. It does not compile.
///
/// ```compile_fail,E0277
/// use activity::{EventKind, LocalText};
///
/// const STATEMENT: EventKind = EventKind::new(1);
///
/// activity::tags! {
///     /// Everything we know about a statement.
///     pub static TAGS;
///
///     /// The statement's text.
///     pub const SQL: LocalText = "db.query.text", scope: Databricks, merge: Keep, kinds: [STATEMENT];
/// }
/// ```
///
/// Nor does `scope: All`:
///
/// ```compile_fail,E0277
/// use activity::{EventKind, LocalText};
///
/// const STATEMENT: EventKind = EventKind::new(1);
///
/// activity::tags! {
///     /// Everything we know about a statement.
///     pub static TAGS;
///
///     /// The statement's text.
///     pub const SQL: LocalText = "db.query.text", scope: All, merge: Keep, kinds: [STATEMENT];
/// }
/// ```
///
/// The same table with a bounded type compiles:
///
/// ```
/// use activity::{EventKind, Id};
///
/// const STATEMENT: EventKind = EventKind::new(1);
///
/// activity::tags! {
///     /// Everything we know about a statement.
///     pub static TAGS;
///
///     /// The id that the server gave the statement.
///     pub const STATEMENT_ID: Id = "statement.id", scope: Databricks, merge: Keep, kinds: [STATEMENT];
/// }
/// # assert_eq!(STATEMENT_ID.slot(), 0);
/// ```
///
/// # Compile errors
/// Also when a table has more than 64 tags, two tags have one name, a name has other characters than `a-z 0-9 . _`, a
/// local tag lists kinds, a required kind is not listed, or the merge rule does not fit the type.
#[macro_export]
macro_rules! tags {
    (
        $(#[doc = $table_doc:literal])+
        $table_vis:vis static $table:ident;
        $(
            $(#[doc = $doc:literal])+
            $vis:vis const $tag:ident: $type:ty = $name:literal,
            scope: $scope:ident, merge: $merge:ident
            $(, kinds: [$($kind:expr),* $(,)?])?
            $(, required: [$($required:expr),* $(,)?])?
            $(,)?;
        )*
    ) => {
        $(#[doc = $table_doc])+
        $table_vis static $table: $crate::TagTable = $crate::TagTable::new(&[$(
            $crate::tags!(@merge $merge $crate::tags!(@scope $scope
                $crate::TagSpec::<$type>::new($name, concat!($($doc),+))
                $(.kinds(&[$($kind),*]))?
                $(.required(&[$($required),*]))?
            )).define(),
        )*]);
        $(
            $(#[doc = $doc])+
            #[doc = concat!("\n\nOn the wire: `", $name, "`.")]
            $vis const $tag: $crate::Tag<$type> = $crate::Tag::in_table(&$table, $name);
        )*
    };

    (@scope None $spec:expr) => { $spec.scope_none() };
    (@scope Local $spec:expr) => { $spec.scope_local() };
    (@scope Databricks $spec:expr) => { $spec.scope_databricks() };
    (@scope All $spec:expr) => { $spec.scope_all() };

    (@merge Keep $spec:expr) => { $spec.merge_keep() };
    (@merge Sum $spec:expr) => { $spec.merge_sum() };
    (@merge Max $spec:expr) => { $spec.merge_max() };
    (@merge Min $spec:expr) => { $spec.merge_min() };
    (@merge First $spec:expr) => { $spec.merge_first() };
    (@merge Last $spec:expr) => { $spec.merge_last() };
}

/// Declares an enum whose values have fixed names, so that it may leave the machine.
///
/// ```
/// activity::closed_enum! {
///     /// How a result travels.
///     pub enum ResultFormat {
///         /// In the answer itself.
///         InlineArrow = "INLINE_ARROW",
///         /// Behind links.
///         ExternalLinks = "EXTERNAL_LINKS",
///     }
/// }
///
/// assert_eq!(ResultFormat::InlineArrow.as_str(), "INLINE_ARROW");
/// assert_eq!(ResultFormat::parse("EXTERNAL_LINKS"), Some(ResultFormat::ExternalLinks));
/// assert_eq!(ResultFormat::ALL.len(), 2);
/// ```
#[macro_export]
macro_rules! closed_enum {
    (
        $(#[$meta:meta])*
        $vis:vis enum $type:ident {
            $( $(#[$variant_meta:meta])* $variant:ident = $name:literal ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        $vis enum $type {
            $( $(#[$variant_meta])* $variant ),+
        }

        impl $type {
            /// All values, in the order of their codes.
            pub const ALL: &'static [$type] = &[$($type::$variant),+];

            /// The fixed name of the value.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( $type::$variant => $name ),+
                }
            }

            /// The position in `ALL`.
            pub const fn code(self) -> u8 {
                self as u8
            }

            /// The value with a name.
            pub fn parse(name: &str) -> ::core::option::Option<$type> {
                match name {
                    $( $name => ::core::option::Option::Some($type::$variant), )+
                    _ => ::core::option::Option::None,
                }
            }
        }

        impl $crate::ClosedEnum for $type {
            const TYPE_NAME: &'static str = stringify!($type);
            const NAMES: &'static [&'static str] = &[$($name),+];

            fn code(self) -> u8 {
                self as u8
            }

            fn from_code(code: u8) -> ::core::option::Option<$type> {
                $type::ALL.get(usize::from(code)).copied()
            }
        }

        impl ::core::fmt::Display for $type {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
