// A thread of our own: the loops do not share the pool of Swift's tasks.

internal import CLinux
internal import Glibc
internal import Synchronization

/// A POSIX thread with a name.
public final class Thread: Sendable {
    private let handle: pthread_t
    private let isJoined = Mutex(false)

    private init(handle: pthread_t) {
        self.handle = handle
    }

    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Starts `body` on a new thread.
    ///
    /// Every signal is blocked in it, so that signals go to the main thread alone. `name` is cut at the 15 bytes that
    /// the kernel keeps. `stackSize` is in bytes.
    public static func start(
        name: String, stackSize: Int = 2 << 20, body: @escaping @Sendable () -> Void
    ) throws(SystemError) -> Thread {
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        unsafe pthread_attr_setstacksize(&attributes, stackSize)
        var all = sigset_t()
        var before = sigset_t()
        unsafe sigfillset(&all)
        unsafe pthread_sigmask(SIG_SETMASK, &all, &before)
        defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
        let start = unsafe Unmanaged.passRetained(Start(name: name, body: body))
        var handle = pthread_t()
        let code = unsafe pthread_create(
            &handle, &attributes,
            { argument in
                guard let argument = unsafe argument else { return nil }
                let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                _ = unsafe taut_name_thread(String(decoding: start.name.utf8.prefix(15), as: UTF8.self))
                start.body()
                return nil
            }, start.toOpaque())
        guard code == 0 else {
            unsafe start.release()
            throw SystemError(call: "pthread_create", errno: code, context: name)
        }
        return Thread(handle: handle)
    }

    /// Waits until the thread has ended; a second call returns at once.
    public func join() {
        isJoined.withLock { joined in
            guard !joined else { return }
            joined = true
            pthread_join(handle, nil)
        }
    }

    deinit {
        let handle = self.handle
        isJoined.withLock { joined in
            if !joined { _ = pthread_detach(handle) }
        }
    }
}
