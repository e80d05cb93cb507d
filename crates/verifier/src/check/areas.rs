//! Presence of places and of occasions' areas as one table of sums: an area may be cut out of postal codes.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::{
    check::hidden::{Told, covered},
    found::Found,
    incidence::Incidence,
    node::Node,
    occasions::{Class, Measure, Occasions},
    part::{Cell, Part, Row, Time},
    release::Release,
};

pub(crate) const EXACT: &str =
    "no withheld number follows from presence of places and occasions together by adding and subtracting";
pub(crate) const SMALL: &str =
    "no withheld number can be shown to be under k by presence of places and occasions together";
pub(crate) const PIECE: &str =
    "no part of a postal code that an occasion cuts can be shown to hold 1 to k - 1";
const CONTRADICTION: &str = "some table of counts has the published presence of places and occasions";

/// Looks at every instant of a day at which there is an occasion.
pub(crate) fn rules(presence: &Part, occasions: &Occasions, release: &Release, found: &mut Found) {
    let Some(first) = presence.rows.values().next() else { return };
    let areas = Areas::of(occasions, &covered(first), release);
    let of_instants: Vec<Found> = presence
        .rows
        .par_iter()
        .filter(|(_, row)| covered(row) == areas.covered)
        .filter_map(|(time, row)| areas.at(*time, row, occasions, release))
        .collect();
    of_instants.into_iter().for_each(|of_instant| found.merge(of_instant));
}

/// The finest places with coverage, cut where an occasion cuts them.
struct Areas {
    covered: Vec<bool>,
    atoms: usize,
    /// By place.
    of_places: Vec<Vec<usize>>,
    /// By occasion.
    of_occasions: Vec<Vec<usize>>,
    /// Of places that are cut, each with its place.
    pieces: Vec<(Node, usize)>,
}

impl Areas {
    fn of(occasions: &Occasions, covered: &[bool], release: &Release) -> Self {
        let places = &release.places;
        // The parts that are named, of each place that is cut, and into how many it is.
        let mut cuts: BTreeMap<Node, (BTreeSet<i32>, i32)> = BTreeMap::new();
        for piece in occasions.all.iter().flat_map(|occasion| &occasion.pieces) {
            let (named, parts) = cuts.entry(piece.place).or_default();
            named.insert(piece.part);
            *parts = piece.parts;
        }
        let mut areas = Self {
            covered: covered.to_vec(),
            atoms: 0,
            of_places: vec![Vec::new(); places.len()],
            of_occasions: vec![Vec::new(); occasions.all.len()],
            pieces: Vec::new(),
        };
        let mut atom_of: BTreeMap<(Node, i32), usize> = BTreeMap::new();
        let finest = |place: &Node| covered[*place] && !places.children[*place].iter().any(|c| covered[*c]);
        for place in (0..places.len()).filter(finest) {
            let (named, parts) = cuts.remove(&place).unwrap_or_default();
            let rest = usize::try_from(parts).map_or(0, |parts| parts.saturating_sub(named.len()).min(1));
            let count = (named.len() + rest).max(1);
            let atoms = areas.atoms..areas.atoms + count;
            areas.atoms += count;
            atom_of.extend(named.into_iter().zip(atoms.clone()).map(|(part, atom)| ((place, part), atom)));
            for above in places.chain(place) {
                areas.of_places[above].extend(atoms.clone());
            }
            if count > 1 {
                areas.pieces.extend(atoms.map(|atom| (place, atom)));
            }
        }
        for (occasion, atoms) in occasions.all.iter().zip(&mut areas.of_occasions) {
            let inside = occasion.pieces.iter().filter_map(|piece| atom_of.get(&(piece.place, piece.part)));
            atoms.extend(inside);
        }
        areas
    }

    /// What one instant tells; none where there is no occasion.
    fn at(&self, time: Time, row: &Row, occasions: &Occasions, release: &Release) -> Option<Found> {
        let everybody = Class::Residence(release.places.all_node());
        let (mut columns, mut cells, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for (occasion, atoms) in self.of_occasions.iter().enumerate().filter(|(_, atoms)| !atoms.is_empty()) {
            let cell = occasions.cell(occasion, Measure::Presence, time.1, everybody);
            if cell.people().is_some() || cell == Cell::Withheld {
                columns.push(atoms.clone());
                cells.push(cell);
                names.push(format!("occasion {}", occasions.all[occasion].code));
            }
        }
        if columns.is_empty() {
            return None;
        }
        for (place, atoms) in self.of_places.iter().enumerate().filter(|(_, atoms)| !atoms.is_empty()) {
            columns.push(atoms.clone());
            cells.push(row[place]);
            names.push(release.places.said(place));
        }
        let shown = columns.len();
        for (place, atom) in &self.pieces {
            columns.push(vec![*atom]);
            cells.push(Cell::Withheld);
            names.push(format!("part of {}", release.places.said(*place)));
        }
        let told = Told::of(&Incidence::new(self.atoms, columns), &cells, release, false);
        Some(judge(&told, shown, release, |column| format!("{}, {}", names[column], release.said(time))))
    }
}

fn judge(told: &Told, shown: usize, release: &Release, said: impl Fn(usize) -> String) -> Found {
    let mut found = Found::default();
    for column in told.withheld.iter().filter(|column| **column < shown) {
        let exact = told.algebra.columns.binary_search(column).is_ok();
        found.look(EXACT, exact, || said(*column));
    }
    let Ok(bounds) = &told.bounds else {
        found.look(CONTRADICTION, true, || said(0));
        return found;
    };
    for column in &told.withheld {
        let bounds = bounds[*column];
        let small = bounds.most < release.k;
        match *column < shown {
            true => found.look(SMALL, small, || said(*column)),
            false => found.look(PIECE, small && bounds.least > 0, || said(*column)),
        }
    }
    found
}
