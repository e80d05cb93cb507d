//! How much is withheld beside the least that could be: tables whose optimum was proved by integer programming.
//!
//! `optimum/tables.json.gz` holds them, with the optimum of tau-ARGUS and of a programme written for this; the command
//! that made it stands at the top of `optimum/optimum.py`.

use std::collections::HashMap;

use serde::Deserialize;
use throng_anonymiser::{Lattice, Numbers, Rule, Safety, suppress};

#[derive(Deserialize)]
struct Kept {
    tables: Vec<Table>,
}

#[derive(Deserialize)]
struct Table {
    id: String,
    k: u64,
    /// Codes with the code above; none above the total.
    rows: Vec<(String, Option<String>)>,
    cols: Vec<(String, Option<String>)>,
    atoms: Vec<Vec<u64>>,
    cells: usize,
    primaries: usize,
    /// Where each primary number is to be k or more in some table with the same published numbers.
    upper: Optimum,
}

#[derive(Deserialize)]
struct Optimum {
    withheld: usize,
    bound: f64,
}

/// The columns of one side: of every code, the leaves below it, numbered as they come.
fn side(codes: &[(String, Option<String>)]) -> Lattice {
    let above: HashMap<&str, Option<&str>> =
        codes.iter().map(|(code, above)| (code.as_str(), above.as_deref())).collect();
    let is_leaf = |code: &str| !codes.iter().any(|(_, above)| above.as_deref() == Some(code));
    let leaves: Vec<&str> =
        codes.iter().map(|(code, _)| code.as_str()).filter(|code| is_leaf(code)).collect();
    let columns: Vec<Vec<u32>> = codes
        .iter()
        .map(|(code, _)| {
            let below = |leaf: &&str| {
                std::iter::successors(Some(*leaf), |code| above[code]).any(|above| above == code)
            };
            (0..).zip(&leaves).filter(|(_, leaf)| below(leaf)).map(|(at, _)| at).collect()
        })
        .collect();
    Lattice::new(leaves.len(), &columns)
}

#[test]
fn little_more_is_withheld_than_the_least_that_could_be() {
    let mut json = flate2::read::GzDecoder::new(&include_bytes!("optimum/tables.json.gz")[..]);
    let kept: Kept = serde_json::from_reader(&mut json).expect("tables");
    let (mut sum, mut withheld_of_all, mut optimum_of_all) = (0.0, 0, 0);
    for table in &kept.tables {
        let lattice = side(&table.rows).product(&side(&table.cols));
        let atoms: Vec<u64> = table.atoms.concat();
        assert_eq!((lattice.columns(), lattice.atoms()), (table.cells, atoms.len()), "{}", table.id);
        let rule = Rule { k: table.k, counts_per_device: 1, safety: Safety::Certified };
        let numbers = Numbers { atoms: &atoms, devices: None, withheld: None };
        let pattern = suppress(&lattice, numbers, rule, None);
        let of = |wanted: &dyn Fn(usize) -> bool| (0..table.cells).filter(|column| wanted(*column)).count();
        let withheld = of(&|column| pattern.withholds(&lattice, column));
        assert_eq!(of(&|column| pattern.is_small(&lattice, column)), table.primaries, "{}", table.id);
        assert!(withheld as f64 >= table.upper.bound - 1e-9, "{} is under what was proved", table.id);
        sum += withheld as f64 / table.upper.withheld as f64;
        withheld_of_all += withheld;
        optimum_of_all += table.upper.withheld;
    }
    let mean = sum / kept.tables.len() as f64;
    assert!(kept.tables.len() >= 60);
    assert!(
        mean <= 1.04,
        "{mean} times the optimum on average; {withheld_of_all} withheld of all, where {optimum_of_all} would do"
    );
}
