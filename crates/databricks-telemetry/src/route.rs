//! Whose activity is it? What the roots of a connection carry, and how listeners beside telemetry's read it.

use std::any::Any;
use std::sync::Arc;

use activity::{Record, Started};

use crate::lane::Lane;

/// A value of the host's that stands for a connection, or for several.
pub(crate) type Handle = Arc<dyn Any + Send + Sync>;

/// What the roots of a connection carry: the way to its hub, and the handle of the host's.
pub(crate) struct Route {
    lane: Option<Arc<Lane>>,
    handle: Option<Handle>,
}

impl Route {
    pub(crate) fn new(lane: Option<Arc<Lane>>, handle: Option<Handle>) -> Self {
        Self { lane, handle }
    }

    /// The way to telemetry; `None` if telemetry does not want the activity.
    pub(crate) fn lane(&self) -> Option<&Lane> {
        self.lane.as_deref()
    }

    pub(crate) fn handle(&self) -> Option<&Handle> {
        self.handle.as_ref()
    }

    fn handle_of<T: Any>(&self) -> Option<&T> {
        self.handle.as_deref()?.downcast_ref()
    }
}

/// An activity of a connection, as a listener of the host's sees it.
///
/// ```
/// use activity::{Level, Listener, Record};
/// use databricks_telemetry::Routed as _;
///
/// struct Tenant(u32);
///
/// struct OfTenant(u32);
///
/// impl Listener for OfTenant {
///     fn level(&self) -> Level {
///         Level::Metrics
///     }
///
///     fn completed(&self, record: &Record<'_>) {
///         if record.handle::<Tenant>().is_some_and(|tenant| tenant.0 == self.0) {
///             // One of the connections whose lease was given the handle `Tenant(self.0)`.
///         }
///     }
/// }
/// ```
pub trait Routed {
    /// The handle that the connection's lease was [given](crate::Lease::with_handle), if it has one of this type.
    fn handle<T: Any>(&self) -> Option<&T>;
}

impl Routed for Started<'_> {
    fn handle<T: Any>(&self) -> Option<&T> {
        self.lane::<Route>()?.handle_of()
    }
}

impl Routed for Record<'_> {
    fn handle<T: Any>(&self) -> Option<&T> {
        self.lane::<Route>()?.handle_of()
    }
}
