//! A count cannot be read before it is protected.
fn read(table: throng_anonymiser::CountTable) -> u64 {
    table.devices[0]
}

fn main() {}
