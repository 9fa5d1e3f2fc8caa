//! The wire format: tags and values one after the other, errors in the words of Go's generated code.

/// A value with the number of its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item<'a> {
    /// Number of the field.
    pub(super) number: u32,
    /// The value.
    pub(super) value: Raw<'a>,
}

/// A value as the wire gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Raw<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
    Group,
}

impl Raw<'_> {
    /// Number of the wire type.
    pub(super) fn wire_type(self) -> u8 {
        match self {
            Self::Varint(_) => 0,
            Self::Fixed64(_) => 1,
            Self::Bytes(_) => 2,
            Self::Group => 3,
            Self::Fixed32 => 5,
        }
    }
}

/// Reads one message.
pub(super) struct Wire<'a> {
    rest: &'a [u8],
    /// Name of the message, for errors.
    name: &'static str,
}

type Read<T> = Result<T, String>;

fn truncated() -> String {
    "unexpected EOF".into()
}

impl<'a> Wire<'a> {
    pub(super) fn new(bytes: &'a [u8], name: &'static str) -> Self {
        Self { rest: bytes, name }
    }

    /// The next field, `None` at the end.
    ///
    /// # Errors
    /// What Go says of a truncated or malformed message.
    pub(super) fn next(&mut self) -> Read<Option<Item<'a>>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        // Field numbers are 32-bit: what is above is cut off, as Go cuts it off.
        let number = u32::try_from((tag >> 3) & 0xffff_ffff).unwrap_or(0);
        let wire_type = tag & 7;
        if wire_type == 4 {
            return Err(format!("proto: {}: wiretype end group for non-group", self.name));
        }
        if number == 0 || i32::try_from(number).is_err() {
            return Err(format!(
                "proto: {}: illegal tag {} (wire type {tag})",
                self.name,
                i64::from(number)
            ));
        }
        let value = match wire_type {
            3 => {
                self.skip_group()?;
                Raw::Group
            }
            other => self.value(other)?,
        };
        Ok(Some(Item { number, value }))
    }

    /// A varint.
    pub(super) fn varint(&mut self) -> Read<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first().ok_or_else(truncated)?;
            self.rest = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("proto: integer overflow".into())
    }

    /// Eight bytes, little end first.
    pub(super) fn fixed64(&mut self) -> Read<u64> {
        let bytes = self.take(8)?;
        Ok(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// Nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn take(&mut self, length: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn value(&mut self, wire_type: u64) -> Read<Raw<'a>> {
        match wire_type {
            0 => Ok(Raw::Varint(self.varint()?)),
            1 => Ok(Raw::Fixed64(self.fixed64()?)),
            2 => {
                let length = self.varint()?;
                let length = i64::try_from(length)
                    .ok()
                    .and_then(|n| usize::try_from(n).ok())
                    .ok_or("proto: negative length found during unmarshaling")?;
                Ok(Raw::Bytes(self.take(length)?))
            }
            5 => {
                self.take(4)?;
                Ok(Raw::Fixed32)
            }
            other => Err(format!("proto: illegal wireType {other}")),
        }
    }

    /// Passes over a group, whose start was read: fields until its end, with groups inside.
    fn skip_group(&mut self) -> Read<()> {
        let mut depth = 1_usize;
        while depth > 0 {
            match self.varint()? & 7 {
                3 => depth += 1,
                4 => depth -= 1,
                other => {
                    self.value(other)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Read<Vec<Item<'_>>> {
        let mut wire = Wire::new(bytes, "Pod");
        let mut items = Vec::new();
        while let Some(item) = wire.next()? {
            items.push(item);
        }
        Ok(items)
    }

    #[test]
    fn values_of_each_wire_type_are_read() {
        // 1: varint 300; 2: "hi"; 3: a group with a varint in it; 4: fixed64; 5: fixed32
        let bytes = b"\x08\xac\x02\x12\x02hi\x1b\x08\x01\x1c\x21\x01\0\0\0\0\0\0\0\x2d\0\0\0\0";
        let values: Vec<Raw<'_>> = all(bytes).unwrap().into_iter().map(|item| item.value).collect();
        let expected = [
            Raw::Varint(300),
            Raw::Bytes(b"hi"),
            Raw::Group,
            Raw::Fixed64(1),
            Raw::Fixed32,
        ];
        assert_eq!(values, expected);
    }

    #[test]
    fn malformed_messages_are_refused_in_gos_words() {
        let message = |bytes: &[u8]| all(bytes).unwrap_err();
        assert_eq!(message(b"\x0a\x05ab"), "unexpected EOF");
        assert_eq!(message(b"\x08\x80"), "unexpected EOF");
        assert_eq!(message(&[0xff; 11]), "proto: integer overflow");
        assert_eq!(message(b"\x0c"), "proto: Pod: wiretype end group for non-group");
        assert_eq!(message(b"\x00\x00"), "proto: Pod: illegal tag 0 (wire type 0)");
        assert_eq!(message(b"\x0f"), "proto: illegal wireType 7");
        assert_eq!(
            message(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
            "proto: negative length found during unmarshaling"
        );
    }
}
