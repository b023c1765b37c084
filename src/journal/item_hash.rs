//! By what an item is known again, whatever list it is in: a hash of what is run and of the bytes of the item.
//!
//! The hash is XXH3 with 128 bits over 16 bytes of a hash of the facts, and the item. It is no proof against somebody who
//! wants two items to look the same.
//!
//! Invariant: a hash is of one item alone. Where it stands in its list, and what is behind it there, is no part of it.

use super::record::{ItemHash, RunFact};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// A longer item is not copied to be hashed.
const COPIED_BYTES_MAX: usize = 1024;

/// Hashes items of one run.
pub struct ItemHasher {
    /// Begins with the hash of the facts.
    bytes: Vec<u8>,
}

impl ItemHasher {
    /// `facts`: what is run. Their order does not matter, unless they have the same name.
    #[must_use]
    pub fn new(mut facts: Vec<&RunFact<'_>>) -> Self {
        facts.sort_by(|one, other| one.name.cmp(&other.name));
        let mut hash = Xxh3::new();
        for text in facts.iter().flat_map(|fact| [fact.name.as_bytes(), &fact.value]) {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        Self { bytes: hash.digest128().to_le_bytes().to_vec() }
    }

    #[must_use]
    pub fn hash(&mut self, item: &[u8]) -> ItemHash {
        let start = size_of::<ItemHash>();
        self.bytes.truncate(start);
        if item.len() > COPIED_BYTES_MAX {
            let mut hash = Xxh3::new();
            hash.update(&self.bytes);
            hash.update(item);
            return hash.digest128().to_le_bytes();
        }
        self.bytes.extend_from_slice(item);
        xxh3_128(&self.bytes).to_le_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(facts: &[(&'static str, &'static str)], item: &[u8]) -> ItemHash {
        let of = |(name, value): &(&'static str, &'static str)| RunFact {
            name: (*name).into(),
            value: value.as_bytes().into(),
        };
        let facts: Vec<_> = facts.iter().map(of).collect();
        ItemHasher::new(facts.iter().collect()).hash(item)
    }

    #[test]
    fn what_is_run_and_the_item_make_the_hash_and_neither_can_pass_for_a_part_of_the_other() {
        let one = hash(&[("command", "gzip"), ("folder", "x")], b"a");
        assert_eq!(one, hash(&[("folder", "x"), ("command", "gzip")], b"a"));
        for (facts, item) in [
            (&[("command", "gzip"), ("folder", "x")][..], &b"b"[..]),
            (&[("command", "gzip"), ("folder", "x")], b""),
            (&[("command", "gzip"), ("folder", "xa")], b""),
            (&[("command", "gzi"), ("pfolder", "x")], b"a"),
            (&[("command", "gzip")], b"a"),
            (&[("command", "x"), ("folder", "gzip")], b"a"),
            (&[], b"a"),
        ] {
            assert_ne!(one, hash(facts, item), "{facts:?} {item:?}");
        }
        // Lists of arguments, with a NUL behind each.
        assert_ne!(hash(&[], b"a b\0c\0"), hash(&[], b"a\0b c\0"));
    }

    /// Journals exist: the hashes in them stay what they are.
    #[test]
    fn a_long_item_has_the_hash_that_a_copy_would_have() {
        let mut hasher = ItemHasher::new(Vec::new());
        let long = vec![7; COPIED_BYTES_MAX + 1];
        let copied = xxh3_128(&[&hasher.bytes[..16], &long].concat()).to_le_bytes();
        assert_eq!(hasher.hash(&long), copied);
        assert_eq!(hasher.hash(b"item"), HASH_OF_ITEM);
    }

    const HASH_OF_ITEM: ItemHash = [210, 176, 186, 164, 139, 214, 3, 90, 184, 1, 208, 127, 134, 12, 3, 48];
}
