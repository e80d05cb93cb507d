//! The pseudonym in a pass cannot be read.
fn open(pass: throng_anonymiser::Pass) -> u64 {
    pass.pseudonym
}

fn main() {}
