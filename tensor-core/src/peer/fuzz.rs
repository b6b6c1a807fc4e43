//! The messages of a handshake, as a fuzzer sends them.

use super::handshake::{Hello, MAX_MESSAGE, Welcome};

/// Both messages with a body; whether the bytes are one of them.
#[must_use]
pub fn handshake(bytes: &[u8]) -> bool {
    let bytes = &bytes[..bytes.len().min(MAX_MESSAGE)];
    let hello = Hello::decode(bytes);
    if let Some(hello) = &hello {
        assert_eq!(Hello::decode(&hello.encode()).as_ref(), Some(hello));
    }
    let welcome = Welcome::decode(bytes);
    if let Some(welcome) = &welcome {
        let encoded = welcome.encode();
        assert!(encoded.len() <= MAX_MESSAGE);
        assert!(Welcome::decode(&encoded).is_some());
    }
    hello.is_some() || welcome.is_some()
}

/// A refusal, the longest message.
#[cfg(test)]
pub(crate) fn golden() -> Vec<u8> {
    Welcome::new(Err("all participant numbers are in use".to_owned())).encode()
}
