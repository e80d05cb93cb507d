#[global_allocator] static A: mimalloc::MiMalloc = mimalloc::MiMalloc;
use std::{sync::Arc, time::Instant, path::PathBuf};
use jiff::{civil::date, tz::TimeZone};
use throng_aggregator::{Report, Reports};
use throng_anonymiser::{Frame, Carried, Crowd, Share, Subscribers};
use throng_ingest::{CellColumns, Clock, EventColumns, EventFormat, Events, Places, Progress};
use throng_schema::{Calendar, Window};
struct U; impl Progress for U { fn rows(&self, _: u64) {} }
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let folder = PathBuf::from(&a[1]); let rounds: usize = a[2].parse().unwrap(); let threads: usize = a[3].parse().unwrap();
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().unwrap();
    const H: i64 = 30*60*1_000_000;
    let zone = TimeZone::get("Europe/Brussels").unwrap();
    let day = Window::new(date(2026, 10, 15), date(2026, 10, 15)).unwrap();
    let cal = Calendar::new(day, zone.clone(), 900).unwrap();
    let places = Places::belgium().unwrap();
    let (plan, _) = throng_ingest::cell_plan(&[folder.join("cells.csv")], &CellColumns::default(), &places, &zone).unwrap();
    let (plan, tree) = (Arc::new(plan), Arc::new(places.tree));
    let files = throng_ingest::find_files(&[folder.join("events")]).unwrap();
    let (from_us, until_us) = (cal.start_us() - 2*H, cal.end_us() + 2*H);
    let clock = Clock { zone: zone.clone(), expired_before_us: i64::MIN, from_us, until_us };
    let events = Events::open(files, EventColumns::default(), EventFormat::default(), clock, Some(plan.clone()), Arc::new(U)).unwrap();
    let frame = Frame { from_us, until_us, hold_us: H, versions: plan.versions().len(), files: events.paths().len(), memory: 12 << 30 };
    let reports = Reports::new(&[Report::Presence, Report::Visitors], cal.clone(), tree.clone(), plan.clone(), (H, H/2), throng_ingest::country_of_mcc);
    let today = reports.today(&cal.days()[0]);
    for _ in 0..rounds {
        let mut s = Subscribers::new().unwrap();
        let _ = throng_ingest::identifiers(&folder.join("opt_out.csv"), &mut |id| s.opt_out(id));
        let t = Instant::now();
        let (crowd, tally) = Crowd::gather(&events, &s, &frame, Share::whole()).unwrap();
        let g = t.elapsed().as_secs_f64(); let n = tally.rows_read() as f64;
        let t = Instant::now();
        let carried = Carried::default();
        let c = throng_aggregator::count(crowd, &today, &s, &carried);
        let k = t.elapsed().as_secs_f64();
        let f = 1e9 * threads as f64 / n;
        println!("gather {g:.3} s {:.1} ns  count {k:.3} s {:.1} ns  devices {}", g*f, k*f, c.devices);
    }
}
