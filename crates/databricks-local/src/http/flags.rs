//! Feature flags.

use std::sync::Arc;

use axum::extract::{Path, State as Shared};
use axum::response::Response;
use databricks_wire::flags::{FeatureFlag, FeatureFlags};

use super::reply::{self, Refusal};
use crate::state::{State, locked};

/// For how long a client may rely on the answer.
const TTL_SECONDS: u64 = 900;

/// `GET /api/2.0/connector-service/feature-flags/{client_type}/{version}`: the same flags for every client.
pub(super) async fn flags(
    Shared(state): Shared<Arc<State>>,
    Path((_, version)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    if !is_bare_triplet(&version) {
        return Err(Refusal::not_found("there are no flags for this version"));
    }
    let flags = locked(&state.flags)
        .iter()
        .map(|(name, value)| FeatureFlag {
            name: name.clone(),
            value: value.clone(),
        })
        .collect();
    Ok(reply::ok(&FeatureFlags {
        flags,
        ttl_seconds: Some(TTL_SECONDS),
    }))
}

/// Whether the version is `MAJOR.MINOR.PATCH` with nothing before or after; the service knows no other.
fn is_bare_triplet(version: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    version.split('.').count() == 3 && version.split('.').all(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_bare_triplets() {
        assert!(is_bare_triplet("0.1.0") && is_bare_triplet("10.20.30"));
        for version in [
            "",
            "1",
            "1.2",
            "1.2.3.4",
            "1.2.3-dev",
            "1.2.3+sha",
            "v1.2.3",
            "1..3",
            "1.2. 3",
        ] {
            assert!(!is_bare_triplet(version), "{version}");
        }
    }
}
