//! Exchanges: moving devices between atoms so that every published number stays as it is.
//!
//! An exchange that adds devices to a primary class turns the true table into a *witness*: another table of
//! non-negative integers with the same published numbers, in which that class is not small. Along a cycle of the
//! table (one more here, one less beside it, one less below, one more across) it is found without any linear
//! programme, and is integral by construction.
//!
//! The search adds an atom, looks for the smallest published class that is now out of balance, and mends it: by an
//! atom of it that moves the other way, or by withholding the class for a price. It is a depth-first search for the
//! cheapest way, bounded by the best found so far and by a number of steps, so that it always ends and gives the
//! same answer on every machine.

use crate::lattice::{Lattice, Sets, index};

/// Devices moved in one atom: more or fewer.
pub(crate) type Move = (u32, i64);

/// A change of the true table that leaves every published number as it is.
#[derive(Clone, Default)]
pub(crate) struct Exchange {
    pub(crate) moves: Vec<Move>,
    /// The classes whose sums it changes; all of them are withheld.
    pub(crate) touched: Vec<u32>,
}

impl Exchange {
    fn new(moves: Vec<Move>, lattice: &Lattice) -> Self {
        let mut exchange = Self { moves: summed(moves), touched: Vec::new() };
        exchange.touched = exchange.sums(lattice).into_iter().map(|(class, _)| class).collect();
        exchange
    }

    /// By how much the sum of each class changes that changes at all.
    pub(crate) fn sums(&self, lattice: &Lattice) -> Vec<(u32, i64)> {
        let above = |(atom, by): &Move| {
            let by = *by;
            lattice.classes_of.of(*atom as usize).iter().map(move |class| (*class, by))
        };
        summed(self.moves.iter().flat_map(above).collect())
    }
}

/// What an exchange has to reach.
#[derive(Clone, Copy)]
pub(crate) struct Wish {
    /// The class.
    pub(crate) class: u32,
    /// How many devices it is to gain (or to lose).
    pub(crate) devices: u64,
    /// A class that must stay as it is.
    pub(crate) spared: Option<u32>,
    /// Offers must cost less.
    pub(crate) below: u64,
}

/// Atoms in one cycle: first short ones, whose price bounds the search for longer ones. Six reach across two
/// dimensions and back; eight find 1 % more and take twice as long.
const CYCLES: &[usize] = &[4, 6];
/// In a tree every exchange is made of pairs: what one atom gains, another loses.
const CYCLES_IN_A_TREE: &[usize] = &[2];

/// Steps of a search for an exchange that costs nothing, for one that costs something, and for each part of one
/// that gathers from several atoms. Chosen on tables of 20,000 columns, where five times more gain about 1 %.
const STEPS_FREE: u32 = 200;
const STEPS_PRICED: u32 = 1_000;
const STEPS_PART: u32 = 150;

/// How many atoms are tried to mend a class: those that put the least out of balance.
const BEAM: usize = 12;

/// From how many atoms of a class a search may begin.
const BEGINNINGS: usize = 12;

/// From how many donors devices may be gathered.
const PARTS: usize = 60;

/// Where exchanges are searched: one table with what is withheld in it.
pub(crate) struct Market<'a> {
    lattice: &'a Lattice,
    /// The atoms of each class in the order in which they are tried.
    atoms_of: &'a Sets,
    atoms: &'a [u64],
    pub(crate) withheld: Vec<bool>,
    pub(crate) price: Vec<u64>,
    // What follows is the state of one search, and empty between two of them.
    /// Devices moved by earlier parts of the exchange.
    moved: Vec<i64>,
    moving: Vec<u32>,
    /// By how much each class is out of balance, in units, and the published classes that are.
    balance: Vec<i32>,
    open: Vec<u32>,
    paid: Vec<u32>,
    is_paid: Vec<bool>,
    used: Vec<(u32, i32)>,
    is_used: Vec<bool>,
    steps: u32,
    /// Atoms in one cycle: those that are tried, and the one that is being tried.
    cycles: &'static [usize],
    cycle: usize,
}

/// One search: what it must respect, and the best that it has found.
struct Quest {
    wish: Wish,
    /// Devices that every giving atom must have.
    least: u64,
    /// +1 to fill the class, -1 to empty it.
    sign: i32,
    steps: u32,
    best: u64,
    found: Option<Vec<(u32, i32)>>,
}

impl<'a> Market<'a> {
    pub(crate) fn new(
        lattice: &'a Lattice,
        atoms_of: &'a Sets,
        atoms: &'a [u64],
        withheld: Vec<bool>,
        price: Vec<u64>,
    ) -> Self {
        let (n, classes) = (lattice.atoms(), lattice.classes());
        Self {
            lattice,
            atoms_of,
            atoms,
            withheld,
            price,
            moved: vec![0; n],
            moving: Vec::new(),
            balance: vec![0; classes],
            open: Vec::new(),
            paid: Vec::new(),
            is_paid: vec![false; classes],
            used: Vec::new(),
            is_used: vec![false; n],
            steps: 0,
            cycles: if lattice.is_tree() { CYCLES_IN_A_TREE } else { CYCLES },
            cycle: 0,
        }
    }

    /// The cheapest exchange found that adds the wished devices to the class. Some exchange always exists, at the
    /// price of everything above one of its atoms; none is given only where that is too dear or spared.
    pub(crate) fn fill(&mut self, wish: Wish) -> Option<Exchange> {
        let free = Wish { below: 1.min(wish.below), ..wish };
        let found = self.search(free, wish.devices, STEPS_FREE);
        let single = found.or_else(|| self.search(wish, wish.devices, STEPS_PRICED));
        let best = single.as_ref().map_or(wish.below, |(cost, _)| *cost);
        let gathered = if best == 0 { None } else { self.gather(Wish { below: best, ..wish }) };
        gathered.or_else(|| {
            let mut moves = Vec::new();
            self.apply(&single?.1, wish.devices, &mut moves);
            self.forget();
            Some(Exchange::new(moves, self.lattice))
        })
    }

    /// An exchange that takes all devices from the class and withholds nothing more.
    pub(crate) fn empty(&mut self, class: u32) -> Option<Exchange> {
        let mut moves = Vec::new();
        let lattice = self.lattice;
        let emptied = lattice.atoms_of.of(class as usize).iter().all(|atom| {
            (0..PARTS).any(|_| self.has(*atom) == 0 || !self.take_part(class, *atom, &mut moves))
                && self.has(*atom) == 0
        });
        self.forget();
        emptied.then(|| Exchange::new(moves, lattice))
    }

    /// Takes as many devices as one cycle can from an atom of a class that is being emptied. Says whether it could.
    fn take_part(&mut self, class: u32, atom: u32, moves: &mut Vec<Move>) -> bool {
        let devices = self.has(atom);
        for least in [devices, devices.div_ceil(2), devices.div_ceil(4), 1] {
            let wish = Wish { class, devices, spared: None, below: 1 };
            let mut quest = Quest { wish, least, sign: -1, steps: STEPS_FREE, best: 1, found: None };
            for cycle in self.cycles {
                (self.cycle, self.steps) = (*cycle, 0);
                self.begin(atom, &mut quest);
            }
            if let Some(units) = quest.found {
                let giving = units.iter().filter(|unit| unit.1 < 0).map(|unit| self.has(unit.0)).min();
                self.apply(&units, giving.unwrap_or(devices).min(devices), moves);
                return true;
            }
        }
        false
    }

    /// Takes from several atoms what no single one has: first all that costs nothing, then the rest at a price.
    fn gather(&mut self, wish: Wish) -> Option<Exchange> {
        let mut moves = Vec::new();
        let mut left = wish.devices;
        for _ in 0..PARTS {
            let part = |market: &mut Self, least: u64| {
                market.search(Wish { below: 1, devices: left, ..wish }, least, STEPS_PART)
            };
            let found = [left, left.div_ceil(2), left.div_ceil(4), 1].into_iter().find_map(|n| part(self, n));
            let Some((_, units)) = found else { break };
            let devices = units.iter().filter(|unit| unit.1 < 0).map(|unit| self.has(unit.0)).min();
            let devices = devices.unwrap_or(left).min(left);
            self.apply(&units, devices, &mut moves);
            left -= devices;
            if left == 0 {
                break;
            }
        }
        let mut cost = 0;
        if left > 0 {
            // Without a free part, this is the search for a single exchange again.
            let rest = Wish { devices: left, ..wish };
            let last = (left < wish.devices).then(|| self.search(rest, left, STEPS_PRICED)).flatten();
            let Some((price, units)) = last else {
                self.forget();
                return None;
            };
            cost = price;
            self.apply(&units, left, &mut moves);
        }
        self.forget();
        (cost < wish.below).then(|| Exchange::new(moves, self.lattice))
    }

    /// The devices of an atom after the parts so far.
    fn has(&self, atom: u32) -> u64 {
        let devices = self.atoms[atom as usize].checked_add_signed(self.moved[atom as usize]);
        devices.expect("an exchange takes no more than there is")
    }

    fn apply(&mut self, units: &[(u32, i32)], devices: u64, moves: &mut Vec<Move>) {
        let devices = i64::try_from(devices).expect("devices are people in a country");
        for (atom, sign) in units {
            let by = i64::from(*sign) * devices;
            self.moved[*atom as usize] += by;
            self.moving.push(*atom);
            moves.push((*atom, by));
        }
    }

    fn forget(&mut self) {
        for atom in self.moving.drain(..) {
            self.moved[atom as usize] = 0;
        }
    }

    /// Searches from some atoms of the class.
    fn search(&mut self, wish: Wish, least: u64, steps: u32) -> Option<(u64, Vec<(u32, i32)>)> {
        let atoms_of = self.atoms_of;
        let beginnings = atoms_of.of(wish.class as usize);
        let beginnings = &beginnings[..beginnings.len().min(BEGINNINGS)];
        let steps = steps / index(beginnings.len().max(1));
        let mut quest = Quest { wish, least, sign: 1, steps, best: wish.below, found: None };
        for atom in beginnings {
            self.withhold_all_above(*atom, &mut quest);
        }
        for cycle in self.cycles {
            self.cycle = *cycle;
            for atom in beginnings {
                self.steps = 0;
                self.begin(*atom, &mut quest);
                if quest.best == 0 {
                    break;
                }
            }
        }
        quest.found.map(|units| (quest.best, units))
    }

    /// The dearest way, which needs no search and bounds it.
    fn withhold_all_above(&self, atom: u32, quest: &mut Quest) {
        let above = self.lattice.classes_of.of(atom as usize).iter();
        let published = above.filter(|class| !self.withheld[**class as usize]);
        let cost = published.clone().map(|class| self.price[*class as usize]).sum();
        let spared = published.clone().any(|class| Some(*class) == quest.wish.spared);
        if !spared && cost < quest.best {
            quest.best = cost;
            quest.found = Some(vec![(atom, quest.sign)]);
        }
    }

    fn begin(&mut self, atom: u32, quest: &mut Quest) {
        let paid = self.paid.len();
        let cost = self.add(atom, quest.sign, quest.wish.spared);
        if let Some(cost) = cost {
            self.step(cost, quest);
        }
        self.take_back(paid);
    }

    /// Moves an atom. Classes of that atom alone cannot be mended, and are paid for; none if one is spared.
    fn add(&mut self, atom: u32, sign: i32, spared: Option<u32>) -> Option<u64> {
        self.used.push((atom, sign));
        self.is_used[atom as usize] = true;
        let own = self.lattice.own(atom);
        let mut cost = Some(0);
        if !self.withheld[own] && !self.is_paid[own] {
            cost = (spared.map(|class| class as usize) != Some(own)).then_some(self.price[own]);
            self.pay(index(own));
        }
        self.unbalance_all(atom, sign);
        cost
    }

    /// Undoes the last `add`, whose payments began at `paid`.
    fn take_back(&mut self, paid: usize) {
        let Some((atom, sign)) = self.used.pop() else { return };
        self.is_used[atom as usize] = false;
        self.unbalance_all(atom, -sign);
        while self.paid.len() > paid {
            self.pay_back();
        }
    }

    fn pay(&mut self, class: u32) {
        self.paid.push(class);
        self.is_paid[class as usize] = true;
    }

    fn pay_back(&mut self) {
        if let Some(class) = self.paid.pop() {
            self.is_paid[class as usize] = false;
        }
    }

    fn unbalance_all(&mut self, atom: u32, sign: i32) {
        let lattice = self.lattice;
        for class in lattice.classes_of.of(atom as usize) {
            if !self.withheld[*class as usize] && !self.is_paid[*class as usize] {
                self.unbalance(*class, sign);
            }
        }
    }

    fn unbalance(&mut self, class: u32, sign: i32) {
        let balance = &mut self.balance[class as usize];
        if *balance == 0 {
            self.open.push(class);
        }
        *balance += sign;
        if *balance == 0 {
            let at = self.open.iter().position(|open| *open == class);
            if let Some(at) = at {
                self.open.swap_remove(at);
            }
        }
    }

    /// Mends the smallest class that is out of balance, in every way that may be cheaper than the best so far.
    fn step(&mut self, cost: u64, quest: &mut Quest) {
        if cost >= quest.best || self.steps >= quest.steps {
            return;
        }
        self.steps += 1;
        let lattice = self.lattice;
        let size = |class: &u32| (lattice.atoms_of.of(*class as usize).len(), *class);
        let Some(class) = self.open.iter().copied().min_by_key(size) else {
            quest.best = cost;
            quest.found = Some(self.used.clone());
            return;
        };
        if self.used.len() >= self.cycle {
            // Elsewhere this finds much that is no better, and costs steps that longer searches need.
            if self.cycles == CYCLES_IN_A_TREE {
                self.settle(cost, quest);
            }
            return;
        }
        let sign = -self.balance[class as usize].signum();
        let atoms_of = self.atoms_of;
        // First what is withheld already, then what would have to be.
        for dear in [false, true] {
            let atoms = atoms_of.of(class as usize).iter();
            let mut candidates: Vec<(i32, u32)> = atoms
                .filter(|atom| self.is_dear(**atom) == dear && self.may_move(**atom, sign, quest))
                .map(|atom| (self.opens(*atom, sign), *atom))
                .collect();
            if self.used.len() + 1 == self.cycle && self.cycles != CYCLES_IN_A_TREE {
                // The last atom of a cycle has to mend everything.
                let open = i32::try_from(self.open.len()).unwrap_or(i32::MAX);
                candidates.retain(|(opens, _)| open + opens == 0);
            }
            // Those that put the least out of balance; the sort is stable, so smaller atoms still come first.
            candidates.sort_by_key(|(opens, _)| *opens);
            candidates.truncate(BEAM);
            for (_, atom) in candidates {
                if quest.best == 0 || self.steps >= quest.steps {
                    return;
                }
                let paid = self.paid.len();
                if let Some(more) = self.add(atom, sign, quest.wish.spared) {
                    self.step(cost + more, quest);
                }
                self.take_back(paid);
            }
            if quest.best <= cost + 1 {
                return;
            }
        }
        self.step_paying(class, cost, quest);
    }

    /// How many more published classes would be out of balance.
    fn opens(&self, atom: u32, sign: i32) -> i32 {
        let own = self.lattice.own(atom);
        let above = self.lattice.classes_of.of(atom as usize).iter().map(|class| *class as usize);
        let published =
            above.filter(|class| *class != own && !self.withheld[*class] && !self.is_paid[*class]);
        published
            .map(|class| i32::from(self.balance[class] == 0) - i32::from(self.balance[class] == -sign))
            .sum()
    }

    /// Withholds all that is out of balance, if that is cheaper than the best so far.
    fn settle(&self, cost: u64, quest: &mut Quest) {
        let rest: u64 = self.open.iter().map(|class| self.price[*class as usize]).sum();
        if cost + rest < quest.best && !self.open.iter().any(|class| quest.wish.spared == Some(*class)) {
            quest.best = cost + rest;
            quest.found = Some(self.used.clone());
        }
    }

    /// Withholds the class instead of mending it.
    fn step_paying(&mut self, class: u32, cost: u64, quest: &mut Quest) {
        if quest.wish.spared == Some(class) {
            return;
        }
        let balance = std::mem::take(&mut self.balance[class as usize]);
        self.open.retain(|open| *open != class);
        self.pay(class);
        self.step(cost + self.price[class as usize], quest);
        self.pay_back();
        self.open.push(class);
        self.balance[class as usize] = balance;
    }

    /// Whether moving the atom would cost something by itself.
    fn is_dear(&self, atom: u32) -> bool {
        let own = self.lattice.own(atom);
        !self.withheld[own] && !self.is_paid[own]
    }

    fn may_move(&self, atom: u32, sign: i32, quest: &Quest) -> bool {
        if self.is_used[atom as usize] || (sign < 0 && self.has(atom) < quest.least) {
            return false;
        }
        // What the class gains must stay in it.
        let inside = || self.lattice.classes_of.of(atom as usize).binary_search(&quest.wish.class).is_ok();
        sign == quest.sign || !inside()
    }
}

/// Adds up the second of each first, and leaves out what comes to nothing.
fn summed(mut pairs: Vec<(u32, i64)>) -> Vec<(u32, i64)> {
    pairs.sort_unstable();
    let sums = pairs.chunk_by(|a, b| a.0 == b.0).map(|same| (same[0].0, same.iter().map(|s| s.1).sum()));
    sums.filter(|(_, sum)| *sum != 0).collect()
}

/// The atoms of each class in an order of the given ranks.
pub(crate) fn ranked<R: Ord + Copy>(lattice: &Lattice, rank: &[R]) -> Sets {
    let order = |class: usize| {
        let mut atoms = lattice.atoms_of.of(class).to_vec();
        atoms.sort_by_key(|atom| (rank[*atom as usize], *atom));
        atoms
    };
    Sets::new((0..lattice.classes()).map(order))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emptying_takes_from_no_atom_twice() {
        // Two atoms of the first column trade with each other, over columns that are published.
        let columns = [vec![0, 1], vec![0, 2, 4], vec![2, 1], vec![1, 3], vec![4, 5]];
        let lattice = Lattice::new(6, &columns);
        let atoms = [1_u64, 2, 2, 2, 5, 0];
        let class = |column: usize| lattice.class_of(column).expect("a class");
        let withheld = (0..lattice.classes()).map(|c| c == class(0) || lattice.shown(c) == 0).collect();
        let mut market =
            Market::new(&lattice, &lattice.atoms_of, &atoms, withheld, vec![1; lattice.classes()]);
        let exchange = market.empty(index(class(0))).expect("a way to empty it");
        let by = |atom: u32| exchange.moves.iter().find(|m| m.0 == atom).map_or(0, |m| m.1);
        for (atom, devices) in (0..).zip(atoms) {
            assert!(devices.checked_add_signed(by(atom)).is_some(), "{:?}", exchange.moves);
        }
        let stays = |column: usize| !exchange.touched.contains(&index(class(column)));
        assert!((1..5).all(stays), "published sums stay: {:?}", exchange.moves);
        assert_eq!(by(0) + by(1), -3, "nobody is left");
    }
}
