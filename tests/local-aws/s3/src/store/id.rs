//! Version and upload ids: 32 opaque characters over a sequence number.
//!
//! The number is recovered from the text, so an id costs eight bytes, and a listing can go on after a version
//! that has been erased since: its place in the history is still known. Ids repeat from run to run, which keeps
//! simulations deterministic.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";
/// Any odd number has an inverse modulo 2^64; this one has its bits well mixed.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
const LENGTH: usize = 32;

/// The 32 characters of a sequence number.
pub(crate) fn text(sequence: u64) -> String {
    String::from_utf8(characters(sequence).to_vec()).expect("the alphabet is ASCII")
}

fn characters(sequence: u64) -> [u8; LENGTH] {
    let scrambled = sequence.wrapping_mul(ODD).swap_bytes();
    let mut bytes = [0; 24];
    for (place, word) in bytes.chunks_exact_mut(8).zip([scrambled, mix(scrambled), mix(scrambled ^ ODD)]) {
        place.copy_from_slice(&word.to_be_bytes());
    }
    let mut characters = [0; LENGTH];
    for (place, bytes) in characters.chunks_exact_mut(4).zip(bytes.chunks_exact(3)) {
        place.copy_from_slice(&four_characters(bytes));
    }
    characters
}

/// The sequence number of an id made by [`text`]; nothing for any other text.
pub(crate) fn sequence(id: &str) -> Option<u64> {
    if id.len() != LENGTH {
        return None;
    }
    let mut head = [0; 9];
    for (place, characters) in head.chunks_exact_mut(3).zip(id.as_bytes().chunks_exact(4)) {
        place.copy_from_slice(&three_bytes(characters)?);
    }
    let scrambled = u64::from_be_bytes(head[..8].try_into().ok()?);
    let sequence = scrambled.swap_bytes().wrapping_mul(const { inverse(ODD) });
    (characters(sequence) == *id.as_bytes()).then_some(sequence)
}

/// Sixteen bytes that look random: the entity tag of an object whose tag is not the MD5 of its body.
pub(crate) fn digest(sequence: u64) -> [u8; 16] {
    let (high, low) = (mix(sequence ^ ODD), mix(sequence.wrapping_add(ODD)));
    (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
}

fn four_characters(bytes: &[u8]) -> [u8; 4] {
    let group = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
    [18, 12, 6, 0].map(|shift| ALPHABET[(group >> shift) as usize % 64])
}

fn three_bytes(characters: &[u8]) -> Option<[u8; 3]> {
    let mut group = 0;
    for character in characters {
        group = group << 6 | u32::from(PLACES[usize::from(*character)]?);
    }
    let [_, a, b, c] = group.to_be_bytes();
    Some([a, b, c])
}

/// Where each character stands in the alphabet.
const PLACES: [Option<u8>; 256] = {
    let mut places = [None; 256];
    let mut place = 0;
    while place < 64 {
        places[ALPHABET[place as usize] as usize] = Some(place);
        place += 1;
    }
    places
};

/// The finalizer of SplitMix64.
const fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// Newton's iteration for an odd number's inverse modulo 2^64: each round doubles the number of right bits.
const fn inverse(odd: u64) -> u64 {
    let mut inverse = odd;
    let mut round = 0;
    while round < 6 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
        round += 1;
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_back_to_its_sequence_number() {
        for number in [0, 1, 2, 63, 1_000_000, u64::MAX] {
            assert_eq!(text(number).len(), LENGTH);
            assert_eq!(sequence(&text(number)), Some(number));
        }
    }

    #[test]
    fn other_texts_are_no_ids() {
        let mut altered = text(7);
        altered.replace_range(31.., if altered.ends_with('A') { "B" } else { "A" });
        for other in ["", "null", "v1", &altered, &"é".repeat(16), &"-".repeat(32)] {
            assert_eq!(sequence(other), None, "{other}");
        }
    }
}
