//! Files as Rust programs have them.

#[path = "support/program.rs"]
mod program;

use std::cell::RefCell;
use std::fs::{self as std_fs, OpenOptions};
use std::future::Future;
use std::io::{ErrorKind, PipeWriter, SeekFrom, Write, pipe};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use futures_lite::future::poll_once;
use futures_lite::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use program::{runner, simulate};
use roundel::fs::{self, File};
use roundel::{
    FileAccess, Order, Runner, Tracer, gather, now, run, sleep, spawn, timeout, yield_now,
};

/// A folder that is gone, with all that is in it, when this is.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("roundel-fs-{name}-{}", std::process::id()));
        std_fs::create_dir_all(&path).expect("a place for files");
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn with(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std_fs::write(&path, content).expect("a place for files");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std_fs::remove_dir_all(&self.0).expect("nobody else removes it");
    }
}

/// Runs a program each way that this machine has of reading and writing.
fn each_way<F: Future<Output = ()> + 'static>(program: impl Fn(&mut Runner) -> F) {
    let mut ways = 0;
    for access in [FileAccess::Best, FileAccess::Ring, FileAccess::Threads] {
        let mut runner = runner(Order::Fifo);
        match runner.set_file_access(access) {
            Err(_) if access == FileAccess::Ring => continue,
            outcome => outcome.expect("always to be had"),
        }
        let program = program(&mut runner);
        runner.run(program).expect("a program that ends");
        ways += 1;
    }
    assert!(ways >= 2, "threads can always be had");
}

/// A pipe's end as a file: nothing comes out of it until something is put in.
fn slow() -> (File, PipeWriter) {
    let (reader, writer) = pipe().expect("descriptors to be had");
    let file = File::from_std(std_fs::File::from(OwnedFd::from(reader)));
    let file = file.expect("an open file");
    (file, writer)
}

async fn kind<T>(asked: impl Future<Output = std::io::Result<T>>) -> ErrorKind {
    asked.await.map(drop).expect_err("it can't be had").kind()
}

#[test]
fn what_is_written_is_read_from_where_the_file_stands() {
    each_way(|_| async {
        let folder = Folder::new("stands");
        let path = folder.path("file");
        let options = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .clone();
        let mut file = File::open_with(&options, &path).await.unwrap();
        file.write_all(b"hello ").await.unwrap();
        file.write_all(b"world").await.unwrap();
        assert_eq!(file.seek(SeekFrom::Current(-5)).await.unwrap(), 6);
        let mut text = String::new();
        file.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "world");
        assert_eq!(file.seek(SeekFrom::End(-9)).await.unwrap(), 2);
        file.write_all(b"y, ").await.unwrap();
        file.flush().await.unwrap();
        assert_eq!(std_fs::read(&path).unwrap(), b"hey,  world");
        assert_eq!(file.metadata().await.unwrap().len(), 11);
    });
}

#[test]
fn much_goes_over_in_pieces_and_whole() {
    each_way(|_| async {
        let folder = Folder::new("much");
        let content: Vec<u8> = (0..5_000_000_u32)
            .map(|number| (number % 251) as u8)
            .collect();
        let mut file = File::create(folder.path("file")).await.unwrap();
        file.write_all(&content).await.unwrap();
        file.sync_all().await.unwrap();
        let mut file = File::open(folder.path("file")).await.unwrap();
        let mut read = Vec::new();
        file.read_to_end(&mut read).await.unwrap();
        assert!(read == content);
    });
}

#[test]
fn reading_and_writing_at_a_place_leaves_the_files_own() {
    each_way(|_| async {
        let folder = Folder::new("place");
        let path = folder.with("file", "0123456789");
        let options = OpenOptions::new().read(true).write(true).clone();
        let mut file = File::open_with(&options, &path).await.unwrap();
        let mut buffer = [0; 4];
        assert_eq!(file.read_at(&mut buffer, 7).await.unwrap(), 3);
        assert_eq!(&buffer[..3], b"789");
        assert_eq!(file.read_at(&mut buffer, 10).await.unwrap(), 0);
        assert_eq!(file.read_at(&mut [], 0).await.unwrap(), 0);
        assert_eq!(file.write_at(b"ab", 1).await.unwrap(), 2);
        file.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"0ab3");
    });
}

#[test]
fn what_is_appended_comes_last_and_is_read_from_the_start() {
    each_way(|_| async {
        let folder = Folder::new("append");
        let path = folder.with("file", "one");
        let options = OpenOptions::new().read(true).append(true).clone();
        let mut file = File::open_with(&options, &path).await.unwrap();
        let mut buffer = [0; 2];
        file.read_exact(&mut buffer).await.unwrap();
        file.write_all(b"two").await.unwrap();
        file.flush().await.unwrap();
        assert_eq!(std_fs::read(&path).unwrap(), b"onetwo");
        assert_eq!(
            file.read(&mut buffer).await.unwrap(),
            0,
            "it stands behind that"
        );
        assert_eq!(file.seek(SeekFrom::Current(0)).await.unwrap(), 6);
    });
}

#[test]
fn a_length_can_be_set() {
    each_way(|_| async {
        let folder = Folder::new("length");
        let path = folder.path("file");
        let mut file = File::create(&path).await.unwrap();
        file.write_all(b"abcdef").await.unwrap();
        file.set_len(2).await.unwrap();
        assert_eq!(std_fs::read(&path).unwrap(), b"ab");
        file.set_len(4).await.unwrap();
        file.sync_data().await.unwrap();
        assert_eq!(std_fs::read(&path).unwrap(), b"ab\0\0");
    });
}

#[test]
fn what_can_not_be_had_is_the_operating_systems_error() {
    each_way(|_| async {
        let folder = Folder::new("wrong");
        let path = folder.with("file", [0xff]);
        let missing = folder.path("missing");
        assert_eq!(kind(File::open(&missing)).await, ErrorKind::NotFound);
        assert_eq!(kind(fs::read(&missing)).await, ErrorKind::NotFound);
        assert_eq!(kind(fs::rename(&missing, &path)).await, ErrorKind::NotFound);
        assert_eq!(
            kind(fs::create_dir(&folder.0)).await,
            ErrorKind::AlreadyExists
        );
        assert_eq!(kind(fs::read_dir(&path)).await, ErrorKind::NotADirectory);
        assert_eq!(
            kind(fs::remove_dir(&folder.0)).await,
            ErrorKind::DirectoryNotEmpty
        );
        assert_eq!(
            kind(fs::read_to_string(&path)).await,
            ErrorKind::InvalidData
        );
        assert_eq!(kind(File::create(&folder.0)).await, ErrorKind::IsADirectory);

        let mut a_folder = File::open(&folder.0).await.unwrap();
        assert_eq!(kind(a_folder.read(&mut [0])).await, ErrorKind::IsADirectory);
        assert_eq!(
            kind(a_folder.read_at(&mut [0], 0)).await,
            ErrorKind::IsADirectory
        );

        let mut to_read = File::open(&path).await.unwrap();
        let refused = |error: std::io::Error| error.raw_os_error();
        assert_eq!(
            to_read.write_at(b"x", 0).await.map_err(refused),
            Err(Some(libc::EBADF))
        );
        let written = async {
            to_read.write_all(b"x").await?;
            to_read.flush().await
        };
        assert_eq!(written.await.map_err(refused), Err(Some(libc::EBADF)));
        let mut to_write = File::create(&path).await.unwrap();
        assert_eq!(
            to_write.read(&mut [0]).await.map_err(refused),
            Err(Some(libc::EBADF))
        );
    });
}

#[test]
fn places_that_there_are_not_are_refused() {
    run(async {
        let folder = Folder::new("places");
        let mut file = File::open(folder.with("file", "abc")).await.unwrap();
        for nowhere in [
            SeekFrom::Current(-1),
            SeekFrom::End(-4),
            SeekFrom::Start(u64::MAX),
        ] {
            assert_eq!(kind(file.seek(nowhere)).await, ErrorKind::InvalidInput);
        }
        assert_eq!(file.seek(SeekFrom::Start(100)).await.unwrap(), 100);
        assert_eq!(file.read(&mut [0]).await.unwrap(), 0);
        let (mut pipe, _writer) = slow();
        assert_eq!(
            kind(pipe.seek(SeekFrom::Start(0))).await,
            ErrorKind::NotSeekable
        );
    });
}

#[test]
fn names_are_made_changed_listed_and_removed() {
    run(async {
        let folder = Folder::new("names");
        fs::create_dir_all(folder.path("a/b")).await.unwrap();
        fs::write(folder.path("a/b/one"), b"1").await.unwrap();
        assert_eq!(
            fs::copy(folder.path("a/b/one"), folder.path("a/two"))
                .await
                .unwrap(),
            1
        );
        std::os::unix::fs::symlink("two", folder.path("a/link")).unwrap();
        assert_eq!(
            fs::read_link(folder.path("a/link")).await.unwrap(),
            Path::new("two")
        );
        assert!(
            fs::symlink_metadata(folder.path("a/link"))
                .await
                .unwrap()
                .is_symlink()
        );
        assert!(fs::metadata(folder.path("a/link")).await.unwrap().is_file());
        assert!(
            fs::canonicalize(folder.path("a/link"))
                .await
                .unwrap()
                .ends_with("a/two")
        );
        let entries = fs::read_dir(folder.path("a")).await.unwrap();
        let mut names: Vec<_> = entries.iter().map(std_fs::DirEntry::file_name).collect();
        names.sort();
        assert_eq!(names, ["b", "link", "two"]);
        let permissions = std_fs::Permissions::from_mode(0o400);
        fs::set_permissions(folder.path("a/two"), permissions)
            .await
            .unwrap();
        let mode = fs::metadata(folder.path("a/two"))
            .await
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o400);
        fs::remove_file(folder.path("a/two")).await.unwrap();
        assert!(!fs::try_exists(folder.path("a/two")).await.unwrap());
        fs::remove_dir_all(folder.path("a")).await.unwrap();
        fs::create_dir(folder.path("a")).await.unwrap();
        fs::remove_dir(folder.path("a")).await.unwrap();
        assert!(!fs::try_exists(folder.path("a")).await.unwrap());
    });
}

#[test]
fn a_dropped_read_lets_go_of_the_descriptor_once_it_has_ended() {
    each_way(|_| async {
        let (mut file, mut writer) = slow();
        let mut buffer = [0; 8];
        assert!(poll_once(file.read(&mut buffer)).await.is_none());
        yield_now().await;
        let descriptor = format!("/dev/fd/{}", file.as_fd().as_raw_fd());
        drop(file);
        assert!(std_fs::exists(descriptor).unwrap(), "it is being read from");
        // A thread can't be called back: it ends by this. Nobody can write to a pipe that is closed.
        while writer.write_all(b"x").is_ok() {
            sleep(Duration::from_millis(1)).await;
        }
    });
}

#[test]
fn a_read_that_was_dropped_has_not_moved_the_file() {
    each_way(|_| async {
        let folder = Folder::new("dropped");
        let mut file = File::open(folder.with("file", "abcdef")).await.unwrap();
        let mut read = 0;
        for _ in 0..3 {
            let mut buffer = [0; 2];
            // None if it had to wait, and is dropped.
            let outcome = poll_once(file.read(&mut buffer)).await;
            read += outcome.map_or(0, Result::unwrap);
        }
        let mut text = String::new();
        file.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "abcdef"[read..]);
    });
}

#[test]
fn who_goes_elsewhere_after_a_dropped_read_gets_what_is_there() {
    each_way(|_| async {
        let folder = Folder::new("elsewhere");
        let path = folder.with("file", "abcdef");
        let options = OpenOptions::new().read(true).write(true).clone();
        let mut file = File::open_with(&options, &path).await.unwrap();
        let mut buffer = [0; 2];
        let read = poll_once(file.read(&mut buffer)).await;
        let stands = read.map_or(0, Result::unwrap);
        // Meanwhile the read goes on to its end, though nobody asks for it.
        fs::metadata(&path).await.unwrap();
        file.write_all(b"X").await.unwrap();
        file.flush().await.unwrap();
        assert_eq!(std_fs::read(&path).unwrap()[stands], b'X');
        assert!(
            poll_once(file.read(&mut buffer))
                .await
                .is_none_or(|read| read.is_ok())
        );
        file.seek(SeekFrom::Start(4)).await.unwrap();
        file.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"ef");
    });
}

#[test]
fn what_a_dropped_read_took_from_a_pipe_is_not_lost() {
    each_way(|_| async {
        let (mut file, mut writer) = slow();
        let mut buffer = [0; 8];
        {
            let mut read = std::pin::pin!(file.read(&mut buffer));
            assert!(poll_once(&mut read).await.is_none());
        }
        writer.write_all(b"abcdef").unwrap();
        let mut few = [0; 4];
        assert_eq!(file.read(&mut few).await.unwrap(), 4);
        assert_eq!(file.read(&mut few).await.unwrap(), 2);
        assert_eq!(&few, b"efcd");
        drop(writer);
        assert_eq!(file.read(&mut few).await.unwrap(), 0);
    });
}

#[test]
fn a_time_limit_ends_a_read_that_would_last() {
    let mut runner = Runner::new(roundel::Clock::monotonic(), Order::Fifo).unwrap();
    let outcome = runner.run(async {
        let (mut file, writer) = slow();
        let mut buffer = [0; 1];
        let read = timeout(Duration::from_millis(5), file.read(&mut buffer));
        let is_late = read.await.is_err();
        drop(writer);
        is_late
    });
    assert!(outcome.unwrap());
}

#[test]
fn a_write_that_was_not_waited_for_is_written_all_the_same() {
    each_way(|_| async {
        let folder = Folder::new("unflushed");
        let path = folder.path("file");
        let mut file = File::create(&path).await.unwrap();
        file.write_all(b"abc").await.unwrap();
        drop(file);
        while std_fs::read(&path).unwrap() != b"abc" {
            yield_now().await;
        }
    });
}

/// Puts something into a pipe as soon as the dispatcher waits for it.
struct Helper(RefCell<PipeWriter>);

impl Tracer for Helper {
    fn wait_began(&self, limit: Option<Duration>) {
        assert_eq!(limit, None, "nobody knows how long a file takes");
        self.0.borrow_mut().write_all(b"x").expect("it is read");
    }
}

#[test]
fn the_virtual_clock_waits_for_files() {
    each_way(|runner| {
        let (mut file, writer) = slow();
        runner.set_tracer(Some(Rc::new(Helper(RefCell::new(writer)))));
        async move {
            let began = now();
            let hour = spawn(sleep(Duration::from_secs(3600)));
            yield_now().await;
            assert_eq!(file.read(&mut [0; 1]).await.unwrap(), 1);
            assert_eq!(now() - began, Duration::ZERO);
            hour.await.unwrap();
            assert_eq!(now() - began, Duration::from_secs(3600));
        }
    });
}

#[test]
fn who_waits_for_a_file_is_in_no_deadlock() {
    each_way(|runner| {
        let (mut file, writer) = slow();
        runner.set_tracer(Some(Rc::new(Helper(RefCell::new(writer)))));
        async move { assert_eq!(file.read(&mut [0; 1]).await.unwrap(), 1) }
    });
}

#[test]
fn a_runtime_that_ends_waits_for_no_read() {
    let (mut file, writer) = slow();
    let mut runner = runner(Order::Fifo);
    if runner.set_file_access(FileAccess::Ring).is_err() {
        // A thread that reads a pipe can't be called back.
        return;
    }
    let outcome = runner.run(async move {
        let mut buffer = [0; 1];
        assert!(poll_once(file.read(&mut buffer)).await.is_none());
        file
    });
    drop(runner);
    let mut file = outcome.unwrap();
    // What that runtime has begun will not end any more, and says so.
    let outcome = simulate(async move { kind(file.read(&mut [0; 1])).await });
    assert_eq!(outcome, ErrorKind::NotConnected);
    drop(writer);
}

#[test]
fn many_files_at_once_have_their_turns() {
    each_way(|_| async {
        let folder = Folder::new("many");
        let paths: Vec<_> = (0..50)
            .map(|number| folder.path(&number.to_string()))
            .collect();
        let copies = paths.iter().cloned().map(|path| async move {
            let mut file = File::create(&path).await?;
            for number in 0..20_u8 {
                file.write_all(&[number; 1000]).await?;
            }
            file.flush().await?;
            let mut read = Vec::new();
            File::open(&path).await?.read_to_end(&mut read).await?;
            std::io::Result::Ok(read.len())
        });
        for length in gather(copies).await {
            assert_eq!(length.unwrap(), 20_000);
        }
    });
}
