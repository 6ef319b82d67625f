//! What may leave the machine? The view of a record through the allow-list of a kind of event.

use std::fmt;

use crate::operation::EventKind;
use crate::slots::{Slots, ones};
use crate::source::Source;
use crate::tag::{Tag, TagDef};
use crate::value::{Exportable, RemoteValue};

/// What may be exported of a record, as one kind of event.
#[derive(Clone, Copy)]
pub struct Remote<'a> {
    source: &'static Source,
    slots: &'a Slots,
    kind: EventKind,
    mask: u64,
}

impl<'a> Remote<'a> {
    #[inline]
    pub(crate) fn of(source: &'static Source, slots: &'a Slots, kind: EventKind) -> Remote<'a> {
        Remote {
            source,
            slots,
            kind,
            mask: slots.present() & source.tags().exported(kind),
        }
    }

    /// The value of a tag; `None` if it was not set, is not on the allow-list or belongs to another table.
    #[inline]
    pub fn get<T: Exportable>(&self, tag: Tag<T>) -> Option<T> {
        let allowed = self.mask & crate::slots::bit(tag.slot()) != 0;
        if !allowed || !std::ptr::eq(tag.table(), self.source.tags()) {
            return None;
        }
        T::load(self.slots, tag.slot())
    }

    /// All values, in table order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static TagDef, RemoteValue)> + use<'a> {
        let (table, slots) = (self.source.tags(), self.slots);
        ones(self.mask).filter_map(move |slot| {
            let tag = table.at(slot)?;
            Some((tag, tag.remote_value(slots, slot)?))
        })
    }

    /// The tags that a complete event of this kind has, and this one has not.
    pub fn missing(&self) -> impl Iterator<Item = &'static TagDef> + use<'a> {
        let table = self.source.tags();
        table.among(table.required(self.kind) & !self.mask)
    }

    /// The kind of event.
    pub fn kind(&self) -> EventKind {
        self.kind
    }
}

impl fmt::Debug for Remote<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(tag, value)| (tag.name(), value)))
            .finish()
    }
}
