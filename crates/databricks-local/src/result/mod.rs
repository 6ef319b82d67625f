//! From Arrow batches to what a client downloads: cells, chunks, where they are kept, and links to them.

pub(crate) mod cells;
pub(crate) mod decode;
pub(crate) mod depot;
pub(crate) mod encode;
pub(crate) mod links;
pub(crate) mod native;
