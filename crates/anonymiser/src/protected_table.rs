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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Cells with fewer devices than the threshold, nobody included.
    pub too_few: u64,
    /// Cells withheld to protect those.
    pub protective: u64,
    /// Devices in all cells of each group of columns, added up over times.
    pub devices: Vec<u64>,
    /// Devices in the withheld ones among them.
    pub withheld_devices: Vec<u64>,
}

impl Account {
    pub(crate) fn new(groups: &[usize]) -> Self {
        let n = groups.iter().max().map_or(0, |last| last + 1);
        Self { devices: vec![0; n], withheld_devices: vec![0; n], ..Self::default() }
    }

    pub(crate) fn add(&mut self, group: usize, devices: u64, withheld: bool, small: bool) {
        self.devices[group] += devices;
        if withheld {
            self.withheld_devices[group] += devices;
            *(if small { &mut self.too_few } else { &mut self.protective }) += 1;
        }
    }
}

/// Published devices by time and place. There is no way to make one but [`protect`](crate::protect).
pub struct ProtectedTable {
    pub(crate) grid: Grid,
    pub(crate) cells: Vec<Cell>,
    /// What the devices of each cell weigh, where they are weighed. It is shown where the cell is.
    pub(crate) weights: Vec<u64>,
    pub(crate) account: Account,
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

    /// What they weigh together, in millionths of people: 0 where nobody is weighed.
    #[must_use]
    pub fn weight(&self, time: usize, place: usize) -> Option<u64> {
        let slot = self.grid.slot(time, place).0;
        self.published(time, place).map(|_| self.weights.get(slot).copied().unwrap_or_default())
    }

    /// How much was withheld. For the ledger, which never leaves.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }
}

/// A published number of two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// At which time.
    pub time: usize,
    /// Node of the first side.
    pub row: u32,
    /// Node of the second.
    pub column: u32,
    /// How many devices, or trips, were counted.
    pub devices: u64,
    /// What they weigh together, in millionths of people: 0 where nobody is weighed.
    pub weight: u64,
}

/// The published numbers of a sparse table, in the order of times, rows and columns; whatever is not here is withheld.
/// There is no way to make one but [`protect`](crate::protect).
#[derive(Default)]
pub struct ProtectedPairs {
    pub(crate) pairs: Vec<Pair>,
    pub(crate) account: Account,
}

impl ProtectedPairs {
    /// The published numbers.
    #[must_use]
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// How much was withheld. For the ledger, which never leaves.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }
}

/// A table that might have been: it agrees with every published number, and shows withheld ones at k or more, or at
/// nobody. For the ledger, which never leaves: where it does not differ from the true table it tells it.
pub struct Witness {
    /// Which of the protected tables.
    pub table: usize,
    /// At which of its times.
    pub time: usize,
    /// Its number among the witnesses of that time; number 0 is the true table.
    pub number: usize,
    /// Devices by slot of the table. Number 0 names every slot where there is somebody, the others those in which
    /// they differ from it.
    pub devices: Vec<(usize, u64)>,
}

/// All that came out of the exit.
pub struct Protected {
    /// What may be read, shaped and written: the tables, in the order of the counts.
    pub tables: Vec<ProtectedTable>,
    /// The sparse ones, in their order.
    pub pairs: Vec<ProtectedPairs>,
    /// Why that is safe: for the ledger alone.
    pub witnesses: Vec<Witness>,
}
