//! Walks values in Thrift's compact protocol without making anything of them.

/// No struct of Parquet nests deeper than a few.
const DEPTH_MAX: u8 = 32;

/// The type of a value, as the protocol writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind(u8);

impl Kind {
    const TRUE: Self = Self(1);
    const FALSE: Self = Self(2);
    const DOUBLE: Self = Self(7);
    pub(crate) const BINARY: Self = Self(8);
    pub(crate) const LIST: Self = Self(9);
    const SET: Self = Self(10);
    const MAP: Self = Self(11);
    pub(crate) const STRUCT: Self = Self(12);
    const UUID: Self = Self(13);

    /// An integer of 16, 32 or 64 bits.
    pub(crate) fn is_integer(self) -> bool {
        (4..=6).contains(&self.0)
    }

    /// An integer of 8 bits.
    pub(crate) fn is_byte(self) -> bool {
        self.0 == 3
    }

    pub(crate) fn is_flag(self) -> bool {
        matches!(self, Self::TRUE | Self::FALSE)
    }
}

/// Bytes that are walked from front to back. None from any of its steps means that they are no such value.
pub(crate) struct Walk<'a> {
    rest: &'a [u8],
    depth: u8,
}

impl<'a> Walk<'a> {
    pub(crate) fn over(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, depth: 0 }
    }

    /// How many bytes have not been walked.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    /// Bytes that have not been walked.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// So many bytes, which are passed.
    pub(crate) fn bytes(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (passed, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(passed)
    }

    fn pass(&mut self, bytes: usize) -> Option<()> {
        self.bytes(bytes).map(|_| ())
    }

    /// A number of up to 64 bits, seven at a time.
    pub(crate) fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// An integer of any width but eight bits.
    pub(crate) fn integer(&mut self) -> Option<i64> {
        let zigzag = self.unsigned()?;
        Some((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }

    /// The length of a text or of bytes, which are passed.
    pub(crate) fn binary(&mut self) -> Option<usize> {
        let bytes = usize::try_from(self.unsigned()?).ok()?;
        self.pass(bytes)?;
        Some(bytes)
    }

    /// How many elements of which kind follow. Each takes a byte at least, so there are no more than bytes are left.
    pub(crate) fn list(&mut self) -> Option<(usize, Kind)> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.unsigned()?,
            few => u64::from(few),
        };
        let count = usize::try_from(count).ok().filter(|count| *count <= self.left())?;
        Some((count, Kind(head & 0x0f)))
    }

    /// The fields of a struct. `visit` walks the value of each, as [`Walk::skip`] does.
    pub(crate) fn fields(&mut self, visit: &mut dyn FnMut(i64, Kind, &mut Self) -> Option<()>) -> Option<()> {
        self.depth = self.depth.checked_add(1).filter(|depth| *depth <= DEPTH_MAX)?;
        let mut id = 0_i64;
        loop {
            let head = self.byte()?;
            let kind = Kind(head & 0x0f);
            if head == 0 {
                self.depth -= 1;
                return Some(());
            }
            id = match head >> 4 {
                0 => self.integer()?,
                step => id.checked_add(i64::from(step))?,
            };
            visit(id, kind, self)?;
        }
    }

    /// Passes the value of a field.
    pub(crate) fn skip(&mut self, kind: Kind) -> Option<()> {
        // The kind of a flag is its value.
        if kind.is_flag() { Some(()) } else { self.skip_element(kind) }
    }

    /// Flags in lists are none: the decoder takes no byte for them where the protocol has one, and would go on elsewhere.
    fn skip_element(&mut self, kind: Kind) -> Option<()> {
        match kind {
            kind if kind.is_byte() => self.pass(1),
            kind if kind.is_integer() => self.integer().map(|_| ()),
            Kind::DOUBLE => self.pass(8),
            Kind::UUID => self.pass(16),
            Kind::BINARY => self.binary().map(|_| ()),
            Kind::LIST | Kind::SET => self.nested(|walk| {
                let (count, kind) = walk.list()?;
                (0..count).try_for_each(|_| walk.skip_element(kind))
            }),
            Kind::MAP => self.nested(|walk| {
                let count = usize::try_from(walk.unsigned()?).ok()?;
                let kinds = if count == 0 { 0 } else { walk.byte()? };
                (0..count).try_for_each(|_| {
                    walk.skip_element(Kind(kinds >> 4))?;
                    walk.skip_element(Kind(kinds & 0x0f))
                })
            }),
            Kind::STRUCT => self.fields(&mut |_, kind, walk| walk.skip(kind)),
            _ => None,
        }
    }

    fn nested(&mut self, walk: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        self.depth = self.depth.checked_add(1).filter(|depth| *depth <= DEPTH_MAX)?;
        walk(self)?;
        self.depth -= 1;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The integers among the fields of a struct, and what is left behind it.
    fn integers(bytes: &[u8]) -> Option<(Vec<(i64, i64)>, usize)> {
        let (mut walk, mut found) = (Walk::over(bytes), Vec::new());
        walk.fields(&mut |id, kind, walk| {
            if kind.is_integer() {
                found.push((id, walk.integer()?));
                return Some(());
            }
            walk.skip(kind)
        })?;
        Some((found, walk.left()))
    }

    #[test]
    fn fields_are_found_behind_whatever_stands_before_them() {
        // 1: 150 as i32; 2: "abc"; 3: true; 4: list of two structs; 5: map of one; 6: double; 20: -1 as i64.
        let bytes = [
            &[0x15, 0xac, 0x02][..],
            &[0x18, 3, b'a', b'b', b'c'],
            &[0x11],
            &[0x19, 0x2c, 0x15, 2, 0, 0],
            &[0x1b, 1, 0x85, 1, b'k', 4],
            &[0x17, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0xe6, 1],
            &[0, 99],
        ];
        assert_eq!(integers(&bytes.concat()), Some((vec![(1, 150), (20, -1)], 1)));
    }

    #[test]
    fn what_is_cut_deep_or_longer_than_its_bytes_is_refused() {
        assert_eq!(integers(&[0x15]), None, "cut");
        assert_eq!(integers(&[0x19, 0xf5, 0xff, 0xff, 0xff, 0xff, 7, 0]), None, "a list of two billion");
        assert_eq!(integers(&[0x18, 0xff, 0xff, 0xff, 0xff, 7, 0]), None, "a text of two gigabytes");
        let deep = [0x1c_u8].repeat(1_000_000);
        assert_eq!(integers(&deep), None, "structs in structs");
        let deep = [&[0x19][..], &[0x19_u8].repeat(1_000_000)].concat();
        assert_eq!(integers(&deep), None, "lists in lists");
        assert_eq!(integers(&[0x1e, 0]), None, "of no kind");
        assert_eq!(integers(&[0x19, 0x21, 1, 1, 0]), None, "a list of two flags");
        assert_eq!(integers(&[0x1b, 1, 0x51, 2, 1, 0]), None, "a map to flags");
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = integers(&bytes);
        }
    }
}
