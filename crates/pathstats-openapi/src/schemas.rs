//! The types that are answered and asked with, by the names that the table of operations has.

use pathstats_archive::answers::{ArchiveStatus, DayDetails, DayOrder, DayUnderWay, EventPage};
use pathstats_model::alerts::answers::{AlertHistory, AlertTest, AlertsAnswer, Unsilenced};
use pathstats_model::alerts::silence::{ShownSilence, SilenceOrder, UnsilenceOrder};
use pathstats_model::api::answers::{PathsAnswer, SearchAnswer, StatsAnswer};
use pathstats_model::api::liveness::Health;
use pathstats_model::api::metrics::MetricsAnswer;
use pathstats_model::api::session::Session;
use pathstats_model::audit::AuditList;
use pathstats_model::budget::report::CardinalityReport;
use pathstats_model::capacity::CapacityReport;
use pathstats_model::completeness::answers::LedgerAnswer;
use pathstats_model::cost::report::CostReport;
use pathstats_model::dead_letters::{
    DiscardOrder, Discarded, LetterDetails, LetterPage, ReplayOrder, Replayed,
};
use pathstats_model::health::HealthReport;
use pathstats_model::problem::Problem;
use pathstats_model::retention::RetentionPlan;
use pathstats_model::rollup::Done;
use pathstats_model::sharding::{ReshardOrder, Resharded, ShardingReport};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{json, Map, Value};

/// Every schema by its name.
#[must_use]
pub fn all() -> Map<String, Value> {
    let settings = || {
        let mut settings = SchemaSettings::draft2020_12();
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
        settings
    };
    let mut answers = settings().for_serialize().into_generator();
    take::<PathsAnswer>(&mut answers);
    take::<SearchAnswer>(&mut answers);
    take::<StatsAnswer>(&mut answers);
    take::<MetricsAnswer>(&mut answers);
    take::<Session>(&mut answers);
    take::<Health>(&mut answers);
    take::<HealthReport>(&mut answers);
    take::<LedgerAnswer>(&mut answers);
    take::<AlertsAnswer>(&mut answers);
    take::<AlertHistory>(&mut answers);
    take::<ShownSilence>(&mut answers);
    take::<Unsilenced>(&mut answers);
    take::<AlertTest>(&mut answers);
    take::<LetterPage>(&mut answers);
    take::<LetterDetails>(&mut answers);
    take::<Replayed>(&mut answers);
    take::<Discarded>(&mut answers);
    take::<AuditList>(&mut answers);
    take::<ArchiveStatus>(&mut answers);
    take::<DayDetails>(&mut answers);
    take::<DayUnderWay>(&mut answers);
    take::<EventPage>(&mut answers);
    take::<RetentionPlan>(&mut answers);
    take::<Done>(&mut answers);
    take::<CapacityReport>(&mut answers);
    take::<CostReport>(&mut answers);
    take::<CardinalityReport>(&mut answers);
    take::<ShardingReport>(&mut answers);
    take::<Resharded>(&mut answers);
    take::<Problem>(&mut answers);
    let mut bodies = settings().for_deserialize().into_generator();
    take::<ReplayOrder>(&mut bodies);
    take::<DiscardOrder>(&mut bodies);
    take::<SilenceOrder>(&mut bodies);
    take::<UnsilenceOrder>(&mut bodies);
    take::<DayOrder>(&mut bodies);
    take::<ReshardOrder>(&mut bodies);
    let mut schemas = answers.take_definitions(true);
    schemas.extend(bodies.take_definitions(true));
    schemas.insert("OpenApi".to_owned(), json!({
        "description": "An OpenAPI 3.1 document.",
        "type": "object",
        "properties": { "openapi": { "const": "3.1.0" }, "info": { "type": "object" }, "paths": { "type": "object" } },
        "required": ["openapi", "info", "paths"],
        "additionalProperties": true,
    }));
    schemas
}

fn take<T: JsonSchema>(generator: &mut SchemaGenerator) {
    generator.subschema_for::<T>();
}
