//! How an event is packed: so that sorting one person's numbers sorts their times, then their cells.

use throng_schema::VersionIx;

/// Binary logarithm of [`SHARDS`]. With 2,048 shards a day of 100 million events sorts in parts of about 50,000,
/// which fit the second-level cache, while each thread's open blocks (2.5 KiB a shard) stay at 5 MiB.
pub(crate) const SHARD_BITS: u32 = 11;

/// A person lives in exactly one shard, chosen by the first bits of the pseudonym.
pub(crate) const SHARDS: usize = 1 << SHARD_BITS;

/// The bits of a pseudonym that an event keeps beside its shard: 56 in all, so that two of 10 million people are
/// confused with probability under 1 in 1,000. They are as many in every gathering, so that people are the same in
/// all of them.
pub(crate) const PERSON_BITS: u32 = 56 - SHARD_BITS;

/// What a gathering must hold: the time it covers, how many cells and files there are, and its memory.
#[derive(Clone, Debug)]
pub struct Frame {
    /// First moment kept, in microseconds since 1970 UTC.
    pub from_us: i64,
    /// First moment no longer kept.
    pub until_us: i64,
    /// How far an event reaches, in microseconds; a session implies an event every so often.
    pub hold_us: i64,
    /// How many versions of cells the plan has.
    pub versions: usize,
    /// How many files the rows come from; duplicates are told by file.
    pub files: usize,
    /// How many bytes the crowd may take.
    pub memory: usize,
}

/// What an event says beside its person: `time | version | file`, from the highest bit down.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    origin_us: i64,
    time_bits: u32,
    version_bits: u32,
    file_bits: u32,
}

fn bits_for(values: u64) -> u32 {
    u64::BITS - values.saturating_sub(1).leading_zeros()
}

impl Layout {
    pub(crate) fn new(frame: &Frame) -> Self {
        // The difference of any two times fits 64 bits; a frame that ends before it begins holds nothing.
        let span = if frame.until_us > frame.from_us { frame.until_us.abs_diff(frame.from_us) } else { 0 };
        let (time_bits, version_bits, file_bits) =
            (bits_for(span), bits_for(frame.versions as u64), bits_for(frame.files as u64));
        Self { origin_us: frame.from_us, time_bits, version_bits, file_bits }
    }

    #[inline]
    pub(crate) fn shard(pseudonym: u64) -> usize {
        (pseudonym >> (u64::BITS - SHARD_BITS)) as usize
    }

    /// The pseudonym's bits that the shard does not tell, as many as there is room for.
    #[inline]
    pub(crate) fn person(pseudonym: u64) -> u64 {
        (pseudonym << SHARD_BITS) >> (u64::BITS - PERSON_BITS)
    }

    /// What tells a person apart, of a pseudonym.
    #[inline]
    pub(crate) fn identity_of(pseudonym: u64) -> u64 {
        pseudonym >> (u64::BITS - SHARD_BITS - PERSON_BITS)
    }

    /// What tells a person apart, of a shard and a person in it.
    #[inline]
    pub(crate) fn identity_in(shard: usize, person: u64) -> u64 {
        (shard as u64) << PERSON_BITS | person
    }

    /// Whether what an event says fits a word. It fits two however many files and cells there are.
    pub(crate) fn rest_fits_word(&self) -> bool {
        self.time_bits + self.version_bits + self.file_bits <= u64::BITS
    }

    /// `at_us` must lie in the frame, `version` and `file` below its numbers.
    #[inline]
    pub(crate) fn rest<R: Rest>(&self, at_us: i64, version: VersionIx, file: u32) -> R {
        let at = at_us.wrapping_sub(self.origin_us).cast_unsigned();
        debug_assert!(at <= mask(self.time_bits), "an event outside the frame");
        let head = u128::from(at) << (self.version_bits + self.file_bits);
        R::of(head | u128::from(version.0) << self.file_bits | u128::from(file))
    }

    /// Packs the events of a file into words, where they fit.
    pub(crate) fn packer(&self, file: u32) -> Packer {
        debug_assert!(self.rest_fits_word());
        let (time_shift, version_shift) = (self.version_bits + self.file_bits, self.file_bits);
        Packer { origin_us: self.origin_us, time_shift, version_shift, file: u64::from(file) }
    }

    #[inline]
    pub(crate) fn at_us<R: Rest>(&self, rest: R) -> i64 {
        // What lies above the time is zero.
        self.origin_us.wrapping_add(rest.down(self.version_bits + self.file_bits).low().cast_signed())
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "versions are numbered with 32 bits")]
    pub(crate) fn version<R: Rest>(&self, rest: R) -> VersionIx {
        VersionIx((rest.down(self.file_bits).low() & mask(self.version_bits)) as u32)
    }

    #[inline]
    pub(crate) fn file<R: Rest>(&self, rest: R) -> usize {
        usize::try_from(rest.low() & mask(self.file_bits)).unwrap_or(usize::MAX)
    }

    /// In which of 256 slices of the frame's time an event lies.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the highest eight bits of a time are all that is left"
    )]
    pub(crate) fn slice<R: Rest>(&self, rest: R) -> u8 {
        let finer = self.time_bits.saturating_sub(u8::BITS);
        rest.down(self.version_bits + self.file_bits + finer).low() as u8
    }

    /// What makes two rows of one person the same: time and cell, whatever the file.
    #[inline]
    pub(crate) fn identity<R: Rest>(&self, rest: R) -> R {
        rest.down(self.file_bits)
    }
}

/// Packs events of one file: [`Layout::rest`] with all that does not change done before.
#[derive(Clone, Copy)]
pub(crate) struct Packer {
    origin_us: i64,
    time_shift: u32,
    version_shift: u32,
    file: u64,
}

impl Packer {
    /// `at_us` must lie in the frame, and the version below its number: then nothing wraps and nothing is shifted out.
    #[inline]
    pub(crate) fn pack(self, at_us: i64, version: VersionIx) -> u64 {
        let at = at_us.wrapping_sub(self.origin_us).cast_unsigned();
        debug_assert!(
            at.checked_shl(self.time_shift).unwrap_or(0).checked_shr(self.time_shift).unwrap_or(0) == at
        );
        let version = u64::from(version.0).wrapping_shl(self.version_shift);
        at.wrapping_shl(self.time_shift) | version | self.file
    }
}

/// What an event says beside its person, in a word or in two.
pub(crate) trait Rest: Copy + Ord + Default {
    /// Of a number whose higher bits are zero where they do not fit.
    fn of(wide: u128) -> Self;

    /// Moved down by so many bits.
    fn down(self, by: u32) -> Self;

    /// The lower word.
    fn low(self) -> u64;
}

#[inline]
fn mask(count: u32) -> u64 {
    u64::MAX.checked_shr(u64::BITS - count).unwrap_or(0)
}

impl Rest for u64 {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "what is cut off is zero")]
    fn of(wide: u128) -> Self {
        wide as Self
    }

    #[inline]
    fn down(self, by: u32) -> Self {
        self.checked_shr(by).unwrap_or(0)
    }

    #[inline]
    fn low(self) -> u64 {
        self
    }
}

impl Rest for u128 {
    #[inline]
    fn of(wide: u128) -> Self {
        wide
    }

    #[inline]
    fn down(self, by: u32) -> Self {
        self.checked_shr(by).unwrap_or(0)
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the lower word is asked for")]
    fn low(self) -> u64 {
        self as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(days: i64, versions: usize, files: usize) -> Frame {
        let from_us = 1_790_000_000_000_000;
        Frame { from_us, until_us: from_us + days * 86_400_000_000, hold_us: 1, versions, files, memory: 0 }
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_out(days in 1..94_i64, versions in 1..2_000_000_usize, files in 1..3_000_usize,
                                    pseudonym: u64, at: prop::sample::Index, v: prop::sample::Index, f: prop::sample::Index) {
            let frame = frame(days, versions, files);
            let layout = Layout::new(&frame);
            let at_us = frame.from_us + i64::try_from(at.index(usize::try_from(days * 86_400_000_000).expect("64 bits"))).expect("small");
            let (version, file) = (VersionIx(u32::try_from(v.index(versions)).expect("small")), f.index(files));
            let person = Layout::person(pseudonym);
            prop_assert!(Layout::identity_in(Layout::shard(pseudonym), person) == Layout::identity_of(pseudonym));
            let number = u32::try_from(file).expect("small");
            let two: u128 = layout.rest(at_us, version, number);
            prop_assert_eq!((layout.at_us(two), layout.version(two), layout.file(two)), (at_us, version, file));
            prop_assert_eq!(layout.identity(two), layout.identity::<u128>(layout.rest(at_us, version, 0)));
            if layout.rest_fits_word() {
                let one: u64 = layout.rest(at_us, version, number);
                prop_assert_eq!((layout.at_us(one), layout.version(one), layout.file(one)), (at_us, version, file));
                prop_assert_eq!(layout.packer(number).pack(at_us, version), one);
                prop_assert_eq!((u128::from(layout.identity(one)), u128::from(one)), (layout.identity(two), two));
            }
        }
    }

    proptest! {
        /// A frame may begin and end anywhere, with as many cells and files as can be numbered.
        #[test]
        fn frames_at_the_ends_of_time_hold_their_events(
            from_us in prop_oneof![Just(i64::MIN), Just(i64::MAX - 1), any::<i64>(), Just(-377_705_023_201_000_000)],
            until_us in prop_oneof![Just(i64::MAX), any::<i64>(), Just(253_402_207_200_000_000)],
            versions in prop_oneof![Just(1_usize), Just(1 << 32), 1..1_usize << 32],
            files in prop_oneof![Just(1_usize), Just(1 << 16), Just(1 << 32), 1..1_usize << 17],
            at: u64, last: bool, v: prop::sample::Index, f: prop::sample::Index,
        ) {
            prop_assume!(from_us < until_us);
            let frame = Frame { from_us, until_us, hold_us: 1, versions, files, memory: 0 };
            let layout = Layout::new(&frame);
            let span = until_us.abs_diff(from_us);
            let at_us = from_us.wrapping_add_unsigned(if last { span - 1 } else { at % span });
            let number = |n: usize| u32::try_from(n).expect("a number of 32 bits");
            let version = VersionIx(number(if last { versions - 1 } else { v.index(versions) }));
            let file = number(if last { files - 1 } else { f.index(files) });
            let two: u128 = layout.rest(at_us, version, file);
            prop_assert_eq!((layout.at_us(two), layout.version(two), layout.file(two)), (at_us, version, file as usize));
            let middle = from_us.wrapping_add_unsigned(span / 2);
            let before: u128 = layout.rest(middle, VersionIx(0), 0);
            prop_assert!(before.cmp(&two) == (middle, VersionIx(0), 0).cmp(&(at_us, version, file)), "in the order of time");
            prop_assert!(before > two || layout.slice(before) <= layout.slice(two));
            if layout.rest_fits_word() {
                let one: u64 = layout.rest(at_us, version, file);
                prop_assert_eq!(layout.packer(file).pack(at_us, version), one);
                prop_assert_eq!((u128::from(one), layout.slice(one)), (two, layout.slice(two)));
            }
        }
    }

    #[test]
    fn slices_divide_a_frame_evenly_and_a_short_one_by_its_moments() {
        let slice = |length_us: i64, at_us: i64| {
            let frame =
                Frame { from_us: 7, until_us: 7 + length_us, hold_us: 1, versions: 3, files: 2, memory: 0 };
            let layout = Layout::new(&frame);
            layout.slice::<u64>(layout.rest(7 + at_us, VersionIx(2), 1))
        };
        assert_eq!([0, 255, 256, 65_535].map(|at| slice(1 << 16, at)), [0, 0, 1, 255]);
        assert_eq!([0, 1, 100].map(|at| slice(101, at)), [0, 1, 100]);
        assert_eq!(slice(1, 0), 0);
    }

    #[test]
    fn a_frame_that_ends_before_it_begins_holds_nothing() {
        let frame =
            Frame { from_us: i64::MAX, until_us: i64::MIN, hold_us: 1, versions: 0, files: 0, memory: 0 };
        let layout = Layout::new(&frame);
        assert_eq!((layout.time_bits, layout.version_bits, layout.file_bits), (0, 0, 0));
    }

    #[test]
    fn events_fit_a_word_up_to_its_last_bit() {
        let fits = |span: i64, versions: usize, files: usize| {
            Layout::new(&Frame { from_us: 0, until_us: span, hold_us: 1, versions, files, memory: 0 })
                .rest_fits_word()
        };
        assert!(fits(1 << 40, 1 << 16, 1 << 8) && !fits((1 << 40) + 1, 1 << 16, 1 << 8));
        assert!(!fits(1 << 40, (1 << 16) + 1, 1 << 8) && !fits(1 << 40, 1 << 16, (1 << 8) + 1));
    }

    #[test]
    fn a_day_fits_a_word_and_a_quarter_of_a_year_two() {
        assert!(Layout::new(&frame(1, 1 << 16, 1 << 10)).rest_fits_word());
        assert!(!Layout::new(&frame(94, 1 << 21, 1 << 14)).rest_fits_word());
    }
}
