//! Times the generator.
use throng_synth::*;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let format = match a[1].as_str() { "parquet" => Format::Parquet, "csv" => Format::Csv, "gz" => Format::CsvGz, _ => Format::CsvZst };
    let p = Parameters { out: a[2].clone().into(), subscribers: a[3].parse().unwrap(), days: a[4].parse().unwrap(), format, truth: a.get(5).is_none_or(|t| t == "truth"),
        area: if a.get(6).is_some() { Area::Around { lon: 4.4, lat: 51.2, radius_km: 15.0 } } else { Area::Belgium }, ..Parameters::default() };
    let t = std::time::Instant::now();
    let s = generate(&p, &|_| {}).unwrap();
    let d = t.elapsed().as_secs_f64();
    #[allow(clippy::print_stdout)]
    { println!("{} {:.2}s {:.0} events/s", a[1], d, s.events as f64 / d); if a.get(7).is_some() { println!("{s:#?}"); } }
}
