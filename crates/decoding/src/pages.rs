//! The pages of a row group: their headers are walked before any of them is unpacked.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    sync::Arc,
};

use flate2::read::MultiGzDecoder;
use parquet::{
    basic::{Compression, Type as PhysicalType},
    column::page::PageReader,
    file::{
        metadata::{ColumnChunkMetaData, ParquetMetaData},
        serialized_reader::SerializedPageReader,
    },
};

use crate::{
    delta, guarded,
    thrift::{Kind, Walk},
};

/// The most bytes of a page once unpacked. Writers make pages of a megabyte or so.
pub const PAGE_BYTES_MAX: u64 = 256 << 20;

/// Bytes that the values of one column may take at a time, where few bytes of a page stand for many.
const VALUES_BYTES_MAX: u64 = 256 << 20;

/// Gzip says nowhere beforehand how much it unpacks to, and LZ4 in frames neither. It is 1,032 times as much at most, or
/// 255 times, so that a page under these sizes needs no looking into.
const GZIP_BYTES_SURE: u64 = PAGE_BYTES_MAX / 1_032;
const LZ4_BYTES_SURE: u64 = PAGE_BYTES_MAX / 255;

/// What LZ4 frames begin with: of today, of old, and those that are passed over.
fn begins_frame(first: u32) -> bool {
    matches!(first, 0x184d_2204 | 0x184c_2102 | 0x184d_2a50..=0x184d_2a5f)
}

/// Bytes in which the header of nearly every page fits, and the most that one may take: it holds the least and the
/// largest value of the page.
const HEADER_BYTES: u64 = 256;
const HEADER_BYTES_MAX: u64 = 8 << 20;

/// How rows are given the values of a dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Texts {
    /// Each has its own copy.
    Copied,
    /// They share them.
    Shared,
}

/// How many rows of some columns of a row group can be decoded at a time, `most` at most; none where its pages are no
/// pages, are too large, or hold another number of values than there are rows.
///
/// # Errors
/// When the file cannot be read.
pub fn rows_at_once(
    file: &File,
    metadata: &ParquetMetaData,
    group: usize,
    leaves: impl IntoIterator<Item = usize>,
    texts: Texts,
    most: usize,
) -> io::Result<Option<usize>> {
    let group = metadata.row_group(group);
    let mut largest = 0;
    for leaf in leaves {
        let Some(chunk) = group.columns().get(leaf) else { return Ok(None) };
        // Where columns nest, a row has any number of values.
        let flat = chunk.column_descr().max_rep_level() == 0;
        let Ok(values) = u64::try_from(if flat { group.num_rows() } else { i64::MAX }) else {
            return Ok(None);
        };
        let Some(pages) = Pages::of(file, chunk, texts)? else { return Ok(None) };
        if flat && pages.values != values {
            return Ok(None);
        }
        largest = largest.max(pages.value_bytes);
    }
    let fit =
        VALUES_BYTES_MAX.checked_div(largest).map_or(most, |rows| usize::try_from(rows).unwrap_or(most));
    Ok(Some(fit.clamp(1, most.max(1))))
}

/// Reads so many bytes, or those up to the end of the file.
fn read_at(mut file: &File, at: u64, most: u64, into: &mut Vec<u8>) -> io::Result<()> {
    into.resize(usize::try_from(most).unwrap_or(usize::MAX), 0);
    file.seek(SeekFrom::Start(at))?;
    let mut came = 0;
    while came < into.len() {
        match file.read(&mut into[came..]) {
            Ok(0) => break,
            Ok(more) => came += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    into.truncate(came);
    Ok(())
}

/// What the pages of a column of a row group come to.
struct Pages {
    /// Values, those that are null among them.
    values: u64,
    /// The most bytes that a value may take, where it may take more than its bytes in the page.
    value_bytes: u64,
}

impl Pages {
    /// Walks all pages, also those behind the last row: the decoder looks for more there.
    fn of(file: &File, chunk: &ColumnChunkMetaData, texts: Texts) -> io::Result<Option<Self>> {
        let mut pages = Self { values: 0, value_bytes: 0 };
        let physical = chunk.column_type();
        if physical == PhysicalType::FIXED_LEN_BYTE_ARRAY {
            // Each row has all the bytes, null or not.
            match u64::try_from(chunk.column_descr().type_length()) {
                Ok(bytes) if bytes <= PAGE_BYTES_MAX => pages.value_bytes = bytes,
                _ => return Ok(None),
            }
        }
        let start = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
        let (Ok(mut at), Ok(bytes)) = (u64::try_from(start), u64::try_from(chunk.compressed_size())) else {
            return Ok(None);
        };
        let Some(end) = at.checked_add(bytes) else { return Ok(None) };
        // An entry takes as many bytes of the page, at least, and the decoder makes room for as many as it says.
        let entry_bytes = match physical {
            PhysicalType::INT64 | PhysicalType::DOUBLE => 8,
            PhysicalType::INT96 => 12,
            PhysicalType::FIXED_LEN_BYTE_ARRAY => pages.value_bytes.max(1),
            PhysicalType::BYTE_ARRAY | PhysicalType::INT32 | PhysicalType::FLOAT => 4,
            PhysicalType::BOOLEAN => 1,
        };
        let (mut head, mut has_lengths) = (Vec::new(), false);
        while at < end {
            let mut wanted = HEADER_BYTES;
            let page = loop {
                read_at(file, at, wanted.min(end - at), &mut head)?;
                match Page::of_header(&head) {
                    Some(page) => break page,
                    None if wanted < HEADER_BYTES_MAX && head.len() as u64 == wanted => wanted *= 16,
                    None => return Ok(None),
                }
            };
            at += page.header_bytes;
            if page.bytes > end - at
                || page.unpacked_bytes > PAGE_BYTES_MAX
                || !page.is_honest(file, at, chunk)?
            {
                return Ok(None);
            }
            if page.kind == DICTIONARY && page.values > page.unpacked_bytes / entry_bytes {
                return Ok(None);
            }
            at += page.bytes;
            if page.is_data() {
                pages.values = pages.values.saturating_add(page.values);
                has_lengths |= delta::has_lengths(page.encoding);
            }
            if physical == PhysicalType::BYTE_ARRAY && page.repeats(texts) {
                pages.value_bytes = pages.value_bytes.max(page.unpacked_bytes);
            }
        }
        // Lengths that are packed by differences say once more how many they are.
        let sound = !has_lengths || guarded(|| lengths_are_sound(file, chunk)).unwrap_or(false);
        Ok(sound.then_some(pages))
    }
}

/// Whether the pages of a column have no more lengths than values. They are unpacked one by one; what cannot be, the
/// decoder refuses as well.
fn lengths_are_sound(file: &File, chunk: &ColumnChunkMetaData) -> bool {
    let Ok(file) = file.try_clone() else { return false };
    let Ok(mut pages) = SerializedPageReader::new(Arc::new(file), chunk, 0, None) else { return false };
    let levels = chunk.column_descr();
    while let Ok(Some(page)) = pages.get_next_page() {
        if !delta::is_sound(&page, levels.max_rep_level(), levels.max_def_level()) {
            return false;
        }
    }
    true
}

/// The kinds of pages by the Parquet format's numbers.
const DATA: i64 = 0;
const DICTIONARY: i64 = 2;
const DATA_V2: i64 = 3;

/// What the header of a page says of it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Page {
    header_bytes: u64,
    kind: i64,
    bytes: u64,
    unpacked_bytes: u64,
    /// Values of a page of data, or entries of a dictionary.
    values: u64,
    encoding: i64,
}

/// What the header says of pages of one kind.
#[derive(Clone, Copy, Default)]
struct OfKind {
    values: i64,
    encoding: i64,
}

impl Page {
    fn of_header(head: &[u8]) -> Option<Self> {
        // The decoder takes 32 bits of each; more would say one thing here and another there.
        fn small(walk: &mut Walk<'_>) -> Option<i64> {
            walk.integer().filter(|value| i32::try_from(*value).is_ok())
        }
        let (mut page, mut bytes, mut unpacked_bytes) = (Self::default(), -1, -1);
        // A header may say something of every kind of page, and what is said of the page's own kind holds.
        let mut of_kind = [OfKind::default(); 3];
        let mut walk = Walk::over(head);
        walk.fields(&mut |id, kind, walk| {
            // The decoder reads these by their number, whatever kind is written.
            let fits = match id {
                1..=4 => kind.is_integer(),
                5..=8 => kind == Kind::STRUCT,
                _ => true,
            };
            match id {
                _ if !fits => None,
                1 => small(walk).map(|kind| page.kind = kind),
                2 => small(walk).map(|size| unpacked_bytes = size),
                3 => small(walk).map(|size| bytes = size),
                5 | 7 | 8 => {
                    let (place, encoding) = match id {
                        5 => (DATA, 2),
                        7 => (DICTIONARY, 2),
                        _ => (DATA_V2, 4),
                    };
                    let of_kind = &mut of_kind[place_of(place)?];
                    *of_kind = OfKind::default();
                    walk.fields(&mut |inner, kind, walk| match inner {
                        _ if (inner == 1 || inner == encoding) && !kind.is_integer() => None,
                        1 => small(walk).map(|count| of_kind.values = count),
                        _ if inner == encoding => small(walk).map(|number| of_kind.encoding = number),
                        _ => walk.skip(kind),
                    })
                }
                _ => walk.skip(kind),
            }
        })?;
        page.header_bytes = (head.len() - walk.left()) as u64;
        page.bytes = u64::try_from(bytes).ok()?;
        page.unpacked_bytes = u64::try_from(unpacked_bytes).ok()?;
        if let Some(place) = place_of(page.kind) {
            page.values = u64::try_from(of_kind[place].values).ok()?;
            page.encoding = of_kind[place].encoding;
        }
        Some(page)
    }

    fn is_data(&self) -> bool {
        matches!(self.kind, DATA | DATA_V2)
    }

    /// Whether a value may take as many bytes as the whole page, and many rows so much.
    fn repeats(&self, texts: Texts) -> bool {
        let delta = self.is_data() && self.encoding == delta::BYTE_ARRAY;
        delta || self.kind == DICTIONARY && texts == Texts::Copied
    }

    /// Whether the page unpacks to no more than it says, where its compression does not see to that.
    fn is_honest(&self, mut file: &File, at: u64, chunk: &ColumnChunkMetaData) -> io::Result<bool> {
        match chunk.compression() {
            Compression::GZIP(_) if self.bytes > GZIP_BYTES_SURE => {
                file.seek(SeekFrom::Start(at))?;
                let mut unpacked = MultiGzDecoder::new(file.take(self.bytes)).take(self.unpacked_bytes + 1);
                // What cannot be unpacked, the decoder refuses as well.
                let came = io::copy(&mut unpacked, &mut io::sink());
                Ok(came.is_ok_and(|came| came <= self.unpacked_bytes))
            }
            Compression::LZ4 if self.bytes > LZ4_BYTES_SURE => {
                let mut first = Vec::new();
                read_at(file, at, 4, &mut first)?;
                Ok(!first.try_into().is_ok_and(|first| begins_frame(u32::from_le_bytes(first))))
            }
            _ => Ok(true),
        }
    }
}

/// Where what is said of a kind of page is kept.
fn place_of(kind: i64) -> Option<usize> {
    [DATA, DICTIONARY, DATA_V2].iter().position(|known| *known == kind)
}
