//! What a check found, and how it is told to a person or a machine.

use std::io::{self, Write};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Ok,
    /// It works, but somebody may want to know.
    Warning,
    Failed,
    /// A check that it needs failed.
    NotTried,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::NotTried => "not tried",
        }
    }
}

/// What one check found: a verdict, the facts in a line, and what to do about it.
pub(super) struct Finding {
    pub(super) verdict: Verdict,
    pub(super) fact: String,
    pub(super) advice: Option<String>,
}

impl Finding {
    pub(super) fn ok(fact: impl Into<String>) -> Self {
        Self::new(Verdict::Ok, fact.into(), None)
    }

    pub(super) fn warning(fact: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(Verdict::Warning, fact.into(), Some(advice.into()))
    }

    pub(super) fn failed(fact: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(Verdict::Failed, fact.into(), Some(advice.into()))
    }

    fn new(verdict: Verdict, fact: String, advice: Option<String>) -> Self {
        Self { verdict, fact, advice }
    }
}

/// What a check gives: its finding, and what later checks go on with, unless it failed.
pub(super) type Outcome<T> = Result<(Finding, T), Finding>;

/// A check that is over.
pub(super) struct Check {
    name: &'static str,
    finding: Finding,
    elapsed: Option<Duration>,
}

impl Check {
    pub(super) fn verdict(&self) -> Verdict {
        self.finding.verdict
    }

    /// A check that was not over when the time was.
    pub(super) fn overdue(name: &'static str, timeout: Duration) -> Self {
        Self {
            name,
            finding: Finding::failed(
                format!("no answer when the time was over ({} s)", timeout.as_secs_f64()),
                "give it more with --timeout SECONDS; a stopped warehouse may take minutes to start",
            ),
            elapsed: None,
        }
    }

    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let Finding { verdict, fact, advice } = &self.finding;
        let fact = fact.replace('\n', " ");
        let elapsed = match self.elapsed {
            Some(elapsed) if elapsed >= Duration::from_millis(1) => format!("  [{} ms]", elapsed.as_millis()),
            _ => String::new(),
        };
        let line = format!("  {:<9}  {:<14}  {fact}{elapsed}", verdict.word(), self.name);
        writeln!(out, "{}", line.trim_end())?;
        if let Some(advice) = advice {
            writeln!(out, "  {:<9}  {:<14}  -> {advice}", "", "")?;
        }
        Ok(())
    }

    pub(super) fn to_json(&self) -> Value {
        let Finding { verdict, fact, advice } = &self.finding;
        json!({
            "check": self.name,
            "verdict": verdict.word().replace(' ', "_"),
            "fact": fact,
            "advice": advice,
            "elapsed_ms": self.elapsed.map(|elapsed| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)),
        })
    }
}

/// Prints checks as they end. Those that are not tried one after the other share a line.
#[derive(Default)]
pub(super) struct Page {
    not_tried: Vec<&'static str>,
}

impl Page {
    pub(super) fn print(&mut self, out: &mut impl Write, check: &Check) -> io::Result<()> {
        if check.verdict() == Verdict::NotTried {
            self.not_tried.push(check.name);
            return Ok(());
        }
        self.end(out)?;
        check.print(out)
    }

    /// Prints what still waits to be printed.
    pub(super) fn end(&mut self, out: &mut impl Write) -> io::Result<()> {
        if !self.not_tried.is_empty() {
            writeln!(out, "  {:<9}  {}", Verdict::NotTried.word(), self.not_tried.join(", "))?;
            self.not_tried.clear();
        }
        Ok(())
    }
}

/// What the thread that checks tells the one that prints.
pub(super) enum Event {
    Begun(&'static str),
    Over(Check),
}

/// Where checks report to.
pub(super) struct Report {
    pub(super) events: Sender<Event>,
}

impl Report {
    /// Makes a check that needs nothing.
    pub(super) fn check<T>(&self, name: &'static str, work: impl FnOnce() -> Outcome<T>) -> Option<T> {
        self.after(name, Some(()), |()| work())
    }

    /// Makes a check that needs what earlier ones gave; without it, it is not tried.
    pub(super) fn after<N, T>(
        &self,
        name: &'static str,
        needs: Option<N>,
        work: impl FnOnce(N) -> Outcome<T>,
    ) -> Option<T> {
        let Some(needs) = needs else {
            let finding = Finding::new(Verdict::NotTried, String::new(), None);
            self.tell(Event::Over(Check {
                name,
                finding,
                elapsed: None,
            }));
            return None;
        };
        self.tell(Event::Begun(name));
        let began = Instant::now();
        let (finding, given) = match work(needs) {
            Ok((finding, given)) => (finding, Some(given)),
            Err(finding) => (finding, None),
        };
        let elapsed = Some(began.elapsed());
        self.tell(Event::Over(Check { name, finding, elapsed }));
        given
    }

    fn tell(&self, event: Event) {
        // Nobody listens any more when the time is over.
        let _ = self.events.send(event);
    }
}
