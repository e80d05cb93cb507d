//! What leaving out small cells alone is worth: on a Belgian-shaped table, three fifths of them come back.

use std::{collections::BTreeMap, io::Read};

use throng_verifier::{Bounds, Incidence, bounds, recovered};

const K: u64 = 20;

/// Postal code, commune, province, region, country by residence class, nationality, all: every column, with its number.
fn block() -> (Incidence, Vec<u64>) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data-samples/disclosure/residence-block.csv.gz");
    let mut text = String::new();
    let file = std::fs::File::open(path).expect("a sample");
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("text");
    let mut columns: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    let mut numbers: Vec<u64> = Vec::new();
    for (atom, line) in text.lines().skip(1).enumerate() {
        let fields: Vec<&str> = line.split(',').collect();
        for place in fields[..4].iter().chain(&["BE"]) {
            for class in [fields[4], fields[5], "all"] {
                columns.entry((place, class)).or_default().push(atom);
            }
        }
        numbers.push(fields[6].parse().expect("a number"));
    }
    let incidence = Incidence::new(numbers.len(), columns.into_values());
    let sums =
        (0..incidence.columns()).map(|c| incidence.column(c).iter().map(|a| numbers[*a as usize]).sum());
    let sums = sums.collect();
    (incidence, sums)
}

/// The practice of the field: groups of 1 to k - 1 are left out, and that a cell is empty is told.
#[test]
fn plain_withholding_gives_three_fifths_of_the_small_cells_back() {
    let (incidence, numbers) = block();
    assert_eq!((incidence.atoms(), incidence.columns()), (11_400, 22_568));
    let published: Vec<bool> = numbers.iter().map(|n| *n == 0 || *n >= K).collect();
    let withheld = published.iter().filter(|published| !**published).count();
    let found = recovered(&incidence, &published).columns.len();
    let share = found as f64 / withheld as f64;
    assert_eq!(withheld, 4_406);
    assert!((0.55..0.65).contains(&share), "{found} of {withheld}");
}

/// Leaving out empty cells too hides few of them from who knows that no count is negative.
#[test]
fn withheld_zeros_do_not_hide_small_cells_either() {
    let (incidence, numbers) = block();
    let known: Vec<Option<Bounds>> = numbers.iter().map(|n| (*n >= K).then(|| Bounds::exactly(*n))).collect();
    let bounds = bounds(&incidence, &known).expect("a table");
    let withheld = known.iter().filter(|known| known.is_none()).count();
    let small =
        bounds.iter().zip(&known).filter(|(bounds, known)| known.is_none() && bounds.most < K).count();
    assert!(small * 10 > withheld * 9, "{small} of {withheld}");
}
