//! Once people are counted, no identifier is left in the memory of the process: not in what was freed, not on a stack,
//! not in a decoder's buffers. It is looked at from outside, byte by byte, while the run waits to say that it is done.

#![expect(clippy::print_stdout, reason = "says what is left out")]

mod world;

use std::{
    fs,
    io::Write,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Schema, TimeUnit},
};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, GzipLevel, ZstdLevel},
    file::properties::WriterProperties,
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rustix::process::{Pid, Signal, kill_process};
use world::{CELLS, Event, Form, MIDNIGHT_US, event, run_of_the_day, succeeded, write_cells, write_events};

/// How every planted identifier of text begins.
const MARK: &[u8] = b"zQ7plant";

/// The higher bytes of every planted identifier that is a number.
const NUMBER: u64 = 0x5a51_3770_6c61_0000;

fn planted() -> Vec<Event> {
    let mut dice = Pcg64Mcg::seed_from_u64(3);
    let people = 3_000;
    let row = |i: u32| {
        let id = format!("{}{:06}", String::from_utf8_lossy(MARK), i % people);
        let at_us = MIDNIGHT_US + i64::from(i / people) * 3_600_000_000 + dice.random_range(0..3_000_000_000);
        event(&id, at_us, CELLS[dice.random_range(0..CELLS.len())].0)
    };
    (0..people * 24).map(row).collect()
}

/// Writes the events as Parquet with identifiers of a type, compressed in a way.
fn parquet(path: &Path, events: &[Event], ids: ArrayRef, properties: WriterProperties) -> PathBuf {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let schema = Arc::new(Schema::new(vec![
        Field::new("event_time", time, false),
        Field::new("subscriber_id", ids.data_type().clone(), false),
        Field::new("cell_id", DataType::Utf8, false),
    ]));
    let times: TimestampMicrosecondArray = events.iter().map(|event| Some(event.at_us)).collect();
    let cells: StringArray = events.iter().map(|event| Some(event.cell.as_str())).collect();
    let columns: Vec<ArrayRef> = vec![Arc::new(times.with_timezone("UTC")), ids, Arc::new(cells)];
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).expect("a batch");
    let file = fs::File::create(path).expect("made");
    let mut writer = ArrowWriter::try_new(file, schema, Some(properties)).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
    path.to_owned()
}

fn files_of(folder: &Path, events: &[Event]) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = [Form::Csv, Form::Gzip, Form::Zstd]
        .map(|form| write_events(folder, &format!("{form:?}"), form, events))
        .into();
    let texts: ArrayRef =
        Arc::new(events.iter().map(|event| Some(event.id.as_str())).collect::<StringArray>());
    let bytes: ArrayRef =
        Arc::new(events.iter().map(|event| Some(event.id.as_bytes())).collect::<BinaryArray>());
    let number = |event: &Event| {
        let digits: u64 = event.id[MARK.len()..].parse().expect("digits");
        i64::try_from(NUMBER + digits).expect("positive")
    };
    let numbers: ArrayRef = Arc::new(events.iter().map(|event| Some(number(event))).collect::<Int64Array>());
    let kinds = [("text", &texts), ("bytes", &bytes), ("number", &numbers)];
    let ways = [
        ("plain", Compression::UNCOMPRESSED),
        ("zstd", Compression::ZSTD(ZstdLevel::default())),
        ("snappy", Compression::SNAPPY),
        ("gzip", Compression::GZIP(GzipLevel::default())),
        ("lz4", Compression::LZ4_RAW),
    ];
    for (kind, ids) in kinds {
        for (way, compression) in ways {
            for dictionary in [true, false] {
                let name = format!("{kind}-{way}-{dictionary}.parquet");
                let properties = WriterProperties::builder()
                    .set_compression(compression)
                    .set_dictionary_enabled(dictionary)
                    .set_max_row_group_row_count(Some(20_000));
                files.push(parquet(&folder.join(name), events, Arc::clone(ids), properties.build()));
            }
        }
    }
    files
}

/// A mark that was found.
#[derive(Debug)]
struct Found {
    #[expect(dead_code, reason = "printed where a test fails")]
    place: String,
    /// It is no whole identifier, but eight bytes of one or more.
    is_piece: bool,
}

/// What stands around the place where the mark ends and the digits begin, if that is eight bytes of an identifier or
/// more, but not all of it.
fn piece(bytes: &[u8], digits: usize) -> Option<usize> {
    let before = bytes[..digits].iter().rev().zip(MARK.iter().rev()).take_while(|(a, b)| a == b).count();
    let after = bytes[digits..].iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
    (before + after >= 8 && before < MARK.len()).then_some(before)
}

/// Where in a process's memory planted identifiers are, by the name of the region; none where the system does not let
/// one look.
fn found(child: &Child) -> Option<Vec<Found>> {
    let memory = match fs::File::open(format!("/proc/{}/mem", child.id())) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return None,
        memory => memory.expect("the run has not ended"),
    };
    let maps = fs::read_to_string(format!("/proc/{}/maps", child.id())).expect("the run has not ended");
    let (number, decimal) = (&NUMBER.to_le_bytes()[2..], (NUMBER / 1_000_000).to_string());
    let finders = [MARK, number, decimal.as_bytes()].map(memchr::memmem::Finder::new);
    let mut found = Vec::new();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (range, rights) = (words.next()?, words.next()?);
        let name = words.nth(3).unwrap_or("anonymous");
        if !rights.contains('w') {
            continue;
        }
        let (start, end) = range.split_once('-')?;
        let (start, end) = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
        let mut bytes = vec![0; usize::try_from(end - start).ok()?];
        if memory.read_exact_at(&mut bytes, start).is_err() {
            continue; // of the kernel's own
        }
        for at in finders.iter().flat_map(|finder| finder.find_iter(&bytes)) {
            let rest = bytes.get(at + MARK.len()).copied().unwrap_or_default();
            let is_piece = bytes[at..].starts_with(MARK) && !rest.is_ascii_digit();
            found.push(Found { place: place(name, &bytes, at), is_piece });
        }
        // What has lost its beginning: the last three bytes of the mark, and a digit.
        for at in memchr::memmem::find_iter(&bytes, &[&MARK[5..], b"0"].concat()) {
            if let Some(before) = piece(&bytes, at + 3) {
                found.push(Found { place: place(name, &bytes, at + 3 - before), is_piece: true });
            }
        }
    }
    Some(found)
}

fn place(region: &str, bytes: &[u8], at: usize) -> String {
    let around = &bytes[at.saturating_sub(24)..(at + 24).min(bytes.len())];
    format!("{region}+{at:#x} of {:#x}: {}", bytes.len(), around.escape_ascii())
}

#[test]
fn pieces_of_an_identifier_are_told() {
    let told = |text: &[u8]| piece(text, memchr::memmem::find(text, b"ant").expect("its end") + 3);
    assert_eq!([told(b"..lant0003.."), told(b"ant00012"), told(b"Q7plant0")], [Some(4), Some(3), Some(7)]);
    assert_eq!([told(b"..lant000.."), told(b"merchant0"), told(b"zQ7plant0")], [None; 3]);
}

#[test]
fn once_people_are_counted_no_identifier_is_left_in_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let events = planted();
    let cells = write_cells(folder.path());
    let listed = |name: &str, head: &str, more: &str| {
        let path = folder.path().join(name);
        let rows: String =
            events[..500].iter().step_by(7).map(|event| format!("{}{more}\n", event.id)).collect();
        fs::write(&path, format!("{head}\n{rows}")).expect("written");
        path
    };
    let opt_out = listed("opt_out.csv", "subscriber_id", "");
    let machines = listed("machines.csv", "subscriber_id", "x");
    let residence = listed("residence.csv", "subscriber_id,postal_code", ",9000");
    for (turn, file) in files_of(&folder.path().join("in"), &events).into_iter().enumerate() {
        let out = folder.path().join(format!("out-{turn}/release"));
        // A pipe that is full: whoever writes to it waits.
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let mut filler = writer.try_clone().expect("a pipe");
        let filler = std::thread::spawn(move || filler.write_all(&vec![b' '; 1 << 21]));
        let mut command = run_of_the_day();
        command.args(["--k", "15", "--reports", "all"]);
        command.arg("--events").arg(&file).arg("--cells").arg(&cells).arg("--out").arg(&out);
        command.arg("--opt-out").arg(&opt_out).arg("--machines").arg(&machines);
        command.arg("--residence").arg(&residence).args(["--threads", "2"]);
        let mut child = command.stdout(writer).stderr(Stdio::piped()).spawn().expect("it starts");
        drop(command);
        let pid = Pid::from_child(&child);
        let account = out.parent().expect("a parent").join("ledger/run.json");
        let reading = out.parent().expect("a parent").join(".release.partial/places.parquet");
        let mut seen_while_reading = 0;
        while !account.exists() && child.try_wait().expect("a child").is_none() {
            if turn == 0 && reading.exists() && seen_while_reading == 0 {
                kill_process(pid, Signal::STOP).expect("stopped");
                seen_while_reading = found(&child).unwrap_or_default().len();
                kill_process(pid, Signal::CONT).expect("goes on");
            }
        }
        let left = found(&child);
        let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap_or_default();
        let drain = std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
        let output = child.wait_with_output().expect("it ends");
        filler.join().expect("filled").expect("written");
        drain.join().expect("drained").expect("read");
        succeeded(&output);
        let Some(left) = left else {
            println!("left out: the memory of another process cannot be looked at here");
            return;
        };
        let name = file.file_name().expect("a name").display().to_string();
        // Zstandard's C library does not wipe what it gives back, and what is put to use again may keep words of it.
        let (pieces, left): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|place| name.contains("zst") && place.is_piece);
        pieces.iter().for_each(|piece| println!("{name}: a piece of an identifier, {piece:?}"));
        assert!(left.is_empty(), "{name}: {} places, {:#?}", left.len(), &left[..left.len().min(8)]);
        assert!(
            turn > 0 || seen_while_reading > 0,
            "nothing was seen while it was read, so the look is blind"
        );
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("limits");
        assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    }
}
