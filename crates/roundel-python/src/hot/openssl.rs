//! A TLS session of the interpreter's own OpenSSL, without a Python object for every record.
//!
//! `ssl.SSLObject` is a Python object round an `_ssl._SSLSocket`, which is a C struct round an `SSL *`. The caller's
//! context made it, and all that the caller has set holds for it. What goes through here are the bytes alone:
//! in and out of the two memory BIOs, through `SSL_read` and `SSL_write`. Handshake, shutdown and whatever fails are
//! left to `_ssl`, whose exceptions and texts they are.
//!
//! The functions are those that `_ssl` itself is linked with: they are looked up through its own shared object. Where that
//! does not work (OpenSSL linked statically) or the layout of the structs is not known, [`Session::attach`] gives nothing.

use std::ffi::{CStr, CString, c_int, c_long, c_void};
use std::sync::OnceLock;

use pyo3_ffi::PyObject;

use super::call::import;
use super::native::Visit;
use super::object::Object;
use super::value::Str;

/// `SSL`, of which we know nothing.
enum Ssl {}
/// `BIO`, likewise.
enum Bio {}

const BIO_CTRL_PENDING: c_int = 10;
const SSL_ERROR_WANT_READ: c_int = 2;
const SSL_ERROR_WANT_WRITE: c_int = 3;
const SSL_ERROR_ZERO_RETURN: c_int = 6;
const SSL_RECEIVED_SHUTDOWN: c_int = 2;

/// The beginning of an `_ssl._SSLSocket`, the same in CPython 3.11 to 3.15 with the GIL.
#[repr(C)]
struct SslSocket {
    object: PyObject,
    socket: *mut PyObject,
    ssl: *mut Ssl,
}

/// The beginning of an `_ssl.MemoryBIO`, likewise.
#[repr(C)]
struct MemoryBio {
    object: PyObject,
    bio: *mut Bio,
}

/// The functions of libssl and libcrypto that are used.
struct Library {
    ssl_read: unsafe extern "C" fn(*mut Ssl, *mut c_void, c_int) -> c_int,
    ssl_write: unsafe extern "C" fn(*mut Ssl, *const c_void, c_int) -> c_int,
    ssl_get_error: unsafe extern "C" fn(*const Ssl, c_int) -> c_int,
    ssl_get_shutdown: unsafe extern "C" fn(*const Ssl) -> c_int,
    ssl_get_rbio: unsafe extern "C" fn(*const Ssl) -> *mut Bio,
    ssl_get_wbio: unsafe extern "C" fn(*const Ssl) -> *mut Bio,
    bio_read: unsafe extern "C" fn(*mut Bio, *mut c_void, c_int) -> c_int,
    bio_write: unsafe extern "C" fn(*mut Bio, *const c_void, c_int) -> c_int,
    bio_ctrl: unsafe extern "C" fn(*mut Bio, c_int, c_long, *mut c_void) -> c_long,
}

impl Library {
    /// The library that `_ssl` uses, looked up once.
    fn get() -> Option<&'static Self> {
        static LIBRARY: OnceLock<Option<Library>> = OnceLock::new();
        LIBRARY.get_or_init(Self::load).as_ref()
    }

    fn load() -> Option<Self> {
        if cfg!(Py_GIL_DISABLED) || super::python_version() >= (3, 16, 0) {
            return None;
        }
        let file = match import(c"_ssl", c"__file__").and_then(|file| Str::of(&file)) {
            Ok(file) => CString::new(file).ok()?,
            Err(raised) => {
                // It is built into the interpreter.
                raised.clear();
                return None;
            }
        };
        // SAFETY: a C string; the object is in memory already, so no code of its runs.
        let handle = unsafe { libc::dlopen(file.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD) };
        if handle.is_null() {
            return None;
        }
        let library = Handle(handle);
        Some(Self {
            // SAFETY: `int SSL_read(SSL *, void *, int)`.
            ssl_read: unsafe { library.symbol(c"SSL_read") }?,
            // SAFETY: `int SSL_write(SSL *, const void *, int)`.
            ssl_write: unsafe { library.symbol(c"SSL_write") }?,
            // SAFETY: `int SSL_get_error(const SSL *, int)`.
            ssl_get_error: unsafe { library.symbol(c"SSL_get_error") }?,
            // SAFETY: `int SSL_get_shutdown(const SSL *)`.
            ssl_get_shutdown: unsafe { library.symbol(c"SSL_get_shutdown") }?,
            // SAFETY: `BIO *SSL_get_rbio(const SSL *)`.
            ssl_get_rbio: unsafe { library.symbol(c"SSL_get_rbio") }?,
            // SAFETY: `BIO *SSL_get_wbio(const SSL *)`.
            ssl_get_wbio: unsafe { library.symbol(c"SSL_get_wbio") }?,
            // SAFETY: `int BIO_read(BIO *, void *, int)`.
            bio_read: unsafe { library.symbol(c"BIO_read") }?,
            // SAFETY: `int BIO_write(BIO *, const void *, int)`.
            bio_write: unsafe { library.symbol(c"BIO_write") }?,
            // SAFETY: `long BIO_ctrl(BIO *, int, long, void *)`.
            bio_ctrl: unsafe { library.symbol(c"BIO_ctrl") }?,
        })
    }
}

/// A shared object that stays in memory.
struct Handle(*mut c_void);

impl Handle {
    /// A function of it or of those it is linked with.
    ///
    /// # Safety
    /// `F` is the type of a pointer to the function of that name.
    unsafe fn symbol<F: Copy>(&self, name: &CStr) -> Option<F> {
        const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
        // SAFETY: a handle from `dlopen` and a C string.
        let address = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        // SAFETY: a pointer of the size of `F`, which is a function pointer, as the caller says.
        (!address.is_null()).then(|| unsafe { *(&raw const address).cast::<F>() })
    }
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// So many bytes went through.
    Bytes(usize),
    /// Nothing can go on before the peer has sent more.
    Again,
    /// The peer has closed the session in order.
    Closed,
    /// Something is wrong. The same call made through `_ssl` raises what.
    Failed,
}

/// The bytes of a TLS session between two memory BIOs.
pub(crate) struct Session {
    library: &'static Library,
    ssl: *mut Ssl,
    incoming: *mut Bio,
    outgoing: *mut Bio,
    /// What owns the three.
    owners: [Object; 3],
}

impl Session {
    /// The session of an `_ssl._SSLSocket` that was made for two `ssl.MemoryBIO`; `None` where there is no direct way to it.
    pub(crate) fn attach(socket: &Object, incoming: &Object, outgoing: &Object) -> Option<Self> {
        let library = Library::get()?;
        if !is_of_type(socket, c"_SSLSocket")
            || !is_of_type(incoming, c"MemoryBIO")
            || !is_of_type(outgoing, c"MemoryBIO")
        {
            return None;
        }
        // SAFETY: an `_ssl._SSLSocket`, whose beginning is known for all versions that `Library` is had for.
        let ssl = unsafe { (*socket.as_ptr().cast::<SslSocket>()).ssl };
        // SAFETY: a `MemoryBIO`, likewise.
        let incoming_bio = unsafe { (*incoming.as_ptr().cast::<MemoryBio>()).bio };
        // SAFETY: as above.
        let outgoing_bio = unsafe { (*outgoing.as_ptr().cast::<MemoryBio>()).bio };
        if ssl.is_null() || incoming_bio.is_null() || outgoing_bio.is_null() {
            return None;
        }
        // SAFETY: a live `SSL`.
        let reads_from = unsafe { (library.ssl_get_rbio)(ssl) };
        // SAFETY: a live `SSL`.
        let writes_to = unsafe { (library.ssl_get_wbio)(ssl) };
        (reads_from == incoming_bio && writes_to == outgoing_bio).then(|| Self {
            library,
            ssl,
            incoming: incoming_bio,
            outgoing: outgoing_bio,
            owners: [socket, incoming, outgoing].map(Clone::clone),
        })
    }

    /// Takes in what has come from the peer; false if there is no memory for it.
    pub(crate) fn feed(&self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let (start, length) = (bytes.as_ptr().cast::<c_void>(), int(bytes.len()));
            // SAFETY: a live BIO and that many bytes.
            let taken = unsafe { (self.library.bio_write)(self.incoming, start, length) };
            match usize::try_from(taken) {
                Ok(taken) if taken > 0 => bytes = &bytes[taken..],
                _ => return false,
            }
        }
        true
    }

    /// Decrypts into `room`: a part of a record, or one.
    pub(crate) fn read(&self, room: &mut [u8]) -> Outcome {
        let (start, length) = (room.as_mut_ptr().cast::<c_void>(), int(room.len()));
        // SAFETY: a live `SSL` and room for that many bytes.
        let result = unsafe { (self.library.ssl_read)(self.ssl, start, length) };
        self.outcome(result)
    }

    /// Encrypts, at most one record's worth. What comes of it waits for [`take`](Self::take).
    pub(crate) fn write(&self, bytes: &[u8]) -> Outcome {
        let (start, length) = (bytes.as_ptr().cast::<c_void>(), int(bytes.len()));
        // SAFETY: a live `SSL` and that many bytes.
        let result = unsafe { (self.library.ssl_write)(self.ssl, start, length) };
        self.outcome(result)
    }

    fn outcome(&self, result: c_int) -> Outcome {
        match usize::try_from(result) {
            Ok(count) if count > 0 => return Outcome::Bytes(count),
            _ => {}
        }
        // SAFETY: a live `SSL`, and what the last call on it has returned in this thread.
        match unsafe { (self.library.ssl_get_error)(self.ssl, result) } {
            SSL_ERROR_WANT_READ | SSL_ERROR_WANT_WRITE => Outcome::Again,
            SSL_ERROR_ZERO_RETURN if self.received_shutdown_only() => Outcome::Closed,
            // The error stays in OpenSSL's queue, where `_ssl` finds it.
            _ => Outcome::Failed,
        }
    }

    fn received_shutdown_only(&self) -> bool {
        // SAFETY: a live `SSL`.
        unsafe { (self.library.ssl_get_shutdown)(self.ssl) == SSL_RECEIVED_SHUTDOWN }
    }

    /// Moves what is to be sent to the peer into `room`, and says how much that was.
    pub(crate) fn take(&self, room: &mut [u8]) -> usize {
        let (start, length) = (room.as_mut_ptr().cast::<c_void>(), int(room.len()));
        // SAFETY: a live BIO and room for that many bytes.
        let taken = unsafe { (self.library.bio_read)(self.outgoing, start, length) };
        usize::try_from(taken).unwrap_or(0)
    }

    /// How many bytes have come and are not decrypted yet.
    pub(crate) fn incoming_len(&self) -> usize {
        self.pending(self.incoming)
    }

    /// How many bytes are to be sent.
    pub(crate) fn outgoing_len(&self) -> usize {
        self.pending(self.outgoing)
    }

    fn pending(&self, bio: *mut Bio) -> usize {
        let nothing = std::ptr::null_mut();
        // SAFETY: a live BIO; the command has no argument.
        let pending = unsafe { (self.library.bio_ctrl)(bio, BIO_CTRL_PENDING, 0, nothing) };
        usize::try_from(pending).unwrap_or(0)
    }

    /// Shows what it owns to the garbage collector.
    pub(crate) fn traverse(&self, visit: &mut Visit) {
        self.owners.iter().for_each(|owner| visit.object(owner));
    }
}

/// As C counts; more is left for the next call.
fn int(length: usize) -> c_int {
    c_int::try_from(length).unwrap_or(c_int::MAX)
}

/// Whether an object is of exactly the type of that name in `_ssl`.
fn is_of_type(object: &Object, name: &CStr) -> bool {
    match import(c"_ssl", name) {
        Ok(kind) => object.type_of().is(&kind),
        Err(raised) => {
            raised.clear();
            false
        }
    }
}
