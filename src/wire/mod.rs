//! Floor 1: bytes to messages and back, pure.

pub mod message;
