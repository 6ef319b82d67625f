//! Faults as text: `WHERE=WHAT`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;

use super::Fault;

/// The longest message of a huge error.
const MAX_HUGE_BYTES: usize = 1 << 30;

/// Reads `WHERE=WHAT[*TIMES]`.
///
/// `WHERE` is `telemetry`, `flags`, or a path prefix as in [`Fault`], with or without a method in front. `WHAT` is one of
///
/// | | |
/// |---|---|
/// | `status:CODE`, `status:CODE:SECONDS` | an error status from 400 to 599, with `Retry-After` |
/// | `delay:DURATION` | carried out after a pause, `200ms` or `5s` |
/// | `drop` | the connection is closed without an answer |
/// | `hang` | no answer ever |
/// | `garbage` | status 200 and a body that nobody can read |
/// | `huge:CODE:BYTES` | an error status whose message has this many bytes |
/// | `cut:BYTES` | carried out, but the connection is closed after this much of the body |
/// | `corrupt` | carried out, but the body's first bytes are damaged |
/// | `drip:BYTES:DURATION` | carried out, but the body comes in pieces of this size with pauses |
///
/// Without `*TIMES` the fault never ends.
///
/// ```
/// # use databricks_local::Fault;
/// let fault: Fault = "telemetry=status:429:30*2".parse()?;
/// assert_eq!(
///     fault,
///     Fault::Status {
///         path_prefix: Fault::TELEMETRY.to_owned(),
///         status: 429,
///         retry_after: Some(std::time::Duration::from_secs(30)),
///         times: 2,
///     }
/// );
/// # Ok::<(), databricks_local::FaultError>(())
/// ```
impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        read(text).ok_or(FaultError)
    }
}

/// A text that is no fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultError;

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a fault is WHERE=WHAT[*TIMES]: WHERE is telemetry, flags or a path prefix such as \"GET /results/\"; WHAT is \
             status:CODE[:RETRY_AFTER_SECONDS], delay:DURATION (200ms, 5s), drop, hang, garbage, huge:CODE:BYTES, cut:BYTES, \
             corrupt or drip:BYTES:DURATION",
        )
    }
}

impl std::error::Error for FaultError {}

fn read(text: &str) -> Option<Fault> {
    let (place, what) = text.split_once('=')?;
    let path_prefix = match place.trim() {
        "telemetry" => Fault::TELEMETRY.to_owned(),
        "flags" => Fault::FLAGS.to_owned(),
        prefix if prefix.contains('/') => prefix.to_owned(),
        _ => return None,
    };
    let (what, times) = match what.split_once('*') {
        Some((what, times)) => (what, times.trim().parse().ok().filter(|times| *times > 0)?),
        None => (what, u32::MAX),
    };
    let mut parts = what.trim().split(':');
    let fault = match (parts.next()?, parts.next(), parts.next()) {
        ("status", Some(status), after) => Fault::Status {
            path_prefix,
            status: status.parse().ok().filter(|status| (400..600).contains(status))?,
            retry_after: match after {
                Some(seconds) => Some(Duration::from_secs(seconds.parse().ok()?)),
                None => None,
            },
            times,
        },
        ("delay", Some(delay), None) => Fault::Latency {
            path_prefix,
            delay: duration(delay)?,
            times,
        },
        ("drop", None, None) => Fault::Drop { path_prefix, times },
        ("hang", None, None) => Fault::Hang { path_prefix, times },
        ("garbage", None, None) => Fault::Garbage { path_prefix, times },
        ("huge", Some(status), Some(bytes)) => Fault::Answer {
            path_prefix,
            status: status.parse().ok().filter(|status| (400..600).contains(status))?,
            body: huge(bytes.parse().ok().filter(|bytes| *bytes <= MAX_HUGE_BYTES)?),
            times,
        },
        ("cut", Some(after), None) => Fault::Cut {
            path_prefix,
            after_bytes: after.parse().ok()?,
            times,
        },
        ("corrupt", None, None) => Fault::Corrupt { path_prefix, times },
        ("drip", Some(bytes), Some(pause)) => Fault::Drip {
            path_prefix,
            piece_bytes: bytes.parse().ok().filter(|bytes| *bytes > 0)?,
            pause: duration(pause)?,
            times,
        },
        _ => return None,
    };
    parts.next().is_none().then_some(fault)
}

/// An error whose message has this many bytes.
fn huge(bytes: usize) -> Bytes {
    let message = "x".repeat(bytes);
    format!("{{\"error_code\":\"INTERNAL_ERROR\",\"message\":\"{message}\"}}").into()
}

fn duration(text: &str) -> Option<Duration> {
    match text.strip_suffix("ms") {
        Some(millis) => Some(Duration::from_millis(millis.parse().ok()?)),
        None => Some(Duration::from_secs(text.strip_suffix('s')?.parse().ok()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_read_whole_or_not_at_all() {
        let here = || Fault::TELEMETRY.to_owned();
        let read = |text: &str| text.parse::<Fault>();
        assert_eq!(
            read("telemetry=hang"),
            Ok(Fault::Hang {
                path_prefix: here(),
                times: u32::MAX
            })
        );
        assert_eq!(
            read("GET /results/=delay:5s*3"),
            Ok(Fault::Latency {
                path_prefix: "GET /results/".to_owned(),
                delay: Duration::from_secs(5),
                times: 3
            })
        );
        assert_eq!(
            read("flags=status:503"),
            Ok(Fault::Status {
                path_prefix: Fault::FLAGS.to_owned(),
                status: 503,
                retry_after: None,
                times: u32::MAX
            })
        );
        assert_eq!(
            read("GET /results/=cut:1000*2"),
            Ok(Fault::Cut {
                path_prefix: "GET /results/".to_owned(),
                after_bytes: 1000,
                times: 2
            })
        );
        assert_eq!(
            read("GET /results/=drip:64:5ms*1"),
            Ok(Fault::Drip {
                path_prefix: "GET /results/".to_owned(),
                piece_bytes: 64,
                pause: Duration::from_millis(5),
                times: 1
            })
        );
        for text in [
            "GET /=drip:0:5ms",
            "GET /=drip:1",
            "GET /=cut",
            "GET /=corrupt:1",
            "GET /=huge:200:5",
            "GET /=huge:500",
            "",
            "telemetry",
            "telemetry=",
            "elsewhere=hang",
            "telemetry=status",
            "telemetry=status:200",
            "telemetry=status:503:1:2",
            "telemetry=delay:5",
            "telemetry=drop:1",
            "telemetry=hang*0",
        ] {
            assert_eq!(read(text), Err(FaultError), "{text}");
        }
    }
}
