//! The archiver: knows which closed days still have raw events in D1.
//!
//! | request | does |
//! | --- | --- |
//! | `GET /admin/archive/status` | lists the days with raw events, oldest first |
//!
//! It is reached by the api's service binding alone: it has no route.

use pathstats_edge::bindings::{EnvVariables, D1};
use pathstats_edge::clock::now_ms;
use pathstats_edge::database::Database;
use pathstats_edge::{http, telemetry};
use pathstats_model::config::number;
use pathstats_model::problem::Problem;
use pathstats_model::retention::{closed_days, Day};
use serde::Serialize;
use worker::{event, Context, Env, Request, Response, Result};

#[derive(Debug, Serialize)]
struct Status {
    days: Vec<Day>,
}

/// A call from the api.
#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> Result<Response> {
    let path = request.path();
    if path != "/admin/archive/status" {
        return http::problem(&Problem::not_found(&path));
    }
    let keep_days = match number(&EnvVariables(&env), "RAW_RETENTION_DAYS", 3, 1, 365) {
        Ok(days) => i64::from(days),
        Err(error) => return http::problem(&Problem::configuration(&error)),
    };
    let database = Database::new(env.d1(D1)?);
    match database.first_and_last_event().await {
        Ok(range) => http::json(200, &Status { days: closed_days(range, now_ms(), keep_days) }),
        Err(error) => {
            telemetry::error("D1 cannot be read", &error);
            http::problem(
                &Problem::new(503, "d1_unreadable", "D1 cannot be read", "try again later").retry_after(10),
            )
        }
    }
}
