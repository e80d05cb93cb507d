//! The events of a person's day: a rhythm of day and night, heard at cells near where the person is.

use crate::{
    antennas::{Antennas, CellIx},
    clock::{HOUR_US, MINUTE_US, Waking},
    dice::{Dice, Purpose, hash},
    land::{ABROAD, CodeIx, Land},
    parameters::{Defects, Injected, Parameters},
    person::Person,
    schedule::Timeline,
};

/// One row of an events file, before it is written. The order is that of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    /// When the row reaches the file.
    pub(crate) filed_us: i64,
    /// When the event happened.
    pub(crate) at_us: i64,
    /// The subscriber, counted from the first of the chunk.
    pub(crate) subscriber: u32,
    pub(crate) cell: CellIx,
    /// How long a session lasts; 0 for a single event.
    pub(crate) session_s: u16,
    /// Which of [`EVENT_TYPES`].
    pub(crate) kind: u8,
    pub(crate) marks: Marks,
}

/// What is wrong with a row, bit by bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Marks(u8);

impl Marks {
    const LATE: u8 = 1;
    const COPY: u8 = 2;
    const UNKNOWN: u8 = 4;
    const MANGLED: u8 = 8;
    const TIE: u8 = 16;
    const RAGGED: u8 = 32;
    const EARLY: u8 = 64;
    const STRAY: u8 = 128;

    fn has(self, mark: u8) -> bool {
        self.0 & mark != 0
    }

    pub(crate) fn is_mangled(self) -> bool {
        self.has(Self::MANGLED)
    }

    pub(crate) fn is_ragged(self) -> bool {
        self.has(Self::RAGGED)
    }

    /// Whether the row stands in the file of the day before.
    pub(crate) fn is_early(self) -> bool {
        self.has(Self::EARLY)
    }

    pub(crate) fn count(self, injected: &mut Injected, text: bool) {
        injected.out_of_order += u64::from(self.has(Self::LATE));
        injected.duplicates += u64::from(self.has(Self::COPY));
        injected.unknown_cells += u64::from(self.has(Self::UNKNOWN));
        injected.ties += u64::from(self.has(Self::TIE));
        injected.midnight += u64::from(self.has(Self::EARLY));
        injected.stray += u64::from(self.has(Self::STRAY));
        // A typed column has no room for a timestamp that is none, nor for a field too many.
        injected.malformed += u64::from(text && self.is_mangled());
        injected.ragged += u64::from(text && self.is_ragged());
    }
}

/// The words of the column `event_type`.
pub(crate) const EVENT_TYPES: [&str; 4] = ["data", "voice", "sms", "location_update"];
const LOCATION_UPDATE: u8 = 3;

/// How busy each hour of the local day is; the mean is 1.
const RHYTHM: [f64; 24] = [
    0.37, 0.22, 0.16, 0.13, 0.16, 0.31, 0.67, 1.10, 1.28, 1.28, 1.30, 1.35, 1.44, 1.36, 1.30, 1.30, 1.38,
    1.53, 1.57, 1.52, 1.42, 1.26, 0.96, 0.63,
];

/// Draws events.
pub(crate) struct Signalling<'a> {
    seed: u64,
    antennas: &'a Antennas,
    land: &'a Land,
    defects: &'a Defects,
    events_per_us: f64,
    sessions: f64,
}

impl<'a> Signalling<'a> {
    pub(crate) fn new(parameters: &'a Parameters, antennas: &'a Antennas, land: &'a Land) -> Self {
        Self {
            seed: parameters.seed,
            antennas,
            land,
            defects: &parameters.defects,
            events_per_us: parameters.events_per_day / (24 * HOUR_US) as f64,
            sessions: parameters.sessions,
        }
    }

    /// Gives `file` the person's rows of a waking day from `from_us` on. `subscriber` is the name in the rows.
    pub(crate) fn listen(
        &self,
        (person, subscriber): (&Person, u32),
        (day, from_us): (&Waking, i64),
        line: &Timeline,
        file: &mut impl FnMut(Row),
    ) {
        let mut dice = Dice::new(self.seed, Purpose::Signalling, u64::from(person.index), day.number);
        let mut visits = line.visits();
        let Some(mut visit) = visits.next() else { return };
        let (mut fresh, mut latest_us, mut waiting) = (false, i64::MIN, None::<Row>);
        let busy = self.events_per_us * f64::from(person.pace);
        let mut wait = dice.exponential();
        for (hour, start_us, end_us) in day.hours() {
            let (start_us, rate) = (start_us.max(from_us), busy * RHYTHM[hour]);
            let mut reached = 0.0;
            let room = rate * (end_us - start_us).max(0) as f64;
            while reached + wait < room {
                reached += wait;
                wait = dice.exponential();
                let at_us = (start_us + (reached / rate) as i64).max(latest_us + 1);
                while at_us >= visit.1 {
                    let Some(next) = visits.next() else { break };
                    (visit, fresh) = (next, true);
                }
                if visit.2 == ABROAD || at_us >= visit.1 {
                    continue;
                }
                latest_us = at_us;
                let row = self.row(&mut dice, (person, subscriber), (at_us, visit.2), fresh);
                fresh = false;
                if let Some(row) = waiting.replace(row) {
                    self.hand_in(row, at_us, &mut dice, day, file);
                }
                self.shorten(&mut waiting, visit.1);
            }
            wait -= room - reached;
        }
        if let Some(row) = waiting {
            self.hand_in(row, i64::MAX, &mut dice, day, file);
        }
    }

    fn row(&self, dice: &mut Dice, who: (&Person, u32), (at_us, code): (i64, CodeIx), fresh: bool) -> Row {
        let stray = self.defects.stray > 0.0 && dice.chance(self.defects.stray);
        let (cell, code_heard) = self.cell(dice, who.0, code, at_us, stray);
        let lot = dice.bits() & 255;
        let kind = match lot {
            _ if fresh && lot < 180 => LOCATION_UPDATE,
            0..=195 => 0,
            196..=225 => 1,
            226..=240 => 2,
            _ => LOCATION_UPDATE,
        };
        let session_s = if self.sessions > 0.0 && dice.chance(self.sessions) {
            (1.0 + 300.0 * dice.exponential()).min(4.0 * 3_600.0) as u16
        } else {
            0
        };
        let marks = Marks(if code_heard == code { 0 } else { Marks::STRAY });
        Row { filed_us: at_us, at_us, subscriber: who.1, cell, session_s, kind, marks }
    }

    /// One of the few cells that this person's phone uses in a code, or in one next to it.
    fn cell(
        &self,
        dice: &mut Dice,
        person: &Person,
        code: CodeIx,
        at_us: i64,
        stray: bool,
    ) -> (CellIx, CodeIx) {
        let neighbours = &self.land.neighbours[code as usize];
        let lot = dice.bits();
        let heard = if stray && !neighbours.is_empty() {
            neighbours[(lot >> 32) as usize % neighbours.len()]
        } else {
            code
        };
        let serving = self.antennas.serving(heard, at_us);
        // The strongest cell is mostly the same one, the next ones in turn.
        let usual = hash(&[self.seed, Purpose::Habit as u64, u64::from(person.index), u64::from(heard)]);
        let rank = [0, 0, 0, 0, 0, 1, 1, 2][(lot & 7) as usize];
        (serving[(usual % 1_024 + rank) as usize % serving.len()], heard)
    }

    /// A session never outlasts the visit, so that it is true for as long as it says.
    fn shorten(&self, waiting: &mut Option<Row>, until_us: i64) {
        if let Some(row) = waiting {
            let room_s = ((until_us - row.at_us) / 1_000_000).clamp(0, i64::from(u16::MAX)) as u16;
            row.session_s = row.session_s.min(room_s);
        }
    }

    /// Files a row with its defects, once it is known when the next one comes.
    fn hand_in(&self, mut row: Row, next_us: i64, dice: &mut Dice, day: &Waking, file: &mut impl FnMut(Row)) {
        if row.session_s > 0 {
            let room_s = next_us.saturating_sub(row.at_us) / 1_000_000;
            row.session_s = row.session_s.min(room_s.clamp(0, i64::from(u16::MAX)) as u16);
        }
        let d = self.defects;
        let mut lot = dice.unit();
        let mut falls_to = |share: f64| {
            let falls = (0.0..share).contains(&lot);
            lot -= share;
            falls
        };
        let mangled = falls_to(d.malformed);
        let ragged = falls_to(d.ragged);
        let (unknown, twice, tied) = (falls_to(d.unknown_cells), falls_to(d.duplicates), falls_to(d.ties));
        row.marks.0 |= if mangled { Marks::MANGLED } else { 0 } | if ragged { Marks::RAGGED } else { 0 };
        if unknown {
            row.marks = Marks(Marks::UNKNOWN);
            row.cell = self.antennas.unplanned(row.cell);
        }
        if twice {
            let copy = Row { marks: Marks(row.marks.0 | Marks::COPY), ..row };
            file(self.filed(copy, dice, day));
        }
        if tied && let Some(tie) = self.tie(row) {
            file(self.filed(tie, dice, day));
        }
        file(self.filed(row, dice, day));
    }

    /// The same moment at another cell that serves the same code, if it has another.
    fn tie(&self, row: Row) -> Option<Row> {
        let code = self.antennas.code(row.cell, row.at_us)?;
        let others = self.antennas.serving(code, row.at_us);
        let other = others.iter().find(|other| **other != row.cell)?;
        Some(Row { cell: *other, session_s: 0, marks: Marks(row.marks.0 | Marks::TIE), ..row })
    }

    /// When and into which day's file the row goes.
    fn filed(&self, mut row: Row, dice: &mut Dice, day: &Waking) -> Row {
        let midnight_us = day.midnight_us();
        if (midnight_us..midnight_us + HOUR_US).contains(&row.at_us) && dice.chance(self.defects.midnight) {
            row.marks.0 |= Marks::EARLY;
        } else if self.defects.out_of_order > 0.0 && dice.chance(self.defects.out_of_order) {
            row.marks.0 |= Marks::LATE;
            let long = dice.bits() & 15 == 0;
            let minutes =
                if long { dice.between(10.0, 119.0) } else { (8.0 * dice.exponential()).min(119.0) };
            row.filed_us += MINUTE_US / 2 + (minutes * MINUTE_US as f64) as i64;
        }
        row
    }
}
