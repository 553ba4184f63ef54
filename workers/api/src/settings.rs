//! The api's configuration, read once an instance: its variables are the same as long as it lives.

use std::cell::OnceCell;
use std::rc::Rc;

use pathstats_edge::bindings::EnvVariables;
use pathstats_model::config::{ApiConfig, ConfigError};
use worker::Env;

type Settings = Result<ApiConfig, ConfigError>;

thread_local! {
    static CONFIG: OnceCell<Rc<Settings>> = const { OnceCell::new() };
}

/// The configuration. With a wrong variable the api answers nothing but what is wrong: a mistaken token or login
/// must not let anybody in.
pub fn config(env: &Env) -> Rc<Settings> {
    CONFIG.with(|config| {
        let read = || Rc::new(ApiConfig::from_variables(&EnvVariables(env)));
        Rc::clone(config.get_or_init(read))
    })
}
