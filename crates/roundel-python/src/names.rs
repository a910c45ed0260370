//! The names and the objects of other modules that the extension uses, looked up once.

use std::ffi::CString;
use std::sync::OnceLock;

use crate::hot::{Bytes, Object, Result, Shared, Str, Tuple, import, new_exception};

macro_rules! names {
    (
        strings { $($string:ident)* }
        imports { $($import:ident = $module:literal : $object:literal),* $(,)? }
    ) => {
        /// What [`names`] gives.
        #[allow(dead_code, reason = "some are needed on some versions of Python only")]
        pub(crate) struct Names {
            $(pub(crate) $string: Object,)*
            $(pub(crate) $import: Object,)*
            /// `b"\\n"`.
            pub(crate) line_feed: Object,
            /// `("context",)`, the keywords of a call.
            pub(crate) kw_context: Object,
            /// What a handle from another thread passes for, from 3.14 on.
            pub(crate) thread_safe_handle: Object,
            /// `("loop",)`, the keywords of a call.
            pub(crate) kw_loop: Object,
            /// `("exc_info",)`, the keywords of a call.
            pub(crate) kw_exc_info: Object,
            /// `("source",)`, the keywords of a call.
            pub(crate) kw_source: Object,
            /// `("msg",)`, the keywords of a call.
            pub(crate) kw_msg: Object,
            /// `("debug",)`, the keywords of a call.
            pub(crate) kw_debug: Object,
            /// Where the interpreter keeps the current task of each loop: a dictionary, or from 3.14 on a
            /// function that changes it.
            pub(crate) current_tasks: Object,
            /// `asyncio.QueueShutDown`, or one of ours where asyncio has none.
            pub(crate) queue_shut_down: Object,
            /// `asyncio.iscoroutinefunction`, which warns from 3.14 on when asyncio itself does not ask.
            pub(crate) is_coroutine_function: Object,
            /// `asyncio.BaseEventLoop.create_task`.
            pub(crate) create_task_by_factory: Object,
        }

        impl Names {
            fn load() -> Result<Self> {
                let [$($string,)*] = interned([$(stringify!($string),)*])?;
                let [$($import,)*] = imported([$(($module, $object),)*])?;
                Ok(Self {
                    line_feed: Bytes::copy(b"\n")?,
                    kw_context: keyword("context")?,
                    thread_safe_handle: import(
                        c"asyncio.events",
                        if cfg!(Py_3_14) { c"_ThreadSafeHandle" } else { c"Handle" },
                    )?,
                    kw_loop: keyword("loop")?,
                    kw_exc_info: keyword("exc_info")?,
                    kw_source: keyword("source")?,
                    kw_msg: keyword("msg")?,
                    kw_debug: keyword("debug")?,
                    queue_shut_down: queue_shut_down()?,
                    create_task_by_factory: import(c"asyncio", c"BaseEventLoop")?.attr(&Str::intern(c"create_task")?)?,
                    is_coroutine_function: import(
                        c"asyncio.coroutines",
                        if cfg!(Py_3_14) { c"_iscoroutinefunction" } else { c"iscoroutinefunction" },
                    )?,
                    current_tasks: import(
                        c"asyncio.tasks",
                        if cfg!(Py_3_14) { c"_swap_current_task" } else { c"_current_tasks" },
                    )?,
                    $($string,)*
                    $($import,)*
                })
            }
        }
    };
}

names! {
    strings {
        __getitem__ __kwdefaults__ __module__ __name__ __qualname__ __str__
        _app_protocol_buffer_updated _app_protocol_get_buffer _asyncio_future_blocking _attach
        _call_connection_lost _call_eof_received _cancel_message _clients _control_app_writing
        _control_ssl_reading _detach _do_flush _do_handshake _do_read _do_shutdown _do_write
        _drain_helper _ensure_fd_no_transport _fatal_error _format _get _get_close_waiter
        _get_running_loop _init _log_destroy_pending _loop _make_cancelled_error _on_idle _put
        _replace_transport _serve_later _set_running_loop _sockets _source_traceback _sslobj
        _start_shutdown _step _timer_handle_cancelled _transports _wake _wakeup _write_appdata abort
        accept acquire add add_done_callback append buffer_updated call_at call_exception_handler
        call_later call_soon can_write_eof cancel cancelled cancelling close co_flags connect
        connection_lost connection_made cr_await create_future create_task current_task data
        data_received datagram_received debug discard done empty eof_received errno error_received
        exception exceptions family feed_data feed_eof fileno full get get_buffer get_debug
        get_event_loop get_extra_info get_loop get_nowait get_running_loop get_write_buffer_size
        getpeername getsockname getsockopt gettimeout gi_code is_closed is_closing is_running join
        locked logger message name pause_reading pause_writing peername pipe pop popleft put_nowait
        qsize read readline readuntil recv recv_into recvfrom recvfrom_into release
        remove_done_callback result resume_reading resume_writing run send sendto set set_exception
        set_result set_transport setblocking socket sockname source_traceback sslcontext throw time
        transport uncancel value wait warning write write_eof writelines
    }
    imports {
        current_task_of = "asyncio.tasks" : "current_task",
        tasks = "asyncio" : "tasks",
        buffered_protocol = "asyncio" : "BufferedProtocol",
        set_result_unless_cancelled = "asyncio.futures" : "_set_result_unless_cancelled",
        transport_socket = "asyncio.trsock" : "TransportSocket",
        socket_class = "socket" : "socket",
        fsdecode = "os" : "fsdecode",
        ipv6 = "socket" : "AF_INET6",
        warn = "warnings" : "warn",
        cancelled_error = "asyncio.exceptions" : "CancelledError",
        invalid_state_error = "asyncio.exceptions" : "InvalidStateError",
        queue_empty = "asyncio" : "QueueEmpty",
        queue_full = "asyncio" : "QueueFull",
        broken_barrier_error = "asyncio" : "BrokenBarrierError",
        gathering_future = "asyncio.tasks" : "_GatheringFuture",
        is_future = "asyncio.futures" : "isfuture",
        coroutine_type = "types" : "CoroutineType",
        is_awaitable = "inspect" : "isawaitable",
        ensure_future = "asyncio.tasks" : "ensure_future",
        exception_group = "builtins" : "ExceptionGroup",
        base_exception_group = "builtins" : "BaseExceptionGroup",
        round = "builtins" : "round",
        c_task = "asyncio" : "Task",
        c_future = "asyncio" : "Future",
        queue = "asyncio" : "Queue",
        priority_queue = "asyncio" : "PriorityQueue",
        lifo_queue = "asyncio" : "LifoQueue",
        lock = "asyncio" : "Lock",
        event = "asyncio" : "Event",
        condition = "asyncio" : "Condition",
        semaphore = "asyncio" : "Semaphore",
        bounded_semaphore = "asyncio" : "BoundedSemaphore",
        barrier = "asyncio" : "Barrier",
        task_group = "asyncio" : "TaskGroup",
        timeout = "asyncio" : "Timeout",
        handle = "asyncio" : "Handle",
        timer_handle = "asyncio" : "TimerHandle",
        create_task_function = "asyncio" : "create_task",
        set_running_loop = "_asyncio" : "_set_running_loop",
        context_type = "contextvars" : "Context",
        thread_event = "threading" : "Event",
        traceback = "types" : "TracebackType",
        enter_task = "asyncio.tasks" : "_enter_task",
        leave_task = "asyncio.tasks" : "_leave_task",
        register_task = "asyncio.tasks" : "_register_task",
        unregister_task = "asyncio.tasks" : "_unregister_task",
        strerror = "os" : "strerror",
        format_handle = "asyncio.base_events" : "_format_handle",
        is_coroutine = "asyncio.coroutines" : "iscoroutine",
        events = "asyncio" : "events",
        base_events = "asyncio" : "base_events",
        format_callback_source = "asyncio.format_helpers" : "_format_callback_source",
        extract_stack = "asyncio.format_helpers" : "extract_stack",
        future_repr = "asyncio.base_futures" : "_future_repr",
        task_repr = "asyncio.base_tasks" : "_task_repr",
        task_get_stack = "asyncio.base_tasks" : "_task_get_stack",
        task_print_stack = "asyncio.base_tasks" : "_task_print_stack",
        deque = "collections" : "deque",
        socket_type = "socket" : "socket",
        stream_reader = "asyncio.streams" : "StreamReader",
        stream_reader_protocol = "asyncio.streams" : "StreamReaderProtocol",
        stream_writer = "asyncio.streams" : "StreamWriter",
        incomplete_read_error = "asyncio" : "IncompleteReadError",
        limit_overrun_error = "asyncio" : "LimitOverrunError",
        sol_socket = "socket" : "SOL_SOCKET",
        so_error = "socket" : "SO_ERROR",
        check_ssl_socket = "asyncio.base_events" : "_check_ssl_socket",
        slice = "builtins" : "slice",
        heappush = "heapq" : "heappush",
        heappop = "heapq" : "heappop",
        not_implemented = "builtins" : "NotImplemented",
        generator = "types" : "GeneratorType",
        bytearray = "builtins" : "bytearray",
        memoryview = "builtins" : "memoryview",
        list = "builtins" : "list",
        iter = "builtins" : "iter",
        get_frame = "sys" : "_getframe",
    }
}

fn queue_shut_down() -> Result<Object> {
    if cfg!(Py_3_13) {
        return import(c"asyncio", c"QueueShutDown");
    }
    let doc = c"Raised when putting on to or getting from a shut-down Queue.";
    new_exception(c"roundel.QueueShutDown", doc)
}

/// Strings that are interned. By a loop: one call after the other, hundreds of them, keep a compiler busy for minutes.
fn interned<const N: usize>(names: [&str; N]) -> Result<[Object; N]> {
    looked_up(names, |name| Str::intern(&terminated(name)))
}

/// Objects of modules.
fn imported<const N: usize>(names: [(&str, &str); N]) -> Result<[Object; N]> {
    looked_up(names, |(module, object)| {
        import(&terminated(module), &terminated(object))
    })
}

fn looked_up<T, const N: usize>(
    names: [T; N],
    look_up: impl FnMut(T) -> Result<Object>,
) -> Result<[Object; N]> {
    let objects: Result<Vec<_>> = names.into_iter().map(look_up).collect();
    Ok(objects?
        .try_into()
        .unwrap_or_else(|_| unreachable!("invariant: as many objects as names")))
}

/// The keywords of a call that has one.
fn keyword(name: &str) -> Result<Object> {
    Tuple::of(&[Str::intern(&terminated(name))?])
}

fn terminated(name: &str) -> CString {
    CString::new(name).unwrap_or_default()
}

static NAMES: OnceLock<Shared<Names>> = OnceLock::new();

/// Looks everything up; the first thing that making the module does.
pub(crate) fn load() -> Result<()> {
    let names = Shared::new(Names::load()?);
    // A second import finds them there.
    drop(NAMES.set(names));
    Ok(())
}

/// The names. They are there from the moment the module exists.
#[inline]
pub(crate) fn names() -> &'static Names {
    NAMES
        .get()
        .expect("invariant: making the module looked the names up")
        .get()
}
