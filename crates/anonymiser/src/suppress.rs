//! What to withhold from one table, so that small groups stay hidden even from who adds and subtracts.
//!
//! Every primary class (fewer than k devices; nobody counts as few) is withheld, and further ones until each is
//! *certified*: there is a witness, another table of non-negative integers with the same published numbers, in which
//! it has k devices or more. So nobody can show from the published numbers that it is small. A certificate also
//! rules out that it is a sum or difference of published numbers, for the true table and the witness would have to
//! agree on it.
//!
//! 1. Each primary class takes the exchange that costs the least, one after the other, the narrow ones first.
//! 2. Then, again and again, one protective class is spared: all exchanges that touch it are taken back and found
//!    anew without it, and where that withholds no more than before, it stays so.
//!
//! Without certificates, exact safety alone is reached by elimination (`eliminate`), which is faster.

use siphasher::sip::SipHasher24;

use crate::{
    eliminate::eliminate,
    exchange::{Exchange, Market, Wish, ranked},
    lattice::{Lattice, Sets, index},
};

/// How a table is to be protected.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The smallest group of devices.
    pub k: u64,
    /// How often one device can count in one number of the table: once, but for trips.
    ///
    /// A sum of trips says only that at least that number divided by this many were moving, so a witness has to
    /// show as many times k.
    pub counts_per_device: u64,
    /// What is to be reached.
    pub safety: Safety,
}

/// What a protected table withstands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Safety {
    /// No withheld number is a sum or difference of published ones.
    Exact,
    /// The same, and for the small numbers of any column together.
    ExactWithGroups,
    /// No withheld number of one or more can be shown to be small, knowing that numbers are never negative. That
    /// some withheld number is nobody may follow.
    CertifiedGroups,
    /// No withheld number whatever can be shown to be small, nobody included.
    Certified,
}

/// The numbers of a table at one time.
#[derive(Clone, Copy)]
pub struct Numbers<'a> {
    /// The number of each atom.
    pub atoms: &'a [u64],
    /// The distinct devices behind each column, where its number counts something else.
    pub devices: Option<&'a [u64]>,
    /// Columns that are withheld already, for another report's sake.
    pub withheld: Option<&'a [bool]>,
}

/// Which columns of a table are withheld at one time, and why that is enough.
pub struct Pattern {
    pub(crate) withheld: Vec<bool>,
    pub(crate) small: Vec<bool>,
    /// For each certified class, how it can have as many devices as it needs.
    filled: Vec<(u32, Exchange)>,
    /// How many of its own counts a certified class has in some witness, at least.
    goal: u64,
}

impl Pattern {
    /// Whether a column is withheld; a column without atoms is not.
    #[must_use]
    pub fn withholds(&self, lattice: &Lattice, column: usize) -> bool {
        lattice.class_of(column).is_some_and(|class| self.withheld[class])
    }

    /// Whether a column is withheld for its own number.
    #[must_use]
    pub fn is_small(&self, lattice: &Lattice, column: usize) -> bool {
        lattice.class_of(column).is_some_and(|class| self.small[class])
    }

    /// How many small numbers are certified: shown by a witness at k or more. Columns of the same atoms count once.
    #[must_use]
    pub fn certified(&self) -> usize {
        self.filled.len()
    }

    /// Tables of non-negative integers with the same published numbers, each given by the atoms in which it differs
    /// from the true table, and their numbers in it.
    ///
    /// Together they show each certified number at k or more, and each withheld one that can be nobody at 0. Where they
    /// do not differ they are the true table, so they are as internal as the counts.
    #[must_use]
    pub fn witnesses(&self, lattice: &Lattice, atoms: &[u64]) -> Vec<Vec<(u32, u64)>> {
        let sums = lattice.sums(atoms);
        let price = vec![1; lattice.classes()];
        let mut market = Market::new(lattice, &lattice.atoms_of, atoms, self.withheld.clone(), price);
        let mut seen = Seen { full: vec![false; sums.len()], empty: vec![false; sums.len()] };
        let mut tables = Vec::new();
        for (class, exchange) in &self.filled {
            if !seen.full[*class as usize] {
                tables.push(seen.look_at(exchange, lattice, atoms, &sums, self.goal));
            }
        }
        let hidden = |class: &usize| self.withheld[*class] && lattice.shown(*class) > 0 && sums[*class] > 0;
        for class in (0..lattice.classes()).filter(hidden) {
            if !seen.empty[class]
                && let Some(exchange) = market.empty(index(class))
            {
                tables.push(seen.look_at(&exchange, lattice, atoms, &sums, self.goal));
            }
        }
        tables
    }
}

/// Which classes some witness has shown with enough devices, and which with none.
struct Seen {
    full: Vec<bool>,
    empty: Vec<bool>,
}

impl Seen {
    /// The witness that an exchange makes of the true table.
    fn look_at(
        &mut self,
        exchange: &Exchange,
        lattice: &Lattice,
        atoms: &[u64],
        sums: &[u64],
        goal: u64,
    ) -> Vec<(u32, u64)> {
        for (class, by) in exchange.sums(lattice) {
            let sum = sums[class as usize].checked_add_signed(by).expect("a witness has nothing negative");
            self.full[class as usize] |= sum >= goal;
            self.empty[class as usize] |= sum == 0;
        }
        let moved = |(atom, by): &(u32, i64)| {
            let devices = atoms[*atom as usize].checked_add_signed(*by);
            (*atom, devices.expect("a witness has nothing negative"))
        };
        exchange.moves.iter().map(moved).collect()
    }
}

/// Decides what to withhold from one table.
///
/// `before` is the pattern of the table's previous time: what was withheld then is preferred now, so that protective
/// partners seldom rotate and give each other away. Ties are broken by a hash keyed with the true numbers, which no
/// reader has: the same table after the same one gives the same pattern, and a reader can run the choice again only on
/// a guess at the whole table.
///
/// # Panics
/// When the numbers are of another lattice, their sum takes more than 64 bits, or `k` times `counts_per_device` takes
/// more than 63.
#[must_use]
pub fn suppress(lattice: &Lattice, numbers: Numbers<'_>, rule: Rule, before: Option<&Pattern>) -> Pattern {
    let table = Table::new(lattice, numbers, rule, before);
    if rule.k <= 1 {
        // Every device is a group of its own: nothing is to be hidden but that there is nobody.
        return Pattern { withheld: table.given, small: table.small, filled: Vec::new(), goal: rule.k };
    }
    match rule.safety {
        Safety::CertifiedGroups | Safety::Certified => Certifier::new(&table).certify(),
        Safety::Exact | Safety::ExactWithGroups => table.eliminate(),
    }
}

/// One table at one time, with all that decides about it.
struct Table<'a> {
    lattice: &'a Lattice,
    atoms: &'a [u64],
    rule: Rule,
    sums: Vec<u64>,
    small: Vec<bool>,
    /// What is withheld whatever is decided here.
    given: Vec<bool>,
    before: Option<&'a Pattern>,
    /// Breaks ties between classes, and between atoms.
    rank: Vec<u64>,
}

impl<'a> Table<'a> {
    fn new(lattice: &'a Lattice, numbers: Numbers<'a>, rule: Rule, before: Option<&'a Pattern>) -> Self {
        let sums = lattice.sums(numbers.atoms);
        // Of a class with several columns, the fewest devices decide.
        let mut devices = numbers.devices.map_or_else(|| sums.clone(), |_| vec![u64::MAX; sums.len()]);
        let mut given: Vec<bool> = (0..lattice.classes()).map(|class| lattice.shown(class) == 0).collect();
        for column in 0..lattice.columns() {
            let Some(class) = lattice.class_of(column) else { continue };
            if let Some(distinct) = numbers.devices {
                devices[class] = devices[class].min(distinct[column]);
            }
            given[class] |= numbers.withheld.is_some_and(|withheld| withheld[column]);
        }
        for class in (0..lattice.classes()).filter(|class| lattice.shown(*class) == 0) {
            devices[class] = sums[class];
        }
        let small: Vec<bool> = devices.iter().map(|devices| *devices < rule.k).collect();
        given.iter_mut().zip(&small).for_each(|(given, small)| *given |= small);
        let rank = ranks(&sums);
        Self { lattice, atoms: numbers.atoms, rule, sums, small, given, before, rank }
    }

    fn was_withheld(&self, class: usize) -> bool {
        self.before.is_some_and(|before| before.withheld[class])
    }

    /// Exact safety: publish the largest first, what was published at the time before ahead of all.
    fn eliminate(&self) -> Pattern {
        let mut order: Vec<u32> =
            (0..self.lattice.classes()).filter(|class| !self.given[*class]).map(index).collect();
        order.sort_by_key(|class| {
            let c = *class as usize;
            (self.was_withheld(c), std::cmp::Reverse(self.sums[c]), self.rank[c])
        });
        let groups = (self.rule.safety == Safety::ExactWithGroups).then(|| self.goal());
        let mut withheld = eliminate(self.lattice, self.atoms, &self.small, &order, groups);
        withheld.iter_mut().zip(&self.given).for_each(|(withheld, given)| *withheld |= given);
        Pattern { withheld, small: self.small.clone(), filled: Vec::new(), goal: self.goal() }
    }

    /// What a small number must be able to be.
    fn goal(&self) -> u64 {
        let goal = self.rule.k.checked_mul(self.rule.counts_per_device);
        // Half of 64 bits, for devices are also taken away.
        goal.filter(|goal| *goal <= u64::MAX / 2).expect("k is smaller than any country")
    }
}

/// What one more withheld column costs, and what it costs where it was withheld at the time before: so much less
/// that a pattern changes only where that saves columns.
const PRICE: u64 = 1_024;
const PRICE_AGAIN: u64 = 640;

/// What a column costs more for each doubling of its atoms: a half, so that a total is not given for its parts. Were
/// all columns alike, 4 % fewer would be withheld, and the whole country's number among them.
const PRICE_OF_WIDTH: u64 = 512;

/// An exchange that withholds more than about thirty columns is worth waiting with.
const DEAR: u64 = 32 * PRICE;

/// How often all protective classes are tried, at most: a round that saves less than a thousandth is the last.
const ROUNDS: usize = 12;

/// A class that more exchanges touch than this will not be spared: trying takes long and fails.
const USERS: usize = 60;

/// Finds an exchange for each small class, and withholds as little as it can for them.
struct Certifier<'a> {
    table: &'a Table<'a>,
    /// The atoms of each class, smaller ones first, for of two partners the larger is missed more.
    atoms_of: Sets,
}

impl<'a> Certifier<'a> {
    fn new(table: &'a Table<'a>) -> Self {
        let atoms = table.atoms.iter().zip(&table.rank).map(|(devices, rank)| (*devices, *rank));
        Self { table, atoms_of: ranked(table.lattice, &atoms.collect::<Vec<_>>()) }
    }

    fn certify(&self) -> Pattern {
        let table = self.table;
        let classes = 0..table.lattice.classes();
        let withheld = classes.clone().map(|class| table.given[class] || table.was_withheld(class)).collect();
        let price = classes.clone().map(|class| {
            let width = u64::from(table.lattice.atoms_of.of(class).len().ilog2());
            // Of two numbers alike, the larger is missed more.
            let devices = u64::from((table.sums[class] + 1).ilog2());
            let price = if table.was_withheld(class) { PRICE_AGAIN } else { PRICE };
            (price + PRICE_OF_WIDTH * width + devices) * u64::from(table.lattice.shown(class))
        });
        let market =
            Market::new(table.lattice, &self.atoms_of, table.atoms, withheld, price.collect::<Vec<_>>());
        let mut deals = Deals::new(table, market);
        deals.strike_all();
        deals.publish_unused();
        for _ in 0..ROUNDS {
            if !deals.spare_each() {
                break;
            }
        }
        let filled =
            classes.filter_map(|class| Some((index(class), deals.exchanges[class].take()?))).collect();
        Pattern { withheld: deals.market.withheld, small: table.small.clone(), filled, goal: table.goal() }
    }
}

/// The exchanges so far, and who needs which class withheld.
struct Deals<'a> {
    table: &'a Table<'a>,
    market: Market<'a>,
    /// The exchange of each small class.
    exchanges: Vec<Option<Exchange>>,
    /// How many exchanges touch each class, and which: a superset, tidied when it is looked at.
    touching: Vec<u32>,
    users: Vec<Vec<u32>>,
}

impl<'a> Deals<'a> {
    fn new(table: &'a Table<'a>, market: Market<'a>) -> Self {
        let n = table.lattice.classes();
        let exchanges = std::iter::repeat_with(|| None).take(n).collect();
        Self { table, market, exchanges, touching: vec![0; n], users: vec![Vec::new(); n] }
    }

    fn wish(&self, class: u32, spared: Option<u32>, below: u64) -> Wish {
        let devices = self.table.goal().saturating_sub(self.table.sums[class as usize]);
        Wish { class, devices, spared, below }
    }

    /// An exchange for every small class that needs one. The narrow ones come first: the wider can use what is then
    /// withheld.
    fn strike_all(&mut self) {
        let table = self.table;
        let needs = |class: &u32| {
            let c = *class as usize;
            let exempt = table.rule.safety == Safety::CertifiedGroups && table.sums[c] == 0;
            table.small[c] && table.sums[c] < table.goal() && !exempt
        };
        let mut order: Vec<u32> = (0..table.lattice.classes()).map(index).filter(needs).collect();
        order.sort_by_key(|class| {
            let c = *class as usize;
            (table.lattice.atoms_of.of(c).len(), table.sums[c], table.rank[c])
        });
        // What is dear waits: when the others have theirs, more is withheld that it can use for nothing.
        for below in [DEAR, u64::MAX] {
            order.retain(|class| match self.market.fill(self.wish(*class, None, below)) {
                Some(exchange) => {
                    self.strike(*class, exchange, &mut Vec::new());
                    false
                }
                None => true,
            });
        }
    }

    /// Accepts an exchange: what it touches is withheld. Says what was not before.
    fn strike(&mut self, class: u32, exchange: Exchange, newly: &mut Vec<u32>) {
        for touched in &exchange.touched {
            let t = *touched as usize;
            self.touching[t] += 1;
            self.users[t].push(class);
            if !std::mem::replace(&mut self.market.withheld[t], true) {
                newly.push(*touched);
            }
        }
        self.exchanges[class as usize] = Some(exchange);
    }

    /// Takes an exchange back: what no other needs is published. Says what was withheld for it alone.
    fn take_back(&mut self, class: u32, published: &mut Vec<u32>) -> Option<Exchange> {
        let exchange = self.exchanges[class as usize].take()?;
        for touched in &exchange.touched {
            let t = *touched as usize;
            self.touching[t] -= 1;
            if self.touching[t] == 0 && !self.table.given[t] {
                self.market.withheld[t] = false;
                published.push(*touched);
            }
        }
        Some(exchange)
    }

    fn is_protective(&self, class: usize) -> bool {
        self.market.withheld[class] && !self.table.given[class]
    }

    /// Publishes what was withheld at the time before and serves nobody now.
    fn publish_unused(&mut self) {
        for class in 0..self.table.lattice.classes() {
            if self.is_protective(class) && self.touching[class] == 0 {
                self.market.withheld[class] = false;
            }
        }
    }

    /// Tries to do without each protective class, the least used first. Says whether it was worth it.
    fn spare_each(&mut self) -> bool {
        let table = self.table;
        let mut order: Vec<u32> = (0..table.lattice.classes()).map(index).collect();
        order.retain(|class| self.is_protective(*class as usize));
        order.sort_by_key(|class| {
            let c = *class as usize;
            (self.touching[c], std::cmp::Reverse(table.sums[c]), table.rank[c])
        });
        let (before, mut saved) = (order.len(), 0);
        for class in order {
            if self.is_protective(class as usize) {
                saved += self.spare(class);
            }
        }
        // A round that saves less than a thousandth is the last.
        saved * 1_000 > before as u64 * PRICE
    }

    /// Finds the exchanges that touch a class anew without it, and keeps them if that withholds no more than
    /// before. Says by how much cheaper it became.
    fn spare(&mut self, class: u32) -> u64 {
        let mut users = std::mem::take(&mut self.users[class as usize]);
        users.sort_unstable();
        users.dedup();
        let touches = |exchange: &Exchange| exchange.touched.binary_search(&class).is_ok();
        users.retain(|user| self.exchanges[*user as usize].as_ref().is_some_and(touches));
        self.users[class as usize].clone_from(&users);
        if users.len() > USERS {
            return 0;
        }
        let mut published = Vec::new();
        let old: Vec<(u32, Exchange)> =
            users.iter().filter_map(|user| Some((*user, self.take_back(*user, &mut published)?))).collect();
        let price = |market: &Market<'_>, classes: &[u32]| -> u64 {
            classes.iter().map(|class| market.price[*class as usize]).sum()
        };
        let gain = price(&self.market, &published);
        users.sort_by_key(|user| (self.table.sums[*user as usize], self.table.rank[*user as usize]));
        let mut withheld = Vec::new();
        for user in &users {
            let left = (gain + 1).saturating_sub(price(&self.market, &withheld));
            match self.market.fill(self.wish(*user, Some(class), left)) {
                Some(exchange) => self.strike(*user, exchange, &mut withheld),
                None => {
                    self.restore(&users, old);
                    return 0;
                }
            }
        }
        gain.saturating_sub(price(&self.market, &withheld))
    }

    /// Puts the exchanges back that were there before.
    fn restore(&mut self, users: &[u32], old: Vec<(u32, Exchange)>) {
        for user in users {
            self.take_back(*user, &mut Vec::new());
        }
        for (user, exchange) in old {
            self.strike(user, exchange, &mut Vec::new());
        }
    }
}

/// A rank for each class or atom of that number, keyed with the numbers of the table.
fn ranks(sums: &[u64]) -> Vec<u64> {
    let bytes: Vec<u8> = sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
    let key = SipHasher24::new().hash(&bytes);
    let keyed = SipHasher24::new_with_keys(key, !key);
    (0..sums.len() as u64).map(|class| keyed.hash(&class.to_le_bytes())).collect()
}
