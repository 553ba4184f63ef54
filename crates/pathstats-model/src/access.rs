//! Who may do what on the api: tokens, logins by Cloudflare Access, roles.
//!
//! | to find | look in |
//! | --- | --- |
//! | a secret token, compared in constant time | [`token`] |
//! | who asks, and what that one may do | [`identity`] |
//! | what a login's token must say | [`jwt`] |
//! | which of a team's keys to use, and when to ask for them | [`keys`] |
//! | whose logins are accepted, and who is an administrator | [`login`] |

pub mod identity;
pub mod jwt;
pub mod keys;
pub mod login;
pub mod token;

pub use identity::{identify, AccessConfig, Identity, Presented, Refusal, Role, Via};
pub use token::{AccessError, Token, MIN_TOKEN_CHARS};
