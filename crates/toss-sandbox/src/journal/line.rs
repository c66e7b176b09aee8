//! One step of the engine as one line of JSON with a number and a checksum.

use std::io::{self, BufRead, Read, Write};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::engine::Change;

/// First line of every journal, so that no other file is taken for one.
pub(super) const HEADER: &str = "{\"journal\":\"toss-sandbox\",\"format\":1}\n";

/// Longest line read, in bytes. The longest that can be written, ten thousand payments that lapse
/// in one step, has about a megabyte.
const LINE_MAX: u64 = 16 << 20;

#[derive(Serialize)]
struct Writing<'a> {
    seq: u64,
    crc: &'a str,
    changes: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reading<'a> {
    seq: u64,
    crc: &'a str,
    #[serde(borrow)]
    changes: &'a RawValue,
}

/// CRC-32 of the number and of the changes as they are written.
fn checksum(seq: u64, changes: &str) -> String {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&seq.to_le_bytes());
    hasher.update(changes.as_bytes());
    format!("{:08x}", hasher.finalize())
}

/// Writes one record.
///
/// # Errors
/// None but those of `out`: the changes of the engine are strings and numbers.
pub(super) fn encode(out: &mut Vec<u8>, seq: u64, changes: &[Change]) -> io::Result<()> {
    let changes = serde_json::value::to_raw_value(changes)?;
    let crc = checksum(seq, changes.get());
    let line = Writing {
        seq,
        crc: &crc,
        changes: &changes,
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}

/// Reads one record, which must have the number `expected`.
///
/// # Errors
/// What is wrong with the line, in words.
pub(super) fn decode(line: &[u8], expected: u64) -> Result<Vec<Change>, String> {
    let read: Reading<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if read.crc != checksum(read.seq, read.changes.get()) {
        return Err("its checksum does not match".to_owned());
    }
    if read.seq != expected {
        return Err(format!("record {} where {expected} belongs", read.seq));
    }
    serde_json::from_str(read.changes.get()).map_err(|error| error.to_string())
}

/// What comes next in a journal.
pub(super) enum Next<'a> {
    /// A line, without its end.
    Line(&'a [u8]),
    /// What a crash left of the last line: it has no end.
    Torn(&'a [u8]),
    /// A line longer than any that is written.
    TooLong,
    /// The end.
    End,
}

/// The lines of a journal, and where they stand.
pub(super) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    /// Number of the line read last; the first is 1.
    pub(super) number: u64,
    /// Where the line read last starts, in bytes.
    pub(super) start: u64,
    /// Where the next one starts.
    pub(super) end: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: Vec::new(),
            number: 0,
            start: 0,
            end: 0,
        }
    }

    pub(super) fn next(&mut self) -> io::Result<Next<'_>> {
        self.buffer.clear();
        let mut bounded = (&mut self.reader).take(LINE_MAX);
        let count = bounded.read_until(b'\n', &mut self.buffer)? as u64;
        self.start = self.end;
        if count == 0 {
            return Ok(Next::End);
        }
        self.number += 1;
        if self.buffer.last() == Some(&b'\n') {
            self.end += count;
            return Ok(Next::Line(&self.buffer[..self.buffer.len() - 1]));
        }
        if count == LINE_MAX {
            return Ok(Next::TooLong);
        }
        Ok(Next::Torn(&self.buffer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Vec<u8> {
        let mut out = Vec::new();
        encode(&mut out, 7, &[Change::ClockAdvanced { offset_ms: 5 }]).unwrap();
        assert_eq!(out.pop(), Some(b'\n'));
        out
    }

    #[test]
    fn a_record_comes_back_as_it_was() {
        let changes = decode(&line(), 7).unwrap();
        assert_eq!(changes, [Change::ClockAdvanced { offset_ms: 5 }]);
        assert!(decode(&line(), 8).unwrap_err().contains("record 7 where 8"));
    }

    #[test]
    fn no_changed_byte_goes_unseen() {
        let good = line();
        for position in 0..good.len() {
            for flip in [1_u8, 2, 0x10, 0x80] {
                let mut bad = good.clone();
                bad[position] ^= flip;
                assert!(decode(&bad, 7).is_err(), "byte {position} xor {flip}");
            }
        }
    }
}
