//! What a manifest promises and what it does not; its fields are the schema's.

pub use throng_schema::{FileEntry, Manifest, Parameters, ReportEntry};

/// The promise, in the words that readers of a release get.
pub(crate) const PROMISED: [&str; 7] = [
    "No number is published behind which stand fewer than k devices; nobody at all counts as few.",
    "Presence: by adding and subtracting its numbers and knowing that none is negative, nobody can show that a \
     withheld number is under k devices: for each there is another table with the same published numbers in which it \
     is k or more.",
    "Where one published group of distinct people holds another (a place in a larger one, an hour in its day, those \
     present at an instant in the visitors of its hour and day), the larger without the smaller is nobody or at least \
     k devices.",
    "Where published groups of distinct people fill a larger one (the places of a place, the hours of a day, the days of \
     the window), whoever is in several of them, or not in all, is nobody or at least k devices.",
    "Classes of one place (dwell, frequency, residence): what is withheld of them together is nobody or at least k \
     devices, and nothing is published below a withheld total.",
    "Residence of those present and trips: a number is published only where the numbers one step up on either side are; \
     what it has beside its published parts on a side is nobody or at least k devices (of a day's trips, k times its \
     hours); and small numbers whose totals are published have another table in which they reach as much. That nobody \
     at all was there may be seen.",
    "Too few, protective and nobody at all have one status, `withheld`, and no number.",
];

/// The promise where k is 1.
pub(crate) const UNPROTECTED: [&str; 1] =
    ["Nothing is protected: with k = 1 every number of one or more is published, and withheld means nobody."];

/// What a reader must not take for promised.
pub(crate) const NOT_PROMISED: [&str; 8] = [
    "A count of a large group moves by one when one person comes or goes: who already knows where all the others \
     were can tell. This is no differential privacy.",
    "Visitors do not add: one person counts in every place and period visited. Never sum them.",
    "Trips are not people: one person may make several in a day, and returns count too.",
    "Numbers of different times are not sums of each other: who watches a place for long learns how it usually is, \
     and may guess a withheld number from the times at which it is published.",
    "A release speaks for itself alone: beside another release of the same days, or other data about the same people, \
     nothing is promised. The field `supersedes` names releases that this one makes void.",
    "A withheld number is not zero: it may be none, few, or many withheld to protect a neighbour.",
    "A place is where the serving cell's postal code is, which may be the neighbour of the true one.",
    "People are devices times an expansion factor: one person may carry two devices or none.",
];
