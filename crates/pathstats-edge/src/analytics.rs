//! Writes data points to Analytics Engine.

use pathstats_model::analytics::DataPoint;
use worker::{AnalyticsEngineDataPointBuilder, Env};

use crate::bindings::TRAFFIC_ANALYTICS;

/// Writes a point, behind everything: the platform takes it without an answer. What goes wrong is told to
/// the log and hinders nothing. Dying before, the point is missing; again, it is there twice: the engine
/// samples anyhow.
pub fn write(env: &Env, point: &DataPoint) {
    let written = env.analytics_engine(TRAFFIC_ANALYTICS).and_then(|dataset| {
        let blobs = point.blobs.iter().map(String::as_str).collect::<Vec<_>>();
        AnalyticsEngineDataPointBuilder::new()
            .indexes([point.index])
            .blobs(blobs)
            .doubles(point.doubles.clone())
            .write_to(&dataset)
    });
    if let Err(error) = written {
        tracing::warn!(%error, "a data point was not written");
    }
}
