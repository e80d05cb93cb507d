use std::{fs::File, sync::Arc, hint::black_box, path::PathBuf, time::Instant, sync::atomic::{AtomicUsize, Ordering}};
use parquet::arrow::{ProjectionMask, arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder}};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::column::page::PageReader;
use arrow::datatypes::*;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let mode = a[1].as_str(); let rounds: usize = a[3].parse().unwrap(); let threads: usize = a[4].parse().unwrap();
    let mut files: Vec<PathBuf> = throng_ingest::find_files(&[PathBuf::from(&a[2])]).unwrap();
    files.sort();
    for _ in 0..rounds {
        let t = Instant::now();
        let groups: Vec<_> = files.iter().flat_map(|p| {
            let m = ArrowReaderMetadata::load(&File::open(p).unwrap(), Default::default()).unwrap();
            let m = if mode == "dict" || mode == "view" {
                let fields: Vec<_> = m.schema().fields().iter().map(|f| {
                    let dt = match (f.name().as_str(), mode) {
                        ("cell_id", _) | ("subscriber_id", "dict") => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
                        ("subscriber_id", _) => DataType::BinaryView,
                        _ => f.data_type().clone() };
                    let dt = if dt == DataType::BinaryView { DataType::Utf8View } else { dt };
                    Arc::new(f.as_ref().clone().with_data_type(dt)) }).collect();
                ArrowReaderMetadata::try_new(m.metadata().clone(), ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(fields)))).unwrap()
            } else { m };
            (0..m.metadata().num_row_groups()).map(move |g| (p.clone(), m.clone(), g))
        }).collect();
        let next = AtomicUsize::new(0); let rows = AtomicUsize::new(0); let bytes = AtomicUsize::new(0);
        std::thread::scope(|s| for _ in 0..threads { s.spawn(|| loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some((p, m, g)) = groups.get(i) else { break };
            let cols = ["event_time", "subscriber_id", "cell_id"];
            if mode == "pages" {
                let f = Arc::new(File::open(p).unwrap());
                let rg = m.metadata().row_group(*g);
                for c in rg.columns() {
                    if !cols.contains(&c.column_path().string().as_str()) { continue }
                    let mut r = SerializedPageReader::new(f.clone(), c, rg.num_rows() as usize, None).unwrap();
                    while let Some(pg) = r.get_next_page().unwrap() { bytes.fetch_add(pg.buffer().len(), Ordering::Relaxed); black_box(pg.num_values()); }
                }
                rows.fetch_add(rg.num_rows() as usize, Ordering::Relaxed);
                continue;
            }
            let mask = ProjectionMask::columns(m.parquet_schema(), cols);
            let r = ParquetRecordBatchReaderBuilder::new_with_metadata(File::open(p).unwrap(), m.clone()).with_projection(mask).with_row_groups(vec![*g]).with_batch_size(8192).build().unwrap();
            let n: usize = r.map(|b| black_box(b.unwrap()).num_rows()).sum();
            rows.fetch_add(n, Ordering::Relaxed);
        }); });
        let e = t.elapsed().as_secs_f64(); let n = rows.load(Ordering::Relaxed);
        println!("{mode} {n} rows {e:.3} s  {:.1} ns core/row  {} bytes", e * threads as f64 * 1e9 / n as f64, bytes.load(Ordering::Relaxed));
    }
}
