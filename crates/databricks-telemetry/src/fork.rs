//! Is this still the process in which something was made? After a fork it is not: the child has its parent's memory, but
//! none of the parent's threads, and locks may be held by nobody.

/// The process in which something was made.
///
/// A fork that goes through the C library tells its child, so that asking costs one relaxed load. glibc does not
/// remember a process's id: asking for that is a system call, twice for each record.
#[derive(Debug)]
pub(crate) struct Origin {
    /// `None` when the system would not say: then the process's id is asked for.
    guard: Option<forkguard::Guard>,
    pid: u32,
}

impl Origin {
    /// This process.
    pub(crate) fn here() -> Self {
        Self {
            guard: forkguard::Guard::try_new().ok(),
            pid: std::process::id(),
        }
    }

    /// A process that is not this one.
    #[cfg(test)]
    pub(crate) fn elsewhere() -> Self {
        Self {
            guard: None,
            pid: std::process::id() + 1,
        }
    }

    /// Whether this is still it.
    #[inline]
    pub(crate) fn is_here(&self) -> bool {
        match &self.guard {
            // Asking changes the guard, so that it says it once; a copy is as good.
            Some(guard) => !guard.clone().detected_fork(),
            None => self.pid == std::process::id(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_here_is_here_and_needs_no_system_call_to_know() {
        let origin = Origin::here();
        assert!(origin.is_here() && origin.is_here());
        assert!(!Origin::elsewhere().is_here());
        #[cfg(unix)]
        assert!(origin.guard.is_some());
    }
}
