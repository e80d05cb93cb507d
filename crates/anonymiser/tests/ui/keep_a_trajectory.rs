//! A trajectory cannot outlive the call that lends it.
use std::sync::Mutex;
use throng_anonymiser::{Ballot, Crowd, Sitting, Trajectory};

fn keep(crowd: Crowd, sitting: &Sitting<'_>) {
    let kept = Mutex::new(Vec::new());
    crowd.count(sitting, |cell, _| Some(cell), None, |trajectory: &Trajectory<'_>, _: &mut Ballot<'_>| kept.lock().unwrap().push(trajectory.sightings()));
}

fn main() {}
