//! The journal's file: opened, locked, read from its beginning, and cut where a crash tore it.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, BufRead, BufReader, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::line::{HEADER, Lines, Next, decode};
use crate::engine::{Change, Inconsistent};

/// A byte offset is remembered for every so many records.
const INDEX_STEP: u64 = 1_024;

/// Why a journal cannot be used. Nothing is changed in a file that is refused.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be opened, read or cut.
    #[error("journal {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another sandbox has it.
    #[error("journal {path} is in use by another process")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It does not start as a journal of this format does.
    #[error("{path} is not a journal of this program, or of another format")]
    NotAJournal {
        /// The file.
        path: PathBuf,
    },
    /// A line that is not the last, or that is whole, is not what was written.
    #[error("journal {path} is corrupt at line {line} (byte {offset}): {what}")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The line; the first is 1.
        line: u64,
        /// Where it starts, in bytes.
        offset: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A line is intact, but what it says cannot have happened.
    #[error("journal {path} contradicts itself at line {line} (byte {offset})")]
    Contradiction {
        /// The file.
        path: PathBuf,
        /// The line; the first is 1.
        line: u64,
        /// Where it starts, in bytes.
        offset: u64,
        /// What it claims.
        source: Inconsistent,
    },
}

/// Where records stand: the offset of every [`INDEX_STEP`]th.
#[derive(Debug, Default)]
pub(super) struct Index(Vec<u64>);

impl Index {
    /// Notes where a record starts; records come in order.
    pub(super) fn note(&mut self, seq: u64, offset: u64) {
        if (seq - 1).is_multiple_of(INDEX_STEP) {
            self.0.push(offset);
        }
    }

    /// A place from which a record can be reached: its offset, and how many records lie between.
    pub(super) fn place(&self, seq: u64) -> Option<(u64, u64)> {
        let distance = seq.checked_sub(1)?;
        let slot = usize::try_from(distance / INDEX_STEP).ok()?;
        Some((*self.0.get(slot)?, distance % INDEX_STEP))
    }
}

/// What reading a journal has found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// How many records there are: the number of the last.
    pub(super) records: u64,
    /// Where the last whole line ends, in bytes.
    pub(super) end: u64,
    /// How many bytes a crash left behind it.
    pub(super) torn: u64,
    pub(super) index: Index,
}

/// Opens or creates a journal for writing, and hands everything in it to `apply`. Only one
/// process at a time can have it.
///
/// # Errors
/// [`JournalError`].
pub(super) fn open(
    path: &Path,
    apply: impl FnMut(Change) -> Result<(), Inconsistent>,
) -> Result<(File, Scan), JournalError> {
    let failed = |source| io_error(path, source);
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(JournalError::InUse { path: path.into() }),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    let mut scan = scan(path, &file, u64::MAX, apply)?;
    if scan.torn > 0 {
        tracing::warn!(
            path = %path.display(),
            offset = scan.end,
            bytes = scan.torn,
            "the journal's last line is torn and is cut off; nobody was answered on its account"
        );
        file.set_len(scan.end).map_err(failed)?;
    }
    if scan.end == 0 {
        file.write_all(HEADER.as_bytes()).map_err(failed)?;
        scan.end = HEADER.len() as u64;
    }
    file.sync_all().map_err(failed)?;
    sync_directory(path).map_err(failed)?;
    Ok((file, scan))
}

/// Hands the first `records_max` records of a journal to `apply`.
///
/// # Errors
/// [`JournalError`].
pub(super) fn replay(
    path: &Path,
    records_max: u64,
    apply: impl FnMut(Change) -> Result<(), Inconsistent>,
) -> Result<u64, JournalError> {
    let file = File::open(path).map_err(|source| io_error(path, source))?;
    Ok(scan(path, &file, records_max, apply)?.records)
}

fn scan(
    path: &Path,
    file: &File,
    records_max: u64,
    mut apply: impl FnMut(Change) -> Result<(), Inconsistent>,
) -> Result<Scan, JournalError> {
    let failed = |source| io_error(path, source);
    let mut lines = Lines::new(BufReader::with_capacity(1 << 20, file));
    let mut found = Scan::default();
    match lines.next().map_err(failed)? {
        Next::Line(line) if line == HEADER.trim_end().as_bytes() => {}
        // A crash may have come while the header was being written.
        Next::Torn(part) if HEADER.as_bytes().starts_with(part) => {
            found.torn = part.len() as u64;
            return Ok(found);
        }
        Next::End => return Ok(found),
        Next::Line(_) | Next::Torn(_) | Next::TooLong => {
            return Err(JournalError::NotAJournal { path: path.into() });
        }
    }
    while found.records < records_max {
        let seq = found.records + 1;
        let decoded = match lines.next().map_err(failed)? {
            Next::Line(line) => decode(line, seq),
            Next::Torn(part) => {
                found.torn = part.len() as u64;
                break;
            }
            Next::TooLong => Err("it has no end".to_owned()),
            Next::End => break,
        };
        let (line, offset) = (lines.number, lines.start);
        let changes = decoded.map_err(|what| JournalError::Corrupt {
            path: path.into(),
            line,
            offset,
            what,
        })?;
        for change in changes {
            apply(change).map_err(|source| JournalError::Contradiction {
                path: path.into(),
                line,
                offset,
                source,
            })?;
        }
        found.index.note(seq, offset);
        found.records = seq;
    }
    found.end = lines.end;
    Ok(found)
}

/// Hands `count` records from a place of the [`Index`] on to `emit`, each with its line end, until
/// it returns false.
///
/// # Errors
/// Those of reading.
pub(super) fn export(
    path: &Path,
    place: Option<(u64, u64)>,
    count: u64,
    mut emit: impl FnMut(&[u8]) -> bool,
) -> io::Result<()> {
    let Some((offset, skip)) = place else {
        return Ok(());
    };
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut line = Vec::new();
    for number in 0..skip.saturating_add(count) {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if number >= skip && !emit(&line) {
            break;
        }
    }
    Ok(())
}

fn io_error(path: &Path, source: io::Error) -> JournalError {
    JournalError::Io {
        path: path.into(),
        source,
    }
}

/// Makes a new file's name durable.
#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}
