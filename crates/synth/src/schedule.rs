//! Where a person is on a waking day: the truth that the events only hint at.

use crate::{
    clock::{HOUR_US, MINUTE_US, Waking},
    dice::{Dice, Purpose},
    land::{ABROAD, CodeIx, Land, Point},
    person::{Life, Person},
};

/// The evening that draws a crowd.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evening {
    pub(crate) day: i64,
    pub(crate) code: CodeIx,
    pub(crate) start_us: i64,
    pub(crate) end_us: i64,
}

/// What everyone's day depends on.
pub(crate) struct World<'a> {
    pub(crate) seed: u64,
    pub(crate) land: &'a Land,
    pub(crate) festival: Evening,
}

/// A day as the codes in which it is spent, each from its moment to the next one's.
#[derive(Default)]
pub(crate) struct Timeline {
    visits: Vec<(i64, CodeIx)>,
    end_us: i64,
}

impl Timeline {
    /// The visits in order: from, until, and where.
    pub(crate) fn visits(&self) -> impl Iterator<Item = (i64, i64, CodeIx)> {
        let until = self.visits.iter().skip(1).map(|visit| visit.0).chain([self.end_us]);
        self.visits.iter().zip(until).map(|(visit, until)| (visit.0, until, visit.1))
    }

    fn begin(&mut self, day: &Waking, code: CodeIx) {
        self.visits.clear();
        self.visits.push((day.dawn_us(), code));
        self.end_us = day.end_us();
    }

    fn here(&self) -> CodeIx {
        self.visits.last().map_or(ABROAD, |visit| visit.1)
    }

    /// Nobody is in two places at a time: a move before the latest one's moment waits for it.
    fn move_to(&mut self, at_us: i64, code: CodeIx) {
        let Some((latest, here)) = self.visits.last().copied() else { return };
        let at_us = at_us.max(latest + MINUTE_US / 2);
        // What would fall into the next day is left out; the night's place comes with that day.
        if here != code && at_us < self.end_us {
            self.visits.push((at_us, code));
        }
    }

    /// Travels through what lies between, and says when it arrives.
    fn travel(&mut self, land: &Land, gate: CodeIx, leave_us: i64, to: CodeIx) -> i64 {
        let leave_us = leave_us.max(self.visits.last().map_or(leave_us, |visit| visit.0 + MINUTE_US));
        let from = if self.here() == ABROAD { gate } else { self.here() };
        let (target, leaves_area) = if to == ABROAD { (gate, true) } else { (to, false) };
        self.move_to(leave_us, from);
        let (a, b) = (land.codes[from as usize].middle, land.codes[target as usize].middle);
        let km = a.km_to(b);
        let km_per_h = if km > 40.0 { 80.0 } else { 40.0 };
        let way_us = 5 * MINUTE_US + (km / km_per_h * HOUR_US as f64) as i64;
        let steps = if from == target { 1 } else { (km / 1.5).ceil().max(1.0) as i64 };
        for step in 1..steps {
            let part = step as f64 / steps as f64;
            let between =
                Point { x_km: a.x_km + (b.x_km - a.x_km) * part, y_km: a.y_km + (b.y_km - a.y_km) * part };
            let code = land.code_at(between);
            if code != ABROAD {
                self.move_to(leave_us + way_us * step / steps, code);
            }
        }
        let arrives_us = leave_us + way_us;
        self.move_to(arrives_us, target);
        if leaves_area {
            self.move_to(arrives_us + 2 * MINUTE_US, ABROAD);
        }
        arrives_us
    }
}

/// One person's one day, while it is being planned.
struct Plan<'a> {
    land: &'a Land,
    person: &'a Person,
    day: &'a Waking,
    dice: Dice,
    line: &'a mut Timeline,
}

/// Fills the timeline with where the person is, from dawn to dawn.
pub(crate) fn plan(world: &World<'_>, person: &Person, day: &Waking, line: &mut Timeline) {
    let dice = Dice::new(world.seed, Purpose::Schedule, u64::from(person.index), day.number);
    let mut plan = Plan { land: world.land, person, day, dice, line };
    match person.life {
        Life::Worker | Life::Pupil | Life::AtHome => plan.resident(world),
        Life::Commuter => plan.commuter(),
        Life::Tourist => plan.tourist(world),
        Life::Passing => plan.passing(),
    }
}

impl Plan<'_> {
    fn resident(&mut self, world: &World<'_>) {
        let (before, after) =
            (night(world, self.person, self.day.number - 1), night(world, self.person, self.day.number));
        self.line.begin(self.day, before);
        let home = self.person.home;
        if before == home && after == home {
            self.ordinary(world);
        } else if before == home {
            self.work();
            self.go(self.day.at(1_065.0), 60.0, after);
        } else if after == home {
            self.go(self.day.at(945.0), 100.0, home);
        } else {
            let near = self.near(before);
            self.go(self.day.at(660.0), 40.0, near);
            self.go(self.day.at(1_020.0), 50.0, after);
        }
    }

    fn ordinary(&mut self, world: &World<'_>) {
        let goes_out = goes_to(world, self.person, self.day);
        let long_trip = self.dice.chance(if self.day.weekend { 0.09 } else { 0.012 }) && !goes_out;
        if long_trip {
            return self.day_trip();
        }
        let off = self.day.weekend || self.dice.chance(0.09);
        match self.person.life {
            Life::Worker if !off && !self.dice.chance(0.18) => self.work(),
            Life::Pupil if !off => self.school(),
            _ => self.errands(),
        }
        if goes_out {
            self.festival(world.festival);
        } else if self.dice.chance(if self.day.weekend { 0.32 } else { 0.22 }) {
            self.outing();
        }
        self.go(self.day.at(0.0), 5.0, self.person.home);
    }

    fn work(&mut self) {
        if self.person.life != Life::Worker || self.day.weekend {
            return;
        }
        let leaves = f64::from(self.person.leaves);
        self.go(self.day.at(leaves), 12.0, self.person.goal);
        if self.dice.chance(0.25) {
            let lunch = self.next_door(self.person.goal);
            self.go(self.day.at(735.0), 15.0, lunch);
            self.go(self.day.at(785.0), 10.0, self.person.goal);
        }
        self.go(self.day.at(leaves + 535.0), 35.0, self.person.home);
    }

    fn school(&mut self) {
        self.go(self.day.at(480.0), 10.0, self.person.goal);
        self.go(self.day.at(945.0), 30.0, self.person.home);
    }

    fn errands(&mut self) {
        for minute in [640.0, 880.0] {
            if self.dice.chance(if self.day.weekend { 0.45 } else { 0.35 }) {
                let near = self.near(self.person.home);
                self.go(self.day.at(minute), 40.0, near);
                let stays = self.dice.between(30.0, 130.0);
                self.go(self.day.at(minute + stays + 30.0), 10.0, self.person.home);
            }
        }
    }

    fn outing(&mut self) {
        let near = self.near(self.person.home);
        self.go(self.day.at(1_150.0), 35.0, near);
        let stays = self.dice.between(70.0, 240.0);
        self.go(self.day.at(1_190.0 + stays), 15.0, self.person.home);
    }

    fn day_trip(&mut self) {
        let sight = self.sight();
        self.go(self.day.at(570.0), 60.0, sight);
        let near = self.near(sight);
        self.go(self.day.at(820.0), 40.0, if sight == ABROAD { ABROAD } else { near });
        self.go(self.day.at(1_080.0), 70.0, self.person.home);
    }

    fn festival(&mut self, festival: Evening) {
        let early = self.dice.normal(0.0, 25.0);
        let from = festival.start_us + (early * MINUTE_US as f64) as i64 - HOUR_US / 2;
        self.go(from, 1.0, festival.code);
        self.go(festival.end_us, 18.0, self.person.home);
    }

    fn commuter(&mut self) {
        self.line.begin(self.day, ABROAD);
        if self.dice.chance(if self.day.weekend { 0.10 } else { 0.85 }) {
            self.go(self.day.at(f64::from(self.person.leaves) + 20.0), 15.0, self.person.goal);
            self.go(self.day.at(f64::from(self.person.leaves) + 540.0), 30.0, ABROAD);
        }
    }

    fn tourist(&mut self, world: &World<'_>) {
        let (first, last) = (i64::from(self.person.stays.0), i64::from(self.person.stays.1));
        let (today, hotel) = (self.day.number, self.person.home);
        let slept_here = first < today && today <= last;
        self.line.begin(self.day, if slept_here { hotel } else { ABROAD });
        if today == first {
            self.go(self.day.at(840.0), 150.0, hotel);
        }
        if today == last {
            return self.go(self.day.at(720.0), 120.0, ABROAD);
        }
        if slept_here {
            let near = self.near(hotel);
            self.go(self.day.at(630.0), 45.0, near);
            self.go(self.day.at(1_000.0), 60.0, hotel);
        }
        if (first..last).contains(&today) && self.dice.chance(0.4) {
            if goes_to(world, self.person, self.day) {
                self.festival(world.festival);
            } else {
                let near = self.next_door(hotel);
                self.go(self.day.at(1_170.0), 30.0, near);
            }
            self.go(self.day.at(1_330.0), 40.0, hotel);
        }
    }

    fn passing(&mut self) {
        self.line.begin(self.day, ABROAD);
        let certain = i64::from(self.person.stays.0) == self.day.number;
        if certain || self.dice.chance(0.3) {
            let enters = self.dice.between(330.0, 1_260.0);
            self.go(self.day.at(enters), 1.0, self.person.goal);
            self.line.move_to(self.day.at(enters + 200.0), ABROAD);
        }
    }

    /// Leaves at about a time, in local minutes around it, and never arrives before the earlier plans.
    fn go(&mut self, about_us: i64, spread_min: f64, to: CodeIx) {
        if to == self.line.here() {
            return;
        }
        let late_us = (self.dice.normal(0.0, spread_min) * MINUTE_US as f64) as i64;
        // Sub-second noise: nobody moves on the full second.
        let noise_us = (self.dice.bits() >> 44) as i64;
        let leave_us = (about_us + late_us).max(self.day.dawn_us() + 20 * MINUTE_US) + noise_us;
        self.line.travel(self.land, self.person.gate, leave_us, to);
    }

    fn near(&mut self, code: CodeIx) -> CodeIx {
        if code == ABROAD { ABROAD } else { self.dice.weighted(self.land.pull(code)) as CodeIx }
    }

    fn next_door(&mut self, code: CodeIx) -> CodeIx {
        let neighbours = &self.land.neighbours[code as usize];
        if neighbours.is_empty() { code } else { neighbours[self.dice.below(neighbours.len())] }
    }

    /// A place worth a day; in a small area most such places lie outside it.
    fn sight(&mut self) -> CodeIx {
        if !self.land.outside.is_empty() && self.dice.chance(0.8) {
            return ABROAD;
        }
        self.dice.weighted(&self.land.sights) as CodeIx
    }
}

/// Where a resident spends the night that follows a day: at home, but for some weekends.
fn night(world: &World<'_>, person: &Person, day: i64) -> CodeIx {
    // 1970 began on a Thursday: day 1 was a Friday, and Friday and Saturday nights belong to one weekend.
    let since_friday = (day - 1).rem_euclid(7);
    if since_friday > 1 {
        return person.home;
    }
    let mut dice = Dice::new(world.seed, Purpose::Weekend, u64::from(person.index), day - since_friday);
    if !dice.chance(0.03) {
        return person.home;
    }
    if !world.land.outside.is_empty() && dice.chance(0.8) {
        return ABROAD;
    }
    dice.weighted(&world.land.sights) as CodeIx
}

/// Whether somebody goes to the festival tonight: about one in sixty of the region, more of those next door.
fn goes_to(world: &World<'_>, person: &Person, day: &Waking) -> bool {
    let festival = world.festival;
    if day.number != festival.day || person.home == ABROAD {
        return false;
    }
    let share = match world.land.km(person.home, festival.code) {
        km if km < 10.0 => 0.03,
        km if km < 40.0 => 0.014,
        _ => 0.002,
    };
    Dice::new(world.seed, Purpose::Festival, u64::from(person.index), day.number).chance(share)
}
