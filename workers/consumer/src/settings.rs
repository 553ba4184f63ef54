//! The consumer's configuration, read once an instance.

use std::cell::OnceCell;

use pathstats_edge::bindings::EnvVariables;
use pathstats_model::config::ConsumerConfig;
use worker::Env;

thread_local! {
    static CONFIG: OnceCell<ConsumerConfig> = const { OnceCell::new() };
}

/// The configuration. A wrong variable is told loudly, and the defaults are used: events must not
/// be lost over a typing mistake.
pub fn config(env: &Env) -> ConsumerConfig {
    CONFIG.with(|config| {
        *config.get_or_init(|| {
            ConsumerConfig::from_variables(&EnvVariables(env)).unwrap_or_else(|wrong| {
                tracing::error!(error = %wrong, "the configuration is wrong, so defaults are used");
                ConsumerConfig::default()
            })
        })
    })
}
