//! What concerns names: each is a question to the operating system that a thread asks.
//!
//! All of them have in common what a call in a thread has: one that has not begun when it is dropped is
//! never made, and one that has begun goes on to its end.

use std::fs::{self, DirEntry, Metadata, Permissions};
use std::io;
use std::path::{Path, PathBuf};

use crate::program::io_in_thread;

/// Makes functions that have a thread call those of the same names in [`std::fs`].
macro_rules! in_thread {
    ($($(#[$doc:meta])+ $name:ident($($path:ident),+ $(; $value:ident: $type:ty)?) -> $output:ty;)+) => {
        $(
            $(#[$doc])+
            ///
            /// # Errors
            ///
            /// Gives the operating system's error, as [`std::fs`]'s function of this name does.
            ///
            /// # Cancel safety
            ///
            /// A call that has not begun is never made. One that has begun goes on to its end.
            ///
            /// # Panics
            ///
            /// Polling it panics if this thread runs no runtime.
            pub async fn $name($($path: impl AsRef<Path>),+ $(, $value: $type)?) -> io::Result<$output> {
                $(let $path = $path.as_ref().to_owned();)+
                io_in_thread(move || fs::$name($($path),+ $(, $value)?)).await
            }
        )+
    };
}

in_thread! {
    /// Reads a whole file.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use roundel::fs;
    ///
    /// let outcome = roundel::run(async { fs::read("/no/such/file").await });
    /// assert_eq!(outcome.unwrap_err().kind(), ErrorKind::NotFound);
    /// ```
    read(path) -> Vec<u8>;

    /// Reads a whole file of text; what is no UTF-8 is an [error](io::ErrorKind::InvalidData).
    read_to_string(path) -> String;

    /// Asks what a file is, how large and how old, following links.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::fs;
    ///
    /// let folder = roundel::run(async { fs::metadata(".").await })?;
    /// assert!(folder.is_dir());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    metadata(path) -> Metadata;

    /// Asks what a file or link is, without following it.
    symlink_metadata(path) -> Metadata;

    /// Makes a folder.
    create_dir(path) -> ();

    /// Makes a folder and those above it, as far as they are not there.
    create_dir_all(path) -> ();

    /// Removes an empty folder.
    remove_dir(path) -> ();

    /// Removes a folder and all that is in it; links are removed, not followed.
    remove_dir_all(path) -> ();

    /// Removes a file.
    remove_file(path) -> ();

    /// Gives a file another name; who has that name is replaced, in one step.
    rename(from, to) -> ();

    /// Copies a file and its permissions, and gives its length.
    copy(from, to) -> u64;

    /// Gives the path without links, `.` and `..`, from the root on.
    canonicalize(path) -> PathBuf;

    /// Gives what a link points to.
    read_link(path) -> PathBuf;

    /// Changes who may do what to a file.
    set_permissions(path; permissions: Permissions) -> ();
}

/// Writes a whole file, which is made or else loses what it has had.
///
/// # Errors
///
/// Gives the operating system's error.
///
/// # Cancel safety
///
/// A call that has not begun is never made. One that has begun goes on to its end.
///
/// # Panics
///
/// Polling it panics if this thread runs no runtime.
pub async fn write(path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> io::Result<()> {
    let (path, content) = (path.as_ref().to_owned(), content.as_ref().to_owned());
    io_in_thread(move || fs::write(path, content)).await
}

/// Returns whether there is a file or folder of this name, as far as can be seen from here.
///
/// # Errors
///
/// Gives the operating system's error if it can't be told.
///
/// # Cancel safety
///
/// Nothing is lost.
///
/// # Panics
///
/// Polling it panics if this thread runs no runtime.
pub async fn try_exists(path: impl AsRef<Path>) -> io::Result<bool> {
    let path = path.as_ref().to_owned();
    io_in_thread(move || path.try_exists()).await
}

/// Lists a folder, in no particular order.
///
/// To ask an entry for its name or its type needs no further wait, as a rule; for its metadata there is
/// [`symlink_metadata`].
///
/// # Errors
///
/// Gives the operating system's error.
///
/// # Cancel safety
///
/// Nothing is lost.
///
/// # Panics
///
/// Polling it panics if this thread runs no runtime.
pub async fn read_dir(path: impl AsRef<Path>) -> io::Result<Vec<DirEntry>> {
    let path = path.as_ref().to_owned();
    io_in_thread(move || fs::read_dir(path)?.collect()).await
}
