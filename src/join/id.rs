//! Keyed 128-bit hashes of the ids by which an answer is known.
//!
//! SipHash-1-3 with the lake's key: equal in every process of one lake, not predictable by a producer. Two of the 2^27 ids
//! of a day collide with a probability of about 2^-74.

use std::num::NonZeroU128;

use siphasher::sip128::{Hash128, Hasher128, SipHasher13};

use crate::event::{Target, Text};

/// Hash of an id; never 0, so that an absent one takes no more room.
pub type IdHash = NonZeroU128;

/// Which of its ids names the answer. Ids of different kinds never meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum IdKind {
    /// The gateway's request id.
    Request,
    /// Span id within a trace.
    Span,
    /// The provider's response id.
    Response,
    /// W3C trace id.
    Trace,
    /// Conversation or session.
    Conversation,
}

/// Hashes ids with the lake's key.
#[derive(Clone, Copy, Debug)]
pub struct IdHasher {
    keys: (u64, u64),
}

impl IdHasher {
    /// A hasher with the first half of the lake's 32-byte key.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| key[at + byte]));
        Self { keys: (word(0), word(8)) }
    }

    /// Hash of one id of one kind.
    #[must_use]
    pub fn id(&self, kind: IdKind, id: &str) -> IdHash {
        IdHash::new(self.parts(&[&[kind as u8], id.as_bytes()])).unwrap_or(IdHash::MAX)
    }

    /// Hash by which a producer's repeat is known: topic, tenant and request id.
    #[must_use]
    pub fn repeat(&self, topic: &str, tenant: Option<&str>, request_id: &str) -> u128 {
        self.parts(&[topic.as_bytes(), &[0xff], tenant.unwrap_or_default().as_bytes(), &[0xff], request_id.as_bytes()])
    }

    /// The hashes of the ids that feedback names, in the order in which they are tried: the most exact first.
    pub fn target<'a>(&self, target: &'a Target<'_>) -> impl Iterator<Item = IdHash> + 'a {
        let hasher = *self;
        let ids: [(IdKind, Option<&Text<'_>>); 5] = [
            (IdKind::Request, target.request_id.as_ref()),
            (IdKind::Span, target.span_id.as_ref()),
            (IdKind::Response, target.response_id.as_ref()),
            (IdKind::Trace, target.trace_id.as_ref()),
            (IdKind::Conversation, target.conversation_id.as_ref()),
        ];
        ids.into_iter().filter_map(move |(kind, id)| id.map(|id| hasher.id(kind, id)))
    }

    fn parts(&self, parts: &[&[u8]]) -> u128 {
        use std::hash::Hasher;
        let mut hasher = SipHasher13::new_with_keys(self.keys.0, self.keys.1);
        for part in parts {
            hasher.write(part);
        }
        let Hash128 { h1, h2 } = hasher.finish128();
        u128::from(h1) << 64 | u128::from(h2)
    }
}
