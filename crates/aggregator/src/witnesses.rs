//! The witnesses of a run's certificates, in the ledger: why no withheld number can be shown to be small.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray},
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
};
use parquet::arrow::ArrowWriter;
use throng_anonymiser::Witness;
use throng_schema::PlaceId;

use crate::{
    areas::Areas,
    release::{Filed, LedgerFile, ReleaseError, properties},
    reports::{Report, Reports, Today},
    shape::ShapeError,
};

/// The name of their file in the ledger.
const NAME: &str = "witnesses.parquet";

/// `witnesses.parquet` in the ledger's folder, readable by its owner alone, day by day.
///
/// A row says how many `devices` one witness of a `report` has in one place `at` one time. Witness 0 names all places
/// of the finest level where there is somebody; each further one is witness 0 but for the places that it names.
pub struct WitnessFile {
    folder: PathBuf,
    schema: SchemaRef,
    writer: ArrowWriter<LedgerFile>,
}

impl WitnessFile {
    /// Begins the file, beside the one that stands.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn begin(reports: &Reports, folder: &Path) -> Result<Self, ReleaseError> {
        let zone: Arc<str> = reports.calendar().zone().iana_name().unwrap_or("UTC").into();
        let text = |name: &str| Field::new(name, DataType::Utf8, false);
        let schema: SchemaRef = Arc::new(Schema::new(vec![
            text("report"),
            Field::new("at", DataType::Timestamp(TimeUnit::Millisecond, Some(zone)), false),
            Field::new("witness", DataType::Int32, false),
            text("level"),
            text("place"),
            Field::new("devices", DataType::Int64, false),
        ]));
        let file = LedgerFile::begin(folder, NAME)?;
        let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties()));
        let writer = writer.map_err(|source| ReleaseError::Parquet { path: folder.join(NAME), source })?;
        Ok(Self { folder: folder.to_owned(), schema, writer })
    }

    /// Adds the witnesses of a day.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn add(&mut self, today: &Today<'_>, witnesses: &[Witness]) -> Result<(), ReleaseError> {
        // Presence is the one table with witnesses.
        let instants = today.calendar.instants().at_us();
        let tree = today.reports.tree();
        let witnesses = by_place(&today.reports.areas, witnesses);
        let entries = || {
            let of = |(witness, devices): &'_ (&Witness, Vec<(PlaceId, u64)>)| {
                (witness.time, witness.number, devices.len())
            };
            witnesses.iter().flat_map(move |witness| {
                let (time, number, n) = of(witness);
                (0..n).map(move |i| ((time, number), witness.1[i]))
            })
        };
        let DataType::Timestamp(_, zone) = self.schema.field(1).data_type() else { return Ok(()) };
        let report = entries().map(|_| Some(Report::Presence.as_str()));
        let at = entries().map(|((time, _), _)| Some(instants[time].div_euclid(1_000)));
        let number = entries().map(|((_, number), _)| i32::try_from(number).unwrap_or(i32::MAX));
        let level = entries().map(|(_, (place, _))| Some(tree.level(place).as_str()));
        let code = entries().map(|(_, (place, _))| Some(tree.code(place)));
        let devices = entries().map(|(_, (_, devices))| i64::try_from(devices).unwrap_or(i64::MAX));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(report.collect::<StringArray>()),
            Arc::new(at.collect::<TimestampMillisecondArray>().with_timezone_opt(zone.clone())),
            Arc::new(number.collect::<Int32Array>()),
            Arc::new(level.collect::<StringArray>()),
            Arc::new(code.collect::<StringArray>()),
            Arc::new(devices.collect::<Int64Array>()),
        ];
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(ShapeError::from)?;
        let wrong = |source| ReleaseError::Parquet { path: self.folder.join(NAME), source };
        self.writer.write(&batch).and_then(|()| self.writer.flush()).map_err(wrong)
    }

    /// Writes the file to its end, beside the one that stands.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn close(self) -> Result<Filed, ReleaseError> {
        let path = self.folder.join(NAME);
        self.writer.into_inner().map_err(|source| ReleaseError::Parquet { path, source })?.close()
    }
}

/// Witnesses by postal code, for an occasion may have cut one into parts: the first of a time names whatever is
/// anywhere, the others the postal codes of which any part differs from it.
fn by_place<'w>(areas: &Areas, witnesses: &'w [Witness]) -> Vec<(&'w Witness, Vec<(PlaceId, u64)>)> {
    let of_slot = areas.places_by_slot();
    // The parts of each postal code, by slot.
    let mut slots: Vec<Vec<usize>> = Vec::new();
    for (slot, place) in
        of_slot.iter().enumerate().filter_map(|(slot, place)| place.map(|place| (slot, place)))
    {
        slots.resize(slots.len().max(place.index() + 1), Vec::new());
        slots[place.index()].push(slot);
    }
    // What the first of the time says of each slot, and what the witness at hand says.
    let (mut base, mut here) = (vec![0; of_slot.len()], vec![0; of_slot.len()]);
    let named = |witness: &'w Witness| {
        debug_assert_eq!(witness.table, 0, "presence is the one table with witnesses");
        let first = witness.number == 0;
        if first {
            here.fill(0);
        }
        witness.devices.iter().for_each(|(slot, devices)| here[*slot] = *devices);
        let mut places: Vec<PlaceId> =
            witness.devices.iter().filter_map(|(slot, _)| of_slot[*slot]).collect();
        places.sort_unstable();
        places.dedup();
        let sum = |place: PlaceId| (place, slots[place.index()].iter().map(|slot| here[*slot]).sum());
        let devices = places.into_iter().map(sum).collect();
        if first {
            base.clone_from(&here);
        } else {
            witness.devices.iter().for_each(|(slot, _)| here[*slot] = base[*slot]);
        }
        (witness, devices)
    };
    witnesses.iter().map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::areas::tests::cut_in_two;

    #[test]
    fn witnesses_name_postal_codes_with_all_of_their_parts() {
        let (areas, _) = cut_in_two();
        let slot = |part: usize| areas.lattice.slot(part);
        let [first, second] = [areas.place_of(0), areas.place_of(2)];
        assert_eq!((areas.place_of(1), first != second), (first, true), "two parts of one, and another");
        let witness = |time, number, devices: &[(usize, u64)]| Witness {
            table: 0,
            time,
            number,
            devices: devices.iter().map(|(part, devices)| (slot(*part), *devices)).collect(),
        };
        let witnesses = [
            witness(0, 0, &[(0, 4), (1, 30), (2, 7)]),
            witness(0, 1, &[(1, 50)]),
            witness(0, 2, &[(0, 9), (2, 0)]),
            witness(1, 0, &[(1, 6)]),
            witness(1, 1, &[(0, 1), (2, 8)]),
        ];
        let named = by_place(&areas, &witnesses).into_iter().map(|(witness, places)| {
            assert!(places.is_sorted(), "in the order of places");
            (witness.time, witness.number, places)
        });
        let expected = [
            (0, 0, vec![(first, 34), (second, 7)]),
            (0, 1, vec![(first, 54)]),
            (0, 2, vec![(first, 39), (second, 0)]),
            (1, 0, vec![(first, 6)]),
            (1, 1, vec![(first, 7), (second, 8)]),
        ];
        assert_eq!(named.collect::<Vec<_>>(), expected);
    }
}
