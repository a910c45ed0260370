//! Files and folders, which take their time while other tasks go on.
//!
//! ```text
//!   read(&mut buffer) ──▶ attempt ──it is in the page cache──▶ done, without a wait
//!                            │
//!                            └── not there ──▶ Operation: a ring of the kernel's, or a thread
//! ```
//!
//! What a [`File`] is asked for is tried at once, and mostly had at once. Whatever concerns names (to
//! open, to list, to rename) is done by the threads of [`to_thread`](crate::to_thread), as no operating
//! system offers another way everywhere. A virtual clock does not jump meanwhile.
//!
//! What is not here can be had by [`to_thread`](crate::to_thread) and [`std::fs`].
//!
//! # Examples
//!
//! ```
//! use roundel::fs;
//!
//! # let folder = std::env::temp_dir().join(format!("roundel-doc-fs-{}", std::process::id()));
//! roundel::run(async move {
//!     fs::create_dir_all(folder.join("notes")).await?;
//!     fs::write(folder.join("notes/one"), "first").await?;
//!     fs::rename(folder.join("notes/one"), folder.join("notes/two")).await?;
//!     assert_eq!(fs::read_to_string(folder.join("notes/two")).await?, "first");
//!     assert_eq!(fs::read_dir(folder.join("notes")).await?.len(), 1);
//!     fs::remove_dir_all(folder).await
//! })?;
//! # Ok::<(), std::io::Error>(())
//! ```

mod cursor;
mod file;
mod names;

pub use file::File;
pub use names::{
    canonicalize, copy, create_dir, create_dir_all, metadata, read, read_dir, read_link,
    read_to_string, remove_dir, remove_dir_all, remove_file, rename, set_permissions,
    symlink_metadata, try_exists, write,
};
