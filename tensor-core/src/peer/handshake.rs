//! The messages of a handshake, byte by byte.
//!
//! ```text
//! hello,   from whoever attaches, with its pidfd:
//!   "TBHELLO\n", u32 ABI, u32 role
//! welcome, from the host, with CONTROL, DATA and its pidfd when the verdict is 0:
//!   "TBWELCM\n", u32 ABI, u32 verdict, u32 participant, u32 length, text
//! attached, from whoever attaches, once it has mapped and checked the arena; closing the connection instead gives the
//! participant's number back:
//!   "TBREADY\n"
//! ```

use crate::arena::{ABI, ParticipantId};

const HELLO: &[u8; 8] = b"TBHELLO\n";
const WELCOME: &[u8; 8] = b"TBWELCM\n";

/// The whole of the third message.
pub(super) const ATTACHED: &[u8; 8] = b"TBREADY\n";

/// The largest message of a handshake in bytes.
pub(super) const MAX_MESSAGE: usize = 1024;

/// What whoever attaches says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) abi: u32,
    /// 1 sender or client, 2 receiver or server, 4 observer.
    pub(super) role: u32,
}

/// What the host answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Welcome {
    pub(super) abi: u32,
    /// The number of the new participant, or why there is none.
    pub(super) verdict: Result<ParticipantId, String>,
}

impl Hello {
    pub(super) fn new(role: u32) -> Hello {
        Hello { abi: ABI, role }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        [HELLO.as_slice(), &self.abi.to_le_bytes(), &self.role.to_le_bytes()].concat()
    }

    /// `None` when the bytes are not a hello.
    pub(super) fn decode(bytes: &[u8]) -> Option<Hello> {
        let rest = bytes.strip_prefix(HELLO)?;
        // A later ABI may say more after these two.
        Some(Hello { abi: word(rest, 0)?, role: word(rest, 1)? })
    }
}

impl Welcome {
    pub(super) fn new(verdict: Result<ParticipantId, String>) -> Welcome {
        Welcome { abi: ABI, verdict }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let (verdict, participant, text) = match &self.verdict {
            Ok(participant) => (0, u32::from(*participant), ""),
            Err(reason) => (1, 0, &reason[..reason.floor_char_boundary(MAX_MESSAGE - 64)]),
        };
        let mut bytes = WELCOME.to_vec();
        for word in [self.abi, verdict, participant, text.len() as u32] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(text.as_bytes());
        bytes
    }

    /// `None` when the bytes are not a welcome.
    pub(super) fn decode(bytes: &[u8]) -> Option<Welcome> {
        let rest = bytes.strip_prefix(WELCOME)?;
        let abi = word(rest, 0)?;
        let verdict = match word(rest, 1)? {
            0 => Ok(ParticipantId::try_from(word(rest, 2)?).ok()?),
            _ => {
                let text = rest.get(16..16usize.checked_add(word(rest, 3)? as usize)?)?;
                Err(String::from_utf8_lossy(text).into_owned())
            }
        };
        Some(Welcome { abi, verdict })
    }
}

fn word(bytes: &[u8], index: usize) -> Option<u32> {
    let bytes = bytes.get(4 * index..4 * index + 4)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn golden_messages() {
        assert_eq!(Hello { abi: 1, role: 2 }.encode(), b"TBHELLO\n\x01\0\0\0\x02\0\0\0");
        let welcome = Welcome { abi: 1, verdict: Ok(5) };
        assert_eq!(welcome.encode(), b"TBWELCM\n\x01\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0");
        let refusal = Welcome { abi: 1, verdict: Err("no".into()) };
        assert_eq!(refusal.encode(), b"TBWELCM\n\x01\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0no");
        for message in [welcome, refusal] {
            assert_eq!(Welcome::decode(&message.encode()), Some(message));
        }
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64), known: bool) {
            let bytes = if known { [WELCOME.as_slice(), &bytes].concat() } else { bytes };
            let _ = Hello::decode(&bytes);
            let _ = Welcome::decode(&bytes);
        }
    }
}
