//! Durations and wall times come from the source's clock; nothing else reads the time.

use std::time::{Duration, UNIX_EPOCH};

use activity::testing::{ManualClock, Recorder};
use activity::{Clock, EventKind, Level, Operation, Source, SystemClock};

activity::tags! {
    /// No tags.
    pub static TAGS;
}

static CLOCK: ManualClock = ManualClock::new();
static SOURCE: Source = Source::with_clock("manual", &TAGS, &CLOCK);
static ROOT: Operation = Operation::new("Root", EventKind::NONE);
static CHILD: Operation = Operation::new("Child", EventKind::NONE);

#[test]
fn a_manual_clock_drives_durations() {
    let recorder = Recorder::new(Level::Metrics);
    let _registration = recorder.listen_to(&SOURCE);
    CLOCK.advance(Duration::from_secs(1));
    let root = SOURCE.start(&ROOT);
    CLOCK.advance(Duration::from_millis(2));
    assert_eq!(root.elapsed(), Duration::from_millis(2));
    let child = root.child(&CHILD);
    CLOCK.advance(Duration::from_millis(3));
    root.end();
    CLOCK.advance(Duration::from_millis(4));
    child.end();

    let root = &recorder.completed_of(&ROOT)[0];
    assert_eq!(root.duration, Duration::from_millis(5));
    assert_eq!(root.completed_after, Duration::from_millis(9));
    assert_eq!(root.started_at, UNIX_EPOCH + Duration::from_secs(1_767_225_601));
    let child = &recorder.completed_of(&CHILD)[0];
    assert_eq!(
        (child.duration, child.completed_after),
        (Duration::from_millis(7), Duration::from_millis(7))
    );
}

#[test]
fn the_system_clock_keeps_the_order_of_its_readings() {
    let readings: Vec<_> = (0..100).map(|_| SystemClock.now()).collect();
    let mut wall: Vec<_> = readings.iter().rev().map(|at| SystemClock.wall_time(*at)).collect();
    wall.reverse();
    assert!(wall.is_sorted());
    let (monotonic, wall) = (readings[99] - readings[0], wall[99].duration_since(wall[0]).unwrap());
    assert_eq!(monotonic, wall);
}
