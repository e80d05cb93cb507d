//! The footer of a file: read only if nothing in it asks for more than it holds.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

use parquet::{
    arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions},
    file::metadata::ParquetMetaData,
};

use crate::{
    guard::guarded,
    thrift::{Kind, Walk},
};

/// What stands at the end of a file: the length of the footer, and the mark of Parquet.
const TAIL_BYTES: u64 = 8;
const MARK: &[u8] = b"PAR1";

/// A footer of 32,767 row groups, the most there can be, of ten columns has about this size. Read, it takes some
/// twenty times as much memory.
const FOOTER_BYTES_MAX: u64 = 64 << 20;

/// Columns nest no deeper in any file that is meant: the decoder calls itself once a level.
const COLUMN_DEPTH_MAX: usize = 64;

/// Bytes of the names of all columns, each with those of the columns above it.
const PATH_BYTES_MAX: usize = 64 << 20;

/// More rows than a file holds. With fewer, no sum of rows can overflow.
const ROWS_MAX: i64 = 1 << 40;

/// What a file says that it holds; none where that is no Parquet, is damaged, or cannot be meant.
///
/// # Errors
/// When the file cannot be read.
pub fn footer(file: &File, options: ArrowReaderOptions) -> io::Result<Option<ArrowReaderMetadata>> {
    let bytes = file.metadata()?.len();
    let sound = tail(file, bytes)?.is_some_and(|footer| is_sound(&footer));
    if !sound {
        return Ok(None);
    }
    let read = guarded(|| ArrowReaderMetadata::load(file, options)).and_then(Result::ok);
    Ok(read.filter(|read| is_possible(read.metadata(), bytes)))
}

/// The bytes of the footer, if the file ends like Parquet.
fn tail(mut file: &File, bytes: u64) -> io::Result<Option<Vec<u8>>> {
    let Some(end) = bytes.checked_sub(TAIL_BYTES) else { return Ok(None) };
    let mut tail = [0; TAIL_BYTES as usize];
    file.seek(SeekFrom::Start(end))?;
    file.read_exact(&mut tail)?;
    let [a, b, c, d, mark @ ..] = tail;
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    let Some(start) = end.checked_sub(length).filter(|_| mark == MARK && length <= FOOTER_BYTES_MAX) else {
        return Ok(None);
    };
    let mut footer = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    file.take(length).read_to_end(&mut footer)?;
    Ok(Some(footer))
}

/// Columns of one file, with what they nest in.
const COLUMNS_MAX: usize = 10_000;

/// What a field must be. The decoder reads known fields by their number, whatever kind is written before them, so
/// another kind would let it see something else than is looked at here.
#[derive(Clone, Copy)]
enum Want {
    Integer,
    Byte,
    Flag,
    Binary,
    List,
    Of(&'static [(i64, Want)]),
}

/// `FileMetaData` of the Parquet format, without what is never encrypted here.
const FILE: &[(i64, Want)] = &[
    (1, Want::Integer),
    (2, Want::List),
    (3, Want::Integer),
    (4, Want::List),
    (5, Want::List),
    (6, Want::Binary),
    (7, Want::List),
];

/// `SchemaElement`: a column, or what columns nest in.
const COLUMN: &[(i64, Want)] = &[
    (1, Want::Integer),
    (2, Want::Integer),
    (3, Want::Integer),
    (NAME, Want::Binary),
    (CHILDREN, Want::Integer),
    (6, Want::Integer),
    (7, Want::Integer),
    (8, Want::Integer),
    (9, Want::Integer),
    (10, Want::Of(LOGICAL)),
];
const NAME: i64 = 4;
const CHILDREN: i64 = 5;

/// `LogicalType`: what the values of a column mean.
const LOGICAL: &[(i64, Want)] = &[
    (5, Want::Of(&[(1, Want::Integer), (2, Want::Integer)])),
    (7, Want::Of(&[(1, Want::Flag), (2, Want::Of(&[]))])),
    (8, Want::Of(&[(1, Want::Flag), (2, Want::Of(&[]))])),
    (10, Want::Of(&[(1, Want::Byte), (2, Want::Flag)])),
    (16, Want::Of(&[(1, Want::Byte)])),
    (17, Want::Of(&[(1, Want::Binary)])),
    (18, Want::Of(&[(1, Want::Binary), (2, Want::Integer)])),
];

/// Passes a field that must be what is wanted of its number, if anything is.
fn pass(wants: &'static [(i64, Want)], id: i64, kind: Kind, walk: &mut Walk<'_>) -> Option<()> {
    let want = wants.iter().find(|(known, _)| *known == id).map(|(_, want)| *want);
    let fits = match want {
        None => true,
        Some(Want::Integer) => kind.is_integer(),
        Some(Want::Byte) => kind.is_byte(),
        Some(Want::Flag) => kind.is_flag(),
        Some(Want::Binary) => kind == Kind::BINARY,
        Some(Want::List) => kind == Kind::LIST,
        Some(Want::Of(_)) => kind == Kind::STRUCT,
    };
    match want {
        _ if !fits => None,
        Some(Want::Of(wants)) => walk.fields(&mut |id, kind, walk| pass(wants, id, kind, walk)),
        _ => walk.skip(kind),
    }
}

/// Whether nothing in a footer is longer than its bytes, and its columns do not nest too deep.
fn is_sound(footer: &[u8]) -> bool {
    let walked = Walk::over(footer).fields(&mut |id, kind, walk| match (id, kind) {
        (2, Kind::LIST) => columns(walk),
        _ => pass(FILE, id, kind, walk),
    });
    walked.is_some()
}

/// Walks the columns, which stand in a list: each before those under it, with their number.
fn columns(walk: &mut Walk<'_>) -> Option<()> {
    let (count, kind) = walk.list()?;
    if kind != Kind::STRUCT || count > COLUMNS_MAX {
        return None;
    }
    // How many columns are still to come under each of those above, and the bytes of the names down to it.
    let mut above: Vec<(usize, usize)> = Vec::new();
    let mut paths = 0_usize;
    for left in (0..count).rev() {
        let (mut under, mut name) = (0, 0);
        walk.fields(&mut |id, kind, walk| match id {
            NAME if kind == Kind::BINARY => walk.binary().map(|bytes| name = bytes),
            CHILDREN if kind.is_integer() => walk.integer().map(|children| under = children),
            _ => pass(COLUMN, id, kind, walk),
        })?;
        let under = usize::try_from(under).ok().filter(|under| *under <= left)?;
        while above.last().is_some_and(|(to_come, _)| *to_come == 0) {
            above.pop();
        }
        let path = above.last_mut().map_or(name, |(to_come, path)| {
            *to_come -= 1;
            *path + name
        });
        paths = paths.checked_add(path).filter(|paths| *paths <= PATH_BYTES_MAX)?;
        if under > 0 {
            above.push((under, path));
        }
        if above.len() > COLUMN_DEPTH_MAX {
            return None;
        }
    }
    Some(())
}

/// Whether a file of so many bytes can hold what it says.
fn is_possible(metadata: &ParquetMetaData, bytes: u64) -> bool {
    let within = |size: i64| u64::try_from(size).is_ok_and(|size| size <= bytes);
    let rows = metadata.row_groups().iter().try_fold(0_i64, |rows, group| {
        let inside = group.columns().iter().all(|column| within(column.compressed_size()));
        let of_group = Some(group.num_rows()).filter(|rows| inside && *rows >= 0)?;
        rows.checked_add(of_group).filter(|rows| *rows <= ROWS_MAX)
    });
    rows.is_some()
}
