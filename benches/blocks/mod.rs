//! Tables that are kept as data: postal codes by residence, and trips between communes, each at one time.

#![allow(dead_code, reason = "each bench uses a part of it")]

use std::{collections::BTreeMap, fs::File, io::Read, path::Path};

use throng_anonymiser::{Lattice, Numbers, Pattern, Rule, Safety};
use throng_verifier::{Incidence, recovered};

/// The threshold of the tables that are kept.
const K: u64 = 20;

/// One table at one time, with the columns that a report over it would show.
pub(crate) struct Block {
    pub(crate) lattice: Lattice,
    pub(crate) columns: Vec<Vec<u32>>,
    /// How coarse each column is, by place and by residence: 0 is the finest.
    pub(crate) levels: Vec<(usize, usize)>,
    pub(crate) atoms: Vec<u64>,
}

impl Block {
    /// `data-samples/disclosure/NAME-block.csv.gz`.
    ///
    /// # Panics
    /// When the file is not what it should be.
    pub(crate) fn read(name: &str) -> Self {
        let file = format!("data-samples/disclosure/{name}-block.csv.gz");
        let file = File::open(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("a block");
        let mut text = String::new();
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("text");
        let (head, rows) = text.split_once('\n').expect("a header");
        Self::parse(head, rows.lines())
    }

    /// The table of a CSV with a row for each atom: the places above it (`pc, com, prov, reg`), its class of residence
    /// and what is above that (`res, rprov, rreg, nat`, as far as there), and its number (`n`).
    pub(crate) fn parse<'a>(head: &str, rows: impl Iterator<Item = &'a str>) -> Self {
        let head: Vec<&str> = head.trim().split(',').collect();
        let at = |wanted: &str| head.iter().position(|column| *column == wanted);
        // What a row is, from fine to coarse, by place and by residence.
        let places = ["pc", "com", "prov", "reg"].map(|column| at(column).expect("a place"));
        let classes: Vec<usize> =
            ["res", "rprov", "rreg", "nat"].iter().filter_map(|column| at(column)).collect();
        let number = at("n").expect("a number");
        let mut columns: BTreeMap<(usize, String, usize, String), Vec<u32>> = BTreeMap::new();
        let mut atoms = Vec::new();
        for line in rows {
            let row: Vec<&str> = line.trim().split(',').collect();
            let atom = u32::try_from(atoms.len()).expect("small");
            atoms.push(row[number].parse().expect("a number"));
            let above = |columns: &[usize], top: &str| -> Vec<(usize, String)> {
                let named =
                    columns.iter().enumerate().map(|(depth, column)| (depth, row[*column].to_owned()));
                named.chain([(columns.len(), top.to_owned())]).collect()
            };
            for (depth, place) in above(&places, "BE") {
                for (level, class) in above(&classes, "all") {
                    columns.entry((depth, place.clone(), level, class)).or_default().push(atom);
                }
            }
        }
        let levels = columns.keys().map(|(place, _, class, _)| (*place, *class)).collect();
        let columns: Vec<Vec<u32>> = columns.into_values().collect();
        Self { lattice: Lattice::new(atoms.len(), &columns), columns, levels, atoms }
    }

    pub(crate) fn numbers(&self) -> Numbers<'_> {
        Numbers { atoms: &self.atoms, devices: None, withheld: None }
    }

    pub(crate) fn rule(&self, safety: Safety) -> Rule {
        Rule { k: K, counts_per_device: 1, safety }
    }

    fn number(&self, column: usize) -> u64 {
        self.columns[column].iter().map(|atom| self.atoms[*atom as usize]).sum()
    }

    /// How many withheld numbers follow from the others by adding and subtracting, as a stranger finds out.
    fn recovered(&self, withholds: impl Fn(usize) -> bool) -> (usize, usize) {
        let columns = self.columns.iter().map(|atoms| atoms.iter().map(|atom| *atom as usize));
        let incidence = Incidence::new(self.atoms.len(), columns);
        let published: Vec<bool> = (0..self.columns.len()).map(|column| !withholds(column)).collect();
        let withheld = published.iter().filter(|published| !**published).count();
        (recovered(&incidence, &published).columns.len(), withheld)
    }

    /// What comes back where small numbers are left out, and nothing else.
    pub(crate) fn account_of_leaving_out(&self, name: &str) -> String {
        let (recovered, withheld) = self.recovered(|column| self.number(column) < K);
        format!("{name}, small numbers left out alone: {withheld} withheld, {recovered} of them told exactly")
    }

    /// What a pattern withholds.
    pub(crate) fn account(&self, name: &str, safety: Safety, pattern: &Pattern) -> String {
        let withholds = |column: usize| pattern.withholds(&self.lattice, column);
        let (recovered, withheld) = self.recovered(withholds);
        let small = (0..self.columns.len()).filter(|column| pattern.is_small(&self.lattice, *column)).count();
        let (further, certified) = (withheld - small, pattern.certified());
        let numbers = self.columns.len();
        format!(
            "{name}, {safety:?}: of {numbers} numbers {small} are small, {further} more withheld; \
             {recovered} told exactly; {certified} distinct small ones certified"
        )
    }

    /// How many withheld numbers the witnesses show at k or more, and how many at nobody.
    pub(crate) fn account_of_witnesses(&self, pattern: &Pattern) -> String {
        let witnesses = pattern.witnesses(&self.lattice, &self.atoms);
        let mut reach: Vec<(u64, u64)> =
            (0..self.columns.len()).map(|column| (self.number(column), self.number(column))).collect();
        let above: Vec<Vec<usize>> = {
            let mut above = vec![Vec::new(); self.atoms.len()];
            for (column, atoms) in self.columns.iter().enumerate() {
                atoms.iter().for_each(|atom| above[*atom as usize].push(column));
            }
            above
        };
        for witness in &witnesses {
            let mut sums: BTreeMap<usize, i128> = BTreeMap::new();
            for (atom, devices) in witness {
                let by = i128::from(*devices) - i128::from(self.atoms[*atom as usize]);
                above[*atom as usize].iter().for_each(|column| *sums.entry(*column).or_default() += by);
            }
            for (column, by) in sums {
                let sum = u64::try_from(i128::from(self.number(column)) + by).expect("nothing is negative");
                let (most, least) = &mut reach[column];
                (*most, *least) = (sum.max(*most), sum.min(*least));
            }
        }
        let withheld: Vec<usize> =
            (0..self.columns.len()).filter(|column| pattern.withholds(&self.lattice, *column)).collect();
        let of =
            |is: &dyn Fn((u64, u64)) -> bool| withheld.iter().filter(|column| is(reach[**column])).count();
        format!(
            "{} witnesses: of {} withheld numbers {} can be k or more, {} can be nobody",
            witnesses.len(),
            withheld.len(),
            of(&|(most, _)| most >= K),
            of(&|(_, least)| least == 0)
        )
    }
}
