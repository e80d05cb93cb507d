//! Memory for the events of a crowd: blocks of 4 KiB, cut from slabs that the system backs with large pages.

use memmap2::MmapMut;

use crate::layout::Event;

/// Events in a block. Blocks of 4 KiB waste little where a shard holds few.
pub(crate) const BLOCK: usize = 256;

/// Blocks in a slab, 32 MiB.
const SLAB_BLOCKS: usize = 8_192;

const SLAB: usize = SLAB_BLOCKS * BLOCK;

/// The memory of one lane.
///
/// A gathering touches every page of it for the first time, which costs more than to write the events when a page has
/// 4 KiB; so large pages are asked for. Where the system has none to give, all is as before.
#[derive(Default)]
pub(crate) struct Arena {
    slabs: Vec<MmapMut>,
    cut: usize,
    free: Vec<u32>,
}

impl Arena {
    /// The number of a block that nobody has.
    #[cold]
    pub(crate) fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            if self.cut == self.slabs.len() * SLAB_BLOCKS {
                self.slabs.push(slab());
            }
            self.cut += 1;
            u32::try_from(self.cut - 1).unwrap_or(u32::MAX)
        })
    }

    /// Takes a block back.
    pub(crate) fn give_back(&mut self, block: u32) {
        self.free.push(block);
    }

    /// Writes an event at a position, counted in events from the first block on.
    #[inline]
    pub(crate) fn put(&mut self, position: usize, event: Event) {
        let slab: &mut [Event] = bytemuck::cast_slice_mut(&mut self.slabs[position / SLAB]);
        slab[position % SLAB] = event;
    }

    /// The events of a block.
    pub(crate) fn block(&self, block: u32) -> &[Event] {
        let (slab, first) = (block as usize / SLAB_BLOCKS, block as usize % SLAB_BLOCKS * BLOCK);
        &bytemuck::cast_slice(&self.slabs[slab])[first..first + BLOCK]
    }
}

/// Memory that is not there before it is used.
fn slab() -> MmapMut {
    #[expect(clippy::expect_used, reason = "as every other allocation, it aborts where there is no memory")]
    let slab = MmapMut::map_anon(SLAB * size_of::<Event>()).expect("memory for events");
    #[cfg(target_os = "linux")]
    let _ = slab.advise(memmap2::Advice::HugePage);
    slab
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_apart_and_are_used_again() {
        let mut arena = Arena::default();
        let blocks: Vec<u32> = (0..SLAB_BLOCKS + 2).map(|_| arena.take()).collect();
        for block in &blocks {
            for at in [0, BLOCK - 1] {
                arena.put(*block as usize * BLOCK + at, Event::from(*block) << 8 | at as Event);
            }
        }
        for block in &blocks {
            let events = arena.block(*block);
            assert_eq!((events[0], events[1]), (Event::from(*block) << 8, 0));
            assert_eq!(events[BLOCK - 1], Event::from(*block) << 8 | (BLOCK - 1) as Event);
        }
        arena.give_back(blocks[3]);
        assert_eq!((arena.take(), arena.take() as usize), (blocks[3], SLAB_BLOCKS + 2));
    }
}
