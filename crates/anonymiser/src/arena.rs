//! Memory for the events of a crowd: blocks of 256, cut from slabs that the system backs with large pages.

use memmap2::MmapMut;

use crate::lattice::index;

/// Events in a block: few enough to waste little where a shard holds few.
pub(crate) const BLOCK: usize = 256;

/// Blocks in a slab: 16 MiB of rests.
const SLAB_BLOCKS: usize = 8_192;

const SLAB: usize = SLAB_BLOCKS * BLOCK;

/// A column of as many numbers as there are events, slab by slab.
///
/// A gathering touches every page of it for the first time, which costs more than to write the events when a page has
/// 4 KiB; so large pages are asked for. Where the system has none to give, all is as before.
struct Column<T> {
    slabs: Vec<MmapMut>,
    of: std::marker::PhantomData<T>,
}

impl<T: bytemuck::Pod> Column<T> {
    fn new() -> Self {
        Self { slabs: Vec::new(), of: std::marker::PhantomData }
    }

    /// Memory for one more slab, which is not there before it is used.
    fn grow(&mut self) {
        #[expect(
            clippy::expect_used,
            reason = "as every other allocation, it aborts where there is no memory"
        )]
        let slab = MmapMut::map_anon(SLAB * size_of::<T>()).expect("memory for events");
        #[cfg(target_os = "linux")]
        let _ = slab.advise(memmap2::Advice::HugePage);
        self.slabs.push(slab);
    }

    #[inline]
    fn put(&mut self, position: usize, value: T) {
        let slab: &mut [T] = bytemuck::cast_slice_mut(&mut self.slabs[position / SLAB]);
        slab[position % SLAB] = value;
    }

    fn slabs(&mut self) -> Vec<&mut [T]> {
        self.slabs.iter_mut().map(|slab| bytemuck::cast_slice_mut(slab)).collect()
    }

    fn block(&self, block: u32) -> &[T] {
        let (slab, first) = (block as usize / SLAB_BLOCKS, block as usize % SLAB_BLOCKS * BLOCK);
        &bytemuck::cast_slice(&self.slabs[slab])[first..first + BLOCK]
    }
}

/// The memory of one lane: of each event the number of its person, and what it says beside that, in one word or two.
pub(crate) struct Arena {
    persons: Column<u16>,
    rests: Column<u64>,
    /// What does not fit the first word; not there where all does.
    higher: Option<Column<u64>>,
    free: Vec<u32>,
}

/// The columns of a block, as far as it is full.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a> {
    pub(crate) persons: &'a [u16],
    pub(crate) rests: &'a [u64],
    pub(crate) higher: Option<&'a [u64]>,
}

/// The memory of one lane where an event fits a word, as it is written to.
pub(crate) struct Open<'a> {
    persons: Vec<&'a mut [u16]>,
    rests: Vec<&'a mut [u64]>,
    pub(crate) free: &'a mut Vec<u32>,
}

impl Open<'_> {
    #[inline]
    pub(crate) fn put(&mut self, position: usize, person: u16, rest: u64) {
        let (slab, within) = (position / SLAB, position % SLAB);
        self.persons[slab][within] = person;
        self.rests[slab][within] = rest;
    }
}

impl Arena {
    pub(crate) fn new(wide: bool) -> Self {
        let higher = wide.then(Column::new);
        Self { persons: Column::new(), rests: Column::new(), higher, free: Vec::new() }
    }

    /// Bytes that an event takes.
    pub(crate) fn event_bytes(wide: bool) -> usize {
        size_of::<u16>() + if wide { 2 } else { 1 } * size_of::<u64>()
    }

    pub(crate) fn is_wide(&self) -> bool {
        self.higher.is_some()
    }

    /// The number of a block that nobody has.
    #[cold]
    pub(crate) fn take(&mut self) -> u32 {
        self.keep_free(1);
        self.free.pop().unwrap_or(u32::MAX)
    }

    /// Makes sure that so many blocks can be taken from the free ones.
    fn keep_free(&mut self, blocks: usize) {
        while self.free.len() < blocks {
            self.persons.grow();
            self.rests.grow();
            self.higher.iter_mut().for_each(Column::grow);
            let first = (self.rests.slabs.len() - 1) * SLAB_BLOCKS;
            // The last is taken first, and memory is touched from its beginning on. Blocks of more than 32 bits would
            // be ten terabytes.
            self.free.splice(0..0, (first..first + SLAB_BLOCKS).rev().map(index));
        }
    }

    /// Takes a block back.
    pub(crate) fn give_back(&mut self, block: u32) {
        self.free.push(block);
    }

    /// The memory laid open, for as many events as fit so many blocks to come.
    pub(crate) fn open(&mut self, blocks: usize) -> Open<'_> {
        self.keep_free(blocks);
        Open { persons: self.persons.slabs(), rests: self.rests.slabs(), free: &mut self.free }
    }

    /// Writes an event at a position, counted in events from the first block on.
    #[inline]
    pub(crate) fn put(&mut self, position: usize, person: u16, rest: u128) {
        self.persons.put(position, person);
        self.rests.put(position, low(rest));
        if let Some(higher) = &mut self.higher {
            higher.put(position, low(rest >> u64::BITS));
        }
    }

    /// The first events of a block.
    pub(crate) fn block(&self, block: u32, events: usize) -> Block<'_> {
        Block {
            persons: &self.persons.block(block)[..events],
            rests: &self.rests.block(block)[..events],
            higher: self.higher.as_ref().map(|higher| &higher.block(block)[..events]),
        }
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the lower word is asked for")]
fn low(wide: u128) -> u64 {
    wide as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_apart_and_are_used_again() {
        for wide in [false, true] {
            let mut arena = Arena::new(wide);
            let blocks: Vec<u32> = (0..SLAB_BLOCKS + 2).map(|_| arena.take()).collect();
            let rest = |block: u32, at: usize| u128::from(block) << 70 | u128::from(block) << 8 | at as u128;
            for block in &blocks {
                for at in [0, BLOCK - 1] {
                    arena.put(
                        *block as usize * BLOCK + at,
                        u16::try_from(at).expect("small"),
                        rest(*block, at),
                    );
                }
            }
            for block in &blocks {
                let events = arena.block(*block, BLOCK);
                for at in [0, BLOCK - 1] {
                    assert_eq!(usize::from(events.persons[at]), at);
                    assert_eq!(events.rests[at], low(rest(*block, at)));
                    assert_eq!(
                        events.higher.map(|higher| higher[at]),
                        wide.then(|| low(rest(*block, at) >> 64))
                    );
                }
                assert_eq!((events.rests[1], arena.block(*block, 3).persons.len()), (0, 3));
            }
            arena.give_back(blocks[3]);
            assert_eq!(arena.take(), blocks[3]);
            assert!(!blocks.contains(&arena.take()));
        }
    }
}
