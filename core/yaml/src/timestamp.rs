//! Which strings go-yaml takes for timestamps. They stay strings when read, but are quoted when written.

/// Whether the text is one of the four timestamp forms (`2006-1-2`, with `T`, `t` and a zone, or with a space and no zone).
pub(crate) fn is_timestamp(text: &str) -> bool {
    let mut cursor = Cursor { rest: text.as_bytes() };
    parse(&mut cursor).is_some() && cursor.rest.is_empty()
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    fn take(&mut self, expected: u8) -> Option<()> {
        (*self.rest.first()? == expected).then(|| self.rest = &self.rest[1..])
    }

    fn digit(&mut self) -> Option<u32> {
        let digit = self.rest.first().filter(|byte| byte.is_ascii_digit())?;
        self.rest = &self.rest[1..];
        Some(u32::from(digit - b'0'))
    }

    /// One or two digits.
    fn short(&mut self) -> Option<u32> {
        let first = self.digit()?;
        Some(self.digit().map_or(first, |second| first * 10 + second))
    }

    /// Exactly two digits.
    fn pair(&mut self) -> Option<u32> {
        Some(self.digit()? * 10 + self.digit()?)
    }
}

fn parse(cursor: &mut Cursor<'_>) -> Option<()> {
    let year = cursor.pair()? * 100 + cursor.pair()?;
    cursor.take(b'-')?;
    let month = cursor.short()?;
    cursor.take(b'-')?;
    let day = cursor.short()?;
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    let Some(separator) = cursor.rest.first().copied() else {
        return Some(());
    };
    if !matches!(separator, b'T' | b't' | b' ') {
        return None;
    }
    cursor.take(separator)?;
    let hour = cursor.short()?;
    cursor.take(b':')?;
    let minute = cursor.short()?;
    cursor.take(b':')?;
    let second = cursor.short()?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    if matches!(cursor.rest, [b'.' | b',', digit, ..] if digit.is_ascii_digit()) {
        cursor.rest = &cursor.rest[1..];
        while cursor.digit().is_some() {}
    }
    if separator == b' ' { Some(()) } else { zone(cursor) }
}

fn zone(cursor: &mut Cursor<'_>) -> Option<()> {
    if cursor.take(b'Z').is_some() {
        return Some(());
    }
    cursor.take(b'+').or_else(|| cursor.take(b'-'))?;
    let hours = cursor.pair()?;
    cursor.take(b':')?;
    let minutes = cursor.pair()?;
    (hours <= 24 && minutes <= 60).then_some(())
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::is_timestamp;

    #[test]
    fn the_four_forms_and_their_neighbours() {
        for text in [
            "2020-01-01",
            "2020-1-2",
            "2020-02-29",
            "2020-01-01T00:00:00Z",
            "2020-1-2t3:4:5.123+02:00",
            "2020-01-01 1:2:3",
        ] {
            assert!(is_timestamp(text), "{text}");
        }
        for text in [
            "2020",
            "2020-01",
            "2021-02-29",
            "2020-13-01",
            "2020-01-01T00:00:00",
            "2020-01-01 1:2:3Z",
            "20-01-01",
            "2020-01-01x",
        ] {
            assert!(!is_timestamp(text), "{text}");
        }
    }
}
