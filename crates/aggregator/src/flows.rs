//! Flows: trips from postal code to postal code, by the hour in which they arrive.

use std::sync::Arc;

use throng_anonymiser::{Axis, Ballot, SparseShape, key};
use throng_schema::{Calendar, PlaceId};

use crate::{residence::node, stay::Stay};

/// Where the tables of flows stand.
#[derive(Clone, Copy)]
pub(crate) struct Flows {
    pub(crate) trips: usize,
    pub(crate) travellers: usize,
}

/// A stay long enough to begin or end a trip, whatever lay between it and the one before.
fn qualifies(stay: &Stay, min_stay_us: i64) -> bool {
    stay.until_us - stay.from_us >= min_stay_us
}

impl Flows {
    /// The places are those of [`crate::residence::places_axis`].
    pub(crate) fn lay_out(places: &Arc<Axis>, sparse: &mut Vec<SparseShape>) -> Self {
        let trips = sparse.len();
        sparse.push(SparseShape::Keys);
        sparse.push(SparseShape::Above { rows: Arc::clone(places), columns: Some(Arc::clone(places)) });
        Self { trips, travellers: trips + 1 }
    }

    /// One person's stays in order, those of the context among them, and where the last long stay was that began
    /// before this day, if that is known already.
    ///
    /// A trip leads from one long stay to the next in another postal code, and counts in the hour in which the second
    /// begins; of several in one hour, the last does.
    pub(crate) fn mark(
        &self,
        stays: &[Stay],
        before: Option<Option<u32>>,
        min_stay_us: i64,
        calendar: &Calendar,
        ballot: &mut Ballot<'_>,
    ) {
        let (start_us, end_us) = (calendar.start_us(), calendar.end_us());
        let long = |stay: &&Stay| qualifies(stay, min_stay_us);
        let mut earlier = stays.iter().filter(|stay| stay.from_us < start_us).filter(long);
        let mut last =
            before.map_or_else(|| earlier.next_back().map(|stay| stay.place), |place| place.map(PlaceId));
        let mut trip: Option<(usize, PlaceId, PlaceId)> = None;
        let today = stays.iter().filter(|stay| (start_us..end_us).contains(&stay.from_us)).filter(long);
        for stay in today {
            if let Some(from) = last.filter(|from| *from != stay.place) {
                let hour = calendar.hours().before(stay.from_us + 1) - 1;
                if let Some(counted) = trip.filter(|(other, ..)| *other != hour) {
                    self.count(counted, ballot);
                }
                trip = Some((hour, from, stay.place));
            }
            last = Some(stay.place);
        }
        if let Some(counted) = trip {
            self.count(counted, ballot);
        }
        ballot.remember(last.map(|place| place.0));
    }

    fn count(&self, (hour, from, to): (usize, PlaceId, PlaceId), ballot: &mut Ballot<'_>) {
        ballot.mark_key(self.trips, key(hour, node(from), node(to)));
        ballot.mark_pair(self.travellers, node(from), node(to));
    }
}
