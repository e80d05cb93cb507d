//! Reads the mobile country code of a subscriber's home network, as event files write it.

/// What may stand between the country code and the network code.
const SEPARATORS: &[u8] = b"-_./: ";

/// The country code of a home network in text: three digits, alone or before the two or three of the network, with or
/// without a mark between them. Whatever else stands there tells no home.
#[inline]
pub(crate) fn mcc_of_text(text: &[u8]) -> Option<u16> {
    let (mcc, rest) = text.trim_ascii().split_first_chunk::<3>()?;
    let mnc = match rest {
        [mark, mnc @ ..] if SEPARATORS.contains(mark) && !mnc.is_empty() => mnc,
        mnc => mnc,
    };
    let whole = matches!(mnc.len(), 0 | 2 | 3) && mnc.iter().all(u8::is_ascii_digit);
    if whole { three_digits(mcc) } else { None }
}

/// The country code of a home network that is an integer: MCC and MNC are five digits or six, an MCC alone three.
#[inline]
pub(crate) fn mcc_of_integer(value: i64) -> Option<u16> {
    let mcc = match value {
        100..=999 => value,
        10_000..=99_999 => value / 100,
        100_000..=999_999 => value / 1_000,
        _ => return None,
    };
    u16::try_from(mcc).ok()
}

/// The country code of an IMSI: its first three digits.
#[inline]
pub(crate) fn mcc_of_imsi(imsi: &[u8]) -> Option<u16> {
    three_digits(imsi.first_chunk()?)
}

#[inline]
fn three_digits(digits: &[u8; 3]) -> Option<u16> {
    digits.iter().try_fold(0, |mcc, byte| byte.is_ascii_digit().then(|| mcc * 10 + u16::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_three_digits_of_a_home_network_are_its_country() {
        for text in ["20601", "206010", "206", " 206-01 ", "206/01", "206.001", "206 01", "206_01", "206:10"]
        {
            assert_eq!(mcc_of_text(text.as_bytes()), Some(206), "{text}");
        }
        assert_eq!(mcc_of_text(b"00101"), Some(1));
        for text in [
            "", " ", "20", "2060", "2060101", "206-", "206-1", "206-0101", "206--1", "2O601", "BE", "20601.0",
        ] {
            assert_eq!(mcc_of_text(text.as_bytes()), None, "{text}");
        }
        assert_eq!([20_601, 310_260, 206].map(mcc_of_integer), [Some(206), Some(310), Some(206)]);
        for value in [i64::MIN, -20_601, 0, 99, 1_000, 9_999, 1_000_000, i64::MAX] {
            assert_eq!(mcc_of_integer(value), None, "{value}");
        }
        assert_eq!(mcc_of_imsi(b"206012345678901"), Some(206));
        assert_eq!([&b"20"[..], b"a2060", b""].map(mcc_of_imsi), [None; 3]);
    }
}
