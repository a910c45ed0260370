//! A stream's buffer that searches everything anew.

use roundel::Sought;

/// Separators that are parts of each other, of few letters, so that some begin and do not end.
pub(crate) const SEPARATORS: [&[u8]; 6] = [b"\n", b"\r\n", b"a\n", b"aab", b"abab", b"b"];

/// Where the first of the separators to end begins and ends.
fn first(bytes: &[u8], separators: &[&[u8]]) -> Option<(usize, usize)> {
    (0..=bytes.len()).find_map(|end| {
        let separator = separators
            .iter()
            .find(|each| bytes[..end].ends_with(each))?;
        Some((end - separator.len(), end))
    })
}

/// What a search comes to in `bytes`, before which `taken` others have been.
pub(crate) fn sought(bytes: &[u8], separators: &[&[u8]], limit: usize, taken: usize) -> Sought {
    match first(bytes, separators) {
        Some((start, _)) if start > limit => Sought::FoundLate(start),
        Some((_, end)) => Sought::Found(end),
        None => {
            let longest = separators.iter().map(|each| each.len()).max().unwrap_or(1);
            let free = (bytes.len() + 1).saturating_sub(longest);
            if free > limit {
                Sought::Late(free)
            } else {
                Sought::Nothing((taken + free) as u64)
            }
        }
    }
}
