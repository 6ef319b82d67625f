//! What is known about an activity: typed tags out of one table.
//!
//! [`tags!`](crate::tags) makes a table and a handle for each tag. The table says of every tag who may see it
//! ([`Scope`]), how it rolls up ([`Merge`]), and with which kinds of event it is exported. It is the allow-list: a mask
//! per kind, computed at compile time, through which every exported record is read.

use std::fmt;
use std::marker::PhantomData;

use crate::operation::EventKind;
use crate::slots::{Slots, bit, ones};
use crate::value::{Exportable, Id, LocalText, Ordered, RemoteValue, Storage, Summable, TagValue, Value, Version};

/// A handle to one tag of a table: what [`Activity::set`](crate::Activity::set) and
/// [`Record::get`](crate::Record::get) take. Made by [`tags!`](crate::tags).
pub struct Tag<T> {
    table: &'static TagTable,
    slot: u8,
    holds: PhantomData<fn(T) -> T>,
}

impl<T: TagValue> Tag<T> {
    /// Finds a tag by name, at compile time.
    #[doc(hidden)]
    pub const fn in_table(table: &'static TagTable, name: &str) -> Tag<T> {
        let mut slot = 0;
        while slot < table.tags.len() {
            let tag = &table.tags[slot];
            if same(tag.name, name) {
                assert!(
                    tag.storage.code() == T::STORAGE.code() && same(tag.type_name, T::NAME),
                    "type of the tag differs"
                );
                return Tag {
                    table,
                    slot: slot as u8,
                    holds: PhantomData,
                };
            }
            slot += 1;
        }
        panic!("no such tag in the table")
    }
}

impl<T> Tag<T> {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        self.definition().name
    }

    /// Who may see the values.
    pub const fn scope(self) -> Scope {
        self.definition().scope
    }

    /// How the values roll up from a child into its parent.
    pub const fn merge(self) -> Merge {
        self.definition().merge
    }

    /// The position in the table, from 0 to 63.
    pub const fn slot(self) -> u8 {
        self.slot
    }

    /// The table.
    pub const fn table(self) -> &'static TagTable {
        self.table
    }

    /// Everything the table says about the tag.
    pub const fn definition(self) -> &'static TagDef {
        &self.table.tags[self.slot as usize]
    }
}

impl<T> Clone for Tag<T> {
    fn clone(&self) -> Tag<T> {
        *self
    }
}

impl<T> Copy for Tag<T> {}

impl<T> fmt::Debug for Tag<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({})", self.name())
    }
}

/// Who may see the values of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Code that names the tag; no listener that goes over all tags.
    None,
    /// Listeners on this machine.
    Local,
    /// Databricks usage telemetry only.
    Databricks,
    /// Listeners on this machine, and Databricks usage telemetry.
    All,
}

impl Scope {
    /// Whether values may be exported.
    pub const fn is_remote(self) -> bool {
        matches!(self, Scope::Databricks | Scope::All)
    }

    /// Whether values are shown to listeners on this machine that go over all tags.
    pub const fn is_local(self) -> bool {
        matches!(self, Scope::Local | Scope::All)
    }
}

/// How the value of a child rolls up into its parent when the child completes.
///
/// `Sum`, `Max` and `Min` do not depend on the order in which children complete. A parent's own value takes part by
/// the same rule, as the value of somebody who completed after all of its children.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Merge {
    /// Does not roll up.
    Keep,
    /// The saturating sum.
    Sum,
    /// The largest value.
    Max,
    /// The smallest value.
    Min,
    /// The value of the child that completed first.
    First,
    /// The value of the child that completed last.
    Last,
}

/// A table of at most 64 tags. Made by [`tags!`](crate::tags), always a `static`.
#[derive(Debug)]
pub struct TagTable {
    tags: &'static [TagDef],
    /// For each kind of event, the tags that may be exported with it.
    allow: [u64; EventKind::COUNT],
    /// For each kind of event, the tags that a complete event has.
    required: [u64; EventKind::COUNT],
    /// The tags that listeners on this machine may go over.
    local: u64,
    /// The tags that roll up.
    rolls_up: u64,
}

impl TagTable {
    /// The most tags a table can have.
    pub const MAX_TAGS: usize = 64;

    #[doc(hidden)]
    pub const fn new(tags: &'static [TagDef]) -> TagTable {
        assert!(tags.len() <= TagTable::MAX_TAGS, "a table has at most 64 tags");
        let mut table = TagTable {
            tags,
            allow: [0; EventKind::COUNT],
            required: [0; EventKind::COUNT],
            local: 0,
            rolls_up: 0,
        };
        let mut slot = 0;
        while slot < tags.len() {
            table.enter(slot as u8, &tags[slot]);
            let mut other = slot + 1;
            while other < tags.len() {
                assert!(!same(tags[slot].name, tags[other].name), "two tags have the same name");
                other += 1;
            }
            slot += 1;
        }
        table
    }

    const fn enter(&mut self, slot: u8, tag: &TagDef) {
        let remote = tag.scope.is_remote();
        assert!(
            is_tag_name(tag.name),
            "a tag name has 1 to 64 characters out of a-z 0-9 . _"
        );
        assert!(
            remote || tag.kinds == 0,
            "a tag that stays on this machine is exported with no kind of event"
        );
        assert!(
            tag.required & !tag.kinds == 0,
            "a tag is required only where it is exported"
        );
        assert!(
            tag.kinds & EventKind::NONE.bit() == 0,
            "nothing is exported with EventKind::NONE"
        );
        if tag.scope.is_local() {
            self.local |= bit(slot);
        }
        if !matches!(tag.merge, Merge::Keep) {
            self.rolls_up |= bit(slot);
        }
        let mut kind = 0;
        while kind < EventKind::COUNT {
            if tag.kinds & (1 << kind) != 0 {
                self.allow[kind] |= bit(slot);
            }
            if tag.required & (1 << kind) != 0 {
                self.required[kind] |= bit(slot);
            }
            kind += 1;
        }
    }

    /// All tags, in the order of the table, which is the order of their slots.
    pub fn iter(&self) -> impl Iterator<Item = &'static TagDef> + use<> {
        self.tags.iter()
    }

    /// The number of tags.
    pub const fn len(&self) -> usize {
        self.tags.len()
    }

    /// Whether the table has no tags.
    pub const fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    /// The tag with a name.
    pub fn find(&self, name: &str) -> Option<&'static TagDef> {
        self.tags.iter().find(|tag| tag.name == name)
    }

    /// The allow-list of a kind of event, as a set of slots.
    #[inline]
    pub const fn exported(&self, kind: EventKind) -> u64 {
        self.allow[kind.index()]
    }

    /// The allow-list of a kind of event, as names.
    pub fn exported_names(&self, kind: EventKind) -> impl Iterator<Item = &'static str> + use<> {
        self.among(self.exported(kind)).map(|tag| tag.name)
    }

    /// Whether a name is on the allow-list of a kind of event.
    pub fn is_exported(&self, kind: EventKind, name: &str) -> bool {
        self.exported_names(kind).any(|exported| exported == name)
    }

    /// The tags that a complete event of a kind has, as a set of slots.
    pub const fn required(&self, kind: EventKind) -> u64 {
        self.required[kind.index()]
    }

    /// The tags that a complete event of a kind has, as names.
    pub fn required_names(&self, kind: EventKind) -> impl Iterator<Item = &'static str> + use<> {
        self.among(self.required(kind)).map(|tag| tag.name)
    }

    /// The tags of a set of slots.
    pub(crate) fn among(&self, set: u64) -> impl Iterator<Item = &'static TagDef> + use<> {
        let tags = self.tags;
        ones(set).filter_map(move |slot| tags.get(usize::from(slot)))
    }

    #[inline]
    pub(crate) fn at(&self, slot: u8) -> Option<&'static TagDef> {
        self.tags.get(usize::from(slot))
    }

    pub(crate) const fn local(&self) -> u64 {
        self.local
    }

    pub(crate) const fn rolls_up(&self) -> u64 {
        self.rolls_up
    }
}

/// What a table says about one tag.
#[derive(Clone, Copy, Debug)]
pub struct TagDef {
    name: &'static str,
    description: &'static str,
    type_name: &'static str,
    storage: Storage,
    scope: Scope,
    merge: Merge,
    kinds: u16,
    required: u16,
}

impl TagDef {
    /// The name on the wire.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What the tag means.
    pub fn description(&self) -> &'static str {
        self.description.trim()
    }

    /// The name of the type: `bool`, `bytes`, `duration`, `i64`, `id`, `text`, `u64`, `version` or that of an enum.
    pub const fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// The names of all values, if the type is a closed enum; else empty.
    pub const fn variants(&self) -> &'static [&'static str] {
        match self.storage {
            Storage::Enum(names) => names,
            _ => &[],
        }
    }

    /// Who may see the values.
    pub const fn scope(&self) -> Scope {
        self.scope
    }

    /// How the values roll up from a child into its parent.
    pub const fn merge(&self) -> Merge {
        self.merge
    }

    /// The kinds of event with which the tag is exported.
    pub fn kinds(&self) -> impl Iterator<Item = EventKind> + use<> {
        EventKind::in_set(self.kinds)
    }

    /// Whether the tag is exported with a kind of event.
    pub const fn is_exported(&self, kind: EventKind) -> bool {
        self.kinds & kind.bit() != 0
    }

    /// Whether a complete event of a kind has the tag.
    pub const fn is_required(&self, kind: EventKind) -> bool {
        self.required & kind.bit() != 0
    }

    pub(crate) const fn storage(&self) -> Storage {
        self.storage
    }

    /// Reads the value at `slot`, which must be the slot of this tag.
    pub(crate) fn value<'a>(&self, slots: &'a Slots, slot: u8) -> Option<Value<'a>> {
        if self.storage == Storage::Text {
            return slots.wide(slot)?.text().map(Value::Text);
        }
        self.remote_value(slots, slot).map(Value::Closed)
    }

    /// Reads the value at `slot`, which must be the slot of this tag; `None` for text.
    pub(crate) fn remote_value(&self, slots: &Slots, slot: u8) -> Option<RemoteValue> {
        use crate::value::sealed::Stored;
        Some(match self.storage {
            Storage::Bool => RemoteValue::Bool(Stored::load(slots, slot)?),
            Storage::Bytes => RemoteValue::Bytes(Stored::load(slots, slot)?),
            Storage::Duration => RemoteValue::Duration(Stored::load(slots, slot)?),
            Storage::Enum(names) => RemoteValue::Enum(names.get(usize::try_from(slots.bits(slot)?).ok()?)?),
            Storage::I64 => RemoteValue::I64(Stored::load(slots, slot)?),
            Storage::Id => RemoteValue::Id(Id::load(slots, slot)?),
            Storage::Text => return None,
            Storage::U64 => RemoteValue::U64(Stored::load(slots, slot)?),
            Storage::Version => RemoteValue::Version(Version::load(slots, slot)?),
        })
    }
}

/// Builds a [`TagDef`] for [`tags!`](crate::tags), and refuses what the type does not allow: free text with a remote
/// scope, a sum of what cannot be summed, a maximum of what has no order.
#[doc(hidden)]
pub struct TagSpec<T> {
    definition: TagDef,
    holds: PhantomData<fn(T) -> T>,
}

#[doc(hidden)]
impl<T: TagValue> TagSpec<T> {
    pub const fn new(name: &'static str, description: &'static str) -> TagSpec<T> {
        let definition = TagDef {
            name,
            description,
            type_name: T::NAME,
            storage: T::STORAGE,
            scope: Scope::None,
            merge: Merge::Keep,
            kinds: 0,
            required: 0,
        };
        TagSpec {
            definition,
            holds: PhantomData,
        }
    }

    pub const fn scope_none(self) -> TagSpec<T> {
        self
    }

    pub const fn scope_local(mut self) -> TagSpec<T> {
        self.definition.scope = Scope::Local;
        self
    }

    pub const fn scope_databricks(mut self) -> TagSpec<T>
    where
        T: Exportable,
    {
        self.definition.scope = Scope::Databricks;
        self
    }

    pub const fn scope_all(mut self) -> TagSpec<T>
    where
        T: Exportable,
    {
        self.definition.scope = Scope::All;
        self
    }

    pub const fn merge_keep(self) -> TagSpec<T> {
        self
    }

    pub const fn merge_sum(self) -> TagSpec<T>
    where
        T: Summable,
    {
        self.merging(Merge::Sum)
    }

    pub const fn merge_max(self) -> TagSpec<T>
    where
        T: Ordered,
    {
        self.merging(Merge::Max)
    }

    pub const fn merge_min(self) -> TagSpec<T>
    where
        T: Ordered,
    {
        self.merging(Merge::Min)
    }

    pub const fn merge_first(self) -> TagSpec<T> {
        self.merging(Merge::First)
    }

    pub const fn merge_last(self) -> TagSpec<T> {
        self.merging(Merge::Last)
    }

    pub const fn kinds(mut self, kinds: &[EventKind]) -> TagSpec<T> {
        self.definition.kinds = set_of(kinds);
        self
    }

    pub const fn required(mut self, kinds: &[EventKind]) -> TagSpec<T> {
        self.definition.required = set_of(kinds);
        self
    }

    pub const fn define(&self) -> TagDef {
        self.definition
    }

    const fn merging(mut self, merge: Merge) -> TagSpec<T> {
        self.definition.merge = merge;
        self
    }
}

const fn set_of(kinds: &[EventKind]) -> u16 {
    let mut set = 0;
    let mut at = 0;
    while at < kinds.len() {
        set |= kinds[at].bit();
        at += 1;
    }
    set
}

const fn is_tag_name(name: &str) -> bool {
    let name = name.as_bytes();
    let mut at = 0;
    while at < name.len() {
        if !(name[at].is_ascii_lowercase() || name[at].is_ascii_digit() || name[at] == b'.' || name[at] == b'_') {
            return false;
        }
        at += 1;
    }
    !name.is_empty() && name.len() <= 64
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

/// Whether a value of type `T` is only made when somebody listens at [`Level::Trace`](crate::Level::Trace).
pub(crate) const fn is_text<T: TagValue>() -> bool {
    T::STORAGE.code() == <LocalText as crate::value::sealed::Stored>::STORAGE.code()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::sealed::Stored;

    #[test]
    fn text_has_no_value_for_export_even_if_it_is_asked_for() {
        let tag = TagSpec::<LocalText>::new("sql", "").scope_local().define();
        let mut slots = Slots::new();
        LocalText::new("SELECT 1").store(&mut slots, 0);
        assert!(tag.value(&slots, 0).is_some());
        assert!(tag.remote_value(&slots, 0).is_none());
    }
}
