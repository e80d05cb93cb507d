//! Tables that are kept as data: postal codes by residence, and trips between communes, each at one time.

#![allow(dead_code, reason = "each bench uses a part of it")]

use std::{collections::BTreeMap, fs::File, io::Read, path::Path};

use throng_anonymiser::{Lattice, Numbers, Pattern, Rule, Safety};

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
        Rule { k: 20, counts_per_device: 1, safety }
    }

    /// What a pattern withholds, in a line.
    pub(crate) fn account(&self, name: &str, safety: Safety, pattern: &Pattern) -> String {
        let of = |small: bool| {
            let withheld = |column: &usize| pattern.withholds(&self.lattice, *column);
            let of = |column: &usize| pattern.is_small(&self.lattice, *column) == small;
            (0..self.columns.len()).filter(withheld).filter(of).count()
        };
        let (numbers, certified) = (self.columns.len(), pattern.certified());
        let (small, further) = (of(true), of(false));
        format!(
            "{name}, {safety:?}: of {numbers} numbers {small} are small, {further} more withheld, {certified} distinct ones certified"
        )
    }
}
