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
