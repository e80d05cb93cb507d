//! Parquet files made byte by byte, so that they can say what no writer would.

#![expect(dead_code, reason = "each test program uses a part of it")]

use std::{fs::File, io::Write};

/// A struct in Thrift's compact protocol. The last field is closed by [`Made::done`].
#[derive(Clone, Default)]
pub(crate) struct Made {
    bytes: Vec<u8>,
    last: u8,
}

#[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
pub(crate) fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

pub(crate) fn zigzag(value: i64) -> Vec<u8> {
    varint(((value << 1) ^ (value >> 63)).cast_unsigned())
}

impl Made {
    pub(crate) fn field(mut self, id: u8, kind: u8, value: &[u8]) -> Self {
        self.bytes.push((id - self.last) << 4 | kind);
        self.bytes.extend_from_slice(value);
        self.last = id;
        self
    }

    pub(crate) fn int(self, id: u8, value: i64) -> Self {
        self.field(id, 6, &zigzag(value))
    }

    pub(crate) fn text(self, id: u8, text: &str) -> Self {
        let value = [varint(text.len() as u64).as_slice(), text.as_bytes()].concat();
        self.field(id, 8, &value)
    }

    fn inner(self, id: u8, inner: Self) -> Self {
        let inner = inner.done();
        self.field(id, 12, &inner)
    }

    fn list(self, id: u8, count: u64, kind: u8, items: &[u8]) -> Self {
        let value = [&[0xf0 | kind][..], &varint(count), items].concat();
        self.field(id, 9, &value)
    }

    fn structs(self, id: u8, structs: Vec<Self>) -> Self {
        let count = structs.len() as u64;
        let items: Vec<u8> = structs.into_iter().flat_map(Self::done).collect();
        self.list(id, count, 12, &items)
    }

    fn done(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }
}

/// Physical types, encodings, compressions and kinds of pages by the Parquet format's numbers.
pub(crate) const INT64: i64 = 2;
pub(crate) const BYTE_ARRAY: i64 = 6;
pub(crate) const FIXED: i64 = 7;
pub(crate) const PLAIN: i64 = 0;
pub(crate) const DELTA_LENGTHS: i64 = 6;
pub(crate) const DELTA_BYTE_ARRAY: i64 = 7;
pub(crate) const RLE_DICTIONARY: i64 = 8;
pub(crate) const GZIP: i64 = 2;
pub(crate) const LZ4: i64 = 5;
pub(crate) const ZSTD: i64 = 6;
pub(crate) const DATA: i64 = 0;
pub(crate) const DICTIONARY: i64 = 2;
pub(crate) const DATA_V2: i64 = 3;
const TIMESTAMP_MICROS: i64 = 10;

/// A page as its header tells of it, and its bytes as they stand in the file.
#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) kind: i64,
    pub(crate) values: i64,
    pub(crate) encoding: i64,
    pub(crate) unpacked: i64,
    pub(crate) bytes: Vec<u8>,
}

/// A column of a row group.
#[derive(Clone)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) physical: i64,
    pub(crate) type_length: i64,
    pub(crate) converted: Option<i64>,
    pub(crate) codec: i64,
    pub(crate) pages: Vec<Page>,
}

/// A file of one row group.
#[derive(Clone)]
pub(crate) struct Sketch {
    pub(crate) rows: i64,
    pub(crate) columns: Vec<Column>,
    /// What the footer says of the columns, if not what they are.
    pub(crate) schema: Option<Vec<Made>>,
    /// How many row groups the footer says there are.
    pub(crate) groups: Option<u64>,
    /// Whether headers of pages of data say of the other kind of such pages that it is plain.
    pub(crate) both_kinds: bool,
    /// What stands behind the pages of each column, and belongs to it.
    pub(crate) behind: Vec<u8>,
}

/// What columns nest in.
pub(crate) fn root(children: i64) -> Made {
    Made::default().text(4, "schema").int(5, children)
}

pub(crate) fn nest(children: i64) -> Made {
    Made::default().int(3, 0).text(4, "n").int(5, children)
}

pub(crate) fn leaf(name: &str) -> Made {
    Made::default().int(1, BYTE_ARRAY).int(3, 0).text(4, name)
}

/// Texts one after the other, each behind its length.
pub(crate) fn plain(texts: &[&[u8]]) -> Page {
    let of = |text: &&[u8]| [&u32::try_from(text.len()).expect("short").to_le_bytes()[..], text].concat();
    page(DATA, texts.len(), PLAIN, texts.iter().flat_map(of).collect())
}

/// The same, as the dictionary of a column.
pub(crate) fn dictionary(texts: &[&[u8]]) -> Page {
    Page { kind: DICTIONARY, ..plain(texts) }
}

/// So many rows, each with the entry of the dictionary that has this number.
pub(crate) fn repeated(rows: usize, entry: u8) -> Page {
    let run = [&[8][..], &varint((rows as u64) << 1), &[entry]].concat();
    page(DATA, rows, RLE_DICTIONARY, run)
}

/// The same time in every row.
pub(crate) fn times(rows: usize, at_us: i64) -> Vec<Page> {
    let one = Page { kind: DICTIONARY, ..page(DATA, 1, PLAIN, at_us.to_le_bytes().to_vec()) };
    vec![one, repeated(rows, 0)]
}

pub(crate) fn page(kind: i64, values: usize, encoding: i64, bytes: Vec<u8>) -> Page {
    let values = i64::try_from(values).expect("few");
    Page { kind, values, encoding, unpacked: i64::try_from(bytes.len()).expect("short"), bytes }
}

pub(crate) fn column(name: &'static str, pages: Vec<Page>) -> Column {
    Column { name, physical: BYTE_ARRAY, type_length: 0, converted: None, codec: 0, pages }
}

/// Times in microseconds since 1970 UTC.
pub(crate) fn time_column(name: &'static str, pages: Vec<Page>) -> Column {
    Column { physical: INT64, converted: Some(TIMESTAMP_MICROS), ..column(name, pages) }
}

impl Column {
    /// The column with its pages packed by Zstandard.
    pub(crate) fn packed(mut self) -> Self {
        self.codec = ZSTD;
        for page in &mut self.pages {
            page.bytes = zstd::encode_all(page.bytes.as_slice(), 3).expect("packed");
        }
        self
    }
}

impl Sketch {
    pub(crate) fn of(rows: usize, columns: Vec<Column>) -> Self {
        Self {
            rows: i64::try_from(rows).expect("few"),
            columns,
            schema: None,
            groups: None,
            both_kinds: false,
            behind: Vec::new(),
        }
    }

    /// The bytes of the file.
    pub(crate) fn bytes(self) -> Vec<u8> {
        let mut file = b"PAR1".to_vec();
        let at = |file: &Vec<u8>| i64::try_from(file.len()).expect("short");
        let (mut chunks, mut schema) = (Vec::new(), vec![root(at(&vec![0; self.columns.len()]))]);
        for column in self.columns {
            let start = at(&file);
            let mut coded = false;
            for Page { kind, values, encoding, unpacked, bytes } in column.pages {
                let header = Made::default().int(1, kind).int(2, unpacked).int(3, at(&bytes));
                let of_values = Made::default().int(1, values).int(2, encoding);
                let header = if kind == DICTIONARY {
                    coded = true;
                    header.inner(7, of_values)
                } else {
                    let plain = Made::default().int(1, values);
                    let v1 = |of_values: Made, encoding| of_values.int(2, encoding).int(3, 3).int(4, 3);
                    let v2 = |encoding| {
                        plain.clone().int(2, 0).int(3, values).int(4, encoding).int(5, 0).int(6, 0)
                    };
                    match (kind == DATA_V2, self.both_kinds) {
                        (false, false) => header.inner(5, v1(plain.clone(), encoding)),
                        (true, false) => header.inner(8, v2(encoding)),
                        (false, true) => header.inner(5, v1(plain.clone(), encoding)).inner(8, v2(PLAIN)),
                        (true, true) => header.inner(5, v1(plain.clone(), PLAIN)).inner(8, v2(encoding)),
                    }
                };
                file.extend(header.done());
                file.extend(bytes);
            }
            file.extend(&self.behind);
            let bytes = at(&file) - start;
            let name = [&varint(column.name.len() as u64)[..], column.name.as_bytes()].concat();
            let encodings = if coded { vec![PLAIN, RLE_DICTIONARY] } else { vec![PLAIN] };
            let listed: Vec<u8> = encodings.iter().flat_map(|encoding| zigzag(*encoding)).collect();
            let chunk = Made::default()
                .int(1, column.physical)
                .list(2, encodings.len() as u64, 5, &listed)
                .list(3, 1, 8, &name)
                .int(4, column.codec)
                .int(5, self.rows)
                .int(6, bytes)
                .int(7, bytes)
                .int(9, start);
            let chunk = if coded { chunk.int(11, start) } else { chunk };
            chunks.push(Made::default().int(2, start).inner(3, chunk));
            let leaf = Made::default().int(1, column.physical).int(2, column.type_length).int(3, 0);
            let leaf = leaf.text(4, column.name);
            schema.push(column.converted.map_or(leaf.clone(), |converted| leaf.int(6, converted)));
        }
        let bytes = at(&file);
        let group = Made::default().structs(1, chunks).int(2, bytes).int(3, self.rows);
        let footer = Made::default().int(1, 2).structs(2, self.schema.unwrap_or(schema)).int(3, self.rows);
        let footer = match self.groups {
            None => footer.structs(4, vec![group]),
            Some(groups) => footer.list(4, groups, 12, &group.done()),
        };
        let footer = footer.done();
        file.extend(&footer);
        file.extend(u32::try_from(footer.len()).expect("short").to_le_bytes());
        file.extend(b"PAR1");
        file
    }

    /// The file, without a name.
    pub(crate) fn file(self) -> File {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(&self.bytes()).expect("written");
        file
    }
}
