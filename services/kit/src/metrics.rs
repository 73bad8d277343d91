//! The process's one Prometheus recorder.

use std::sync::{Mutex, PoisonError};

use anyhow::Context;
pub use metrics_exporter_prometheus::PrometheusHandle;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};

static RECORDER: Mutex<Option<PrometheusHandle>> = Mutex::new(None);

/// Bounds of the buckets of every `…_seconds` histogram: from a tenth of a millisecond, a quiet
/// tick, to a second, a very sick one.
const SECONDS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.010, 0.0125, 0.0166, 0.025,
    0.050, 0.100, 0.250, 1.0,
];

/// Bounds of the buckets of every `…_ratio` histogram: from a share that nobody notices to all.
const RATIOS: &[f64] = &[0.0, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0];

/// Installs the recorder at the first call; every call gives the handle that renders it.
///
/// # Errors
/// Another recorder was installed by somebody else.
pub fn recorder() -> anyhow::Result<PrometheusHandle> {
    // Held while installing: a second caller waits for the first one's recorder.
    let mut recorder = RECORDER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*recorder {
        return Ok(handle.clone());
    }
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS)
        .context("histogram buckets")?
        .set_buckets_for_metric(Matcher::Suffix("_ratio".into()), RATIOS)
        .context("histogram buckets")?
        .install_recorder()
        .context("another metrics recorder is installed in this process")?;
    Ok(recorder.insert(handle).clone())
}
