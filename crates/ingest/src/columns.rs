//! Which column of a file holds what, and how the file is written: the part of the config that speaks of events.

use std::path::Path;

use serde::{Deserialize, Deserializer};

use crate::{rejects::IngestError, table::Column, time::EpochUnit};

/// Where the fields of an event stand. A column is a name, or a number from 1 where a CSV has no header.
///
/// An optional column that is not set is looked for under its usual name, and done without if it is not there.
/// One that is set must be there.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventColumns {
    /// When the event was, or the session began.
    pub event_time: Column,
    /// Whose it was: opaque bytes.
    pub subscriber_id: Column,
    /// Which cell served: one column, or several that are joined.
    #[serde(deserialize_with = "one_or_several")]
    pub cell_id: Vec<Column>,
    /// What stands between the parts of a cell id that is joined.
    pub cell_separator: String,
    /// When the session ended (`end_time` if not set).
    pub end_time: Option<Column>,
    /// What kind of event it was (`event_type` if not set). It is read where types are kept or dropped.
    pub event_type: Option<Column>,
    /// The home network of the SIM (`home_plmn` if not set), or its parts, of which the first is the country's. It
    /// is read where homes are asked for.
    #[serde(deserialize_with = "perhaps_one_or_several")]
    pub home_plmn: Option<Vec<Column>>,
}

impl Default for EventColumns {
    fn default() -> Self {
        Self {
            event_time: "event_time".into(),
            subscriber_id: "subscriber_id".into(),
            cell_id: vec!["cell_id".into()],
            cell_separator: "-".to_owned(),
            end_time: None,
            event_type: None,
            home_plmn: None,
        }
    }
}

impl EventColumns {
    /// The columns of a bronze event file of Eurostat's MultiMNO pipeline.
    #[must_use]
    pub fn multimno() -> Self {
        Self {
            event_time: "timestamp".into(),
            subscriber_id: "user_id".into(),
            home_plmn: Some(vec!["mcc".into(), "mnc".into()]),
            ..Self::default()
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a column or a list of columns, each a name or a number from 1")]
enum OneOrSeveral {
    One(Column),
    Several(Vec<Column>),
}

fn one_or_several<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<Column>, D::Error> {
    match OneOrSeveral::deserialize(input)? {
        OneOrSeveral::One(column) => Ok(vec![column]),
        OneOrSeveral::Several(columns) if columns.is_empty() => {
            Err(serde::de::Error::custom("an empty list; expected at least one column"))
        }
        OneOrSeveral::Several(columns) => Ok(columns),
    }
}

fn perhaps_one_or_several<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Vec<Column>>, D::Error> {
    one_or_several(input).map(Some)
}

/// What a subscriber's identifier is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriberIdKind {
    /// Bytes that mean nothing.
    #[default]
    Opaque,
    /// An IMSI: its first three digits are the country code of the home network.
    Imsi,
}

/// What stands between the fields of a line: one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Delimiter(u8);

impl Delimiter {
    /// The byte.
    #[must_use]
    pub fn byte(self) -> u8 {
        self.0
    }
}

impl Default for Delimiter {
    fn default() -> Self {
        Self(b',')
    }
}

/// A text that cannot stand between fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this cannot stand between fields; expected one ASCII character such as `,`, `;`, `|` or `\\t`")]
pub struct DelimiterError;

impl TryFrom<String> for Delimiter {
    type Error = DelimiterError;

    fn try_from(text: String) -> Result<Self, DelimiterError> {
        text.parse()
    }
}

impl std::str::FromStr for Delimiter {
    type Err = DelimiterError;

    fn from_str(text: &str) -> Result<Self, DelimiterError> {
        match text.as_bytes() {
            b"\\t" => Ok(Self(b'\t')),
            [b'"' | b'\n' | b'\r'] => Err(DelimiterError),
            [byte] if byte.is_ascii() => Ok(Self(*byte)),
            _ => Err(DelimiterError),
        }
    }
}

/// How files of events are written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventFormat {
    /// What stands between the fields of a CSV.
    pub delimiter: Delimiter,
    /// Whether the first line of a CSV names its columns.
    pub header: bool,
    /// The unit of times that are integers. None is assumed: a wrong one would be a silent disaster.
    pub epoch_unit: Option<EpochUnit>,
    /// If not empty, the only event types that are used.
    pub keep_types: Vec<String>,
    /// Event types that are not used.
    pub drop_types: Vec<String>,
    /// What a subscriber's identifier is.
    pub subscriber_id_kind: SubscriberIdKind,
}

impl Default for EventFormat {
    fn default() -> Self {
        Self {
            delimiter: Delimiter::default(),
            header: true,
            epoch_unit: None,
            keep_types: Vec::new(),
            drop_types: Vec::new(),
            subscriber_id_kind: SubscriberIdKind::default(),
        }
    }
}

impl EventFormat {
    pub(crate) fn asks_for_types(&self) -> bool {
        !self.keep_types.is_empty() || !self.drop_types.is_empty()
    }
}

/// The columns that a file has: how many, and their names if it names them.
pub(crate) struct Header {
    pub(crate) names: Option<Vec<String>>,
    pub(crate) width: usize,
}

impl Header {
    /// Where a column stands; nothing tells which of two of one name is meant.
    fn find(&self, file: &Path, column: &Column) -> Result<Option<usize>, IngestError> {
        let name = match column {
            Column::Name(name) => name,
            Column::Number(number) => return Ok(number.checked_sub(1).filter(|index| *index < self.width)),
        };
        let names = self.names.as_deref().unwrap_or_default();
        let mut found = (0..names.len()).filter(|index| names[*index] == *name);
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(IngestError::TwoColumns { file: file.to_owned(), column: column.clone() }),
            (first, None) => Ok(first),
        }
    }
}

/// Where the fields that are used stand in one file, from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) event_time: usize,
    pub(crate) subscriber_id: usize,
    pub(crate) cell_id: Vec<usize>,
    pub(crate) end_time: Option<usize>,
    pub(crate) event_type: Option<usize>,
    pub(crate) home: Home,
}

/// Where a row tells the home network of its subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    /// In a column: of several that make it, the first is the country's.
    Column(usize),
    /// In the identifier, which is an IMSI.
    Subscriber,
    /// Nowhere, or nobody asks.
    Nowhere,
}

impl Home {
    /// Where its column stands, if it has one.
    pub(crate) fn column(self) -> Option<usize> {
        match self {
            Self::Column(index) => Some(index),
            Self::Subscriber | Self::Nowhere => None,
        }
    }
}

impl EventColumns {
    /// Finds the columns in a file.
    ///
    /// The error does not say which columns there are: where a header is expected and there is none, the names
    /// would be the first row, identifier and all.
    pub(crate) fn find(
        &self,
        file: &Path,
        header: &Header,
        format: &EventFormat,
    ) -> Result<Fields, IngestError> {
        let must = |field, column: &Column| {
            let missing = || IngestError::NoColumn { file: file.to_owned(), field, column: column.clone() };
            header.find(file, column)?.ok_or_else(missing)
        };
        let home = match &self.home_plmn {
            Some(parts) => {
                let parts: Vec<usize> =
                    parts.iter().map(|part| must("home_plmn", part)).collect::<Result<_, _>>()?;
                parts.first().copied()
            }
            None => header.find(file, &"home_plmn".into())?,
        };
        let without = match format.subscriber_id_kind {
            SubscriberIdKind::Imsi => Home::Subscriber,
            SubscriberIdKind::Opaque => Home::Nowhere,
        };
        let event_type = match &self.event_type {
            Some(column) => Some(must("event_type", column)?),
            None if format.asks_for_types() => Some(must("event_type", &"event_type".into())?),
            None => None,
        };
        let end_time = match &self.end_time {
            Some(column) => Some(must("end_time", column)?),
            None => header.find(file, &"end_time".into())?,
        };
        Ok(Fields {
            event_time: must("event_time", &self.event_time)?,
            subscriber_id: must("subscriber_id", &self.subscriber_id)?,
            cell_id: self.cell_id.iter().map(|part| must("cell_id", part)).collect::<Result<_, _>>()?,
            end_time,
            event_type: event_type.filter(|_| format.asks_for_types()),
            home: home.map_or(without, Home::Column),
        })
    }
}

/// Which event types are used, and how many rows there were of those that the config names.
pub(crate) struct Types {
    listed: Vec<(Box<[u8]>, bool)>,
    others_kept: bool,
}

/// The type of an event: the place of its name in the config's lists.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TypeIx(pub(crate) u32);

impl TypeIx {
    /// A type on no list, or none at all.
    pub(crate) const OTHER: Self = Self(u32::MAX);
}

impl Types {
    pub(crate) fn new(format: &EventFormat) -> Self {
        let others_kept = format.keep_types.is_empty();
        let mut listed: Vec<(Box<[u8]>, bool)> = Vec::new();
        // What stands on both lists is dropped.
        let dropped = format.drop_types.iter().map(|name| (name, false));
        for (name, kept) in dropped.chain(format.keep_types.iter().map(|name| (name, true))) {
            if !listed.iter().any(|(known, _)| **known == *name.as_bytes()) {
                listed.push((name.as_bytes().into(), kept));
            }
        }
        Self { listed, others_kept }
    }

    /// Lists are a few names long, for which a search from the start beats a table.
    #[inline]
    pub(crate) fn find(&self, name: &[u8]) -> TypeIx {
        let place = self.listed.iter().position(|(known, _)| **known == *name);
        place.and_then(|place| u32::try_from(place).ok()).map_or(TypeIx::OTHER, TypeIx)
    }

    #[inline]
    pub(crate) fn keeps(&self, of: TypeIx) -> bool {
        self.listed.get(of.0 as usize).map_or(self.others_kept, |(_, kept)| *kept)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = String> + '_ {
        self.listed.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned())
    }

    pub(crate) fn len(&self) -> usize {
        self.listed.len()
    }
}

#[cfg(test)]
mod tests {
    use serde::de::{
        IntoDeserializer,
        value::{Error, MapDeserializer},
    };

    use super::*;

    fn columns(config: &[(&'static str, &'static str)]) -> Result<EventColumns, Error> {
        EventColumns::deserialize(MapDeserializer::new(config.iter().copied()))
    }

    #[test]
    fn what_the_config_leaves_out_has_the_usual_name() {
        let set = columns(&[("cell_id", "cgi"), ("home_plmn", "plmn")]).expect("read");
        let expected = EventColumns {
            cell_id: vec!["cgi".into()],
            home_plmn: Some(vec!["plmn".into()]),
            ..EventColumns::default()
        };
        assert_eq!(set, expected);
        let error = columns(&[("cel_id", "cgi")]).expect_err("refused").to_string();
        assert!(error.starts_with("unknown field `cel_id`"));
    }

    #[test]
    fn a_cell_id_may_have_parts() {
        let read =
            |parts: Vec<&'static str>| one_or_several(IntoDeserializer::<Error>::into_deserializer(parts));
        assert_eq!(read(vec!["lac", "ci"]).expect("read"), ["lac".into(), "ci".into()]);
        assert_eq!(
            read(vec![]).expect_err("refused").to_string(),
            "an empty list; expected at least one column"
        );
    }

    #[test]
    fn a_delimiter_is_one_byte() {
        for (text, byte) in [(",", b','), ("\t", b'\t'), ("\\t", b'\t'), ("|", b'|')] {
            assert_eq!(text.parse::<Delimiter>().expect("one").byte(), byte);
        }
        for text in ["", ",,", "\"", "\n", "\u{a0}"] {
            assert!(text.parse::<Delimiter>().is_err());
        }
    }

    #[test]
    fn what_stands_on_both_lists_is_dropped() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let kept = |types: &Types, name: &[u8]| types.keeps(types.find(name));
        let both =
            EventFormat { keep_types: list(&["a", "b"]), drop_types: list(&["b"]), ..EventFormat::default() };
        let types = Types::new(&both);
        assert_eq!([b"a", b"b", b"c"].map(|name| kept(&types, name)), [true, false, false]);
        let types = Types::new(&EventFormat { drop_types: list(&["b"]), ..EventFormat::default() });
        assert_eq!([b"a", b"b", b"c"].map(|name| kept(&types, name)), [true, false, true]);
    }
}
