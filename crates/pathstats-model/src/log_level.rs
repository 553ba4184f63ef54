//! Which lines a Worker writes to its log.

use crate::config::{ConfigError, Variables};

/// From which level on lines are written, the most telling first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LogLevel {
    /// Each batch and each request to the api, and what was decided on the way.
    Debug,
    /// Work that was done: a day archived, letters replayed.
    #[default]
    Info,
    /// What failed and will be tried again.
    Warn,
    /// What failed and a person should look at.
    Error,
    /// None.
    Off,
}

impl LogLevel {
    /// All, with their names.
    pub const ALL: [(&'static str, Self); 5] = [
        ("debug", Self::Debug),
        ("info", Self::Info),
        ("warn", Self::Warn),
        ("error", Self::Error),
        ("off", Self::Off),
    ];

    /// The variable that names it.
    pub const VARIABLE: &'static str = "LOG_LEVEL";

    /// Reads `LOG_LEVEL`: `debug`, `info` (when it is not set), `warn`, `error` or `off`.
    ///
    /// # Errors
    ///
    /// When it is something else.
    pub fn from_variables(variables: &impl Variables) -> Result<Self, ConfigError> {
        let Some(text) = variables.get(Self::VARIABLE) else { return Ok(Self::default()) };
        let named = Self::ALL.into_iter().find(|(name, _)| text.trim().eq_ignore_ascii_case(name));
        named.map(|(_, level)| level).ok_or_else(|| ConfigError::Invalid {
            name: Self::VARIABLE,
            found: text,
            expected: "debug, info, warn, error or off".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Set(Option<&'static str>);
    impl Variables for Set {
        fn get(&self, name: &str) -> Option<String> {
            assert_eq!(name, "LOG_LEVEL");
            self.0.map(str::to_owned)
        }
    }

    #[test]
    fn each_name_is_a_level_and_nothing_else_is() {
        let read = |text| LogLevel::from_variables(&Set(text));
        assert_eq!(read(None), Ok(LogLevel::Info));
        for (name, level) in LogLevel::ALL {
            assert_eq!(read(Some(name)), Ok(level));
        }
        assert_eq!(read(Some(" WARN ")), Ok(LogLevel::Warn));
        let error = read(Some("verbose")).unwrap_err().to_string();
        assert_eq!(error, "variable LOG_LEVEL is \"verbose\": expected debug, info, warn, error or off");
    }
}
