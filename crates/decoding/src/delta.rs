//! Lengths that are packed by differences, before the decoder makes room for as many as they say.
//!
//! The format is Parquet's `DELTA_BINARY_PACKED`: a header (values in a block, pieces of a block, values in all, the
//! first value), then blocks (the least difference, a bit width for each piece, the pieces).

use parquet::{basic::Encoding, column::page::Page};

use crate::thrift::Walk;

/// The encodings whose pages begin with lengths, by the Parquet format's numbers; the second has lengths of what a
/// value shares with the one before it, then of what it does not.
pub(crate) const LENGTHS: i64 = 6;
pub(crate) const BYTE_ARRAY: i64 = 7;

/// The most lengths of a page: the decoder takes four bytes for each.
const LENGTHS_MAX: u64 = 32 << 20;

pub(crate) fn has_lengths(encoding: i64) -> bool {
    matches!(encoding, LENGTHS | BYTE_ARRAY)
}

/// Whether a page has no more lengths than values, if it has any; `repetition` and `definition` are the largest levels
/// of its column.
pub(crate) fn is_sound(page: &Page, repetition: i16, definition: i16) -> bool {
    let lists = match page.encoding() {
        Encoding::DELTA_LENGTH_BYTE_ARRAY => 1,
        Encoding::DELTA_BYTE_ARRAY => 2,
        _ => return true,
    };
    let most = u64::from(page.num_values()).min(LENGTHS_MAX);
    let Some(mut data) = data_of(page, repetition, definition) else { return false };
    (0..lists).all(|_| match passed(data, most) {
        Some(rest) => {
            data = rest;
            true
        }
        None => false,
    })
}

/// What stands behind the levels of a page.
fn data_of(page: &Page, repetition: i16, definition: i16) -> Option<&[u8]> {
    match page {
        Page::DataPage { buf, def_level_encoding, rep_level_encoding, .. } => {
            let levels = [(repetition, rep_level_encoding), (definition, def_level_encoding)];
            levels.into_iter().filter(|(most, _)| *most > 0).try_fold(&buf[..], |data, (_, encoding)| {
                // The other encoding of levels is one that nobody writes.
                let (bytes, data) = data.split_first_chunk().filter(|_| *encoding == Encoding::RLE)?;
                data.get(u32::from_le_bytes(*bytes) as usize..)
            })
        }
        Page::DataPageV2 { buf, def_levels_byte_len, rep_levels_byte_len, .. } => {
            buf.get((u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len)).try_into().ok()?..)
        }
        Page::DictionaryPage { .. } => None,
    }
}

/// What stands behind packed lengths, `most` of them at most.
fn passed(data: &[u8], most: u64) -> Option<&[u8]> {
    let mut walk = Walk::over(data);
    let [of_block, pieces, mut left] = [walk.unsigned()?, walk.unsigned()?, walk.unsigned()?];
    walk.unsigned()?;
    let of_piece = of_block.checked_div(pieces)?;
    let is_whole =
        of_piece > 0 && of_piece.is_multiple_of(32) && of_piece.checked_mul(pieces) == Some(of_block);
    if left > most || !is_whole || !of_block.is_multiple_of(128) {
        return None;
    }
    left = left.saturating_sub(1);
    while left > 0 {
        walk.unsigned()?;
        let widths = walk.bytes(usize::try_from(pieces).ok()?)?;
        for width in widths {
            // What is said of pieces without values does not count.
            if left == 0 {
                break;
            }
            let bits = u64::from(*width).checked_mul(of_piece).filter(|_| *width <= 32)?;
            walk.bytes(usize::try_from(bits / 8).ok()?)?;
            left = left.saturating_sub(of_piece);
        }
    }
    Some(walk.rest())
}
