//! Packed charts: a gzipped tar in memory, unpacked while it streams.
//!
//! **Problem.** An archive comes from somebody else. A few kilobytes of it can stand for gigabytes, and a name in it can point anywhere.
//! So every byte that comes out is counted before the next one is asked for, and what a name may be is what Helm lets it be.
//!
//! **Invariants.** Nothing is written anywhere. What is refused is named: archive, entry, limit and what was read by then.
//!
//! **As Helm does.** The first part of every name is dropped; links and devices are empty files; a byte order mark at the beginning of a
//! file is dropped; an entry that stands twice is there twice (of most files the later one counts).

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Read;
use std::rc::Rc;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use tar::EntryType;

use crate::RenderError;
use crate::limits::FILE_BYTES;

/// What one chart may amount to, everything in it included: folders and archives within archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChartLimits {
    /// Bytes of all files together, unpacked.
    pub total: u64,
    /// Bytes of one file, unpacked.
    pub file: u64,
    /// Files and folders.
    pub entries: u64,
    /// Charts in it, at any depth.
    pub charts: u64,
    /// How many times its packed size an archive may unpack to; not looked at below [`RATIO_FROM`].
    pub ratio: u64,
}

/// So many unpacked bytes are no bomb, whatever they were packed to.
pub const RATIO_FROM: u64 = 16 << 20;

impl Default for ChartLimits {
    /// What Helm allows an archive (100 MiB, 5 MiB a file), for folders, too; 20 000 entries, 1 000 charts, and a ratio of 200.
    fn default() -> Self {
        Self {
            total: 100 << 20,
            file: FILE_BYTES as u64,
            entries: 20_000,
            charts: 1_000,
            ratio: 200,
        }
    }
}

/// One file of a chart: its path in the chart and its content.
pub(crate) type ChartFile = (String, Arc<[u8]>);

/// Unpacks a chart: the files by their path in it, without the folder that all of them are packed in. `name` is the archive's, for errors.
///
/// Of an entry that stands twice the later one is given.
///
/// # Errors
/// [`RenderError::Archive`] for what is no chart archive, [`RenderError::Limit`] for what is too much.
pub fn unpack_chart(name: &str, bytes: &[u8], limits: ChartLimits) -> Result<BTreeMap<String, Arc<[u8]>>, RenderError> {
    Ok(unpack(name, bytes, &mut Budget::new(limits))?.into_iter().collect())
}

/// What is left of the limits while a chart is read.
#[derive(Debug)]
pub(crate) struct Budget {
    limits: ChartLimits,
    bytes: u64,
    entries: u64,
    charts: u64,
}

impl Budget {
    pub(crate) fn new(limits: ChartLimits) -> Self {
        Self {
            limits,
            bytes: 0,
            entries: 0,
            charts: 0,
        }
    }

    /// Counts one entry, whatever it is.
    pub(crate) fn count_entry(&mut self, place: &str) -> Result<(), RenderError> {
        self.entries += 1;
        if self.entries <= self.limits.entries {
            return Ok(());
        }
        Err(exceeded(
            place,
            "files and folders of the chart",
            self.limits.entries,
            self.entries,
        ))
    }

    /// Counts one chart.
    pub(crate) fn count_chart(&mut self, place: &str) -> Result<(), RenderError> {
        self.charts += 1;
        if self.charts <= self.limits.charts {
            return Ok(());
        }
        Err(exceeded(place, "charts in the chart", self.limits.charts, self.charts))
    }

    /// Counts the bytes of a file of a known size, before they are read.
    pub(crate) fn count_file(&mut self, place: &str, size: u64) -> Result<(), RenderError> {
        if size > self.limits.file {
            return Err(exceeded(place, "bytes of one chart file", self.limits.file, size));
        }
        let bytes = self.bytes.saturating_add(size);
        if bytes >= self.limits.total {
            return Err(exceeded(place, "bytes of the unpacked chart", self.limits.total, bytes));
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Unpacked bytes of the stream that may follow: the files that fit and what tar puts around them.
    fn stream(&self) -> u64 {
        let headers = self.limits.entries.saturating_mul(TAR_BLOCKS);
        (self.limits.total - self.bytes).saturating_add(headers)
    }
}

/// Bytes of tar around one file: its header, a long name, the padding.
const TAR_BLOCKS: u64 = 4 * 512;

fn exceeded(place: &str, what: &'static str, limit: u64, found: u64) -> RenderError {
    RenderError::Limit {
        place: place.to_owned(),
        what,
        limit,
        found,
    }
}

/// The files in the order of the archive.
pub(crate) fn unpack(name: &str, bytes: &[u8], budget: &mut Budget) -> Result<Vec<ChartFile>, RenderError> {
    check_kind(name, bytes)?;
    let stream = Stream::new(bytes, budget.stream(), budget.limits.ratio);
    let meter = stream.meter.clone();
    let broken = |entry: Option<&str>, error: &std::io::Error| match meter.exceeded.get() {
        Some((what, limit)) => exceeded(&place(name, entry), what, limit, meter.read.get()),
        None => refused(
            name,
            entry,
            format!("the archive is broken: {error} (after {} bytes)", meter.read.get()),
        ),
    };
    let mut archive = tar::Archive::new(stream);
    let mut files = Vec::new();
    for entry in archive.entries().map_err(|error| broken(None, &error))? {
        let mut entry = entry.map_err(|error| broken(None, &error))?;
        let Ok(full) = String::from_utf8(entry.path_bytes().into_owned()) else {
            return Err(refused(name, None, "the name of an entry is not UTF-8".into()));
        };
        let within = place(name, Some(&full));
        budget.count_entry(&within)?;
        let kind = entry.header().entry_type();
        if is_folder(entry.header(), &full) || is_about_others(kind) {
            continue;
        }
        let path = path_in_chart(&full).map_err(|reason| refused(name, Some(&full), reason.into()))?;
        budget.count_file(&within, entry.size())?;
        let mut content = Vec::new();
        if !has_no_content(kind) {
            let read = entry.read_to_end(&mut content);
            read.map_err(|error| broken(Some(&full), &error))?;
        }
        if content.len() as u64 != entry.size() {
            let reason = format!("{} of {} bytes are there", content.len(), entry.size());
            return Err(refused(name, Some(&full), reason));
        }
        files.push((path, without_mark(&content).into()));
    }
    if files.is_empty() {
        return Err(refused(name, None, "no files in chart archive".into()));
    }
    Ok(files)
}

fn check_kind(name: &str, bytes: &[u8]) -> Result<(), RenderError> {
    if bytes.starts_with(b"\x1f\x8b\x08") {
        return Ok(());
    }
    let hint = match std::str::from_utf8(bytes).is_ok() {
        true => "it is text",
        false => "it does not begin as gzip does",
    };
    Err(refused(
        name,
        None,
        format!("not a chart archive (gzipped tar): {hint}"),
    ))
}

/// A file's content without the byte order mark.
pub(crate) fn without_mark(content: &[u8]) -> &[u8] {
    content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content)
}

fn refused(archive: &str, entry: Option<&str>, reason: String) -> RenderError {
    RenderError::Archive {
        place: place(archive, entry),
        reason,
    }
}

/// `charts/x.tgz: x/values.yaml`
fn place(archive: &str, entry: Option<&str>) -> String {
    entry.map_or_else(|| archive.to_owned(), |entry| format!("{archive}: {entry}"))
}

/// By its type, by the mode's type bits, or by its name where the oldest format has no other way to say so.
fn is_folder(header: &tar::Header, name: &str) -> bool {
    const TYPE: u32 = 0o170_000;
    const FOLDER: u32 = 0o040_000;
    const FLAG_AT: usize = 156;
    let is_old = header.as_bytes()[FLAG_AT] == 0;
    let mode = header.mode().unwrap_or(0);
    header.entry_type().is_dir() || mode & TYPE == FOLDER || is_old && name.ends_with('/')
}

/// Headers that say something about the entries after them.
fn is_about_others(kind: EntryType) -> bool {
    kind.is_pax_global_extensions() || kind.is_pax_local_extensions()
}

fn has_no_content(kind: EntryType) -> bool {
    kind.is_hard_link() || kind.is_symlink() || kind.is_character_special() || kind.is_block_special() || kind.is_fifo()
}

/// The path without its first part, cleaned, as far as it stays in the chart.
fn path_in_chart(full: &str) -> Result<String, &'static str> {
    // Archives made on Windows.
    let delimiter = if full.contains('\\') { '\\' } else { '/' };
    let (first, rest) = full.split_once(delimiter).unwrap_or((full, ""));
    let rest = rest.replace(delimiter, "/");
    if rest.starts_with('/') {
        return Err("chart illegally contains absolute paths");
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in rest.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.pop().is_none() => return Err("chart illegally references parent directory"),
            ".." => {}
            name => parts.push(name),
        }
    }
    let path = parts.join("/");
    if path.is_empty() {
        return Err("chart illegally contains content outside the base directory");
    }
    if path.starts_with("..") {
        return Err("chart illegally references parent directory");
    }
    let bytes = path.as_bytes();
    if bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && &bytes[1..3] == b":/" {
        return Err("chart contains illegally named files");
    }
    if path.contains('\0') {
        return Err("NUL in the name");
    }
    if first == "Chart.yaml" {
        return Err("chart yaml not in base directory");
    }
    Ok(path)
}

/// What was read, and which limit ended it.
#[derive(Default)]
struct Meter {
    read: Cell<u64>,
    exceeded: Cell<Option<(&'static str, u64)>>,
}

/// The unpacked stream, cut off where it becomes too much.
struct Stream<'a> {
    inner: MultiGzDecoder<&'a [u8]>,
    meter: Rc<Meter>,
    limit: u64,
    /// Bytes from which the ratio is exceeded.
    by_ratio: u64,
    ratio: u64,
}

impl<'a> Stream<'a> {
    fn new(bytes: &'a [u8], limit: u64, ratio: u64) -> Self {
        Self {
            inner: MultiGzDecoder::new(bytes),
            meter: Rc::default(),
            limit,
            by_ratio: (bytes.len() as u64).saturating_mul(ratio).max(RATIO_FROM),
            ratio,
        }
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let read = self.meter.read.get() + count as u64;
        self.meter.read.set(read);
        let exceeded = if read > self.limit {
            Some(("bytes of the unpacked archive", self.limit))
        } else if read > self.by_ratio {
            Some(("unpacked bytes for one packed byte", self.ratio))
        } else {
            return Ok(count);
        };
        self.meter.exceeded.set(exceeded);
        Err(std::io::Error::other("too much"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_the_chart() {
        let good = [
            ("c/Chart.yaml", "Chart.yaml"),
            ("c/a/../b", "b"),
            ("c\\templates\\x.yaml", "templates/x.yaml"),
            ("./c/x", "c/x"),
            ("/x", "x"),
        ];
        for (full, path) in good {
            assert_eq!(path_in_chart(full), Ok(path.to_owned()), "{full}");
        }
        for bad in [
            "c",
            "c/",
            "c//etc/passwd",
            "c/../../x",
            "c/..x",
            "Chart.yaml/x",
            "c\\C:\\x",
            "c/.",
            "c/a\0b",
        ] {
            assert!(path_in_chart(bad).is_err(), "{bad}");
        }
    }
}
