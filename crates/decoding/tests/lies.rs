//! Files that are sound but for one lie each: what asks for too much is refused before anything is decoded.

#[path = "../../../tests/made/mod.rs"]
mod made;

use std::io::Write;

use arrow::array::{Array, AsArray};
use made::{
    Column, DATA, DATA_V2, DELTA_BYTE_ARRAY, DELTA_LENGTHS, DICTIONARY, FIXED, GZIP, INT64, LZ4, Made, PLAIN,
    Page, Sketch, column, dictionary, leaf, nest, page, plain, repeated, root, varint,
};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use throng_decoding::{Texts, footer, guarded, rows_at_once};

/// Two rows, `a` and `b`.
fn two() -> Sketch {
    of_pages(vec![plain(&[b"a", b"b"])])
}

fn of_pages(pages: Vec<Page>) -> Sketch {
    Sketch::of(2, vec![column("c", pages)])
}

/// A page of two values that says to unpack to so many bytes.
fn unpacking_to(unpacked: i64) -> Page {
    Page { kind: DATA, values: 2, encoding: PLAIN, unpacked, bytes: vec![0; 10] }
}

/// How many rows of a file may be decoded at a time, if its pages are sound.
fn at_once(sketch: Sketch, texts: Texts) -> Option<usize> {
    let file = sketch.file();
    let read = footer(&file, ArrowReaderOptions::new()).expect("read").expect("a sound footer");
    rows_at_once(&file, read.metadata(), 0, [0], texts, 1_000).expect("read")
}

fn has_sound_footer(sketch: Sketch) -> bool {
    footer(&sketch.file(), ArrowReaderOptions::new()).expect("read").is_some()
}

#[test]
fn without_a_lie_the_file_is_read() {
    let file = two().file();
    let read = footer(&file, ArrowReaderOptions::new()).expect("read").expect("sound");
    let rows = rows_at_once(&file, read.metadata(), 0, [0], Texts::Copied, 1_000).expect("read");
    assert_eq!(rows, Some(1_000));
    let mut reader =
        ParquetRecordBatchReaderBuilder::new_with_metadata(file, read).build().expect("a reader");
    let batch = guarded(|| reader.next()).expect("no panic").expect("rows").expect("sound");
    let values = batch.column(0).as_binary::<i32>();
    assert_eq!((values.len(), values.value(0), values.value(1)), (2, &b"a"[..], &b"b"[..]));
}

#[test]
fn a_footer_that_asks_for_more_than_it_has_is_refused() {
    assert!(has_sound_footer(two()));
    let many = i32::MAX.unsigned_abs().into();
    assert!(!has_sound_footer(Sketch { groups: Some(many), ..two() }), "two billion row groups");
    for rows in [-1, i64::MAX, i64::MIN] {
        assert!(!has_sound_footer(Sketch { rows, ..two() }), "{rows} rows");
    }
    for children in [-1, i32::MAX.into()] {
        let schema = Some(vec![root(children), leaf("c")]);
        assert!(!has_sound_footer(Sketch { schema, ..two() }), "{children} columns");
    }
}

#[test]
fn columns_that_nest_without_end_are_refused() {
    let nested = |depth: usize| {
        let schema = Some([vec![root(1)], vec![nest(1); depth], vec![leaf("c")]].concat());
        has_sound_footer(Sketch { schema, ..two() })
    };
    assert!(nested(50));
    for depth in [100, 5_000, 100_000] {
        assert!(!nested(depth), "{depth}");
    }
    // Long names, repeated for every column that lies under them.
    let long = Made::default().int(3, 0).text(4, &"n".repeat(100_000)).int(5, 5_000);
    let schema = Some([vec![root(1), long], vec![leaf("c"); 5_000]].concat());
    assert!(!has_sound_footer(Sketch { schema, ..two() }));
}

#[test]
fn a_field_of_another_kind_than_its_number_has_is_refused() {
    // The decoder reads children by the number of the field: what is passed here as text, it would take for a count.
    let disguised = Made::default().int(3, 0).text(4, "n").field(5, 8, &[2, 0, 0]);
    assert!(!has_sound_footer(Sketch { schema: Some(vec![root(1), disguised, leaf("c")]), ..two() }));
}

#[test]
fn pages_that_grow_too_large_or_do_not_fit_the_rows_are_refused() {
    let pages = |pages| at_once(of_pages(pages), Texts::Shared);
    assert_eq!(pages(vec![unpacking_to(256 << 20)]), Some(1_000));
    for unpacked in [(256 << 20) + 1, i32::MAX.into(), -1] {
        assert_eq!(pages(vec![unpacking_to(unpacked)]), None, "{unpacked}");
    }
    assert_eq!(pages(vec![plain(&[b"a"])]), None, "one value for two rows");
    assert_eq!(pages(vec![Page { values: i32::MAX.into(), ..unpacking_to(10) }]), None, "two billion values");
    assert_eq!(at_once(Sketch { rows: 3, ..two() }, Texts::Shared), None, "three rows of two values");
    assert_eq!(pages(vec![]), None, "no page");
    assert_eq!(pages(vec![plain(&[b"a"]), plain(&[b"b"])]), Some(1_000), "two pages");
    // The decoder looks for more behind the last row.
    let behind = |page| pages(vec![plain(&[b"a", b"b"]), page]);
    assert_eq!(behind(Page { values: 0, ..unpacking_to(10) }), Some(1_000), "a page of nothing");
    assert_eq!([behind(unpacking_to(10)), behind(Page { values: 0, ..unpacking_to(1 << 30) })], [None; 2]);
}

#[test]
fn where_values_are_longer_than_their_bytes_fewer_rows_are_decoded_at_a_time() {
    let bytes = [lengths(2), lengths(2), vec![b'a'; 10]].concat();
    let delta = Page { encoding: DELTA_BYTE_ARRAY, bytes, ..unpacking_to(64 << 20) };
    assert_eq!(at_once(of_pages(vec![delta]), Texts::Shared), Some(4));
    let coded = || vec![Page { unpacked: 256 << 20, ..dictionary(&[b"a"]) }, repeated(2, 0)];
    assert_eq!(at_once(of_pages(coded()), Texts::Shared), Some(1_000));
    assert_eq!(at_once(of_pages(coded()), Texts::Copied), Some(1));
    let fixed = |type_length| {
        let fixed = Column { physical: FIXED, type_length, ..column("c", vec![unpacking_to(10)]) };
        at_once(Sketch::of(2, vec![fixed]), Texts::Shared)
    };
    assert_eq!([fixed(5), fixed(64 << 20), fixed(i32::MAX.into())], [Some(1_000), Some(4), None]);
}

/// So many lengths of nothing, packed by their differences: up to 129, or a lie.
fn lengths(count: u64) -> Vec<u8> {
    [varint(128), varint(4), varint(count), vec![0], vec![0; 5]].concat()
}

#[test]
fn a_dictionary_of_more_entries_than_its_page_can_hold_is_refused() {
    let of = |physical: i64, type_length: i64, entries: i64, bytes: usize| {
        let coded = page(DICTIONARY, 0, PLAIN, vec![0; bytes]);
        let pages = vec![Page { values: entries, ..coded }, repeated(2, 0)];
        let column = Column { physical, type_length, ..column("c", pages) };
        at_once(Sketch::of(2, vec![column]), Texts::Shared)
    };
    let text = made::BYTE_ARRAY;
    assert_eq!([of(text, 0, 3, 12), of(INT64, 0, 3, 24), of(FIXED, 12, 3, 36)], [Some(1_000); 3]);
    assert_eq!([of(text, 0, 4, 12), of(INT64, 0, 4, 24), of(FIXED, 12, 4, 36)], [None; 3]);
    let most = i32::MAX.into();
    assert_eq!([of(text, 0, most, 12), of(INT64, 0, most, 24), of(text, 0, -1, 12)], [None; 3]);
}

#[test]
fn more_lengths_than_values_are_refused() {
    let of =
        |encoding, bytes: Vec<u8>| at_once(of_pages(vec![page(DATA, 2, encoding, bytes)]), Texts::Shared);
    let two = |a: u64, b: u64| [lengths(a), lengths(b), b"ab".to_vec()].concat();
    assert_eq!([of(DELTA_LENGTHS, two(2, 2)), of(DELTA_BYTE_ARRAY, two(2, 2))], [Some(1_000); 2]);
    assert_eq!(of(DELTA_LENGTHS, two(2, 3)), Some(1_000), "what stands behind the lengths is text");
    for many in [3, 1 << 32, 1 << 40, u64::MAX] {
        assert_eq!(of(DELTA_LENGTHS, two(many, 2)), None, "{many}");
        assert_eq!(
            [of(DELTA_BYTE_ARRAY, two(many, 2)), of(DELTA_BYTE_ARRAY, two(2, many))],
            [None; 2],
            "{many}"
        );
    }
    // Blocks that hold nothing or are cut off, and differences of more than 32 bits.
    let header =
        |block: u64, pieces: u64| [varint(block), varint(pieces), vec![2, 0, 0], vec![0; 8]].concat();
    assert_eq!(
        [(0, 4), (128, 0), (128, 3), (100, 1), (1 << 40, 1 << 30)]
            .map(|(b, p)| of(DELTA_LENGTHS, header(b, p))),
        [None; 5]
    );
    assert_eq!(of(DELTA_LENGTHS, lengths(2)[..6].to_vec()), None);
    let wide = [varint(128), varint(4), vec![2, 0, 0, 33, 0, 0, 0], vec![0; 600]].concat();
    assert_eq!(of(DELTA_LENGTHS, wide), None);
}

#[test]
fn lengths_are_walked_as_the_decoder_does() {
    // What a writer packs, of any lengths, is read; and so are as many values as there are.
    use arrow::{array::StringArray, record_batch::RecordBatch};
    use parquet::{
        arrow::ArrowWriter,
        basic::Encoding,
        file::properties::{WriterProperties, WriterVersion},
    };
    for encoding in [Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::DELTA_BYTE_ARRAY] {
        for (rows, version) in [1, 2, 33, 128, 129, 130, 5_000].into_iter().flat_map(|rows| {
            [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0].map(|version| (rows, version))
        }) {
            let text =
                |row: usize| (!row.is_multiple_of(7)).then(|| "x".repeat(row * row % 301) + &row.to_string());
            let texts: StringArray = (0..rows).map(text).collect();
            let batch =
                RecordBatch::try_from_iter_with_nullable([("c", std::sync::Arc::new(texts) as _, true)]);
            let batch = batch.expect("a batch");
            let properties = WriterProperties::builder()
                .set_dictionary_enabled(false)
                .set_encoding(encoding)
                .set_writer_version(version)
                .build();
            let file = tempfile::tempfile().expect("a file");
            let written = file.try_clone().expect("a file");
            let mut writer =
                ArrowWriter::try_new(written, batch.schema(), Some(properties)).expect("a writer");
            writer.write(&batch).and_then(|()| writer.finish()).expect("written");
            let read = footer(&file, ArrowReaderOptions::new()).expect("read").expect("sound");
            let fit = rows_at_once(&file, read.metadata(), 0, [0], Texts::Shared, 8_192).expect("read");
            assert!(fit.is_some(), "{rows} rows in {encoding}, {version:?}");
            let mut reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, read)
                .with_batch_size(rows)
                .build()
                .expect("a reader");
            assert_eq!(reader.next().expect("rows").expect("sound"), batch);
        }
    }
}

#[test]
fn what_a_header_says_of_another_kind_of_page_does_not_count() {
    // A page of the first kind, with lengths; of the second kind it would be plain.
    let bytes = [lengths(1 << 40), lengths(2)].concat();
    let two = |kind| {
        let page = Page { kind, values: 2, encoding: DELTA_BYTE_ARRAY, unpacked: 100, bytes: bytes.clone() };
        let sketch = Sketch { both_kinds: true, ..of_pages(vec![page]) };
        at_once(sketch, Texts::Shared)
    };
    assert_eq!([two(DATA), two(DATA_V2)], [None; 2]);
    // More than 32 bits of a kind, of which the decoder takes 32.
    assert_eq!(two((1 << 32) + DATA), None);
}

/// Lists in lists, of as many as there can be, which the decoder would pass one by one though there are none.
#[test]
fn lists_behind_the_last_row_are_not_passed_one_by_one() {
    let many = [&[0xf9][..], &varint(i32::MAX.unsigned_abs().into())].concat();
    let field = [&[0x99][..], &many.repeat(6)].concat();
    let sketch = Sketch { behind: field, ..two() };
    assert_eq!(at_once(sketch, Texts::Shared), None);
}

#[test]
fn lz4_in_frames_is_refused_where_it_could_unpack_to_too_much() {
    let of = |first: u32, bytes: usize| {
        let mut page = Page { bytes: vec![0; bytes], ..unpacking_to(10) };
        page.bytes[..4].copy_from_slice(&first.to_le_bytes());
        at_once(Sketch::of(2, vec![Column { codec: LZ4, ..column("c", vec![page]) }]), Texts::Shared)
    };
    for frame in [0x184d_2204, 0x184c_2102, 0x184d_2a50, 0x184d_2a5f] {
        assert_eq!([of(frame, 1_000), of(frame, 2 << 20)], [Some(1_000), None], "{frame:x}");
    }
    assert_eq!(of(10, 2 << 20), Some(1_000));
}

#[test]
fn gzip_that_unpacks_to_more_than_it_says_is_refused() {
    // A megabyte packs to a thousandth, and pieces stand side by side.
    let packed = |megabytes: usize| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&vec![0; 1 << 20]).and_then(|()| gzip.finish()).expect("packed").repeat(megabytes)
    };
    let of = |unpacked, bytes: &[u8]| {
        let page = Page { bytes: bytes.to_vec(), ..unpacking_to(unpacked) };
        at_once(Sketch::of(2, vec![Column { codec: GZIP, ..column("c", vec![page]) }]), Texts::Shared)
    };
    let bomb = packed(300);
    assert!(bomb.len() > 1 << 20);
    assert_eq!([of(10, &bomb), of(200 << 20, &bomb)], [None, None]);
    assert_eq!(of(10 << 20, &packed(10)), Some(1_000));
}

#[test]
fn what_is_no_parquet_is_refused() {
    let files: [&[u8]; 6] =
        [b"", b"PAR1", b"PAR1PAR1", b"PAR1\xff\xff\xff\xffPAR1", b"PAR1\x01\0\0\0PAR1", &[0; 100]];
    for bytes in files {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(bytes).expect("written");
        assert!(footer(&file, ArrowReaderOptions::new()).expect("read").is_none());
    }
}
