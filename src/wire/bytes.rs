//! Numbers and lengths as bytes, little-endian.

use super::error::WireError;

pub(super) fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Writes a length. Batches are cut far below 4 GiB.
pub(super) fn put_length(out: &mut Vec<u8>, length: usize) {
    put_u32(out, u32::try_from(length).expect("batches are cut far below 4 GiB"));
}

/// Reads a payload from its start.
pub(super) struct Cursor<'a> {
    /// What was not read yet.
    pub(super) rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(WireError::Invalid("truncated"))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, WireError> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn u32(&mut self) -> Result<u32, WireError> {
        Ok(u32::from_le_bytes(self.take(4)?.try_into().expect("four bytes")))
    }

    pub(super) fn u64(&mut self) -> Result<u64, WireError> {
        Ok(u64::from_le_bytes(self.take(8)?.try_into().expect("eight bytes")))
    }

    pub(super) fn length(&mut self) -> Result<usize, WireError> {
        Ok(self.u32()? as usize)
    }

    /// This many u32. They are there before room is made for them: a length is only a claim.
    pub(super) fn u32s(&mut self, count: usize) -> Result<Vec<u32>, WireError> {
        let bytes = self.take(count.saturating_mul(4))?;
        Ok(bytes.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect())
    }

    /// This many u64.
    pub(super) fn u64s(&mut self, count: usize) -> Result<Vec<u64>, WireError> {
        let bytes = self.take(count.saturating_mul(8))?;
        Ok(bytes.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect())
    }
}
