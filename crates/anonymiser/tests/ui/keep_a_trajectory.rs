//! A trajectory cannot outlive the call that lends it.
use std::sync::Mutex;
use throng_anonymiser::{Ballot, Crowd, Trajectory};

fn keep(crowd: Crowd) {
    let kept = Mutex::new(Vec::new());
    crowd.count(&[], |cell, _| Some(cell), |trajectory: &Trajectory<'_>, _: &mut Ballot<'_>| kept.lock().unwrap().push(trajectory.sightings()));
}

fn main() {}
