//! Where in a file it goes on.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};

use crate::sys;

/// The place where the next read or write begins.
///
/// A regular file's is kept here, so that whoever is dropped while reading has not moved it. Pipes and
/// terminals have none, and what is appended goes where the operating system says.
pub(super) struct Cursor {
    /// None if the file has no places.
    position: Option<u64>,
    appends: bool,
}

impl Cursor {
    /// Asks the operating system what kind of file this is, and where it stands.
    pub(super) fn of(mut file: &File) -> io::Result<Self> {
        let has_places = file.metadata()?.is_file();
        Ok(Self {
            position: has_places.then(|| file.stream_position()).transpose()?,
            appends: sys::is_appended_to(file)?,
        })
    }

    pub(super) fn has_places(&self) -> bool {
        self.position.is_some()
    }

    /// Where to read.
    pub(super) fn to_read(&self) -> Option<u64> {
        self.position
    }

    /// Where to write.
    pub(super) fn to_write(&self) -> Option<u64> {
        self.position.filter(|_| !self.appends)
    }

    /// Goes on by what was read, or by what was written at a place of our choosing.
    pub(super) fn advance(&mut self, length: usize) {
        self.position = self.position.map(|at| at.saturating_add(length as u64));
    }

    /// Goes where `length` bytes that were just written end.
    pub(super) fn wrote(&mut self, mut file: &File, length: usize) -> io::Result<()> {
        if self.appends && self.has_places() {
            self.position = Some(file.stream_position()?);
        } else {
            self.advance(length);
        }
        Ok(())
    }

    pub(super) fn seek(&mut self, mut file: &File, to: SeekFrom) -> io::Result<u64> {
        let Some(here) = self.position else {
            // It is for the operating system to refuse this.
            return file.seek(to);
        };
        let there = match to {
            SeekFrom::Start(there) => Some(there),
            SeekFrom::Current(distance) => here.checked_add_signed(distance),
            SeekFrom::End(distance) => file.metadata()?.len().checked_add_signed(distance),
        };
        let there = there.filter(|&there| i64::try_from(there).is_ok());
        let there = there.ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
        self.position = Some(there);
        Ok(there)
    }
}
