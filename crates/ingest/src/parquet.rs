//! Reads events from Parquet, one row group at a time, column by column.

use std::{fs::File, io, path::Path, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BinaryViewArray, DictionaryArray, FixedSizeBinaryArray, Int64Array,
        PrimitiveArray, RecordBatch, UInt64Array,
    },
    buffer::ScalarBuffer,
    compute::cast,
    datatypes::{
        ArrowPrimitiveType, DataType, Field, Int32Type, Int64Type, Schema, SchemaRef, TimeUnit,
        TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
        UInt64Type,
    },
};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{
            ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
            ParquetRecordBatchReaderBuilder,
        },
    },
    basic::{ConvertedType, Encoding, PageType, Type as PhysicalType},
    file::metadata::{ColumnChunkMetaData, ParquetMetaData, ParquetStatisticsPolicy},
};
use throng_decoding::{Texts, footer, guarded, rows_at_once};

use crate::{
    columns::{EventColumns, EventFormat, Fields, Header, Home, TypeIx, Types},
    csv::join,
    home::{mcc_of_imsi, mcc_of_integer, mcc_of_text},
    rejects::{Cell, IngestError, Judge, PartTally, Row},
    table::Column,
    time::{EpochUnit, Moment, TimeReader, micros_of},
};

/// Rows decoded at a time: the columns of a batch fit the second-level cache.
const BATCH_ROWS: usize = 8_192;

/// Room for the digits and the sign of any 64-bit integer.
const DIGITS: usize = 20;

/// How the row groups of one file are laid out.
pub(crate) struct ParquetLayout {
    pub(crate) fields: Fields,
    pub(crate) columns: Vec<(String, String)>,
    /// The schemas to read row groups by, according to which of their columns have dictionaries.
    read_as: [(Kept, ArrowReaderMetadata); 4],
    epoch_unit: Option<EpochUnit>,
    /// The column of the home network and its type, where it can hold none.
    home_of_wrong_type: Option<(Column, String)>,
}

impl ParquetLayout {
    /// Looks at the end of a file: finds the columns, and refuses types that cannot hold them.
    pub(crate) fn look(
        file: &Path,
        columns: &EventColumns,
        format: &EventFormat,
    ) -> Result<Self, IngestError> {
        let failed = |source| IngestError::Io { file: file.to_owned(), source };
        let damaged = || IngestError::Damaged {
            file: file.to_owned(),
            row: None,
            expected: "Parquet with a sound footer",
        };
        let opened = File::open(file).map_err(failed)?;
        // The smallest and largest values of a column of identifiers are identifiers, and would stay in memory.
        let options = ArrowReaderOptions::new().with_column_stats_policy(ParquetStatisticsPolicy::SkipAll);
        let own = footer(&opened, options).map_err(failed)?.ok_or_else(damaged)?;
        let again = |options| {
            let read = guarded(|| ArrowReaderMetadata::try_new(own.metadata().clone(), options));
            read.and_then(Result::ok).ok_or_else(damaged)
        };
        // What the bytes are, whatever the writer called them in memory.
        let bare = again(ArrowReaderOptions::new().with_skip_arrow_metadata(true))?;

        let names: Vec<String> = own.schema().fields().iter().map(|field| field.name().clone()).collect();
        let header = Header { width: names.len(), names: Some(names) };
        let fields = columns.find(file, &header, format)?;
        let wanted = Wanted { file, columns, format, fields: &fields };
        wanted.check(own.schema(), bare.schema())?;
        let read_as = |kept: Kept| {
            let schema = wanted.schema(own.schema(), bare.schema(), own.metadata(), kept);
            again(ArrowReaderOptions::new().with_schema(schema)).map(|metadata| (kept, metadata))
        };
        let [a, b, c, d] = Kept::ALL.map(read_as);
        let read_as = [a?, b?, c?, d?];
        let home_of_wrong_type = wanted.home_of_wrong_type(own.schema(), bare.schema());
        let described = |field: &Arc<Field>| (field.name().clone(), field.data_type().to_string());
        Ok(Self {
            columns: own.schema().fields().iter().map(described).collect(),
            read_as,
            epoch_unit: format.epoch_unit,
            home_of_wrong_type,
            fields,
        })
    }

    /// Refuses a column of home networks that can hold none.
    pub(crate) fn check_home(&self, file: &Path) -> Result<(), IngestError> {
        let wrong = self.home_of_wrong_type.clone();
        wrong.map_or(Ok(()), |(column, found)| {
            let (file, expected) = (file.to_owned(), "text, binary or a number");
            Err(IngestError::ColumnType { file, column, found, expected })
        })
    }

    fn metadata(&self) -> &ParquetMetaData {
        self.read_as[0].1.metadata()
    }

    pub(crate) fn row_groups(&self) -> usize {
        self.metadata().num_row_groups()
    }

    pub(crate) fn rows(&self) -> u64 {
        self.metadata().row_groups().iter().map(|group| group.num_rows().unsigned_abs()).sum()
    }

    pub(crate) fn group_bytes(&self, group: usize) -> u64 {
        self.metadata().row_group(group).compressed_size().unsigned_abs()
    }

    pub(crate) fn group_rows(&self, group: usize) -> u64 {
        self.metadata().row_group(group).num_rows().unsigned_abs()
    }

    /// Whether subscribers are told by the entries of a dictionary.
    pub(crate) fn keeps_subscribers(&self, group: usize) -> bool {
        self.dictionaries(group, Home::Nowhere).subscribers
    }

    fn rows_before(&self, group: usize) -> u64 {
        self.metadata().row_groups()[..group].iter().map(|group| group.num_rows().unsigned_abs()).sum()
    }

    /// The columns to read, from 0, in the order of the file.
    fn projection(&self, home: Home) -> Vec<usize> {
        let fields = &self.fields;
        let mut wanted = vec![fields.event_time, fields.subscriber_id];
        wanted.extend(home.column());
        wanted.extend(fields.cell_id.iter().chain(&fields.end_time).chain(&fields.event_type));
        wanted.sort_unstable();
        wanted.dedup();
        wanted
    }

    fn reader(&self, file: &Path, group: usize, home: Home) -> Result<ParquetRecordBatchReader, IngestError> {
        let failed = |source: io::Error| IngestError::Io { file: file.to_owned(), source };
        let damaged = || self.damaged(file, group, 0);
        let opened = File::open(file).map_err(failed)?;
        let kept = self.dictionaries(group, home);
        let fits = self.read_as.iter().find(|(read_as, _)| *read_as == kept);
        let (_, metadata) = fits.unwrap_or(&self.read_as[0]);
        let roots = self.projection(home);
        let leaves = roots.iter().filter_map(|root| leaf_of(self.metadata(), *root));
        let rows = rows_at_once(&opened, self.metadata(), group, leaves, Texts::Shared, BATCH_ROWS);
        let rows = rows.map_err(failed)?.ok_or_else(damaged)?;
        let mask = ProjectionMask::roots(metadata.parquet_schema(), roots);
        guarded(|| {
            ParquetRecordBatchReaderBuilder::new_with_metadata(opened, metadata.clone())
                .with_row_groups(vec![group])
                .with_projection(mask)
                .with_batch_size(rows)
                .build()
        })
        .and_then(Result::ok)
        .ok_or_else(damaged)
    }

    /// Which of the columns that are looked up are written with dictionaries from beginning to end. Where a writer
    /// gave up half way, the reader would have to make a dictionary of its own, which costs more than it saves.
    fn dictionaries(&self, group: usize, home: Home) -> Kept {
        let group = self.metadata().row_group(group);
        // Home networks that are numbers need no dictionary, so theirs does not matter.
        let home = home.column().filter(|root| {
            let leaf = leaf_of(self.metadata(), *root);
            leaf.is_some_and(|leaf| group.column(leaf).column_type() == PhysicalType::BYTE_ARRAY)
        });
        let coded =
            |root: usize| leaf_of(self.metadata(), root).is_none_or(|leaf| is_dictionary(group.column(leaf)));
        Kept {
            looked_up: dictionary_columns(&self.fields, home).all(coded),
            subscribers: subscribers_apart(&self.fields) && coded(self.fields.subscriber_id),
        }
    }

    fn damaged(&self, file: &Path, group: usize, read: u64) -> IngestError {
        let row = Some(self.rows_before(group) + read + 1);
        let expected =
            "Parquet pages that can be decoded, of at most 256 MiB each, with a value for each row";
        IngestError::Damaged { file: file.to_owned(), row, expected }
    }
}

/// Which dictionaries are kept as they are: those of cells, types and home networks, and that of subscribers.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Kept {
    looked_up: bool,
    subscribers: bool,
}

impl Kept {
    const ALL: [Self; 4] = [
        Self { looked_up: false, subscribers: false },
        Self { looked_up: false, subscribers: true },
        Self { looked_up: true, subscribers: false },
        Self { looked_up: true, subscribers: true },
    ];
}

/// Whether the column of subscribers serves nothing else. Where one column serves two fields, it is read one way.
fn subscribers_apart(fields: &Fields) -> bool {
    let others = fields.cell_id.iter().copied().chain(fields.end_time).chain(fields.event_type);
    let mut others = others.chain(fields.home.column()).chain([fields.event_time]);
    others.all(|root| root != fields.subscriber_id)
}

/// Columns whose values are looked up, so that a dictionary saves work.
fn dictionary_columns(fields: &Fields, home: Option<usize>) -> impl Iterator<Item = usize> + '_ {
    let cell = fields.cell_id.first().copied().filter(|_| fields.cell_id.len() == 1);
    // Where one column serves two fields, it is read one way.
    let apart = |root: &usize| {
        *root != fields.subscriber_id && *root != fields.event_time && Some(*root) != fields.end_time
    };
    cell.into_iter().chain(fields.event_type).chain(home).filter(apart)
}

/// The only leaf of a column that is not nested.
fn leaf_of(metadata: &ParquetMetaData, root: usize) -> Option<usize> {
    let schema = metadata.file_metadata().schema_descr();
    (0..schema.num_columns()).find(|leaf| schema.get_column_root_idx(*leaf) == root)
}

fn is_dictionary(chunk: &ColumnChunkMetaData) -> bool {
    let coded = |encoding| matches!(encoding, Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY);
    if chunk.dictionary_page_offset().is_none() {
        return false;
    }
    if let Some(mask) = chunk.page_encoding_stats_mask() {
        return mask.encodings().all(coded);
    }
    match chunk.page_encoding_stats() {
        Some(stats) => stats
            .iter()
            .filter(|page| matches!(page.page_type, PageType::DATA_PAGE | PageType::DATA_PAGE_V2))
            .all(|page| coded(page.encoding)),
        None => chunk.encodings().any(coded),
    }
}

/// The fields that are asked of a file, and as what types.
struct Wanted<'a> {
    file: &'a Path,
    columns: &'a EventColumns,
    format: &'a EventFormat,
    fields: &'a Fields,
}

impl Wanted<'_> {
    fn check(&self, own: &Schema, bare: &Schema) -> Result<(), IngestError> {
        let (fields, columns) = (self.fields, self.columns);
        self.check_time(&columns.event_time, fields.event_time, own, bare)?;
        if let Some(index) = fields.end_time {
            let column = columns.end_time.clone().unwrap_or_else(|| "end_time".into());
            self.check_time(&column, index, own, bare)?;
        }
        self.check_bytes(&columns.subscriber_id, fields.subscriber_id, own, bare)?;
        for (column, index) in columns.cell_id.iter().zip(&fields.cell_id) {
            self.check_bytes(column, *index, own, bare)?;
        }
        if let Some(index) = fields.event_type {
            let column = columns.event_type.clone().unwrap_or_else(|| "event_type".into());
            self.check_bytes(&column, index, own, bare)?;
        }
        Ok(())
    }

    fn home_of_wrong_type(&self, own: &Schema, bare: &Schema) -> Option<(Column, String)> {
        let index = self.fields.home.column()?;
        let own = own.field(index);
        if holds_homes(own.data_type(), bare.field(index).data_type()) {
            return None;
        }
        let column = self.columns.home_plmn.iter().flatten().next();
        Some((column.cloned().unwrap_or_else(|| "home_plmn".into()), own.data_type().to_string()))
    }

    fn check_time(
        &self,
        column: &Column,
        index: usize,
        own: &Schema,
        bare: &Schema,
    ) -> Result<(), IngestError> {
        match read_as(own.field(index).data_type(), bare.field(index).data_type()) {
            Some(DataType::Int64 | DataType::UInt64) if self.format.epoch_unit.is_none() => {
                Err(IngestError::NoEpochUnit { file: self.file.to_owned(), column: column.clone() })
            }
            Some(_) => Ok(()),
            None => Err(self.wrong_type(column, own.field(index), "a timestamp, text or an integer")),
        }
    }

    fn check_bytes(
        &self,
        column: &Column,
        index: usize,
        own: &Schema,
        bare: &Schema,
    ) -> Result<(), IngestError> {
        match read_as(own.field(index).data_type(), bare.field(index).data_type()) {
            None | Some(DataType::Timestamp(..)) => {
                Err(self.wrong_type(column, own.field(index), "text, binary or an integer"))
            }
            Some(_) => Ok(()),
        }
    }

    fn wrong_type(&self, column: &Column, field: &Field, expected: &'static str) -> IngestError {
        let found = field.data_type().to_string();
        IngestError::ColumnType { file: self.file.to_owned(), column: column.clone(), found, expected }
    }

    /// The schema to read by: that of the bytes, with views for texts, or dictionaries where they help.
    fn schema(&self, own: &Schema, bare: &Schema, metadata: &ParquetMetaData, kept: Kept) -> SchemaRef {
        let wanted: Vec<usize> = {
            let fields = self.fields;
            let all = [fields.event_time, fields.subscriber_id].into_iter();
            all.chain(fields.cell_id.iter().copied())
                .chain(fields.end_time)
                .chain(fields.event_type)
                .chain(fields.home.column())
                .collect()
        };
        let coded: Vec<usize> = dictionary_columns(self.fields, self.fields.home.column()).collect();
        let as_read = |(index, field): (usize, &Arc<Field>)| {
            if !wanted.contains(&index) {
                return field.clone();
            }
            let by_dictionary = kept.looked_up && coded.contains(&index)
                || kept.subscribers && index == self.fields.subscriber_id;
            let leaf =
                leaf_of(metadata, index).map(|leaf| metadata.file_metadata().schema_descr().column(leaf));
            let is_text = leaf.is_some_and(|leaf| leaf.converted_type() == ConvertedType::UTF8);
            let data_type = match field.data_type() {
                DataType::Utf8 if by_dictionary && is_text => dictionary_of(DataType::Utf8),
                DataType::Binary if by_dictionary && !is_text => dictionary_of(DataType::Binary),
                DataType::Utf8 => DataType::Utf8View,
                DataType::Binary => DataType::BinaryView,
                // INT96 is what Spark and Impala wrote before there were timestamps; Spark's are UTC. Nanoseconds
                // would not reach beyond 2262.
                DataType::Timestamp(TimeUnit::Nanosecond, None) if is_int96(metadata, index) => {
                    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
                }
                // Seconds have no type of their own in Parquet: only the writer's schema tells them from integers.
                DataType::Int64 | DataType::Int32 if is_timestamp(own.field(index)) => {
                    own.field(index).data_type().clone()
                }
                other => other.clone(),
            };
            Arc::new(field.as_ref().clone().with_data_type(data_type))
        };
        Arc::new(Schema::new(bare.fields().iter().enumerate().map(as_read).collect::<Vec<_>>()))
    }
}

fn dictionary_of(values: DataType) -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(values))
}

fn is_timestamp(field: &Field) -> bool {
    matches!(field.data_type(), DataType::Timestamp(..))
}

fn is_int96(metadata: &ParquetMetaData, root: usize) -> bool {
    let schema = metadata.file_metadata().schema_descr();
    leaf_of(metadata, root).is_some_and(|leaf| schema.column(leaf).physical_type() == PhysicalType::INT96)
}

/// What a column is read as, roughly: bytes, 64-bit integers or timestamps; none if it cannot be used.
fn read_as(own: &DataType, bare: &DataType) -> Option<DataType> {
    match bare {
        DataType::Int64 | DataType::Int32 if matches!(own, DataType::Timestamp(..)) => Some(own.clone()),
        DataType::Int64 if matches!(own, DataType::Duration(_)) => None,
        DataType::Timestamp(..) => Some(bare.clone()),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Some(DataType::Int64),
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => Some(DataType::UInt64),
        DataType::Utf8 | DataType::Binary | DataType::FixedSizeBinary(_) => Some(DataType::Binary),
        _ => None,
    }
}

/// Whether a column can hold home networks. They may be fractions, as some writers make of integers with gaps.
fn holds_homes(own: &DataType, bare: &DataType) -> bool {
    bare.is_floating() || !matches!(read_as(own, bare), None | Some(DataType::Timestamp(..)))
}

/// A column of bytes, or of integers that stand for their digits.
enum Bytes {
    View(BinaryViewArray),
    Fixed(FixedSizeBinaryArray),
    Signed(Int64Array),
    Unsigned(UInt64Array),
    Coded { keys: PrimitiveArray<Int32Type>, values: Box<Bytes> },
}

impl Bytes {
    /// None where the column has a type that the schema did not announce.
    fn of(column: &ArrayRef) -> Option<Self> {
        Some(match column.data_type() {
            DataType::Utf8View => Self::View(column.as_string_view_opt()?.clone().to_binary_view()),
            DataType::BinaryView => Self::View(column.as_binary_view_opt()?.clone()),
            DataType::FixedSizeBinary(_) => Self::Fixed(column.as_fixed_size_binary_opt()?.clone()),
            DataType::Utf8 | DataType::Binary => Self::of(&cast(column, &DataType::BinaryView).ok()?)?,
            DataType::Dictionary(..) => {
                let coded: &DictionaryArray<Int32Type> = column.as_dictionary_opt()?;
                Self::Coded { keys: coded.keys().clone(), values: Box::new(Self::of(coded.values())?) }
            }
            signed if signed.is_signed_integer() => {
                Self::Signed(cast(column, &DataType::Int64).ok()?.as_primitive_opt::<Int64Type>()?.clone())
            }
            unsigned if unsigned.is_unsigned_integer() => Self::Unsigned(
                cast(column, &DataType::UInt64).ok()?.as_primitive_opt::<UInt64Type>()?.clone(),
            ),
            _ => return None,
        })
    }

    /// The bytes of a row; none if null.
    #[inline]
    fn get<'a>(&'a self, row: usize, digits: &'a mut [u8; DIGITS]) -> &'a [u8] {
        match self {
            Self::View(column) if column.is_valid(row) => column.value(row),
            Self::Fixed(column) if column.is_valid(row) => column.value(row),
            Self::Signed(column) if column.is_valid(row) => {
                let value = column.value(row);
                decimal(value.unsigned_abs(), value < 0, digits)
            }
            Self::Unsigned(column) if column.is_valid(row) => decimal(column.value(row), false, digits),
            Self::Coded { keys, values } if keys.is_valid(row) => {
                let key = usize::try_from(keys.value(row)).unwrap_or(usize::MAX);
                values.get(key, digits)
            }
            _ => &[],
        }
    }
}

impl Bytes {
    /// Lets the judge meet the subscribers of so many rows, or of so many entries of a dictionary; whether each has an
    /// identifier.
    fn meet(&self, rows: usize, entries: bool, judge: &mut Judge<'_>) -> bool {
        match self {
            Self::View(column) if column.null_count() == 0 => {
                meet((0..rows).map(|row| column.value(row)), entries, judge)
            }
            Self::Fixed(column) if column.null_count() == 0 => {
                meet((0..rows).map(|row| column.value(row)), entries, judge)
            }
            // Long values that many rows share would be copied for each of them.
            Self::View(column) => {
                let id = |row| if column.is_valid(row) { column.value(row) } else { &[] };
                meet((0..rows).map(id), entries, judge)
            }
            Self::Fixed(column) => {
                let id = |row| if column.is_valid(row) { column.value(row) } else { &[] };
                meet((0..rows).map(id), entries, judge)
            }
            _ => {
                let (mut texts, mut ends) = (Vec::new(), vec![0]);
                for row in 0..rows {
                    texts.extend_from_slice(self.get(row, &mut [0; DIGITS]));
                    ends.push(texts.len());
                }
                meet(ends.windows(2).map(|pair| &texts[pair[0]..pair[1]]), entries, judge)
            }
        }
    }
}

fn meet<'i>(ids: impl Iterator<Item = &'i [u8]> + Clone, entries: bool, judge: &mut Judge<'_>) -> bool {
    if entries {
        judge.meet_entries(ids.clone());
    } else {
        judge.meet(ids.clone());
    }
    ids.fold(true, |all, id| all & !id.is_empty())
}

/// The digits of an integer, so that it equals its own text.
fn decimal(mut value: u64, negative: bool, digits: &mut [u8; DIGITS]) -> &[u8] {
    let mut at = DIGITS;
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
        if value == 0 {
            break;
        }
    }
    if negative {
        at -= 1;
        digits[at] = b'-';
    }
    &digits[at..]
}

/// The outcomes of looking up the entries of a dictionary, kept while batches come with the same one.
struct Codes<T> {
    dictionary: Option<ArrayRef>,
    codes: Vec<T>,
}

impl<T: Copy> Codes<T> {
    fn new() -> Self {
        Self { dictionary: None, codes: Vec::new() }
    }

    /// Looks up every row of a column. `none` stands for null.
    fn fill(
        &mut self,
        column: &ArrayRef,
        none: T,
        find: impl Fn(&[u8]) -> T,
        found: &mut Vec<T>,
    ) -> Option<()> {
        let mut digits = [0; DIGITS];
        found.clear();
        let Some(coded) = column.as_dictionary_opt::<Int32Type>() else {
            let bytes = Bytes::of(column)?;
            found.extend((0..column.len()).map(|row| match bytes.get(row, &mut digits) {
                [] => none,
                value => find(value),
            }));
            return Some(());
        };
        self.look_up(coded.values(), &find)?;
        let code = |key: i32| self.code(key, none);
        match coded.keys().nulls() {
            None => found.extend(coded.keys().values().iter().map(|key| code(*key))),
            Some(_) => found.extend(coded.keys().iter().map(|key| key.map_or(none, code))),
        }
        Some(())
    }

    /// The outcome of an entry; `none` if there is no such entry.
    #[inline]
    fn code(&self, key: i32, none: T) -> T {
        self.codes.get(key.cast_unsigned() as usize).copied().unwrap_or(none)
    }

    /// The reader hands out one array of values for a whole row group; holding on to it makes sure that another
    /// cannot come to lie at the same address.
    fn look_up(&mut self, values: &ArrayRef, find: impl Fn(&[u8]) -> T) -> Option<()> {
        let same = |known: &ArrayRef| known.to_data().ptr_eq(&values.to_data());
        if !self.dictionary.as_ref().is_some_and(same) {
            let (bytes, mut digits) = (Bytes::of(values)?, [0; DIGITS]);
            self.codes.clear();
            self.codes.extend((0..values.len()).map(|entry| find(bytes.get(entry, &mut digits))));
            self.dictionary = Some(values.clone());
        }
        Some(())
    }
}

/// Reads the rows of one row group and hands them to the judge.
pub(crate) struct ParquetDesk<'a> {
    layout: &'a ParquetLayout,
    home: Home,
    time: TimeReader,
    separator: &'a [u8],
    types: &'a Types,
    judge: Judge<'a>,
    places: Places,
    cell_codes: Codes<Cell>,
    type_codes: Codes<TypeIx>,
    home_codes: Codes<Option<u16>>,
    rows: Rows,
    left: Vec<usize>,
    joined: Vec<u8>,
}

/// Where the fields stand among the columns that are read.
struct Places {
    event_time: usize,
    subscriber_id: usize,
    cell_id: Vec<usize>,
    end_time: Option<usize>,
    event_type: Option<usize>,
    home: Option<usize>,
}

impl Places {
    fn new(layout: &ParquetLayout, home: Home) -> Self {
        let projection = layout.projection(home);
        let place = |root: usize| projection.binary_search(&root).unwrap_or_else(|place| place);
        let fields = &layout.fields;
        Self {
            event_time: place(fields.event_time),
            subscriber_id: place(fields.subscriber_id),
            cell_id: fields.cell_id.iter().map(|root| place(*root)).collect(),
            end_time: fields.end_time.map(place),
            event_type: fields.event_type.map(place),
            home: home.column().map(place),
        }
    }
}

impl<'a> ParquetDesk<'a> {
    pub(crate) fn new(
        layout: &'a ParquetLayout,
        home: Home,
        time: TimeReader,
        separator: &'a [u8],
        types: &'a Types,
        judge: Judge<'a>,
    ) -> Self {
        Self {
            layout,
            home,
            time,
            separator,
            types,
            judge,
            places: Places::new(layout, home),
            cell_codes: Codes::new(),
            type_codes: Codes::new(),
            home_codes: Codes::new(),
            rows: Rows::default(),
            left: Vec::new(),
            joined: Vec::new(),
        }
    }

    /// Judges every row of a row group.
    pub(crate) fn row_group(
        &mut self,
        file: &Path,
        group: usize,
        progress: impl Fn(u64),
    ) -> Result<PartTally, IngestError> {
        let mut reader = self.layout.reader(file, group, self.home)?;
        let mut read = 0;
        loop {
            let damaged = || self.layout.damaged(file, group, read);
            let Some(batch) = guarded(|| reader.next()).ok_or_else(damaged)? else { break };
            let batch = batch.map_err(|_| damaged())?;
            self.batch(&batch).ok_or_else(|| self.layout.damaged(file, group, read))?;
            read += batch.num_rows() as u64;
            progress(batch.num_rows() as u64);
        }
        if read != self.layout.group_rows(group) {
            return Err(self.layout.damaged(file, group, read));
        }
        Ok(self.judge.take_account())
    }

    /// None where the columns are not what the schema announced.
    fn batch(&mut self, batch: &RecordBatch) -> Option<()> {
        let column = |place: usize| batch.columns().get(place);
        let unit = self.layout.epoch_unit;
        self.rows.at.clear();
        self.rows.at_us = plain_micros(column(self.places.event_time)?);
        if self.rows.at_us.is_none() {
            times(column(self.places.event_time)?, unit, &mut self.time, &mut self.rows.at)?;
        }
        self.rows.ends.clear();
        if let Some(place) = self.places.end_time {
            times(column(place)?, unit, &mut self.time, &mut self.rows.ends)?;
        }
        self.find_cells(batch)?;
        self.rows.of_types.clear();
        if let Some(place) = self.places.event_type {
            self.type_codes.fill(
                column(place)?,
                TypeIx::OTHER,
                |name| self.types.find(name),
                &mut self.rows.of_types,
            )?;
        }
        self.rows.homes.clear();
        if let Some(place) = self.places.home {
            homes(column(place)?, &mut self.home_codes, &mut self.rows.homes)?;
        }
        self.rows.ids.meet(column(self.places.subscriber_id)?, &mut self.judge)?;
        self.judge_rows();
        Some(())
    }

    fn find_cells(&mut self, batch: &RecordBatch) -> Option<()> {
        let cells = self.judge.cells();
        if let [place] = self.places.cell_id.as_slice() {
            let find = |cell_id: &[u8]| cells.find(cell_id);
            let column = batch.columns().get(*place)?;
            self.rows.cells.clear();
            self.rows.cell_keys = match column.as_dictionary_opt::<Int32Type>() {
                Some(coded) if coded.keys().null_count() == 0 => {
                    self.cell_codes.look_up(coded.values(), find)?;
                    Some(coded.keys().values().clone())
                }
                _ => None,
            };
            if self.rows.cell_keys.is_some() {
                return Some(());
            }
            return self.cell_codes.fill(
                batch.columns().get(*place)?,
                Cell::Missing,
                find,
                &mut self.rows.cells,
            );
        }
        let parts = self.places.cell_id.iter().map(|place| Bytes::of(batch.columns().get(*place)?));
        let parts = parts.collect::<Option<Vec<_>>>()?;
        let mut digits = vec![[0; DIGITS]; parts.len()];
        self.rows.cells.clear();
        for row in 0..batch.num_rows() {
            let fields = parts.iter().zip(&mut digits).map(|(part, digits)| part.get(row, digits));
            let cell_id = join(&mut self.joined, self.separator, fields);
            self.rows.cells.push(cell_id.map_or(Cell::Missing, |cell_id| cells.find(cell_id)));
        }
        Some(())
    }

    fn judge_rows(&mut self) {
        let others = [self.places.end_time, self.places.event_type];
        let plain = others.iter().all(Option::is_none) && self.judge.is_plain();
        if !plain || !self.rows.ids.all_there {
            let Self { rows, judge, cell_codes, home, .. } = self;
            let row = |row| judge.judge(&rows.row(row, *home, cell_codes, &mut [0; DIGITS]));
            return (0..rows.len()).for_each(row);
        }
        // Nearly all of these are sound.
        let mut left = std::mem::take(&mut self.left);
        let Self { rows, judge, cell_codes, home, .. } = self;
        match (&rows.at_us, &rows.cell_keys, &rows.ids.keys) {
            (Some(at_us), Some(cells), Some(keys)) => {
                let cells = cells.iter().map(|key| cell_codes.code(*key, Cell::Missing));
                let numbers = keys.values().iter().map(|key| key.cast_unsigned());
                let all = at_us.iter().zip(cells).zip(numbers);
                if *home == Home::Nowhere {
                    judge.admit_plain(all.map(|((at, cell), number)| (*at, cell, number, None)), &mut left);
                } else {
                    let all = all.enumerate();
                    let all =
                        all.map(|(row, ((at, cell), number))| (*at, cell, number, rows.mcc(row, *home)));
                    judge.admit_plain(all, &mut left);
                }
            }
            _ => {
                let number = |row| u32::try_from(rows.ids.number(row)).unwrap_or(u32::MAX);
                let cell = |row| rows.cell(row, cell_codes);
                let all = 0..rows.len();
                let all =
                    all.map(|row| (rows.at(row).micros(), cell(row), number(row), rows.mcc(row, *home)));
                judge.admit_plain(all, &mut left);
            }
        }
        for row in &left {
            let from_last = (rows.len() - 1 - row) as u64;
            judge.judge_left(&rows.row(*row, *home, cell_codes, &mut [0; DIGITS]), from_last);
        }
        self.left = left;
    }
}

/// The columns of the rows at hand; those that the file has not, or that nobody asks for, are empty.
#[derive(Default)]
struct Rows {
    ids: Ids,
    /// Times of events: as they stand in the file, where they are microseconds of UTC and all there; else as read.
    at_us: Option<ScalarBuffer<i64>>,
    at: Vec<Moment>,
    ends: Vec<Moment>,
    /// Cells: by their keys in the dictionary that was looked up, where they have one and are all there.
    cell_keys: Option<ScalarBuffer<i32>>,
    cells: Vec<Cell>,
    of_types: Vec<TypeIx>,
    homes: Vec<Option<u16>>,
}

impl Rows {
    fn len(&self) -> usize {
        self.at_us.as_ref().map_or(self.at.len(), |at_us| at_us.len())
    }

    /// The mobile country code of the home network of a row, if it is asked for and told.
    #[inline]
    fn mcc(&self, row: usize, home: Home) -> Option<u16> {
        match home {
            Home::Nowhere => None,
            Home::Column(_) => self.homes.get(row).copied().flatten(),
            Home::Subscriber => mcc_of_imsi(self.ids.get(row, &mut [0; DIGITS])),
        }
    }

    #[inline]
    fn at(&self, row: usize) -> Moment {
        self.at_us.as_ref().map_or_else(|| self.at[row], |at_us| Moment::at(at_us[row]))
    }

    #[inline]
    fn cell(&self, row: usize, codes: &Codes<Cell>) -> Cell {
        self.cell_keys.as_ref().map_or_else(|| self.cells[row], |keys| codes.code(keys[row], Cell::Missing))
    }

    fn row<'r>(
        &'r self,
        row: usize,
        home: Home,
        cell_codes: &Codes<Cell>,
        digits: &'r mut [u8; DIGITS],
    ) -> Row<'r> {
        let subscriber_id = self.ids.get(row, digits);
        Row {
            at: self.at(row),
            end: self.ends.get(row).copied().unwrap_or(Moment::MISSING),
            cell: self.cell(row, cell_codes),
            of_type: self.of_types.get(row).copied().unwrap_or(TypeIx::OTHER),
            subscriber_id,
            number: self.ids.number(row),
            mcc: match home {
                Home::Subscriber => mcc_of_imsi(subscriber_id),
                home => self.mcc(row, home),
            },
        }
    }
}

/// The subscribers of the rows at hand, whom the judge has met: row by row, or by the entries of a dictionary, once
/// for a row group.
#[derive(Default)]
struct Ids {
    /// The column of a batch; of one with a dictionary, its keys.
    column: Option<Bytes>,
    keys: Option<PrimitiveArray<Int32Type>>,
    dictionary: Option<ArrayRef>,
    /// Whether no entry, and no row, lacks an identifier.
    entries_there: bool,
    all_there: bool,
}

impl Ids {
    /// None where the column is not what the schema announced.
    fn meet(&mut self, column: &ArrayRef, judge: &mut Judge<'_>) -> Option<()> {
        let Some(coded) = column.as_dictionary_opt::<Int32Type>() else {
            let bytes = Bytes::of(column)?;
            self.all_there = bytes.meet(column.len(), false, judge);
            (self.column, self.keys, self.dictionary) = (Some(bytes), None, None);
            return Some(());
        };
        let (keys, values) = (coded.keys(), coded.values());
        let past = keys.values().iter().fold(0, |most, key| key.cast_unsigned().max(most));
        if keys.len() > keys.null_count() && past as usize >= values.len() {
            return None;
        }
        let same = |known: &ArrayRef| known.to_data().ptr_eq(&values.to_data());
        if !self.dictionary.as_ref().is_some_and(same) {
            let entries = Bytes::of(values)?;
            self.entries_there = entries.meet(values.len(), true, judge);
            (self.column, self.dictionary) = (Some(entries), Some(values.clone()));
        }
        self.all_there = self.entries_there && keys.null_count() == 0;
        self.keys = Some(keys.clone());
        Some(())
    }

    /// The identifier of a row, empty if it has none.
    #[inline]
    fn get<'a>(&'a self, row: usize, digits: &'a mut [u8; DIGITS]) -> &'a [u8] {
        let Some(column) = &self.column else { return &[] };
        match &self.keys {
            Some(keys) if keys.is_null(row) => &[],
            _ => column.get(self.number(row), digits),
        }
    }

    /// The number under which the judge has met the subscriber of a row.
    #[inline]
    fn number(&self, row: usize) -> usize {
        self.keys.as_ref().map_or(row, |keys| usize::try_from(keys.value(row)).unwrap_or(usize::MAX))
    }
}

/// Reads a column of home networks. None where it is of no kind that holds any.
fn homes(column: &ArrayRef, codes: &mut Codes<Option<u16>>, read: &mut Vec<Option<u16>>) -> Option<()> {
    let kind = column.data_type();
    if !kind.is_integer() && !kind.is_floating() {
        return codes.fill(column, None, mcc_of_text, read);
    }
    let integers = cast(column, &DataType::Int64).ok()?;
    let integers = integers.as_primitive_opt::<Int64Type>()?;
    read.clear();
    read.extend(integers.iter().map(|value| value.and_then(mcc_of_integer)));
    Some(())
}

/// The times of a column that hold as they are: microseconds of UTC, none of them missing.
fn plain_micros(column: &ArrayRef) -> Option<ScalarBuffer<i64>> {
    let DataType::Timestamp(TimeUnit::Microsecond, Some(_)) = column.data_type() else { return None };
    let times = column.as_primitive_opt::<TimestampMicrosecondType>()?;
    (times.null_count() == 0).then(|| times.values().clone())
}

/// Reads a column of times. None where it is of no kind that holds times.
fn times(
    column: &ArrayRef,
    unit: Option<EpochUnit>,
    time: &mut TimeReader,
    read: &mut Vec<Moment>,
) -> Option<()> {
    read.clear();
    if let DataType::Timestamp(unit, zone) = column.data_type() {
        let local = zone.is_none().then_some(time);
        match unit {
            TimeUnit::Second => {
                timestamps(
                    column.as_primitive_opt::<TimestampSecondType>()?,
                    EpochUnit::Seconds,
                    local,
                    read,
                );
            }
            TimeUnit::Millisecond => {
                timestamps(
                    column.as_primitive_opt::<TimestampMillisecondType>()?,
                    EpochUnit::Millis,
                    local,
                    read,
                );
            }
            TimeUnit::Microsecond => {
                timestamps(
                    column.as_primitive_opt::<TimestampMicrosecondType>()?,
                    EpochUnit::Micros,
                    local,
                    read,
                );
            }
            TimeUnit::Nanosecond => {
                timestamps(
                    column.as_primitive_opt::<TimestampNanosecondType>()?,
                    EpochUnit::Nanos,
                    local,
                    read,
                );
            }
        }
        return Some(());
    }
    match (Bytes::of(column)?, unit) {
        (Bytes::Signed(values), unit) => timestamps(&values, unit?, None, read),
        (Bytes::Unsigned(values), unit) => {
            let unit = unit?;
            let moment =
                |value| i64::try_from(value).map_or(Moment::MALFORMED, |value| Moment::of_epoch(value, unit));
            read.extend(values.iter().map(|value| value.map_or(Moment::MISSING, moment)));
        }
        (texts, _) => {
            let mut digits = [0; DIGITS];
            read.extend((0..column.len()).map(|row| time.text(texts.get(row, &mut digits))));
        }
    }
    Some(())
}

/// Integer times of one unit, by the local clock if one is given.
fn timestamps<T: ArrowPrimitiveType<Native = i64>>(
    column: &PrimitiveArray<T>,
    unit: EpochUnit,
    local: Option<&mut TimeReader>,
    read: &mut Vec<Moment>,
) {
    match local {
        None => each(column, read, |value| Moment::of_epoch(value, unit)),
        Some(time) => {
            each(column, read, |value| micros_of(value, unit).map_or(Moment::MALFORMED, |us| time.local(us)))
        }
    }
}

#[inline]
fn each<T: ArrowPrimitiveType<Native = i64>>(
    column: &PrimitiveArray<T>,
    read: &mut Vec<Moment>,
    mut moment: impl FnMut(i64) -> Moment,
) {
    match column.nulls() {
        None => read.extend(column.values().iter().map(|value| moment(*value))),
        Some(_) => read.extend(column.iter().map(|value| value.map_or(Moment::MISSING, &mut moment))),
    }
}
