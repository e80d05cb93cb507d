//! What came out of the exit: numbers that may be read, shaped and written.

use throng_schema::{Grid, Status};

/// A cell after protection. Why a number is withheld is not told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell {
    Published(u64),
    Withheld,
    NoCoverage,
}

/// How much was withheld, for the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Withheld {
    /// Cells with fewer devices than the threshold, nobody included.
    pub too_few: u64,
    /// Cells withheld to protect those.
    pub protective: u64,
}

/// Published devices by time and place. There is no way to make one but
/// [`CountTable::protect`](crate::CountTable::protect).
pub struct ProtectedTable {
    pub(crate) grid: Grid,
    pub(crate) cells: Vec<Cell>,
    pub(crate) withheld: Withheld,
}

impl ProtectedTable {
    /// The times by the places.
    #[must_use]
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// What a reader may know of a place at a time.
    #[must_use]
    pub fn status(&self, time: usize, place: usize) -> Status {
        match self.cells[self.grid.slot(time, place).0] {
            Cell::Published(_) => Status::Published,
            Cell::Withheld => Status::Withheld,
            Cell::NoCoverage => Status::NoCoverage,
        }
    }

    /// How many devices were counted, where that may be known.
    #[must_use]
    pub fn published(&self, time: usize, place: usize) -> Option<u64> {
        match self.cells[self.grid.slot(time, place).0] {
            Cell::Published(devices) => Some(devices),
            Cell::Withheld | Cell::NoCoverage => None,
        }
    }

    /// How much was withheld. For the ledger, which never leaves.
    #[must_use]
    pub fn withheld(&self) -> Withheld {
        self.withheld
    }
}
