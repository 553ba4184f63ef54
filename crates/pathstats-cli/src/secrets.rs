//! Secrets come from the environment or a file. Never from an argument: arguments show in the
//! list of processes and stay in the shell's history.

use std::path::Path;

use pathstats_model::client_ip::IpHasher;

use crate::failure::Failure;

/// The variable with the secret that client addresses are hashed under.
pub const IP_HASH_SECRET: &str = "IP_HASH_SECRET";
/// The variable with the token that `/collect` asks for.
pub const INGEST_TOKEN: &str = "INGEST_TOKEN";
/// The variable with the token that the api asks readers for.
pub const READ_TOKEN: &str = "READ_TOKEN";
/// The variable with the token that the api asks those for who change something.
pub const ADMIN_TOKEN: &str = "ADMIN_TOKEN";

/// The variable with the bearer token for archives that URLs name.
pub const ARCHIVE_TOKEN: &str = "ARCHIVE_TOKEN";

/// The secret in `file` when one is given, and otherwise in the environment. An empty one is none.
pub fn read(variable: &str, file: Option<&Path>) -> Result<Option<String>, Failure> {
    let secret = match file {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| Failure::cannot(format_args!("read the secret in {}", file.display()), error))?,
        None => match std::env::var(variable) {
            Ok(value) => value,
            Err(std::env::VarError::NotPresent) => return Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => {
                return Err(Failure::new(format!("{variable} is not UTF-8 text")));
            }
        },
    };
    // Editors end a file with a line break, which is no part of the secret.
    let secret = secret.trim_end_matches(['\r', '\n']);
    Ok((!secret.is_empty()).then(|| secret.to_owned()))
}

/// The hasher of client addresses, when there is a secret.
pub fn ip_hasher(file: Option<&Path>) -> Result<Option<IpHasher>, Failure> {
    read(IP_HASH_SECRET, file)?
        .map(|secret| IpHasher::new(&secret))
        .transpose()
        .map_err(|error| Failure::new(error.to_string()))
}
