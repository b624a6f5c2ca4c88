//! The greeting, which every connection starts with, whatever the set of messages.
//!
//! Its payload is JSON and may only gain fields, so that ends of different versions can tell each other apart.

use serde::{Deserialize, Serialize};

/// The version of the protocol. Both ends must have the same.
pub const PROTOCOL: u32 = 8;

/// The kind of a greeting in every set of messages.
pub const HELLO: u8 = 1;

/// The first message of whoever connects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The [`PROTOCOL`] of the sender.
    pub protocol: u32,
    /// The sender's version of batchmill.
    pub batchmill: String,
    /// What the sender is.
    #[serde(default)]
    pub role: Role,
}

/// What is at the other end of a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A process that runs Python tasks.
    Worker,
    /// A Python process that calls functions for many items.
    Client,
    /// The engine, towards a client.
    Engine,
    /// A process that hands frames to a distributed engine.
    Driver,
    /// A process that runs frames for an engine on another machine.
    Host,
    /// Something that this version does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

impl Hello {
    /// The greeting of this version.
    pub fn new(role: Role) -> Self {
        Self { protocol: PROTOCOL, batchmill: env!("CARGO_PKG_VERSION").to_owned(), role }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greetings_of_other_versions_can_be_read() {
        let old = r#"{"protocol":2,"batchmill":"0.1.0","python":"3.11.7","executable":"/usr/bin/python3"}"#;
        let old: Hello = serde_json::from_str(old).unwrap();
        assert_eq!((old.protocol, old.role), (2, Role::Unknown));
        let new = r#"{"protocol":9,"batchmill":"3.0.0","role":"satellite","since":1}"#;
        assert_eq!(serde_json::from_str::<Hello>(new).unwrap().role, Role::Unknown);
        let ours = serde_json::to_string(&Hello::new(Role::Worker)).unwrap();
        assert_eq!(serde_json::from_str::<Hello>(&ours).unwrap(), Hello::new(Role::Worker));
    }
}
