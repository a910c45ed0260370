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
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::fs;
    ///
    /// let text = roundel::run(fs::read_to_string("Cargo.toml"))?;
    /// assert!(text.starts_with("[package]"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
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
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::fs;
    ///
    /// # let path = std::env::temp_dir().join(format!("roundel-doc-link-{}", std::process::id()));
    /// std::os::unix::fs::symlink("no such file", &path)?;
    /// assert!(roundel::run(fs::metadata(path.clone())).is_err());
    /// assert!(roundel::run(fs::symlink_metadata(path.clone()))?.is_symlink());
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    symlink_metadata(path) -> Metadata;

    /// Makes a folder.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use roundel::fs;
    ///
    /// # let path = std::env::temp_dir().join(format!("roundel-doc-dir-{}", std::process::id()));
    /// roundel::run(async move {
    ///     fs::create_dir(&path).await?;
    ///     let again = fs::create_dir(&path).await;
    ///     assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);
    ///     fs::remove_dir(&path).await
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    create_dir(path) -> ();

    /// Makes a folder and those above it, as far as they are not there.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::fs;
    ///
    /// # let path = std::env::temp_dir().join(format!("roundel-doc-dirs-{}", std::process::id()));
    /// roundel::run(async move {
    ///     fs::create_dir_all(path.join("notes/today")).await?;
    ///     assert!(path.join("notes/today").is_dir());
    ///     fs::remove_dir_all(&path).await
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    create_dir_all(path) -> ();

    /// Removes an empty folder.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use roundel::fs;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # let path = std::env::temp_dir().join(format!("roundel-doc-rmdir-{}", std::process::id()));
    /// roundel::run(async move {
    ///     fs::create_dir_all(path.join("notes")).await?;
    ///     let outcome = fs::remove_dir(&path).await;
    ///     assert_eq!(outcome.unwrap_err().kind(), ErrorKind::DirectoryNotEmpty);
    ///     fs::remove_dir(path.join("notes")).await?;
    ///     fs::remove_dir(&path).await?;
    ///     assert!(!path.exists());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    remove_dir(path) -> ();

    /// Removes a folder and all that is in it; links are removed, not followed.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::fs;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # let path = std::env::temp_dir().join(format!("roundel-rmdirs-{}", std::process::id()));
    /// roundel::run(async move {
    ///     fs::create_dir_all(path.join("notes")).await?;
    ///     fs::write(path.join("notes/one"), "first").await?;
    ///     fs::remove_dir_all(&path).await?;
    ///     assert!(!path.exists());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    remove_dir_all(path) -> ();

    /// Removes a file.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::fs;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # let path = std::env::temp_dir().join(format!("roundel-remove-{}", std::process::id()));
    /// roundel::run(async move {
    ///     fs::write(&path, "first").await?;
    ///     fs::remove_file(&path).await?;
    ///     assert!(!path.exists());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    remove_file(path) -> ();

    /// Gives a file another name; who has that name is replaced, in one step.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::fs;
    ///
    /// # let path = std::env::temp_dir().join(format!("roundel-rename-{}", std::process::id()));
    /// # let draft = path.with_extension("draft");
    /// roundel::run(async move {
    ///     // Who reads the file finds the old text or the new one, never half of it.
    ///     fs::write(&path, "old").await?;
    ///     fs::write(&draft, "new").await?;
    ///     fs::rename(&draft, &path).await?;
    ///     assert_eq!(fs::read_to_string(&path).await?, "new");
    ///     assert!(!draft.exists());
    ///     fs::remove_file(&path).await
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    rename(from, to) -> ();

    /// Copies a file and its permissions, and gives its length.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::fs;
    ///
    /// # let path = std::env::temp_dir().join(format!("roundel-doc-copy-{}", std::process::id()));
    /// roundel::run(async move {
    ///     let length = fs::copy("Cargo.toml", &path).await?;
    ///     assert_eq!(length, fs::metadata("Cargo.toml").await?.len());
    ///     assert_eq!(fs::read(&path).await?, fs::read("Cargo.toml").await?);
    ///     fs::remove_file(&path).await
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    copy(from, to) -> u64;

    /// Gives the path without links, `.` and `..`, from the root on.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::fs;
    ///
    /// let path = roundel::run(fs::canonicalize("src/../Cargo.toml"))?;
    /// assert!(path.is_absolute());
    /// assert!(path.ends_with("Cargo.toml") && !path.to_string_lossy().contains(".."));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    canonicalize(path) -> PathBuf;

    /// Gives what a link points to.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::path::Path;
    /// use roundel::fs;
    ///
    /// # let path = std::env::temp_dir().join(format!("roundel-read-link-{}", std::process::id()));
    /// std::os::unix::fs::symlink("somewhere/else", &path)?;
    /// assert_eq!(roundel::run(fs::read_link(path.clone()))?, Path::new("somewhere/else"));
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    read_link(path) -> PathBuf;

    /// Changes who may do what to a file.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::fs::Permissions;
    /// use std::os::unix::fs::PermissionsExt;
    /// use roundel::fs;
    ///
    /// # let path = std::env::temp_dir().join(format!("roundel-set-perm-{}", std::process::id()));
    /// roundel::run(async move {
    ///     fs::write(&path, "secret").await?;
    ///     fs::set_permissions(&path, Permissions::from_mode(0o600)).await?;
    ///     assert_eq!(fs::metadata(&path).await?.permissions().mode() & 0o777, 0o600);
    ///     fs::remove_file(&path).await
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
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
///
/// # Examples
///
/// ```
/// use roundel::fs;
///
/// # let path = std::env::temp_dir().join(format!("roundel-doc-write-{}", std::process::id()));
/// roundel::run(async move {
///     fs::write(&path, "a long text").await?;
///     fs::write(&path, "short").await?;
///     assert_eq!(fs::read_to_string(&path).await?, "short");
///     fs::remove_file(&path).await
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
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
///
/// # Examples
///
/// ```
/// use roundel::fs;
///
/// roundel::run(async {
///     assert!(fs::try_exists("Cargo.toml").await?);
///     assert!(!fs::try_exists("no/such/file").await?);
///     std::io::Result::Ok(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
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
///
/// # Examples
///
/// ```
/// use roundel::fs;
///
/// # let path = std::env::temp_dir().join(format!("roundel-doc-read-dir-{}", std::process::id()));
/// roundel::run(async move {
///     fs::create_dir_all(path.join("notes")).await?;
///     fs::write(path.join("one"), "first").await?;
///     let mut found = Vec::new();
///     for entry in fs::read_dir(&path).await? {
///         found.push((entry.file_name(), entry.file_type()?.is_dir()));
///     }
///     found.sort();
///     assert_eq!(found, [("notes".into(), true), ("one".into(), false)]);
///     fs::remove_dir_all(&path).await
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub async fn read_dir(path: impl AsRef<Path>) -> io::Result<Vec<DirEntry>> {
    let path = path.as_ref().to_owned();
    io_in_thread(move || fs::read_dir(path)?.collect()).await
}
