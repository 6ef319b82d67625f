//! A connection's part in telemetry, from its opening to its close.

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use activity::{Activity, Id, Level, Operation, SpanContext};

use crate::config::Config;
use crate::enable::{Decision, Environment, Flag, Reason, Verdict};
use crate::facts::ConnectionFacts;
use crate::flags::Clock;
use crate::fork::Origin;
use crate::hosts;
use crate::hub::{Hub, HubKey};
use crate::lane::{Lane, LaneInputs};
use crate::listener::others_listen;
use crate::route::{Handle, Route};
use crate::source::SOURCE;
use crate::stats::{Counter, Stats};
use crate::transport::Transport;
use crate::{operations, tags};

/// The entry: a connection attaches before it opens, and holds the [`Lease`] until it is closed.
#[derive(Debug)]
pub enum Telemetry {}

impl Telemetry {
    /// Gives a connection its part in telemetry.
    ///
    /// Whether telemetry is on is decided here, from the user's options and the environment of the process, and where
    /// these leave it to the workspace's feature flag, from the answer remembered for the host. If there is none, the
    /// flag is asked for in the background once there is a record to send. A refusal of the user's holds for as long
    /// as the connection; an answer of the workspace's for its own time, and is then asked for again in the same way.
    ///
    /// `transport` is held until the lease is closed, and must not itself hold the lease.
    ///
    /// # Blocking
    /// Never on the network, and on nobody who waits for it.
    pub fn attach(facts: ConnectionFacts, config: Config, transport: Arc<dyn Transport>) -> Lease {
        Self::attach_in(Environment::of_process(), facts, config, transport)
    }

    /// As [`attach`](Telemetry::attach), in an environment of the caller's.
    pub fn attach_in(
        environment: Environment,
        facts: ConnectionFacts,
        config: Config,
        transport: Arc<dyn Transport>,
    ) -> Lease {
        Self::attach_at(Instant::now, environment, facts, config, transport)
    }

    /// As [`attach_in`](Telemetry::attach_in), with a clock of the caller's, by which the flag's answer expires, the
    /// breaker rests and ticks come; requests have their time in real time. Connections that share a worker go by the
    /// clock of the first of them.
    pub fn attach_at(
        clock: Clock,
        environment: Environment,
        facts: ConnectionFacts,
        config: Config,
        transport: Arc<dyn Transport>,
    ) -> Lease {
        Lease::new(clock, environment, Arc::new(facts), Arc::new(config), transport, None)
    }

    /// The counters of the whole process.
    pub fn stats() -> Stats {
        hosts::current().map(hosts::Process::stats).unwrap_or_default()
    }
}

/// A connection's part in telemetry. Dropping it is closing it.
///
/// A lease that is used in a forked child attaches anew there; what the parent had queued stays with the parent.
pub struct Lease {
    origin: Origin,
    clock: Clock,
    environment: Environment,
    facts: Arc<ConnectionFacts>,
    config: Arc<Config>,
    transport: Option<Arc<dyn Transport>>,
    /// What was decided when it attached.
    decision: Decision,
    session: Arc<RwLock<Option<Id>>>,
    /// `None` when telemetry is off for this connection for good: whatever the workspace's flag says.
    part: Option<Part>,
    /// What roots carry that telemetry does not want: the handle alone.
    bare: Option<Arc<Route>>,
    closed: AtomicBool,
    /// The lease of the forked child in whose memory this is a copy.
    reborn: OnceLock<Box<Lease>>,
}

struct Part {
    lane: Arc<Lane>,
    /// What roots carry: the lane, and the handle if there is one.
    route: Arc<Route>,
    /// The number by which the hub knows the lease's transport.
    number: u64,
}

impl Lease {
    fn new(
        clock: Clock,
        environment: Environment,
        facts: Arc<ConnectionFacts>,
        config: Arc<Config>,
        transport: Arc<dyn Transport>,
        session: Option<Id>,
    ) -> Self {
        let session = Arc::new(RwLock::new(session));
        let inputs = LaneInputs {
            environment,
            force: config.force_enabled,
            option: config.enabled,
        };
        let (decision, part) = Part::join(clock, inputs, &facts, &config, &transport, &session);
        Self {
            origin: Origin::here(),
            clock,
            environment,
            facts,
            config,
            transport: Some(transport),
            decision,
            session,
            part,
            bare: None,
            closed: AtomicBool::new(false),
            reborn: OnceLock::new(),
        }
    }

    /// Gives the connection's activities a handle, by which listeners beside telemetry's tell them from those of other
    /// connections: see [`Routed`](crate::Routed). With one, activities are started also when telemetry is off.
    ///
    /// Records hold it until they are complete, and the last of them drops it, on any thread: its drop must not block.
    #[must_use]
    pub fn with_handle(mut self, handle: Arc<dyn Any + Send + Sync>) -> Self {
        if let Some(part) = &mut self.part {
            part.route = Arc::new(Route::new(Some(Arc::clone(&part.lane)), Some(Arc::clone(&handle))));
        }
        self.bare = Some(Arc::new(Route::new(None, Some(handle))));
        self
    }

    /// Starts the activity of an operation, below `parent` if the caller has a trace of its own.
    ///
    /// It carries the ids that are known, and the opening of a connection also its facts. When it completes it becomes
    /// one record of telemetry, if that is on. It is a no-op when nobody looks: telemetry is off or the lease closed,
    /// there is no [handle](Lease::with_handle), and no other listener is registered at [`SOURCE`].
    ///
    /// # Blocking
    /// Never.
    ///
    /// # Cost
    /// One relaxed load when nobody looks at anybody's activities. Else another one, to see that this is not a forked
    /// child, here and when the record completes; and the time, while the workspace's flag is what keeps telemetry off.
    pub fn root(&self, operation: &'static Operation, parent: Option<SpanContext>) -> Activity {
        if SOURCE.level() == Level::Off {
            return Activity::noop();
        }
        let here = self.here();
        let part = here
            .part
            .as_ref()
            .filter(|part| !here.closed.load(Ordering::Relaxed) && part.lane.decision().verdict != Verdict::Off);
        let mut builder = SOURCE.root(operation).parent(parent);
        match part.map(|part| &part.route).or(here.bare.as_ref()) {
            Some(route) => {
                let route: Arc<Route> = Arc::clone(route);
                builder = builder.lane(route);
            }
            None if !others_listen() => return Activity::noop(),
            None => {}
        }
        let mut activity = builder.start();
        if activity.is_recording() {
            here.identify(operation, &mut activity);
        }
        activity
    }

    /// Sets the id that the server gave the session; roots that start from now on carry it, and so does the opening
    /// under way.
    pub fn session(&self, id: Id) {
        *self.here().session.write().unwrap_or_else(PoisonError::into_inner) = Some(id);
    }

    /// Whether telemetry is on for this connection, and why, as far as is known now.
    pub fn decision(&self) -> Decision {
        let here = self.here();
        here.part.as_ref().map_or(here.decision, |part| part.lane.decision())
    }

    /// The counters of all connections that share this one's worker; all zero if the user refused telemetry.
    pub fn stats(&self) -> Stats {
        self.here()
            .part
            .as_ref()
            .map(|part| part.lane.hub().stats())
            .unwrap_or_default()
    }

    /// Sends what is queued. Says whether that was over within `timeout`; what became of it, the counters say.
    ///
    /// # Blocking
    /// At most `timeout`.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.here()
            .part
            .as_ref()
            .is_none_or(|part| part.lane.hub().flush(timeout))
    }

    /// Ends the connection's part. Its records are sent; roots that are still open find the door closed if this was the
    /// last connection of its kind. Closing again does nothing.
    ///
    /// # Blocking
    /// Only the last connection of its kind waits, for its records to be delivered and for the worker to end: at most
    /// [`Config::close_timeout`], and at most 1 s of it when the workspace did not answer the last telemetry request,
    /// or none was made yet; and not at all when the breaker is open.
    pub fn close(&self) {
        let here = self.here();
        if here.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(part) = &here.part {
            let hub = part.lane.hub();
            hub.process.release(hub, part.number, here.config.close_timeout);
        }
    }

    /// This lease, or in a forked child the one that attached there.
    fn here(&self) -> &Self {
        if self.origin.is_here() {
            return self;
        }
        self.reborn
            .get_or_init(|| {
                let reborn = match &self.transport {
                    Some(transport) if !self.closed.load(Ordering::Relaxed) => Self::new(
                        self.clock,
                        self.environment,
                        Arc::clone(&self.facts),
                        Arc::clone(&self.config),
                        Arc::clone(transport),
                        // The fork may have copied the lock while a thread held it that is not here.
                        self.session.try_read().ok().and_then(|session| *session),
                    ),
                    _ => Self::spent(self),
                };
                Box::new(match self.handle() {
                    Some(handle) => reborn.with_handle(handle),
                    None => reborn,
                })
            })
            .here()
    }

    /// A lease that takes no part.
    fn spent(of: &Self) -> Self {
        Self {
            origin: Origin::here(),
            clock: of.clock,
            environment: of.environment,
            facts: Arc::clone(&of.facts),
            config: Arc::clone(&of.config),
            transport: None,
            decision: of.decision,
            session: Arc::default(),
            part: None,
            bare: None,
            closed: AtomicBool::new(true),
            reborn: OnceLock::new(),
        }
    }

    fn handle(&self) -> Option<Handle> {
        self.bare.as_ref().and_then(|route| route.handle().map(Arc::clone))
    }

    /// Where its records go; `None` when it has no part.
    pub(crate) fn hub(&self) -> Option<&Arc<Hub>> {
        self.here().part.as_ref().map(|part| part.lane.hub())
    }

    fn identify(&self, operation: &'static Operation, activity: &mut Activity) {
        if let Some(session) = *self.session.read().unwrap_or_else(PoisonError::into_inner) {
            activity.set(tags::SESSION_ID, session);
        }
        if let Some(workspace) = self.facts.org_id {
            activity.set(tags::WORKSPACE_ID, workspace);
        }
        if std::ptr::eq(operation, &operations::CONNECTION_OPEN) {
            self.facts.describe(&self.config, activity);
        }
    }
}

impl Part {
    /// Decides, and joins the hub unless the user's answer is no. The workspace's no is one for a time: the hub is
    /// where the connection learns that it is over.
    fn join(
        clock: Clock,
        inputs: LaneInputs,
        facts: &ConnectionFacts,
        config: &Config,
        transport: &Arc<dyn Transport>,
        session: &Arc<RwLock<Option<Id>>>,
    ) -> (Decision, Option<Self>) {
        let decision = inputs.decide(Flag::NotAsked);
        if decision.is_off() {
            return (decision, None);
        }
        let Some(process) = hosts::current() else {
            return (
                Decision {
                    verdict: Verdict::Off,
                    reason: Reason::Unserved,
                },
                None,
            );
        };
        let key = HubKey::of(facts, config);
        let known = process.flags.peek(&key.flag_key(), key.endpoint.identity, clock());
        let decision = inputs.decide(known.map_or(Flag::NotAsked, |answer| answer.flag));
        let Some((hub, number)) = process.hold(&key, clock, Arc::clone(transport)) else {
            process.counters.count(Counter::Unserved, 1);
            return (
                Decision {
                    verdict: Verdict::Off,
                    reason: Reason::Unserved,
                },
                None,
            );
        };
        if let Some(answer) = known {
            hub.learn(answer);
        }
        let lane = Arc::new(Lane::new(hub, inputs, Arc::clone(session), process.listening.join()));
        let route = Arc::new(Route::new(Some(Arc::clone(&lane)), None));
        (decision, Some(Self { lane, route, number }))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.origin.is_here() {
            return self.close();
        }
        // A copy in a forked child: what it holds belongs to the parent, whose threads are not here. Nothing of it may
        // be locked, joined or shut down; the memory stays.
        std::mem::forget(self.part.take());
        std::mem::forget(self.transport.take());
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("decision", &self.decision)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::facts::Identity;
    use crate::transport::{FlagOutcome, FlagRequest, Outcome, TelemetryPost};
    use crate::values::Auth;

    /// Counts the entries that it is given.
    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Transport for Counting {
        fn post_telemetry(&self, post: &TelemetryPost<'_>) -> Outcome {
            self.0.fetch_add(post.entries, Ordering::SeqCst);
            Outcome::Delivered { body: Vec::new() }
        }
        fn feature_flags(&self, _: &FlagRequest<'_>) -> FlagOutcome {
            FlagOutcome::Unavailable
        }
        fn is_authenticated(&self) -> bool {
            true
        }
    }

    fn lease(host: &str, transport: &Arc<Counting>) -> Lease {
        let facts = ConnectionFacts::new(host, Identity::of(&[b"token"]), Auth::PersonalAccessToken);
        let config = Config {
            force_enabled: true,
            flush_interval: Duration::from_secs(3600),
            ..Config::default()
        };
        Telemetry::attach_in(Environment::default(), facts, config, Arc::clone(transport) as _)
    }

    const SOON: Duration = Duration::from_secs(60);

    /// A fork copies the lease, and the process has another id: the same as if the lease had come from another process.
    #[test]
    fn a_lease_from_another_process_starts_afresh_and_resends_nothing() {
        let transport = Arc::new(Counting::default());
        let mut lease = lease("forked.example.com", &transport);
        lease.session(Id::new("a-session").unwrap());
        for _ in 0..5 {
            lease.root(&operations::STATEMENT_EXECUTE, None).end();
        }
        lease.origin = Origin::elsewhere();
        let parents = lease.part.as_ref().map(|part| Arc::clone(part.lane.hub()));
        let Some(parents) = parents else {
            panic!("telemetry is on")
        };

        let root = lease.root(&operations::STATEMENT_EXECUTE, None);
        assert!(root.is_recording());
        root.end();
        let reborn = lease.here();
        assert!(reborn.origin.is_here());
        assert_eq!(*reborn.session.read().unwrap(), Some(Id::new("a-session").unwrap()));
        assert!(lease.decision().is_on());

        // The copy of the parent's part is not closed by the child; each record is sent once.
        drop(lease);
        assert!(parents.lock().deadline.is_none(), "the parent's hub is open");
        assert!(parents.flush(SOON));
        assert_eq!(transport.0.load(Ordering::SeqCst), 6);
    }

    #[test]
    fn a_lease_that_was_closed_before_the_fork_stays_closed() {
        let transport = Arc::new(Counting::default());
        let mut lease = lease("closed-and-forked.example.com", &transport);
        lease.close();
        lease.origin = Origin::elsewhere();
        assert!(!lease.root(&operations::STATEMENT_EXECUTE, None).is_recording());
        lease.close();
        assert_eq!(transport.0.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_lease_goes_where_its_connection_goes() {
        fn everywhere<T: Send + Sync + 'static>() {}
        everywhere::<Lease>();
    }
}
