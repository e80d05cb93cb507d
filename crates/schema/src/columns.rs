//! What a column of a release is, and the columns of every file as Arrow has them, for writer and verifier.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::{
    dictionary::{self, Said, Value},
    release::Report,
};

/// A kind of file in a release, beside its manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReleaseFile {
    /// The parts of a report.
    Report(Report),
    /// `places.parquet`.
    Places,
    /// `occasions.parquet`: where and when each occasion was.
    OccasionAreas,
}

impl ReleaseFile {
    /// Every kind there is: the reports, then what they are joined with.
    pub const ALL: [Self; 10] = [
        Self::Report(Report::Presence),
        Self::Report(Report::Visitors),
        Self::Report(Report::Residence),
        Self::Report(Report::Dwell),
        Self::Report(Report::Frequency),
        Self::Report(Report::Flows),
        Self::Report(Report::Occasions),
        Self::Report(Report::Context),
        Self::Places,
        Self::OccasionAreas,
    ];

    /// Where it stands in the release; `*` is any local day.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Report(Report::Presence) => "presence/date=*/part.parquet",
            Self::Report(Report::Visitors) => "visitors/date=*/part.parquet",
            Self::Report(Report::Residence) => "residence/date=*/part.parquet",
            Self::Report(Report::Dwell) => "dwell/date=*/part.parquet",
            Self::Report(Report::Frequency) => "frequency/part.parquet",
            Self::Report(Report::Flows) => "flows/date=*/part.parquet",
            Self::Report(Report::Occasions) => "occasions/part.parquet",
            Self::Report(Report::Context) => "context/date=*/part.parquet",
            Self::Places => "places.parquet",
            Self::OccasionAreas => "occasions.parquet",
        }
    }

    /// What its rows mean.
    #[must_use]
    pub fn meaning(self) -> Said {
        dictionary::meaning(self)
    }
}

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A moment in milliseconds, on the clock of the release's zone.
    Time,
    /// Text in UTF-8.
    Text,
    /// A whole number of 64 bits.
    Whole,
    /// A whole number of 32 bits.
    Small,
    /// A number with a fraction.
    Number,
    /// True or false.
    Truth,
}

impl Kind {
    fn data_type(self, zone: &str) -> DataType {
        match self {
            Self::Time => DataType::Timestamp(TimeUnit::Millisecond, Some(zone.into())),
            Self::Text => DataType::Utf8,
            Self::Whole => DataType::Int64,
            Self::Small => DataType::Int32,
            Self::Number => DataType::Float64,
            Self::Truth => DataType::Boolean,
        }
    }
}

/// A column of a file of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name in the file.
    pub name: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// Whether a row may have none.
    pub nullable: bool,
    /// What it is counted in; empty where it is no quantity.
    pub unit: Said,
    /// What it says of its row.
    pub meaning: Said,
    /// Every value that it can have, where they are few and fixed.
    pub values: &'static [Value],
}

impl Column {
    fn field(&self, zone: &str) -> Field {
        Field::new(self.name, self.kind.data_type(zone), self.nullable)
    }
}

/// The columns of a kind of file, in their order; of context, those that every release has.
#[must_use]
pub fn columns(file: ReleaseFile) -> Vec<Column> {
    dictionary::columns(file).to_vec()
}

fn schema(file: ReleaseFile, zone: &str) -> SchemaRef {
    let fields = columns(file).iter().map(|column| column.field(zone)).collect::<Vec<_>>();
    Arc::new(Schema::new(fields))
}

/// The columns of a report, with its times on the clock of the named zone.
///
/// Of context these are the fixed ones; [`context_schema`] has the further ones too.
#[must_use]
pub fn arrow_schema(report: Report, zone: &str) -> SchemaRef {
    schema(ReleaseFile::Report(report), zone)
}

/// The columns of context, with the further ones of the census before the status.
#[must_use]
pub fn context_schema(zone: &str, further: &[String]) -> SchemaRef {
    let mut fields: Vec<Field> =
        columns(ReleaseFile::Report(Report::Context)).iter().map(|column| column.field(zone)).collect();
    let status = fields.len() - 1;
    let further = further.iter().map(|name| Field::new(name, Kind::Number.data_type(zone), true));
    fields.splice(status..status, further);
    Arc::new(Schema::new(fields))
}

/// The columns of `places.parquet`, which has no times.
#[must_use]
pub fn places_schema() -> SchemaRef {
    schema(ReleaseFile::Places, "UTC")
}

/// The columns of `occasions.parquet`, with its times on the clock of the named zone.
#[must_use]
pub fn occasions_schema(zone: &str) -> SchemaRef {
    schema(ReleaseFile::OccasionAreas, zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelt(schema: &Schema) -> Vec<String> {
        let one = |field: &Arc<Field>| {
            let kind = match field.data_type() {
                DataType::Timestamp(TimeUnit::Millisecond, Some(zone)) => format!("time in {zone}"),
                other => other.to_string(),
            };
            format!("{}: {kind}{}", field.name(), if field.is_nullable() { "?" } else { "" })
        };
        schema.fields().iter().map(one).collect()
    }

    #[test]
    fn columns_have_the_order_and_types_that_readers_know() {
        assert_eq!(
            spelt(&arrow_schema(Report::Residence, "Europe/Brussels")),
            [
                "measure: Utf8",
                "period_start: time in Europe/Brussels",
                "period: Utf8",
                "level: Utf8",
                "place: Utf8",
                "residence_level: Utf8",
                "residence: Utf8",
                "finest: Boolean",
                "people: Int64?",
                "status: Utf8"
            ]
        );
        assert_eq!(
            spelt(&context_schema("UTC", &["jobs".to_owned()]))[2..],
            [
                "level: Utf8",
                "place: Utf8",
                "visitors: Int64?",
                "presence: Float64?",
                "population: Float64?",
                "area_km2: Float64?",
                "visitors_per_1000: Float64?",
                "visitors_per_km2: Float64?",
                "presence_per_1000: Float64?",
                "presence_per_km2: Float64?",
                "jobs: Float64?",
                "status: Utf8"
            ]
        );
        assert_eq!(
            spelt(&occasions_schema("UTC")),
            [
                "occasion: Utf8",
                "name: Utf8",
                "start: time in UTC",
                "end: time in UTC",
                "postal_code: Utf8",
                "part: Int32",
                "parts: Int32"
            ]
        );
        assert_eq!(
            spelt(&places_schema()),
            [
                "level: Utf8",
                "place: Utf8",
                "parent: Utf8?",
                "name_fr: Utf8?",
                "name_nl: Utf8?",
                "name_de: Utf8?"
            ]
        );
    }

    #[test]
    fn every_report_has_its_file_and_every_number_its_status() {
        for report in Report::ALL {
            let file = ReleaseFile::Report(report);
            assert!(ReleaseFile::ALL.contains(&file));
            assert!(file.path().starts_with(report.as_str()));
            assert_eq!(columns(file).last().map(|column| column.name), Some("status"));
        }
    }

    #[test]
    fn every_word_is_explained_in_both_languages() {
        for file in ReleaseFile::ALL {
            for column in columns(file) {
                let texts = column.values.iter().map(|value| value.meaning).chain([column.meaning]);
                for Said { en, fr } in texts.chain([file.meaning()]) {
                    assert!(!en.is_empty() && !fr.is_empty(), "{}: {}", file.path(), column.name);
                }
                assert_eq!(column.unit.en.is_empty(), column.unit.fr.is_empty());
            }
        }
    }
}
