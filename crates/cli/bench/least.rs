//! The least of a run that keeps events in memory: whatever counts people has to bring together what belongs to one of
//! them. Here the files are decoded, eight bytes are kept of each event, those of a person are laid together, and each
//! event raises a counter; nothing is asked, checked, protected or written. What it takes beside bare decoding is about
//! what a run of this design could reach at best, however it is written.
//!
//! It is kinder than any run could be: identifiers and cells are told apart by a few bits of a hash, times are not
//! parsed where they are text, no event is put into the order of time, no stay is formed, and who was in a place twice
//! counts twice. Text has no quotes, and each of its lines is an event, the first too.

use std::{
    hint::black_box,
    io::Read,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::Context;
use arrow::{
    array::{Array, AsArray},
    datatypes::{DataType, Field, Int32Type, Schema},
};
use memmap2::MmapMut;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};

use super::floor::{self, BLOCK_BYTES, COLUMNS, Task};

/// People lie in so many shards, so that the events of one fit the cache.
const SHARD_BITS: u32 = 11;
const SHARDS: usize = 1 << SHARD_BITS;

/// Events written one after the other, and such blocks in a slab of 16 MiB.
const BLOCK: usize = 256;
const SLAB_BLOCKS: usize = 8_192;

/// Bits of a person by which the events of a shard are laid together.
const PERSON_BITS: u32 = 10;

/// Counters: instants by postal codes, about as many as Belgium has.
const INSTANTS: usize = 96;
const PLACES: usize = 1_146;

/// The events of a thread, eight bytes each: 16 bits of the person, 16 of the cell, 32 of the time.
struct Heap {
    slabs: Vec<MmapMut>,
    blocks: Vec<Vec<u32>>,
    cursors: Vec<usize>,
    begun: usize,
}

impl Heap {
    fn new() -> Self {
        Self { slabs: Vec::new(), blocks: vec![Vec::new(); SHARDS], cursors: vec![0; SHARDS], begun: 0 }
    }

    #[inline]
    fn keep(&mut self, person: u64, cell: u64, at: u64) -> anyhow::Result<()> {
        let shard = usize::try_from(person >> (u64::BITS - SHARD_BITS))?;
        if self.cursors[shard].is_multiple_of(BLOCK) {
            self.begin(shard)?;
        }
        let (slab, within) =
            (self.cursors[shard] / (BLOCK * SLAB_BLOCKS), self.cursors[shard] % (BLOCK * SLAB_BLOCKS));
        let words: &mut [u64] = bytemuck::cast_slice_mut(&mut self.slabs[slab]);
        words[within] = (person & 0xffff) << 48 | (cell & 0xffff) << 32 | (at & u64::from(u32::MAX));
        self.cursors[shard] += 1;
        Ok(())
    }

    #[cold]
    fn begin(&mut self, shard: usize) -> anyhow::Result<()> {
        if self.begun == self.slabs.len() * SLAB_BLOCKS {
            let slab = MmapMut::map_anon(SLAB_BLOCKS * BLOCK * size_of::<u64>())?;
            #[cfg(target_os = "linux")]
            let _ = slab.advise(memmap2::Advice::HugePage);
            self.slabs.push(slab);
        }
        self.blocks[shard].push(u32::try_from(self.begun)?);
        self.cursors[shard] = self.begun * BLOCK;
        self.begun += 1;
        Ok(())
    }

    /// The events of a shard, block by block.
    fn of(&self, shard: usize) -> impl Iterator<Item = &[u64]> {
        let (blocks, last) = (&self.blocks[shard], self.cursors[shard] % BLOCK);
        blocks.iter().enumerate().map(move |(i, block)| {
            let words: &[u64] = bytemuck::cast_slice(&self.slabs[*block as usize / SLAB_BLOCKS]);
            let first = *block as usize % SLAB_BLOCKS * BLOCK;
            let open = i + 1 == blocks.len() && last > 0;
            &words[first..first + if open { last } else { BLOCK }]
        })
    }
}

/// Does it on as many threads as the current pool has; gives the events.
pub(crate) fn run(files: &[PathBuf]) -> anyhow::Result<u64> {
    let tasks = floor::tasks(files)?;
    let (next, heaps) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let read = rayon::broadcast(|_| -> anyhow::Result<()> {
        let mut heap = Heap::new();
        while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            match task {
                Task::RowGroup(path, metadata, group) => row_group(path, metadata, *group, &mut heap)?,
                Task::Text(path) => text(path, &mut heap)?,
            }
        }
        heaps.lock().unwrap_or_else(PoisonError::into_inner).push(heap);
        Ok(())
    });
    read.into_iter().collect::<anyhow::Result<()>>()?;
    let heaps = heaps.into_inner().unwrap_or_else(PoisonError::into_inner);
    let next = AtomicUsize::new(0);
    let counted = rayon::broadcast(|_| {
        let (mut counters, mut together) = (vec![0_u32; INSTANTS * PLACES], Vec::new());
        let mut events = 0;
        loop {
            let shard = next.fetch_add(1, Ordering::Relaxed);
            if shard >= SHARDS {
                black_box(counters);
                return events;
            }
            events += count(&heaps, shard, &mut together, &mut counters);
        }
    });
    Ok(counted.into_iter().sum())
}

/// Lays the events of each person of a shard together, as far as ten bits tell people apart, and counts each event at its
/// time and place.
fn count(heaps: &[Heap], shard: usize, together: &mut Vec<u64>, counters: &mut [u32]) -> u64 {
    let digit = |event: u64| (event >> 48) as usize % (1 << PERSON_BITS);
    let mut next = [0_usize; 1 << PERSON_BITS];
    heaps.iter().flat_map(|heap| heap.of(shard)).flatten().for_each(|event| next[digit(*event)] += 1);
    let events = next.iter_mut().fold(0, |start, count| start + std::mem::replace(count, start));
    if together.len() < events {
        together.resize(events, 0);
    }
    for event in heaps.iter().flat_map(|heap| heap.of(shard)).flatten() {
        let at = &mut next[digit(*event)];
        together[*at] = *event;
        *at += 1;
    }
    for event in &together[..events] {
        let (instant, place) = ((event >> 18) as usize % INSTANTS, (event >> 32 & 0xffff) as usize % PLACES);
        let counter = &mut counters[instant * PLACES + place];
        *counter = counter.wrapping_add(1);
    }
    events as u64
}

/// A few multiplications: as cheap as a hash can be.
#[inline]
fn hash(bytes: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = ODD ^ bytes.len() as u64;
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(ODD);
        hash ^= hash >> 29;
    }
    hash.wrapping_mul(ODD)
}

fn row_group(
    path: &Path,
    metadata: &ArrowReaderMetadata,
    group: usize,
    heap: &mut Heap,
) -> anyhow::Result<()> {
    // Dictionaries stay what they are, so that a hash is made once for each entry.
    let coded = |field: &Arc<Field>| match field.data_type() {
        DataType::Utf8 => {
            let coded = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            Arc::new(field.as_ref().clone().with_data_type(coded))
        }
        _ => Arc::clone(field),
    };
    let schema = Schema::new(metadata.schema().fields().iter().map(coded).collect::<Vec<_>>());
    let options = ArrowReaderOptions::new().with_schema(Arc::new(schema));
    let metadata = ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options)?;
    let (mut persons, mut cells) = (Entries::default(), Entries::default());
    for batch in floor::reader(path, metadata, group)? {
        let batch = batch?;
        let column = |name: &str| batch.column_by_name(name).with_context(|| format!("no column {name}"));
        let [of_persons, of_cells] = [column(COLUMNS[1])?, column(COLUMNS[2])?];
        let (of_persons, of_cells) = (persons.hashes(of_persons)?, cells.hashes(of_cells)?);
        let times = column(COLUMNS[0])?.to_data();
        let times = &times.buffers()[0].typed_data::<i64>()[times.offset()..][..times.len()];
        for ((at, person), cell) in times.iter().zip(of_persons).zip(of_cells) {
            heap.keep(person, cell, at.cast_unsigned() >> 12)?;
        }
    }
    Ok(())
}

/// The hashes of a dictionary's entries, which several batches have in common.
#[derive(Default)]
struct Entries {
    of: Option<Arc<dyn Array>>,
    hashes: Vec<u64>,
}

impl Entries {
    /// A hash for each row of a column of text.
    fn hashes(&mut self, column: &dyn Array) -> anyhow::Result<impl Iterator<Item = u64>> {
        let coded = column.as_dictionary_opt::<Int32Type>().context("a column that is no text")?;
        let same = |known: &Arc<dyn Array>| known.to_data().ptr_eq(&coded.values().to_data());
        if !self.of.as_ref().is_some_and(same) {
            let values = coded.values().as_string_opt::<i32>().context("a dictionary that is no text")?;
            self.hashes = values.iter().map(|value| hash(value.unwrap_or_default().as_bytes())).collect();
            self.of = Some(Arc::clone(coded.values()));
        }
        let of = |key: &i32| usize::try_from(*key).ok().and_then(|key| self.hashes.get(key)).copied();
        Ok(coded.keys().values().iter().map(move |key| of(key).unwrap_or_default()))
    }
}

/// Lines whose first three fields are those of an event.
fn text(path: &Path, heap: &mut Heap) -> anyhow::Result<()> {
    let mut reader = floor::decompress(path)?;
    let (mut block, mut kept) = (vec![0; BLOCK_BYTES], 0);
    loop {
        let read = reader.read(&mut block[kept..]).with_context(|| path.display().to_string())?;
        let filled = kept + read;
        let (mut line, mut field, mut fields) = (0, 0, [0; 3]);
        for at in memchr::memchr2_iter(b',', b'\n', &block[..filled]) {
            if let Some(end) = fields.get_mut(field) {
                *end = at;
            }
            field += 1;
            if block[at] == b'\n' {
                if let (Some(time), Some(person), Some(cell)) = (
                    block.get(line..fields[0]),
                    block.get(fields[0] + 1..fields[1]),
                    block.get(fields[1] + 1..fields[2]),
                ) {
                    heap.keep(hash(person), hash(cell), hash(time))?;
                }
                (line, field) = (at + 1, 0);
            }
        }
        if read == 0 || (line == 0 && filled == block.len()) {
            return Ok(());
        }
        block.copy_within(line..filled, 0);
        kept = filled - line;
    }
}
