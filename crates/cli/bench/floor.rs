//! The floor: what it costs to decode the three columns of the same files, or to decompress them and find their fields,
//! with the same libraries and threads, and to do nothing else.

use std::{
    fs::File,
    hint::black_box,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::Context;
use parquet::arrow::{
    ProjectionMask,
    arrow_reader::{
        ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    },
};

/// The columns of an event.
pub(crate) const COLUMNS: [&str; 3] = ["event_time", "subscriber_id", "cell_id"];

/// Rows decoded, and bytes decompressed, at a time.
const BATCH_ROWS: usize = 8_192;
pub(crate) const BLOCK_BYTES: usize = 1 << 17;

/// A part of the work that one thread does.
pub(crate) enum Task {
    RowGroup(PathBuf, ArrowReaderMetadata, usize),
    Text(PathBuf),
}

/// What the threads share out: row groups, or whole files of text.
pub(crate) fn tasks(files: &[PathBuf]) -> anyhow::Result<Vec<Task>> {
    let mut tasks = Vec::new();
    for path in files {
        if path.extension().is_some_and(|ending| ending == "parquet") {
            let file = File::open(path).with_context(|| path.display().to_string())?;
            let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::default())?;
            let groups = 0..metadata.metadata().num_row_groups();
            tasks.extend(groups.map(|group| Task::RowGroup(path.clone(), metadata.clone(), group)));
        } else {
            tasks.push(Task::Text(path.clone()));
        }
    }
    Ok(tasks)
}

/// Decodes every file on as many threads as the current pool has; gives the rows, or the lines, headers among them.
pub(crate) fn decode(files: &[PathBuf]) -> anyhow::Result<u64> {
    let tasks = tasks(files)?;
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Ok(0)));
    rayon::broadcast(|_| {
        while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            let rows = match task {
                Task::RowGroup(path, metadata, group) => row_group(path, metadata, *group),
                Task::Text(path) => text(path),
            };
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            *done = std::mem::replace(&mut *done, Ok(0)).and_then(|sum| Ok(sum + rows?));
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn row_group(path: &Path, metadata: &ArrowReaderMetadata, group: usize) -> anyhow::Result<u64> {
    let mut rows = 0;
    for batch in reader(path, metadata.clone(), group)? {
        rows += black_box(batch?).num_rows() as u64;
    }
    Ok(rows)
}

/// Decodes the three columns of a row group.
pub(crate) fn reader(
    path: &Path,
    metadata: ArrowReaderMetadata,
    group: usize,
) -> anyhow::Result<ParquetRecordBatchReader> {
    let mask = ProjectionMask::columns(metadata.parquet_schema(), COLUMNS);
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(File::open(path)?, metadata)
        .with_projection(mask)
        .with_row_groups(vec![group])
        .with_batch_size(BATCH_ROWS);
    Ok(reader.build()?)
}

/// The text of a file, decompressed by its ending.
pub(crate) fn decompress(path: &Path) -> anyhow::Result<Box<dyn Read>> {
    let file = BufReader::with_capacity(BLOCK_BYTES, File::open(path)?);
    Ok(match path.extension().and_then(|ending| ending.to_str()) {
        Some("gz") => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        Some("zst") => Box::new(zstd::stream::read::Decoder::with_buffer(file)?),
        _ => Box::new(file),
    })
}

fn text(path: &Path) -> anyhow::Result<u64> {
    let mut reader = decompress(path)?;
    let (mut block, mut rows, mut fields) = (vec![0; BLOCK_BYTES], 0_u64, 0_u64);
    loop {
        let read = match reader.read(&mut block) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        for at in memchr::memchr3_iter(b',', b'\n', b'"', &block[..read]) {
            fields = fields.wrapping_add(at as u64);
            rows += u64::from(block[at] == b'\n');
        }
    }
    black_box(fields);
    Ok(rows)
}
