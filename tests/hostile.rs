//! Files that nobody sends in good faith: bombs, endless lines, absurd numbers. Every row is used or rejected under one
//! reason or the file is refused by name; memory stays bounded, nothing panics, and no identifier is quoted.

mod made;
mod world;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
};

use arrow::{
    array::{
        ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, FixedSizeBinaryArray,
        Float64Array, Int64Array, LargeStringArray, ListArray, RecordBatch, StringArray, StringViewArray,
        StructArray, TimestampMicrosecondArray, TimestampSecondArray, UInt64Array,
    },
    datatypes::{DataType, Field, Int8Type, Schema},
};
use made::{
    Column, DELTA_BYTE_ARRAY, DELTA_LENGTHS, GZIP, Page, Sketch, column, dictionary, leaf, nest, plain,
    repeated, root, time_column, times, varint, zigzag,
};
use parquet::arrow::ArrowWriter;
use world::{HOUR_US, MIDNIGHT_US, said};

/// Whom no message may name.
const ID: &str = "206019876543210";

/// Noon of the day that is looked at.
const NOON: &str = "2026-10-15T12:00:00+02:00";
const NOON_US: i64 = MIDNIGHT_US + 12 * HOUR_US;

const HEADER: &str = "event_time,subscriber_id,cell_id\n";

/// The most address space that a run may take, in KiB. The program asks for far more than it touches.
const SPACE_KIB: u64 = 2 << 20;

struct Trial {
    folder: tempfile::TempDir,
}

impl Trial {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("cells.csv"), "cell_id,postal_code\na,9000\nb,9030\n").expect("written");
        fs::write(folder.path().join("good.csv"), good_rows()).expect("written");
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        fs::write(self.path(name), bytes).expect("written");
        self.path(name)
    }

    /// A run in bounded memory, with a file given as one of its inputs.
    fn run(&self, flag: &str, file: &Path) -> Output {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -v {SPACE_KIB} && exec \"$0\" \"$@\"")]);
        command.arg(env!("CARGO_BIN_EXE_throng")).args([
            "run",
            "--from",
            "2026-10-15",
            "--as-of",
            "2026-10-16",
        ]);
        command.args(["--threads", "2", "--memory", "64MiB", "--max-rejected", "100%"]);
        command.arg("--out").arg(self.path("release"));
        for (usual, good) in [("--events", "good.csv"), ("--cells", "cells.csv")] {
            command.arg(usual).arg(if flag == usual { file.to_owned() } else { self.path(good) });
        }
        if !["--events", "--cells"].contains(&flag) {
            command.arg(flag).arg(file);
        }
        if flag == "--occasions" || flag == "--census" {
            command.args(["--reports", if flag == "--census" { "context" } else { "occasions" }]);
        }
        if flag == "--residence" {
            command.args(["--reports", "residence"]);
        }
        let output = command.output().expect("it runs");
        let said = said(&output);
        assert!(!said.contains("a bug"), "{}: {said}", file.display());
        assert!(!said.contains(&ID[..9]), "{}: an identifier is quoted", file.display());
        output
    }

    /// The file is refused, with these words.
    fn refused(&self, flag: &str, name: &str, bytes: &[u8], words: &[&str]) {
        let file = self.write(name, bytes);
        let output = self.run(flag, &file);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(3), "{name}: {said}");
        for word in words.iter().chain(&[name]) {
            assert!(said.contains(word), "{name}: expected `{word}` in\n{}", &said[..said.len().min(2_000)]);
        }
        assert!(said.len() < 4_000, "{name}: {} bytes are too much to be read", said.len());
        assert!(!self.path("release").exists(), "{name} gave a release");
    }

    /// The file is used: so many rows of events are read, and these are rejected.
    fn judged(&self, name: &str, bytes: &[u8], rows: u64, rejected: &[(&str, u64)]) {
        let file = self.write(name, bytes);
        self.judged_file(&file, rows, rejected);
    }

    fn judged_file(&self, file: &Path, rows: u64, rejected: &[(&str, u64)]) {
        let output = self.run("--events", file);
        let name = file.file_name().expect("a name").to_string_lossy();
        assert!(output.status.success(), "{name}: {}", said(&output));
        let ledger = world::ledger(&self.path("release"));
        assert_eq!(ledger["rows_read"], rows, "{name}: {ledger:#}");
        let mut accounted = ledger["rows_used"].as_u64().expect("a count");
        for (reason, count) in ledger["rejected"].as_object().expect("reasons") {
            let expected = rejected.iter().find(|(known, _)| known == reason).map_or(0, |(_, count)| *count);
            assert_eq!(count.as_u64(), Some(expected), "{name}: {reason} in {ledger:#}");
            accounted += expected;
        }
        assert_eq!(accounted, rows, "{name}: every row has one fate");
        fs::remove_dir_all(self.path("release")).expect("there");
        fs::remove_dir_all(self.path("ledger")).expect("there");
    }
}

/// Ten rows that can be used.
fn good_rows() -> String {
    let row = |hour: u32| format!("2026-10-15T{hour:02}:00:00+02:00,{ID},a\n");
    HEADER.to_owned() + &(8..18).map(row).collect::<String>()
}

/// The good rows, and then these.
fn with(rows: &[u8]) -> Vec<u8> {
    [good_rows().as_bytes(), rows].concat()
}

/// Packs a piece again and again, so that a small file stands for a large one: both formats take pieces side by side.
fn gzip_of(head: &[u8], piece: &[u8], times: usize) -> Vec<u8> {
    let pack = |bytes: &[u8]| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(bytes).and_then(|()| gzip.finish()).expect("packed")
    };
    [pack(head), pack(piece).repeat(times)].concat()
}

fn zstd_of(head: &[u8], piece: &[u8], times: usize) -> Vec<u8> {
    let pack = |bytes: &[u8]| zstd::encode_all(bytes, 1).expect("packed");
    [pack(head), pack(piece).repeat(times)].concat()
}

const MIB: usize = 1 << 20;

#[test]
fn a_small_file_that_unpacks_to_gigabytes_takes_no_memory() {
    let trial = Trial::new();
    let digits = vec![b'7'; 16 * MIB];
    // A field without end is one row, which is too long; what stands behind it is read.
    let open = [good_rows().as_bytes(), NOON.as_bytes(), b",7"].concat();
    let bomb = zstd_of(&open, &digits, 256);
    assert!(bomb.len() < MIB, "4 GiB in {} bytes", bomb.len());
    trial.judged("field.csv.zst", &bomb, 11, &[("malformed", 1)]);
    trial.judged("field.csv.gz", &gzip_of(&open, &digits, 64), 11, &[("malformed", 1)]);
    let closed = [bomb, zstd_of(b"\n", format!("{NOON},{ID},b\n").as_bytes(), 1)].concat();
    trial.judged("field-and-row.csv.zst", &closed, 12, &[("malformed", 1)]);
    // Rows without number are read in as many passes as the memory asks for.
    let row = format!("{NOON},{ID},b\n").repeat(20_000);
    trial.judged(
        "rows.csv.zst",
        &zstd_of(HEADER.as_bytes(), row.as_bytes(), 50),
        1_000_000,
        &[("duplicate", 999_999)],
    );
    // Nothing but line ends is nothing.
    trial.judged("blank.csv.zst", &zstd_of(good_rows().as_bytes(), &vec![b'\n'; 16 * MIB], 16), 10, &[]);
    let first = "expected a first line of at most 1 MiB";
    trial.refused("--events", "header.csv.zst", &zstd_of(b"", &digits, 256), &[first]);
    trial.refused("--events", "header.csv.gz", &gzip_of(b"", &digits, 64), &[first]);
}

#[test]
fn a_table_that_unpacks_to_gigabytes_is_refused_at_its_row() {
    let trial = Trial::new();
    let digits = vec![b'7'; 16 * MIB];
    let too_long = "row 1 (line 2): longer than 1048576 bytes";
    for (flag, header) in [
        ("--cells", "cell_id,postal_code\n7"),
        ("--opt-out", "subscriber_id\n7"),
        ("--machines", "subscriber_id\n7"),
        ("--residence", "subscriber_id,postal_code\n7"),
        ("--places", "postal_code,commune,province,region,country\n7"),
    ] {
        trial.refused(flag, "table.csv.zst", &zstd_of(header.as_bytes(), &digits, 256), &[too_long]);
        trial.refused(flag, "table.csv.gz", &gzip_of(header.as_bytes(), &digits, 4), &[too_long]);
    }
    let quote = zstd_of(b"cell_id,postal_code\n\"", &digits, 256);
    trial.refused("--cells", "quote.csv.zst", &quote, &[too_long]);
    trial.refused(
        "--cells",
        "header.csv.zst",
        &zstd_of(b"", &digits, 4),
        &["row 0 (line 1): longer than 1048576 bytes"],
    );
    let commas = vec![b','; 4 * MIB];
    trial.refused("--cells", "commas.csv.zst", &zstd_of(b"cell_id,postal_code\n", &commas, 4), &[too_long]);
}

/// A file of events in Parquet whose identifiers are these pages.
fn events_of(rows: usize, ids: Column) -> Sketch {
    let cells = column("cell_id", vec![dictionary(&[b"a"]), repeated(rows, 0)]);
    Sketch::of(rows, vec![time_column("event_time", times(rows, NOON_US)), ids, cells])
}

fn ids(pages: Vec<Page>) -> Column {
    column("subscriber_id", pages)
}

const PAGES: &str =
    "expected Parquet pages that can be decoded, of at most 256 MiB each, with a value for each row";

#[test]
fn parquet_that_unpacks_to_gigabytes_takes_no_memory() {
    let trial = Trial::new();
    // An identifier of 100 MiB in each of a million rows.
    let long = vec![b'7'; 100 * MIB];
    let coded = |rows| ids(vec![dictionary(&[&long]), repeated(rows, 0)]).packed();
    let bomb = events_of(1_000_000, coded(1_000_000)).bytes();
    assert!(bomb.len() < MIB, "100 TB in {} bytes", bomb.len());
    trial.judged("dictionary.parquet", &bomb, 1_000_000, &[("duplicate", 999_999)]);
    // A page that says that it unpacks to 2 GiB, and one that does so without saying it.
    let huge = Page { unpacked: i32::MAX.into(), ..plain(&[b"7"]) };
    let huge = events_of(1, ids(vec![huge]).packed()).bytes();
    trial.refused("--events", "page.parquet", &huge, &["from row 1 on", PAGES]);
    let mut gzip = ids(vec![Page { bytes: gzip_of(b"", &vec![0; 16 * MIB], 128), ..plain(&[b"7"]) }]);
    gzip.codec = GZIP;
    trial.refused("--events", "gzip.parquet", &events_of(1, gzip).bytes(), &["from row 1 on", PAGES]);
    // A dictionary of two billion entries in five bytes, and a page of a million million lengths.
    let entries = vec![Page { values: i32::MAX.into(), ..dictionary(&[b"7"]) }, repeated(1, 0)];
    let lengths = [varint(128), varint(4), varint(1 << 40), vec![0; 6]].concat();
    for (name, pages) in [
        ("entries.parquet", entries),
        ("lengths.parquet", vec![made::page(made::DATA, 1, DELTA_LENGTHS, lengths)]),
    ] {
        trial.refused(
            "--events",
            name,
            &events_of(1, ids(pages).packed()).bytes(),
            &["from row 1 on", PAGES],
        );
    }
    // Each value is the one before it, all of its megabyte.
    let shared = events_of(2_500, ids(vec![same_again(2_500, MIB)]).packed()).bytes();
    trial.judged("delta.parquet", &shared, 2_500, &[("duplicate", 2_499)]);
    // More than a billion rows of three bytes.
    let sketch = events_of(1 << 30, ids(vec![dictionary(&[b"7"]), repeated(1 << 30, 0)]));
    trial.refused("--events", "rows.parquet", &Sketch { rows: 1 << 41, ..sketch }.bytes(), &["sound footer"]);
    // A table: a copy for each of its rows would be 100 GiB.
    let coded =
        |name, value: &[u8], rows| column(name, vec![dictionary(&[value]), repeated(rows, 0)]).packed();
    let cells = Sketch::of(1_000, vec![coded("cell_id", &long, 1_000), coded("postal_code", b"9000", 1_000)]);
    let output = trial.run("--cells", &trial.write("cells.parquet", &cells.bytes()));
    assert!(!output.status.success(), "a plan without the cells of the events");
}

/// A page in DELTA_BYTE_ARRAY of so many values: the first is long, and each other is the same again.
fn same_again(values: usize, length: usize) -> Page {
    let long = i64::try_from(length).expect("short");
    let (mut shared, mut new) = (vec![long; values], vec![0; values]);
    (shared[0], new[0]) = (0, long);
    let bytes = [delta_coded(&shared), delta_coded(&new), vec![b'7'; length]].concat();
    made::page(made::DATA, values, DELTA_BYTE_ARRAY, bytes)
}

/// Integers as the first of them and the steps between them, in blocks of 128, with four bytes a step or none.
fn delta_coded(numbers: &[i64]) -> Vec<u8> {
    let mut bytes = [varint(128), varint(4), varint(numbers.len() as u64), zigzag(numbers[0])].concat();
    let steps: Vec<i64> = numbers.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for block in steps.chunks(128) {
        let least = block.iter().copied().min().expect("a step");
        let bits = if block.iter().all(|step| *step == least) { 0 } else { 32 };
        bytes.extend([zigzag(least), vec![bits; 4]].concat());
        if bits > 0 {
            let above =
                |at: usize| u32::try_from(block.get(at).map_or(0, |step| step - least)).expect("fits");
            bytes.extend((0..128).flat_map(|at| above(at).to_le_bytes()));
        }
    }
    bytes
}

#[test]
fn what_nests_without_end_is_refused() {
    let trial = Trial::new();
    for brackets in [500, 1_000_000] {
        let json = [b"{\"type\":\"FeatureCollection\",\"features\":".to_vec(), vec![b'['; brackets]].concat();
        trial.refused("--places", "deep.geojson", &json, &["not readable as GeoJSON (line 1)"]);
        let occasions = ["occasions.geojson", "not readable as GeoJSON (line 1)"];
        trial.refused("--occasions", occasions[0], &json, &occasions[1..]);
        let polygon = format!(
            "occasion,start,end,polygon\nx,{NOON},2026-10-15T13:00,\"POLYGON {}\"\n",
            "(".repeat(brackets)
        );
        let field = "row 1 (line 2), column `polygon`: expected a POLYGON";
        trial.refused("--occasions", "deep.csv", polygon.as_bytes(), &[field]);
    }
    for depth in [100, 50_000] {
        let schema = |columns: Vec<made::Made>| Some([vec![root(1)], vec![nest(1); depth], columns].concat());
        let events =
            Sketch { schema: schema(vec![leaf("event_time")]), ..events_of(1, ids(vec![plain(&[b"7"])])) };
        trial.refused("--events", "deep.parquet", &events.clone().bytes(), &["a sound footer"]);
        trial.refused("--cells", "cells.parquet", &events.bytes(), &["not readable as Parquet"]);
    }
    let config = trial.write("deep.toml", &[b"events = ".to_vec(), vec![b'['; 1_000_000]].concat());
    let output = trial.run("--config", &config);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("deep.toml, line 1"), "{}", said(&output));
}

#[test]
fn rows_of_absurd_times_and_identifiers_are_judged() {
    let trial = Trial::new();
    let row = |time: &str, id: &str, cell: &str| format!("{time},{id},{cell}\n");
    let times = [
        row("0000-01-01T00:00:00", ID, "a"),
        row("-009999-01-01T00:00:00Z", ID, "a"),
        row("9999-12-31T23:59:59Z", ID, "a"),
        row("9998-01-01T00:00:00Z", ID, "a"),
        row("10000-01-01T00:00:00Z", ID, "a"),
        row("2026-02-30T00:00:00Z", ID, "a"),
        row("2026-10-15T24:00:00Z", ID, "a"),
        row("2026-10-15T12:00:61Z", ID, "a"),
        row("2026-10-15T12:00:00+99:00", ID, "a"),
        row("NaN", ID, "a"),
    ];
    let expected = [("malformed", 8), ("expired", 1), ("outside_window", 1)];
    trial.judged("years.csv", &with(times.concat().as_bytes()), 20, &expected);
    let config = trial.write("epoch.toml", b"[event_format]\nepoch_unit = \"us\"\n");
    let epochs = [
        i64::MIN.to_string(),
        "-1".to_owned(),
        "0".to_owned(),
        i64::MAX.to_string(),
        "9".repeat(400),
        "1e15".to_owned(),
        NOON_US.to_string(),
    ];
    let rows: String = epochs.iter().map(|epoch| row(epoch, ID, "a")).collect();
    let file = trial.write("epochs.csv", (HEADER.to_owned() + &rows).as_bytes());
    let output = Command::new(env!("CARGO_BIN_EXE_throng"))
        .args(["inspect", "--as-of", "2026-10-16"])
        .arg("--config")
        .arg(&config)
        .arg(&file)
        .output();
    let output = output.expect("it runs");
    assert!(output.status.success() && !said(&output).contains(ID), "{}", said(&output));
    for words in ["malformed", "expired"] {
        assert!(said(&output).contains(words), "{}", said(&output));
    }
    // Identifiers: nothing, white space, a NUL, 1 MB, and a byte more than a line may have.
    let long = "7".repeat(1_000_000);
    let line = "7".repeat((1 << 20) + 1 - NOON.len() - 3);
    let ids = ["", " ", "\0", long.as_str(), line.as_str()];
    let rows: String = ids.iter().map(|id| row(NOON, id, "a")).collect();
    trial.judged("ids.csv", &with(rows.as_bytes()), 15, &[("missing_field", 1), ("malformed", 1)]);
    let rows: String = ids.iter().map(|cell| row(NOON, ID, cell)).collect();
    trial.judged(
        "cell-ids.csv",
        &with(rows.as_bytes()),
        15,
        &[("missing_field", 1), ("malformed", 1), ("unknown_cell", 3)],
    );
}

#[test]
fn bytes_of_other_machines_are_read_or_rejected_row_by_row() {
    let trial = Trial::new();
    let good = good_rows();
    trial.judged("bom.csv", &[b"\xef\xbb\xbf", good.as_bytes()].concat(), 10, &[]);
    trial.judged("crlf.csv", good.replace('\n', "\r\n").as_bytes(), 10, &[]);
    trial.judged("blank.csv", good.replace('\n', "\n\r\n\n").as_bytes(), 10, &[]);
    trial.judged("unended.csv", good.trim_end().as_bytes(), 10, &[]);
    let latin = [NOON.as_bytes(), b",\xe9,a\n", NOON.as_bytes(), b",8,\xe9\n"].concat();
    trial.judged("latin.csv", &with(&latin), 12, &[("unknown_cell", 1)]);
    trial.judged("nul.csv", &with(b"\0\n\0,\0,\0\n"), 12, &[("malformed", 2)]);
    trial.judged(
        "quotes.csv",
        &with(format!("\"{NOON}\",\"7\",\"a\"\n\"\n\"\"\"\"\n").as_bytes()),
        13,
        &[("malformed", 2)],
    );
    trial.judged("binary.csv", &with(&(0..=255).collect::<Vec<u8>>()), 12, &[("malformed", 2)]);
    let no_column = "no column `event_time`";
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(good.bytes().flat_map(|byte| [byte, 0])).collect();
    trial.refused("--events", "utf16.csv", &utf16, &[no_column]);
    trial.refused("--events", "mac.csv", good.replace('\n', "\r").as_bytes(), &["no column `cell_id`"]);
    trial.refused("--events", "zeros.csv", &vec![0; 1 << 16], &[no_column]);
    trial.refused("--events", "semicolons.csv", good.replace(',', ";").as_bytes(), &[no_column]);
    trial.refused(
        "--events",
        "twice.csv",
        good.replace("cell_id", "cell_id,cell_id").as_bytes(),
        &["two columns are named `cell_id`"],
    );
    trial.refused("--events", "line.csv", &vec![b'x'; 2 * MIB], &["expected a first line of at most 1 MiB"]);
    for (name, ending) in [("gzip.csv.gz", "begins with the bytes 1f 8b"), ("zstd.csv.zst", "28 b5 2f fd")] {
        trial.refused("--events", name, good.as_bytes(), &[ending]);
    }
    let header = "cell_id,postal_code\n";
    let plans = [
        ("twice.csv", "cell_id,cell_id,postal_code\nc,c,9000\n", "two columns are named `cell_id`"),
        ("nothing.csv", "", "found no names of columns"),
        (
            "empty-id.csv",
            "cell_id,postal_code\n,9000\n",
            "row 1 (line 2), column `cell_id`: expected a cell identifier",
        ),
        ("nul.csv", "cell_id,postal_code\na,\09000\n", "column `postal_code`: expected a postal code"),
        ("inf.csv", "cell_id,lon,lat\na,inf,51\n", "column `lon`: expected degrees from -180 to 180"),
        ("nan.csv", "cell_id,lon,lat\na,3,NaN\n", "column `lat`: expected degrees from -90 to 90"),
        ("large.csv", "cell_id,lon,lat\na,1e400,51\n", "column `lon`: expected degrees from -180 to 180"),
        ("range.csv", "cell_id,lon,lat,range_m\na,3,51,inf\n", "column `range_m`: expected metres"),
        ("beam.csv", "cell_id,lon,lat,azimuth_deg\na,3,51,nan\n", "column `azimuth_deg`: expected degrees"),
        (
            "year.csv",
            "cell_id,postal_code,valid_from\na,9000,10000-01-01\n",
            "column `valid_from`: expected a date",
        ),
    ];
    for (name, text, words) in plans {
        trial.refused("--cells", name, text.as_bytes(), &[words]);
    }
    let latin = [header.as_bytes(), b"a,\xe9\n"].concat();
    trial.refused(
        "--cells",
        "latin.csv",
        &latin,
        &["row 1 (line 2), column `postal_code`: expected UTF-8 text"],
    );
}

#[test]
fn coordinates_that_are_no_place_are_refused() {
    let trial = Trial::new();
    let place = |coordinates: &str| {
        format!(
            "{{\"type\":\"FeatureCollection\",\"features\":[{{\"type\":\"Feature\",\"properties\":{{\"postal_code\":\"1\",\
             \"commune\":\"C\",\"province\":\"P\",\"region\":\"R\",\"country\":\"XX\"}},\"geometry\":{{\"type\":\"Polygon\",\
             \"coordinates\":{coordinates}}}}}]}}"
        )
    };
    let degrees = "feature 1: expected coordinates in WGS 84 degrees";
    let cases = [
        ("[[[3,50],[4,50],[4,1e308],[3,50]]]", degrees),
        ("[[[3,50],[4,50],[4,1e400],[3,50]]]", "not readable as GeoJSON (line 1)"),
        ("[[[3,50],[4,50],[4,NaN],[3,50]]]", "not readable as GeoJSON (line 1)"),
        ("[[[3,50],[4,50],[4,null],[3,50]]]", "not readable as GeoJSON"),
        ("[[[3],[4],[4],[3]]]", degrees),
        ("[[]]", "feature 1: expected rings of at least four points"),
        ("[]", "feature 1: expected rings of at least four points"),
    ];
    for (coordinates, words) in cases {
        trial.refused("--places", "places.geojson", place(coordinates).as_bytes(), &[words]);
    }
    for polygon in ["POLYGON ((3 50, 4 50, 4 NaN, 3 50))", "POLYGON ((3 50, 4 50, 4 inf, 3 50))"] {
        let text = format!("occasion,start,end,polygon\nx,{NOON},2026-10-15T13:00,\"{polygon}\"\n");
        let words = ["row 1 (line 2), column `polygon`: expected"];
        trial.refused("--occasions", "occasions.csv", text.as_bytes(), &words);
    }
    // GeoParquet: a ring that ends in no number, and one of four billion points.
    let ring = |points: u32, last: f64| {
        let numbers = [3.0, 50.0, 4.0, 50.0, 4.0, last, 3.0, 50.0_f64];
        let mut wkb = [&[1, 3, 0, 0, 0, 1, 0, 0, 0][..], &points.to_le_bytes()].concat();
        wkb.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        let one = |name, bytes: &[u8]| column(name, vec![plain(&[bytes])]);
        Sketch::of(1, vec![one("postal_code", b"1"), one("geometry", &wkb)]).bytes()
    };
    let words = ["row 1: expected coordinates in WGS 84 degrees"];
    trial.refused("--places", "places.parquet", &ring(4, f64::NAN), &words);
    trial.refused("--places", "places.parquet", &ring(4, f64::NEG_INFINITY), &words);
    trial.refused("--places", "places.parquet", &ring(u32::MAX, 51.0), &["row 1: expected a whole WKB"]);
}

#[test]
fn a_million_distinct_cells_and_subscribers_are_no_trouble() {
    let trial = Trial::new();
    let cells: String = (0..1_000_000).map(|cell| format!("{cell},9000\n")).collect();
    let plan = trial.write("million.csv", ("cell_id,postal_code\na,9000\n".to_owned() + &cells).as_bytes());
    assert!(trial.run("--cells", &plan).status.success());
    fs::remove_dir_all(trial.path("release")).expect("there");
    let rows: String = (0..1_000_000).map(|cell| format!("{NOON},{cell},{cell}\n")).collect();
    trial.judged("events.csv", &with(rows.as_bytes()), 1_000_010, &[("unknown_cell", 1_000_000)]);
}

/// A file of events with a column in another type. Rows stand an hour apart, so that none repeats another.
fn parquet(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    let batch = RecordBatch::try_new(schema.clone(), arrays).expect("a batch");
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, schema, None).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
    file
}

fn three(name: &str, array: ArrayRef) -> Vec<u8> {
    let times = (0..3).map(|hour| Some(NOON_US + hour * HOUR_US)).collect::<TimestampMicrosecondArray>();
    let usual: [(&str, ArrayRef); 3] = [
        ("event_time", Arc::new(times.with_timezone("UTC"))),
        ("subscriber_id", Arc::new(StringArray::from(vec![ID; 3]))),
        ("cell_id", Arc::new(StringArray::from(vec!["a"; 3]))),
    ];
    parquet(
        usual
            .into_iter()
            .map(|(known, usual)| if known == name { (known, array.clone()) } else { (known, usual) })
            .collect(),
    )
}

#[test]
fn columns_of_every_type_are_read_or_refused_by_name() {
    let trial = Trial::new();
    let fixed = FixedSizeBinaryArray::try_from_iter(["7", "8", "9"].iter()).expect("three");
    let numbers: [ArrayRef; 7] = [
        Arc::new(LargeStringArray::from(vec!["7", "8", "9"])),
        Arc::new(StringViewArray::from(vec!["7", "8", "a text too long to lie in its view"])),
        Arc::new(DictionaryArray::<Int8Type>::from_iter(["7", "8", "7"])),
        Arc::new(fixed),
        Arc::new(Int64Array::from(vec![7, -8, i64::MIN])),
        Arc::new(UInt64Array::from(vec![7, 8, u64::MAX])),
        Arc::new(StringArray::from(vec!["7", "8", "9"])),
    ];
    for (i, array) in numbers.into_iter().enumerate() {
        trial.judged(&format!("id{i}.parquet"), &three("subscriber_id", array), 3, &[]);
    }
    let none: ArrayRef = Arc::new(StringArray::from(vec![Some("7"), None, Some("")]));
    trial.judged("null.parquet", &three("subscriber_id", none), 3, &[("missing_field", 2)]);
    let cells: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("")]));
    trial.judged("cell.parquet", &three("cell_id", cells), 3, &[("missing_field", 2)]);
    let field = Arc::new(Field::new("inner", DataType::Int64, true));
    let values: ArrayRef = Arc::new(Int64Array::from(vec![7, 8, 9]));
    let list = ListArray::from_iter_primitive::<arrow::datatypes::Int64Type, _, _>([
        Some([Some(7)]),
        Some([Some(8)]),
        None,
    ]);
    let wrong: [(&str, ArrayRef); 6] = [
        ("float", Arc::new(Float64Array::from(vec![7.0, f64::NAN, f64::INFINITY]))),
        (
            "decimal",
            Arc::new(Decimal128Array::from(vec![7, 8, 9]).with_precision_and_scale(38, 2).expect("fits")),
        ),
        ("flag", Arc::new(BooleanArray::from(vec![true, false, true]))),
        ("date", Arc::new(Date32Array::from(vec![7, 8, 9]))),
        ("struct", Arc::new(StructArray::from(vec![(field, values)]))),
        ("list", Arc::new(list)),
    ];
    for (name, array) in wrong {
        let name = format!("{name}.parquet");
        trial.refused(
            "--events",
            &name,
            &three("subscriber_id", array.clone()),
            &["column `subscriber_id` holds", "expected text, binary or an integer"],
        );
        trial.refused(
            "--events",
            &name,
            &three("event_time", array),
            &["column `event_time` holds", "expected a timestamp, text or an integer"],
        );
    }
    let seconds: ArrayRef =
        Arc::new(TimestampSecondArray::from(vec![i64::MIN, i64::MAX, NOON_US / 1_000_000]));
    trial.judged("seconds.parquet", &three("event_time", seconds), 3, &[("malformed", 2)]);
    let micros: ArrayRef =
        Arc::new(TimestampMicrosecondArray::from(vec![i64::MIN, -1, NOON_US]).with_timezone("UTC"));
    trial.judged("micros.parquet", &three("event_time", micros), 3, &[("malformed", 1), ("expired", 1)]);
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["", "nonsense", NOON]));
    trial.judged("texts.parquet", &three("event_time", texts), 3, &[("malformed", 1), ("missing_field", 1)]);
}

#[test]
fn parquet_that_contradicts_itself_is_refused() {
    let trial = Trial::new();
    let two = || events_of(2, ids(vec![plain(&[b"7", b"8"])]));
    trial.judged("two.parquet", &two().bytes(), 2, &[]);
    trial.refused(
        "--events",
        "three.parquet",
        &Sketch { rows: 3, ..two() }.bytes(),
        &["from row 1 on", PAGES],
    );
    trial.refused("--events", "one.parquet", &Sketch { rows: 1, ..two() }.bytes(), &["from row 1 on", PAGES]);
    for rows in [-1, i64::MIN, i64::MAX] {
        trial.refused("--events", "negative.parquet", &Sketch { rows, ..two() }.bytes(), &["a sound footer"]);
    }
    let groups = Sketch { groups: Some(i32::MAX.unsigned_abs().into()), ..two() };
    trial.refused("--events", "groups.parquet", &groups.bytes(), &["a sound footer"]);
    let beyond = events_of(2, ids(vec![dictionary(&[b"7"]), repeated(2, 9)]));
    trial.refused(
        "--events",
        "index.parquet",
        &beyond.bytes(),
        &["from row 1 on", "Parquet pages that can be decoded"],
    );
    let lying = events_of(2, ids(vec![Page { bytes: vec![0xff; 10], ..plain(&[b"7", b"8"]) }]));
    trial.refused(
        "--events",
        "length.parquet",
        &lying.bytes(),
        &["from row 1 on", "Parquet pages that can be decoded"],
    );
    let nothing = Sketch { groups: Some(0), ..two() };
    trial.refused("--events", "nothing.parquet", &nothing.bytes(), &["sound footer"]);
    let twice = Sketch::of(2, [two().columns, vec![ids(vec![plain(&[b"7", b"8"])])]].concat());
    trial.refused("--events", "twice.parquet", &twice.bytes(), &["two columns are named `subscriber_id`"]);
    let empty = three("subscriber_id", Arc::new(StringArray::from(vec![ID; 3])));
    trial.refused("--events", "cut.parquet", &empty[..empty.len() - 1], &["a sound footer"]);
}

#[test]
fn a_hostile_release_has_faults_and_is_not_believed() {
    let good = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/release/release");
    let manifest = fs::read_to_string(good.join("manifest.json")).expect("read");
    let with = |from: &str, to: &str| {
        assert!(manifest.contains(from), "{from}");
        manifest.replace(from, to).into_bytes()
    };
    let presence = "presence/date=2026-10-15/part.parquet";
    let nested = |depth: usize| {
        let schema = Some([vec![root(1)], vec![nest(1); depth], vec![leaf("level")]].concat());
        Sketch { schema, ..events_of(1, ids(vec![plain(&[b"7"])])) }.bytes()
    };
    let rows = 1 << 30;
    let many = events_of(rows, ids(vec![dictionary(&[b"7"]), repeated(rows, 0)])).bytes();
    let fields = "the manifest has the fields of its schema";
    let understood = "the parameters can be understood";
    let cases: [(&str, Vec<u8>, &str); 10] = [
        ("manifest.json", vec![b'['; MIB], fields),
        ("manifest.json", b"{\"throng\":".repeat(MIB / 16), fields),
        ("manifest.json", vec![0; 100], fields),
        ("manifest.json", with("\"k\": 15", "\"k\": 0"), understood),
        ("manifest.json", with("\"step_s\": 3600", "\"step_s\": -1"), understood),
        ("manifest.json", with("\"from\": \"2026-10-15\"", "\"from\": \"-9999-01-01\""), understood),
        (
            "manifest.json",
            with("\"path\": \"places.parquet\"", "\"path\": \"../places.parquet\""),
            "paths stay in the release",
        ),
        (presence, nested(50_000), "the file is Parquet"),
        (presence, many, "the columns are those of the report"),
        ("places.parquet", b"PAR1".repeat(3), "the file is Parquet"),
    ];
    for (name, bytes, words) in cases {
        let folder = tempfile::tempdir().expect("a folder");
        for (file, own) in world::files(&good) {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, own).expect("written");
        }
        fs::write(folder.path().join(name), bytes).expect("written");
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -v {SPACE_KIB} && exec \"$0\" \"$@\"")]);
        let output = command.arg(env!("CARGO_BIN_EXE_throng")).arg("verify").arg(folder.path()).output();
        let output = output.expect("it runs");
        let said = said(&output);
        assert!(output.status.code() == Some(4) && !said.contains("a bug"), "{name}: {said}");
        assert!(said.contains(words), "{name}: expected `{words}` in\n{said}");
    }
}
