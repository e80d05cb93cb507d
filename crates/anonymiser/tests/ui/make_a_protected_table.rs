//! Only `protect` makes a protected table.
fn make(grid: throng_schema::Grid) -> throng_anonymiser::ProtectedTable {
    throng_anonymiser::ProtectedTable { grid, cells: Vec::new(), account: Default::default() }
}

fn main() {}
