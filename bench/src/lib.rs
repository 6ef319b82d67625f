//! What the programs of this benchmark share. `bench/run.py` runs them; `docs/benchmarks.md` says what they measure.

pub mod http;
pub mod tape;

/// The most memory that this process ever had resident, in MiB.
pub fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) >> 10
}

/// How long each of many small queries took.
#[derive(Debug, Default)]
pub struct Times(Vec<std::time::Duration>);

impl Times {
    /// One query took this long.
    pub fn add(&mut self, took: std::time::Duration) {
        self.0.push(took);
    }

    /// Their number, and percentiles in milliseconds, as a line of JSON.
    pub fn to_json(mut self) -> String {
        self.0.sort_unstable();
        let last = self.0.len().saturating_sub(1);
        let at = |share: f64| {
            let place = (last as f64 * share) as usize;
            self.0.get(place).map_or(0.0, |took| took.as_secs_f64() * 1e3)
        };
        let (p50, p99) = (at(0.5), at(0.99));
        format!(
            "{{\"queries\": {}, \"p50_ms\": {p50:.4}, \"p99_ms\": {p99:.4}}}",
            self.0.len()
        )
    }
}
