//! What every HTTP answer has in common, whoever makes its body.
//!
//! | to find | look in |
//! | --- | --- |
//! | how an answer goes to who asked | [`asked`] |
//! | its status and headers | [`head`] |
//! | pages of other origins | [`cors`] |
//! | whether a client has what it asks for | [`etag`] |
//! | whether a body goes compressed | [`encoding`] |
//! | one packed body under several beginnings | [`gzip`] |
//! | what a request is called in the logs | [`request_id`] |
//! | what an address must not hold | [`query`] |

pub mod asked;
pub mod cors;
pub mod encoding;
pub mod etag;
pub mod gzip;
pub mod head;
pub mod query;
pub mod request_id;
